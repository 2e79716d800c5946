//! A response that stands for itself: stored and shared, or passed on to the one who asked.

use super::answer::{self, Note};
use super::event::{Arrival, Output};
use super::exchange::{forwarded, selecting};
use super::fetch::{Ask, By, Stream};
use super::machine::Machine;
use super::report::Counter;
use super::serve::strong;
use crate::base::id::{ExchangeId, FetchId, RowId};
use crate::base::limits;
use crate::base::range::{ByteRange, RangeSet};
use crate::base::set::Set;
use crate::engine::cache::freshness::Policy;
use crate::engine::cache::index::{Entry, Key};
use crate::engine::cache::merge::{self, Bearing};
use crate::wire::http::conditions;
use crate::wire::http::fields::Fields;
use crate::wire::http::range::ContentRange;

impl Machine {
    /// Stores a response and answers those who wait for it.
    pub(super) fn store(&mut self, id: FetchId, (key, policy): (Key, Policy), arrival: &Arrival) {
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
        let (ask, by) = (fetch.ask.clone(), fetch.by);
        let is_closed = self.is_by_credential((&fetch.ask, fetch.by), &head.fields);
        let first = fetch.waiting.first().copied();
        let part = ByteRange::new(at, at.saturating_add(arrival.length.unwrap_or(u64::MAX)));
        if head.status == 206 && strong(&head.fields).is_none() {
            // Nothing would say that another part belongs to it.
            let first = first.and_then(|id| self.exchanges.get(&id));
            if first.is_some_and(|first| !part.covers(first.wanted(length))) {
                return self.pass_on(id, arrival);
            }
        }
        let fields = merge::stored(&head.fields, self.date());
        let lines = answer::lines(&fields, &ask.locator, &self.places);
        let part = matches!(head.status, 200 | 206);
        let known = part.then(|| self.whole_of((&key, &ask), &fields, length)).flatten();
        let row = match known {
            Some(row) => {
                self.index.change(row, |entry| (entry.fields, entry.policy) = (fields, policy));
                row
            }
            None => {
                let mut present = RangeSet::new();
                if ask.adopts.is_some() {
                    present.insert(ByteRange::new(0, length.unwrap_or_default()));
                }
                let entry = Entry {
                    row: ask.adopts.unwrap_or_else(|| self.new_row(true)),
                    status: if head.status == 206 { 200 } else { head.status },
                    selecting: selecting(&ask.fields, &head.fields),
                    fields,
                    policy,
                    length,
                    present,
                    on_disk: RangeSet::new(),
                };
                self.insert(key, entry)
            }
        };
        self.lines.insert(row, lines);
        if ask.ahead {
            self.unasked.insert(row);
        }
        let until = arrival.length.map(|length| at + length);
        if is_closed {
            // Parts of it may have been open before.
            self.forget_shareable(row);
        } else {
            self.note_segment(row, (&ask, length));
        }
        if by == By::Origin {
            self.take(id, Stream { row, at, upto: at, until, keep: true, held: false });
        }
        self.answer_waiting(id, row, (&ask, arrival));
    }

    /// Answers those who wait with what has just been stored.
    fn answer_waiting(&mut self, id: FetchId, row: RowId, (ask, arrival): (&Ask, &Arrival)) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        let (waiting, by) = (core::mem::take(&mut fetch.waiting), fetch.by);
        let first = waiting.first().copied();
        // Nobody else may have it without the origin's word (RFC 9111, 5.2.2.4).
        let is_personal = self.index.entry(row).is_some_and(|entry| {
            entry.policy.needs_validation() || entry.policy.fresh_until() <= self.now
        });
        for exchange in waiting {
            let other = self.exchanges.get(&exchange).is_some_and(|it| !ask.speaks_for(it));
            if is_personal && other {
                self.ask_alone(exchange, id);
                continue;
            }
            if by == By::Origin && ask.spec.is_some() && arrival.head.status == 200 {
                self.give_all(exchange, row);
            }
            self.answer_stored(exchange, row, (ask, arrival, first != Some(exchange)));
        }
    }

    /// The stored response that a new one is a part of: both go on as one, so that those who
    /// read the stored one are not left (RFC 9111, 3.4).
    fn whole_of(
        &mut self,
        (key, ask): (&Key, &Ask),
        fields: &Fields,
        length: Option<u64>,
    ) -> Option<RowId> {
        let entry = self.index.find(key.origin, &key.identity, &ask.fields)?;
        let same = entry.status == 200
            && length.is_some()
            && entry.length == length
            && conditions::are_parts_of_one(&entry.fields, fields);
        same.then_some(entry.row)
    }

    /// Takes a response into the index; what makes room for it goes.
    fn insert(&mut self, key: Key, entry: Entry) -> RowId {
        let (row, length) = (entry.row, entry.length);
        self.change_row(row, |row| row.stored = true);
        let busy: Set<RowId> =
            self.fetches.values().filter_map(|f| f.stream).map(|s| s.row).collect();
        let out = self.index.insert(key, entry, |row| busy.contains(&row));
        out.into_iter().for_each(|row| self.unstore(row));
        if let Some(length) = length {
            self.put(Output::End { row, length });
        }
        row
    }

    /// Answers one who waited with what has just been stored, if it is for it as well.
    fn answer_stored(
        &mut self,
        id: ExchangeId,
        row: RowId,
        (ask, arrival, collapsed): (&Ask, &Arrival, bool),
    ) {
        let fits = match (self.exchanges.get(&id), self.index.entry(row)) {
            (Some(exchange), Some(entry)) => {
                // As it was sent on: who asked must find what it asked for.
                entry.selecting.matches(&forwarded(&exchange.request.fields))
            }
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

    /// The origin gave all where a part was asked for. Who asked for one that is far into it gets
    /// all as well: what it promised would come only when all before it has.
    fn give_all(&mut self, id: ExchangeId, row: RowId) {
        let (Some(exchange), Some(entry)) = (self.exchanges.get_mut(&id), self.index.entry(row))
        else {
            return;
        };
        let hole = super::serve::hole(entry, exchange.wanted(entry.length));
        exchange.is_whole = hole.is_some_and(|hole| hole.start > limits::cache::AHEAD);
    }

    /// Passes a response on to the one whose fields were sent; the others ask for themselves, or
    /// are told of a server's error.
    pub(super) fn pass_on(&mut self, id: FetchId, arrival: &Arrival) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        let waiting = core::mem::take(&mut fetch.waiting);
        let ask = fetch.ask.clone();
        let status = arrival.head.status;
        let (first, others): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|exchange| ask.asker == Some(*exchange));
        let Some(first) = first.first().copied() else {
            self.ask_for_themselves(id, (others, status));
            return self.give_up(id);
        };
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
                let until = arrival.length;
                let stream = Stream { row, at: 0, upto: 0, until, keep: false, held: false };
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
        if status >= 500 {
            self.report.add(Counter::PlayerErrors, 1);
        }
        self.put(Output::Answer { exchange: first, answer });
        self.ask_for_themselves(id, (others, status));
    }

    /// Those who hoped for an answer that is another's.
    fn ask_for_themselves(&mut self, id: FetchId, (others, status): (Vec<ExchangeId>, u16)) {
        for exchange in others {
            if status >= 500 {
                // An origin in trouble is not asked once for each who waited.
                self.depart(exchange);
                self.answer_sentence(exchange, status, "The origin answers with an error.");
            } else {
                self.ask_alone(exchange, id);
            }
        }
    }

    /// An exchange that hoped for another's answer asks for itself.
    pub(super) fn ask_alone(&mut self, id: ExchangeId, hoped: FetchId) {
        if let Some(fetch) = self.fetches.get_mut(&hoped) {
            fetch.followers.remove(&id);
        }
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.fetch = None;
        let fields = forwarded(&exchange.request.fields);
        let mut ask = Ask::new(exchange, fields);
        ask.set_range(exchange);
        self.begin(ask, Some(id));
    }

    /// What an answer to an unsafe request, or to HEAD, says about what is stored.
    pub(super) fn invalidate(&mut self, id: FetchId, arrival: &Arrival) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let (ask, head) = (fetch.ask.clone(), &arrival.head);
        if ask.method == "HEAD" {
            let about = |entry: &Entry| {
                (entry.row, merge::bearing_of_head(&entry.fields, entry.length, &head.fields))
            };
            let found = self.index.find(ask.key.origin, &ask.key.identity, &ask.fields).map(about);
            match found {
                Some((row, Bearing::Updates)) if head.status == 200 => {
                    let _kept = self.refresh(row, &ask, arrival);
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
}
