//! Why players get nothing that they could play although each connection works: an expired token,
//! a portal's page, a live playlist that stands still, or neap's own word to whom it refuses.

use super::event::{Arrival, Refusal};
use super::fetch::Ask;
use super::health::Thing;
use super::machine::Machine;
use super::report::{Counter, FaultKind};
use crate::base::id::{ExchangeId, FetchId};
use crate::base::url::Locator;
use crate::engine::timeline::answer::Life;
use crate::wire::playlist;

impl Machine {
    /// An origin answered: those who wait for the fetch get the same.
    pub(super) fn note_answered(&mut self, id: FetchId, arrival: &Arrival) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let (players, locator) = (fetch.followers.len() as u64, fetch.ask.locator.clone());
        let (status, thing) = (arrival.head.status, self.thing_of(&locator));
        if status >= 400 {
            self.note_denied(&locator, status, players);
        } else if let Some(found) = self.useless(&fetch.ask, arrival) {
            self.note_refused(&locator, found, players);
        } else if let Some(health) = self.health.get_mut(usize::from(locator.origin.0)) {
            health.on_given(thing);
        }
    }

    /// What comes in place of what a player could play, and why that may be; none where nothing
    /// speaks against it.
    pub(super) fn useless(
        &self,
        ask: &Ask,
        arrival: &Arrival,
    ) -> Option<(&'static str, &'static str)> {
        let stated = arrival.head.fields.first("content-type");
        match self.thing_of(&ask.locator) {
            Thing::Other => None,
            _ if arrival.head.status != 200 || ask.method != "GET" => None,
            _ if stated.is_some_and(is_web_page) => {
                Some(("answers with a web page", "a portal that wants a login?"))
            }
            _ if arrival.length == Some(0) => {
                Some(("answers with nothing", "an encoder or a packager that has stopped?"))
            }
            _ => None,
        }
    }

    /// A player gets what is stored: that the origin denied it counts each time.
    pub(super) fn note_from_cache(&mut self, id: ExchangeId, status: u16) {
        if let Some(exchange) = self.exchanges.get(&id).filter(|_| status >= 400) {
            let locator = exchange.request.locator.clone();
            self.note_denied(&locator, status, 1);
        }
    }

    fn note_denied(&mut self, locator: &Locator, status: u16, players: u64) {
        // Those are about a player's own conditions and ranges (RFC 9110, 15.5.13 and 15.5.17).
        if status >= 500 || matches!(status, 412 | 416) {
            return;
        }
        self.report.add(Counter::PlayerDenials, players);
        if status == 404 && players > 0 && self.is_early(locator) {
            let line = "the origin answers 404 at the live edge: the player gets the same";
            self.say(log::Level::Debug, format!("{}: {line}", self.place_of(locator)));
            return;
        }
        let (word, why) = match status {
            401 => ("a login is missing", "a token or a login that is missing?"),
            403 => ("not allowed", "an expired token or a blocked region?"),
            404 | 410 => ("not found", "a wrong URL or a segment that is gone?"),
            429 => ("too many requests", "a limit of the CDN?"),
            _ => ("refused", "a wrong URL?"),
        };
        self.note_refused(locator, (&format!("answers {status} ({word})"), why), players);
    }

    /// Whether a player that was denied this may only have asked a moment too early: it is listed
    /// live, and no segment before it was denied. Counts it.
    fn is_early(&mut self, locator: &Locator) -> bool {
        let life = self.timeline.lifetime(locator);
        if !matches!(life, Some(Life::Segment { live: true, gone_at: None })) {
            return false;
        }
        let health = self.health.get_mut(usize::from(locator.origin.0));
        health.is_some_and(|health| health.on_early(self.now))
    }

    /// Players ask for something and get nothing that they could play.
    fn note_refused(&mut self, locator: &Locator, (answers, why): (&str, &str), players: u64) {
        if players == 0 {
            return;
        }
        let (place, thing) = (self.place_of(locator), self.thing_of(locator));
        let text = format!("{} {answers} to what players ask: {why}", self.name_of(locator));
        self.origin_fault(locator, &text);
        let origin = usize::from(locator.origin.0);
        let Some(health) = self.health.get_mut(origin) else { return };
        health.on_denied((answers, thing), self.now);
        let first = health.alike((answers, thing), place, self.now);
        let line = format!("{first}: the origin {answers}: the player gets the same");
        self.say(log::Level::Warn, line);
    }

    /// The port refused somebody: what is no fault of theirs, the owner is to know.
    pub(super) fn on_refused(&mut self, refusal: Refusal) {
        let (counter, text) = match refusal {
            Refusal::Malformed | Refusal::Slow => return self.report.add(Counter::Malformed, 1),
            Refusal::Host => (
                Counter::ForbiddenHost,
                "A request called this device by a name that [player] host-names does not have.",
            ),
            Refusal::Network => {
                (Counter::NotAllowed, "A device was refused: [player] allow has no network of it.")
            }
            Refusal::Crowd => (Counter::NotAllowed, "A connection was refused: all are in use."),
            Refusal::Origin => (
                Counter::UnknownOrigin,
                "A player asked for an origin that is not configured: paths begin with its name.",
            ),
        };
        self.report.add(counter, 1);
        self.fault(FaultKind::Player, text);
        self.say(log::Level::Warn, text.into());
    }

    /// A player asks for a playlist: whether a live one still goes on.
    pub(super) fn note_still(&mut self, locator: &Locator) {
        let Some((still, target)) = self.timeline.still(locator, self.now) else { return };
        let stands = still > STILL * target;
        let Some(health) = self.health.get_mut(usize::from(locator.origin.0)) else { return };
        if !stands && !health.is_still(self.now) {
            return;
        }
        health.on_still(stands.then_some(self.now));
        if stands {
            let text = "the live playlist stands still: an encoder or a packager that has stopped?";
            let line = format!("{}: {text}", self.place_of(locator));
            self.say(log::Level::Warn, line);
            let text = format!("{}: {text}", self.name_of(locator));
            self.origin_fault(locator, &text);
        }
    }

    /// What a resource is to players: by what came of it before, else by its name.
    pub(super) fn thing_of(&self, locator: &Locator) -> Thing {
        match self.timeline.lifetime(locator) {
            Some(Life::Segment { .. }) => Thing::Media,
            Some(Life::Playlist { .. }) => Thing::List,
            None if playlist::recognise(None, &locator.target).is_some() => Thing::List,
            Some(Life::Key) | None => Thing::Other,
        }
    }

    /// Whether a playlist lists it as a segment.
    pub(super) fn is_segment(&self, locator: &Locator) -> bool {
        self.thing_of(locator) == Thing::Media
    }
}

/// Whether a content type is that of a page for people (RFC 9110, 8.3.1).
fn is_web_page(stated: &str) -> bool {
    let essence = stated.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/html")
}

/// Target durations without a new segment after which a live playlist stands still; a server adds
/// one within one and a half (RFC 8216, 6.2.1).
const STILL: u32 = 3;
