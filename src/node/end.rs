//! The end of a fetch: whole, broken off and resumed, failed over, or answered from what is stale.

use super::answer::Note;
use super::event::Output;
use super::fetch::{Fetch, Stream};
use super::machine::Machine;
use super::report::{Counter, FaultKind, Source};
use super::serve::if_range;
use super::trouble::{Trouble, TroubleKind};
use crate::base::id::{ExchangeId, FetchId};
use crate::base::url::{Locator, without_query};
use crate::wire::http::range::Spec;

impl Machine {
    /// A fetch is over.
    pub(super) fn on_ended(&mut self, id: FetchId, end: Result<(), Trouble>) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let (locator, base) = (&fetch.ask.locator, fetch.base);
        let (is_media, origin) = (self.is_segment(locator), usize::from(locator.origin.0));
        if let (Some(_), Some(health)) = (fetch.stream, self.health.get_mut(origin)) {
            match &end {
                Ok(()) => health.on_whole(base, is_media),
                Err(trouble) => health.on_cut(base, is_media, (&trouble.cause, self.now)),
            }
        }
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
        let locator = fetch.ask.locator.clone();
        let place = self.place_of(&locator);
        if stream.held {
            // What it did not bring is asked for anew, block by block.
            self.say(log::Level::Warn, format!("{place} broke off: {trouble}"));
            return drop(self.forget(id));
        }
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
        self.trouble_fault(&locator, trouble);
        if !resumable {
            self.drop_entry(stream.row);
        }
        self.tell_failed(id, (trouble.kind.status(), trouble.kind.sentence()));
    }

    /// No answer came at all.
    fn on_failed(&mut self, id: FetchId, trouble: &Trouble) {
        self.report.add(Counter::OriginFailures, 1);
        let Some(fetch) = self.fetches.get(&id) else { return };
        let locator = fetch.ask.locator.clone();
        self.say_alike(&locator, &trouble.to_string());
        self.trouble_fault(&locator, trouble);
        if self.fail_over(id, &trouble.cause) || self.serve_stale(id) {
            return;
        }
        if trouble.kind == TroubleKind::Silent && self.ask_again(id) {
            return;
        }
        let Some(fetch) = self.fetches.get(&id) else { return };
        if let Some(resource) = fetch.resource.filter(|_| fetch.ask.sums) {
            self.drop_pending(resource);
        }
        self.tell_failed(id, (trouble.kind.status(), trouble.kind.sentence()));
    }

    /// Moves a fetch to another base URL of its origin; whether there is one.
    pub(super) fn fail_over(&mut self, id: FetchId, cause: &str) -> bool {
        let Some(fetch) = self.fetches.get(&id) else { return false };
        let origin = usize::from(fetch.ask.locator.origin.0);
        let thing = self.thing_of(&fetch.ask.locator);
        let Some(health) = self.health.get_mut(origin) else { return false };
        health.on_bad(fetch.base, (cause, thing), self.now);
        let again = fetch.may_repeat();
        let Some(other) = health.other(fetch.tried, self.now).filter(|_| again) else {
            // Whoever works has said that it is not there: that is the player's answer.
            let Some(absent) = fetch.absent else { return false };
            return self.send_again(id, |fetch| (fetch.base, fetch.absent) = (absent, None));
        };
        self.report.add(Counter::OriginFailovers, 1);
        self.send_again(id, |fetch| {
            fetch.base = other;
            fetch.tried |= 1 << (other % 32);
        })
    }

    /// Asks another base URL for what is not at this one, which may lag behind it; whether one is
    /// there that works. Streams that name each segment at both are one stream here, and their
    /// players cannot turn to the other by themselves.
    pub(super) fn look_elsewhere(&mut self, id: FetchId) -> bool {
        let Some(fetch) = self.fetches.get(&id).filter(|fetch| fetch.may_repeat()) else {
            return false;
        };
        let health = self.health.get(usize::from(fetch.ask.locator.origin.0));
        let other = health.and_then(|health| health.working(fetch.tried, self.now));
        let Some(other) = other else { return false };
        self.send_again(id, |fetch| {
            fetch.absent.get_or_insert(fetch.base);
            (fetch.base, fetch.tried) = (other, fetch.tried | 1 << (other % 32));
        })
    }

    /// Asks an origin that said nothing anew, for an answer or for the rest of a body, while a
    /// player waits for it; whether it does.
    ///
    /// A line that is gone for a while looks like that. Without us the player would wait as long
    /// as it likes, and many a player ends at the first 504.
    fn ask_again(&mut self, id: FetchId) -> bool {
        let may = |fetch: &Fetch| {
            fetch.may_repeat() && !fetch.followers.is_empty() && fetch.resumed < RESUMES
        };
        if !self.fetches.get(&id).is_some_and(may) {
            return false;
        }
        self.send_again(id, |fetch| fetch.resumed += 1)
    }

    /// Sends a fetch that brought nothing once more, changed, for whoever waits for it.
    pub(super) fn send_again(&mut self, id: FetchId, change: impl FnOnce(&mut Fetch)) -> bool {
        let Some(mut fetch) = self.fetches.remove(&id) else { return false };
        change(&mut fetch);
        let resource = fetch.resource;
        let next = self.send(fetch);
        let downloads = self.swarm.as_mut().map(|swarm| &mut swarm.downloads);
        let download = downloads.zip(resource).and_then(|(all, resource)| all.get_mut(&resource));
        if let Some(download) = download {
            if let Some(segments) = download.fetches.remove(&id) {
                download.fetches.insert(next, segments);
            }
        }
        true
    }

    /// Answers those who wait with what is stored although it is stale, where that is allowed
    /// (RFC 5861, 4; RFC 9111, 4.2.4); whether all could be.
    pub(super) fn serve_stale(&mut self, id: FetchId) -> bool {
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
            self.set_source(exchange, Source::Cache);
            self.answer_from(exchange, row, note);
        }
        true
    }

    fn trouble_fault(&mut self, locator: &Locator, trouble: &Trouble) {
        let text = format!("{}: {}", self.name_of(locator), trouble.kind.sentence());
        self.origin_fault(locator, &text);
    }

    /// Notes a fault of an origin that came at a path.
    pub(super) fn origin_fault(&mut self, locator: &Locator, text: &str) {
        let path = without_query(&locator.target);
        self.report.fault_at(FaultKind::Origin, (text, path), self.now);
    }

    /// Says what is wrong at a place; of what is alike at others the log counts the first.
    pub(super) fn say_alike(&mut self, locator: &Locator, what: &str) {
        let (place, thing) = (self.place_of(locator), self.thing_of(locator));
        let health = self.health.get_mut(usize::from(locator.origin.0));
        let first = health.map(|health| health.alike((what, thing), place, self.now));
        self.say(log::Level::Warn, format!("{}: {what}", first.unwrap_or_default()));
    }

    /// An origin's name, for people.
    pub(super) fn name_of(&self, locator: &Locator) -> &str {
        let origin = self.places.0.get(usize::from(locator.origin.0));
        origin.map_or("?", |place| &place.name)
    }

    /// An origin's name and a path without its query, for the log.
    pub(super) fn place_of(&self, locator: &Locator) -> String {
        format!("{}{}", self.name_of(locator), without_query(&locator.target))
    }
}

/// How often one body is resumed, and an origin that says nothing is asked again.
const RESUMES: u8 = 3;
