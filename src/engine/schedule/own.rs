//! What the node's own fetches from the origin bring, and how fast the origin is.

use core::time::Duration;

use super::rest::back_off;
use super::scheduler::Scheduler;
use super::want::Progress;
use crate::base::limits;
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::time::Instant;

impl Scheduler {
    /// The node takes these blocks of a segment from the origin for a reason of its own.
    pub fn on_own(&mut self, segment: SegmentId, blocks: BlockSet, now: Instant) {
        let Some(pursuit) = self.wants.get_mut(&segment) else { return };
        if pursuit.own.is_empty() {
            pursuit.progress = Progress::new(now);
        }
        pursuit.own = pursuit.own.or(blocks.and(pursuit.missing()));
        let due = now + self.origin.slow_time(limits::block::BLOCK) + limits::swarm::SWITCH_MARGIN;
        pursuit.own_due = pursuit.own_due.max(due);
        self.touch(segment, now);
    }

    /// The node's own fetch has passed a block that is missing: it had to make room before it was
    /// whole or read. That fetch does not bring it again.
    pub fn on_passed(&mut self, segment: SegmentId, block: u8, now: Instant) {
        let Some(pursuit) = self.wants.get_mut(&segment) else { return };
        let one = BlockSet::one(block);
        (pursuit.own, pursuit.here) = (pursuit.own.less(one), pursuit.here.less(one));
        self.touch(segment, now);
    }

    /// None of the node's own fetches of a segment runs any more. After a bad end the origin is
    /// left alone for a moment.
    pub fn on_origin_ended(&mut self, segment: SegmentId, good: bool, now: Instant) {
        let Some(pursuit) = self.wants.get_mut(&segment) else { return };
        let whole = !pursuit.want.known;
        let own = core::mem::take(&mut pursuit.own);
        pursuit.groups.iter_mut().for_each(|group| group.turn = None);
        if good {
            pursuit.rest.1 = 0;
            if whole {
                pursuit.here = pursuit.here.or(own);
            }
        } else {
            let times = pursuit.rest.1;
            pursuit.rest = (now + back_off(times), times.saturating_add(1));
        }
        self.touch(segment, now);
    }

    /// Notes what the own fetch of a segment has before it, and whether a player waits for that.
    pub(super) fn note_fetching(&mut self, segment: SegmentId, now: Instant) {
        let Some(pursuit) = self.wants.get(&segment) else { return };
        let (want, bytes) = (pursuit.want, pursuit.fetching(self.usual));
        if bytes > 0 {
            let waits = want.urgent || now + self.origin.slow_time(bytes) > want.dry;
            self.fetching.insert(segment, (bytes, waits));
        } else {
            self.on_fetched(segment, now);
        }
    }

    /// A segment has no own fetch any more: those that yielded to it are looked at.
    pub(super) fn on_fetched(&mut self, segment: SegmentId, now: Instant) {
        match self.fetching.remove(&segment) {
            None => return,
            Some((_, waits)) if waits => self.turn = now + limits::stream::TURN,
            Some(_) => {}
        }
        let yields = self.wants.iter().filter(|(_, pursuit)| pursuit.yields);
        for segment in yields.map(|(segment, _)| *segment).collect::<Vec<_>>() {
            self.touch(segment, now);
        }
    }

    /// The origin gave `bytes` in this time. What is shorter than a block, as playlists are, tells
    /// how far away it is and not how fast.
    pub fn on_origin_rate(&mut self, bytes: u64, took: Duration) {
        if bytes >= limits::block::BLOCK {
            self.origin.sample(bytes, took);
        }
    }

    /// How long the last segment plays that was wanted.
    pub const fn plays(&self) -> Duration {
        self.plays
    }

    /// How long the origin takes for a segment like the last one.
    pub fn takes(&self) -> Duration {
        self.origin.time(self.last)
    }

    /// How long the origin takes for so many bytes, in a bad hour.
    pub fn origin_time(&self, bytes: u64) -> Duration {
        if bytes == 0 { Duration::ZERO } else { self.origin.slow_time(bytes) }
    }
}
