//! How nodes behind routers come to reach each other: what address others see this one at, what
//! kind of router that is, and the meeting of two through a peer that both are linked to (as
//! BEP 55 does it).

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::PeerId;
use crate::base::set::Set;
use crate::base::time::Instant;
use crate::wire::punch::{Mapping, Punch};

/// What a node knows of being reached.
#[derive(Debug, Default)]
pub struct Reach {
    links: Map<PeerId, Seen>,
    /// Dials that are under way, and how far their meeting has come.
    dials: Map<SocketAddr, Dial>,
    /// Addresses that were met in vain, and since when.
    hopeless: Map<SocketAddr, Instant>,
    /// Meetings in which a peer had us take part, or that it had us arrange, lately.
    meetings: Map<PeerId, VecDeque<Instant>>,
    moves: VecDeque<Move>,
    /// Where a router lets others in.
    mapped: Option<SocketAddr>,
}

/// A link beyond the home.
#[derive(Debug)]
struct Seen {
    /// Where the peer is seen; it can be met there where `is_met`.
    at: SocketAddr,
    /// The link goes over the socket that others can reach it by.
    is_met: bool,
    /// Where the peer sees this node.
    sees: Option<SocketAddr>,
}

#[derive(Debug)]
struct Dial {
    since: Instant,
    /// Whom it was asked of.
    asked: Set<PeerId>,
    is_arranged: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Tells a peer where it is seen.
    Observe(PeerId, SocketAddr),
    /// Says a word of a meeting.
    Tell(PeerId, Punch),
    /// Dials now: the other side does too.
    Dial(SocketAddr),
}

impl Reach {
    /// A link beyond the home stands to a peer that is seen there; `is_met` where it goes over
    /// UDP, so that others can reach the peer at the same address.
    pub fn on_linked(&mut self, peer: PeerId, at: SocketAddr, is_met: bool) {
        self.links.insert(peer, Seen { at, is_met, sees: None });
        self.dials.remove(&at);
        self.hopeless.remove(&at);
        self.moves.push_back(Move::Observe(peer, at));
    }

    /// A link is no more.
    pub fn on_gone(&mut self, peer: PeerId) {
        self.links.remove(&peer);
        self.meetings.remove(&peer);
    }

    /// A peer says where it sees this node.
    pub fn on_observed(&mut self, peer: PeerId, address: SocketAddr) {
        if let Some(link) = self.links.get_mut(&peer).filter(|link| link.is_met) {
            link.sees = is_outside(address.ip()).then_some(address);
        }
    }

    /// A router lets others in there, or not.
    pub const fn on_mapped(&mut self, address: Option<SocketAddr>) {
        self.mapped = address;
    }

    /// Where others can reach this node: where a router says so, or where several of different
    /// prefixes say the same.
    pub fn address(&self) -> Option<SocketAddr> {
        if self.mapped.is_some() {
            return self.mapped;
        }
        let mut by: Map<SocketAddr, Set<[u8; 6]>> = Map::new();
        for (address, prefix) in self.said() {
            by.entry(address).or_default().insert(prefix);
        }
        let most = by.into_iter().max_by_key(|(_, prefixes)| prefixes.len())?;
        (most.1.len() >= limits::meeting::OBSERVERS).then_some(most.0)
    }

    /// What kind of router stands before this node, by what peers of different addresses saw.
    pub fn mapping(&self) -> Mapping {
        let observers: Set<IpAddr> = self
            .links
            .values()
            .filter(|link| link.sees.is_some())
            .map(|link| link.at.ip())
            .collect();
        let addresses: Set<SocketAddr> = self.said().map(|(address, _)| address).collect();
        match (observers.len(), addresses.len()) {
            (0 | 1, _) => Mapping::Unknown,
            (_, 1) => Mapping::Independent,
            _ => Mapping::Dependent,
        }
    }

    fn said(&self) -> impl Iterator<Item = (SocketAddr, [u8; 6])> {
        self.links.values().filter_map(|link| Some((link.sees?, prefix(link.at.ip()))))
    }

    /// An address beyond the home is being dialled.
    pub fn on_dialled(&mut self, address: SocketAddr, now: Instant) {
        let dial = Dial { since: now, asked: Set::new(), is_arranged: false };
        self.dials.entry(address).or_insert(dial);
    }

    /// A dial is over; without a link, unless `stands`.
    pub fn on_dial_over(&mut self, address: SocketAddr, stands: bool, now: Instant) {
        let Some(dial) = self.dials.remove(&address) else { return };
        if stands || !dial.is_arranged {
            return;
        }
        self.hopeless.retain(|_, since| now - *since < limits::meeting::HOPELESS);
        if self.hopeless.len() >= limits::meeting::ADDRESSES {
            let oldest = self.hopeless.iter().min_by_key(|(_, since)| **since);
            let oldest = oldest.map(|(address, _)| *address);
            oldest.map(|address| self.hopeless.remove(&address));
        }
        self.hopeless.insert(address, now);
    }

    /// Whether an address was met in vain lately.
    pub fn is_hopeless(&self, address: SocketAddr, now: Instant) -> bool {
        self.hopeless.get(&address).is_some_and(|since| now - *since < limits::meeting::HOPELESS)
    }

    /// A peer says a word of a meeting.
    pub fn on_punch(&mut self, peer: PeerId, punch: Punch, now: Instant) {
        match punch {
            Punch::Ask { address, mapping } => self.arrange(peer, (address, mapping), now),
            Punch::Go { address, mapping } => self.meet(peer, (address, mapping), now),
            // Others were asked at the same time: who knows nobody there changes nothing.
            Punch::Cannot { .. } => {}
        }
    }

    /// A peer wants to meet another one.
    fn arrange(&mut self, peer: PeerId, (address, mapping): (SocketAddr, Mapping), now: Instant) {
        let Some(asker) = self.links.get(&peer).filter(|link| link.is_met).map(|link| link.at)
        else {
            return;
        };
        let is_other =
            |(id, link): &(&PeerId, &Seen)| **id != peer && link.is_met && link.at == address;
        let other = self.links.iter().find(is_other).map(|(id, _)| *id);
        let Some(other) = other.filter(|_| self.may_meet(peer, now)) else {
            return self.moves.push_back(Move::Tell(peer, Punch::Cannot { address }));
        };
        self.moves.push_back(Move::Tell(other, Punch::Go { address: asker, mapping }));
        let go = Punch::Go { address, mapping: Mapping::Unknown };
        self.moves.push_back(Move::Tell(peer, go));
    }

    /// The other side dials now.
    fn meet(&mut self, peer: PeerId, (address, mapping): (SocketAddr, Mapping), now: Instant) {
        let both = mapping == Mapping::Dependent && self.mapping() == Mapping::Dependent;
        let linked = self.links.values().any(|link| link.at == address);
        // A peer must not have this node send to whomever it likes, or as often as it likes.
        if !self.links.contains_key(&peer) || !is_outside(address.ip()) || both || linked {
            return;
        }
        if let Some(dial) = self.dials.get_mut(&address) {
            // It is being dialled, and that has opened this side already.
            if dial.asked.contains(&peer) {
                dial.is_arranged = true;
            }
            return;
        }
        if self.is_hopeless(address, now) || !self.may_meet(peer, now) {
            return;
        }
        self.on_dialled(address, now);
        if let Some(dial) = self.dials.get_mut(&address) {
            dial.is_arranged = true;
        }
        self.moves.push_back(Move::Dial(address));
    }

    fn may_meet(&mut self, peer: PeerId, now: Instant) -> bool {
        let lately = self.meetings.entry(peer).or_default();
        while lately.front().is_some_and(|first| now - *first >= MINUTE) {
            lately.pop_front();
        }
        if lately.len() >= limits::meeting::MEETINGS {
            return false;
        }
        lately.push_back(now);
        true
    }

    /// The next thing to do now.
    pub fn poll(&mut self, now: Instant) -> Option<Move> {
        if let Some(next) = self.moves.pop_front() {
            return Some(next);
        }
        let mapping = self.mapping();
        let is_due =
            |dial: &Dial| dial.is_alone() && now - dial.since >= limits::meeting::PUNCH_LEAD;
        let late: Vec<_> =
            self.dials.iter().filter(|(_, dial)| is_due(dial)).map(|(to, _)| *to).collect();
        for address in late {
            let relays = self.links.iter().filter(|(_, link)| link.is_met && link.at != address);
            let relays: Set<_> = relays.map(|(id, _)| *id).take(limits::meeting::RELAYS).collect();
            let Some(dial) = self.dials.get_mut(&address) else { continue };
            if relays.is_empty() {
                // Nobody to ask: it stands by itself, or it does not.
                self.dials.remove(&address);
                continue;
            }
            dial.asked.clone_from(&relays);
            let ask = Punch::Ask { address, mapping };
            self.moves.extend(relays.into_iter().map(|relay| Move::Tell(relay, ask)));
        }
        self.moves.pop_front()
    }

    /// When `poll` may have something again by time alone.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.moves.is_empty() {
            return Some(Instant::default());
        }
        let waiting = self.dials.values().filter(|dial| dial.is_alone());
        waiting.map(|dial| dial.since + limits::meeting::PUNCH_LEAD).min()
    }
}

impl Dial {
    /// Nobody was asked to arrange it, and nobody has.
    fn is_alone(&self) -> bool {
        self.asked.is_empty() && !self.is_arranged
    }
}

/// Whether an address can be one of the internet: what a router forwards to.
pub fn is_outside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && second & 0xc0 == 64;
            let is_near = ip.is_private() || ip.is_loopback() || ip.is_link_local();
            !(is_near || is_shared || ip.is_multicast() || ip.is_broadcast() || first == 0)
        }
        IpAddr::V6(ip) => {
            let is_near = ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
            !(is_near || ip.is_multicast() || ip.is_unspecified())
        }
    }
}

/// Addresses that are most likely of one hand: /24 and /48.
fn prefix(address: IpAddr) -> [u8; 6] {
    let mut prefix = [0; 6];
    match address.to_canonical() {
        IpAddr::V4(ip) => prefix[..3].copy_from_slice(&ip.octets()[..3]),
        IpAddr::V6(ip) => prefix.copy_from_slice(&ip.octets()[..6]),
    }
    prefix
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn second(number: u64) -> Instant {
        Instant::from_micros(1_000_000 * (number + 1))
    }

    /// A node that is linked to peers at these addresses over UDP; what it tells them is taken.
    fn linked(addresses: &[&str]) -> Reach {
        let mut reach = Reach::default();
        for (number, address) in addresses.iter().enumerate() {
            let peer = PeerId(number as u64 + 1);
            reach.on_linked(peer, at(address), true);
            assert_eq!(reach.poll(second(0)), Some(Move::Observe(peer, at(address))));
        }
        reach
    }

    #[test]
    fn an_address_is_believed_when_several_prefixes_say_it() {
        let mut reach = linked(&["198.51.100.1:1", "198.51.100.2:1", "203.0.113.1:1"]);
        let own = at("192.0.2.7:4000");
        reach.on_observed(PeerId(1), own);
        reach.on_observed(PeerId(2), own);
        assert_eq!(reach.address(), None, "two of one prefix may be one liar");
        reach.on_observed(PeerId(3), own);
        assert_eq!((reach.address(), reach.mapping()), (Some(own), Mapping::Independent));
        reach.on_gone(PeerId(3));
        assert_eq!(reach.address(), None);
        reach.on_observed(PeerId(1), at("192.168.1.1:4000"));
        assert_eq!(reach.mapping(), Mapping::Unknown, "no router shows that outside");
    }

    #[test]
    fn a_router_that_maps_anew_for_each_is_recognised() {
        let mut reach = linked(&["198.51.100.1:1", "203.0.113.1:1"]);
        reach.on_observed(PeerId(1), at("192.0.2.7:4000"));
        reach.on_observed(PeerId(2), at("192.0.2.7:4001"));
        assert_eq!((reach.address(), reach.mapping()), (None, Mapping::Dependent));
        // And two of those are not sent against each other.
        let (address, mapping) = (at("192.0.2.99:1"), Mapping::Dependent);
        reach.on_punch(PeerId(1), Punch::Go { address, mapping }, second(1));
        assert_eq!(reach.poll(second(1)), None);
    }

    #[test]
    fn a_dial_that_does_not_stand_at_once_is_met_through_a_peer() {
        let mut reach = linked(&["198.51.100.1:1"]);
        let (there, mapping) = (at("203.0.113.9:5000"), Mapping::Unknown);
        reach.on_dialled(there, second(1));
        assert_eq!(reach.poll(second(1)), None);
        assert_eq!(reach.poll_timeout(), Some(second(1) + limits::meeting::PUNCH_LEAD));
        let ask = Punch::Ask { address: there, mapping };
        assert_eq!(reach.poll(second(2)), Some(Move::Tell(PeerId(1), ask)));
        assert_eq!((reach.poll(second(2)), reach.poll_timeout()), (None, None));
        reach.on_punch(PeerId(1), Punch::Go { address: there, mapping }, second(2));
        assert_eq!(reach.poll(second(2)), None, "it is being dialled already");
        // In vain: it is remembered and left alone.
        reach.on_dial_over(there, false, second(6));
        assert!(reach.is_hopeless(there, second(7)));
        reach.on_punch(PeerId(1), Punch::Go { address: there, mapping }, second(8));
        assert_eq!(reach.poll(second(8)), None);
        assert!(!reach.is_hopeless(there, second(8) + limits::meeting::HOPELESS));
    }

    #[test]
    fn a_dial_that_nobody_arranged_is_not_hopeless() {
        let mut reach = linked(&["198.51.100.1:1"]);
        let there = at("203.0.113.9:5000");
        reach.on_dialled(there, second(1));
        reach.poll(second(2));
        reach.on_punch(PeerId(1), Punch::Cannot { address: there }, second(2));
        reach.on_dial_over(there, false, second(6));
        assert!(!reach.is_hopeless(there, second(6)));
    }

    #[test]
    fn a_peer_that_both_are_linked_to_tells_both() {
        let (one, two) = ("198.51.100.1:1", "203.0.113.1:9");
        let mut reach = linked(&[one, two]);
        let mapping = Mapping::Independent;
        reach.on_punch(PeerId(1), Punch::Ask { address: at(two), mapping }, second(1));
        let told = [reach.poll(second(1)), reach.poll(second(1)), reach.poll(second(1))];
        let there = Move::Tell(PeerId(2), Punch::Go { address: at(one), mapping });
        let here = Punch::Go { address: at(two), mapping: Mapping::Unknown };
        assert_eq!(told, [Some(there), Some(Move::Tell(PeerId(1), here)), None]);
        let nobody = at("203.0.113.77:9");
        reach.on_punch(PeerId(1), Punch::Ask { address: nobody, mapping }, second(1));
        let cannot = Punch::Cannot { address: nobody };
        assert_eq!(reach.poll(second(1)), Some(Move::Tell(PeerId(1), cannot)));
    }

    #[test]
    fn nobody_is_made_to_send_to_whomever_a_peer_likes() {
        let mut reach = linked(&["198.51.100.1:1"]);
        let mapping = Mapping::Unknown;
        for inside in ["192.168.1.1:53", "127.0.0.1:22", "224.0.0.1:9", "[fe80::1]:9"] {
            reach.on_punch(PeerId(1), Punch::Go { address: at(inside), mapping }, second(1));
            assert_eq!(reach.poll(second(1)), None, "{inside}");
        }
        let mut dials = 0;
        for port in 1..500 {
            let address = SocketAddr::new(at("203.0.113.1:1").ip(), port);
            reach.on_punch(PeerId(1), Punch::Go { address, mapping }, second(1));
            dials += usize::from(reach.poll(second(1)) == Some(Move::Dial(address)));
        }
        assert_eq!(dials, limits::meeting::MEETINGS);
        let stranger = PeerId(77);
        let address = at("203.0.113.2:1");
        reach.on_punch(stranger, Punch::Go { address, mapping }, second(90));
        assert_eq!(reach.poll(second(90)), None);
    }
}
