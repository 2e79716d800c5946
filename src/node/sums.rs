//! What origins state of whole objects: of what is held here it is proven, so that it may be given
//! to peers who hear the same of the origin.

use super::fetch::Ask;
use super::machine::Machine;
use super::peering::PeerOrder;
use super::swarm::Swarm;
use super::whole::Blame;
use crate::base::digest::{Digest, Sum};
use crate::base::id::{OriginId, RowId};
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::PeerId;
use crate::base::range::ByteRange;
use crate::base::segment::SegmentId;
use crate::base::time::Instant;
use crate::config::model::{Config, Rung};
use crate::wire::http::integrity;

/// What is known of whole objects.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Whether an origin's word on the whole counts here.
    pub(super) on: bool,
    /// What is held whole, and was summed up to what the origin states.
    proven: Map<Digest, Sum>,
    /// Rows that are being summed up, for which resource, and to what.
    under_way: Map<RowId, (Digest, Sum)>,
    /// Which peers say to have a segment that is wanted here, of the representation of that sum.
    pub(super) offers: Map<(SegmentId, PeerId), Sum>,
    /// Who gave what of an object that was not what its origin states.
    pub(super) blames: Map<Digest, Blame>,
    /// Origins that stated nothing, how often in a row, and until when they are left alone.
    pub(super) silent: Map<OriginId, (u8, Instant)>,
}

impl Sums {
    pub(super) fn new(config: &Config) -> Self {
        Self { on: config.network.verify.contains(&Rung::OriginDigest), ..Self::default() }
    }

    /// The sum of a resource that is held whole.
    pub(super) fn proven(&self, resource: Digest) -> Option<Sum> {
        self.proven.get(&resource).copied()
    }

    pub(super) fn on_proven(&mut self, resource: Digest, sum: Sum) {
        self.proven.insert(resource, sum);
    }

    /// Whether a resource is being summed up.
    pub(super) fn is_under_way(&self, resource: Digest) -> bool {
        self.under_way.values().any(|(summed, _)| *summed == resource)
    }

    /// A resource's bytes are gone.
    pub(super) fn forget(&mut self, row: RowId, resource: Digest) {
        self.proven.remove(&resource);
        self.under_way.remove(&row);
        self.blames.remove(&resource);
    }

    /// A peer is gone.
    pub(super) fn on_gone(&mut self, peer: PeerId) {
        self.offers.retain(|(_, offering), _| *offering != peer);
    }

    /// The offers of a resource, whose segments stand side by side.
    pub(super) fn offers_of(&self, resource: Digest) -> Vec<(SegmentId, PeerId, Sum)> {
        let first = (SegmentId { resource, number: 0 }, PeerId(0));
        let last = (SegmentId { resource, number: u32::MAX }, PeerId(u64::MAX));
        let found = self.offers.range(first..=last);
        found.map(|((segment, peer), sum)| (*segment, *peer, *sum)).collect()
    }
}

impl Machine {
    /// Whether what an origin states of whole objects counts.
    pub(super) fn states_digests(&self, origin: OriginId) -> bool {
        let on = self.swarm.as_ref().is_some_and(|swarm| swarm.sums.on);
        let origin = self.config.origins.get(usize::from(origin.0));
        on && origin.is_some_and(crate::config::model::Origin::states_digests)
    }

    /// Whether peers may be given what is asked for by what its origin states of it.
    pub(super) fn may_share_whole(&self, ask: &Ask) -> bool {
        let plain =
            ask.method == "GET" && !ask.passes && ask.records.is_none() && ask.spec.is_none();
        plain
            && self.states_digests(ask.locator.origin)
            && self.timeline.listed(&ask.locator, None).is_some()
    }

    /// Sums up a resource that is held whole, where somebody wants to know.
    pub(super) fn sum_up(&mut self, resource: Digest) {
        let Some(swarm) = &self.swarm else { return };
        if !swarm.sums.on || swarm.sums.proven.contains_key(&resource) {
            return;
        }
        // It matters to nobody what it sums up to.
        let blamed = swarm.sums.blames.contains_key(&resource);
        if !blamed && !swarm.is_sought(&self.config, SegmentId::all(resource)) {
            return;
        }
        // By a record it is proven block by block, and given so.
        let recorded = swarm.verifier.record(SegmentId { resource, number: 0 }).is_some();
        let Some(row) = self.row_of(resource).filter(|_| !recorded) else { return };
        let Some(entry) = self.index.entry(row) else { return };
        let whole = entry.length.filter(|length| {
            *length <= limits::record::SUMMED
                && super::serve::hole(entry, ByteRange::new(0, *length)).is_none()
        });
        let origin = self.index.key(row).map(|key| key.origin);
        let blamed = swarm.sums.blames.get(&resource).map(|blame| blame.sum);
        let stated = integrity::representation(&entry.fields).or(blamed);
        let (Some(length), Some(sum), Some(origin)) = (whole, stated, origin) else { return };
        if !self.states_digests(origin) {
            return;
        }
        let Some(swarm) = &mut self.swarm else { return };
        if swarm.sums.under_way.insert(row, (resource, sum)).is_none() {
            self.order(PeerOrder::Sum { row, length, algorithm: sum.algorithm() });
        }
    }

    /// A row was summed up.
    pub(super) fn on_summed(&mut self, row: RowId, sum: Option<Sum>) {
        let Some(swarm) = &mut self.swarm else { return };
        let pending = swarm.downloads.iter().find(|(_, download)| download.is_pending(row));
        if let Some(resource) = pending.map(|(resource, _)| *resource) {
            return self.on_whole_summed(resource, sum);
        }
        let Some((resource, stated)) = swarm.sums.under_way.remove(&row) else { return };
        let holds = sum == Some(stated) && self.row_of(resource) == Some(row);
        let Some(swarm) = &mut self.swarm else { return };
        if holds {
            swarm.sums.proven.insert(resource, stated);
        }
        let blame = swarm.sums.blames.remove(&resource);
        for segment in swarm.sought_of(resource) {
            self.announce(segment);
        }
        if let Some(blame) = blame.filter(|blame| holds && blame.sum == stated) {
            self.look_for_liars(row, resource, blame);
        }
    }
}

impl Swarm {
    /// The segments of a resource that peers seek.
    pub(super) fn sought_of(&self, resource: Digest) -> Vec<SegmentId> {
        self.sought.range(SegmentId::all(resource)).map(|(segment, _)| *segment).collect()
    }
}
