//! Requests to origins: begun, shared by those who wait, resumed, failed over, ended.

use core::time::Duration;
use std::collections::BTreeSet;

use super::answer::{self, Note};
use super::event::{Arrival, Order, Output, Trouble};
use super::exchange::Exchange;
use super::machine::Machine;
use super::report::{Counter, FaultKind};
use super::serve::if_range;
use crate::base::id::{ExchangeId, FetchId, RowId};
use crate::base::limits;
use crate::base::range::RangeSet;
use crate::base::time::Instant;
use crate::base::url::{Locator, without_query};
use crate::engine::cache::freshness::{self, MediaRule, Policy, Times, Verdict};
use crate::engine::cache::index::{Entry, Key};
use crate::engine::cache::merge::{self, Bearing};
use crate::engine::cache::vary::Selecting;
use crate::engine::timeline::answer::{self as stream_of, Life};
use crate::wire::http::conditions;
use crate::wire::http::fields::Fields;
use crate::wire::http::range::{ContentRange, Spec};
use crate::wire::playlist;

/// What is asked of an origin and why.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) key: Key,
    pub(super) locator: Locator,
    pub(super) method: String,
    /// The player's fields, as they go to the origin.
    pub(super) fields: Fields,
    /// The range that is asked for.
    pub(super) spec: Option<Spec>,
    /// The row whose hole the answer fills.
    pub(super) fills: Option<RowId>,
    /// The stored response that the origin is to confirm.
    pub(super) validates: Option<RowId>,
    /// Whether other players may share the answer.
    pub(super) shared: bool,
    /// Whether the answer goes to one player as it is.
    pub(super) passes: bool,
    /// Whether it is fetched before a player asks.
    pub(super) ahead: bool,
    /// The row of the request's body.
    pub(super) body: Option<(RowId, Option<u64>)>,
    /// Why the cache did not do, in the words of RFC 9211.
    pub(super) why: &'static str,
}

/// A request to an origin under way.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    pub(super) ask: Ask,
    base: usize,
    /// Base URLs that were tried, as a bit set.
    tried: u32,
    /// How often its body was resumed.
    resumed: u8,
    /// Exchanges without an answer.
    pub(super) waiting: Vec<ExchangeId>,
    /// Exchanges that found a hole which this is to fill.
    pub(super) holes: Vec<ExchangeId>,
    /// Exchanges whose row this fills.
    pub(super) followers: BTreeSet<ExchangeId>,
    /// Its body, once the head is here.
    pub(super) stream: Option<Stream>,
}

/// A body on its way into a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) row: RowId,
    pub(super) at: u64,
    pub(super) upto: u64,
    pub(super) until: Option<u64>,
    pub(super) keep: bool,
}

impl Ask {
    /// What an exchange asks for.
    pub(super) fn new(exchange: &Exchange, fields: Fields) -> Self {
        Self {
            key: exchange.key.clone(),
            locator: exchange.request.locator.clone(),
            method: exchange.request.method.clone(),
            fields,
            spec: None,
            fills: None,
            validates: None,
            shared: false,
            passes: false,
            ahead: false,
            body: None,
            why: "uri-miss",
        }
    }
}

impl Fetch {
    /// Whether a request for `key` and `spec` may wait for this fetch's head.
    pub(super) fn may_be_joined(&self, key: &Key, spec: Option<Spec>) -> bool {
        let first = self.ask.fills.is_none() && self.ask.validates.is_none();
        let open = self.stream.is_none() && self.ask.shared && first;
        open && self.ask.key == *key && (self.ask.spec == spec || self.ask.spec.is_none())
    }

    /// Whether it asks if a stored response still holds.
    pub(super) fn validates(&self, row: RowId) -> bool {
        self.ask.validates == Some(row) && self.ask.shared && self.stream.is_none()
    }
}

impl Machine {
    /// Begins a fetch, for the exchange that waits for it if there is one.
    pub(super) fn begin(&mut self, ask: Ask, waiting: Option<ExchangeId>) -> FetchId {
        let origin = usize::from(ask.locator.origin.0);
        let base = self.health.get(origin).map_or(0, |health| health.choose(self.now));
        let fetch = Fetch {
            ask,
            base,
            tried: 1 << (base % 32),
            resumed: 0,
            waiting: Vec::new(),
            holes: Vec::new(),
            followers: BTreeSet::new(),
            stream: None,
        };
        let id = self.send(fetch);
        if let Some(exchange) = waiting {
            self.wait_for(exchange, id);
        }
        id
    }

    /// Sends a fetch's order under a new number.
    fn send(&mut self, fetch: Fetch) -> FetchId {
        self.report.add(Counter::OriginRequests, 1);
        let id = self.new_fetch();
        let ask = &fetch.ask;
        let mut fields = ask.fields.clone();
        if let Some(entry) = ask.validates.and_then(|row| self.index.entry(row)) {
            conditions::validate(&mut fields, &entry.fields);
        }
        if let Some(condition) = ask.fills.and_then(|row| if_range(self.index.entry(row)?)) {
            fields.set("If-Range", condition);
        }
        if let Some(spec) = ask.spec {
            fields.set("Range", spec.to_string());
        }
        let path = without_query(&ask.locator.target);
        let order = Order {
            fetch: id,
            locator: ask.locator.clone(),
            base: fetch.base,
            method: ask.method.clone(),
            fields,
            body: ask.body,
            format: playlist::recognise(None, path),
            hold: if ask.locator.target.contains("_HLS_msn=") { HOLD } else { Duration::ZERO },
        };
        for exchange in fetch.waiting.iter().chain(&fetch.followers) {
            if let Some(exchange) = self.exchanges.get_mut(exchange) {
                exchange.fetch = Some(id);
            }
        }
        self.fetches.insert(id, fetch);
        self.put(Output::Fetch(Box::new(order)));
        id
    }

    /// Lets an exchange wait for a fetch's head.
    pub(super) fn wait_for(&mut self, id: ExchangeId, fetch: FetchId) {
        self.join(id, fetch);
        if let Some(fetch) = self.fetches.get_mut(&fetch) {
            fetch.waiting.push(id);
        }
    }

    /// Lets an exchange depend on a fetch.
    pub(super) fn join(&mut self, id: ExchangeId, fetch: FetchId) {
        if let (Some(exchange), Some(under_way)) =
            (self.exchanges.get_mut(&id), self.fetches.get_mut(&fetch))
        {
            exchange.fetch = Some(fetch);
            under_way.followers.insert(id);
        }
    }

    /// An exchange no longer depends on a fetch; one that nobody needs is stopped, unless most
    /// of it is here.
    pub(super) fn leave_fetch(&mut self, id: FetchId, exchange: ExchangeId) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        fetch.followers.remove(&exchange);
        fetch.waiting.retain(|waiting| *waiting != exchange);
        fetch.holes.retain(|waiting| *waiting != exchange);
        if !fetch.followers.is_empty() || fetch.ask.ahead {
            return;
        }
        let worth_ending = match (&fetch.stream, fetch.ask.validates) {
            (Some(stream), _) => stream.until.is_some_and(|until| {
                let (here, left) = (stream.upto - stream.at, until.saturating_sub(stream.upto));
                stream.keep && left <= here && left <= limits::AHEAD
            }),
            // A confirmation costs a head and serves everybody.
            (None, Some(_)) => fetch.ask.shared,
            (None, None) => false,
        };
        if !worth_ending {
            self.put(Output::Cancel { fetch: id });
            self.forget(id);
        }
    }

    /// Takes a fetch out of the books.
    pub(super) fn forget(&mut self, id: FetchId) -> Option<Fetch> {
        let fetch = self.fetches.remove(&id)?;
        for exchange in &fetch.followers {
            if let Some(exchange) = self.exchanges.get_mut(exchange) {
                exchange.fetch = None;
            }
        }
        if let Some((row, _)) = fetch.ask.body {
            self.change_row(row, |row| row.writers = row.writers.saturating_sub(1));
        }
        if let Some(stream) = fetch.stream {
            self.change_row(stream.row, |row| row.writers = row.writers.saturating_sub(1));
            self.drop_if_useless(stream.row);
        }
        Some(fetch)
    }

    /// The head of an answer is here.
    pub(super) fn on_head(&mut self, arrival: Arrival) {
        let id = arrival.fetch;
        let Some(fetch) = self.fetches.get(&id) else {
            return self.put(Output::Cancel { fetch: id });
        };
        if let Some(date) = arrival.date {
            self.dated = Some((self.now, date));
        }
        let (status, origin) = (arrival.head.status, usize::from(fetch.ask.locator.origin.0));
        let down = matches!(status, 500 | 502 | 503 | 504);
        if down {
            let cause = format!("it answers {status}");
            if self.fail_over(id, &cause) || self.serve_stale(id) {
                return self.put(Output::Cancel { fetch: id });
            }
        } else if let Some(health) = self.health.get_mut(origin) {
            health.on_good(fetch.base);
        }
        let Some(fetch) = self.fetches.get(&id) else { return };
        if let Some(warning) = arrival.warning {
            let path = without_query(&fetch.ask.locator.target).to_owned();
            self.say(log::Level::Warn, format!("playlist {path} passes untouched: {warning}"));
        }
        let Some(fetch) = self.fetches.get(&id) else { return };
        match (fetch.ask.validates, fetch.ask.fills) {
            (Some(row), _) if status == 304 => self.on_confirmed(id, row, &arrival),
            (_, Some(row)) => self.on_filler(id, row, arrival),
            _ => self.on_response(id, arrival),
        }
    }

    /// The origin says that a stored response still holds (RFC 9111, 4.3.3).
    fn on_confirmed(&mut self, id: FetchId, row: RowId, arrival: &Arrival) {
        self.put(Output::Cancel { fetch: id });
        let Some(fetch) = self.forget(id) else { return };
        self.report.add(Counter::Revalidations, 1);
        let bears = self
            .index
            .entry(row)
            .map(|entry| merge::bearing_of_304(&entry.fields, &arrival.head.fields, true));
        if bears != Some(Bearing::Updates) {
            self.drop_entry(row);
            return fetch.waiting.into_iter().for_each(|exchange| self.miss(exchange));
        }
        self.refresh(row, &fetch.ask, arrival);
        for exchange in fetch.waiting {
            let note = Note { status: Some(304), stored: true, ..Note::asked("stale") };
            self.report.add(Counter::Hits, 1);
            self.set_source(exchange, super::report::Source::Cache);
            self.answer_from(exchange, row, note);
        }
    }

    /// Brings a stored response's fields and freshness up to date.
    fn refresh(&mut self, row: RowId, ask: &Ask, arrival: &Arrival) {
        let date = self.date();
        let Some(entry) = self.index.entry(row) else { return };
        let mut fields = entry.fields.clone();
        merge::update(&mut fields, &arrival.head.fields, date);
        let status = entry.status;
        let times = self.times(arrival.requested);
        let verdict = freshness::judge(&freshness::Exchange {
            method: "GET",
            request: &ask.fields,
            status,
            response: &fields,
            times,
            media: self.media_rule(&ask.locator),
        });
        let lines = answer::lines(&fields, &ask.locator, &self.places);
        match verdict {
            Verdict::Keep(policy) => {
                self.lines.insert(row, lines);
                self.index.change(row, |entry| (entry.fields, entry.policy) = (fields, policy));
            }
            // What was stored may no longer be; those who wait still get what was confirmed.
            Verdict::Pass(_) => {
                self.lines.insert(row, lines);
                self.index.change(row, |entry| entry.policy.spoil());
            }
        }
    }

    /// The part that fills a hole, or proof that the whole has changed.
    fn on_filler(&mut self, id: FetchId, row: RowId, arrival: Arrival) {
        let head = &arrival.head;
        let range = head.fields.first("content-range").and_then(ContentRange::parse);
        let Some(entry) = self.index.entry(row) else { return self.give_up(id) };
        let fits = match range {
            Some(ContentRange::Part(range, length)) => {
                let same = conditions::are_parts_of_one(&entry.fields, &head.fields);
                (head.status == 206 && same && length.is_none_or(|l| Some(l) == entry.length))
                    .then_some(range)
            }
            _ => None,
        };
        let asked = self.fetches.get(&id).and_then(|fetch| fetch.ask.spec);
        let begins =
            matches!((asked, fits), (Some(Spec::Span(first, _)), Some(r)) if r.start == first);
        let Some(range) = fits.filter(|_| begins) else {
            // Those who follow the old one cannot go on with the new one's bytes.
            self.drop_entry(row);
            return self.give_up(id);
        };
        let stream =
            Stream { row, at: range.start, upto: range.start, until: Some(range.end), keep: true };
        self.take(id, stream);
    }

    /// Ends a fetch whose answer is of no use, and cuts those who depend on it.
    fn give_up(&mut self, id: FetchId) {
        self.put(Output::Cancel { fetch: id });
        let Some(fetch) = self.forget(id) else { return };
        for exchange in fetch.followers {
            if fetch.waiting.contains(&exchange) { self.miss(exchange) } else { self.cut(exchange) }
        }
    }

    /// Lets the body come into its row.
    fn take(&mut self, id: FetchId, stream: Stream) {
        self.change_row(stream.row, |row| row.writers += 1);
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        fetch.stream = Some(stream);
        let holes = core::mem::take(&mut fetch.holes);
        self.put(Output::Take { fetch: id, row: stream.row, at: stream.at });
        holes.into_iter().for_each(|exchange| self.put(Output::Resume { exchange }));
    }

    /// A response that stands for itself: stored where it may be, passed on where not.
    fn on_response(&mut self, id: FetchId, arrival: Arrival) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let (locator, key) = (fetch.ask.locator.clone(), fetch.ask.key.clone());
        let (passes, ahead) = (fetch.ask.passes, fetch.ask.ahead);
        self.invalidate(id, &arrival);
        if let Some(plan) = &arrival.plan {
            self.timeline.on_plan(
                &locator,
                plan.clone(),
                stream_of::Arrival { now: self.now, date: arrival.date },
            );
        }
        let times = self.times(arrival.requested);
        let media = self.media_rule(&locator);
        let Some(fetch) = self.fetches.get(&id) else { return };
        let verdict = freshness::judge(&freshness::Exchange {
            method: &fetch.ask.method,
            request: &fetch.ask.fields,
            status: arrival.head.status,
            response: &arrival.head.fields,
            times,
            media,
        });
        let fits = arrival.length.is_none_or(|length| length <= self.config.cache.max_object.0);
        let keep = match verdict {
            Verdict::Keep(policy) if fits && !passes && !arrival.to_close => Some(policy),
            _ => None,
        };
        if let Some(health) = self.health.get_mut(usize::from(locator.origin.0)) {
            if media != MediaRule::Key && !passes {
                health.on_stored(keep.is_some());
            }
        }
        if let Some(old) = fetch.ask.validates {
            self.drop_entry(old);
        }
        match keep {
            Some(policy) => self.store(id, (key, policy), &arrival),
            None if ahead => self.give_up(id),
            None => self.pass_on(id, &arrival),
        }
    }

    /// Stores a response and answers those who wait for it.
    fn store(&mut self, id: FetchId, (key, policy): (Key, Policy), arrival: &Arrival) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let head = &arrival.head;
        let range = head.fields.first("content-range").and_then(ContentRange::parse);
        let (at, length) = match range {
            Some(ContentRange::Part(range, Some(length))) if head.status == 206 => {
                (range.start, Some(length))
            }
            _ if head.status == 206 => return self.pass_on(id, arrival),
            _ => (0, arrival.length),
        };
        let (ask, first) = (fetch.ask.clone(), fetch.waiting.first().copied());
        let row = self.new_row(true);
        let fields = merge::stored(&head.fields, self.date());
        self.lines.insert(row, answer::lines(&fields, &ask.locator, &self.places));
        let entry = Entry {
            row,
            status: if head.status == 206 { 200 } else { head.status },
            selecting: Selecting::of(&ask.fields, &head.fields),
            fields,
            policy,
            length,
            present: RangeSet::new(),
            on_disk: RangeSet::new(),
        };
        self.change_row(row, |row| row.stored = true);
        let busy: BTreeSet<RowId> =
            self.fetches.values().filter_map(|f| f.stream).map(|s| s.row).collect();
        let out = self.index.insert(key, entry, |row| busy.contains(&row));
        out.into_iter().for_each(|row| self.unstore(row));
        let until = arrival.length.map(|length| at + length);
        self.take(id, Stream { row, at, upto: at, until, keep: true });
        if let Some(length) = length {
            self.put(Output::End { row, length });
        }
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        let waiting = core::mem::take(&mut fetch.waiting);
        for exchange in waiting {
            let collapsed = first != Some(exchange);
            self.answer_stored(exchange, row, (&ask, arrival, collapsed));
        }
    }

    /// Answers one who waited with what has just been stored, if it is for it as well.
    fn answer_stored(
        &mut self,
        id: ExchangeId,
        row: RowId,
        (ask, arrival, collapsed): (&Ask, &Arrival, bool),
    ) {
        let fits = match (self.exchanges.get(&id), self.index.entry(row)) {
            (Some(exchange), Some(entry)) => entry.selecting.matches(&exchange.request.fields),
            _ => false,
        };
        if !fits {
            if let Some(fetch) = self.exchanges.get_mut(&id).and_then(|e| e.fetch.take()) {
                self.leave_fetch(fetch, id);
            }
            return self.miss(id);
        }
        let why = if ask.validates.is_some() { "stale" } else { ask.why };
        let status = Some(arrival.head.status);
        let note = Note { status, stored: true, collapsed, ..Note::asked(why) };
        self.answer_from(id, row, note);
    }

    /// Passes a response on to the one who asked first; the others ask for themselves.
    fn pass_on(&mut self, id: FetchId, arrival: &Arrival) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        let waiting = core::mem::take(&mut fetch.waiting);
        let ask = fetch.ask.clone();
        let mut waiting = waiting.into_iter();
        let Some(first) = waiting.next() else { return self.give_up(id) };
        let head = &arrival.head;
        let bodiless = ask.method == "HEAD" || matches!(head.status, 204 | 304);
        let mut fields = head.fields.clone();
        merge::strip_hop_by_hop(&mut fields);
        let lines = answer::lines(&fields, &ask.locator, &self.places);
        let why = if ask.validates.is_some() { "stale" } else { ask.why };
        let note = Note { status: Some(head.status), ..Note::asked(why) };
        let content = (!bodiless).then(|| self.new_row(false));
        let row = content.map(|row| (row, 0, arrival.length));
        let answer = answer::passed(head.status, (&head.fields, lines), note, row);
        match content {
            Some(row) => {
                let stream = Stream { row, at: 0, upto: 0, until: arrival.length, keep: false };
                self.take(id, stream);
                if let Some(length) = arrival.length {
                    self.put(Output::End { row, length });
                }
                if let Some(exchange) = self.exchanges.get_mut(&first) {
                    exchange.row = Some(row);
                }
                self.change_row(row, |row| row.readers += 1);
            }
            None => {
                self.put(Output::Cancel { fetch: id });
                self.forget(id);
            }
        }
        if arrival.head.status >= 500 {
            self.report.add(Counter::PlayerErrors, 1);
        }
        self.put(Output::Answer { exchange: first, answer });
        waiting.for_each(|exchange| self.ask_alone(exchange, id));
    }

    /// An exchange that hoped for another's answer asks for itself.
    fn ask_alone(&mut self, id: ExchangeId, hoped: FetchId) {
        if let Some(fetch) = self.fetches.get_mut(&hoped) {
            fetch.followers.remove(&id);
        }
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.fetch = None;
        let fields = super::exchange::forwarded(&exchange.request.fields);
        let mut ask = Ask::new(exchange, fields);
        ask.spec = exchange.spec();
        self.begin(ask, Some(id));
    }

    /// What an answer to an unsafe request, or to HEAD, says about what is stored.
    fn invalidate(&mut self, id: FetchId, arrival: &Arrival) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let (ask, head) = (fetch.ask.clone(), &arrival.head);
        if ask.method == "HEAD" {
            let about = |entry: &Entry| {
                (entry.row, merge::bearing_of_head(&entry.fields, entry.length, &head.fields))
            };
            let found = self.index.find(ask.key.origin, &ask.key.identity, &ask.fields).map(about);
            match found {
                Some((row, Bearing::Updates)) if head.status == 200 => {
                    self.refresh(row, &ask, arrival);
                }
                Some((row, Bearing::Contradicts)) if head.status == 200 => {
                    self.index.change(row, |entry| entry.policy.spoil());
                }
                _ => {}
            }
            return;
        }
        let Some(target) = self.places.url_of(&ask.locator) else { return };
        for url in merge::invalidated(&ask.method, head.status, &target, &head.fields) {
            if let Some(locator) = self.places.find(&url) {
                let identity = self.identity(&locator);
                let rows = self.index.invalidate(locator.origin, &identity);
                rows.into_iter().for_each(|row| self.unstore(row));
            }
        }
    }

    /// A fetch is over.
    pub(super) fn on_ended(&mut self, id: FetchId, end: Result<(), Trouble>) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        match (end, fetch.stream) {
            (Ok(()), Some(stream)) => {
                if stream.until.is_none() {
                    self.put(Output::End { row: stream.row, length: stream.upto });
                    let length = Some(stream.upto);
                    self.index.change(stream.row, |entry| entry.length = length);
                    self.complete_slices(stream.row, stream.at, stream.upto);
                }
                self.forget(id);
            }
            (Ok(()), None) => drop(self.forget(id)),
            (Err(trouble), Some(stream)) => self.on_broken(id, stream, &trouble),
            (Err(trouble), None) => self.on_failed(id, &trouble),
        }
    }

    /// A body broke off: it goes on where it stopped, if its parts can be told to belong
    /// together.
    fn on_broken(&mut self, id: FetchId, stream: Stream, trouble: &Trouble) {
        self.report.add(Counter::OriginFailures, 1);
        let Some(fetch) = self.fetches.get(&id) else { return };
        let place = self.place_of(&fetch.ask.locator);
        let resumable = self.index.entry(stream.row).is_some_and(|entry| {
            entry.length.is_some() && entry.status == 200 && if_range(entry).is_some()
        });
        let wanted = !fetch.followers.is_empty();
        let until = stream.until.filter(|until| *until > stream.upto);
        if let (true, true, Some(until), true) = (resumable, wanted, until, fetch.resumed < RESUMES)
        {
            let mut next = fetch.clone();
            self.say(log::Level::Info, format!("{place} broke off and goes on: {trouble}"));
            self.report.add(Counter::OriginResumes, 1);
            (next.stream, next.resumed) = (None, next.resumed + 1);
            next.ask.fills = Some(stream.row);
            next.ask.validates = None;
            next.ask.spec = Some(Spec::Span(stream.upto, until - 1));
            let origin = usize::from(next.ask.locator.origin.0);
            if let Some(other) = self.health.get(origin).and_then(|h| h.other(next.tried, self.now))
            {
                next.base = other;
                next.tried |= 1 << (other % 32);
            }
            // Its readers stay; they find the hole and are told when it is being filled.
            next.holes.clear();
            self.forget(id);
            self.send(next);
            return;
        }
        self.say(log::Level::Warn, format!("{place} broke off: {trouble}"));
        self.fault(FaultKind::Origin, trouble.kind.sentence());
        if !resumable {
            self.drop_entry(stream.row);
        }
        let followers = fetch_followers(self.forget(id));
        followers.into_iter().for_each(|exchange| self.cut(exchange));
    }

    /// No answer came at all.
    fn on_failed(&mut self, id: FetchId, trouble: &Trouble) {
        self.report.add(Counter::OriginFailures, 1);
        let Some(fetch) = self.fetches.get(&id) else { return };
        let place = self.place_of(&fetch.ask.locator);
        self.say(log::Level::Warn, format!("{place}: {trouble}"));
        self.fault(FaultKind::Origin, trouble.kind.sentence());
        if self.fail_over(id, &trouble.cause) || self.serve_stale(id) {
            return;
        }
        let Some(fetch) = self.forget(id) else { return };
        for exchange in fetch.followers {
            if fetch.waiting.contains(&exchange) {
                self.answer_sentence(exchange, trouble.kind.status(), trouble.kind.sentence());
            } else {
                self.cut(exchange);
            }
        }
    }

    /// Moves a fetch to another base URL of its origin; whether there is one.
    fn fail_over(&mut self, id: FetchId, cause: &str) -> bool {
        let Some(fetch) = self.fetches.get(&id) else { return false };
        let origin = usize::from(fetch.ask.locator.origin.0);
        let Some(health) = self.health.get_mut(origin) else { return false };
        health.on_bad(fetch.base, cause, self.now);
        let again = fetch.ask.body.is_none() && matches!(&*fetch.ask.method, "GET" | "HEAD");
        let Some(other) = health.other(fetch.tried, self.now).filter(|_| again) else {
            return false;
        };
        self.report.add(Counter::OriginFailovers, 1);
        let Some(mut fetch) = self.fetches.remove(&id) else { return false };
        fetch.base = other;
        fetch.tried |= 1 << (other % 32);
        self.send(fetch);
        true
    }

    /// Answers those who wait with what is stored although it is stale, where that is allowed
    /// (RFC 5861, 4; RFC 9111, 4.2.4); whether all could be.
    fn serve_stale(&mut self, id: FetchId) -> bool {
        let Some(fetch) = self.fetches.get(&id) else { return false };
        let Some(entry) = fetch.ask.validates.and_then(|row| self.index.entry(row)) else {
            return false;
        };
        let row = entry.row;
        let allowed = |exchange: &ExchangeId| {
            self.exchanges.get(exchange).is_none_or(|exchange| {
                let directives = &exchange.directives;
                entry.policy.may_serve_stale_on_error(directives, self.now)
                    || entry.policy.may_serve_disconnected(directives, self.now)
            })
        };
        if !fetch.waiting.iter().all(allowed) {
            return false;
        }
        let Some(fetch) = self.forget(id) else { return false };
        for exchange in fetch.waiting {
            self.report.add(Counter::StaleServed, 1);
            let note = Note { stored: true, ..Note::asked("stale") };
            self.set_source(exchange, super::report::Source::Cache);
            self.answer_from(exchange, row, note);
        }
        true
    }

    fn times(&self, requested: Instant) -> Times {
        Times { request_at: requested, response_at: self.now, date: self.date() }
    }

    fn media_rule(&self, locator: &Locator) -> MediaRule {
        match self.timeline.lifetime(locator) {
            Some(Life::Playlist { max_age: Some(max_age), .. }) => MediaRule::LivePlaylist(max_age),
            Some(Life::Playlist { .. }) | None => MediaRule::None,
            Some(Life::Segment { live, .. }) => {
                MediaRule::Segment { lifetime: if live { LIVE_SEGMENT } else { SEGMENT } }
            }
            Some(Life::Key) => MediaRule::Key,
        }
    }

    /// An origin's name and a path without its query, for the log.
    fn place_of(&self, locator: &Locator) -> String {
        let origin = self.places.0.get(usize::from(locator.origin.0));
        let name = origin.map_or("?", |place| &place.name);
        format!("{name}{}", without_query(&locator.target))
    }
}

fn fetch_followers(fetch: Option<Fetch>) -> BTreeSet<ExchangeId> {
    fetch.map(|fetch| fetch.followers).unwrap_or_default()
}

/// How long a server may hold a blocking playlist reload: three target durations of six
/// seconds (RFC 8216bis, 6.2.5.2).
const HOLD: Duration = Duration::from_secs(18);

/// How often one body is resumed.
const RESUMES: u8 = 3;

/// How long a segment of a live window counts as fresh where its origin says nothing; it is
/// never written twice under one name (RFC 8216, 6.2.1).
const LIVE_SEGMENT: Duration = Duration::from_secs(120);

/// The same for a segment on demand.
const SEGMENT: Duration = Duration::from_secs(3600);
