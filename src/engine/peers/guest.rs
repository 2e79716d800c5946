//! A peer that waits for blocks: what for, and what it had and gave before.

use core::time::Duration;

use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{NodeKey, Tier};
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::set::Set;
use crate::base::time::Instant;

/// A peer that asked for something.
#[derive(Debug)]
pub(super) struct Guest {
    /// Whose, where it is known, and how near.
    pub(super) key: Option<NodeKey>,
    pub(super) tier: Tier,
    pub(super) wants: Map<SegmentId, Asked>,
    pub(super) flying: Set<(SegmentId, u8)>,
    /// Bytes that it was given and that it gave; both fade.
    pub(super) had: u64,
    pub(super) gave: u64,
    faded: Instant,
    /// When it was last given something, or began to wait.
    pub(super) served: Instant,
    pub(super) choked: bool,
    /// What is on its way to it does not move.
    pub(super) is_stuck: bool,
    /// Whether a cap lets it be given something.
    pub(super) held: Held,
    /// A cap has choked it.
    pub(super) sent_away: bool,
}

/// What a cap says of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// It may be given a block.
    Free,
    /// It may from then on.
    Until(Instant),
    /// It may not, and nobody knows until when.
    Closed,
}

/// What it waits for of one segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) blocks: BlockSet,
    pub(super) due: Instant,
}

impl Guest {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            key: None,
            tier: Tier::Home,
            wants: Map::new(),
            flying: Set::new(),
            had: 0,
            gave: 0,
            faded: now,
            served: now,
            choked: false,
            is_stuck: false,
            held: Held::Free,
            sent_away: false,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        let free = self.held == Held::Free && !self.wants.is_empty();
        free && self.flying.len() < limits::upload::FLIGHT_PEER as usize
    }

    /// It was given much more than it gave.
    pub(super) const fn is_idler(&self) -> bool {
        self.had > limits::upload::ADVANCE && self.gave < self.had / 8
    }

    /// Who is served before whom beyond the home, whatever hurry he is in: those who give, then
    /// those of whom it is not known yet, then those who do not.
    pub(super) const fn class(&self) -> u8 {
        if self.is_idler() {
            2
        } else if matches!(self.tier, Tier::Wan) && self.gave <= self.had / 8 {
            1
        } else {
            0
        }
    }

    /// It was here before, and went with this account at that moment.
    pub(super) fn resume(&mut self, (had, gave, at): (u64, u64, Instant), now: Instant) {
        (self.had, self.gave) = (self.had.saturating_add(had), self.gave.saturating_add(gave));
        self.faded = at;
        self.fade(now);
    }

    /// What was given and taken counts half after a while.
    pub(super) fn fade(&mut self, now: Instant) {
        while now - self.faded >= limits::upload::FAIR_HALF {
            (self.had, self.gave) = (self.had / 2, self.gave / 2);
            let since = if self.had == 0 && self.gave == 0 { now } else { self.faded };
            self.faded = since + limits::upload::FAIR_HALF;
        }
    }

    /// Takes blocks out of what it waits for; answers which these were.
    pub(super) fn forget(&mut self, segment: SegmentId, blocks: BlockSet) -> BlockSet {
        let Some(asked) = self.wants.get_mut(&segment) else { return BlockSet::NONE };
        let gone = asked.blocks.and(blocks);
        asked.blocks = asked.blocks.less(blocks);
        if asked.blocks.is_empty() {
            self.wants.remove(&segment);
        }
        gone
    }
}

impl Asked {
    /// When it is of no use any more; who asked without a deadline waits a little.
    pub(super) fn ends(&self) -> Instant {
        self.due + GRACE
    }
}

/// How long after its deadline a block may still be of use.
const GRACE: Duration = Duration::from_secs(2);
