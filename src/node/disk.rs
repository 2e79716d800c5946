//! What happened between the tiers, as the machine is told it.

use bytes::Bytes;

use crate::base::id::RowId;
use crate::base::range::RangeSet;

/// What happened between the tiers.
#[derive(Debug)]
pub enum Disk {
    /// A file of an earlier run was found: its head and its whole slice.
    Found {
        /// What the port knows it by.
        token: u64,
        /// Which slice.
        slice: u32,
        /// Bytes of the slice.
        bytes: u64,
        /// The caller's metadata, as written.
        header: Bytes,
    },
    /// A slice, or part of one, was read into memory; or let go of there in need.
    Loaded {
        /// Which row.
        row: RowId,
        /// Which slice.
        slice: u32,
        /// What of the row is in memory now.
        present: RangeSet,
    },
    /// A slice is safely named on disk.
    Persisted {
        /// Which row.
        row: RowId,
        /// Which slice.
        slice: u32,
        /// Bytes that the file takes.
        bytes: u64,
    },
    /// Of what [`super::event::Output::Persist`] ordered, so much is under way no more.
    Wrote {
        /// Bytes of slices, as they were ordered.
        ordered: u64,
        /// Bytes that went to the disk for them, with their heads; none for those not taken.
        bytes: u64,
    },
    /// A slice could not be written, or what was read was not what had been written.
    Lost {
        /// Which row.
        row: RowId,
        /// Which slice.
        slice: u32,
    },
    /// The disk tier lies in memory (tmpfs): what it holds counts as such.
    InMemory,
    /// The disk tier is out of order, in words; or in order again.
    Fault(Option<String>),
}
