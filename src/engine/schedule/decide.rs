//! What is done for one segment now: pull from peers, take a turn at the origin, or wait.

use core::time::Duration;

use super::company::suffices;
use super::pull::Order;
use super::rank;
use super::sources::Source;
use super::view::View;
use super::want::{Progress, Step, Why};
use crate::base::limits;
use crate::base::peer::{PeerId, Role, Tier};
use crate::base::segment::BlockSet;
use crate::base::time::Instant;

impl View<'_> {
    /// Decides, and answers when to look again.
    pub(super) fn decide(&mut self) -> Option<Instant> {
        if self.pursuit.missing().is_empty() {
            self.cancel(BlockSet(u64::MAX));
            return None;
        }
        let switch = self.switch();
        let is_near = self.now + limits::swarm::NEAR >= switch;
        self.chase(is_near);
        let urgent = self.pursuit.want.urgent;
        let is_pressed = (urgent || self.now >= switch)
            && !self.may_be_at_home()
            && !self.is_home_faster()
            && !self.comes_home();
        // A witness signs what it took from the origin itself; a session begins there.
        let rests = self.now < self.pursuit.rest.0;
        let at_the_origin = self.own.role == Role::Witness || (urgent && is_pressed);
        if self.pursuit.want.known && (rests || !at_the_origin) {
            let by = (is_pressed && !rests).then(|| self.last_look());
            let order = if is_near { Order::Next } else { Order::Rarest };
            self.pull(self.open(), order, by);
        }
        if !rests {
            self.go_to_the_origin(is_pressed);
        }
        if self.pursuit.want.known && self.now >= self.pursuit.own_due {
            // The own fetch is slow: what peers have of it is asked of them too; of those beyond
            // the home, whose blocks share a line with it, from the end that it has before it.
            for order in [Order::Beside, Order::Last] {
                let late = self.pursuit.own.less(self.pursuit.outstanding());
                self.pull(late.and(self.pursuit.missing()), order, None);
            }
        }
        self.next()
    }

    /// What is missing and on no way here.
    pub(super) fn open(&self) -> BlockSet {
        self.pursuit.missing().less(self.pursuit.own).less(self.pursuit.outstanding())
    }

    /// Bytes that are missing and that the own fetch does not bring.
    fn remaining(&self) -> u64 {
        let blocks = self.pursuit.missing().less(self.pursuit.own).len();
        let bytes = u64::from(blocks) * limits::block::BLOCK;
        if self.pursuit.want.known { bytes } else { bytes.min(self.usual) }
    }

    /// The last moment at which the origin can still make the deadline.
    ///
    /// Those at home who want the same have the same line: another fetch of it beside theirs makes
    /// neither faster, and if all reckon with a bad hour, all go at once and make it one.
    fn switch(&self) -> Instant {
        let bytes = self.remaining() + self.fetching;
        let spare = if self.shares_a_line() {
            self.origin.time(bytes) + limits::swarm::SWITCH_MARGIN / 3
        } else {
            self.origin.slow_time(bytes) + limits::swarm::SWITCH_MARGIN
        };
        self.before_deadline(spare)
    }

    /// The last moment at which the origin can still bring in time what was asked of peers.
    fn last_look(&self) -> Instant {
        let bytes = u64::from(self.pursuit.outstanding().len()) * limits::block::BLOCK;
        self.before_deadline(self.origin.slow_time(bytes) + limits::swarm::SWITCH_MARGIN / 3)
    }

    fn before_deadline(&self, spare: Duration) -> Instant {
        let left = self.pursuit.want.deadline - Instant::default();
        Instant::default() + left.saturating_sub(spare)
    }

    fn go_to_the_origin(&mut self, is_pressed: bool) {
        let open = self.pursuit.missing().less(self.pursuit.own);
        // Fetches side by side share the line: one that is due later would take from one that is
        // due sooner, and on a narrow line make both late.
        let may_yield = !self.pursuit.want.urgent && self.own.role != Role::Witness;
        self.pursuit.yields = self.is_behind && may_yield;
        if self.pursuit.yields {
            return;
        }
        if self.own.role == Role::Witness {
            self.take(open, Why::Elected);
        } else if is_pressed {
            let late = open.less(self.in_time(self.last_look()));
            let first = self.pursuit.want.urgent;
            let blocks = join(late, open);
            if !first {
                let asked = self.pursuit.outstanding();
                self.pursuit.late = self.pursuit.late.or(blocks.and(asked));
            }
            self.cancel_far(blocks);
            self.take(blocks, if first { Why::First } else { Why::Late });
        } else {
            self.take_part();
            self.take_turns();
        }
    }

    pub(super) fn take(&mut self, blocks: BlockSet, why: Why) {
        if blocks.is_empty() {
            return;
        }
        let pursuit = &mut *self.pursuit;
        let known = pursuit.want.known;
        pursuit.own = pursuit.own.or(if known { blocks } else { pursuit.want.blocks });
        let bytes = u64::from(pursuit.own.and(pursuit.missing()).len()) * limits::block::BLOCK;
        let bytes = if known { bytes } else { bytes.min(self.usual) };
        pursuit.progress = Progress::new(self.now);
        pursuit.own_due = self.now + self.origin.slow_time(bytes) + limits::swarm::SWITCH_MARGIN;
        let blocks = known.then_some(blocks);
        self.steps.push_back(Step::Origin { segment: self.segment, blocks, why });
    }

    /// Takes the groups for which it is this node's turn, since nobody has them or fetches them.
    fn take_turns(&mut self) {
        let orphans = self.open().less(self.covered());
        let mut mine = BlockSet::NONE;
        for place in 0..self.pursuit.groups.len() {
            let group = &mut self.pursuit.groups[place];
            let blocks = group.blocks.and(orphans);
            if blocks.is_empty() {
                (group.turn, group.again) = (None, true);
                continue;
            }
            if group.turn.is_none() {
                group.orphaned = self.now;
            }
            // Who came since then may be before this node.
            let turn = match group.turn {
                Some(turn) if turn > self.now => turn,
                _ => self.turn(place),
            };
            self.pursuit.groups[place].turn = Some(turn);
            if turn <= self.now {
                mine = mine.or(blocks);
            }
        }
        let alone = !self.peers.values().any(|s| s.shares(self.pursuit.want.topic, self.now));
        self.take(mine, if alone { Why::Nobody } else { Why::Elected });
    }

    /// When it is this node's turn to fetch a group.
    fn turn(&self, place: usize) -> Instant {
        let pursuit = &*self.pursuit;
        let group = &pursuit.groups[place];
        let topic = pursuit.want.topic;
        // Who announced it and then did not fetch it is not waited for again.
        let failed = |peer: &PeerId| {
            let offer = pursuit.offers.get(peer);
            offer.is_some_and(|offer| !offer.doubted.and(group.blocks).is_empty())
        };
        let members = || {
            let sharing = |(peer, source): &(&PeerId, &Source)| {
                source.shares(topic, self.now) && source.rest.0 <= self.now && !failed(peer)
            };
            self.peers.iter().filter(sharing).map(|(_, source)| source)
        };
        let number = u8::try_from(place).unwrap_or(u8::MAX);
        let drawn = rank::place(self.own, members().map(Source::member), (self.segment, number));
        let mut wait = pursuit.step.saturating_mul(drawn.rank);
        if members().any(|source| source.link.role == Role::Witness) {
            wait += limits::swarm::WITNESS_LEAD;
        }
        let far = members().filter(|source| source.link.tier != Tier::Home).count();
        wait += spread(far, drawn.draw);
        if group.again { group.orphaned + wait } else { pursuit.begun + self.news() + wait }
    }

    /// How long announcements of what others have or fetch take to come here.
    fn news(&self) -> Duration {
        let farthest = self.peers.values().map(|source| source.link.tier).max();
        match farthest {
            None => Duration::ZERO,
            Some(Tier::Home) => limits::swarm::HOME_NEWS,
            Some(Tier::Isp | Tier::Wan) => limits::swarm::WAN_NEWS,
        }
    }

    /// What peers have, or are believed to fetch. Who fell silent is not believed any more.
    fn covered(&mut self) -> BlockSet {
        let mut covered = BlockSet::NONE;
        self.pursuit.doubt(self.fetch_times(), self.now);
        let suffices = suffices(self.peers, self.pursuit.want.topic, self.now);
        for (_, offer) in self.pursuit.offers.iter().filter(|(peer, _)| suffices(peer)) {
            covered = covered.or(offer.given(self.now)).or(offer.believed());
        }
        if !self.pursuit.want.known && !covered.is_empty() {
            // Nobody can tell yet how long it is: who has some of it, or fetches it, has all.
            return self.pursuit.want.blocks;
        }
        covered
    }

    /// How long the origin takes until somebody who fetches has something to tell, and until it
    /// has told all.
    pub(super) fn fetch_times(&self) -> (Duration, Duration) {
        let missing = u64::from(self.pursuit.missing().len()) * limits::block::BLOCK;
        let known = self.pursuit.want.known;
        let (first, all) =
            if known { (4 * limits::block::BLOCK, missing) } else { (self.usual, self.usual) };
        (self.origin.slow_time(first), self.origin.slow_time(all))
    }

    /// When something may have changed by time alone.
    fn next(&self) -> Option<Instant> {
        let pursuit = &*self.pursuit;
        let now = self.now;
        let missing = pursuit.missing();
        let open = missing.less(pursuit.own);
        let mut next = pursuit.asked.iter().map(|asked| asked.late.max(now + SOON)).min();
        let mut at = |moment: Instant| {
            if moment > now && next.is_none_or(|other| moment < other) {
                next = Some(moment);
            }
        };
        if !pursuit.own.and(missing).is_empty() {
            // One that is late may come to stand still, and does while a player pauses: it is
            // looked at ever less often.
            let late = now - pursuit.own_due;
            at(if now < pursuit.own_due { pursuit.own_due } else { now + late.max(LOOK) });
        }
        if open.is_empty() {
            return next;
        }
        at(self.switch());
        if self.is_short() {
            at(self.last_look());
        }
        at(self.turn);
        at(self.heard_at_home());
        self.due_at_home().map(&mut at);
        at(pursuit.rest.0);
        pursuit.grace.map(&mut at);
        pursuit.groups.iter().filter_map(|group| group.turn).for_each(&mut at);
        if let Some(doubt) = pursuit.doubts(self.fetch_times(), open) {
            at(doubt);
        }
        for (peer, offer) in &pursuit.offers {
            if !offer.denied.0.and(open).is_empty() {
                at(offer.denied.1);
            }
            if !offer.here.and(open).is_empty() {
                at(self.peers.get(peer).map_or(now, |source| source.rest.0));
            }
        }
        next
    }
}

/// Where not all know each other, the first of each neighbourhood would go at once: their draws
/// spread them, so that the news of the first reaches the others before their turn.
fn spread(far: usize, draw: u32) -> Duration {
    let far = u32::try_from(far).unwrap_or(u32::MAX);
    let part = f64::from(draw) / f64::from(u32::MAX);
    // The chance that somebody of so many drew less.
    let before = 1.0 - (1.0 - part).powi(i32::try_from(far).unwrap_or(i32::MAX));
    (SPREAD * far).min(MOST_SPREAD).mul_f64(before)
}

/// Joins runs that one missing block parts, since a request costs more than a block.
fn join(late: BlockSet, missing: BlockSet) -> BlockSet {
    let gaps = BlockSet(late.0 << 1).and(BlockSet(late.0 >> 1));
    late.or(gaps.and(missing))
}

/// A late own fetch is not looked at sooner.
const LOOK: Duration = Duration::from_millis(250);

/// What is to be looked at again is not looked at sooner.
const SOON: Duration = Duration::from_millis(5);

/// How much the first of each neighbourhood are spread for each member elsewhere.
const SPREAD: Duration = Duration::from_millis(40);

const MOST_SPREAD: Duration = Duration::from_millis(1_000);
