//! Where all uplinks together are too slow for a crowd: what its peers were too late with is taken
//! from the origin at once the next time, so that it is there to be passed on.

use super::company::is_crowd;
use super::rank;
use super::scheduler::Scheduler;
use super::view::View;
use super::want::{Pursuit, Why};
use crate::base::limits;
use crate::base::time::Instant;

impl View<'_> {
    /// Takes the part of a segment that peers are too slow for: other blocks at each node, with
    /// no gap, since a request costs more than a block.
    pub(super) fn take_part(&mut self) {
        let want = self.pursuit.want;
        if self.pursuit.is_parted || !want.known || self.short == 0 {
            return;
        }
        self.pursuit.is_parted = true;
        let all = want.blocks.len();
        if all == 0 {
            return;
        }
        let draw = rank::draw(self.own.key, self.segment, PART);
        // What is less than a block is one at as many nodes as it is parts of a block.
        let count = (all * self.short + (draw as u32 % WHOLE)) / WHOLE;
        let first = (draw >> 32) as u32 % all;
        let blocks = want.blocks.iter().chain(want.blocks.iter());
        let part = blocks.skip(first as usize).take(count as usize).collect();
        self.take(self.open().and(part), Why::Elected);
    }

    /// Whether peers are too slow for more than chance explains.
    pub(super) const fn is_short(&self) -> bool {
        self.short >= FEW
    }
}

impl Scheduler {
    /// A segment is over: how much of it came too late, or how soon it was there.
    pub(super) fn note_shortage(&mut self, pursuit: &Pursuit, now: Instant) {
        let (want, late) = (pursuit.want, pursuit.late);
        let all = want.blocks.or(pursuit.here).or(late).len();
        // Where peers gave nothing at all, it is not that there are too many of them.
        if !want.known || want.urgent || late.len() >= all {
            return;
        }
        let before = self.short.remove(&want.topic).unwrap_or(0);
        if !is_crowd(&self.peers, want.topic, now) {
            return;
        }
        let late = late.len() * WHOLE / all;
        let is_early = (now - pursuit.begun) * 2 < want.deadline - pursuit.begun;
        let short = match late {
            0..LATE if is_early => before / 2,
            0..LATE => before - before / 10,
            // Once is chance, and usual for who has just come.
            _ if before == 0 => 1,
            _ => (before + late / 4).min(WHOLE),
        };
        if self.short.len() >= limits::swarm::TOPICS {
            self.short.clear();
        }
        if short > 0 {
            self.short.insert(want.topic, short);
        }
    }
}

/// A whole segment, in the parts that it is reckoned in.
const WHOLE: u32 = 1024;

/// What is late of a segment without that more would have to be taken of the next.
const LATE: u32 = WHOLE / 16;

/// Fewer parts than these are chance.
const FEW: u32 = WHOLE / 32;

/// The word that the part of each node is drawn by; no group has this number.
const PART: u8 = 128;
