//! Peers of which a cap lets nothing be asked for a moment, and those that have room again.

use super::scheduler::Scheduler;
use crate::base::peer::PeerId;
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::time::Instant;

impl Scheduler {
    /// Blocks were not asked of a peer after all: a cap allows it from `until` on. They are looked
    /// for elsewhere meanwhile.
    pub fn on_held(
        &mut self,
        peer: PeerId,
        (segment, blocks, until): (SegmentId, BlockSet, Instant),
        now: Instant,
    ) {
        if let Some(source) = self.peers.get_mut(&peer) {
            source.held = Some(until);
            self.held.insert((until, peer));
        }
        let Some(pursuit) = self.wants.get_mut(&segment) else { return };
        let settled = pursuit.settle(peer, blocks);
        if let Some(source) = self.peers.get_mut(&peer) {
            (0..settled).for_each(|_| source.on_settled());
        }
        self.touch(segment, now);
    }

    /// Lets peers be asked again whose time has come.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some((until, peer)) = self.held.first().copied().filter(|(at, _)| *at <= now) {
            self.held.pop_first();
            let source = self.peers.get_mut(&peer);
            if let Some(source) = source.filter(|source| source.held == Some(until)) {
                source.held = None;
                self.freed.insert(peer);
            }
        }
    }

    /// A peer has room: the segments for which that is of use, the nearest deadline first.
    pub(super) fn ask_more(&mut self, peer: PeerId, now: Instant) {
        while let Some(source) = self.peers.get_mut(&peer) {
            if source.room() == 0 || !source.is_open(now) {
                return;
            }
            let Some((deadline, segment)) = source.useful.pop_first() else { return };
            if self.wants.get(&segment).is_some_and(|pursuit| pursuit.want.deadline == deadline) {
                self.decide(segment, now);
            }
        }
    }
}
