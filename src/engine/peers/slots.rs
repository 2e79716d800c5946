//! Who is given which block next: deadlines first, who gave before who did not, and of a segment
//! first the blocks that were given least.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::time::Duration;

use crate::base::limits;
use crate::base::peer::{PeerId, Role};
use crate::base::rng::Rng;
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::time::Instant;

/// What is to be done for peers that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upload {
    /// Gives a block; `on_given` follows.
    Give {
        /// To whom.
        peer: PeerId,
        /// Of which segment.
        segment: SegmentId,
        /// Which block.
        block: u8,
    },
    /// Tells a peer that it is not given these.
    Deny {
        /// Whom.
        peer: PeerId,
        /// Of which segment.
        segment: SegmentId,
        /// Which blocks.
        blocks: BlockSet,
    },
    /// Tells a peer that it is given nothing now; what it asked for is forgotten.
    Choke(PeerId),
    /// Tells it that it may ask again.
    Unchoke(PeerId),
}

/// The uploads of a node.
#[derive(Debug)]
pub struct Slots {
    rng: Rng,
    /// Gateways and witnesses give without return.
    is_generous: bool,
    is_busy: bool,
    flying: u32,
    /// How long a block takes to leave, and when the last one left or the first one began to.
    pace: (Duration, Instant),
    guests: BTreeMap<PeerId, Guest>,
    /// How often a block was given, and the order in which that is forgotten.
    copies: BTreeMap<(SegmentId, u8), u16>,
    given: VecDeque<(SegmentId, u8)>,
    /// Who has the optimistic slot, and until when.
    optimistic: Option<(PeerId, Instant)>,
    answers: VecDeque<Upload>,
}

/// A peer that asked for something.
#[derive(Debug)]
struct Guest {
    wants: BTreeMap<SegmentId, Asked>,
    flying: BTreeSet<(SegmentId, u8)>,
    /// Bytes that it was given and that it gave; both fade.
    had: u64,
    gave: u64,
    faded: Instant,
    /// When it was last given something, or began to wait.
    served: Instant,
    choked: bool,
}

/// What it waits for of one segment.
#[derive(Clone, Copy, Debug)]
struct Asked {
    blocks: BlockSet,
    due: Instant,
}

/// Who is served first: the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    is_idler: bool,
    urgency: u8,
    balance: u64,
    peer: PeerId,
}

impl Slots {
    /// The uploads of a node in this role.
    pub const fn new(rng: Rng, role: Role) -> Self {
        Self {
            rng,
            is_generous: !matches!(role, Role::Device),
            is_busy: false,
            flying: 0,
            pace: (Duration::ZERO, Instant::from_micros(0)),
            guests: BTreeMap::new(),
            copies: BTreeMap::new(),
            given: VecDeque::new(),
            optimistic: None,
            answers: VecDeque::new(),
        }
    }

    /// A peer asks for blocks that are of use to it within a time. What is too much is denied.
    pub fn on_want(
        &mut self,
        peer: PeerId,
        (segment, blocks, within): (SegmentId, BlockSet, Duration),
        now: Instant,
    ) {
        let guest = self.guests.entry(peer).or_insert_with(|| Guest::new(now));
        if guest.choked {
            // It asked before it heard of that; what it asked for is forgotten.
            return;
        }
        if guest.wants.is_empty() && guest.flying.is_empty() {
            guest.served = now;
        }
        let waiting: u32 = guest.wants.values().map(|asked| asked.blocks.len()).sum();
        let room = limits::WAITING.saturating_sub(waiting);
        let known = guest.wants.get(&segment).map_or(BlockSet::NONE, |asked| asked.blocks);
        let flying = |block: &u8| guest.flying.contains(&(segment, *block));
        let new: BlockSet = blocks.less(known).iter().filter(|block| !flying(block)).collect();
        let taken: BlockSet = new.iter().take(room as usize).collect();
        if !taken.is_empty() {
            let due = now + within;
            let asked = Asked { blocks: known.or(taken), due };
            guest.wants.insert(segment, asked);
        }
        let blocks = new.less(taken);
        if !blocks.is_empty() {
            self.answers.push_back(Upload::Deny { peer, segment, blocks });
        }
    }

    /// A peer needs blocks no more. What is on its way stays there.
    pub fn on_cancel(&mut self, peer: PeerId, segment: SegmentId, blocks: BlockSet) {
        if let Some(guest) = self.guests.get_mut(&peer) {
            guest.forget(segment, blocks);
        }
    }

    /// Blocks of a segment are not here any more: who waits for them is told.
    pub fn on_lost(&mut self, segment: SegmentId, blocks: BlockSet) {
        for (peer, guest) in &mut self.guests {
            let blocks = guest.forget(segment, blocks);
            if !blocks.is_empty() {
                self.answers.push_back(Upload::Deny { peer: *peer, segment, blocks });
            }
        }
    }

    /// A link is no more.
    pub fn on_gone(&mut self, peer: PeerId) {
        if let Some(guest) = self.guests.remove(&peer) {
            let flying = u32::try_from(guest.flying.len()).unwrap_or(u32::MAX);
            self.flying = self.flying.saturating_sub(flying);
        }
        self.answers.retain(|answer| answer.peer() != peer);
        if self.optimistic.is_some_and(|(lucky, _)| lucky == peer) {
            self.optimistic = None;
        }
    }

    /// A block was handed to the link; no bytes where it was not here any more.
    pub fn on_given(
        &mut self,
        peer: PeerId,
        (segment, block, bytes): (SegmentId, u8, u32),
        now: Instant,
    ) {
        let Some(guest) = self.guests.get_mut(&peer) else { return };
        if guest.flying.remove(&(segment, block)) {
            self.flying = self.flying.saturating_sub(1);
        }
        guest.fade(now);
        guest.had = guest.had.saturating_add(u64::from(bytes));
        let (pace, since) = self.pace;
        self.pace = ((pace * 7 + (now - since)) / 8, now);
        if bytes == 0 {
            let blocks = BlockSet::one(block);
            self.answers.push_back(Upload::Deny { peer, segment, blocks });
        }
    }

    /// A peer gave us good bytes.
    pub fn on_taken(&mut self, peer: PeerId, bytes: u32, now: Instant) {
        let guest = self.guests.entry(peer).or_insert_with(|| Guest::new(now));
        guest.fade(now);
        guest.gave = guest.gave.saturating_add(u64::from(bytes));
    }

    /// Whether the device's own player takes bytes now: it goes first.
    pub const fn busy(&mut self, is_busy: bool) {
        self.is_busy = is_busy;
    }

    /// What is to be done next.
    pub fn poll(&mut self, now: Instant) -> Option<Upload> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        self.rotate(now);
        self.expire(now);
        self.unchoke();
        if self.answers.is_empty() && self.flying < self.flight() {
            if let Some(peer) = self.next(now) {
                return self.give(peer, now);
            }
        }
        if self.answers.is_empty() {
            self.choke(now);
        }
        self.answers.pop_front()
    }

    /// When `poll` may have something again by time alone: only while somebody waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.guests.values().filter(|guest| !guest.wants.is_empty());
        let due = waiting.clone().flat_map(|guest| guest.wants.values().map(Asked::ends)).min();
        let mut idlers = waiting.filter(|guest| guest.is_idler() && !self.is_generous);
        let choke = idlers.by_ref().map(|guest| guest.served + limits::CHOKE_AFTER).min();
        let choked = self.guests.values().any(|guest| guest.choked);
        let rotates = self.optimistic.filter(|_| choked || due.is_some()).map(|(_, until)| until);
        [due, choke, rotates].into_iter().flatten().min()
    }

    /// How many blocks may be on their way: what leaves soon, so that an order is not kept
    /// waiting behind what was ordered before it.
    fn flight(&self) -> u32 {
        let soon = limits::FLIGHT_TIME.as_micros() / self.pace.0.as_micros().max(1);
        let most = if self.is_busy { limits::FLIGHT / 2 } else { limits::FLIGHT };
        u32::try_from(soon).unwrap_or(most).clamp(limits::FLIGHT_PEER, most)
    }

    /// Who is served next.
    fn next(&self, now: Instant) -> Option<PeerId> {
        let ready = self.guests.iter().filter(|(_, guest)| guest.is_ready());
        ready.map(|(peer, guest)| self.turn(*peer, guest, now)).min().map(|turn| turn.peer)
    }

    fn turn(&self, peer: PeerId, guest: &Guest, now: Instant) -> Turn {
        let is_lucky = self.optimistic.is_some_and(|(lucky, _)| lucky == peer);
        let is_idler = guest.is_idler() && !self.is_generous && !is_lucky;
        let due = guest.wants.values().map(|asked| asked.due - now).min();
        let urgency = urgency(due.unwrap_or(Duration::MAX));
        // Those who gave are ahead by what they gave; among the others it goes round.
        let flying = guest.flying.len() as u64 * limits::BLOCK;
        let gave = if self.is_generous { 0 } else { guest.gave };
        let balance = (guest.had + flying + BASE).saturating_sub(gave.min(BASE));
        Turn { is_idler, urgency, balance, peer }
    }

    /// Gives a peer what is due first, and of that the block that was given least.
    fn give(&mut self, peer: PeerId, now: Instant) -> Option<Upload> {
        let guest = self.guests.get_mut(&peer)?;
        let (segment, asked) = guest.wants.iter().min_by_key(|(_, asked)| asked.due)?;
        let (segment, asked) = (*segment, *asked);
        let is_near = urgency(asked.due - now) == 0;
        let copies = |block: &u8| {
            let copies = self.copies.get(&(segment, *block)).copied().unwrap_or(0);
            if is_near { 0 } else { copies }
        };
        let block = asked.blocks.iter().min_by_key(copies)?;
        guest.forget(segment, BlockSet::one(block));
        guest.flying.insert((segment, block));
        guest.served = now;
        if self.flying == 0 {
            self.pace.1 = now;
        }
        self.flying += 1;
        self.note_copy((segment, block));
        Some(Upload::Give { peer, segment, block })
    }

    fn note_copy(&mut self, block: (SegmentId, u8)) {
        let copies = self.copies.entry(block).or_insert(0);
        if *copies == 0 {
            self.given.push_back(block);
        }
        *copies = copies.saturating_add(1);
        if self.given.len() > limits::COPIES {
            self.given.pop_front().map(|oldest| self.copies.remove(&oldest));
        }
    }

    /// Who waits past the time in which it was of use is told so, and does not hold up others.
    fn expire(&mut self, now: Instant) {
        for (peer, guest) in &mut self.guests {
            guest.wants.retain(|segment, asked| {
                let over = now >= asked.ends();
                if over {
                    let (peer, segment, blocks) = (*peer, *segment, asked.blocks);
                    self.answers.push_back(Upload::Deny { peer, segment, blocks });
                }
                !over
            });
        }
    }

    /// Tells idlers who wait while others are served to ask elsewhere.
    fn choke(&mut self, now: Instant) {
        if self.is_generous {
            return;
        }
        let lucky = self.optimistic.map(|(lucky, _)| lucky);
        for (peer, guest) in &mut self.guests {
            let waits = !guest.wants.is_empty() && now >= guest.served + limits::CHOKE_AFTER;
            if waits && guest.is_idler() && lucky != Some(*peer) && !guest.choked {
                guest.choked = true;
                guest.wants.clear();
                self.answers.push_back(Upload::Choke(*peer));
            }
        }
    }

    /// Lets choked peers ask again once nobody waits, or one has the optimistic slot.
    fn unchoke(&mut self) {
        let is_quiet = self.guests.values().all(|guest| guest.wants.is_empty());
        let has_room = is_quiet && self.flying < self.flight();
        let lucky = self.optimistic.map(|(lucky, _)| lucky);
        for (peer, guest) in &mut self.guests {
            if guest.choked && (has_room || lucky == Some(*peer)) {
                guest.choked = false;
                self.answers.push_back(Upload::Unchoke(*peer));
            }
        }
    }

    /// The optimistic slot goes to another peer that waits, or was told to wait.
    fn rotate(&mut self, now: Instant) {
        if self.optimistic.is_some_and(|(_, until)| now < until) {
            return;
        }
        let before = self.optimistic.take().map(|(peer, _)| peer);
        let hopes = |guest: &Guest| guest.choked || !guest.wants.is_empty();
        let hopeful: Vec<PeerId> =
            self.guests.iter().filter(|(_, guest)| hopes(guest)).map(|(peer, _)| *peer).collect();
        let others: Vec<PeerId> =
            hopeful.iter().copied().filter(|peer| Some(*peer) != before).collect();
        let pick = usize::try_from(self.rng.below(others.len() as u64)).unwrap_or(0);
        let lucky = others.get(pick).or(hopeful.first());
        self.optimistic = lucky.map(|lucky| (*lucky, now + limits::OPTIMISTIC));
    }
}

impl Guest {
    const fn new(now: Instant) -> Self {
        Self {
            wants: BTreeMap::new(),
            flying: BTreeSet::new(),
            had: 0,
            gave: 0,
            faded: now,
            served: now,
            choked: false,
        }
    }

    fn is_ready(&self) -> bool {
        !self.wants.is_empty() && self.flying.len() < limits::FLIGHT_PEER as usize
    }

    /// It was given much more than it gave.
    const fn is_idler(&self) -> bool {
        self.had > limits::ADVANCE && self.gave < self.had / 8
    }

    /// What was given and taken counts half after a while.
    fn fade(&mut self, now: Instant) {
        while now - self.faded >= limits::FAIR_HALF {
            (self.had, self.gave) = (self.had / 2, self.gave / 2);
            let since = if self.had == 0 && self.gave == 0 { now } else { self.faded };
            self.faded = since + limits::FAIR_HALF;
        }
    }

    /// Takes blocks out of what it waits for; answers which these were.
    fn forget(&mut self, segment: SegmentId, blocks: BlockSet) -> BlockSet {
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
    fn ends(&self) -> Instant {
        self.due + GRACE
    }
}

impl Upload {
    /// Whom it is about.
    pub const fn peer(&self) -> PeerId {
        match self {
            Self::Give { peer, .. } | Self::Deny { peer, .. } => *peer,
            Self::Choke(peer) | Self::Unchoke(peer) => *peer,
        }
    }
}

/// Deadlines that are alike for the order: within a second, within four, later.
const fn urgency(due: Duration) -> u8 {
    match due.as_millis() {
        0..1_000 => 0,
        1_000..4_000 => 1,
        _ => 2,
    }
}

/// How far ahead what a peer gave may bring it.
const BASE: u64 = 4 * limits::ADVANCE;

/// How long after its deadline a block may still be of use.
const GRACE: Duration = Duration::from_secs(2);
