//! Reaching nodes behind routers: what peers say of addresses, and meetings through a third.

use core::net::{IpAddr, SocketAddr};

use super::machine::Machine;
use super::peering::PeerOrder;
use super::status::Reached;
use crate::base::peer::{PeerId, Tier};
use crate::engine::peers::reach::{End, Move, Standing, is_outside};
use crate::engine::peers::roster::{Dial, Failure};
use crate::wire::message::Message;

impl Machine {
    /// A link's other end is there.
    pub(super) fn on_seen(&mut self, peer: PeerId, at: SocketAddr, is_udp: bool) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(link) = swarm.links.get_mut(&peer) else { return };
        if link.tier == Tier::Home {
            link.seen = Some(SocketAddr::new(at.ip().to_canonical(), 0));
        } else {
            link.seen = Some(at).filter(|_| is_udp);
            let came = swarm.roster.has_come(peer, at);
            swarm.reach.on_linked(peer, End { at, is_met: is_udp, came });
        }
    }

    /// How others elsewhere can link to this node, for the status.
    pub(super) fn reached(&self) -> Reached {
        let standing = self.swarm.as_ref().map(|swarm| swarm.reach.standing());
        match standing {
            None | Some(Standing::Unknown) => Reached::Unknown,
            Some(Standing::Open) => Reached::Open,
            Some(Standing::Mapped) => Reached::Mapped,
            Some(Standing::Independent) => Reached::ConeNat,
            Some(Standing::Dependent) => Reached::SymmetricNat,
            Some(Standing::NoUdp) => Reached::NoUdp,
        }
    }

    /// A router lets others in by a port of its own, or does no more.
    pub(super) fn on_mapped(&mut self, address: Option<SocketAddr>) {
        let Some(swarm) = &mut self.swarm else { return };
        // One behind another router maps an address that nobody outside can reach.
        swarm.reach.on_mapped(address.filter(|address| is_outside(address.ip())));
        self.draw_near();
    }

    /// A peer says where it sees this node.
    pub(super) fn on_observed(&mut self, peer: PeerId, address: SocketAddr) {
        let Some(swarm) = &mut self.swarm else { return };
        swarm.reach.on_observed(peer, address);
        self.draw_near();
    }

    /// How near an address is: behind a router it counts what address that has.
    pub(super) fn tier_of(&self, address: IpAddr) -> Tier {
        let outside = self.swarm.as_ref().and_then(|swarm| swarm.outside);
        self.config.network.near.tier_from(address, outside)
    }

    /// Groups of the operator tell what is near only once it is known where this node is: what
    /// was far until then may be near.
    fn draw_near(&mut self) {
        let near = &self.config.network.near;
        let Some(swarm) = self.swarm.as_mut().filter(|_| !near.groups.is_empty()) else { return };
        let outside = swarm.reach.outside();
        if outside.is_none() || outside == swarm.outside {
            return;
        }
        swarm.outside = outside;
        let is_near = |address| near.tier_from(address, outside) == Tier::Isp;
        swarm.roster.draw_near(is_near);
        for (peer, _) in swarm.reach.ends().filter(|(_, address)| is_near(*address)) {
            if let Some(link) = swarm.links.get_mut(&peer) {
                link.tier = Tier::Isp;
                swarm.roster.on_nearer(peer);
                swarm.scheduler.on_nearer(peer);
                swarm.slots.on_nearer(peer);
            }
        }
    }

    /// The roster wants a link. One that was met in vain is left alone for a while.
    pub(super) fn on_dial(&mut self, dial: Dial) {
        let Some(swarm) = &mut self.swarm else { return };
        let Dial { address, key, tier, strange } = dial;
        if swarm.reach.is_hopeless(address, self.now) {
            return swarm.roster.on_failed(Some(address), Failure::Refused, self.now);
        }
        if tier != Tier::Home {
            swarm.reach.on_dialled(address, self.now);
        }
        self.order(PeerOrder::Dial { address, key, tier, strange });
    }

    /// One step; false when there is none.
    pub(super) fn reach_step(&mut self) -> bool {
        let Some(swarm) = &mut self.swarm else { return false };
        let Some(next) = swarm.reach.poll(self.now) else { return false };
        match next {
            Move::Observe(peer, address) => self.tell(peer, Message::Observed { address }),
            Move::Tell(peer, punch) => self.tell(peer, Message::Punch(punch)),
            Move::Dial(address) => {
                let (key, tier, strange) = (None, Tier::Wan, true);
                self.order(PeerOrder::Dial { address, key, tier, strange });
            }
        }
        true
    }
}
