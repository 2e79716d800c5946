//! Another configuration, while everything runs.

use super::health::Health;
use super::machine::Machine;
use crate::base::id::OriginId;
use crate::base::map::Map;
use crate::base::time::Instant;
use crate::config::model::{Config, Origin};
use crate::engine::timeline::follow::Timeline;

impl Machine {
    /// Takes over a changed configuration; what runs goes on.
    ///
    /// The origins are at the places that they had, as [`Config::taken_over`] leaves them. What is
    /// stored of one that is gone goes, and who waits for it is answered. Who plays from one that
    /// stays is followed as before: its playlist may not be read again.
    pub fn configure(&mut self, config: Config, now: Instant) {
        self.now = now;
        let old = self.config.origins.iter().enumerate();
        let stays = |(place, old): (usize, &Origin)| {
            config.origins.get(place).is_some_and(|new| new.is_same(old))
        };
        let gone = old.filter(|(place, old)| !old.urls.is_empty() && !stays((*place, old)));
        let gone: Vec<_> =
            gone.filter_map(|(place, _)| u16::try_from(place).ok().map(OriginId)).collect();
        let health = config.origins.iter().enumerate().map(|(place, new)| {
            let before = self.config.origins.get(place).zip(self.health.get(place));
            let before = before.filter(|(old, _)| (&old.name, &old.urls) == (&new.name, &new.urls));
            before.map_or_else(|| Health::new(new.urls.len()), |(_, health)| health.clone())
        });
        self.health = health.collect();
        self.manners.retain(|id, _| !gone.contains(id));
        let before = core::mem::replace(&mut self.ignored, ignored(&config));
        if !gone.is_empty() || before.iter().any(|(id, was)| self.ignored.get(id) != Some(was)) {
            self.timeline = Timeline::default();
        }
        self.timeline.configure(self.ignored.clone());
        for origin in &gone {
            self.index.remove_origin(*origin).into_iter().for_each(|row| self.unstore(row));
            if let Some(swarm) = &mut self.swarm {
                swarm.kin.retain(|_, kin| kin.origin != *origin);
            }
        }
        self.places = config.places();
        self.memory.resize(config.cache.memory.0);
        self.disk.resize(config.cache.disk.0);
        self.rule.governor.configure(config.caps.clone(), now);
        self.config = config;
        self.configure_swarm();
        self.end_fetches(&gone);
        self.make_room();
    }
}

/// The query parameters that do not count, by origin: the configured ones and CMCD, which is
/// said about a request and no part of what it asks for (CTA-5004, 4).
pub(super) fn ignored(config: &Config) -> Map<OriginId, Vec<String>> {
    let of = |(place, origin): (usize, &Origin)| {
        let mut names = origin.ignore_query.clone();
        names.push("CMCD".into());
        Some((OriginId(u16::try_from(place).ok()?), names))
    };
    config.origins.iter().enumerate().filter_map(of).collect()
}
