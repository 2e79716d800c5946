//! What the store tells its caller unasked: growth from disk, losses, the state of the disk.

use core::fmt;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::Waker;

use crate::base::id::RowId;
use crate::base::map::Map;
use crate::base::time::Instant;

use super::files::Fault;

/// One piece of news. Bytes are RAM bytes in `Loaded` and `Shed`, file bytes in `Persisted`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "row, slice and bytes mean the same in every variant")]
pub enum Notice {
    /// A reader brought a part of a slice up from the disk; it now also costs `bytes` of RAM.
    Loaded { row: RowId, slice: u32, bytes: u64 },
    /// The hard memory stop was reached: passed bytes of the row were let go to make room.
    Shed { row: RowId, slice: u32, bytes: u64 },
    /// The slice is on disk as a file of `bytes`.
    Persisted { row: RowId, slice: u32, bytes: u64 },
    /// The slice that was taken for writing is not on disk.
    Refused { row: RowId, slice: u32, reason: Refusal },
    /// What became of slices that were to be written: of `ordered` bytes in all nothing is under
    /// way any more, and `bytes` went to the disk for them, also for those that failed.
    Wrote { ordered: u64, bytes: u64 },
    /// The slice on disk could not be read or was not what had been written; it is dropped.
    Lost { row: RowId, slice: u32, cause: Loss },
    /// Files in the folder that are not ours and are left alone; said once a scan.
    Foreign { first: String, count: u32 },
    /// Writes to the disk are switched off; said once for each kind of fault in a row.
    DiskFault { kind: Fault, since: Instant },
    /// The disk takes writes again.
    DiskBack,
}

/// Why a slice was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no disk tier.
    NoDisk,
    /// The folder has not been scanned to its end yet.
    Starting,
    /// Writes are switched off after a fault.
    Off,
    /// The queue is full.
    Busy,
    /// The slice is not whole in RAM, or the row's length is not known.
    Incomplete,
    /// The slice is on disk or on its way there.
    Already,
    /// The caller's header is longer than [`crate::base::limits::cache::SHEET_HEADER`].
    HeaderTooLong,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDisk => "there is no disk tier",
            Self::Starting => "the disk folder is still being read",
            Self::Off => "the disk is switched off after a fault",
            Self::Busy => "the disk has enough to write",
            Self::Incomplete => "the slice is not whole in memory",
            Self::Already => "the slice is on disk already",
            Self::HeaderTooLong => "the header is too long",
        })
    }
}

impl std::error::Error for Refusal {}

/// Why a slice on disk was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its bytes are not the ones that were written.
    Damaged,
    /// It could not be read.
    Unreadable(Fault),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("a file in the cache was damaged"),
            Self::Unreadable(fault) => write!(f, "a file in the cache was unreadable: {fault}"),
        }
    }
}

/// The queue of news; growth and shedding of one slice add up to one notice, and writes do.
#[derive(Debug, Default)]
pub(super) struct Notices(RefCell<Queue>);

#[derive(Debug, Default)]
struct Queue {
    loaded: Map<(RowId, u32), u64>,
    shed: Map<(RowId, u32), u64>,
    rest: VecDeque<Notice>,
    /// Bytes that were ordered and are under way no more, and those that were written for them.
    wrote: (u64, u64),
    waker: Option<Waker>,
}

impl Notices {
    pub(super) fn push(&self, notice: Notice) {
        let mut queue = self.0.borrow_mut();
        match notice {
            Notice::Loaded { row, slice, bytes } => {
                *queue.loaded.entry((row, slice)).or_default() += bytes;
            }
            Notice::Shed { row, slice, bytes } => {
                *queue.shed.entry((row, slice)).or_default() += bytes;
            }
            Notice::Wrote { ordered, bytes } => {
                queue.wrote.0 += ordered;
                queue.wrote.1 += bytes;
            }
            other => queue.rest.push_back(other),
        }
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
    }

    /// The next notice: growth first, so that what is shed was counted before.
    pub(super) fn poll(&self) -> Option<Notice> {
        let mut queue = self.0.borrow_mut();
        if let Some(((row, slice), bytes)) = queue.loaded.pop_first() {
            return Some(Notice::Loaded { row, slice, bytes });
        }
        if let Some(((row, slice), bytes)) = queue.shed.pop_first() {
            return Some(Notice::Shed { row, slice, bytes });
        }
        if let Some(notice) = queue.rest.pop_front() {
            return Some(notice);
        }
        let (ordered, bytes) = core::mem::take(&mut queue.wrote);
        (ordered > 0).then_some(Notice::Wrote { ordered, bytes })
    }

    /// Whether there is news; otherwise `waker` is woken by the next.
    pub(super) fn ready(&self, waker: &Waker) -> bool {
        let mut queue = self.0.borrow_mut();
        let none = queue.loaded.is_empty() && queue.shed.is_empty() && queue.rest.is_empty();
        let some = !none || queue.wrote.0 > 0;
        if !some {
            queue.waker = Some(waker.clone());
        }
        some
    }
}
