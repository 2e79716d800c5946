//! Answers of the 4xx kind that players get: an expired token, a blocked region, a wrong URL.

use super::machine::Machine;
use super::report::Counter;
use crate::base::id::{ExchangeId, FetchId};
use crate::base::url::Locator;
use crate::engine::timeline::answer::Life;

impl Machine {
    /// An origin answered with this status: those who wait for the fetch get the same.
    pub(super) fn note_answered(&mut self, id: FetchId, status: u16) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let players = fetch.followers.len() as u64;
        if status >= 400 {
            let locator = fetch.ask.locator.clone();
            self.note_denied(&locator, status, players);
        } else if self.is_segment(&fetch.ask.locator) {
            let origin = usize::from(fetch.ask.locator.origin.0);
            self.health.get_mut(origin).into_iter().for_each(|health| health.on_given());
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
        if status >= 500 || matches!(status, 412 | 416) || players == 0 {
            return;
        }
        self.report.add(Counter::PlayerDenials, players);
        let (word, why) = match status {
            401 => ("a login is missing", "a token or a login that is missing?"),
            403 => ("not allowed", "an expired token or a blocked region?"),
            404 | 410 => ("not found", "a wrong URL or a segment that is gone?"),
            429 => ("too many requests", "a limit of the CDN?"),
            _ => ("refused", "a wrong URL?"),
        };
        let answers = format!("answers {status} ({word})");
        let (place, is_media) = (self.place_of(locator), self.is_segment(locator));
        let text = format!("{} {answers} to what players ask: {why}", self.name_of(locator));
        self.origin_fault(locator, &text);
        let origin = usize::from(locator.origin.0);
        let Some(health) = self.health.get_mut(origin) else { return };
        let first = health.on_denied((&answers, is_media), place, self.now);
        let line = format!("{first}: the origin {answers}: the player gets the same");
        self.say(log::Level::Warn, line);
    }

    /// Whether a playlist lists it as a segment.
    pub(super) fn is_segment(&self, locator: &Locator) -> bool {
        matches!(self.timeline.lifetime(locator), Some(Life::Segment { .. }))
    }
}
