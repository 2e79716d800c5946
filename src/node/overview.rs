//! The machine as an operator sees it: one moment of it as plain data.

use super::health::Health;
use super::machine::Machine;
use super::status::{Cap, Kind, Origin, State, Status, Stream, Usage};
use crate::base::limits;
use crate::base::time::Instant;
use crate::base::url::without_query;
use crate::engine::caps::account::Line;

/// What the machine cannot see and the status shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Bytes of memory that the store holds.
    pub memory: u64,
    /// Whether the node is shutting down.
    pub stopping: bool,
}

impl Machine {
    /// How it stands.
    pub fn status(&self, now: Instant, figures: Figures) -> Status {
        let limit = |used, limit| Usage { used, limit };
        let connections = self.connections as u64;
        Status {
            schema: super::status::SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_seconds: (now - self.started).as_secs(),
            state: self.state(now, figures),
            playing: self.playing(now),
            origins: self.origins(now),
            memory: limit(figures.memory, self.config.cache.memory.0),
            disk: limit(self.disk.used(), self.config.cache.disk.0),
            disk_fault: self.disk_fault.clone(),
            network: self.network(now),
            sharing: self.rule.governor.headline(now),
            caps: self.caps(now),
            ledger: self.accounts(),
            connections: limit(connections, limits::http::CONNECTIONS as u64),
            hit_permille: self.report.hit_permille(),
            rates: self.report.rates(now),
            history: self.report.history(now),
            counters: self.report.counters(),
            faults: self.report.faults(now),
        }
    }

    fn caps(&self, now: Instant) -> Vec<Cap> {
        let told = |line: Line| Cap {
            name: line.name.into(),
            limit: line.limit,
            now: line.now,
            period: line.period,
            holds: line.holds,
        };
        self.rule.governor.account(now).into_iter().map(told).collect()
    }

    fn state(&self, now: Instant, figures: Figures) -> State {
        let bad = |health: &Health| health.failing_since().is_some() || health.is_denying();
        let failing = self.health.iter().any(bad);
        if figures.stopping {
            State::Stopping
        } else if failing || self.disk_fault.is_some() {
            State::Impaired
        } else if self.resting {
            State::Standby
        } else if self.playing(now).is_empty() {
            State::Idle
        } else {
            State::Playing
        }
    }

    fn playing(&self, now: Instant) -> Vec<Stream> {
        let streams = self.timeline.streams().filter_map(|stream| {
            let asked = now - stream.asked;
            let locator = stream.playlist;
            let origin = self.places.0.get(usize::from(locator.origin.0))?;
            (asked < PLAYING).then(|| Stream {
                path: without_query(&locator.target).into(),
                origin: origin.name.clone(),
                kind: if stream.live { Kind::Live } else { Kind::OnDemand },
                bitrate: stream.bitrate,
                last_request_seconds_ago: asked.as_secs(),
            })
        });
        streams.take(STREAMS).collect()
    }

    fn origins(&self, now: Instant) -> Vec<Origin> {
        let origin = |(place, health): (&crate::base::url::Place, &Health)| Origin {
            name: place.name.clone(),
            health: health.word(),
            last_error: health.last_error().map(str::to_owned),
            failing_seconds: health.failing_since().map(|since| (now - since).as_secs()),
        };
        let known = self.places.0.iter().zip(&self.health);
        known.filter(|(place, _)| !place.bases.is_empty()).map(origin).collect()
    }
}

/// A stream counts as playing for so long after a request.
const PLAYING: core::time::Duration = core::time::Duration::from_secs(30);

/// Streams that the status lists.
const STREAMS: usize = 16;
