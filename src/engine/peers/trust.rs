//! Who gave what was not so: suspected after the first bad block, banned after a few.

use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::NodeKey;
use crate::base::time::Instant;

/// What becomes of a peer that gave something bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sentence {
    /// It is asked for nothing any more.
    Shun,
    /// Its link is ended, and its key is not let in for a day.
    Ban,
}

/// What is held against keys. A new link with the same key starts no new life.
#[derive(Debug, Default)]
pub struct Trust {
    faults: Map<NodeKey, (u32, Instant)>,
}

impl Trust {
    /// A block did not have the digest that its record says.
    pub fn on_bad_block(&mut self, key: NodeKey, now: Instant) -> Sentence {
        let faults = self.faults(key, now).saturating_add(1);
        self.note(key, faults, now);
        if faults < limits::record::BAD_BLOCKS { Sentence::Shun } else { Sentence::Ban }
    }

    /// A record bore a signature that its signer never made: no disk and no line does that.
    pub fn on_forged_record(&mut self, key: NodeKey, now: Instant) -> Sentence {
        self.note(key, limits::record::BAD_BLOCKS, now);
        Sentence::Ban
    }

    /// Whether nothing is asked of this key.
    pub fn is_suspect(&self, key: NodeKey, now: Instant) -> bool {
        self.faults(key, now) > 0
    }

    fn faults(&self, key: NodeKey, now: Instant) -> u32 {
        let lasting = self.faults.get(&key).filter(|(_, last)| now - *last < limits::meeting::BAN);
        lasting.map_or(0, |(faults, _)| *faults)
    }

    fn note(&mut self, key: NodeKey, faults: u32, now: Instant) {
        self.faults.insert(key, (faults, now));
        if self.faults.len() > limits::meeting::BANS {
            let oldest = self.faults.iter().min_by_key(|(_, (_, last))| *last);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.map(|key| self.faults.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(hours: u64) -> Instant {
        Instant::default() + Duration::from_secs(3600 * hours)
    }

    #[test]
    fn the_first_bad_block_is_seen_and_the_third_is_the_last() {
        let (mut trust, key) = (Trust::default(), NodeKey([1; 32]));
        assert!(!trust.is_suspect(key, at(0)));
        let sentences = [0, 1, 2].map(|hour| trust.on_bad_block(key, at(hour)));
        assert_eq!(sentences, [Sentence::Shun, Sentence::Shun, Sentence::Ban]);
        assert!(trust.is_suspect(key, at(25)) && !trust.is_suspect(NodeKey([2; 32]), at(2)));
        assert!(!trust.is_suspect(key, at(26)), "a day later it may try again");
        assert_eq!(trust.on_bad_block(key, at(26)), Sentence::Shun);
    }

    #[test]
    fn a_forged_record_is_no_accident() {
        let (mut trust, key) = (Trust::default(), NodeKey([1; 32]));
        assert_eq!(trust.on_forged_record(key, at(0)), Sentence::Ban);
        assert_eq!(trust.on_bad_block(key, at(1)), Sentence::Ban);
    }

    #[test]
    fn many_liars_do_not_fill_the_memory() {
        let mut trust = Trust::default();
        for number in 0..1000_u32 {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_be_bytes());
            trust.on_bad_block(NodeKey(key), at(0) + Duration::from_secs(number.into()));
        }
        assert_eq!(trust.faults.len(), limits::meeting::BANS);
    }
}
