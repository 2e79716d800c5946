//! What keys gave and were given before their link ended: who comes back is who he was.

use super::guest::Guest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::NodeKey;
use crate::base::time::Instant;

/// The accounts of keys that are not linked now.
#[derive(Debug, Default)]
pub(super) struct Memory(Map<NodeKey, (u64, u64, Instant)>);

impl Memory {
    pub(super) const fn new() -> Self {
        Self(Map::new())
    }

    /// A guest with this key goes. What is nothing is not kept; when there are too many, the one
    /// that went first is forgotten.
    pub(super) fn keep(&mut self, key: NodeKey, guest: &Guest, now: Instant) {
        if guest.had == 0 && guest.gave == 0 {
            return;
        }
        self.0.insert(key, (guest.had, guest.gave, now));
        if self.0.len() > limits::upload::REMEMBERED {
            let oldest = self.0.iter().min_by_key(|(_, (_, _, at))| *at).map(|(key, _)| *key);
            oldest.map(|key| self.0.remove(&key));
        }
    }

    /// A guest with this key comes: what it had and gave has faded meanwhile as it does for all.
    pub(super) fn recall(&mut self, key: NodeKey, guest: &mut Guest, now: Instant) {
        let Some((had, gave, at)) = self.0.remove(&key) else { return };
        guest.resume((had, gave, at), now);
    }
}
