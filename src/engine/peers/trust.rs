//! Who gave bad blocks, and how often.

use std::collections::BTreeMap;

use crate::base::peer::NodeKey;
use crate::base::time::Instant;

/// Bad blocks by key.
#[derive(Debug, Default)]
pub struct Trust(BTreeMap<NodeKey, u8>);

impl Trust {
    /// A peer gave a bad block; whether its key is to be banned.
    pub fn on_bad(&mut self, key: NodeKey, _: Instant) -> bool {
        let count = self.0.entry(key).or_default();
        *count = count.saturating_add(1);
        true
    }
}
