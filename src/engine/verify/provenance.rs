//! Provenance: which blocks came from peers, and on whose word they were taken.

use super::signers::Place;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::segment::{BlockSet, SegmentId};

/// A bounded ledger: it outlives the records themselves, so that a signer who is caught late is
/// still known by what rests on it.
#[derive(Debug, Default)]
pub(super) struct Provenance {
    rests: Map<SegmentId, Rest>,
    order: Map<u64, SegmentId>,
    next: u64,
}

#[derive(Debug)]
struct Rest {
    /// One, or those of a quorum.
    signers: Vec<Place>,
    blocks: BlockSet,
    since: u64,
}

impl Provenance {
    /// Peers' blocks were taken on the signers' word; the oldest note goes where there are too
    /// many.
    pub(super) fn on_taken(&mut self, segment: SegmentId, blocks: BlockSet, signers: &[Place]) {
        if signers.is_empty() || blocks.is_empty() {
            return;
        }
        if let Some(rest) = self.rests.get_mut(&segment) {
            // Another signer who says the same vouches for the earlier blocks too.
            rest.blocks = rest.blocks.or(blocks);
            rest.signers.clear();
            rest.signers.extend_from_slice(signers);
            return;
        }
        self.next += 1;
        self.order.insert(self.next, segment);
        let (signers, since) = (signers.to_vec(), self.next);
        self.rests.insert(segment, Rest { signers, blocks, since });
        if self.rests.len() > limits::record::RESTING {
            let oldest = self.order.first_key_value().map(|(_, segment)| *segment);
            oldest.into_iter().for_each(|segment| self.forget(segment));
        }
    }

    /// These blocks are gone, or were seen to be the origin's own.
    pub(super) fn release(&mut self, segment: SegmentId, blocks: BlockSet) {
        let Some(rest) = self.rests.get_mut(&segment) else { return };
        rest.blocks = rest.blocks.less(blocks);
        if rest.blocks.is_empty() {
            self.forget(segment);
        }
    }

    /// The segment is gone.
    pub(super) fn forget(&mut self, segment: SegmentId) {
        if let Some(rest) = self.rests.remove(&segment) {
            self.order.remove(&rest.since);
        }
    }

    /// The blocks of a segment that rest on a signer's word.
    pub(super) fn of(&self, segment: SegmentId) -> BlockSet {
        self.rests.get(&segment).map_or(BlockSet::NONE, |rest| rest.blocks)
    }

    /// The segments of a resource of which blocks do.
    pub(super) fn of_resource(&self, resource: Digest) -> Vec<SegmentId> {
        self.rests.range(SegmentId::all(resource)).map(|(segment, _)| *segment).collect()
    }

    /// On whose word they do.
    pub(super) fn signers(&self, segment: SegmentId) -> &[Place] {
        self.rests.get(&segment).map_or(&[], |rest| &rest.signers)
    }

    /// Everybody on whose word something does.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.rests.values().flat_map(|rest| &rest.signers)
    }

    /// Takes out all that rests on one signer's word, be it alone or with others.
    pub(super) fn take(&mut self, signer: Place) -> Vec<SegmentId> {
        let found = self.rests.iter().filter(|(_, rest)| rest.signers.contains(&signer));
        let found: Vec<_> = found.map(|(segment, _)| *segment).collect();
        found.iter().for_each(|segment| self.forget(*segment));
        found
    }
}
