//! The machine as an operator sees it: one moment of it as plain data.

use super::health::Health;
use super::machine::Machine;
use super::status::{Cap, Kind, Origin, State, Status, Stream, Usage};
use crate::base::limits;
use crate::base::scrub::scrub;
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
        let configured = self.config.cache.memory.0;
        // What is known of what is stored counts toward the same cap.
        let known = self.index.metadata_bytes() as u64;
        Status {
            schema: super::status::SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_seconds: (now - self.started).as_secs(),
            state: self.state(now, figures),
            playing: self.playing(now),
            origins: self.origins(now),
            memory: limit(figures.memory + known, self.rule.governor.ram(configured)),
            memory_held: self.rule.governor.memory_words(configured),
            disk: limit(self.disk.used(), self.config.cache.disk.0),
            disk_fault: self.disk_fault.clone(),
            network: self.network(now),
            sharing: self.held_back(now),
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

    /// What holds sharing back most: a word on it as a whole, else a cap.
    fn held_back(&self, now: Instant) -> Option<String> {
        let words = match () {
            () if !self.config.network.exists() => return self.rule.governor.headline(now),
            () if !self.config.sharing.enabled => {
                "switched off in the configuration (sharing.enabled)"
            }
            () if self.cannot_share() => {
                return self.network_fault.as_ref().map(|fault| format!("off: {fault}"));
            }
            () if self.consent.refused => "switched off by 'neap sharing off'",
            () if self.consent.is_lost => "off: switch.note cannot be read; see 'neap sharing on'",
            () if self.is_muted() => "the operator's switch leaves this node out",
            () => return self.rule.governor.headline(now),
        };
        Some(words.into())
    }

    /// Whether it is to share and has no way to.
    const fn cannot_share(&self) -> bool {
        self.network_fault.is_some() && self.config.sharing.enabled
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
        let bad = |health: &Health| {
            health.failing_since().is_some()
                || health.is_denying(now)
                || health.is_still(now)
                || health.is_late(now)
        };
        let failing = self.health.iter().any(bad);
        if figures.stopping {
            State::Stopping
        } else if self.resting {
            State::Standby
        } else if failing || self.disk_fault.is_some() || self.cannot_share() {
            State::Impaired
        } else if self.playing(now).is_empty() {
            State::Idle
        } else {
            State::Playing
        }
    }

    fn playing(&self, now: Instant) -> Vec<Stream> {
        let streams = self.timeline.streams().filter_map(|stream| {
            let asked = now - stream.asked;
            let locator = stream.listed.playlist;
            let origin = self.places.0.get(usize::from(locator.origin.0))?;
            (asked < PLAYING).then(|| Stream {
                path: scrub(without_query(&locator.target)).into_owned(),
                origin: origin.name.clone(),
                kind: if stream.listed.live { Kind::Live } else { Kind::OnDemand },
                bitrate: stream.bitrate,
                last_request_seconds_ago: asked.as_secs(),
                not_shared: self.why_alone(&stream.listed).map(str::to_owned),
            })
        });
        streams.take(STREAMS).collect()
    }

    fn origins(&self, now: Instant) -> Vec<Origin> {
        let origin = |(place, health): (&crate::base::url::Place, &Health)| Origin {
            name: place.name.clone(),
            health: health.word(now),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::control::Control;
    use crate::base::page::Page;
    use crate::base::units::{Rate, Share, Size};
    use crate::config::model::Config;
    use crate::node::event::Input;

    fn machine(change: impl FnOnce(&mut Config)) -> Machine {
        let mut config = Config::default();
        config.network.name = "home".into();
        change(&mut config);
        Machine::new(config, 1, Instant::default())
    }

    fn said(machine: &Machine) -> Status {
        machine.status(Instant::default(), Figures::default())
    }

    #[test]
    fn what_holds_back_all_of_sharing_is_named() {
        let sharing = |change: fn(&mut Config)| said(&machine(change)).sharing.unwrap_or_default();
        assert_eq!(sharing(|_| {}), "");
        let off = sharing(|config| config.sharing.enabled = false);
        assert_eq!(off, "switched off in the configuration (sharing.enabled)");
        let cpu = sharing(|config| config.caps.cpu = Some(Share(0)));
        assert_eq!(cpu, "nothing is given: caps.cpu is 0 %");
        let upload = sharing(|config| config.caps.rates.upload = Some(Rate(0)));
        assert_eq!(upload, "nothing is given: caps.upload is 0");
        let mut machine = machine(|_| {});
        machine.handle(Input::Control(Control::Sharing { on: false }), Instant::default());
        assert_eq!(said(&machine).sharing.as_deref(), Some("switched off by 'neap sharing off'"));
    }

    #[test]
    fn where_no_network_is_configured_nothing_promises_to_share() {
        let mut machine = machine(|config| config.network.name.clear());
        let status = said(&machine);
        let nothing = "nothing is shared: no network is configured";
        assert_eq!((status.sharing.as_deref(), status.unheld()), (None, nothing));
        for on in [false, true] {
            let words = machine.told(&Control::Sharing { on });
            assert_eq!(words.is_err(), on, "{words:?}");
            let (Ok(words) | Err(words)) = words;
            assert!(words.contains("no network is configured (network.name)"), "{words}");
        }
        machine.handle(Input::Control(Control::Standby), Instant::default());
        assert_eq!(said(&machine).unheld(), "nothing is shared in standby");
    }

    #[test]
    fn an_owners_word_that_cannot_be_read_is_no_consent() {
        let shares = |text: Option<&str>| {
            let mut machine = machine(|_| {});
            let input = Input::Noted { page: Page::Switch, text: text.map(str::to_owned) };
            machine.handle(input, Instant::default());
            machine
        };
        for text in [None, Some("neap switch 1\non\n"), Some("neap switch 2\non\nmore\n")] {
            assert!(shares(text).may_share_at_all(), "{text:?}");
        }
        for text in ["", "\0\0\0", "neap switch 1\n", "neap switch 1\no", "neap switch 2\noff\n"] {
            assert!(!shares(Some(text)).may_share_at_all(), "{text:?}");
        }
        let mut machine = shares(Some(""));
        let held = "off: switch.note cannot be read; see 'neap sharing on'";
        assert_eq!(said(&machine).sharing.as_deref(), Some(held));
        machine.handle(Input::Control(Control::Sharing { on: true }), Instant::default());
        assert!(machine.may_share_at_all());
    }

    #[test]
    fn the_memory_that_holds_is_shown_and_why() {
        let status = said(&machine(|config| config.caps.memory = Some(Size(24 << 20))));
        assert!(status.memory.limit < 24 << 20, "{:?}", status.memory);
        let why = "cache.memory is 48 MiB, but caps.memory is 24 MiB in all";
        assert_eq!(status.memory_held.as_deref(), Some(why));
        let status = said(&machine(|_| {}));
        assert_eq!((status.memory.limit, status.memory_held), (48 << 20, None));
    }
}
