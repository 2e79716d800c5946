//! All wanted segments at once: what happened is noted, and what follows from it is handed out.

use core::time::Duration;
use std::collections::VecDeque;

use super::rank::Member;
use super::rate::Rate;
use super::sources::Source;
use super::view::View;
use super::want::{Have, Link, Pursuit, Step, Want};
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{NodeKey, PeerId, Role, Tier};
use crate::base::rng::Rng;
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::set::Set;
use crate::base::time::Instant;

/// Decides for every wanted segment whence its blocks come. One change, then `poll` until it is
/// empty.
#[derive(Debug)]
pub struct Scheduler {
    rng: Rng,
    own: Member,
    pub(super) peers: Map<PeerId, Source>,
    pub(super) wants: Map<SegmentId, Pursuit>,
    pub(super) origin: Rate,
    /// Bytes of a usual segment, and of the last that became known.
    pub(super) usual: u64,
    pub(super) last: u64,
    /// How long the last one plays that was wanted.
    pub(super) plays: Duration,
    steps: VecDeque<Step>,
    alarms: Set<(Instant, SegmentId)>,
    /// Bytes that the own fetches have before them, for each segment that has one, and whether a
    /// player waits for it or will.
    pub(super) fetching: Map<SegmentId, (u64, bool)>,
    /// Until when a player that had one may ask for what comes next.
    pub(super) turn: Instant,
    /// How much of a segment peers are too slow for, by topic, in parts of it.
    pub(super) short: Map<Digest, u32>,
    /// Peers that may be asked for more than before.
    pub(super) freed: Set<PeerId>,
    /// Peers that a cap holds back, and until when.
    pub(super) held: Set<(Instant, PeerId)>,
}

/// A good block that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which block.
    pub block: u8,
    /// From whom; none where it came from the origin or was here already.
    pub from: Option<PeerId>,
    /// How long it is.
    pub bytes: u32,
}

impl Scheduler {
    /// The scheduler of the node with this key and role.
    pub fn new(rng: Rng, own: NodeKey, role: Role) -> Self {
        Self {
            rng,
            own: Member { key: own, role },
            peers: Map::new(),
            wants: Map::new(),
            origin: Rate::new(limits::swarm::ORIGIN_GUESS),
            usual: limits::block::SEGMENT / 4,
            last: limits::block::SEGMENT / 4,
            plays: Duration::ZERO,
            steps: VecDeque::new(),
            alarms: Set::new(),
            fetching: Map::new(),
            turn: Instant::default(),
            short: Map::new(),
            freed: Set::new(),
            held: Set::new(),
        }
    }

    /// A segment is wanted, or wanted otherwise than before. False when so many are wanted that
    /// this one is not taken on.
    pub fn want(&mut self, segment: SegmentId, want: Want, now: Instant) -> bool {
        if !want.plays.is_zero() {
            self.plays = want.plays;
        }
        if let Some(pursuit) = self.wants.get_mut(&segment) {
            let before = pursuit.want.deadline;
            let blocks_changed = pursuit.want.blocks != want.blocks;
            let known = want.known || pursuit.want.known;
            let learnt = known && !pursuit.want.known;
            pursuit.want = Want { known, ..want };
            // What had to make room before it was read is needed again.
            pursuit.here = pursuit.here.less(want.blocks);
            if blocks_changed || learnt {
                pursuit.on_other_blocks(now);
            }
            if before != want.deadline {
                self.forget_use(segment, before);
            }
            self.touch(segment, now);
            return true;
        }
        if self.wants.len() >= limits::swarm::WANTS {
            return false;
        }
        let (least, most) = limits::swarm::RANK_WAIT;
        let wait = self.rng.below(u64::try_from((most - least).as_micros()).unwrap_or(0));
        let mut pursuit = Pursuit::new(want, least + Duration::from_micros(wait), now);
        for (peer, source) in &mut self.peers {
            if let Some(have) = source.early(segment) {
                pursuit.on_have(*peer, have, now);
            }
        }
        self.wants.insert(segment, pursuit);
        self.touch(segment, now);
        true
    }

    /// A record came: `all` are the blocks of the segment.
    pub fn on_known(&mut self, segment: SegmentId, all: BlockSet, now: Instant) {
        self.last = u64::from(all.len()) * limits::block::BLOCK;
        self.usual = (self.usual * 7 + self.last) / 8;
        let Some(pursuit) = self.wants.get_mut(&segment) else { return };
        pursuit.want.known = true;
        pursuit.want.blocks = pursuit.want.blocks.and(all);
        pursuit.on_other_blocks(now);
        self.touch(segment, now);
    }

    /// A segment is wanted no more: what was asked of peers is taken back.
    pub fn drop(&mut self, segment: SegmentId, now: Instant) {
        self.view(segment, now, |view| view.cancel(BlockSet(u64::MAX)));
        let Some(pursuit) = self.wants.remove(&segment) else { return };
        self.note_shortage(&pursuit, now);
        self.forget_use(segment, pursuit.want.deadline);
        if let Some(alarm) = pursuit.alarm {
            self.alarms.remove(&(alarm, segment));
        }
        self.on_fetched(segment, now);
    }

    /// A peer said what it has.
    pub fn on_have(&mut self, peer: PeerId, have: Have, now: Instant) {
        let Some(source) = self.peers.get_mut(&peer).filter(|source| !source.liar) else { return };
        source.promises.on_have(&have, now);
        let Some(pursuit) = self.wants.get_mut(&have.segment) else {
            source.on_early(have);
            return;
        };
        let matters = pursuit.on_have(peer, have, now);
        if source.link.role == Role::Witness {
            source.on_seek(pursuit.want.topic, now);
        }
        if matters {
            self.touch(have.segment, now);
        }
    }

    /// A peer seeks a segment of a topic: it shares that topic's work.
    pub fn on_seek(&mut self, peer: PeerId, topic: Digest, now: Instant) {
        self.peers.get_mut(&peer).into_iter().for_each(|source| source.on_seek(topic, now));
    }

    /// A good block is here.
    pub fn on_block(&mut self, segment: SegmentId, arrival: Arrival, now: Instant) {
        let Arrival { block, from, bytes } = arrival;
        let Some(pursuit) = self.wants.get_mut(&segment) else { return };
        let one = BlockSet::one(block);
        pursuit.here = pursuit.here.or(one);
        if from.is_none() && pursuit.own.has(block) {
            pursuit.progress.moved = now;
            pursuit.progress.came += 1;
        }
        pursuit.own = pursuit.own.less(one);
        let given = pursuit.asked.iter().position(|a| a.block == block && Some(a.peer) == from);
        if let Some(asked) = given.map(|place| pursuit.asked.swap_remove(place)) {
            self.freed.insert(asked.peer);
            if let Some(source) = self.peers.get_mut(&asked.peer) {
                source.on_given(asked.at, bytes, now);
            }
        }
        self.freed.extend(pursuit.asked.iter().filter(|a| a.block == block).map(|a| a.peer));
        self.view(segment, now, |view| view.cancel(one));
        self.touch(segment, now);
    }

    /// Whether a peer is asked for a block now.
    pub fn is_asked(&self, peer: PeerId, segment: SegmentId, block: u8) -> bool {
        let asked = self.wants.get(&segment).into_iter().flat_map(|pursuit| &pursuit.asked);
        asked.into_iter().any(|asked| asked.block == block && asked.peer == peer)
    }

    /// A peer gave a block that is not what the record says: it is not asked for anything more.
    pub fn on_bad(&mut self, peer: PeerId, now: Instant) {
        self.peers.get_mut(&peer).into_iter().for_each(|source| source.liar = true);
        let mut touched = self.forget_questions(peer);
        for (segment, pursuit) in &mut self.wants {
            if pursuit.offers.remove(&peer).is_some() {
                touched.push(*segment);
            }
        }
        touched.into_iter().for_each(|segment| self.touch(segment, now));
    }

    /// A peer cannot give some blocks now.
    pub fn on_deny(
        &mut self,
        peer: PeerId,
        (segment, blocks): (SegmentId, BlockSet),
        now: Instant,
    ) {
        let Some(pursuit) = self.wants.get_mut(&segment) else { return };
        if let Some(offer) = pursuit.offers.get_mut(&peer) {
            let before = if now < offer.denied.1 { offer.denied.0 } else { BlockSet::NONE };
            offer.denied = (before.or(blocks), now + limits::swarm::DENIED);
        }
        let settled = pursuit.settle(peer, blocks);
        if let Some(source) = self.peers.get_mut(&peer) {
            (0..settled).for_each(|_| source.on_settled());
        }
        self.freed.insert(peer);
        self.touch(segment, now);
    }

    /// A link stands.
    pub fn on_joined(&mut self, peer: PeerId, link: Link, now: Instant) {
        self.peers.insert(peer, Source::new(link, now));
    }

    /// A peer is nearer than was thought.
    pub fn on_nearer(&mut self, peer: PeerId) {
        if let Some(source) = self.peers.get_mut(&peer) {
            source.link.tier = Tier::Isp;
        }
    }

    /// A link is no more: what its peer fetched or was asked for is looked for elsewhere.
    pub fn on_gone(&mut self, peer: PeerId, now: Instant) {
        let Some(gone) = self.peers.remove(&peer) else { return };
        let mut touched = Vec::new();
        for (segment, pursuit) in &mut self.wants {
            let offered = pursuit.offers.remove(&peer).is_some();
            pursuit.settle(peer, BlockSet(u64::MAX));
            let shared = gone.shares(pursuit.want.topic, now);
            if shared {
                pursuit.groups.iter_mut().for_each(|group| group.turn = None);
            }
            if offered || shared {
                touched.push(*segment);
            }
        }
        touched.into_iter().for_each(|segment| self.touch(segment, now));
    }

    /// The link to a peer has another in its place: what the peer has and fetches is as it was.
    /// What was asked over the old one is looked for again when that is gone.
    pub fn on_replaced(&mut self, old: PeerId, new: PeerId) {
        let Some(mut heir) = self.peers.remove(&new) else { return };
        if let Some(source) = self.peers.get(&old) {
            heir.inherit(source);
        }
        self.peers.insert(new, heir);
        for pursuit in self.wants.values_mut() {
            if let Some(offer) = pursuit.offers.get(&old).copied() {
                pursuit.offers.insert(new, offer);
            }
        }
    }

    /// A peer gives nothing for a while, or gives again. What was asked of it is forgotten.
    pub fn on_choke(&mut self, peer: PeerId, choked: bool, now: Instant) {
        let Some(source) = self.peers.get_mut(&peer) else { return };
        source.choked = choked;
        if choked {
            let touched = self.forget_questions(peer);
            touched.into_iter().for_each(|segment| self.touch(segment, now));
        } else {
            self.freed.insert(peer);
        }
    }

    /// What is to be done next; none when nothing is before [`Self::poll_timeout`].
    pub fn poll(&mut self, now: Instant) -> Option<Step> {
        self.release(now);
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Some(step);
            }
            if let Some((_, segment)) = self.alarms.first().filter(|(at, _)| *at <= now) {
                self.decide(*segment, now);
            } else if let Some(peer) = self.freed.pop_first() {
                self.ask_more(peer, now);
            } else {
                return None;
            }
        }
    }

    /// When `poll` may have something again by time alone.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let held = self.held.first().map(|(at, _)| *at);
        self.alarms.first().map(|(at, _)| *at).into_iter().chain(held).min()
    }

    /// How many segments are wanted.
    pub fn len(&self) -> usize {
        self.wants.len()
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.wants.is_empty()
    }

    /// Forgets what was asked of a peer; answers of which segments that was.
    fn forget_questions(&mut self, peer: PeerId) -> Vec<SegmentId> {
        if let Some(source) = self.peers.get_mut(&peer) {
            source.owed = 0;
        }
        let asked = |(segment, pursuit): (&SegmentId, &mut Pursuit)| {
            (pursuit.settle(peer, BlockSet(u64::MAX)) > 0).then_some(*segment)
        };
        self.wants.iter_mut().filter_map(asked).collect()
    }

    /// A segment is wanted no more, or with another deadline.
    fn forget_use(&mut self, segment: SegmentId, deadline: Instant) {
        for source in self.peers.values_mut() {
            source.useful.remove(&(deadline, segment));
        }
    }

    /// Looks at a segment at the next poll.
    pub(super) fn touch(&mut self, segment: SegmentId, now: Instant) {
        self.wake(segment, Some(now));
    }

    fn wake(&mut self, segment: SegmentId, at: Option<Instant>) {
        let Some(pursuit) = self.wants.get_mut(&segment) else { return };
        if pursuit.alarm == at {
            return;
        }
        if let Some(before) = core::mem::replace(&mut pursuit.alarm, at) {
            self.alarms.remove(&(before, segment));
        }
        if let Some(at) = at {
            self.alarms.insert((at, segment));
        }
    }

    pub(super) fn decide(&mut self, segment: SegmentId, now: Instant) {
        let next = self.view(segment, now, |view| view.decide());
        self.wake(segment, next.flatten());
        self.note_fetching(segment, now);
    }

    fn view<T>(
        &mut self,
        segment: SegmentId,
        now: Instant,
        look: impl FnOnce(&mut View<'_>) -> T,
    ) -> Option<T> {
        let all = self.fetching.iter().filter(|(other, _)| **other != segment);
        let fetching = all.map(|(_, (bytes, _))| *bytes).sum();
        let want = self.wants.get(&segment)?.want;
        let due = |other: &SegmentId| self.wants.get(other).map(|other| other.want.dry);
        let is_before = |other: &SegmentId| due(other).is_some_and(|other| other < want.dry);
        let before = || self.fetching.iter().filter(|(other, _)| is_before(other));
        let (is_behind, waits) =
            (before().next().is_some(), before().any(|(_, (_, waits))| *waits));
        let is_line_taken = waits || (now < self.turn && !want.urgent);
        let pursuit = self.wants.get_mut(&segment)?;
        Some(look(&mut View {
            segment,
            pursuit,
            peers: &mut self.peers,
            own: self.own,
            origin: &self.origin,
            fetching,
            is_behind,
            is_line_taken,
            turn: self.turn,
            short: self.short.get(&want.topic).copied().unwrap_or(0),
            usual: self.usual,
            steps: &mut self.steps,
            now,
        }))
    }
}
