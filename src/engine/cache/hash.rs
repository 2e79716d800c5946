//! Hashing for look-ups only: seeded for texts that others choose, mixed for our own numbers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// A map by numbers that we gave out ourselves; it is never iterated for a decision.
pub type Numbered<K, V> = HashMap<K, V, BuildHasherDefault<Mixed>>;

/// A hash of `value` that nobody can foresee who does not know `seed` (SipHash).
pub fn seeded(seed: u64, value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    value.hash(&mut hasher);
    hasher.finish()
}

/// Mixes numbers by one multiplication each; for keys that no stranger chooses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(32) ^ number).wrapping_mul(GOLDEN);
    }

    fn finish(&self) -> u64 {
        // The map takes its buckets from the low bits, where a product mixes least.
        self.0 ^ (self.0 >> 32)
    }
}

/// 2^64 divided by the golden ratio, made odd (Knuth, TAOCP 3, 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
