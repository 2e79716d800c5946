//! Who is on the same stream as whom, as far as seeking tells.

use super::scheduler::Scheduler;
use crate::base::digest::Digest;
use crate::base::peer::PeerId;

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
}
