//! The language of links: framed, versioned messages with bounded lengths; docs/protocol.md.

use core::time::Duration;

use super::record::Record;
use crate::base::digest::Digest;
use crate::base::segment::{BlockSet, SegmentId};

/// What one node says to another once both have proven who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The sender wants a segment, or will: it asks to be told what the other has of it, now and
    /// until `Done`.
    Seek {
        /// Which.
        segment: SegmentId,
        /// The stream that it belongs to: nodes with the same topic share the work at the origin.
        topic: Digest,
    },
    /// The sender needs to hear no more of a segment.
    Done {
        /// Which.
        segment: SegmentId,
    },
    /// What the sender has of a segment that the other seeks. It replaces what it said before.
    Have {
        /// Which.
        segment: SegmentId,
        /// Blocks that it can give.
        here: BlockSet,
        /// Blocks that are on their way to it: it fetches them, or one that it hears of does.
        coming: BlockSet,
        /// How far away the one is who fetches: 0 for the sender itself.
        hops: u8,
    },
    /// A record of a segment that the other seeks.
    Record(Box<Record>),
    /// The sender asks for blocks, the lowest first.
    Want {
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        blocks: BlockSet,
        /// How soon they are of use, from now.
        within: Duration,
    },
    /// One block; its bytes follow.
    Block {
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        block: u8,
        /// How many bytes follow.
        length: u32,
    },
    /// The sender needs these blocks no more.
    Cancel {
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        blocks: BlockSet,
    },
    /// The sender cannot give these blocks now.
    Deny {
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        blocks: BlockSet,
    },
    /// The sender gives nothing until `Unchoke`; what was asked of it is forgotten.
    Choke,
    /// The sender gives again.
    Unchoke,
}
