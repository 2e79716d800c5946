//! What peers were told of a segment, and what of it is news to them.

use crate::base::limits;
use crate::base::segment::BlockSet;
use crate::base::time::Instant;

/// What a peer was told of a segment, or what there is to tell of it now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) here: BlockSet,
    pub(super) coming: BlockSet,
    /// How far away the one is who fetches what is coming.
    pub(super) hops: u8,
    pub(super) record: bool,
    /// That all of it is here, as its origin states.
    pub(super) whole: bool,
    /// When it was last told of blocks; now, of what there is to tell.
    pub(super) at: Instant,
}

/// What of it all a peer has yet to hear.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    pub(super) whole: bool,
    pub(super) record: bool,
    pub(super) blocks: bool,
}

impl News {
    pub(super) const fn any(self) -> bool {
        self.whole || self.record || self.blocks
    }
}

impl Told {
    /// All of it is here: what was told of single blocks counts no more.
    pub(super) fn take_whole(&mut self) {
        *self = Self { whole: true, record: self.record, ..Self::default() };
    }

    /// What of this, which is known now, is news to who was told that.
    pub(super) fn beyond(&self, told: &Self) -> News {
        let (whole, taken_back) = (self.whole && !told.whole, told.whole && !self.whole);
        let mut last = *told;
        if whole {
            last.take_whole();
        }
        let turned = self.coming.is_empty() != last.coming.is_empty()
            || (!self.coming.is_empty() && self.hops != last.hops)
            || !self.here.covers(last.here);
        // Who fetches slowly would be taken for dead.
        let is_fetched = !self.coming.is_empty() && self.hops == 0;
        let beats = is_fetched && self.at >= last.at + limits::swarm::BEAT;
        let is_more = !self.here.less(last.here).is_empty();
        let blocks = is_more || turned || taken_back || beats;
        News { whole, record: self.record && !told.record, blocks }
    }
}
