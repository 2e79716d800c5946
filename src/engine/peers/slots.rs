//! Who is given which block next: deadlines first, who gave before who did not, and of a segment
//! first the blocks that were given least.

use core::time::Duration;
use std::collections::VecDeque;

use super::guest::{Asked, Guest};
use super::memory::Memory;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{NodeKey, PeerId, Role, Tier};
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
    /// How long a block takes to leave, and when the last one left.
    pub(super) pace: (Duration, Instant),
    pub(super) guests: Map<PeerId, Guest>,
    memory: Memory,
    /// How often a block was given, and the order in which that is forgotten.
    copies: Map<(SegmentId, u8), u16>,
    given: VecDeque<(SegmentId, u8)>,
    /// Who has the optimistic slot, and until when.
    optimistic: Option<(PeerId, Instant)>,
    pub(super) answers: VecDeque<Upload>,
}

/// Who is served first: the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    class: u8,
    urgency: u8,
    tier: Tier,
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
            pace: (Duration::ZERO, Instant::from_micros(0)),
            guests: Map::new(),
            memory: Memory::new(),
            copies: Map::new(),
            given: VecDeque::new(),
            optimistic: None,
            answers: VecDeque::new(),
        }
    }

    /// A link stands: who was here before goes on with his account.
    pub fn on_joined(&mut self, peer: PeerId, (key, tier): (NodeKey, Tier), now: Instant) {
        let mut guest = Guest::new(now);
        (guest.key, guest.tier) = (Some(key), tier);
        self.memory.recall(key, &mut guest, now);
        self.guests.insert(peer, guest);
    }

    /// A peer is nearer than was thought.
    pub fn on_nearer(&mut self, peer: PeerId) {
        if let Some(guest) = self.guests.get_mut(&peer) {
            guest.tier = Tier::Isp;
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
        let room = limits::upload::WAITING.saturating_sub(waiting);
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
    pub fn on_gone(&mut self, peer: PeerId, now: Instant) {
        if let Some(mut guest) = self.guests.remove(&peer) {
            guest.fade(now);
            if let Some(key) = guest.key {
                self.memory.keep(key, &guest, now);
            }
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
        guest.flying.remove(&(segment, block));
        guest.is_stuck = false;
        guest.fade(now);
        guest.had = guest.had.saturating_add(u64::from(bytes));
        // A time in which nothing was on its way to it says nothing of the line.
        let (pace, last) = self.pace;
        self.pace = ((pace * 7 + (now - last.max(guest.served))) / 8, now);
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
        self.pass_by(now);
        if self.answers.is_empty() && self.flying() < self.flight() {
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
        let due = waiting.flat_map(|guest| guest.wants.values().map(Asked::ends)).min();
        let idlers = self.guests.iter().filter(|(peer, guest)| self.may_choke(**peer, guest));
        let choke = idlers.map(|(_, guest)| guest.served + limits::upload::CHOKE_AFTER).min();
        let choked = self.guests.values().any(|guest| guest.choked);
        let rotates = self.optimistic.filter(|_| choked || due.is_some()).map(|(_, until)| until);
        [due, choke, rotates, self.freed(), self.passes_by()].into_iter().flatten().min()
    }

    /// How many blocks may be on their way: what leaves soon, so that an order is not kept
    /// waiting behind what was ordered before it.
    pub(super) fn flight(&self) -> u32 {
        let soon = limits::upload::FLIGHT_TIME.as_micros() / self.pace.0.as_micros().max(1);
        let most = if self.is_busy { limits::upload::FLIGHT / 2 } else { limits::upload::FLIGHT };
        u32::try_from(soon).unwrap_or(most).clamp(limits::upload::FLIGHT_PEER, most)
    }

    /// Who is served next.
    fn next(&self, now: Instant) -> Option<PeerId> {
        // While one who gives waits, all others together, whatever their names, have one place.
        let gives = |guest: &Guest| guest.class() == 0 || self.is_generous;
        let waits = self.guests.values().any(|guest| gives(guest) && !guest.wants.is_empty());
        let others = self.guests.values().filter(|guest| !gives(guest) && !guest.is_stuck);
        let is_full = waits && others.map(|guest| guest.flying.len()).sum::<usize>() > 0;
        let may = |guest: &Guest| guest.is_ready() && (gives(guest) || !is_full);
        let ready = self.guests.iter().filter(|(_, guest)| may(guest));
        ready.map(|(peer, guest)| self.turn(*peer, guest, now)).min().map(|turn| turn.peer)
    }

    fn turn(&self, peer: PeerId, guest: &Guest, now: Instant) -> Turn {
        let is_lucky = self.optimistic.is_some_and(|(lucky, _)| lucky == peer);
        let class = if self.is_generous || is_lucky { 0 } else { guest.class() };
        let due = guest.wants.values().map(|asked| asked.due - now).min();
        let urgency = urgency(due.unwrap_or(Duration::MAX));
        // Those who gave are ahead by what they gave; among the others it goes round.
        let flying = guest.flying.len() as u64 * limits::block::BLOCK;
        let gave = if self.is_generous { 0 } else { guest.gave };
        let balance = (guest.had + flying + BASE).saturating_sub(gave.min(BASE));
        // Of those alike the near one: the way to it is short. Luck reaches the far one as well.
        let tier = if self.is_generous || is_lucky { Tier::Home } else { guest.tier };
        Turn { class, urgency, tier, balance, peer }
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
        self.note_copy((segment, block));
        Some(Upload::Give { peer, segment, block })
    }

    fn note_copy(&mut self, block: (SegmentId, u8)) {
        let copies = self.copies.entry(block).or_insert(0);
        if *copies == 0 {
            self.given.push_back(block);
        }
        *copies = copies.saturating_add(1);
        if self.given.len() > limits::upload::COPIES {
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
        let waits = |guest: &Guest| now >= guest.served + limits::upload::CHOKE_AFTER;
        let idlers = self.guests.iter().filter(|(peer, guest)| self.may_choke(**peer, guest));
        let idlers: Vec<PeerId> =
            idlers.filter(|(_, guest)| waits(guest)).map(|(peer, _)| *peer).collect();
        for peer in idlers {
            if let Some(guest) = self.guests.get_mut(&peer) {
                guest.choked = true;
                guest.wants.clear();
                self.answers.push_back(Upload::Choke(peer));
            }
        }
    }

    /// Whether a peer is told to ask elsewhere once it has waited for long.
    fn may_choke(&self, peer: PeerId, guest: &Guest) -> bool {
        let is_lucky = self.optimistic.is_some_and(|(lucky, _)| lucky == peer);
        let waits = !guest.wants.is_empty() && !guest.choked;
        waits && guest.is_idler() && !self.is_generous && !is_lucky
    }

    /// Lets choked peers ask again once nobody waits, or one has the optimistic slot.
    fn unchoke(&mut self) {
        let is_quiet = self.guests.values().all(|guest| guest.wants.is_empty());
        let has_room = is_quiet && self.flying() < self.flight();
        let lucky = self.optimistic.map(|(lucky, _)| lucky);
        for (peer, guest) in &mut self.guests {
            if guest.choked && !guest.sent_away && (has_room || lucky == Some(*peer)) {
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
        self.optimistic = lucky.map(|lucky| (*lucky, now + limits::upload::OPTIMISTIC));
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
const BASE: u64 = 4 * limits::upload::ADVANCE;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::segment::resource;

    const BYTES: u32 = 65_536;

    fn at(millis: u64) -> Instant {
        Instant::from_micros((1_000_000 + millis) * 1000)
    }

    fn segment(number: u32) -> SegmentId {
        SegmentId { resource: resource("tv", "/film.mp4"), number }
    }

    fn slots() -> Slots {
        Slots::new(Rng::new(7), Role::Device)
    }

    /// Peer, segment and the first blocks of it that are asked for, of use within seconds.
    fn want(slots: &mut Slots, (peer, number, count): (u64, u32, u32), within: u64, now: Instant) {
        let within = Duration::from_secs(within);
        slots.on_want(PeerId(peer), (segment(number), BlockSet::first(count), within), now);
    }

    /// Gives until `until`, one block a `pace` of milliseconds, and answers how many each got.
    fn serve(slots: &mut Slots, (from, until, pace): (u64, u64, u64)) -> Map<u64, u32> {
        let (mut served, mut flying) = (Map::new(), VecDeque::new());
        for millis in (from..until).step_by(usize::try_from(pace).expect("a small number")) {
            if let Some((peer, segment, block)) = flying.pop_front() {
                slots.on_given(peer, (segment, block, BYTES), at(millis));
                *served.entry(peer.0).or_insert(0) += 1;
            }
            while let Some(upload) = slots.poll(at(millis)) {
                if let Upload::Give { peer, segment, block } = upload {
                    flying.push_back((peer, segment, block));
                }
            }
        }
        for (peer, segment, block) in flying {
            slots.on_given(peer, (segment, block, BYTES), at(until));
        }
        served
    }

    /// What is given at once, as peer and block.
    fn given(slots: &mut Slots, now: Instant) -> Vec<(u64, u8)> {
        core::iter::from_fn(|| slots.poll(now))
            .filter_map(|upload| match upload {
                Upload::Give { peer, block, .. } => Some((peer.0, block)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_nearest_deadline_goes_first() {
        let mut slots = slots();
        want(&mut slots, (1, 1, 8), 20, at(0));
        want(&mut slots, (2, 1, 8), 0, at(0));
        want(&mut slots, (3, 1, 8), 3, at(0));
        let order: Vec<u64> = given(&mut slots, at(0)).iter().map(|(peer, _)| *peer).collect();
        assert_eq!(order, [2, 2, 3, 3, 1, 1], "two on their way to each");
    }

    #[test]
    fn every_block_is_given_once_before_one_is_given_twice() {
        let mut slots = slots();
        (1..=4).for_each(|peer| want(&mut slots, (peer, 1, 16), 20, at(0)));
        let mut blocks: Vec<u8> =
            given(&mut slots, at(0)).iter().map(|(_, block)| *block).collect();
        blocks.sort_unstable();
        assert_eq!(blocks, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn who_gives_gets_first_and_nobody_starves() {
        let mut slots = slots();
        // Both have had their advance; the first gives, the second never does.
        for round in 0..5 {
            want(&mut slots, (1, round, 32), 100, at(0));
            want(&mut slots, (2, round, 32), 100, at(0));
            serve(&mut slots, (0, 1, 1));
            for peer in [1, 2] {
                (0..32)
                    .for_each(|b| slots.on_given(PeerId(peer), (segment(round), b, BYTES), at(0)));
                slots.on_cancel(PeerId(peer), segment(round), BlockSet(u64::MAX));
            }
        }
        slots.on_taken(PeerId(1), 8 * 1024 * 1024, at(0));
        slots.optimistic = Some((PeerId(3), at(60_000)));
        want(&mut slots, (2, 10, 40), 100, at(1));
        want(&mut slots, (1, 10, 64), 100, at(1));
        let served = serve(&mut slots, (1, 5_000, 100));
        assert!(served[&1] >= 5 * served[&2], "who gives has most of a full line: {served:?}");
        assert!(slots.guests[&PeerId(2)].choked, "the other was told to ask elsewhere");
        // Once the line is free it may ask again, and is served.
        slots.on_cancel(PeerId(1), segment(10), BlockSet(u64::MAX));
        for block in 0..64 {
            slots.on_given(PeerId(1), (segment(10), block, 0), at(5_100));
        }
        let told: Vec<_> = core::iter::from_fn(|| slots.poll(at(5_100))).collect();
        assert!(told.contains(&Upload::Unchoke(PeerId(2))), "{told:?}");
        want(&mut slots, (2, 11, 4), 100, at(5_200));
        assert_eq!(given(&mut slots, at(5_200)).len(), 2);
    }

    #[test]
    fn the_optimistic_slot_goes_round() {
        let mut slots = slots();
        let mut lucky = Vec::new();
        for round in 0..20 {
            (1..=4).for_each(|peer| want(&mut slots, (peer, round, 64), 100, at(0)));
            while slots.poll(at(u64::from(round) * 10_000)).is_some() {}
            lucky.push(slots.optimistic.expect("somebody is lucky").0);
        }
        assert!((1..=4).all(|peer| lucky.contains(&PeerId(peer))));
        assert!(lucky.windows(2).all(|pair| pair[0] != pair[1]), "{lucky:?}");
    }

    #[test]
    fn a_witness_gives_without_return() {
        let mut slots = Slots::new(Rng::new(7), Role::Witness);
        let mut served = Map::new();
        for round in 0..20 {
            (1..=2).for_each(|peer| want(&mut slots, (peer, round, 64), 100, at(0)));
            slots.on_taken(PeerId(1), 1_000_000, at(0));
            let from = u64::from(round) * 1000;
            for (peer, count) in serve(&mut slots, (from, from + 1000, 10)) {
                *served.entry(peer).or_insert(0_u32) += count;
            }
        }
        assert!(served[&1].abs_diff(served[&2]) < 100, "{served:?}");
    }

    #[test]
    fn the_local_player_goes_before_peers() {
        let mut slots = slots();
        slots.busy(true);
        (1..=8).for_each(|peer| want(&mut slots, (peer, 1, 16), 20, at(0)));
        assert_eq!(given(&mut slots, at(0)).len(), limits::upload::FLIGHT as usize / 2);
        slots.busy(false);
        assert_eq!(given(&mut slots, at(0)).len(), limits::upload::FLIGHT as usize / 2);
    }

    #[test]
    fn a_slow_line_has_little_on_its_way() {
        let mut slots = slots();
        (1..=8).for_each(|peer| want(&mut slots, (peer, 1, 64), 100, at(0)));
        serve(&mut slots, (0, 6_000, 200));
        assert!(slots.flying() <= limits::upload::FLIGHT_PEER, "{}", slots.flying());
    }

    #[test]
    fn who_takes_nothing_keeps_nobody_waiting() {
        for role in [Role::Witness, Role::Device] {
            let mut slots = Slots::new(Rng::new(7), role);
            // Four names take nothing of what is on its way to them, one lives on.
            (1..=4).for_each(|peer| want(&mut slots, (peer, 1, 8), 100, at(0)));
            assert_eq!(given(&mut slots, at(0)).len(), limits::upload::FLIGHT as usize);
            want(&mut slots, (5, 1, 8), 100, at(0));
            let due = slots.poll_timeout().expect("somebody waits");
            assert!(due <= at(1_000) && slots.poll(due).is_some(), "{due:?}");
            slots.on_given(PeerId(5), (segment(1), 0, BYTES), at(1_010));
            for round in 2..6 {
                let from = u64::from(round) * 4_000;
                want(&mut slots, (5, round, 32), 100, at(from));
                let served = serve(&mut slots, (from, from + 500, 10));
                assert!(served.get(&5).is_some_and(|served| *served >= 32), "{served:?}");
            }
        }
    }

    #[test]
    fn what_is_too_much_or_not_here_is_denied() {
        let mut slots = slots();
        want(&mut slots, (1, 1, 60), 20, at(0));
        want(&mut slots, (1, 2, 10), 20, at(0));
        let blocks = BlockSet::first(10).less(BlockSet::first(4));
        let deny =
            |number, blocks| Upload::Deny { peer: PeerId(1), segment: segment(number), blocks };
        assert_eq!(slots.poll(at(0)), Some(deny(2, blocks)));
        slots.on_lost(segment(1), BlockSet::first(60));
        assert_eq!(slots.poll(at(0)), Some(deny(1, BlockSet::first(60))));
        assert!(matches!(slots.poll(at(0)), Some(Upload::Give { block: 0, .. })));
        slots.on_given(PeerId(1), (segment(2), 0, 0), at(0));
        assert_eq!(slots.poll(at(0)), Some(deny(2, BlockSet::one(0))));
    }

    #[test]
    fn what_comes_too_late_is_not_given() {
        let mut slots = slots();
        want(&mut slots, (1, 1, 20), 1, at(0));
        assert_eq!(given(&mut slots, at(0)).len(), 2);
        let over = slots.poll_timeout().expect("it waits");
        assert_eq!(over, at(3_000));
        let blocks = BlockSet::first(20).less(BlockSet::first(2));
        let deny = Upload::Deny { peer: PeerId(1), segment: segment(1), blocks };
        assert_eq!(slots.poll(over), Some(deny));
        assert_eq!(slots.poll_timeout(), None, "nothing is owed to anybody");
    }

    #[test]
    fn a_peer_that_goes_leaves_nothing() {
        let mut slots = slots();
        want(&mut slots, (1, 1, 20), 1, at(0));
        given(&mut slots, at(0));
        slots.on_gone(PeerId(1), at(0));
        assert_eq!((slots.flying(), slots.poll(at(0)), slots.poll_timeout()), (0, None, None));
    }

    /// A guest far away, with a key of its own.
    fn far(slots: &mut Slots, peer: u64, key: u8, now: Instant) {
        slots.on_joined(PeerId(peer), (NodeKey([key; 32]), Tier::Wan), now);
    }

    #[test]
    fn across_the_wide_world_who_gives_goes_before_who_is_in_a_hurry() {
        let mut slots = slots();
        far(&mut slots, 1, 1, at(0));
        far(&mut slots, 2, 2, at(0));
        slots.on_taken(PeerId(2), BYTES, at(0));
        // Nobody is served by luck while it is another one's turn.
        want(&mut slots, (2, 1, 8), 20, at(0));
        let _ = slots.poll(at(0));
        want(&mut slots, (1, 1, 8), 0, at(0));
        let served = serve(&mut slots, (1, 200, 100));
        assert!(served.get(&2) > served.get(&1), "{served:?}");
    }

    #[test]
    fn of_those_alike_the_near_one_goes_first_and_luck_reaches_the_far_one() {
        for (lucky, first) in [(3, 2), (1, 1)] {
            let mut slots = slots();
            slots.on_joined(PeerId(1), (NodeKey([1; 32]), Tier::Wan), at(0));
            slots.on_joined(PeerId(2), (NodeKey([2; 32]), Tier::Isp), at(0));
            // Both gave, and the far one was given less.
            for (peer, had) in [(1, 1), (2, 8)] {
                slots.on_taken(PeerId(peer), BYTES * 4, at(0));
                slots.on_given(PeerId(peer), (segment(9), 0, BYTES * had), at(0));
            }
            slots.optimistic = Some((PeerId(lucky), at(60_000)));
            (1..=2).for_each(|peer| want(&mut slots, (peer, 1, 8), 20, at(0)));
            assert_eq!(given(&mut slots, at(0)).first().map(|(peer, _)| *peer), Some(first));
        }
    }

    #[test]
    fn a_new_link_is_no_new_life() {
        let mut slots = slots();
        far(&mut slots, 1, 1, at(0));
        for _ in 0..(limits::upload::ADVANCE / u64::from(BYTES)) + 2 {
            slots.on_given(PeerId(1), (segment(1), 0, BYTES), at(0));
        }
        assert_eq!(slots.guests[&PeerId(1)].class(), 2, "it only takes");
        slots.on_gone(PeerId(1), at(10));
        far(&mut slots, 2, 1, at(20));
        assert_eq!(slots.guests[&PeerId(2)].class(), 2, "the same key");
        far(&mut slots, 3, 9, at(20));
        assert_eq!(slots.guests[&PeerId(3)].class(), 1, "a stranger, behind all who give");
        slots.on_gone(PeerId(2), at(30));
        let later = at(30) + limits::upload::FAIR_HALF * 12;
        far(&mut slots, 4, 1, later);
        assert_eq!(slots.guests[&PeerId(4)].class(), 1, "it has faded");
    }

    #[test]
    fn many_names_of_one_idler_do_not_keep_a_giver_waiting() {
        let mut slots = slots();
        far(&mut slots, 1, 1, at(0));
        slots.on_taken(PeerId(1), 40 * BYTES, at(0));
        for name in 2..60 {
            far(&mut slots, name, u8::try_from(name).expect("a small number"), at(0));
            want(&mut slots, (name, 1, 60), 1, at(0));
        }
        want(&mut slots, (1, 1, 60), 3, at(0));
        let served = serve(&mut slots, (0, 1000, 20));
        let honest = served.get(&1).copied().unwrap_or(0);
        let others: u32 = served.iter().filter(|(peer, _)| **peer != 1).map(|(_, n)| *n).sum();
        assert!(
            honest >= others,
            "{honest} blocks for who gives, {others} for 58 names: {served:?}"
        );
        assert!(others > 0, "and they are not starved");
    }
}
