//! Whom to give to next.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use crate::base::peer::{PeerId, Role};
use crate::base::rng::Rng;
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::time::Instant;

/// What peers want, and what is on its way to them.
#[derive(Debug)]
pub struct Slots {
    queues: BTreeMap<PeerId, VecDeque<(SegmentId, BlockSet, Instant)>>,
    flying: BTreeMap<PeerId, u32>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub enum Upload {
    /// Gives a block.
    Give {
        /// To whom.
        peer: PeerId,
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        block: u8,
    },
    /// Cannot give blocks.
    Deny {
        /// To whom.
        peer: PeerId,
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        blocks: BlockSet,
    },
    /// Gives nothing for a while.
    Choke {
        /// To whom.
        peer: PeerId,
    },
    /// Gives again.
    Unchoke {
        /// To whom.
        peer: PeerId,
    },
}

impl Slots {
    /// Nobody wants anything.
    pub fn new(_: Rng) -> Self {
        Self { queues: BTreeMap::new(), flying: BTreeMap::new() }
    }

    /// A link stands.
    pub fn on_joined(&mut self, peer: PeerId, _: Role, _: Instant) {
        self.queues.insert(peer, VecDeque::new());
    }

    /// A link is no more.
    pub fn on_gone(&mut self, peer: PeerId) {
        self.queues.remove(&peer);
        self.flying.remove(&peer);
    }

    /// A peer wants blocks.
    pub fn on_want(
        &mut self,
        peer: PeerId,
        (segment, blocks, within): (SegmentId, BlockSet, Duration),
        now: Instant,
    ) {
        if let Some(queue) = self.queues.get_mut(&peer).filter(|queue| queue.len() < 256) {
            queue.push_back((segment, blocks, now + within));
        }
    }

    /// It wants them no more.
    pub fn on_cancel(&mut self, peer: PeerId, segment: SegmentId, blocks: BlockSet) {
        let Some(queue) = self.queues.get_mut(&peer) else { return };
        for want in queue.iter_mut().filter(|want| want.0 == segment) {
            want.1 = want.1.less(blocks);
        }
        queue.retain(|want| !want.1.is_empty());
    }

    /// A block left.
    pub fn on_given(&mut self, peer: PeerId, _: u32, _: Instant) {
        if let Some(flying) = self.flying.get_mut(&peer) {
            *flying = flying.saturating_sub(1);
        }
    }

    /// A peer gave bytes.
    pub fn on_taken(&mut self, _: PeerId, _: u32, _: Instant) {}

    /// What is to be done next.
    pub fn poll(&mut self, _: Instant) -> Option<Upload> {
        let flying = &mut self.flying;
        let open = |peer: &PeerId| flying.get(peer).is_none_or(|count| *count < 4);
        let ready = self.queues.iter_mut().filter(|(peer, queue)| !queue.is_empty() && open(peer));
        let first = ready.min_by_key(|(_, queue)| queue.front().map(|want| want.2));
        let (peer, queue) = first?;
        let peer = *peer;
        let want = queue.front_mut()?;
        let (segment, block) = (want.0, want.1.iter().next()?);
        want.1 = want.1.less(BlockSet::one(block));
        if want.1.is_empty() {
            queue.pop_front();
        }
        *flying.entry(peer).or_default() += 1;
        Some(Upload::Give { peer, segment, block })
    }

    /// When something is to be done.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
