//! Others as linked peers name them, and as this node names others. Beyond the home only while
//! something is played there, and only addresses at which a node was reached or from which it
//! came, if it names others itself. In the home each newcomer hears once where those who came
//! before it await others: where routers let no multicast through, one common node is enough.

use core::net::{Ipv6Addr, SocketAddr};

use super::machine::Machine;
use super::swarm::{Link, Swarm};
use crate::base::limits;
use crate::base::peer::{FoundBy, PeerId, Role, Tier};
use crate::base::time::Instant;
use crate::config::near::Near;
use crate::engine::peers::gossip::Named;
use crate::engine::peers::roster::Found;
use crate::wire::message::Message;

impl Swarm {
    /// Whether a stream is played that is shared beyond the home.
    pub(super) fn is_wide(&self, now: Instant) -> bool {
        self.wide.is_some_and(|played| now - played < limits::meeting::MEET_OVER)
    }

    /// Whether others beyond the home are named: by who plays such a stream, and by a witness,
    /// whom all meet.
    pub(super) fn names_others(&self, now: Instant) -> bool {
        let is_hub = self.role == Role::Witness;
        let has_use = self.is_wide(now)
            || (is_hub && self.links.values().any(|link| link.tier != Tier::Home));
        has_use && !self.hides
    }

    /// Nodes that can be named.
    fn nameable(&self, now: Instant) -> Vec<Named> {
        let reached = self.roster.proven(now).filter(|(_, _, tier)| *tier != Tier::Home);
        let reached = reached.map(|(address, key, _)| Named { address, key });
        let mut all: Vec<Named> = reached.collect();
        for (peer, link) in &self.links {
            let is_open = link.tier == Tier::Home || self.gossip.is_open(*peer);
            let is_new = all.iter().all(|named| named.key != link.key);
            let seen = link.seen.filter(|seen| is_open && is_new && seen.port() > 0);
            all.extend(seen.map(|address| Named { address, key: link.key }));
        }
        all
    }
}

impl Machine {
    /// Names others to those who may have use for them.
    pub(super) fn gossip(&mut self) {
        let now = self.now;
        let Some(swarm) = &mut self.swarm else { return };
        let far = swarm.names_others(now);
        if swarm.gossip.poll_timeout(far).is_none_or(|at| at > now) {
            return;
        }
        let known = swarm.nameable(now);
        // Who meets all streams names to each those alone who are on the same one.
        let (links, scheduler) = (&swarm.links, &swarm.scheduler);
        let is_hub = swarm.role == Role::Witness;
        let is_home = |link: &Link| link.tier == Tier::Home;
        let may = |peer: PeerId, named: &Named| {
            let linked = links.iter().find(|(_, link)| link.key == named.key);
            if links.get(&peer).is_some_and(is_home) {
                return linked.is_some_and(|(other, link)| is_home(link) && *other < peer);
            }
            let is_far = linked.is_none_or(|(_, link)| !is_home(link));
            is_far && (!is_hub || linked.is_some_and(|(other, _)| scheduler.meet(peer, *other)))
        };
        let mut words = Vec::new();
        while let Some(word) = swarm.gossip.poll(&known, (now, far), may) {
            words.push(word);
        }
        for (peer, addresses) in words {
            self.tell(peer, Message::Peers { addresses });
        }
    }

    /// Tells a peer in the home where this node awaits others, if it wants to be found.
    pub(super) fn tell_port(&mut self, peer: PeerId) {
        let network = &self.config.network;
        let port = network.listen.first().filter(|_| network.discovery).map(SocketAddr::port);
        if let Some(port) = port {
            let addresses = vec![SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)];
            self.tell(peer, Message::Peers { addresses });
        }
    }

    /// A peer names others: strangers' words, each of which may lead to a victim. In the home it
    /// names itself first, by the port at which it awaits others.
    pub(super) fn on_named(&mut self, peer: PeerId, named: &[SocketAddr]) {
        let now = self.now;
        let network = &self.config.network;
        let Some(swarm) = &mut self.swarm else { return };
        let Some(link) = swarm.links.get_mut(&peer) else { return };
        let (by, whence) = (link.seen.filter(|_| link.tier == Tier::Home), link.ground);
        match (named, &mut link.seen) {
            ([own], Some(seen)) if by.is_some() && own.ip().is_unspecified() => {
                return seen.set_port(if network.discovery { own.port() } else { 0 });
            }
            _ => {}
        }
        let follows = match by {
            Some(_) => network.discovery,
            None => swarm.is_wide(now) && !swarm.hides,
        };
        for address in swarm.gossip.on_named(peer, named, now).iter().filter(|_| follows) {
            let is_linked = swarm.links.values().any(|link| link.seen == Some(*address));
            let tier = match by {
                Some(by) if Near::is_beside(*address, by.ip()) && !is_linked => Tier::Home,
                None if network.near.is_foreign(*address) => {
                    network.near.tier_from(address.ip(), swarm.outside)
                }
                _ => continue,
            };
            let (address, key, by) = (*address, None, FoundBy::Peer);
            swarm.roster.on_named(Found { address, key, tier, by }, Some(whence), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;
    use core::time::Duration;

    use super::super::event::{Input, Output};
    use super::super::overview::Figures;
    use super::super::peering::{Parting, PeerOrder, Peering, Stranger};
    use super::*;
    use crate::base::digest::Digest;
    use crate::base::peer::NodeKey;
    use crate::base::time::{Date, Instant};
    use crate::base::url::Url;
    use crate::config::model::{Config, Origin, Share};
    use crate::config::near::Group;
    use crate::config::secret::Secret;

    /// A machine in a network, whose one origin is shared with all, and which has a date.
    fn machine(change: impl FnOnce(&mut Config)) -> (Machine, Instant) {
        let url = Url::parse("https://cdn.example/").expect("a URL");
        let mut origin = Origin::new("tv".into(), url);
        origin.share = Share::Any;
        let mut config = Config { origins: vec![origin], ..Config::default() };
        config.network.name = "net".into();
        config.network.secret = Secret::new(vec![1; 16]).ok();
        change(&mut config);
        let now = Instant::from_micros(5_000_000);
        let mut machine = Machine::new(config, 7, now);
        machine.know(NodeKey([1; 32]), NodeKey([1; 32]), now);
        machine.handle(Input::Dated(Date(1_800_000_000)), now);
        (machine, now)
    }

    fn socket(text: &str) -> SocketAddr {
        text.parse().expect("an address with its port")
    }

    fn outputs(machine: &mut Machine) -> Vec<Output> {
        core::iter::from_fn(|| machine.poll_output()).collect()
    }

    fn said(machine: &mut Machine, peer: u64, message: Message, now: Instant) -> Vec<Output> {
        let said = Peering::Said { peer: PeerId(peer), message };
        machine.handle(Input::Peer(Box::new(said)), now);
        outputs(machine)
    }

    fn joined(machine: &mut Machine, peer: u64, (role, at): (Role, SocketAddr), now: Instant) {
        let tier = machine.config.network.near.tier(at.ip(), &[]);
        let key = NodeKey([u8::try_from(peer).expect("few peers") + 10; 32]);
        let (peer, dialled, address) = (PeerId(peer), Some(at), at.ip());
        let joined = Peering::Joined { peer, key, role, tier, dialled, address };
        machine.handle(Input::Peer(Box::new(joined)), now);
    }

    fn dials(outputs: &[Output]) -> usize {
        let is_dial = |output: &&Output| match output {
            Output::Peer(order) => matches!(**order, PeerOrder::Dial { .. }),
            _ => false,
        };
        outputs.iter().filter(is_dial).count()
    }

    #[test]
    fn no_address_of_a_peer_leaves_the_machine() {
        let (mut machine, mut now) = machine(|_| {});
        let at = socket("198.51.100.77:8644");
        let other = socket("203.0.113.99:8644");
        joined(&mut machine, 1, (Role::Device, at), now);
        let found = Peering::Found { address: other, key: None, tier: Tier::Wan, by: FoundBy::Lan };
        machine.handle(Input::Peer(Box::new(found)), now);
        let why = Parting::Stranger(Stranger::WrongSecret);
        let failed = Peering::Failed { dialled: Some(other), why };
        machine.handle(Input::Peer(Box::new(failed)), now);
        let _ = said(&mut machine, 1, Message::Peers { addresses: vec![other] }, now);
        now += Duration::from_secs(400);
        machine.handle(Input::Stopping, now);
        let mut seen =
            serde_json::to_string(&machine.status(now, Figures::default())).expect("JSON");
        for output in outputs(&mut machine) {
            match output {
                Output::Say(level, line) if level <= log::Level::Info => seen += &line,
                Output::Note { text, .. } => seen += &text,
                _ => {}
            }
        }
        assert!(seen.contains("0b0b0b0b"), "the peer itself is shown by its key: {seen}");
        for address in [at, other] {
            assert!(!seen.contains(&address.ip().to_string()), "{address}: {seen}");
        }
    }

    #[test]
    fn who_is_in_the_group_of_a_node_behind_a_router_is_near_once_its_address_is_known() {
        let (mut machine, now) = machine(|config| {
            let read = crate::config::read::network;
            let prefixes = ["198.51.100.0/24", "192.0.2.0/24"].map(read);
            let prefixes = prefixes.map(|one| one.expect("a network")).to_vec();
            config.network.near.groups = vec![Group { name: "AS64500".into(), prefixes }];
        });
        let tiers = |machine: &Machine, now| {
            let network = machine.status(now, Figures::default()).network.expect("a network");
            network.peers.into_iter().map(|peer| peer.tier).collect::<Vec<_>>()
        };
        for (peer, at) in [(1, "198.51.100.77:8644"), (2, "203.0.113.99:8644")] {
            let at = socket(at);
            joined(&mut machine, peer, (Role::Device, at), now);
            let seen = Peering::Seen { peer: PeerId(peer), at, is_udp: true };
            machine.handle(Input::Peer(Box::new(seen)), now);
        }
        let address = socket("192.0.2.7:4000");
        let _ = said(&mut machine, 1, Message::Observed { address }, now);
        assert_eq!(tiers(&machine, now), ["wan", "wan"], "one word is not believed");
        let _ = said(&mut machine, 2, Message::Observed { address }, now);
        assert_eq!(tiers(&machine, now), ["isp", "wan"]);
        joined(&mut machine, 3, (Role::Device, socket("198.51.100.78:8644")), now);
        assert_eq!(tiers(&machine, now), ["isp", "wan", "isp"]);
    }

    #[test]
    fn who_agrees_on_a_false_address_of_this_node_does_not_come_into_its_home() {
        let (mut machine, now) = machine(|config| {
            let prefixes = vec![crate::config::read::network("192.0.2.0/24").expect("a network")];
            config.network.near.groups = vec![Group { name: "AS64500".into(), prefixes }];
        });
        for (peer, at) in [(1, "[2001:db8:1::1]:8644"), (2, "[2001:db8:2::1]:8644")] {
            let at = socket(at);
            joined(&mut machine, peer, (Role::Device, at), now);
            let seen = Peering::Seen { peer: PeerId(peer), at, is_udp: true };
            machine.handle(Input::Peer(Box::new(seen)), now);
            let address = socket("[2001:db8:6:6::1]:4000");
            let _ = said(&mut machine, peer, Message::Observed { address }, now);
        }
        joined(&mut machine, 3, (Role::Device, socket("[2001:db8:6:6::66]:8644")), now);
        let network = machine.status(now, Figures::default()).network.expect("a network");
        assert!(network.peers.iter().all(|peer| peer.tier == "wan"), "{:?}", network.peers);
    }

    #[test]
    fn hearsay_is_not_followed_by_who_plays_at_home_or_hides() {
        let named = socket("203.0.113.99:8644");
        let victim = socket("192.168.1.1:8644");
        let message = || Message::Peers { addresses: vec![victim, named, named] };
        for (hides, plays, expected) in
            [(false, true, 1), (false, false, 0), (true, true, 0), (true, false, 0)]
        {
            let (mut machine, mut now) = machine(|config| config.network.relay_only = hides);
            let witness = socket("198.51.100.77:8644");
            joined(&mut machine, 1, (Role::Witness, witness), now);
            machine.swarm.as_mut().expect("a network").wide = plays.then_some(now);
            let _ = said(&mut machine, 1, message(), now);
            now += Duration::from_secs(1);
            machine.handle(Input::Tick, now);
            assert_eq!(dials(&outputs(&mut machine)), expected, "hides: {hides}, plays: {plays}");
            now += limits::meeting::GOSSIP_FIRST;
            machine.handle(Input::Tick, now);
            let words = outputs(&mut machine);
            let speaks = words.iter().any(|output| match output {
                Output::Peer(order) => {
                    matches!(**order, PeerOrder::Tell { message: Message::Peers { .. }, .. })
                }
                _ => false,
            });
            assert_eq!(speaks, plays && !hides, "hides: {hides}, plays: {plays}");
            let alarm = machine.poll_timeout();
            assert!(alarm.is_none_or(|(at, _)| at > now), "it does not turn in place: {alarm:?}");
        }
    }

    /// A link at home over TCP from there, whose node says at what port it awaits others.
    fn at_home(machine: &mut Machine, peer: u64, at: &str, now: Instant) -> Vec<Output> {
        let at = socket(at);
        joined(machine, peer, (Role::Device, at), now);
        let seen = SocketAddr::new(at.ip(), 50_000);
        let seen = Peering::Seen { peer: PeerId(peer), at: seen, is_udp: false };
        machine.handle(Input::Peer(Box::new(seen)), now);
        said(machine, peer, Message::Peers { addresses: vec![socket("[::]:8644")] }, now)
    }

    /// Whom a machine names to whom.
    fn names(outputs: &[Output]) -> Vec<String> {
        let named = |output: &Output| match output {
            Output::Peer(order) => match &**order {
                PeerOrder::Tell { peer, message: Message::Peers { addresses } } => {
                    let all: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
                    Some(format!("{}: {}", peer.0, all.join(" ")))
                }
                _ => None,
            },
            _ => None,
        };
        outputs.iter().filter_map(named).collect()
    }

    #[test]
    fn in_the_home_who_comes_is_told_who_is_there() {
        for (discovery, first, later) in
            [(true, "1: [::]:8644", "2: 192.168.1.5:8644"), (false, "", "")]
        {
            let (mut machine, mut now) = machine(|config| config.network.discovery = discovery);
            let told = at_home(&mut machine, 1, "192.168.1.5:8644", now);
            assert_eq!(names(&told).join(", "), first);
            now += Duration::from_secs(1);
            let _ = at_home(&mut machine, 2, "192.168.1.6:8644", now);
            joined(&mut machine, 3, (Role::Device, socket("203.0.113.9:8644")), now);
            let _ = outputs(&mut machine);
            let mut told = Vec::new();
            for _ in 0..90 {
                now += Duration::from_secs(1);
                machine.handle(Input::Tick, now);
                told.extend(names(&outputs(&mut machine)));
            }
            assert_eq!(told.join(", "), later);
        }
    }

    #[test]
    fn in_the_home_none_is_followed_to_elsewhere() {
        let named = |text: &str| Message::Peers { addresses: vec![socket(text)] };
        for (discovery, address, expected) in [
            (true, "192.168.1.9:8644", 1),
            (false, "192.168.1.9:8644", 0),
            (true, "192.168.1.6:8644", 0),
            (true, "192.168.2.9:8644", 0),
            (true, "192.168.1.9:80", 0),
            (true, "203.0.113.99:8644", 0),
            (true, "127.0.0.1:8644", 0),
        ] {
            let (mut machine, mut now) = machine(|config| config.network.discovery = discovery);
            let _ = at_home(&mut machine, 1, "192.168.1.5:8644", now);
            let _ = at_home(&mut machine, 2, "192.168.1.6:8644", now);
            machine.swarm.as_mut().expect("a network").wide = Some(now);
            let _ = said(&mut machine, 1, named(address), now);
            now += Duration::from_secs(1);
            machine.handle(Input::Tick, now);
            assert_eq!(
                dials(&outputs(&mut machine)),
                expected,
                "{address}, discovery: {discovery}"
            );
        }
    }

    #[test]
    fn who_is_nearer_is_dialled_though_there_is_no_more_room() {
        let (mut machine, mut now) = machine(|config| config.network.max_peers = 2);
        for peer in [1, 2] {
            let at = SocketAddr::from(([198, 51, peer, 77], 8644));
            joined(&mut machine, peer.into(), (Role::Device, at), now);
        }
        let _ = outputs(&mut machine);
        let found = |at, tier| Peering::Found { address: at, key: None, tier, by: FoundBy::Lan };
        for (at, tier, expected) in
            [("203.0.113.9:8644", Tier::Wan, 0), ("192.168.1.9:8644", Tier::Home, 1)]
        {
            machine.handle(Input::Peer(Box::new(found(socket(at), tier))), now);
            now += Duration::from_secs(1);
            machine.handle(Input::Tick, now);
            assert_eq!(dials(&outputs(&mut machine)), expected, "{at}");
        }
    }

    #[test]
    fn who_hides_ends_links_with_strangers_beyond_the_home() {
        let (mut machine, now) = machine(|config| {
            config.network.relay_only = true;
            config.network.peers = vec![socket("203.0.113.1:8644")];
        });
        let links = |machine: &Machine| machine.swarm.as_ref().map_or(0, |s| s.links.len());
        for (peer, role, at, stay) in [
            (1, Role::Device, "198.51.100.1:8644", 0),
            (2, Role::Gateway, "198.51.100.2:8644", 0),
            (3, Role::Gateway, "203.0.113.1:8644", 1),
            (4, Role::Witness, "198.51.100.4:8644", 2),
            (5, Role::Device, "192.168.1.5:8644", 3),
        ] {
            joined(&mut machine, peer, (role, socket(at)), now);
            assert_eq!(links(&machine), stay, "{at}");
        }
        assert!(machine.swarm.as_ref().is_some_and(|swarm| swarm.meeting.is_none()));
    }

    #[test]
    fn the_operators_switch_is_obeyed_kept_and_passed_on_at_once() {
        use crate::wire::switch::Switch;
        let pair = |seed| ring::signature::Ed25519KeyPair::from_seed_unchecked(&[seed; 32]);
        let switch = |seed, sequence, percent| {
            let pair = pair(seed).expect("a seed");
            Switch::sign(&pair, "net", (sequence, percent, Date(1_800_100_000)))
        };
        let operator = switch(3, 1, 0).operator;
        let (mut machine, now) = machine(|config| config.network.operators = vec![operator]);
        for peer in [1, 2] {
            let at = SocketAddr::from(([198, 51, 100, peer], 8644));
            joined(&mut machine, peer.into(), (Role::Device, at), now);
        }
        let _ = outputs(&mut machine);
        let resource = Digest::of(b"r");
        let kin = super::super::policy::Kin {
            origin: crate::base::id::OriginId(0),
            topic: Digest::of(b"t"),
            stream: Digest::of(b"s"),
        };
        machine.config.sharing.min_audience = 0;
        machine.note_kin(resource, kin);
        assert!(machine.may_share(PeerId(1), resource));
        let off = Message::Switch(Box::new(switch(3, 5, 0)));
        let out = said(&mut machine, 1, off.clone(), now);
        let told = |out: &[Output]| {
            let whom = |output: &Output| match output {
                Output::Peer(order) => match &**order {
                    PeerOrder::Tell { peer, message: Message::Switch(_) } => Some(peer.0),
                    _ => None,
                },
                _ => None,
            };
            out.iter().filter_map(whom).collect::<Vec<_>>()
        };
        assert_eq!(told(&out), [2], "passed on, and not back");
        assert!(out.iter().any(|output| matches!(output, Output::Note { .. })), "and kept");
        assert!(machine.is_muted() && !machine.may_share(PeerId(1), resource));
        assert!(told(&said(&mut machine, 2, off, now)).is_empty(), "once");
        let old = Message::Switch(Box::new(switch(3, 4, 100)));
        let _ = said(&mut machine, 2, old, now);
        assert!(machine.is_muted(), "an older word is replayed");
        joined(&mut machine, 3, (Role::Device, socket("198.51.100.9:8644")), now);
        assert_eq!(told(&outputs(&mut machine)), [3], "a new link hears it");
        let elsewhere = pair(3).map(|pair| Switch::sign(&pair, "other", (9, 100, Date(1 << 40))));
        for foreign in [switch(4, 9, 100), elsewhere.expect("a seed")] {
            let _ = said(&mut machine, 2, Message::Switch(Box::new(foreign)), now);
            assert!(machine.is_muted());
            assert_eq!(machine.swarm.as_ref().map_or(0, |s| s.links.len()), 3, "no lie here");
        }
        let to_come = Message::Switch(Box::new(switch(3, 1_800_090_000, 100)));
        let _ = said(&mut machine, 2, to_come, now);
        assert!(machine.is_muted(), "it bears a date to come");
        assert_eq!(machine.swarm.as_ref().map_or(0, |s| s.links.len()), 3, "no lie either");
        let forged = Message::Switch(Box::new(Switch { percent: 100, ..switch(3, 9, 0) }));
        let _ = said(&mut machine, 2, forged, now);
        assert!(machine.is_muted());
        assert_eq!(machine.swarm.as_ref().map_or(0, |s| s.links.len()), 2, "its bringer is banned");
        let late = now + Duration::from_secs(200_000);
        machine.handle(Input::Tick, late);
        assert!(!machine.is_muted(), "its time is over");
    }
}
