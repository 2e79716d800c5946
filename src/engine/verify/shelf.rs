//! The records in memory: as many as the bounds allow, least recently used going first.

use super::ballots::Reach;
use super::signers::Place;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::time::Instant;
use crate::wire::record::Record;

/// What is known of one segment.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) word: Word,
    /// Blocks whose bytes were seen to be as the record says.
    pub(super) proven: BlockSet,
    /// Those of them that this node took from the origin itself.
    pub(super) origin: BlockSet,
    /// When the record came.
    pub(super) came: Instant,
    /// Who vouches for it: its signer, or those of a quorum.
    pub(super) vouched: Vec<Place>,
    /// Of whom blocks may be taken by it.
    pub(super) reach: Reach,
}

/// Whether there is one word on a segment.
#[derive(Debug)]
pub(super) enum Word {
    /// One record, or several that say the same.
    One(Box<Record>),
    /// Two records that contradict each other, and no bytes of the origin to judge by.
    Two(Box<[Record; 2]>),
    /// The origin's own bytes are other ones than every record says.
    None,
}

/// Segments and what is known of them.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    entries: Map<SegmentId, (u64, Entry)>,
    order: Map<u64, SegmentId>,
    next: u64,
    bytes: usize,
}

impl Entry {
    pub(super) fn new(
        record: Record,
        came: Instant,
        (vouched, reach): (Vec<Place>, Reach),
    ) -> Self {
        let (proven, origin) = (BlockSet::NONE, BlockSet::NONE);
        Self { word: Word::One(Box::new(record)), proven, origin, came, vouched, reach }
    }

    fn weight(&self) -> usize {
        let records = match &self.word {
            Word::One(record) => core::slice::from_ref(&**record),
            Word::Two(records) => &records[..],
            Word::None => &[],
        };
        ENTRY + 2 * self.vouched.len() + records.iter().map(weight).sum::<usize>()
    }
}

impl Shelf {
    pub(super) fn find(&self, segment: SegmentId) -> Option<&Entry> {
        self.entries.get(&segment).map(|(_, entry)| entry)
    }

    /// Changes an entry, which is the most recently used one from then on.
    pub(super) fn with<T>(
        &mut self,
        segment: SegmentId,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> Option<T> {
        let (used, entry) = self.entries.get_mut(&segment)?;
        let before = entry.weight();
        let answer = change(entry);
        self.bytes = self.bytes - before + entry.weight();
        self.order.remove(used);
        self.next += 1;
        *used = self.next;
        self.order.insert(self.next, segment);
        self.shrink();
        Some(answer)
    }

    pub(super) fn insert(&mut self, segment: SegmentId, entry: Entry) {
        self.remove(segment);
        self.next += 1;
        self.bytes += entry.weight();
        self.order.insert(self.next, segment);
        self.entries.insert(segment, (self.next, entry));
        self.shrink();
    }

    pub(super) fn remove(&mut self, segment: SegmentId) -> Option<Entry> {
        let (used, entry) = self.entries.remove(&segment)?;
        self.order.remove(&used);
        self.bytes -= entry.weight();
        Some(entry)
    }

    /// Everybody who vouches for one of them.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.entries.values().flat_map(|(_, entry)| &entry.vouched)
    }

    /// The segments whose entry is as asked for.
    pub(super) fn all(&self, asked: impl Fn(&Entry) -> bool) -> Vec<SegmentId> {
        let found = self.entries.iter().filter(|(_, (_, entry))| asked(entry));
        found.map(|(segment, _)| *segment).collect()
    }

    /// The segments of a resource of which blocks are proven.
    pub(super) fn of_resource(&self, resource: Digest) -> Vec<SegmentId> {
        let entries = self.entries.range(SegmentId::all(resource));
        let proven = entries.filter(|(_, (_, entry))| !entry.proven.or(entry.origin).is_empty());
        proven.map(|(segment, _)| *segment).collect()
    }

    /// How many entries there are, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    fn shrink(&mut self) {
        while self.entries.len() > limits::record::RECORDS
            || self.bytes > limits::record::RECORD_MEMORY
        {
            let Some((_, &oldest)) = self.order.first_key_value() else { return };
            self.remove(oldest);
        }
    }
}

fn weight(record: &Record) -> usize {
    let said = &record.statement;
    let texts = said.content_type.len() + said.etag.len() + said.last_modified.len();
    size_of::<Record>() + texts + said.blocks.len() * 32
}

/// Bytes of an entry beside its records, with its two places in ordered maps.
const ENTRY: usize = 160;
