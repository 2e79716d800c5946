//! The head of an origin's answer: what it confirms, fills, replaces or begins.

use core::time::Duration;

use super::answer::{self, Note};
use super::event::{Arrival, Output};
use super::exchange::{Exchange, forwarded, selecting};
use super::fetch::{Ask, By, Stream};
use super::machine::Machine;
use super::report::{Counter, Source};
use crate::base::id::{FetchId, RowId};
use crate::base::range::ByteRange;
use crate::base::time::Instant;
use crate::base::url::{Locator, without_query};
use crate::engine::cache::freshness::{self, MediaRule, Times, Verdict};
use crate::engine::cache::index::Entry;
use crate::engine::cache::merge::{self, Bearing};
use crate::engine::timeline::answer::{self as stream_of, Life};
use crate::wire::http::conditions;
use crate::wire::http::range::{ContentRange, Spec};
use crate::wire::plan::Fault;
use crate::wire::playlist;

impl Machine {
    /// The head of an answer is here.
    pub(super) fn on_head(&mut self, arrival: &Arrival) {
        let id = arrival.fetch;
        let Some(fetch) = self.fetches.get(&id) else {
            return self.put(Output::Cancel { fetch: id });
        };
        if let Some(date) = arrival.date {
            self.dated = Some((self.now, date));
        }
        if fetch.ask.records.is_some() {
            return self.on_record_file(id, arrival);
        }
        if fetch.ask.sums {
            return self.on_sum(id, arrival);
        }
        let (status, origin) = (arrival.head.status, usize::from(fetch.ask.locator.origin.0));
        let thing = self.thing_of(&fetch.ask.locator);
        let down = matches!(status, 500 | 502 | 503 | 504);
        if down {
            let cause = format!("it answers {status}");
            self.report.add(Counter::OriginFailures, 1);
            let locator = fetch.ask.locator.clone();
            self.say_alike(&locator, &cause);
            let name = self.name_of(&locator);
            let text = format!("{name}: The origin answers with an error of its own: {status}.");
            self.origin_fault(&locator, &text);
            if self.fail_over(id, &cause) || self.serve_stale(id) {
                return self.put(Output::Cancel { fetch: id });
            }
        } else if let Some(health) = self.health.get_mut(origin) {
            health.on_good(fetch.base, thing);
            if matches!(status, 404 | 410) && self.look_elsewhere(id) {
                return self.put(Output::Cancel { fetch: id });
            }
            self.note_answered(id, arrival);
        }
        let Some(fetch) = self.fetches.get(&id) else { return };
        if let Some(warning) = arrival.warning {
            let path = without_query(&fetch.ask.locator.target).to_owned();
            let fate =
                if warning == Fault::Plan { "is not fetched ahead" } else { "passes untouched" };
            self.say(log::Level::Warn, format!("playlist {path} {fate}: {warning}"));
        }
        let Some(fetch) = self.fetches.get(&id) else { return };
        match (fetch.ask.validates, fetch.ask.fills) {
            (Some(row), _) if status == 304 => self.on_confirmed(id, row, arrival),
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
        let is_kept = self.refresh(row, &fetch.ask, arrival);
        for exchange in fetch.waiting {
            let fits = |entry: &Entry, exchange: &Exchange| {
                let chosen = entry.selecting.matches(&forwarded(&exchange.request.fields));
                chosen && (!entry.policy.needs_validation() || fetch.ask.speaks_for(exchange))
            };
            let both = self.index.entry(row).zip(self.exchanges.get(&exchange));
            let fits = is_kept && both.is_some_and(|(entry, exchange)| fits(entry, exchange));
            if !fits && fetch.ask.asker != Some(exchange) {
                self.ask_alone(exchange, id);
                continue;
            }
            let note = Note { status: Some(304), stored: true, ..Note::asked("stale") };
            self.report.add(Counter::Hits, 1);
            self.set_source(exchange, Source::Cache);
            self.answer_from(exchange, row, note);
        }
    }

    /// Brings a stored response's fields and freshness up to date; false where it may be stored no
    /// more, and is for the one alone who asked.
    pub(super) fn refresh(&mut self, row: RowId, ask: &Ask, arrival: &Arrival) -> bool {
        let date = self.date();
        let Some(entry) = self.index.entry(row) else { return false };
        let mut fields = entry.fields.clone();
        merge::update(&mut fields, &arrival.head.fields, date);
        let status = entry.status;
        let mut judged = fields.clone();
        // A confirmation has an age of its own when another cache gave it.
        if let Some(age) = arrival.head.fields.first("age") {
            judged.set("Age", age);
        }
        let times = self.times(arrival.requested);
        let verdict = freshness::judge(&freshness::Exchange {
            method: "GET",
            request: &ask.fields,
            status,
            response: &judged,
            times,
            media: self.media_rule(&ask.locator),
        });
        let lines = answer::lines(&fields, &ask.locator, &self.places);
        self.lines.insert(row, lines);
        let (Verdict::Keep(policy) | Verdict::Share(policy)) = verdict else {
            // Who asked reads it; whoever asks next has the origin's word first, or its answer.
            self.index.change(row, |entry| entry.policy.spoil());
            self.forget_shareable(row);
            return false;
        };
        let selecting = selecting(&ask.fields, &fields);
        let is_closed = self.is_by_credential((ask, By::Origin), &fields);
        if is_closed || selecting.is_selective() || policy.needs_validation() {
            self.forget_shareable(row);
        }
        self.index.change(row, |entry| {
            (entry.fields, entry.policy, entry.selecting) = (fields, policy, selecting);
        });
        true
    }

    /// The part that fills a hole, or proof that the whole has changed.
    fn on_filler(&mut self, id: FetchId, row: RowId, arrival: &Arrival) {
        let head = &arrival.head;
        let range = head.fields.first("content-range").and_then(ContentRange::parse);
        let Some(entry) = self.index.entry(row) else { return self.give_up(id) };
        if head.status >= 400 && head.status != 416 {
            // An error says nothing about what is stored (RFC 9111, 4.3.3).
            self.put(Output::Cancel { fetch: id });
            if head.status < 500 {
                self.resume_others(id);
            }
            return self.tell_failed(id, (head.status, "The origin answers with an error."));
        }
        let fits = match range {
            Some(ContentRange::Part(range, length)) => {
                let whole = length.is_none_or(|length| Some(length) == entry.length);
                (head.status == 206 && whole).then_some(range)
            }
            _ => None,
        };
        let ask = self.fetches.get(&id).map(|fetch| &fetch.ask);
        let begins = |range: &ByteRange| {
            let asked = ask.and_then(|ask| ask.spec);
            matches!(asked, Some(Spec::Span(first, _)) if first == range.start)
        };
        let held = !conditions::are_parts_of_one(&entry.fields, &head.fields);
        if head.status == 200 && !held && entry.length.is_some() && entry.length == arrival.length {
            // The origin knows no ranges: all comes again, up to where somebody waits for it.
            let until = entry.length;
            if let Some(fetch) = self.fetches.get_mut(&id) {
                fetch.ask.spec = None;
            }
            let stream = Stream { row, at: 0, upto: 0, until, keep: true, held };
            return self.take_filler(id, stream, &head.fields);
        }
        let may_join = !held || ask.is_some_and(|ask| self.may_be_proven(ask));
        let Some(range) = fits.filter(begins).filter(|_| may_join) else {
            // Those who follow the old one cannot go on with the new one's bytes.
            self.drop_entry(row);
            return self.give_up(id);
        };
        let (at, until) = (range.start, Some(range.end));
        self.take_filler(id, Stream { row, at, upto: at, until, keep: true, held }, &head.fields);
    }

    /// Whether the answer is a part of a playlist that nobody could tell by its name.
    fn is_part_of_playlist(&self, id: FetchId, arrival: &Arrival) -> bool {
        let stated = arrival.head.fields.first("content-type");
        let part = arrival.head.status == 206 && playlist::recognise(stated, "").is_some();
        part && self.fetches.get(&id).is_some_and(|fetch| !fetch.ask.passes)
    }

    /// Asks anew for all of what was asked for in part.
    fn ask_whole(&mut self, id: FetchId) {
        self.put(Output::Cancel { fetch: id });
        self.send_again(id, |fetch| fetch.ask.spec = None);
    }

    /// Ends a fetch whose answer is of no use, and cuts those who depend on it.
    pub(super) fn give_up(&mut self, id: FetchId) {
        self.put(Output::Cancel { fetch: id });
        let Some(fetch) = self.forget(id) else { return };
        for exchange in fetch.followers {
            if fetch.waiting.contains(&exchange) {
                self.miss(exchange);
            } else {
                self.answer_anew(exchange);
            }
        }
    }

    /// Ends a fetch that failed: who has had nothing of an answer is told, the others are cut.
    pub(super) fn tell_failed(&mut self, id: FetchId, (status, sentence): (u16, &str)) {
        let Some(fetch) = self.forget(id) else { return };
        for exchange in fetch.followers {
            if fetch.waiting.contains(&exchange) || self.free(exchange) {
                self.answer_sentence(exchange, status, sentence);
            } else {
                self.cut(exchange);
            }
        }
    }

    /// What one player is denied, others may be given: those whose cookies were not sent go on, and
    /// ask for themselves.
    fn resume_others(&mut self, id: FetchId) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let others = fetch.followers.iter().copied().filter(|id| {
            let is_other = self.exchanges.get(id).is_some_and(|other| !fetch.ask.speaks_for(other));
            is_other && !fetch.waiting.contains(id)
        });
        let others: Vec<_> = others.collect();
        for exchange in others {
            if let Some(fetch) = self.fetches.get_mut(&id) {
                fetch.followers.remove(&exchange);
                fetch.holes.retain(|waiting| *waiting != exchange);
            }
            if let Some(exchange) = self.exchanges.get_mut(&exchange) {
                exchange.fetch = None;
            }
            self.put(Output::Resume { exchange });
        }
    }

    /// Lets the body come into its row.
    pub(super) fn take(&mut self, id: FetchId, stream: Stream) {
        self.change_row(stream.row, |row| row.writers += 1);
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        (fetch.stream, fetch.begun, fetch.before) = (Some(stream), self.now, self.came);
        let Stream { row, at, held, .. } = stream;
        if held {
            // Those who wait go on with each block that is proven.
            return self.put(Output::Take { fetch: id, row, at, held });
        }
        let holes = core::mem::take(&mut fetch.holes);
        self.put(Output::Take { fetch: id, row, at, held });
        holes.into_iter().for_each(|exchange| self.put(Output::Resume { exchange }));
        let coming = ByteRange::new(stream.at, stream.until.unwrap_or(u64::MAX));
        let swarm = self.swarm.as_ref();
        if let Some(resource) = swarm.and_then(|swarm| swarm.rows.get(&stream.row).copied()) {
            self.resume(resource, coming);
        }
    }

    /// A response that stands for itself: stored where it may be, passed on where not.
    pub(super) fn on_response(&mut self, id: FetchId, arrival: &Arrival) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let (locator, key) = (fetch.ask.locator.clone(), fetch.ask.key.clone());
        let (passes, ahead) = (fetch.ask.passes, fetch.ask.ahead);
        if self.is_part_of_playlist(id, arrival) {
            return self.ask_whole(id);
        }
        self.invalidate(id, arrival);
        if let Some(plan) = &arrival.plan {
            let when = stream_of::Arrival { now: self.now, date: arrival.date };
            let repeated = self.timeline.on_plan(&locator, plan.clone(), when);
            self.on_repeated(&repeated);
            self.on_playlist(&locator);
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
        let length = match arrival.head.fields.first("content-range").map(ContentRange::parse) {
            Some(Some(ContentRange::Part(_, whole))) => whole,
            _ => arrival.length,
        };
        let fits = length.is_none_or(|length| length <= self.config.cache.max_object.0);
        // Of what an origin chooses by the asker's fields, no peer's answer is one's own.
        let is_own = selecting(&fetch.ask.fields, &arrival.head.fields).is_selective()
            || self.is_by_credential((&fetch.ask, fetch.by), &arrival.head.fields);
        let waits = fetch.ask.shared && fetch.waiting.len() > 1;
        let is_useless = self.useless(&fetch.ask, arrival).is_some();
        let keep = match verdict {
            _ if is_useless => None,
            Verdict::Keep(policy) if fits && !passes && !arrival.to_close => Some(policy),
            Verdict::Share(policy) if fits && waits && !arrival.to_close => Some(policy),
            _ => None,
        };
        if let Some(health) = self.health.get_mut(usize::from(locator.origin.0)) {
            // A live playlist between segments that cannot be kept says nothing of these.
            if matches!(media, MediaRule::Segment { .. } | MediaRule::LiveSegment(_)) && !passes {
                health.on_stored(keep.is_some());
            }
        }
        let Some(fetch) = self.fetches.get(&id) else { return };
        // A server's error says nothing about what is stored (RFC 9111, 4.3.3).
        if let Some(old) = fetch.ask.validates.filter(|_| arrival.head.status < 500 && !is_useless)
        {
            self.drop_entry(old);
        }
        // Peers are not asked for what cannot be kept, nor for what the origin denies this player.
        let is_kept = keep.is_some() && !is_own;
        self.note_kept(id, (arrival.head.status, is_kept));
        match keep {
            Some(policy) => self.store(id, (key, policy), arrival),
            None if ahead => self.give_up(id),
            None => self.pass_on(id, arrival),
        }
    }

    /// Names are listed for other segments than before: what is stored under them is the origin's
    /// to confirm, unless it said itself how long it holds, and no peer gets it.
    fn on_repeated(&mut self, repeated: &[Locator]) {
        for locator in repeated {
            let identity = self.identity(locator);
            let rows = self.index.variants(locator.origin, &identity).map(|entry| entry.row);
            for row in rows.collect::<Vec<_>>() {
                self.index.change(row, |entry| {
                    if !freshness::is_stated(&entry.fields) {
                        entry.policy.spoil();
                    }
                });
                self.forget_shareable(row);
            }
        }
    }

    pub(super) fn times(&self, requested: Instant) -> Times {
        Times { request_at: requested, response_at: self.now, date: self.date() }
    }

    fn media_rule(&self, locator: &Locator) -> MediaRule {
        match self.timeline.lifetime(locator) {
            Some(Life::Playlist { max_age: Some(max_age), .. }) => MediaRule::LivePlaylist(max_age),
            Some(Life::Playlist { .. }) => MediaRule::Playlist,
            None if playlist::recognise(None, &locator.target).is_some() => MediaRule::Playlist,
            None => MediaRule::None,
            Some(Life::Segment { live: true, .. }) => {
                let window = self.timeline.window(locator).unwrap_or(LIVE_SEGMENT);
                MediaRule::LiveSegment(window.min(LIVE_SEGMENT))
            }
            Some(Life::Segment { .. }) => MediaRule::Segment { lifetime: SEGMENT },
            Some(Life::Key) => MediaRule::Key,
        }
    }
}

/// How long a segment of a live window counts as fresh at most where its origin says nothing; it is
/// never written twice under one name (RFC 8216, 6.2.1), but by those who count in a ring.
const LIVE_SEGMENT: Duration = Duration::from_secs(120);

/// The same for a segment on demand.
const SEGMENT: Duration = Duration::from_secs(3600);
