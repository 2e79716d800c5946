//! No byte that is not the origin's reaches a player, a cache or a peer.

use neap::base::range::ByteRange;
use neap::base::segment::SegmentId;

use super::all::Breaches;
use crate::world::library::Thing;
use crate::world::node::Offer;

#[derive(Default)]
pub struct Verified {
    pub breaches: Breaches,
    pub played: u64,
    pub placed: u64,
    /// Blocks that were placed apart and were wrong.
    pub wrong: u64,
    pub given: u64,
}

impl Verified {
    /// Bytes went to a player.
    pub fn played(&mut self, node: usize, (thing, range): (Thing, ByteRange), good: bool) {
        self.played += range.len();
        if !good {
            self.breaches.add(format!("node {node} plays {range} of {thing:?} that is not so"));
        }
    }

    /// A block of a peer went into a row; `apart`: into one that nobody reads before it is proven.
    pub fn placed(&mut self, node: usize, (range, offer): (ByteRange, Offer), apart: bool) {
        self.placed += 1;
        self.wrong += u64::from(!offer.good);
        if !offer.good && !apart {
            self.breaches.add(format!("node {node} places a wrong block at {range}"));
        }
        if offer.start != range.start || u64::from(offer.length) != range.len() {
            let Offer { start, length, .. } = offer;
            self.breaches.add(format!("node {node} places {length} bytes of {start} at {range}"));
        }
    }

    /// An honest node gave a block.
    pub fn gave(&mut self, node: usize, segment: SegmentId, good: bool) {
        self.given += 1;
        if !good {
            self.breaches.add(format!("node {node} gives a wrong block of {segment:?}"));
        }
    }
}
