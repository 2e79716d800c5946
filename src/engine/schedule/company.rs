//! Who is on the same stream as whom, as far as seeking tells, and whose copy is for all of them.

use super::scheduler::Scheduler;
use super::sources::Source;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{PeerId, Role, Tier};
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::time::Instant;

impl Scheduler {
    /// How many linked peers seek something of a topic.
    pub fn sharers(&self, topic: Digest) -> usize {
        self.peers.values().filter(|source| source.seeks(topic)).count()
    }

    /// Whether two linked peers seek something of the same topic.
    pub fn meet(&self, one: PeerId, other: PeerId) -> bool {
        let ends = self.peers.get(&one).zip(self.peers.get(&other));
        ends.is_some_and(|(one, other)| one.meets(other))
    }

    /// What is on its way here, as peers that seek the segment are told it, and how far away the
    /// one is who fetches it: the own fetch alone while there is one, hearsay else.
    pub fn coming(&self, segment: SegmentId, now: Instant) -> (BlockSet, u8) {
        let Some(pursuit) = self.wants.get(&segment) else { return (BlockSet::NONE, 0) };
        let own = pursuit.own.less(pursuit.here);
        if !own.is_empty() {
            return (own, 0);
        }
        pursuit.hearsay(suffices(&self.peers, pursuit.want.topic, now))
    }
}

/// Whether many beyond the home share a topic.
pub(super) fn is_crowd(peers: &Map<PeerId, Source>, topic: Digest, now: Instant) -> bool {
    let far = |source: &&Source| source.link.tier != Tier::Home && source.shares(topic, now);
    peers.values().filter(far).count() > limits::swarm::CROWD
}

/// Whose copy of a topic's segments is for all who want them.
///
/// A witness beyond the home has each segment first, and where many share the topic its uplink is
/// for few of them: they take turns at the origin as if it had nothing, so that the first copies
/// begin at many places at once. Who gets a block from it takes that all the same.
pub(super) fn suffices(
    peers: &Map<PeerId, Source>,
    topic: Digest,
    now: Instant,
) -> impl Fn(&PeerId) -> bool {
    let is_crowd = is_crowd(peers, topic, now);
    let is_far_witness =
        |source: &Source| source.link.role == Role::Witness && source.link.tier != Tier::Home;
    move |peer| !is_crowd || !peers.get(peer).is_some_and(is_far_witness)
}
