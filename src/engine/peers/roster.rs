//! Whom to dial, and who may be linked.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use crate::base::peer::{NodeKey, PeerId, Role, Tier};
use crate::base::rng::Rng;
use crate::base::time::Instant;

/// Addresses, links and bans.
#[derive(Debug)]
pub struct Roster {
    most: usize,
    rng: Rng,
    places: BTreeMap<SocketAddr, Place>,
    links: BTreeMap<PeerId, (NodeKey, Option<SocketAddr>)>,
    bans: BTreeMap<NodeKey, Instant>,
}

#[derive(Debug)]
struct Place {
    key: Option<NodeKey>,
    tier: Tier,
    fixed: bool,
    due: Option<Instant>,
    failures: u32,
}

/// Whom to dial.
#[derive(Clone, Copy, Debug)]
pub struct Dial {
    /// Where.
    pub address: SocketAddr,
    /// Who must be there.
    pub key: Option<NodeKey>,
    /// How near.
    pub tier: Tier,
}

/// Why a link may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is one to the same node.
    Double,
    /// There are as many as may be.
    Crowd,
    /// Its key is banned.
    Banned,
}

impl Roster {
    /// A roster for so many links.
    pub fn new(most: usize, rng: Rng) -> Self {
        Self { most, rng, places: BTreeMap::new(), links: BTreeMap::new(), bans: BTreeMap::new() }
    }

    /// An address was found; `fixed`: it is dialled for ever.
    pub fn on_found(&mut self, dial: Dial, fixed: bool, now: Instant) {
        let Dial { address, key, tier } = dial;
        let place = Place { key, tier, fixed, due: Some(now), failures: 0 };
        self.places.entry(address).or_insert(place);
    }

    /// It is there no more.
    pub fn on_lost(&mut self, address: SocketAddr) {
        self.places.retain(|place, known| *place != address || known.fixed);
    }

    /// A link stands.
    pub fn on_joined(
        &mut self,
        peer: PeerId,
        (key, _, _): (NodeKey, Role, Tier),
        dialled: Option<SocketAddr>,
    ) -> Result<(), Refusal> {
        if self.bans.contains_key(&key) {
            return Err(Refusal::Banned);
        }
        if self.links.values().any(|(known, _)| *known == key) {
            return Err(Refusal::Double);
        }
        if self.links.len() >= self.most {
            return Err(Refusal::Crowd);
        }
        if let Some(place) = dialled.and_then(|address| self.places.get_mut(&address)) {
            (place.due, place.failures) = (None, 0);
        }
        self.links.insert(peer, (key, dialled));
        Ok(())
    }

    /// Dialling failed; `never`: it is no use to try again.
    pub fn on_failed(&mut self, dialled: Option<SocketAddr>, never: bool, now: Instant) {
        let Some(address) = dialled else { return };
        let Some(place) = self.places.get_mut(&address) else { return };
        place.failures = place.failures.saturating_add(1);
        let wait = Duration::from_secs(1 << place.failures.min(8));
        let jitter = Duration::from_millis(self.rng.below(1000));
        place.due = (!never).then_some(now + wait + jitter);
    }

    /// A link is no more.
    pub fn on_gone(&mut self, peer: PeerId, now: Instant) {
        if let Some((_, dialled)) = self.links.remove(&peer) {
            self.on_failed(dialled, false, now);
        }
    }

    /// A key is not linked again.
    pub fn ban(&mut self, key: NodeKey, now: Instant) {
        self.bans.insert(key, now);
    }

    /// Whom to dial next.
    pub fn poll(&mut self, now: Instant) -> Option<Dial> {
        if self.links.len() >= self.most {
            return None;
        }
        let due = |place: &Place| place.due.is_some_and(|due| due <= now);
        let (address, place) = self.places.iter_mut().find(|(_, place)| due(place))?;
        place.due = None;
        Some(Dial { address: *address, key: place.key, tier: place.tier })
    }

    /// When somebody is to be dialled.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.links.len() >= self.most {
            // It is the end of a link that gives room, and not time.
            return None;
        }
        self.places.values().filter_map(|place| place.due).min()
    }
}
