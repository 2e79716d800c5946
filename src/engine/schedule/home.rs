//! What those at home have, or fetch on the line that is this node's as well.

use core::time::Duration;

use super::rank;
use super::sources::Source;
use super::view::View;
use crate::base::limits;
use crate::base::peer::{PeerId, Role, Tier};
use crate::base::segment::BlockSet;
use crate::base::time::Instant;

impl View<'_> {
    /// Whether somebody at home wants the same.
    pub(super) fn shares_a_line(&self) -> bool {
        let topic = self.pursuit.want.topic;
        let beside = |source: &Source| {
            source.link.tier == Tier::Home
                && source.rest.0 <= self.now
                && source.shares(topic, self.now)
        };
        self.peers.values().any(beside)
    }

    /// Whether somebody at home may have it and had no time to say so yet.
    pub(super) fn may_be_at_home(&self) -> bool {
        let topic = self.pursuit.want.topic;
        let at_home = |source: &Source| source.link.tier == Tier::Home && source.seeks(topic);
        self.now < self.heard_at_home() && self.peers.values().any(at_home)
    }

    /// When those at home have said what they have of it, or that they fetch it. On a narrow line
    /// that is worth a turn: those who all go at once get a part of it each, all stay as short of
    /// time as they were, and go at once the next time as well.
    pub(super) fn heard_at_home(&self) -> Instant {
        let mut wait = limits::swarm::HOME_ANSWER;
        if self.is_narrow() {
            let proven = || self.proven_at_home().map(|(_, source)| source);
            if proven().any(|source| source.link.role == Role::Witness) {
                wait = limits::swarm::WITNESS_LEAD;
            }
            let drawn = rank::place(self.own, proven().map(Source::member), (self.segment, 0));
            wait += limits::swarm::HOME_ANSWER * drawn.rank.min(MOST_TURNS);
        }
        self.pursuit.begun + wait
    }

    /// Those at home who share the work, and whose word that they fetch was good lately.
    fn proven_at_home(&self) -> impl Iterator<Item = (&PeerId, &Source)> {
        let (topic, now) = (self.pursuit.want.topic, self.now);
        self.peers.iter().filter(move |(_, source)| {
            source.link.tier == Tier::Home
                && source.shares(topic, now)
                && source.is_open(now)
                && source.promises.usual(now).is_some()
        })
    }

    /// Whether the origin gives segments more slowly than they play, so that a viewer waits for
    /// certain who gets them there.
    fn is_narrow(&self) -> bool {
        let plays = self.pursuit.want.plays;
        let is_device = self.own.role != Role::Witness;
        is_device
            && !plays.is_zero()
            && self.origin.is_known()
            && self.origin.time(self.usual) > plays
    }

    /// How many bytes some blocks are, or those of a segment of unknown length.
    fn bytes_of(&self, blocks: BlockSet) -> u64 {
        let bytes = u64::from(blocks.len()) * limits::block::BLOCK;
        if self.pursuit.want.known { bytes } else { bytes.min(self.usual) }
    }

    /// Whether somebody at home fetches all that is missing, on a line that is narrow: another
    /// fetch beside it makes both slower. Believed is who lately had what it fetched no later than
    /// this node would have, and for as long as that takes.
    pub(super) fn comes_home(&mut self) -> bool {
        let open = self.pursuit.missing().less(self.pursuit.own);
        if open.is_empty() || !self.is_narrow() {
            return false;
        }
        self.pursuit.doubt(self.fetch_times(), self.now);
        let (mut comes, mut broken) = (BlockSet::NONE, Vec::new());
        for (peer, source) in self.proven_at_home() {
            let Some(offer) = self.pursuit.offers.get(peer).filter(|offer| offer.hops == 0) else {
                continue;
            };
            let told = offer.believed().or(offer.given(self.now));
            match self.due_from(source) {
                Some(due) if self.now < due && !told.is_empty() => comes = comes.or(told),
                Some(_) => broken.push(*peer),
                None => {}
            }
        }
        for peer in broken {
            if let Some(source) = self.peers.get_mut(&peer) {
                source.promises.on_broken(self.now);
            }
        }
        !comes.is_empty() && (!self.pursuit.want.known || comes.covers(open))
    }

    /// When it should have come from a peer that fetches it, or has since then, where that is no
    /// slower than this node.
    fn due_from(&self, source: &Source) -> Option<Instant> {
        let bytes = self.bytes_of(self.pursuit.missing().less(self.pursuit.own));
        let (needs, own) = (source.rate.slow_time(bytes), self.origin.slow_time(self.usual));
        let is_slow = self.pursuit.want.known && needs > self.origin.slow_time(bytes);
        let usual = source.promises.usual(self.now)?;
        let is_good = usual <= own * 3 / 2 && !is_slow;
        is_good.then(|| source.promises.due(self.segment, (own * 2, needs)))?
    }

    /// When a fetch at home is waited for no longer.
    pub(super) fn due_at_home(&self) -> Option<Instant> {
        let due = |(_, source): (_, &Source)| self.due_from(source);
        self.proven_at_home().filter_map(due).filter(|due| *due > self.now).min()
    }

    /// Whether peers at home have all of it and may be trusted with it for a moment, though the
    /// origin could not make the deadline after them.
    pub(super) fn is_home_faster(&mut self) -> bool {
        let open = self.pursuit.missing().less(self.pursuit.own);
        if let Some(until) = self.pursuit.grace {
            return self.now < until;
        }
        if !self.pursuit.want.known {
            return false;
        }
        let (mut held, mut rate) = (BlockSet::NONE, 0);
        for (peer, offer) in &self.pursuit.offers {
            let source = self.peers.get(peer).filter(|source| source.link.tier == Tier::Home);
            if let Some(source) = source.filter(|source| source.is_open(self.now)) {
                held = held.or(offer.given(self.now));
                rate = source.rate.low().max(rate);
            }
        }
        let bytes = u64::from(open.len()) * limits::block::BLOCK;
        let needs = Duration::from_micros(bytes * 1_000_000 / rate.max(1));
        let is_faster = held.covers(open) && needs * 2 <= self.origin.slow_time(bytes);
        if is_faster {
            self.pursuit.grace = Some(self.now + (needs * 2).max(LEAST_GRACE).min(MOST_GRACE));
        }
        is_faster
    }
}

/// Turns that are waited for at most.
const MOST_TURNS: u32 = 4;

/// How long peers at home are trusted past the origin's last chance.
const LEAST_GRACE: Duration = Duration::from_millis(100);

const MOST_GRACE: Duration = Duration::from_millis(500);
