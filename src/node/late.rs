//! Segments that come slower than they play: nothing fails, and the picture stalls all the same.

use core::time::Duration;

use super::exchange::Exchange;
use super::machine::Machine;
use super::report::{Counter, FaultKind, Source};
use crate::base::digest::Digest;
use crate::base::id::{FetchId, RowId};
use crate::base::map::Map;
use crate::base::units;
use crate::base::url::without_query;
use crate::wire::cmcd::Cmcd;
use crate::wire::plan::Kind;

/// The renditions whose last segments came late.
#[derive(Debug, Default)]
pub(super) struct Lates(Map<Digest, Late>);

/// Segments of one rendition that came late, one behind the other.
#[derive(Clone, Copy, Debug, Default)]
struct Late {
    times: u8,
    bytes: u64,
    took: Duration,
    /// Bytes that had come from all origins when the first of them was whole, less its own.
    before: u64,
}

impl Machine {
    /// Bytes came into a row.
    pub(super) fn note_came(&mut self, row: RowId, by: Source, bytes: u64) {
        let now = self.now;
        self.change_row(row, |row| {
            row.came = now;
            match by {
                Source::Peers => row.peers += bytes,
                Source::Cache | Source::Origin => row.origin += bytes,
            }
        });
    }

    /// What a fetch brings had to wait for its readers, or for memory: it says nothing of the line.
    pub(super) fn note_held_up(&mut self, id: FetchId) {
        let followers = self.fetches.get(&id).map(|fetch| &fetch.followers);
        for exchange in followers.into_iter().flatten() {
            if let Some(exchange) = self.exchanges.get_mut(exchange) {
                exchange.holds_up = true;
            }
        }
    }

    /// A player says that its picture stood still before it asked for this.
    pub(super) fn note_starved(&mut self, exchange: &Exchange) {
        let locator = &exchange.request.locator;
        let said = || Cmcd::of(&locator.target, &exchange.request.fields);
        if exchange.is_media && said().starved {
            self.report.add(Counter::PlayerStalls, 1);
            let text =
                format!("{}: a player says that its picture stood still.", self.name_of(locator));
            let path = without_query(&locator.target);
            self.report.fault_at(FaultKind::Player, (&text, path), self.now);
        }
    }

    /// A player has got a segment: whether it came as fast as it plays.
    pub(super) fn note_in_time(&mut self, exchange: &Exchange, sent: u64) {
        let whole = exchange.promised.is_some_and(|promised| sent >= promised && sent > 0);
        if !exchange.is_media || !exchange.wants_content() || !whole {
            return;
        }
        let locator = &exchange.request.locator;
        let listed = self.timeline.listed(locator, exchange.span());
        let Some(listed) = listed.filter(|listed| listed.kind == Kind::Media) else { return };
        let (plays, took) = (listed.target, self.now - exchange.asked);
        // What is made while it is sent, as at the live edge, takes as long as it plays.
        let late = took > plays + plays / 5 && !plays.is_zero() && self.is_waiting(exchange);
        if !late && self.lates.0.is_empty() {
            return;
        }
        let origin = locator.origin;
        let parts = [&*listed.playlist.target, "\0", listed.rendition];
        let name = Digest::of_parts(
            core::iter::once(&origin.0.to_be_bytes()[..]).chain(parts.map(str::as_bytes)),
        );
        let health = self.health.get_mut(usize::from(origin.0));
        if !late {
            if self.lates.0.remove(&name).is_some() {
                health.into_iter().for_each(|health| health.on_late(None));
            }
            return;
        }
        self.report.add(Counter::SegmentsLate, 1);
        if self.lates.0.len() >= RENDITIONS && !self.lates.0.contains_key(&name) {
            self.lates.0.clear();
        }
        let before = self.came.saturating_sub(sent);
        let first = Late { before, ..Late::default() };
        let now = self.lates.0.entry(name).or_insert(first);
        now.times = now.times.saturating_add(1);
        now.bytes = now.bytes.saturating_add(sent);
        now.took += took;
        let Late { times, bytes, took, before } = *now;
        if times < IN_A_ROW {
            return;
        }
        let beside = (self.came - before).saturating_sub(bytes);
        let text = if beside >= bytes { BESIDE } else { TEXT };
        health.into_iter().for_each(|health| health.on_late(Some(self.now)));
        let fault = format!("{}: {LATE}: {text}", self.name_of(locator));
        self.origin_fault(locator, &fault);
        if times == IN_A_ROW {
            let rate = |time: Duration| {
                let kilobits = u128::from(bytes) * 8_000 / time.as_micros().max(1);
                units::Rate(u64::try_from(kilobits).unwrap_or(u64::MAX).saturating_mul(1000))
            };
            let line = format!(
                "{}: the last {IN_A_ROW} segments came at {}, and play at {} or more: {LATE}: \
                 {text}",
                self.place_of(locator),
                rate(took),
                rate(plays * u32::from(IN_A_ROW)),
            );
            self.say(log::Level::Warn, line);
        }
    }

    /// Whether a player that has got all waited for the last of it, and was not the slow one.
    fn is_waiting(&self, exchange: &Exchange) -> bool {
        let row = exchange.row.and_then(|row| self.rows.get(&row));
        let at_once = row.is_some_and(|row| self.now - row.came < AT_ONCE);
        exchange.source != Source::Cache && at_once && !exchange.holds_up
    }
}

/// What the log and the faults say.
const LATE: &str = "segments come slower than they play, so the picture stalls";

/// Why, where nothing else is known.
const TEXT: &str = "the line, or the origin, is too slow for this rendition.";

/// Why, where not they alone filled the line.
const BESIDE: &str =
    "as much or more came beside them, for other players, for peers or fetched ahead.";

/// So many in a row are no chance.
const IN_A_ROW: u8 = 3;

/// A player that waits takes the last bytes as they come.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Renditions that are remembered.
const RENDITIONS: usize = 16;
