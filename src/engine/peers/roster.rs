//! Whom to link with and when: addresses with their back-off, links, and who is kept out.

use core::cell::Cell;
use core::net::SocketAddr;
use core::time::Duration;

use super::strangers::Strangers;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{FoundBy, Ground, NodeKey, PeerId, Role, Tier};
use crate::base::rng::Rng;
use crate::base::time::Instant;

/// An address at which a peer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub address: SocketAddr,
    /// Whose it is said to be, where that is known.
    pub key: Option<NodeKey>,
    /// How near.
    pub tier: Tier,
    /// How it came to be known.
    pub by: FoundBy,
}

/// A link that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Whose key.
    pub key: NodeKey,
    /// What it is there for.
    pub role: Role,
    /// How near.
    pub tier: Tier,
    /// Where its other end is.
    pub ground: Ground,
    /// The address that was dialled; none when the peer did.
    pub dialled: Option<SocketAddr>,
    /// Since when.
    pub since: Instant,
    /// How long a way there and back takes, where this node dialled: what making the link took.
    pub rtt: Option<Duration>,
}

/// A link that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Where.
    pub address: SocketAddr,
    /// Who must be there, where that is known.
    pub key: Option<NodeKey>,
    /// How near.
    pub tier: Tier,
    /// A stranger named it as one that is far.
    pub strange: bool,
}

/// Why a new link does not stay, or an old one makes way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is this very node.
    Own,
    /// There is another link to the same node, and that stays.
    Double,
    /// There are as many links as there may be, none of them of less use.
    Crowd,
    /// Its key is banned.
    Banned,
}

/// Why a dial failed, or a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answers, or the connection broke: tried again, later each time.
    Broken,
    /// This node itself answers there.
    Own,
    /// Another link to the same node stays.
    Double,
    /// It belongs elsewhere, speaks otherwise or wants none of us: tried again much later.
    Refused,
}

/// All addresses and links of a node.
#[derive(Debug)]
pub struct Roster {
    own: NodeKey,
    pub(super) max_peers: usize,
    rng: Rng,
    pub(super) addresses: Map<SocketAddr, Address>,
    pub(super) links: Map<PeerId, Linked>,
    bans: Map<NodeKey, Instant>,
    strangers: Strangers,
    /// When it was looked who is to be dialled, and when that is: each look goes through all
    /// addresses and links, and every block that comes asks for it.
    pub(super) look: Cell<Option<(Instant, Option<Instant>)>>,
}

#[derive(Debug)]
pub(super) struct Address {
    pub(super) found: Found,
    /// It is announced, or configured; what is not goes with its link.
    pub(super) is_current: bool,
    pub(super) is_dialled: bool,
    pub(super) is_own: bool,
    failures: u32,
    /// When it may be dialled again; while it is dialled, since when.
    pub(super) next: Instant,
    /// When a link was last made by dialling it.
    pub(super) proven: Option<Instant>,
}

impl Roster {
    /// The roster of the node with this key, which keeps up to `max_peers` links.
    pub const fn new(own: NodeKey, max_peers: usize, rng: Rng) -> Self {
        Self {
            own,
            max_peers,
            rng,
            addresses: Map::new(),
            links: Map::new(),
            bans: Map::new(),
            strangers: Strangers::new(),
            look: Cell::new(None),
        }
    }

    /// An address was configured or announced.
    pub fn on_found(&mut self, found: Found, now: Instant) {
        self.on_named(found, None, now);
    }

    /// The same, where a peer that is there may have named it.
    pub fn on_named(&mut self, found: Found, whence: Option<Ground>, now: Instant) {
        self.look.take();
        if let Some(address) = self.addresses.get_mut(&found.address) {
            // The first word of whoever cannot lie about it stays.
            let by = address.found.by.min(found.by);
            let is_new =
                !address.is_current || (found.key.is_some() && found.key != address.found.key);
            let key = found.key.or(address.found.key);
            let tier = address.found.tier.min(found.tier);
            address.found = Found { key, by, tier, ..found };
            address.is_current = true;
            if by.is_hearsay() {
                return;
            }
            if is_new {
                (address.failures, address.is_own) = (0, false);
                address.next = address.next.min(now + limits::meeting::REDIAL.0);
            }
            return;
        }
        let is_hearsay = found.by.is_hearsay();
        if is_hearsay && !self.strangers.admit(found.address, whence, now) {
            return;
        }
        if self.addresses.len() >= limits::meeting::ADDRESSES && !self.forget_worst(is_hearsay) {
            return;
        }
        // Both sides hear of each other at once; a little chance lets one dial first.
        let next = now + self.jitter(FIRST_DIAL);
        let is_own = found.key == Some(self.own);
        let (is_current, is_dialled, failures, proven) = (true, false, 0, None);
        let address = Address { found, is_current, is_dialled, is_own, failures, next, proven };
        self.addresses.insert(found.address, address);
    }

    /// An address is announced no more. A configured one stays.
    pub fn on_lost(&mut self, address: SocketAddr) {
        self.look.take();
        let lost =
            self.addresses.get_mut(&address).filter(|known| known.found.by != FoundBy::Config);
        if let Some(known) = lost {
            known.is_current = false;
            self.tidy(address);
        }
    }

    /// A link stands. It stays, perhaps in place of another one that is to be ended for the
    /// reason given, or it is to be ended itself.
    pub fn on_joined(
        &mut self,
        peer: PeerId,
        mut link: Linked,
        now: Instant,
    ) -> Result<Option<(PeerId, Refusal)>, Refusal> {
        self.look.take();
        if let Some(address) = link.dialled.and_then(|at| self.addresses.get_mut(&at)) {
            link.rtt = address.is_dialled.then(|| (now - address.next) / TRIPS);
            address.is_dialled = false;
            address.found.key = Some(link.key);
            address.is_own = link.key == self.own;
            address.proven = Some(now).filter(|_| !address.is_own);
        }
        let welcome = self.welcome(&link, now);
        match welcome {
            Ok(instead) => {
                if let Some((old, _)) = instead {
                    self.links.remove(&old);
                }
                self.links.insert(peer, link);
            }
            Err(_) => {
                if let Some(at) = link.dialled {
                    self.put_off(at, Failure::Refused, now);
                }
            }
        }
        welcome
    }

    fn welcome(&self, link: &Linked, now: Instant) -> Result<Option<(PeerId, Refusal)>, Refusal> {
        if link.key == self.own {
            return Err(Refusal::Own);
        }
        if self.is_banned(link.key, now) {
            return Err(Refusal::Banned);
        }
        if let Some((old, other)) = self.links.iter().find(|(_, other)| other.key == link.key) {
            let stays = self.new_one_stays(link, other, now);
            return if stays { Ok(Some((*old, Refusal::Double))) } else { Err(Refusal::Double) };
        }
        if self.links.len() < self.max_peers {
            return if self.leaves_room(link) { Ok(None) } else { Err(Refusal::Crowd) };
        }
        let new = self.standing(link, self.beside(link.ground) + 1);
        let standing = |other: &Linked| self.standing(other, self.beside(other.ground));
        let goes = |of_all| self.least(of_all).filter(|(_, least)| standing(least) > new);
        // For whom this node knows the few far ones make way too.
        match goes(false).or_else(|| goes(true).filter(|_| new.0 == KNOWN)) {
            Some((least, _)) => Ok(Some((least, Refusal::Crowd))),
            None => Err(Refusal::Crowd),
        }
    }

    /// Of two links to one node the one stays that the smaller key dialled, as both sides see it.
    fn new_one_stays(&self, new: &Linked, old: &Linked, now: Instant) -> bool {
        let dialler = |link: &Linked| if link.dialled.is_some() { self.own } else { link.key };
        if dialler(new) == dialler(old) {
            // Who dials again after a while has lost the old one, or knew the address by no key:
            // both sides must see it alike.
            return now - old.since >= AGAIN;
        }
        dialler(new) < dialler(old)
    }

    /// A link could not be made; none stands for one that a peer dialled.
    pub fn on_failed(&mut self, dialled: Option<SocketAddr>, why: Failure, now: Instant) {
        self.look.take();
        if let Some(at) = dialled {
            self.put_off(at, why, now);
        }
    }

    /// A link is no more.
    pub fn on_gone(&mut self, peer: PeerId, why: Failure, now: Instant) {
        self.look.take();
        let Some(link) = self.links.remove(&peer) else { return };
        let Some(at) = link.dialled else { return };
        if let Some(address) = self.addresses.get_mut(&at) {
            if now - link.since >= limits::meeting::PROVEN_LINK {
                address.failures = 0;
            }
        }
        self.put_off(at, why, now);
    }

    /// A key is kept out for a day; answers its link, which is to be ended.
    pub fn ban(&mut self, key: NodeKey, now: Instant) -> Option<PeerId> {
        self.look.take();
        self.bans.retain(|_, since| now - *since < limits::meeting::BAN);
        self.bans.insert(key, now);
        if self.bans.len() > limits::meeting::BANS {
            let oldest = self.bans.iter().min_by_key(|(_, since)| **since).map(|(key, _)| *key);
            oldest.map(|key| self.bans.remove(&key));
        }
        self.links.iter().find(|(_, link)| link.key == key).map(|(peer, _)| *peer)
    }

    /// Whether a key is kept out.
    pub fn is_banned(&self, key: NodeKey, now: Instant) -> bool {
        self.bans.get(&key).is_some_and(|since| now - *since < limits::meeting::BAN)
    }

    /// The links that stand.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, &Linked)> {
        self.links.iter().map(|(peer, link)| (*peer, link))
    }

    /// Addresses that are known: all, and those that are being dialled.
    pub fn addresses(&self) -> (usize, usize) {
        (self.addresses.len(), self.dials())
    }

    /// The address is dialled again later: doubled each time, with chance.
    fn put_off(&mut self, at: SocketAddr, why: Failure, now: Instant) {
        let chance = self.rng.below(1 << 16);
        let Some(address) = self.addresses.get_mut(&at) else { return };
        address.is_dialled = false;
        address.is_own |= why == Failure::Own;
        let (first, most) = limits::meeting::REDIAL;
        let doubled = first.saturating_mul(1 << address.failures.min(16));
        let wait = if why == Failure::Refused { most } else { doubled.min(most) };
        // Between half and the whole, so that a house does not dial in step after a power cut.
        let wait =
            wait / 2 + (wait / 2 / (1 << 16)).saturating_mul(u32::try_from(chance).unwrap_or(0));
        address.failures = address.failures.saturating_add(1);
        address.next = now + wait;
        let most = match address.found.by {
            FoundBy::Config => u32::MAX,
            FoundBy::Lan => limits::meeting::LAN_FAILURES,
            // Whoever was reached there may be back; a stranger is not tried twice.
            FoundBy::Tracker | FoundBy::Peer if address.proven.is_some() => STRANGER_FAILURES,
            FoundBy::Tracker | FoundBy::Peer => 1,
        };
        let is_lost = address.failures >= most;
        address.is_current &= !is_lost;
        self.tidy(at);
    }

    /// Forgets an address that is announced no more and has no link.
    fn tidy(&mut self, at: SocketAddr) {
        let is_linked = self.links.values().any(|link| link.dialled == Some(at));
        let is_over = |address: &Address| !address.is_current && !address.is_dialled;
        if !is_linked && self.addresses.get(&at).is_some_and(is_over) {
            self.addresses.remove(&at);
        }
    }

    /// Makes room for an address: the one that failed most goes; false where all are in use.
    fn forget_worst(&mut self, is_hearsay: bool) -> bool {
        let linked: Vec<SocketAddr> = self.links.values().filter_map(|link| link.dialled).collect();
        let is_spare = |(at, address): &(&SocketAddr, &Address)| {
            // Hearsay never drives out what is known better.
            let is_less = address.found.by.is_hearsay() || !is_hearsay;
            let is_static = address.found.by == FoundBy::Config;
            is_less && !is_static && !address.is_dialled && !linked.contains(at)
        };
        let spare = self.addresses.iter().filter(is_spare);
        let worst = spare.max_by_key(|(_, address)| (address.failures, address.next));
        let worst = worst.map(|(at, _)| *at);
        worst.is_some_and(|at| self.addresses.remove(&at).is_some())
    }

    fn jitter(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(0);
        Duration::from_micros(self.rng.below(micros))
    }
}

/// A new address is dialled within this time.
const FIRST_DIAL: Duration = Duration::from_millis(300);

/// Ways there and back that making a link takes: TCP, TLS, both proofs.
const TRIPS: u32 = 4;

/// How often in a row somebody who was reached before is dialled in vain.
const STRANGER_FAILURES: u32 = 4;

/// A second link by the same dialler this long after the first replaces it.
const AGAIN: Duration = Duration::from_secs(5);

/// The class of those whose key or address is known.
pub(super) const KNOWN: u8 = 0;

#[cfg(test)]
mod tests {
    use crate::base::set::Set;
    use std::fmt::Write;

    use super::*;

    struct Bench {
        roster: Roster,
        now: Instant,
        log: String,
    }

    fn address(number: &str) -> SocketAddr {
        SocketAddr::from(([192, 168, 1, number.parse().expect("a number")], 8644))
    }

    fn key(number: &str) -> NodeKey {
        NodeKey([number.parse().expect("a number"); 32])
    }

    /// Plays a script for the node with key 50 and up to three links; each line is a moment in
    /// seconds and what happens: what the roster answers and dials until then is compared.
    #[track_caller]
    fn check(script: &str, expected: &str) {
        check_with(3, script, expected);
    }

    #[track_caller]
    fn check_with(most: usize, script: &str, expected: &str) {
        let roster = Roster::new(NodeKey([50; 32]), most, Rng::new(7));
        let start = Instant::default() + Duration::from_secs(1);
        let mut bench = Bench { roster, now: start, log: String::new() };
        for line in script.lines().map(str::trim) {
            let words: Vec<_> = line.split(' ').collect();
            let until = start + Duration::from_secs(words[0].parse().expect("a number"));
            bench.run(until);
            bench.happen(&words[1..]);
        }
        let lines =
            |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
        assert_eq!(lines(&bench.log), lines(expected));
    }

    impl Bench {
        fn run(&mut self, until: Instant) {
            while let Some(next) = self.roster.poll_timeout(self.now).filter(|at| *at <= until) {
                self.now = self.now.max(next);
                let dial = self.roster.poll(self.now).expect("what it woke for");
                writeln!(
                    self.log,
                    "dial {}",
                    dial.address.ip().to_string().replace("192.168.1.", "")
                )
                .expect("a String");
            }
            self.now = until;
        }

        fn happen(&mut self, words: &[&str]) {
            let now = self.now;
            match words {
                ["found", at, rest @ ..] => {
                    let is_static = rest.contains(&"static");
                    let by = if is_static { FoundBy::Config } else { FoundBy::Lan };
                    let key = rest.iter().find_map(|word| word.strip_prefix("key")).map(key);
                    let (address, tier) = (address(at), Tier::Home);
                    self.roster.on_found(Found { address, key, tier, by }, now);
                }
                ["lost", at] => self.roster.on_lost(address(at)),
                ["joined", peer, whose, how @ ..] => {
                    let dialled = how.iter().find_map(|word| word.strip_prefix("at")).map(address);
                    let tier = if how.contains(&"wan") { Tier::Wan } else { Tier::Home };
                    let role = match how {
                        how if how.contains(&"gateway") => Role::Gateway,
                        how if how.contains(&"witness") => Role::Witness,
                        _ => Role::Device,
                    };
                    let near = how.iter().find_map(|word| word.strip_prefix("net"));
                    let near = near.map_or(peer.parse().expect("a number"), |net| {
                        net.parse().expect("an address")
                    });
                    let ground = match tier {
                        Tier::Home => Ground::Home,
                        _ => Ground::Four([203, 0, near]),
                    };
                    let (key, rtt) = (key(whose), None);
                    let mut link = Linked { key, role, tier, ground, dialled, since: now, rtt };
                    link.role = self.roster.judged(&link);
                    let peer = PeerId(peer.parse().expect("a number"));
                    let answer = match self.roster.on_joined(peer, link, now) {
                        Ok(None) => "stays".into(),
                        Ok(Some((old, why))) => format!("replaces {} {why:?}", old.0),
                        Err(why) => format!("{why:?}"),
                    };
                    writeln!(self.log, "{answer}").expect("a String");
                }
                ["failed", at, why] => self.roster.on_failed(Some(address(at)), failure(why), now),
                ["gone", peer] => {
                    self.roster.on_gone(
                        PeerId(peer.parse().expect("a number")),
                        Failure::Broken,
                        now,
                    );
                }
                ["ban", whose] => {
                    let link = self.roster.ban(key(whose), now);
                    writeln!(self.log, "banned {:?}", link.map(|link| link.0)).expect("a String");
                }
                ["quiet"] => assert_eq!(self.roster.poll_timeout(now), None),
                other => panic!("no such event: {other:?}"),
            }
        }
    }

    fn failure(word: &str) -> Failure {
        match word {
            "broken" => Failure::Broken,
            "own" => Failure::Own,
            "refused" => Failure::Refused,
            other => panic!("no such failure: {other}"),
        }
    }

    #[test]
    fn nothing_wakes_where_nobody_is_to_be_dialled() {
        check("0 quiet\n0 found 1\n1 joined 1 60 at1\n1 quiet", "dial 1\nstays");
        check("0 found 1\n1 failed 1 broken\n1 lost 1\n1 quiet", "dial 1");
    }

    #[test]
    fn this_very_node_is_recognised_and_not_dialled_again() {
        check("0 found 1\n1 joined 1 50 at1\n1 quiet", "dial 1\nOwn");
        check("0 found 1\n1 failed 1 own\n1 quiet", "dial 1");
        check("0 found 1 key50\n0 quiet", "");
    }

    #[test]
    fn of_two_links_the_smaller_keys_stays_on_both_sides() {
        // This node is 50. Against 60 its own dial stays, whichever stands first.
        let by_us = "0 found 1\n1 joined 1 60 at1\n1 joined 2 60";
        check(by_us, "dial 1\nstays\nDouble");
        check("0 found 1\n1 joined 2 60\n1 joined 1 60 at1", "dial 1\nstays\nreplaces 2 Double");
        check("0 found 1\n1 joined 1 40 at1\n1 joined 2 40", "dial 1\nstays\nreplaces 1 Double");
        check("0 found 1\n1 joined 2 40\n1 joined 1 40 at1", "dial 1\nstays\nDouble");
    }

    #[test]
    fn who_comes_back_before_its_end_was_seen_is_let_in() {
        check("0 joined 1 60\n60 joined 2 60", "stays\nreplaces 1 Double");
        check("0 joined 1 60\n1 joined 2 60", "stays\nDouble");
        // Who dialled both sees it alike.
        let by_us =
            |when| format!("0 found 1\n0 found 2\n1 joined 1 60 at1\n{when} joined 2 60 at2");
        check(&by_us(60), "dial 2\ndial 1\nstays\nreplaces 1 Double");
        check(&by_us(2), "dial 2\ndial 1\nstays\nDouble");
    }

    #[test]
    fn there_are_no_more_links_than_may_be_and_the_far_ones_make_way() {
        check(
            "0 joined 1 60
             0 joined 2 61 wan
             0 joined 3 62
             1 joined 4 63 wan
             1 joined 5 64
             1 joined 6 65
             1 found 1
             1 quiet",
            "stays\nstays\nstays\nCrowd\nreplaces 2 Crowd\nCrowd",
        );
    }

    #[test]
    fn a_banned_key_is_kept_out_for_a_day() {
        check(
            "0 found 1 key60
             1 joined 1 60 at1
             2 ban 60
             2 gone 1
             5 joined 2 60
             5 quiet
             90000 joined 3 60",
            "dial 1\nstays\nbanned Some(1)\nBanned\nstays",
        );
    }

    #[test]
    fn a_configured_address_is_tried_for_ever_and_ever_less_often() {
        let mut roster = Roster::new(NodeKey([50; 32]), 3, Rng::new(3));
        let mut now = Instant::default();
        let found =
            Found { address: address("1"), key: None, tier: Tier::Wan, by: FoundBy::Config };
        roster.on_found(found, now);
        let mut waits = Vec::new();
        for _ in 0..100 {
            let next = roster.poll_timeout(now).expect("it is tried again");
            waits.push(next - now);
            now = next;
            assert!(roster.poll(now).is_some() && roster.poll(now).is_none());
            roster.on_failed(Some(found.address), Failure::Broken, now);
        }
        let late = &waits[20..];
        assert!(
            waits[1] <= Duration::from_secs(1)
                && late.iter().all(|wait| {
                    (Duration::from_secs(300)..=Duration::from_secs(600)).contains(wait)
                })
        );
        assert!(late.iter().collect::<Set<_>>().len() > 50, "no two in step");
    }

    #[test]
    fn a_peer_that_comes_from_another_port_of_where_it_was_dialled_has_not_come_by_itself() {
        let mut roster = Roster::new(NodeKey([50; 32]), 3, Rng::new(3));
        let (now, tier) = (Instant::default(), Tier::Wan);
        let found = Found { address: address("1"), key: None, tier, by: FoundBy::Config };
        roster.on_found(found, now);
        let (key, ground) = (NodeKey([1; 32]), Ground::Four([203, 0, 113]));
        let (role, dialled, rtt) = (Role::Device, None, None);
        let link = Linked { key, role, tier, ground, dialled, since: now, rtt };
        assert_eq!(roster.on_joined(PeerId(1), link, now), Ok(None));
        assert!(roster.has_come(PeerId(1), address("2")));
        assert!(!roster.has_come(PeerId(1), SocketAddr::new(found.address.ip(), 7)));
    }

    #[test]
    fn a_local_address_that_fails_is_forgotten_until_it_is_announced() {
        let mut roster = Roster::new(NodeKey([50; 32]), 3, Rng::new(3));
        let mut now = Instant::default();
        let found = Found { address: address("1"), key: None, tier: Tier::Home, by: FoundBy::Lan };
        roster.on_found(found, now);
        let mut dials = 0;
        while let Some(next) = roster.poll_timeout(now) {
            now = next;
            dials += u32::from(roster.poll(now).is_some());
            roster.on_failed(Some(found.address), Failure::Broken, now);
        }
        assert_eq!((dials, roster.addresses()), (limits::meeting::LAN_FAILURES, (0, 0)));
        roster.on_found(found, now);
        assert!(roster.poll_timeout(now).is_some());
    }

    #[test]
    fn a_flood_of_addresses_is_bounded_and_spares_the_configured_ones() {
        let mut roster = Roster::new(NodeKey([50; 32]), 24, Rng::new(3));
        let now = Instant::default();
        for number in 0..2000_u16 {
            let address = SocketAddr::from(([10, 0, 0, 1], 1000 + number));
            let by = if number < 5 { FoundBy::Config } else { FoundBy::Lan };
            let found = Found { address, key: None, tier: Tier::Home, by };
            roster.on_found(found, now);
        }
        assert_eq!(roster.addresses().0, limits::meeting::ADDRESSES);
        let configured =
            roster.addresses.values().filter(|address| address.found.by == FoundBy::Config);
        assert_eq!(configured.count(), 5);
        let later = now + Duration::from_secs(1);
        let dials = core::iter::from_fn(|| roster.poll(later)).count();
        assert_eq!(dials, limits::meeting::DIALS);
    }

    #[test]
    fn who_has_many_addresses_in_one_place_takes_not_all_the_room() {
        // Four links at most; three may come by themselves.
        check_with(
            4,
            "0 joined 1 60 wan net7\n1 joined 2 61 wan net7\n2 joined 3 62 wan net7\n\
             3 joined 4 63 wan net7\n4 found 1\n5 joined 5 64 wan at1\n6 joined 6 65 wan net7\n\
             7 joined 7 66 wan net8",
            "stays\nstays\nstays\nCrowd\ndial 1\nstays\nCrowd\nreplaces 3 Crowd",
        );
    }

    #[test]
    fn a_configured_node_is_dialled_though_there_is_a_crowd() {
        check_with(
            2,
            "0 joined 1 60 wan\n1 found 1\n2 joined 2 61 wan at1\n3 found 9 static\n\
             5 joined 3 62 wan at9\n6 joined 4 63 wan net1\n7 quiet",
            "stays\ndial 1\nstays\ndial 9\nreplaces 2 Crowd\ndial 1\nCrowd",
        );
    }

    #[test]
    fn who_says_to_be_a_gateway_keeps_nobody_out() {
        // Nodes elsewhere, then two of the home, one of which is gone for a configured one.
        check_with(
            4,
            "0 joined 1 60 wan gateway\n1 joined 2 61 wan gateway\n2 joined 3 62 wan gateway\n\
             3 joined 4 63 wan gateway\n4 joined 5 64\n5 joined 6 65\n6 found 9 static\n\
             7 joined 7 66 wan at9\n8 joined 8 67 wan witness\n9 joined 9 68 gateway\n\
             10 joined 10 69 gateway\n11 joined 11 70 gateway\n12 joined 12 71 wan gateway\n\
             13 joined 13 72 wan witness",
            "stays\nstays\nstays\nCrowd\nstays\nreplaces 3 Crowd\ndial 9\nreplaces 2 Crowd\n\
             replaces 1 Crowd\nreplaces 6 Crowd\nreplaces 5 Crowd\nCrowd\nCrowd\n\
             replaces 10 Crowd",
        );
        // Who is configured is known by its key too, where it dials; the far one that else is
        // kept makes way for it.
        check_with(
            1,
            "0 found 9 static\n1 joined 1 40 wan at9\n2 gone 1\n3 joined 2 60 wan\n\
             4 joined 3 40 wan gateway\n5 joined 4 61",
            "dial 9\nstays\ndial 9\nstays\nreplaces 2 Crowd\nCrowd",
        );
    }
}
