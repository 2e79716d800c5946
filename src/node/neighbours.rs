//! Links as they come and go: whom to dial, who joined, who is banned and why.

use std::collections::VecDeque;

use super::machine::Machine;
use super::peering::{Parting, PeerOrder, Peering};
use super::report::{Counter, FaultKind};
use super::status::{Network, Peer, Usage};
use super::swarm::Link;
use crate::base::limits;
use crate::base::peer::{Ground, PeerId, Role, Tier};
use crate::base::time::Instant;
use crate::config;
use crate::engine::peers::roster::{Failure, Found, Linked, Refusal};
use crate::engine::schedule;

impl Machine {
    /// The network and its peers, for the status.
    pub(super) fn network(&self, now: Instant) -> Option<Network> {
        let swarm = self.swarm.as_ref()?;
        let peer = |link: &Link| Peer {
            key: link.key.short(),
            role: link.role.name().into(),
            tier: link.tier.name().into(),
            linked_seconds: (now - link.since).as_secs(),
            taken_bytes: link.taken,
            given_bytes: link.given,
        };
        Some(Network {
            name: self.config.network.name.clone(),
            key: swarm.own.to_string(),
            role: swarm.role.name().into(),
            muted: swarm.muted,
            reached: self.reached(),
            links: Usage {
                used: swarm.links.len() as u64,
                limit: self.config.network.max_peers as u64,
            },
            peers: swarm.links.values().map(peer).collect(),
        })
    }

    /// An address was found or lost, a link came or went.
    pub(super) fn on_neighbour(&mut self, peering: Peering) {
        let Some(swarm) = &mut self.swarm else { return };
        match peering {
            Peering::Found { address, key, tier, by } => {
                swarm.roster.on_found(Found { address, key, tier, by }, self.now);
            }
            Peering::Lost { address } => swarm.roster.on_lost(address),
            Peering::Failed { dialled, why } => {
                if let Parting::Stranger(stranger) | Parting::Refused(stranger) = &why {
                    self.report.add(Counter::PeersRefused, 1);
                    self.report.fault(FaultKind::Peer, stranger.sentence(), self.now);
                }
                swarm.roster.on_failed(dialled, failure(&why), self.now);
                if let Some(address) = dialled {
                    swarm.reach.on_dial_over(address, false, self.now);
                }
            }
            Peering::Joined { peer, key, role, tier, dialled, address } => {
                if let Some(address) = dialled {
                    swarm.reach.on_dial_over(address, true, self.now);
                }
                let tier = if tier == Tier::Wan { self.tier_of(address) } else { tier };
                let (ground, since) = (Ground::of(address, tier), self.now);
                let linked = Linked { key, role, tier, ground, dialled, since, rtt: None };
                self.on_joined(peer, linked);
            }
            Peering::Gone { peer, why } => self.on_gone(peer, &why),
            Peering::Seen { .. }
            | Peering::Mapped { .. }
            | Peering::Said { .. }
            | Peering::Block { .. }
            | Peering::Given { .. }
            | Peering::Carried { .. }
            | Peering::Proven { .. }
            | Peering::Signed(_)
            | Peering::Summed { .. }
            | Peering::Announced { .. } => {}
        }
    }

    /// A link stands; it stays if it is of use.
    fn on_joined(&mut self, peer: PeerId, mut linked: Linked) {
        let Some(swarm) = &mut self.swarm else { return };
        linked.role = swarm.roster.judged(&linked);
        let Linked { key, role, tier, ground, dialled, .. } = linked;
        if hides_from(&self.config.network, &linked) {
            swarm.roster.on_failed(dialled, Failure::Refused, self.now);
            return self.order(PeerOrder::Hangup { peer, why: Parting::Crowd });
        }
        let instead = match swarm.roster.on_joined(peer, linked, self.now) {
            Ok(instead) => instead,
            Err(refusal) => {
                let why = refused(refusal);
                return self.order(PeerOrder::Hangup { peer, why });
            }
        };
        let link = Link {
            key,
            role,
            tier,
            ground,
            seen: None,
            since: self.now,
            asked: limits::link::UNWANTED,
            given: 0,
            taken: 0,
            seeks: VecDeque::new(),
            watches: Vec::new(),
        };
        swarm.links.insert(peer, link);
        let is_home = tier == Tier::Home;
        swarm.gossip.on_joined(peer, (key, is_home), self.now);
        let end = schedule::want::Link { key, tier, role };
        swarm.scheduler.on_joined(peer, end, self.now);
        if let Some((old, Refusal::Double)) = instead {
            swarm.scheduler.on_replaced(old, peer);
        }
        swarm.slots.on_joined(peer, (key, tier), self.now);
        if swarm.trust.is_suspect(key, self.now) {
            swarm.scheduler.on_bad(peer, self.now);
        }
        self.report.add(Counter::PeersJoined, 1);
        let line = format!("peer {} joined ({})", key.short(), role.name());
        self.say_of_peers(log::Level::Info, line);
        self.greet(peer);
        if is_home {
            self.tell_port(peer);
        }
        if let Some((old, refusal)) = instead {
            let why = refused(refusal);
            self.on_gone(old, &why);
            self.order(PeerOrder::Hangup { peer: old, why });
        }
    }

    /// A link is no more: nothing is asked of it, and what was asked comes from elsewhere.
    pub(super) fn on_gone(&mut self, peer: PeerId, why: &Parting) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(link) = swarm.links.remove(&peer) else { return };
        swarm.reach.on_gone(peer);
        for segment in link.seeks {
            if let Some(seekers) = swarm.sought.get_mut(&segment) {
                seekers.remove(&peer);
                if seekers.is_empty() {
                    swarm.sought.remove(&segment);
                }
            }
        }
        if matches!(why, Parting::Breach(_) | Parting::Liar(_)) {
            let _ = swarm.roster.ban(link.key, self.now);
            let text = format!("peer {}: {}", link.key.short(), why.sentence());
            self.report.add(Counter::PeersBanned, 1);
            self.report.fault(FaultKind::Peer, &text, self.now);
            self.say_of_peers(log::Level::Warn, format!("{text}; it is not asked again"));
        } else {
            let text = format!("peer {} left: {}", link.key.short(), why.sentence());
            self.say_of_peers(log::Level::Info, text);
        }
        let Some(swarm) = &mut self.swarm else { return };
        swarm.roster.on_gone(peer, failure(why), self.now);
        swarm.scheduler.on_gone(peer, self.now);
        swarm.slots.on_gone(peer, self.now);
        swarm.sums.on_gone(peer);
        swarm.voting.on_gone(peer);
        swarm.gossip.on_gone(peer);
        self.rule.governor.forget(peer);
    }

    /// Says something of peers in the log, which they must not fill: they come and go as they
    /// like, with a new key each time.
    fn say_of_peers(&mut self, level: log::Level, line: String) {
        let Some(swarm) = &mut self.swarm else { return };
        let (count, since) = &mut swarm.lines;
        if *count == 0 || self.now - *since >= limits::operator::LOG_REPEAT {
            (*count, *since) = (0, self.now);
        }
        *count += 1;
        match *count {
            0..=limits::operator::PEER_LINES => self.say(level, line),
            PAST => self.say(level, format!("{line}; of others that come or go now, see debug")),
            _ => self.say(log::Level::Debug, line),
        }
    }

    /// A peer gave what is not true, or broke the protocol: its key is banned.
    pub(super) fn ban(&mut self, peer: PeerId, why: Parting) {
        self.on_gone(peer, &why);
        self.order(PeerOrder::Hangup { peer, why });
    }
}

/// Whether a node that hides ends a link: beyond the home it knows those alone whom the operator
/// names, witnesses by their key and gateways by their address.
fn hides_from(network: &config::model::Network, link: &Linked) -> bool {
    let is_named = link.dialled.is_some_and(|at| network.peers.contains(&at));
    let is_beyond = link.tier != Tier::Home;
    network.relay_only && is_beyond && link.role != Role::Witness && !is_named
}

/// The first line that is too many.
const PAST: u32 = limits::operator::PEER_LINES + 1;

/// What the roster makes of the end of a link.
const fn failure(why: &Parting) -> Failure {
    match why {
        Parting::Own => Failure::Own,
        Parting::Double => Failure::Double,
        Parting::OtherKey
        | Parting::Stranger(_)
        | Parting::Refused(_)
        | Parting::Breach(_)
        | Parting::Liar(_)
        | Parting::Crowd => Failure::Refused,
        Parting::Unreachable | Parting::Closed | Parting::Silent | Parting::Closing => {
            Failure::Broken
        }
    }
}

/// How a peer is told that its link does not stay.
const fn refused(refusal: Refusal) -> Parting {
    match refusal {
        Refusal::Own => Parting::Own,
        Refusal::Double => Parting::Double,
        Refusal::Crowd => Parting::Crowd,
        Refusal::Banned => Parting::Liar("its key is banned"),
    }
}
