//! Segments that are fetched before a player asks: when, by whose way, and how soon they are due.

use core::time::Duration;

use super::download::Due;
use super::exchange::forwarded;
use super::fetch::{Ask, Fetch};
use super::machine::Machine;
use super::report::Counter;
use crate::base::digest::Digest;
use crate::base::id::ExchangeId;
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::engine::cache::index::Key;
use crate::engine::timeline::answer::Wanted;
use crate::wire::cmcd::Cmcd;
use crate::wire::http::fields::Fields;
use crate::wire::http::range::Spec;

impl Machine {
    /// Fetches what the streams in use will be asked for next.
    pub(super) fn fetch_ahead(&mut self) {
        while let Some(wanted) = self.timeline.poll_wanted(self.now) {
            let origin = usize::from(wanted.locator.origin.0);
            let worth = self.health.get(origin).is_some_and(|h| h.is_worth_fetching_ahead());
            let under_way = self.fetches.values().filter(|fetch| fetch.ask.ahead).count();
            let may = self.rule.governor.may_prefetch(self.now);
            if worth && may && under_way < AHEAD {
                self.fetch_segment(wanted);
            }
        }
    }

    fn fetch_segment(&mut self, wanted: Wanted) {
        let Wanted { locator, range, duration, between, .. } = wanted;
        let identity = self.identity(&locator);
        let key = Key { origin: locator.origin, identity };
        let stored = self.index.variants(key.origin, &key.identity).next();
        let here = stored.is_some_and(|entry| {
            let whole = range.unwrap_or(ByteRange::new(0, u64::MAX));
            super::serve::hole(entry, whole).is_none()
        });
        let same = |fetch: &Fetch| fetch.ask.key == key && range.is_none();
        if here || (range.is_some() && stored.is_some()) || self.fetches.values().any(same) {
            return;
        }
        // It is asked for as the player does that is nearest to it: its cookies open the door.
        let near = self
            .exchanges
            .values()
            .rev()
            .find(|exchange| exchange.key.origin == key.origin && exchange.may_share());
        let fields = match near {
            Some(near) => forwarded(&near.request.fields),
            None if self.is_witness() => Fields::default(),
            None => return,
        };
        let mut ask = Ask::alone(key, locator, fields);
        ask.spec = range.map(|range| Spec::Span(range.start, range.end.saturating_sub(1)));
        self.report.add(Counter::Prefetches, 1);
        if let Some((resource, kin, target)) = self.may_ask_peers(&ask) {
            // Who signs it takes it now, not only when the player comes there.
            self.tell_witnesses(&ask.locator);
            let long = if duration.is_zero() { target } else { duration };
            let held = self.timeline.held(&ask.locator, range, self.now).unwrap_or_default();
            // It is played when all before it is; the player asks for it somewhat earlier.
            let within = held + long.saturating_mul(between);
            let due = Due { at: self.now + within.max(limits::swarm::PLAYING_DUE), urgent: false };
            return self.download(ask, None, (resource, kin, due));
        }
        self.begin(ask, None);
    }

    /// How soon a segment is due that a player waits for.
    /// What the player says of itself counts (CTA-5004: `dl`, `bl`, `su`, `bs`), else what its
    /// requests tell.
    pub(super) fn due_now(&self, id: ExchangeId, (topic, target): (Digest, Duration)) -> Due {
        let Some(exchange) = self.exchanges.get(&id) else {
            return Due { at: self.now, urgent: true };
        };
        let request = &exchange.request;
        let cmcd = Cmcd::of(&request.locator.target, &request.fields);
        let told = self.timeline.held(&request.locator, None, self.now).unwrap_or_default();
        let held = cmcd.deadline.or(cmcd.buffer).unwrap_or(told.saturating_sub(target));
        let urgent = cmcd.startup || cmcd.starved || held < target / 2;
        let within = (held * 3 / 4).clamp(limits::swarm::PLAYING_DUE, self.patience(topic));
        Due { at: self.now + within, urgent }
    }
}

/// Fetches ahead under way at once.
const AHEAD: usize = 4;
