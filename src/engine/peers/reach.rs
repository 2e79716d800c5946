//! How nodes behind routers come to reach each other: what address others see this one at, what
//! kind of router that is, and the meeting of two through a peer that both are linked to (as
//! BEP 55 does it).

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use super::strangers::Strangers;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{Ground, PeerId, Tier};
use crate::base::set::Set;
use crate::base::time::Instant;
use crate::config::near::Near;
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
    /// Whom peers had this node dial.
    strangers: Strangers,
    moves: VecDeque<Move>,
    /// Where a router lets others in.
    mapped: Option<SocketAddr>,
}

/// The other end of a link beyond the home.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Where the peer is seen.
    pub at: SocketAddr,
    /// The link goes over UDP, the socket that others can reach the peer by.
    pub is_met: bool,
    /// The peer came by itself: nobody here has dialled that address.
    pub came: bool,
}

/// A link beyond the home.
#[derive(Debug)]
struct Seen {
    end: End,
    /// Where the peer sees this node.
    sees: Option<SocketAddr>,
}

/// How others elsewhere can link to this node, as far as its links tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Fewer than two peers elsewhere have said what they see.
    Unknown,
    /// Others come by themselves.
    Open,
    /// A router has mapped a port.
    Mapped,
    /// All see the same address: it can be met there.
    Independent,
    /// Each sees another address: only who is open or mapped can be linked to.
    Dependent,
    /// All links go out over TCP, though UDP was tried first.
    NoUdp,
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
    /// A link beyond the home stands.
    pub fn on_linked(&mut self, peer: PeerId, mut end: End) {
        let at = end.at;
        // What was sent there may have opened a router for whoever comes from there.
        let near = |to: &SocketAddr| to.ip() == at.ip();
        let sent = self.dials.keys().any(near)
            || self.hopeless.keys().any(near)
            || self.links.values().any(|link| !link.end.came && near(&link.end.at));
        end.came &= !sent && is_outside(at.ip());
        self.dials.remove(&at);
        self.hopeless.remove(&at);
        self.links.insert(peer, Seen { end, sees: None });
        self.strangers.on_linked(at);
        self.moves.push_back(Move::Observe(peer, at));
    }

    /// A link is no more.
    pub fn on_gone(&mut self, peer: PeerId) {
        self.links.remove(&peer);
        self.meetings.remove(&peer);
    }

    /// A peer says where it sees this node.
    pub fn on_observed(&mut self, peer: PeerId, address: SocketAddr) {
        if let Some(link) = self.links.get_mut(&peer).filter(|link| link.end.is_met) {
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
        self.mapped.or_else(|| self.agreed(|address| address))
    }

    /// The address that this node has elsewhere, whatever its ports are.
    pub fn outside(&self) -> Option<IpAddr> {
        let mapped = self.mapped.map(|address| address.ip());
        mapped.or_else(|| self.agreed(|address| address.ip()))
    }

    /// What several of different prefixes say alike of where they see this node, and most of all
    /// who say anything of that family of addresses.
    fn agreed<T: Ord>(&self, of: impl Fn(SocketAddr) -> T) -> Option<T> {
        let of_family = |is_ipv4: bool| {
            let mut by: Map<T, Set<[u8; 6]>> = Map::new();
            for (address, prefix) in self.said().filter(|(said, _)| said.is_ipv4() == is_ipv4) {
                by.entry(of(address)).or_default().insert(prefix);
            }
            let all: usize = by.values().map(Set::len).sum();
            let (most, prefixes) = by.into_iter().max_by_key(|(_, prefixes)| prefixes.len())?;
            let agree = prefixes.len();
            (agree >= limits::meeting::OBSERVERS && agree * 2 > all).then_some(most)
        };
        of_family(true).or_else(|| of_family(false))
    }

    /// Where the other ends of links beyond the home are.
    pub fn ends(&self) -> impl Iterator<Item = (PeerId, IpAddr)> {
        self.links.iter().map(|(peer, link)| (*peer, link.end.at.ip()))
    }

    /// What kind of router stands before this node, by what peers of different addresses saw.
    pub fn mapping(&self) -> Mapping {
        let of = |is_ipv4: bool| {
            let mut by: Map<SocketAddr, Set<IpAddr>> = Map::new();
            for link in self.links.values() {
                if let Some(seen) = link.sees.filter(|seen| seen.is_ipv4() == is_ipv4) {
                    by.entry(seen).or_default().insert(link.end.at.ip());
                }
            }
            let all: usize = by.values().map(Set::len).sum();
            let most = by.values().map(Set::len).max().unwrap_or(0);
            match (all, most * 2 > all) {
                (0 | 1, _) => Mapping::Unknown,
                // One who lies makes no router another one.
                (_, true) => Mapping::Independent,
                (_, false) => Mapping::Dependent,
            }
        };
        // Of two families the one with routers that rewrite is the one to know of.
        match of(true) {
            Mapping::Unknown => of(false),
            known => known,
        }
    }

    /// How others elsewhere can link to this node.
    pub fn standing(&self) -> Standing {
        let ends = || self.links.values().map(|link| link.end);
        if self.mapped.is_some() {
            return Standing::Mapped;
        }
        if ends().any(|end| end.came) {
            return Standing::Open;
        }
        let by_tcp: Set<IpAddr> = ends().filter(|end| !end.is_met).map(|end| end.at.ip()).collect();
        match self.mapping() {
            Mapping::Independent => Standing::Independent,
            Mapping::Dependent => Standing::Dependent,
            Mapping::Unknown if ends().any(|end| end.is_met) => Standing::Unknown,
            Mapping::Unknown if by_tcp.len() < limits::meeting::OBSERVERS => Standing::Unknown,
            Mapping::Unknown => Standing::NoUdp,
        }
    }

    fn said(&self) -> impl Iterator<Item = (SocketAddr, [u8; 6])> {
        self.links.values().filter_map(|link| Some((link.sees?, prefix(link.end.at.ip()))))
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
    pub fn on_punch(&mut self, peer: PeerId, punch: Punch, (near, now): (&Near, Instant)) {
        match punch {
            Punch::Ask { address, mapping } => self.arrange(peer, (address, mapping), now),
            // A peer must not have this node send to whomever it likes.
            Punch::Go { address, mapping } if near.is_foreign(address) => {
                self.meet(peer, (address, mapping), now);
            }
            Punch::Go { .. } => {}
            // Others were asked at the same time: who knows nobody there changes nothing.
            Punch::Cannot { .. } => {}
        }
    }

    /// A peer wants to meet another one.
    fn arrange(&mut self, peer: PeerId, (address, mapping): (SocketAddr, Mapping), now: Instant) {
        let Some(asker) =
            self.links.get(&peer).filter(|link| link.end.is_met).map(|link| link.end.at)
        else {
            return;
        };
        let is_other = |(id, link): &(&PeerId, &Seen)| **id != peer && link.is_met_at(address);
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
        let linked = self.links.values().any(|link| link.end.at == address);
        // Nor as often as it likes.
        if !self.links.contains_key(&peer) || both || linked {
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
        // Many peers together must not reach one victim more often than one does.
        let by = self.links.get(&peer).map(|link| Ground::of(link.end.at.ip(), Tier::Wan));
        if !self.strangers.admit(address, by, now) {
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
            let relays =
                self.links.iter().filter(|(_, link)| link.end.is_met && link.end.at != address);
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

impl Seen {
    fn is_met_at(&self, address: SocketAddr) -> bool {
        self.end.is_met && self.end.at == address
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

    /// A link over UDP that this node made.
    fn dialled(address: &str) -> End {
        End { at: at(address), is_met: true, came: false }
    }

    fn second(number: u64) -> Instant {
        Instant::from_micros(1_000_000 * (number + 1))
    }

    /// A node that is linked to peers at these addresses over UDP; what it tells them is taken.
    fn linked(addresses: &[&str]) -> Reach {
        let mut reach = Reach::default();
        for (number, address) in addresses.iter().enumerate() {
            let peer = PeerId(number as u64 + 1);
            reach.on_linked(peer, dialled(address));
            assert_eq!(reach.poll(second(0)), Some(Move::Observe(peer, at(address))));
        }
        reach
    }

    fn punched(reach: &mut Reach, peer: PeerId, punch: Punch, now: Instant) {
        reach.on_punch(peer, punch, (&Near::default(), now));
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
        punched(&mut reach, PeerId(1), Punch::Go { address, mapping }, second(1));
        assert_eq!(reach.poll(second(1)), None);
    }

    #[test]
    fn few_of_many_are_not_believed_of_where_this_node_is() {
        let names: Vec<_> = (1..=6).map(|net| format!("198.51.{net}.1:1")).collect();
        let mut reach = linked(&names.iter().map(String::as_str).collect::<Vec<_>>());
        (1..=2).for_each(|peer| reach.on_observed(PeerId(peer), at("203.0.113.66:4000")));
        let outside = |address: &str| Some(at(address).ip());
        assert_eq!(reach.outside(), outside("203.0.113.66:4000"), "nobody says otherwise");
        (3..=4).for_each(|peer| reach.on_observed(PeerId(peer), at("192.0.2.7:4000")));
        assert_eq!(reach.outside(), None, "as many do");
        (5..=6).for_each(|peer| reach.on_observed(PeerId(peer), at("192.0.2.7:4001")));
        assert_eq!(reach.outside(), outside("192.0.2.7:4000"));
    }

    #[test]
    fn two_families_of_addresses_are_no_router_that_maps_anew() {
        let mut reach = linked(&["198.51.100.1:1", "203.0.113.1:1", "[2001:db8:1::1]:1"]);
        reach.on_observed(PeerId(1), at("192.0.2.7:4000"));
        reach.on_observed(PeerId(3), at("[2001:db8:7::7]:4000"));
        assert_eq!(reach.mapping(), Mapping::Unknown, "one of each family");
        reach.on_observed(PeerId(2), at("192.0.2.7:4000"));
        assert_eq!(reach.mapping(), Mapping::Independent);
    }

    #[test]
    fn one_who_lies_makes_no_router_another_one() {
        let mut reach = linked(&["198.51.100.1:1", "203.0.113.1:1", "192.0.2.1:1"]);
        for peer in 1..=2 {
            reach.on_observed(PeerId(peer), at("192.0.2.7:4000"));
        }
        reach.on_observed(PeerId(3), at("192.0.2.7:666"));
        assert_eq!(reach.mapping(), Mapping::Independent);
    }

    #[test]
    fn how_a_node_is_reached_is_told_by_its_links() {
        let mut reach = linked(&["198.51.100.1:1"]);
        assert_eq!(reach.standing(), Standing::Unknown, "nobody has said anything");
        reach.on_observed(PeerId(1), at("192.0.2.7:4000"));
        assert_eq!(reach.standing(), Standing::Unknown, "one says nothing about others");
        reach.on_linked(PeerId(2), dialled("203.0.113.1:1"));
        reach.on_observed(PeerId(2), at("192.0.2.7:4001"));
        assert_eq!(reach.standing(), Standing::Dependent);
        reach.on_observed(PeerId(2), at("192.0.2.7:4000"));
        assert_eq!(reach.standing(), Standing::Independent);
        let came = End { came: true, ..dialled("203.0.113.9:5000") };
        // What was sent there has opened the router for it.
        reach.on_dialled(came.at, second(1));
        reach.on_linked(PeerId(3), came);
        assert_eq!(reach.standing(), Standing::Independent);
        reach.on_gone(PeerId(3));
        reach.on_linked(PeerId(3), came);
        assert_eq!(reach.standing(), Standing::Open);
        reach.on_mapped(Some(at("192.0.2.7:8644")));
        assert_eq!(reach.standing(), Standing::Mapped);
    }

    #[test]
    fn who_comes_back_from_another_port_tells_nothing_of_the_router_here() {
        let met = "203.0.113.9:5000";
        let came = End { came: true, ..dialled("203.0.113.9:5001") };
        let mut reach = linked(&[met]);
        reach.on_linked(PeerId(2), came);
        assert_ne!(reach.standing(), Standing::Open, "what is sent to the first lets it in");
        let mut reach = Reach::default();
        reach.on_dialled(at(met), second(1));
        reach.on_linked(PeerId(2), came);
        assert_ne!(reach.standing(), Standing::Open);
        reach.on_dial_over(at(met), false, second(2));
        reach.on_linked(PeerId(3), End { at: at("192.0.2.1:5001"), ..came });
        assert_eq!(reach.standing(), Standing::Open);
    }

    #[test]
    fn links_over_tcp_alone_tell_that_there_is_no_udp() {
        let mut reach = Reach::default();
        for (peer, address) in [(1, "198.51.100.1:1"), (2, "203.0.113.1:1")] {
            assert_eq!(reach.standing(), Standing::Unknown, "the other end may have none");
            reach.on_linked(PeerId(peer), End { is_met: false, ..dialled(address) });
        }
        assert_eq!(reach.standing(), Standing::NoUdp);
        reach.on_linked(PeerId(3), dialled("192.0.2.1:1"));
        assert_eq!(reach.standing(), Standing::Unknown);
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
        punched(&mut reach, PeerId(1), Punch::Go { address: there, mapping }, second(2));
        assert_eq!(reach.poll(second(2)), None, "it is being dialled already");
        // In vain: it is remembered and left alone.
        reach.on_dial_over(there, false, second(6));
        assert!(reach.is_hopeless(there, second(7)));
        punched(&mut reach, PeerId(1), Punch::Go { address: there, mapping }, second(8));
        assert_eq!(reach.poll(second(8)), None);
        assert!(!reach.is_hopeless(there, second(8) + limits::meeting::HOPELESS));
    }

    #[test]
    fn a_dial_that_nobody_arranged_is_not_hopeless() {
        let mut reach = linked(&["198.51.100.1:1"]);
        let there = at("203.0.113.9:5000");
        reach.on_dialled(there, second(1));
        reach.poll(second(2));
        punched(&mut reach, PeerId(1), Punch::Cannot { address: there }, second(2));
        reach.on_dial_over(there, false, second(6));
        assert!(!reach.is_hopeless(there, second(6)));
    }

    #[test]
    fn a_peer_that_both_are_linked_to_tells_both() {
        let (one, two) = ("198.51.100.1:1", "203.0.113.1:9");
        let mut reach = linked(&[one, two]);
        let mapping = Mapping::Independent;
        punched(&mut reach, PeerId(1), Punch::Ask { address: at(two), mapping }, second(1));
        let told = [reach.poll(second(1)), reach.poll(second(1)), reach.poll(second(1))];
        let there = Move::Tell(PeerId(2), Punch::Go { address: at(one), mapping });
        let here = Punch::Go { address: at(two), mapping: Mapping::Unknown };
        assert_eq!(told, [Some(there), Some(Move::Tell(PeerId(1), here)), None]);
        let nobody = at("203.0.113.77:9");
        punched(&mut reach, PeerId(1), Punch::Ask { address: nobody, mapping }, second(1));
        let cannot = Punch::Cannot { address: nobody };
        assert_eq!(reach.poll(second(1)), Some(Move::Tell(PeerId(1), cannot)));
    }

    #[test]
    fn nobody_is_made_to_send_to_whomever_a_peer_likes() {
        let mut reach = linked(&["198.51.100.1:1"]);
        let mapping = Mapping::Unknown;
        for inside in [
            "192.168.1.1:5300",
            "127.0.0.1:2200",
            "224.0.0.1:9000",
            "[fe80::1]:9000",
            "240.0.0.1:9000",
            "[64:ff9b::c0a8:101]:9000",
            "203.0.113.9:53",
        ] {
            punched(&mut reach, PeerId(1), Punch::Go { address: at(inside), mapping }, second(1));
            assert_eq!(reach.poll(second(1)), None, "{inside}");
        }
        let dials = |reach: &mut Reach, address: fn(u8) -> String| {
            let is_dialled = |number: &u8| {
                let address = at(&address(*number));
                punched(reach, PeerId(1), Punch::Go { address, mapping }, second(1));
                reach.poll(second(1)) == Some(Move::Dial(address))
            };
            (1..250).filter(is_dialled).count()
        };
        assert_eq!(
            dials(&mut reach, |port| format!("203.0.113.1:{}", 9000 + u16::from(port))),
            1,
            "one victim"
        );
        reach.meetings.clear();
        let most = limits::meeting::MEETINGS;
        assert_eq!(dials(&mut reach, |net| format!("203.0.{net}.1:9000")), most, "one peer");
        let stranger = PeerId(77);
        let address = at("203.0.113.2:9000");
        punched(&mut reach, stranger, Punch::Go { address, mapping }, second(90));
        assert_eq!(reach.poll(second(90)), None);
    }
}
