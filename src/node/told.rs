//! What peers were told of a segment, and what of it is news to them.

use super::swarm::Swarm;
use crate::base::limits;
use crate::base::peer::PeerId;
use crate::base::segment::{BlockSet, SegmentId};
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
    /// What it said to have itself: others' copies of that are no news to it.
    pub(super) theirs: BlockSet,
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
        let (record, theirs) = (self.record, self.theirs);
        *self = Self { whole: true, record, theirs, ..Self::default() };
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
        let is_more = !self.here.less(last.here).less(last.theirs).is_empty();
        let blocks = is_more || turned || taken_back || beats;
        News { whole, record: self.record && !told.record, blocks }
    }
}

impl Swarm {
    /// What a peer that seeks a segment was told of it.
    pub(super) fn told(&mut self, segment: SegmentId, peer: PeerId) -> Option<&mut Told> {
        self.sought.get_mut(&segment)?.get_mut(&peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_what_a_peer_has_itself_are_no_news_to_it() {
        let now = Told { here: BlockSet(0b0111), ..Told::default() };
        for (told, theirs, is_news) in [
            (0b0000, 0b0000, true),
            (0b0011, 0b0000, true),
            (0b0111, 0b0000, false),
            (0b0000, 0b0111, false),
            (0b0001, 0b1110, false),
            (0b0001, 0b1010, true),
            (0b1000, 0b0111, true), // block 3 is here no more
        ] {
            let (here, theirs) = (BlockSet(told), BlockSet(theirs));
            let told = Told { here, theirs, ..Told::default() };
            assert_eq!(now.beyond(&told).blocks, is_news, "{told:?}");
        }
        let mut told = Told { theirs: BlockSet(1), record: true, ..Told::default() };
        told.take_whole();
        assert!(told.record && told.theirs == BlockSet(1), "that is said of other things");
    }
}
