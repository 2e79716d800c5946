//! Whom to dial next, and when.

use core::net::SocketAddr;
use core::time::Duration;

use super::roster::{Address, Dial, Found, Linked, Roster};
use crate::base::limits;
use crate::base::peer::Tier;
use crate::base::time::Instant;

impl Roster {
    /// The next address that is to be dialled now.
    pub fn poll(&mut self, now: Instant) -> Option<Dial> {
        if self.poll_timeout(now).is_none_or(|at| at > now) {
            return None;
        }
        self.look.take();
        // Once the near ones are many, a few far ones come before the rest of them.
        let is_few = self.far() < self.far_kept() && self.links.len() >= self.max_peers / 2;
        let rank = |tier: Tier| if is_few { tier != Tier::Wan } else { false };
        let due = |(_, address): &(&SocketAddr, &Address)| {
            address.next <= now && self.is_wanted(address, now)
        };
        let nearest = |(_, address): &(&SocketAddr, &Address)| {
            (rank(address.found.tier), address.found.tier, address.next)
        };
        let at = *self.addresses.iter().filter(due).min_by_key(nearest)?.0;
        let address = self.addresses.get_mut(&at)?;
        (address.is_dialled, address.next) = (true, now);
        let Found { address, key, tier, by } = address.found;
        let strange = by.is_hearsay() && tier != Tier::Home;
        Some(Dial { address, key, tier, strange })
    }

    /// When `poll` may have something again by time alone; never while there is nobody to dial.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        // Only a ban ends by time alone.
        let mut last = self.look.get().filter(|(at, _)| now - *at < LOOK);
        let (_, next) = *last.get_or_insert_with(|| (now, self.look(now)));
        self.look.set(last);
        next
    }

    fn look(&self, now: Instant) -> Option<Instant> {
        if self.dials() >= limits::meeting::DIALS {
            return None;
        }
        let wanted = self.addresses.values().filter(|address| self.is_wanted(address, now));
        wanted.map(|address| address.next).min()
    }

    pub(super) fn dials(&self) -> usize {
        self.addresses.values().filter(|address| address.is_dialled).count()
    }

    /// Whether a link to this address is missing.
    pub(super) fn is_wanted(&self, address: &Address, now: Instant) -> bool {
        let at = Some(address.found.address);
        let key = address.found.key;
        let is_linked = |link: &Linked| link.dialled == at || Some(link.key) == key;
        let is_busy = |other: &Address| other.is_dialled && key.is_some() && other.found.key == key;
        address.is_current
            && self.has_room(address)
            && !address.is_dialled
            && !address.is_own
            && !key.is_some_and(|key| self.is_banned(key, now))
            && !self.links.values().any(is_linked)
            && !self.addresses.values().any(is_busy)
    }
}

/// How long one look for who is to be dialled counts while nothing changes.
const LOOK: Duration = Duration::from_secs(60);
