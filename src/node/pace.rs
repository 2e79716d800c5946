//! How fast a hit goes out, so that what the player measures is what more of it would come at.
//!
//! A player that gets a segment from memory measures gigabits, chooses the best rendition, and
//! stalls at the first segment that is not here. So a media segment that is a hit is given at the
//! rate that origin and peers were seen to sustain. It is never given so slowly that it could
//! hurt: not below one and a half times what it plays at, and at once while the player holds
//! little.

use core::time::Duration;

use super::event::{Answer, Content};
use super::fetch::{Fetch, Stream};
use super::machine::Machine;
use crate::base::id::{ExchangeId, OriginId};
use crate::base::limits;
use crate::base::map::Map;
use crate::base::time::Instant;
use crate::base::units;
use crate::config::model::Pacing;
use crate::engine::schedule::rate::Rate;
use crate::wire::cmcd::{Cmcd, Object};
use crate::wire::cmsd::Dynamic;
use crate::wire::plan::Kind;

/// What was seen of the ways on which media comes here.
#[derive(Debug, Default)]
pub(super) struct Paces {
    origins: Map<OriginId, Meter>,
    peers: Meter,
}

/// One way: bytes of spans in which something was on it, so that bodies side by side count as
/// the one stream that they share.
#[derive(Debug)]
struct Meter {
    rate: Rate,
    /// The span that the last bytes belong to: when it began, when they came, how many.
    span: Option<(Instant, Instant, u64)>,
}

impl Default for Meter {
    fn default() -> Self {
        Self { rate: Rate::new(0), span: None }
    }
}

impl Meter {
    /// A body that began at `begun` is whole.
    fn on_body(&mut self, begun: Instant, bytes: u64, now: Instant) {
        let beside = self.span.filter(|(start, end, _)| begun < *end && now - *start < SPAN);
        if let Some((start, _, before)) = beside {
            self.span = Some((start.min(begun), now, before.saturating_add(bytes)));
        } else {
            self.close();
            self.span = Some((begun, now, bytes));
        }
    }

    /// Bytes came that belong to no body of their own.
    fn on_bytes(&mut self, bytes: u64, now: Instant) {
        match self.span.filter(|(_, last, _)| now - *last < PAUSE) {
            Some((start, _, before)) => {
                self.span = Some((start, now, before.saturating_add(bytes)));
                if now - start >= SPAN {
                    self.close();
                    self.span = Some((now, now, 0));
                }
            }
            None => {
                self.close();
                // How long the first ones were on their way is not known.
                self.span = Some((now, now, 0));
            }
        }
    }

    /// The span is over: what it says is remembered, where it says enough.
    fn close(&mut self) {
        let enough = self.span.take().filter(|(_, _, bytes)| *bytes >= limits::stream::PACED_LEAST);
        if let Some((start, end, bytes)) = enough {
            self.rate.sample(bytes, end - start);
        }
    }

    /// Bytes a second that four of five spans reached; of the first span while there is one only.
    fn low(&self) -> Option<u64> {
        if self.rate.is_known() {
            return Some(self.rate.low());
        }
        let (start, end, bytes) = self.span?;
        let micros = u64::try_from((end - start).as_micros()).ok().filter(|micros| *micros > 0)?;
        (bytes >= limits::stream::PACED_LEAST).then(|| bytes.saturating_mul(1_000_000) / micros)
    }
}

impl Paces {
    /// A fetch is over: what its body says about its origin.
    pub(super) fn on_fetched(&mut self, fetch: &Fetch, now: Instant) {
        let Some(Stream { at, upto, until: Some(until), keep: true, .. }) = fetch.stream else {
            // A body of unknown length comes as it is made, whatever the line could carry.
            return;
        };
        if upto == until && until - at >= limits::stream::PACED_LEAST {
            let meter = self.origins.entry(fetch.ask.locator.origin).or_default();
            meter.on_body(fetch.begun, upto - at, now);
        }
    }

    /// A block came from a peer.
    pub(super) fn on_block(&mut self, bytes: u64, now: Instant) {
        self.peers.on_bytes(bytes, now);
    }

    /// Bytes a second that origin and peers sustain; none where nothing was seen yet.
    fn sustained(&self, origin: OriginId) -> Option<u64> {
        let own = self.origins.get(&origin).and_then(Meter::low);
        let peers = self.peers.low();
        own.or(peers).map(|_| own.unwrap_or(0).saturating_add(peers.unwrap_or(0)))
    }
}

/// What is known of a segment that goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Media {
    /// Bytes a second at which it plays, rounded up.
    plays: u64,
    /// How long it plays.
    duration: Option<Duration>,
    /// What the player holds ahead of its playhead without it.
    held: Option<Duration>,
}

impl Machine {
    /// Gives an answer from what is stored its pace, and says it to the player.
    pub(super) fn set_pace(&self, id: ExchangeId, answer: &mut Answer) {
        let Some(rate) = self.pace(id, answer) else { return };
        answer.pace = Some(rate);
        let throughput = Some(units::Rate(rate.saturating_mul(8)));
        answer.own.push_str(&Dynamic { throughput, ..Dynamic::default() }.line());
    }

    /// Bytes a second; none to send it as fast as the player takes it.
    fn pace(&self, id: ExchangeId, answer: &Answer) -> Option<u64> {
        let pacing = self.config.player.pacing;
        let Content::Row { start, end: Some(end), .. } = answer.content else { return None };
        let length = end.saturating_sub(start);
        if pacing == Pacing::Off || length < limits::stream::PACED_LEAST {
            return None;
        }
        let media = self.media(id, length)?;
        let enough = media.duration.map_or(limits::stream::PACED_BUFFER, |duration| duration * 2);
        if media.held.is_none_or(|held| held < enough) {
            return None;
        }
        let floor = media.plays.saturating_add(media.plays / 2);
        let rate = match pacing {
            Pacing::Off => return None,
            Pacing::Times(permille) => media.plays.saturating_mul(permille.into()) / 1000,
            Pacing::Auto => {
                let origin = self.exchanges.get(&id)?.key.origin;
                self.paces.sustained(origin)?
            }
        };
        let rate = rate.max(floor);
        (rate < limits::stream::PACED_MOST).then_some(rate)
    }

    /// What request, player and stream say of a segment; none for what is no media segment, and
    /// where the player waits for it.
    fn media(&self, id: ExchangeId, length: u64) -> Option<Media> {
        let exchange = self.exchanges.get(&id)?;
        let locator = &exchange.request.locator;
        let said = Cmcd::of(&locator.target, &exchange.request.fields);
        if said.startup || said.starved {
            return None;
        }
        let range = exchange.span();
        let listed = self.timeline.listed(locator, range);
        match (said.object, listed.map(|listed| listed.kind)) {
            (Some(Object::Audio | Object::Video | Object::Muxed), None | Some(Kind::Media)) => {}
            (None, Some(Kind::Media)) => {}
            _ => return None,
        }
        let target = listed.map(|listed| listed.target).filter(|target| !target.is_zero());
        let duration = said.duration.filter(|time| !time.is_zero()).or(target);
        // Either may be an average below what this very segment needs.
        let stated = said.bitrate.map_or(0, |rate| rate.0.div_ceil(8));
        let micros = duration.map_or(u128::MAX, |duration| duration.as_micros());
        let own = u128::from(length) * 1_000_000 / micros.max(1);
        let plays = stated.max(u64::try_from(own).unwrap_or(u64::MAX));
        let inferred = || {
            let held = self.timeline.held(locator, range, self.now)?;
            Some(held.saturating_sub(duration.unwrap_or_default()))
        };
        let held = said.buffer.or_else(inferred);
        (plays > 0).then_some(Media { plays, duration, held })
    }
}

/// How long a span of bodies side by side counts as one, and how long blocks are counted for one
/// sample.
const SPAN: Duration = Duration::from_secs(2);

/// Blocks that come further apart were not asked for in one go.
const PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn bodies_side_by_side_are_one_stream() {
        let mut meter = Meter::default();
        assert_eq!(meter.low(), None);
        meter.on_body(at(5000), 1_000_000, at(6000));
        assert_eq!(meter.low(), Some(1_000_000));
        meter.on_body(at(5000), 1_000_000, at(6000));
        assert_eq!(meter.low(), Some(2_000_000));
        // The next one is alone, and slower.
        meter.on_body(at(9000), 1_000_000, at(10_000));
        assert_eq!(meter.low(), Some(2_000_000), "it may not be over");
        meter.on_body(at(15_000), 1_000_000, at(16_000));
        assert_eq!(meter.low(), Some(1_000_000));
    }

    #[test]
    fn blocks_count_while_they_come() {
        let mut meter = Meter::default();
        for block in 0..=20 {
            meter.on_bytes(100_000, at(10_000 + block * 100));
        }
        assert_eq!(meter.low(), Some(1_000_000));
        meter.on_bytes(100_000, at(60_000));
        meter.on_bytes(100_000, at(60_001));
        meter.on_bytes(100_000, at(90_000));
        assert_eq!(meter.low(), Some(1_000_000), "neither a pause nor two blocks say anything");
    }
}
