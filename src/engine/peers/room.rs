//! Room for links: who makes way for whom, so that near ones always find a place and a few far
//! ones stay.

use core::net::SocketAddr;

use super::roster::{Address, Linked, Roster};
use crate::base::limits;
use crate::base::peer::{NodeKey, PeerId, Role, Tier};
use crate::base::time::Instant;

impl Roster {
    /// The link that makes way first: the farthest, of those the one with the longest way, of
    /// those the youngest. A few far ones stay, so that what befalls the provider or the home
    /// does not part this node from all others.
    pub(super) fn least(&self) -> Option<(PeerId, &Linked)> {
        let is_kept = self.far() <= self.far_kept();
        let may_go = |link: &Linked| link.tier != Tier::Wan || !is_kept;
        let others = self.links.iter().filter(|(_, link)| may_go(link));
        let least = others.max_by_key(|(_, link)| (standing(link), link.rtt, link.since));
        least.map(|(peer, link)| (*peer, link))
    }

    pub(super) fn far(&self) -> usize {
        self.links.values().filter(|link| link.tier == Tier::Wan).count()
    }

    pub(super) const fn far_kept(&self) -> usize {
        self.max_peers / 8
    }

    /// Whether a link of this tier would find room, if need be in place of a farther one.
    pub(super) fn has_room(&self, tier: Tier) -> bool {
        let farther = |(_, least): &(PeerId, &Linked)| {
            standing(least).0 && least.tier > tier && self.dials() == 0
        };
        self.links.len() + self.dials() < self.max_peers
            || self.least().is_some_and(|l| farther(&l))
    }

    /// How many more addresses are of use: room that those known do not fill.
    pub fn wanted(&self, now: Instant) -> usize {
        let known = self.addresses.values().filter(|address| self.is_wanted(address, now));
        self.max_peers.saturating_sub(self.links.len() + known.count())
    }

    /// Addresses at which this node reached others not long ago, whose and how near.
    pub fn proven(&self, now: Instant) -> impl Iterator<Item = (SocketAddr, NodeKey, Tier)> {
        let is_fresh = move |address: &&Address| {
            address.proven.is_some_and(|at| now - at <= limits::PROVEN_FRESH)
        };
        let fresh = self.addresses.values().filter(is_fresh);
        fresh.filter_map(|known| Some((known.found.address, known.found.key?, known.found.tier)))
    }
}

/// Who makes way when there are too many: the greatest. Witnesses and gateways are kept.
pub(super) const fn standing(link: &Linked) -> (bool, u8) {
    let tier = match link.tier {
        Tier::Home => 0,
        Tier::Isp => 1,
        Tier::Wan => 2,
    };
    (matches!(link.role, Role::Device), tier)
}
