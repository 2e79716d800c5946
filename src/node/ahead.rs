//! Segments that are fetched before a player asks: when, by whose way, and how soon they are due.

use core::time::Duration;

use super::event::Output;
use super::exchange::Exchange;
use super::fetch::{Ask, By, Fetch};
use super::machine::Machine;
use super::report::Counter;
use super::swarm::Link;
use crate::base::digest::Digest;
use crate::base::id::{ExchangeId, FetchId};
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::base::time::Instant;
use crate::engine::cache::index::Key;
use crate::engine::timeline::answer::Wanted;
use crate::wire::cmcd::Cmcd;
use crate::wire::http::fields::Fields;
use crate::wire::http::range::Spec;

/// How urgent a resource is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// When the last of it must be here.
    pub(super) at: Instant,
    /// When a player runs dry without it; peers may not be waited for until then.
    pub(super) dry: Instant,
    /// How long it plays, where that is known.
    pub(super) plays: Duration,
    /// Whether a player waits for it that has nothing yet.
    pub(super) urgent: bool,
}

impl Due {
    /// It is needed sooner.
    pub(super) fn hasten(&mut self, other: Self) {
        (self.at, self.dry) = (self.at.min(other.at), self.dry.min(other.dry));
        self.plays = self.plays.max(other.plays);
    }
}

impl Machine {
    /// Fetches what the streams in use will be asked for next.
    pub(super) fn fetch_ahead(&mut self) {
        let awaited = self.is_awaited();
        if awaited {
            self.leave_behind();
        } else if self.awaited && !self.shares() && !self.is_witness() {
            self.ahead_from = self.now + limits::stream::TURN;
        }
        self.awaited = awaited;
        self.end_endless();
        self.take_reached(true);
        while self.may_fetch_ahead() {
            let Some(wanted) = self.timeline.poll_wanted(self.now) else { break };
            let origin = usize::from(wanted.locator.origin.0);
            let worth = self.health.get(origin).is_some_and(|h| h.is_worth_fetching_ahead());
            let shares = self.swarm.is_some();
            if worth && self.rule.governor.may_prefetch(shares, self.now) {
                self.fetch_segment(wanted);
            }
        }
        // Who watches a film has what it has reached; what comes next it can be given.
        self.take_reached(false);
    }

    /// Whether the next segment may be fetched ahead: one after the other, and none while a player
    /// waits for the origin, since on a narrow line all else takes from what it needs first; nor
    /// just after it, while it chooses what to ask for next. A witness fetches several at once.
    pub(super) fn may_fetch_ahead(&self) -> bool {
        let most = if self.is_witness() { self.witness_ahead() } else { 1 };
        let ahead = self.ahead().count() + self.growing();
        self.now >= self.ahead_from && ahead < most && !self.is_awaited()
    }

    /// Whether a witness may take what a player has reached: beside one that is late, too.
    pub(super) fn may_take_reached(&self) -> bool {
        self.now >= self.ahead_from && self.ahead().count() < self.witness_ahead().max(2)
    }

    /// What is fetched ahead of players.
    fn ahead(&self) -> impl Iterator<Item = &Fetch> {
        self.fetches.values().filter(|fetch| fetch.ask.ahead && !fetch.ask.is_of_swarm())
    }

    /// How many segments a witness fetches at once: as many as keep the line busy over the way to
    /// the origin, since each more is in the way of who begins. On a line that others fill, no
    /// other one is begun while one is late; nor is one waited for that stands still.
    fn witness_ahead(&self) -> usize {
        let Some(scheduler) = self.swarm.as_ref().map(|swarm| &swarm.scheduler) else { return 1 };
        let plays = scheduler.plays();
        let is_late = |fetch: &Fetch| {
            let takes = self.now - fetch.begun;
            takes > plays && takes < plays * STILL
        };
        let several = BUSY.as_micros() / scheduler.takes().as_micros().max(1);
        let several = usize::try_from(several).map_or(WITNESS_AHEAD, |n| n.clamp(1, WITNESS_AHEAD));
        if self.ahead().any(is_late) { 1 } else { several }
    }

    /// When something may be fetched ahead again, or will exist that can be.
    pub(super) fn ahead_timeout(&self) -> Option<Instant> {
        if self.now < self.ahead_from {
            return self.timeline.is_played().then_some(self.ahead_from);
        }
        self.timeline.poll_timeout().filter(|_| self.may_fetch_ahead())
    }

    /// Whether anything is shared with anybody now.
    fn shares(&self) -> bool {
        let near = |link: &Link| {
            let mut reaches = self.config.origins.iter().filter_map(|origin| origin.share.reach());
            reaches.any(|reach| link.is_within(reach))
        };
        self.swarm.as_ref().is_some_and(|swarm| swarm.links.values().any(near))
    }

    /// Whether a player waits for a media segment that the origin is asked for.
    pub(super) fn is_awaited(&self) -> bool {
        let slow = |id: &FetchId| self.fetches.get(id).is_some_and(|fetch| self.is_slow(fetch));
        let by_swarm = |exchange: &Exchange| {
            let swarm = self.swarm.as_ref()?;
            let download = swarm.downloads.get(swarm.rows.get(&exchange.row?)?)?;
            let begins = download.due.urgent && download.fetches.is_empty();
            Some(begins || download.fetches.keys().any(slow))
        };
        let comes = |exchange: &Exchange| {
            exchange.fetch.as_ref().is_some_and(slow) || by_swarm(exchange) == Some(true)
        };
        self.exchanges.values().any(|exchange| exchange.is_media && comes(exchange))
    }

    /// Whether a fetch has so much before it that others would hurt it. Peers find each other's
    /// segments by seeking ahead, so with them one that is quickly over is not waited for.
    fn is_slow(&self, fetch: &Fetch) -> bool {
        let left = || {
            let stream = fetch.stream?;
            let came = (stream.upto - stream.at).checked_sub(limits::block::BLOCK)?;
            let left = stream.until?.saturating_sub(stream.upto);
            let took = u64::try_from((self.now - fetch.begun).as_micros()).ok()?;
            Some(Duration::from_micros(took.saturating_mul(left) / (came + limits::block::BLOCK)))
        };
        let listed = self.timeline.listed(&fetch.ask.locator, fetch.ask.span());
        let kin = listed.as_ref().and_then(|listed| self.kin_of(listed));
        let shared = listed.filter(|_| kin.is_some_and(|kin| self.is_shared(kin)));
        shared.zip(left()).is_none_or(|(listed, left)| left > listed.target / 4)
    }

    /// Ends what was fetched ahead and does not come: it would keep all else from being fetched.
    fn end_endless(&mut self) {
        let late = |fetch: &Fetch| {
            let is_alone = fetch.ask.ahead && fetch.followers.is_empty();
            is_alone && fetch.by == By::Origin && self.now - fetch.begun > limits::stream::ENDLESS
        };
        let late = self.fetches.iter().filter(|(_, fetch)| late(fetch)).map(|(id, _)| *id);
        for id in late.collect::<Vec<_>>() {
            self.put(Output::Cancel { fetch: id });
            self.forget(id);
        }
    }

    /// Ends what is on its way of renditions that their players have turned away from, unless
    /// most of it is here.
    fn leave_behind(&mut self) {
        if self.is_witness() {
            return;
        }
        let is_unused = |ask: &Ask| {
            let range = ask.part.or(ask.span());
            self.timeline.is_left(&ask.locator, range) && !self.is_asked_for((&ask.key, range))
        };
        let downloads = || self.swarm.iter().flat_map(|swarm| &swarm.downloads);
        let plain = |fetch: &Fetch| fetch.by == By::Origin && !fetch.ask.is_of_swarm();
        let alone = |id: &FetchId| !downloads().any(|(_, other)| other.fetches.contains_key(id));
        let unused = self.fetches.iter().filter(|(id, fetch)| {
            plain(fetch) && fetch.ask.ahead && alone(id) && is_unused(&fetch.ask)
        });
        let mut fetches: Vec<FetchId> = unused.map(|(id, _)| *id).collect();
        let ended = downloads().filter(|(_, download)| is_unused(&download.ask));
        let ended: Vec<_> = ended
            .map(|(resource, download)| {
                fetches.extend(download.fetches.keys());
                (*resource, download.segments(*resource))
            })
            .collect();
        for (resource, segments) in ended {
            self.end_download(resource);
            segments.into_iter().for_each(|segment| self.announce(segment));
        }
        fetches.into_iter().for_each(|id| self.stop(id));
    }

    /// Whether a player is being answered with a resource, or with bytes of this range of it.
    fn is_asked_for(&self, (key, range): (&Key, Option<ByteRange>)) -> bool {
        let meets = |exchange: &Exchange| {
            let both = range.zip(exchange.span());
            both.is_none_or(|(range, asked)| !range.overlap(asked).is_empty())
        };
        self.exchanges.values().any(|exchange| exchange.key == *key && meets(exchange))
    }

    /// Takes note of a player that left before it had all that it was promised.
    pub(super) fn note_hung_up(&mut self, exchange: &Exchange, sent: u64) {
        let whole = exchange.promised.map_or(exchange.fetch.is_none(), |promised| sent >= promised);
        if exchange.is_media && exchange.wants_content() && !whole {
            self.timeline.on_hung_up(&exchange.request.locator, exchange.span());
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
        let part = range.zip(stored.map(|entry| entry.row));
        if here || self.fetches.values().any(same) || range.is_some() && self.is_witness() {
            return;
        }
        if self.is_witness() && self.is_judged(&key) {
            return;
        }
        // It is asked for as a player asked last: its cookies open the door.
        let fields = match self.manners.get(&key.origin) {
            Some(fields) => fields.clone(),
            None if self.is_witness() => Fields::default(),
            None => return,
        };
        let mut ask = Ask::alone(key, locator, fields);
        ask.spec = range.map(|range| Spec::Span(range.start, range.end.saturating_sub(1)));
        let shared = self.may_ask_peers(&ask);
        if shared.is_some() {
            // Who signs it takes it now, not only when the player comes there.
            self.tell_witnesses(&ask.locator);
        }
        let target = shared.map_or(Duration::ZERO, |(.., target)| target);
        let long = if duration.is_zero() { target } else { duration };
        let held = self.timeline.held(&ask.locator, range, self.now).unwrap_or_default();
        // It is played when all before it is; the player asks for it somewhat earlier.
        let within = held + long.saturating_mul(between);
        let at = self.now + within.max(limits::swarm::PLAYING_DUE);
        let due = Due { at, dry: at, plays: long, urgent: false };
        let shared = shared.map(|(resource, kin, _)| (resource, kin, due));
        let begun = match (part, shared) {
            (Some((range, row)), shared) => self.grow_ahead(ask, (row, range), shared),
            (None, Some(shared)) => {
                self.download(ask, None, shared);
                true
            }
            (None, None) => {
                self.begin(ask, None);
                true
            }
        };
        self.report.add(Counter::Prefetches, u64::from(begun));
    }

    /// How soon a segment is due that a player waits for.
    /// What the player says of itself counts (CTA-5004: `dl`, `bl`, `su`, `bs`), else what its
    /// requests tell.
    pub(super) fn due_now(&self, id: ExchangeId, (topic, target): (Digest, Duration)) -> Due {
        let Some(exchange) = self.exchanges.get(&id) else {
            return Due { at: self.now, dry: self.now, plays: target, urgent: true };
        };
        let request = &exchange.request;
        let cmcd = Cmcd::of(&request.locator.target, &request.fields);
        let range = exchange.span();
        let told = self.timeline.held(&request.locator, range, self.now).unwrap_or_default();
        let held = cmcd.deadline.or(cmcd.buffer).unwrap_or(told.saturating_sub(target));
        let urgent = cmcd.startup || cmcd.starved || held < target / 2;
        let dry = (held * 3 / 4).max(limits::swarm::PLAYING_DUE);
        let within = dry.min(self.patience(topic));
        Due { at: self.now + within, dry: self.now + dry, plays: target, urgent }
    }
}

/// Fetches ahead of a witness under way at once.
const WITNESS_AHEAD: usize = 4;

/// How much a witness has under way.
const BUSY: Duration = Duration::from_millis(250);

/// A fetch that takes so many times as long as its segment plays stands still, and is not slow.
const STILL: u32 = 4;
