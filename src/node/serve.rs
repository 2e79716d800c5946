//! Requests of players: answered from the cache, from a fetch under way, or by a new one.

use super::answer::{self, Making, Note, Part};
use super::event::{Output, Request};
use super::exchange::{Exchange, forwarded, forwarded_whole, to_ask};
use super::fetch::{Ask, By, Fetch};
use super::machine::Machine;
use super::report::{Counter, Source};
use crate::base::id::{ExchangeId, FetchId, RowId};
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::base::url::{Locator, identity};
use crate::engine::cache::evict::Slice;
use crate::engine::cache::index::{Entry, Key};
use crate::engine::cache::reuse::Reuse;
use crate::wire::http::conditions;
use crate::wire::http::fields::Fields;
use crate::wire::http::range::Spec;

impl Machine {
    /// A player asks.
    pub(super) fn on_request(&mut self, request: Request) {
        self.report.add(Counter::Requests, 1);
        self.wake();
        if self.ends_circle(&request) {
            return;
        }
        let id = request.exchange;
        let key = Key { origin: request.locator.origin, identity: self.identity(&request.locator) };
        let mut exchange = Exchange::new(request, key, self.now);
        if matches!(&*exchange.request.method, "GET" | "HEAD") {
            let (locator, range) = (exchange.request.locator.clone(), exchange.span());
            exchange.is_media = self.timeline.on_request(&locator, range, self.now);
            if exchange.directives.no_cache && self.is_settled(&locator, range) {
                exchange.directives.no_cache = false;
            }
            self.note_starved(&exchange);
            self.note_still(&locator);
            if exchange.is_media && exchange.may_share() {
                let fields = forwarded(&exchange.request.fields);
                self.manners.insert(locator.origin, fields);
            }
            self.exchanges.insert(id, exchange);
            self.tell_witnesses(&locator);
            self.serve(id);
        } else {
            self.exchanges.insert(id, exchange);
            self.pass(id, "method");
        }
    }

    /// Answers a GET or HEAD as the stored response allows.
    pub(super) fn serve(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        if conditions::is_for_origin(&exchange.request.fields) {
            return self.pass(id, "request");
        }
        let (key, directives) = (&exchange.key, exchange.directives);
        let found = self.index.find(key.origin, &key.identity, &exchange.request.fields);
        let Some(entry) = found else { return self.miss(id) };
        let row = entry.row;
        if self.rows.get(&row).is_some_and(|row| row.passes) {
            // What is in it is for those alone who read it now.
            return self.pass(id, "stale");
        }
        let ttl = ttl(entry, self.now);
        match entry.policy.reuse(&directives, self.now) {
            Reuse::Fresh | Reuse::Stale => {
                let note = Note { hit: Some(ttl), ..Note::default() };
                self.answer_from(id, row, note);
            }
            Reuse::StaleWhileRevalidate => {
                self.report.add(Counter::StaleServed, 1);
                let note = Note { hit: Some(ttl), ..Note::default() };
                self.answer_from(id, row, note);
                self.validate_beside(id, row);
            }
            Reuse::Validate => self.validate(id, row),
            Reuse::Unavailable => self.unavailable(id),
        }
    }

    /// Answers from a stored response; what of it is not here is fetched meanwhile.
    pub(super) fn answer_from(&mut self, id: ExchangeId, row: RowId, note: Note) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        // Another one who waited for the same may have found it unfit.
        let Some(entry) = self.index.entry(row) else { return self.miss(id) };
        let part = Part::of(entry, &exchange.request.fields, exchange.range());
        let content = exchange.wants_content();
        let wanted = part.bytes().filter(|_| content);
        let gap = wanted.and_then(|wanted| hole(entry, wanted));
        let here = wanted.map_or(0, |wanted| entry.present.len_in(wanted));
        if let (Some(gap), Some(wanted)) = (gap, wanted) {
            self.look_up(row, wanted);
            let whole = self.may_be_whole(row, (wanted, gap));
            if !whole || !self.fill(id, (row, gap), Bring::Streams) {
                // Nothing says that two parts belong together: the whole is asked for anew.
                self.drop_entry(row);
                return self.miss(id);
            }
        }
        if self.unasked.remove(&row) {
            self.report.add(Counter::PrefetchHits, 1);
        }
        // What came from the origin just now was counted when it was asked.
        let note = if note.hit.is_some() {
            self.count(id, (gap.is_some(), here));
            let partly = || Note::asked(if here > 0 { "partial" } else { "miss" });
            if gap.is_some() { Note { stored: true, ..partly() } } else { note }
        } else {
            note
        };
        self.send_from(id, row, (part, note));
    }

    /// Puts the answer together and lets the exchange follow its row.
    fn send_from(&mut self, id: ExchangeId, row: RowId, (part, note): (Part, Note)) {
        let (Some(exchange), Some(entry)) = (self.exchanges.get_mut(&id), self.index.entry(row))
        else {
            return;
        };
        let content = exchange.wants_content();
        let Some(lines) = self.lines.get(&row) else { return };
        let making =
            Making { lines, age: entry.policy.told_age(self.now).as_secs(), note, content };
        let mut answer = answer::from_entry(entry, part, &making);
        if let Some(wanted) = part.bytes().filter(|_| content) {
            (exchange.row, exchange.at) = (Some(row), wanted.start);
            let end = wanted.end.min(entry.length.unwrap_or(wanted.end));
            exchange.promised = (end < u64::MAX).then(|| end.saturating_sub(wanted.start));
            let last = end.saturating_sub(1);
            // A long read counts where it begins; what it passes counts as it is asked for.
            let slices = wanted.start / limits::block::SLICE
                ..=(last / limits::block::SLICE).max(wanted.start / limits::block::SLICE);
            for number in slices.take(HITS) {
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                self.memory.hit(Slice { row, number });
                self.disk.hit(Slice { row, number });
            }
            self.change_row(row, |row| row.readers += 1);
        }
        if note.hit.is_some() {
            self.set_pace(id, &mut answer);
            self.note_from_cache(id, answer.status);
        }
        self.put(Output::Answer { exchange: id, answer });
    }

    /// Counts an answer from what is stored; `gap`: some of it is missing, `here` bytes are not.
    fn count(&mut self, id: ExchangeId, (gap, here): (bool, u64)) {
        let counter = match (gap, here > 0) {
            (true, true) => Counter::PartialHits,
            (true, false) => Counter::Misses,
            (false, _) => Counter::Hits,
        };
        self.report.add(counter, 1);
        if !gap {
            self.set_source(id, Source::Cache);
        } else if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.here = here;
        }
    }

    /// Nothing is stored: joins a fetch of the same, or begins one.
    pub(super) fn miss(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if exchange.directives.only_if_cached {
            return self.unavailable(id);
        }
        self.report.add(Counter::Misses, 1);
        exchange.misses += 1;
        if !exchange.wants_content() || exchange.misses > MISSES {
            // What the origin answers is of no use to us again and again: the player judges it.
            return self.pass(id, "uri-miss");
        }
        let exchange = &*exchange;
        let spec = exchange.spec();
        let same = |fetch: &&Fetch| fetch.may_be_joined(&exchange.key, spec);
        let under_way = self.fetches.iter().find(|(_, fetch)| same(fetch));
        let under_way = under_way.filter(|_| exchange.may_share());
        let under_way = under_way.map(|(id, fetch)| (*id, fetch.by));
        if under_way.is_some() {
            self.report.add(Counter::Collapsed, 1);
        }
        if let Some((fetch, By::Origin)) = under_way {
            return self.wait_for(id, fetch);
        }
        let mut ask = Ask::new(exchange, forwarded(&exchange.request.fields));
        ask.set_range(exchange);
        ask.shared = exchange.may_share();
        if let Some((resource, kin, target)) = self.may_ask_peers(&ask) {
            let due = self.due_now(id, (kin.topic, target));
            // What was wanted ahead of the player is due sooner now.
            return self.download(ask, Some(id), (resource, kin, due));
        }
        match under_way {
            Some((fetch, _)) => self.wait_for(id, fetch),
            None => drop(self.begin(ask, Some(id))),
        }
    }

    /// Lets the origin say whether a stored response still holds.
    fn validate(&mut self, id: ExchangeId, row: RowId) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let under_way = self.fetches.iter().find(|(_, fetch)| fetch.validates(row));
        if let Some((fetch, _)) = under_way.filter(|_| exchange.may_share()) {
            let fetch = *fetch;
            self.report.add(Counter::Collapsed, 1);
            return self.wait_for(id, fetch);
        }
        let mut ask = Ask::new(exchange, forwarded(&exchange.request.fields));
        ask.method = "GET".into();
        ask.set_range(exchange);
        ask.shared = exchange.may_share();
        ask.validates = Some(row);
        self.begin(ask, Some(id));
    }

    /// The same, while the player has its answer (RFC 5861, 3).
    fn validate_beside(&mut self, id: ExchangeId, row: RowId) {
        if self.fetches.values().any(|fetch| fetch.validates(row)) {
            return;
        }
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let mut ask = Ask::new(exchange, forwarded(&exchange.request.fields));
        ask.method = "GET".into();
        ask.shared = exchange.may_share();
        ask.validates = Some(row);
        self.begin(ask, None);
    }

    /// Passes a request to the origin as it is; the answer is for this player alone.
    fn pass(&mut self, id: ExchangeId, why: &'static str) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let mut ask = Ask::new(exchange, forwarded_whole(&exchange.request.fields));
        ask.why = why;
        ask.passes = true;
        if let Some(length) = exchange.request.body {
            let row = self.new_row(false);
            self.change_row(row, |row| row.writers += 1);
            ask.body = Some((row, length));
            self.put(Output::Upload { exchange: id, row });
        }
        self.begin(ask, Some(id));
    }

    /// Has the first hole of a row filled for an exchange; false where that cannot be done.
    pub(super) fn fill(
        &mut self,
        id: ExchangeId,
        (row, gap): (RowId, ByteRange),
        by: Bring,
    ) -> bool {
        if self.comes_by_swarm(id, (row, gap), by) {
            return true;
        }
        if let Some(fetch) = self.filling(row, gap.start, by) {
            self.join(id, fetch);
            return true;
        }
        if by == Bring::Streams && self.grow_for(id, (row, gap)) {
            return true;
        }
        let (Some(exchange), Some(entry)) = (self.exchanges.get(&id), self.index.entry(row)) else {
            return false;
        };
        let Some(length) = entry.length else { return false };
        if entry.status != 200 || if_range(entry).is_none() {
            return false;
        }
        let ask_for = to_ask(gap, length);
        let mut ask = Ask::new(exchange, forwarded(&exchange.request.fields));
        ask.method = "GET".into();
        ask.fills = Some(row);
        ask.spec = Some(Spec::Span(ask_for.start, ask_for.end - 1));
        let fetch = self.begin(ask, None);
        self.join(id, fetch);
        true
    }

    /// Whether all of `wanted` can come into a row: parts of it may be asked for, or what is on
    /// its way brings the last of it too. An answer that has begun can't be taken back.
    fn may_be_whole(&self, row: RowId, (wanted, gap): (ByteRange, ByteRange)) -> bool {
        let Some(entry) = self.index.entry(row) else { return false };
        if if_range(entry).is_some() || self.is_proven(row, wanted) {
            return true;
        }
        let length = entry.length.unwrap_or(wanted.end);
        let rest = |from: u64| ByteRange::new(from.min(wanted.end), wanted.end.min(length));
        let streams = self.fetches.values().filter_map(|fetch| fetch.stream);
        let streams = streams.filter(|stream| stream.row == row && stream.upto <= gap.start);
        let mut ends = streams.map(|stream| stream.until.unwrap_or(u64::MAX));
        ends.any(|until| hole(entry, rest(until)).is_none())
    }

    /// A fetch that brings byte `at` of a row soon.
    pub(super) fn filling(&self, row: RowId, at: u64, by: Bring) -> Option<FetchId> {
        let brings = |fetch: &Fetch| match (&fetch.stream, fetch.ask.fills, fetch.ask.spec) {
            // What it has brought already and what has gone since, it does not bring again.
            (Some(stream), ..) => {
                let until = stream.until.unwrap_or(u64::MAX);
                let near = at <= stream.upto.saturating_add(limits::cache::AHEAD);
                let coming = stream.upto <= at && at < until && near;
                (by == Bring::Streams || stream.held) && stream.row == row && coming
            }
            (None, Some(fills), Some(Spec::Span(first, last))) => {
                fills == row && first <= at && at <= last && at - first <= limits::cache::AHEAD
            }
            _ => false,
        };
        self.fetches.iter().find(|(_, fetch)| brings(fetch)).map(|(id, _)| *id)
    }

    /// An exchange no longer depends on any fetch.
    pub(super) fn depart(&mut self, id: ExchangeId) {
        let before = self.exchanges.get_mut(&id).and_then(|exchange| exchange.fetch.take());
        if let Some(fetch) = before {
            self.leave_fetch(fetch, id);
        }
    }

    /// The player wants nothing but what is stored, and it is not (RFC 9111, 5.2.1.7).
    fn unavailable(&mut self, id: ExchangeId) {
        let text = "It is not in the cache, and the player wants nothing else.";
        self.answer_sentence(id, 504, text);
    }

    /// Answers by a sentence.
    pub(super) fn answer_sentence(&mut self, id: ExchangeId, status: u16, text: &str) {
        if status >= 500 {
            self.report.add(Counter::PlayerErrors, 1);
        }
        let answer = answer::sentence(status, text, Note::default());
        self.put(Output::Answer { exchange: id, answer });
    }

    /// Cuts an answered exchange whose rest will not come.
    pub(super) fn cut(&mut self, id: ExchangeId) {
        self.report.add(Counter::AnswersCut, 1);
        self.put(Output::Cut { exchange: id });
    }

    /// What a resource is kept under: its target without named tokens.
    pub(super) fn identity(&self, locator: &Locator) -> String {
        let ignored = self.ignored.get(&locator.origin).map_or(&[][..], Vec::as_slice);
        identity(&locator.target, ignored)
    }
}

/// What may bring a byte that is not here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bring {
    /// Bodies on their way, and requests.
    Streams,
    /// Requests alone: the store says that no body under way brings it, as when it came and
    /// had to make room before it was read.
    Requests,
}

/// The first part of `wanted` that is in neither tier.
pub(super) fn hole(entry: &Entry, wanted: ByteRange) -> Option<ByteRange> {
    let end = wanted.end.min(entry.length.unwrap_or(u64::MAX));
    let mut at = wanted.start;
    loop {
        let gap = entry.present.first_gap(ByteRange::new(at, end))?;
        let stored = entry.on_disk.run_end(gap.start);
        if stored == gap.start {
            let next = entry.on_disk.first_gap(gap).unwrap_or(gap);
            return Some(ByteRange::new(gap.start, next.end));
        }
        at = stored;
    }
}

/// The validator that joins parts of a representation (RFC 9110, 13.1.5): a strong entity tag,
/// or a date that is strong.
pub(super) fn if_range(entry: &Entry) -> Option<&str> {
    strong(&entry.fields)
}

/// The same of a response.
pub(super) fn strong(fields: &Fields) -> Option<&str> {
    match conditions::EntityTag::of(fields) {
        Some(tag) if !tag.weak => fields.first("etag"),
        Some(_) => None,
        None => conditions::strong_date(fields).and_then(|_| fields.first("last-modified")),
    }
}

fn ttl(entry: &Entry, now: crate::base::time::Instant) -> i64 {
    let until = entry.policy.fresh_until();
    let seconds = |time: core::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    if until >= now { seconds(until - now) } else { -seconds(now - until) }
}

/// Slices whose popularity one request raises.
const HITS: usize = 16;

/// How often an exchange is looked for something to share before it asks for itself alone.
const MISSES: u8 = 2;
