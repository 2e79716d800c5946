//! What is shared with whom: each origin's word, the audience that a stream needs, and nothing
//! sought from, told or given to a peer that is farther away than they allow.

use core::ops::RangeInclusive;

use super::machine::Machine;
use super::swarm::{Link, Swarm};
use super::topic::VAIN;
use crate::base::digest::Digest;
use crate::base::id::OriginId;
use crate::base::limits;
use crate::base::peer::{PeerId, Role, Tier};
use crate::base::segment::SegmentId;
use crate::base::url::without_query;
use crate::config::model::Config;
use crate::engine::peers::meeting;
use crate::engine::timeline::answer::Listed;
use crate::wire::message::Message;

/// What a resource belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kin {
    /// Its origin.
    pub(super) origin: OriginId,
    /// The rendition, whose watchers share the work.
    pub(super) topic: Digest,
    /// The stream as trackers are asked about it.
    pub(super) stream: Digest,
}

impl Swarm {
    /// The farthest tier that may have to do with what belongs there; none for nobody.
    fn reach(&self, config: &Config, kin: Kin) -> Option<Tier> {
        let origin = config.origins.get(usize::from(kin.origin.0))?;
        let reach = origin.share.reach().filter(|_| !self.muted)?;
        let is_popular = || self.is_popular(kin, config.sharing.min_audience);
        if reach == Tier::Wan && !is_popular() { Some(Tier::Isp) } else { Some(reach) }
    }

    /// Whether so many are on a stream, this node included, as far as can be known: by what a
    /// tracker says and by who seeks it. Without trackers all links stand for it: then the
    /// operator has named each node by hand, and nobody else could begin.
    fn is_popular(&self, kin: Kin, enough: usize) -> bool {
        let told = match &self.meeting {
            None => self.links.len() + 1,
            Some(meeting) => {
                let told = meeting.audience(kin.stream).unwrap_or(0);
                usize::try_from(told).unwrap_or(usize::MAX)
            }
        };
        told >= enough || self.scheduler.sharers(kin.topic) + 1 >= enough
    }

    /// Who may have to do with a resource, to be asked of each link. Of what is not known where it
    /// belongs nobody beyond the home learns. The operator's witnesses are no strangers: they
    /// take every segment from the origin themselves.
    pub(super) fn partners(
        &self,
        config: &Config,
        resource: Digest,
    ) -> impl Fn(&Link) -> bool + use<> {
        let kin = self.kin.get(&resource).copied();
        let reach = kin.map(|kin| self.reach(config, kin));
        let muted = self.muted;
        move |link| match reach {
            None => link.tier == Tier::Home && !muted,
            Some(reach) => reach.is_some_and(|reach| link.is_within(reach)),
        }
    }
}

impl Swarm {
    /// Whether any of these segments of one resource is sought by who may have it.
    pub(super) fn is_sought(&self, config: &Config, segments: RangeInclusive<SegmentId>) -> bool {
        let resource = segments.start().resource;
        let mut sought = self.sought.range(segments).peekable();
        if sought.peek().is_none() {
            return false;
        }
        let may = self.partners(config, resource);
        let mut seekers = sought.flat_map(|(_, seekers)| seekers.keys());
        seekers.any(|peer| self.links.get(peer).is_some_and(&may))
    }
}

impl Link {
    /// Whether it may have to do with what is shared so far; the operator's witnesses always may.
    pub(super) const fn is_within(&self, reach: Tier) -> bool {
        self.tier as u8 <= reach as u8 || matches!(self.role, Role::Witness)
    }
}

impl Machine {
    /// Notes where a resource belongs.
    pub(super) fn note_kin(&mut self, resource: Digest, kin: Kin) {
        let Some(swarm) = &mut self.swarm else { return };
        if swarm.kin.len() >= limits::swarm::KIN && !swarm.kin.contains_key(&resource) {
            let Swarm { kin, resources, downloads, .. } = swarm;
            kin.retain(|at, _| resources.contains_key(at) || downloads.contains_key(at));
        }
        swarm.kin.insert(resource, kin);
    }

    /// Where a listed segment belongs.
    pub(super) fn kin_of(&self, listed: &Listed<'_>) -> Option<Kin> {
        let origin = listed.playlist.origin;
        let name = &self.config.origins.get(usize::from(origin.0))?.name;
        let path = without_query(&listed.playlist.target);
        let topic = self.topic_of(listed)?;
        Some(Kin { origin, topic, stream: meeting::stream(name, path) })
    }

    /// Whether a peer may have to do with a resource.
    pub(super) fn may_share(&self, peer: PeerId, resource: Digest) -> bool {
        let Some(swarm) = &self.swarm else { return false };
        swarm.links.get(&peer).is_some_and(swarm.partners(&self.config, resource))
    }

    /// Whether what a peer tells of a resource counts. Of what is not known here yet everybody may.
    pub(super) fn may_tell_us(&self, peer: PeerId, resource: Digest) -> bool {
        let known = |swarm: &Swarm| swarm.muted || swarm.kin.contains_key(&resource);
        !self.swarm.as_ref().is_some_and(known) || self.may_share(peer, resource)
    }

    /// Whether any linked peer may have to do with what belongs there.
    pub(super) fn is_shared(&self, kin: Kin) -> bool {
        let Some(swarm) = &self.swarm else { return false };
        let Some(reach) = swarm.reach(&self.config, kin) else { return false };
        swarm.links.values().any(|link| link.is_within(reach))
    }

    /// Why peers have no part in a stream, where something keeps them from that stream alone.
    pub(super) fn why_alone(&self, listed: &Listed<'_>) -> Option<&'static str> {
        let swarm = self.swarm.as_ref().filter(|swarm| !swarm.muted)?;
        let origin = self.config.origins.get(usize::from(listed.playlist.origin.0))?;
        let Some(reach) = origin.share.reach() else {
            return Some("its origin has share = \"none\"");
        };
        let Some(kin) = self.kin_of(listed) else {
            return Some("names of its segments came back for others");
        };
        if swarm.unkept.contains(&kin.topic) {
            return Some("the origin does not let its segments be kept for others");
        }
        let is_near = |link: &Link| link.is_within(reach);
        let vain = swarm.vain.get(&kin.topic).copied().unwrap_or_default();
        match () {
            () if swarm.links.is_empty() => None,
            () if !swarm.links.values().any(is_near) => {
                Some("no peer is as near as its origin's share asks for")
            }
            () if !self.is_shared(kin) => Some("fewer than sharing.min-audience watch it"),
            () if self.is_doubted(kin.topic) => Some("the origin has other bytes than its records"),
            () if vain >= VAIN => Some("nobody vouches for its segments in time"),
            () => None,
        }
    }

    /// Whether an origin is shared with anybody, so that its witnesses may hear of it.
    pub(super) fn is_shareable(&self, origin: OriginId) -> bool {
        let origin = self.config.origins.get(usize::from(origin.0));
        let is_shared = origin.is_some_and(|origin| origin.share.reach().is_some());
        is_shared && !self.is_muted()
    }

    /// Whether a peer's own seeking counts for whom the work is shared with: not where this node
    /// would never deal with it.
    pub(super) fn is_partner(&self, peer: PeerId, topic: Digest) -> bool {
        let Some(swarm) = &self.swarm else { return false };
        let Some(link) = swarm.links.get(&peer) else { return false };
        let known = swarm.kin.values().find(|kin| kin.topic == topic);
        let origin = known.and_then(|kin| self.config.origins.get(usize::from(kin.origin.0)));
        let reach = origin.map_or(Some(Tier::Wan), |origin| origin.share.reach());
        reach.is_some_and(|reach| link.is_within(reach))
    }

    /// Says something of a segment to every peer that may hear of it.
    pub(super) fn tell_all(&mut self, segment: SegmentId, message: &Message) {
        let Some(swarm) = &self.swarm else { return };
        let may = swarm.partners(&self.config, segment.resource);
        let links = swarm.links.iter().filter(|(_, link)| may(link));
        let peers: Vec<PeerId> = links.map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.tell(peer, message.clone());
        }
    }
}
