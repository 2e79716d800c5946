//! Room for links: who makes way for whom, so that near ones always find a place and a few far
//! ones stay.

use core::net::{IpAddr, SocketAddr};

use super::roster::{Address, KNOWN, Linked, Roster};
use crate::base::limits;
use crate::base::peer::{FoundBy, Ground, NodeKey, PeerId, Role, Tier};
use crate::base::time::Instant;

impl Roster {
    /// It became known that some addresses are nearer than was thought.
    pub fn draw_near(&mut self, is_near: impl Fn(IpAddr) -> bool) {
        self.look.take();
        let far = self.addresses.values_mut().filter(|known| known.found.tier == Tier::Wan);
        for known in far.filter(|known| is_near(known.found.address.ip())) {
            known.found.tier = Tier::Isp;
        }
    }

    /// A link's other end is nearer than was thought.
    pub fn on_nearer(&mut self, peer: PeerId) {
        self.look.take();
        if let Some(link) = self.links.get_mut(&peer) {
            link.tier = Tier::Isp;
        }
    }

    /// Whether a peer that is seen there came by itself, from where nobody here has ever dialled:
    /// its router may give it another port than before, and ours let in all of that address.
    pub fn has_come(&self, peer: PeerId, at: SocketAddr) -> bool {
        let dialled = self.links.get(&peer).is_none_or(|link| link.dialled.is_some());
        !dialled && self.addresses.keys().all(|known| known.ip() != at.ip())
    }

    /// The link that makes way first: the farthest, of those the one with the longest way, of
    /// those the youngest. A few far ones stay, so that what befalls the provider or the home
    /// does not part this node from all others.
    ///
    /// `of_all`: those few too.
    pub(super) fn least(&self, of_all: bool) -> Option<(PeerId, &Linked)> {
        let is_kept = !of_all && self.far() <= self.far_kept();
        let may_go = |link: &Linked| link.tier != Tier::Wan || !is_kept;
        let others = self.links.iter().filter(|(_, link)| may_go(link));
        let least = others.max_by_key(|(_, link)| {
            (self.standing(link, self.beside(link.ground)), link.rtt, link.since)
        });
        least.map(|(peer, link)| (*peer, link))
    }

    pub(super) fn far(&self) -> usize {
        self.links.values().filter(|link| link.tier == Tier::Wan).count()
    }

    pub(super) const fn far_kept(&self) -> usize {
        self.max_peers / 8
    }

    /// Whether a link to this address would find room, if need be in place of a farther one; for a
    /// configured node any that may go makes way.
    pub(super) fn has_room(&self, address: &Address) -> bool {
        let makes_way = |link: &Linked| self.class(link) > KNOWN;
        let is_static = address.found.by == FoundBy::Config;
        let farther = |(_, least): &(PeerId, &Linked)| {
            makes_way(least) && least.tier > address.found.tier && self.dials() == 0
        };
        self.links.len() + self.dials() < self.max_peers
            || (is_static && self.links.values().any(makes_way))
            || self.least(false).is_some_and(|least| farther(&least))
    }

    /// How many more addresses are of use: room that those known do not fill.
    pub fn wanted(&self, now: Instant) -> usize {
        let known = self.addresses.values().filter(|address| self.is_wanted(address, now));
        self.max_peers.saturating_sub(self.links.len() + known.count())
    }

    /// Addresses at which this node reached others not long ago, whose and how near.
    pub fn proven(&self, now: Instant) -> impl Iterator<Item = (SocketAddr, NodeKey, Tier)> {
        let is_fresh = move |address: &&Address| {
            address.proven.is_some_and(|at| now - at <= limits::meeting::PROVEN_FRESH)
        };
        let fresh = self.addresses.values().filter(is_fresh);
        fresh.filter_map(|known| Some((known.found.address, known.found.key?, known.found.tier)))
    }

    /// What a node that says to be there for something counts as. Its word is enough nowhere: a
    /// gateway is one where it is configured, and in the home, of which one or two are.
    pub fn judged(&self, link: &Linked) -> Role {
        let is_gate = |other: &&Linked| {
            other.role == Role::Gateway && other.tier == Tier::Home && other.key != link.key
        };
        let few = || self.links.values().filter(is_gate).count() < HOME_GATEWAYS;
        match link.role {
            Role::Gateway if !self.is_static(link) && (link.tier != Tier::Home || !few()) => {
                Role::Device
            }
            role => role,
        }
    }

    /// Who is kept before whom: those whose key or address is known, then gateways, then others.
    pub(super) fn class(&self, link: &Linked) -> u8 {
        match link.role {
            Role::Witness => KNOWN,
            _ if self.is_static(link) => KNOWN,
            Role::Gateway => KNOWN + 1,
            Role::Device => KNOWN + 2,
        }
    }

    /// Who makes way when there are too many: the greatest. Configured nodes and witnesses are
    /// kept, then gateways, then the near ones, then those of whose network there are few others:
    /// whoever has many addresses in one place cannot take all the room.
    pub(super) fn standing(&self, link: &Linked, beside: usize) -> (u8, u8, usize) {
        let tier = match link.tier {
            Tier::Home => 0,
            Tier::Isp => 1,
            Tier::Wan => 2,
        };
        let beside = if link.ground == Ground::Home { 0 } else { beside };
        (self.class(link), tier, beside)
    }

    /// Links to one place.
    pub(super) fn beside(&self, ground: Ground) -> usize {
        self.links.values().filter(|other| other.ground == ground).count()
    }

    /// Whether a link is to a configured address, or to whom this node found there.
    pub(super) fn is_static(&self, link: &Linked) -> bool {
        let configured = |address: &&Address| address.found.by == FoundBy::Config;
        self.addresses.values().filter(configured).any(|Address { found, .. }| {
            link.dialled == Some(found.address) || found.key == Some(link.key)
        })
    }

    /// Whether a link that came by itself from outside leaves a quarter of the room to those that
    /// this node chose: else whoever calls most would be all that it hears of.
    pub(super) fn leaves_room(&self, link: &Linked) -> bool {
        let came = |link: &Linked| {
            let far = link.tier != Tier::Home && link.dialled.is_none();
            far && self.class(link) > KNOWN
        };
        let others = self.links.values().filter(|other| came(other)).count();
        !came(link) || others < self.max_peers - self.max_peers / 4
    }
}

/// Gateways of one home: a router, and one that repeats it.
const HOME_GATEWAYS: usize = 2;
