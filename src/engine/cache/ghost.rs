//! What was evicted a short while ago: hashes in a small table that forgets the oldest.

use crate::base::limits;

/// Hashes of the last evictions, as many as the cache holds entries, within a bound.
#[derive(Clone, Debug)]
pub struct Ghost {
    /// Groups of `WAYS` places; a hash stands in the group that its low bits name.
    places: Vec<Place>,
    /// How many were remembered in all.
    clock: u64,
    /// How many of the last ones count.
    horizon: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    hash: u64,
    /// The clock when it was remembered; zero for an empty place.
    stamp: u64,
}

impl Default for Ghost {
    fn default() -> Self {
        Self { places: vec![Place::default(); LEAST], clock: 0, horizon: LEAST as u64 / 2 }
    }
}

impl Ghost {
    /// Remembers as many as `entries`, within the bound. The table grows and never shrinks.
    pub fn hold(&mut self, entries: usize) {
        let wanted = entries.clamp(LEAST / 2, limits::cache::GHOSTS / 2);
        self.horizon = wanted as u64;
        let length = (wanted * 2).next_power_of_two();
        if length > self.places.len() {
            let old = core::mem::replace(&mut self.places, vec![Place::default(); length]);
            let live = old.into_iter().filter(|place| place.stamp > 0);
            live.for_each(|place| self.put(place));
        }
    }

    /// Remembers a hash.
    pub fn insert(&mut self, hash: u64) {
        self.clock += 1;
        self.put(Place { hash, stamp: self.clock });
    }

    /// Whether the hash is remembered.
    pub fn has(&self, hash: u64) -> bool {
        let mut group = self.places[self.group(hash)].iter();
        group.any(|place| place.hash == hash && self.is_live(place))
    }

    /// Forgets the hash; whether it was remembered.
    pub fn take(&mut self, hash: u64) -> bool {
        let found = self.has(hash);
        let group = self.group(hash);
        let here = self.places[group].iter_mut().filter(|place| place.hash == hash);
        here.for_each(|place| place.stamp = 0);
        found
    }

    fn put(&mut self, new: Place) {
        let group = self.group(new.hash);
        let group = &mut self.places[group];
        let twin = group.iter().position(|place| place.hash == new.hash);
        let oldest = group.iter().enumerate().min_by_key(|(_, place)| place.stamp);
        if let Some(at) = twin.or(oldest.map(|(at, _)| at)) {
            group[at] = new;
        }
    }

    fn is_live(&self, place: &Place) -> bool {
        place.stamp > 0 && self.clock - place.stamp < self.horizon
    }

    /// Lengths are powers of two and at least `WAYS`, so that every group is whole.
    fn group(&self, hash: u64) -> core::ops::Range<usize> {
        let groups = self.places.len() / WAYS;
        let start = (hash as usize & (groups - 1)) * WAYS;
        start..start + WAYS
    }
}

const WAYS: usize = 4;
const LEAST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn the_last_evictions_are_remembered_and_the_first_forgotten() {
        let (mut ghost, mut rng) = (Ghost::default(), Rng::new(1));
        ghost.hold(1000);
        let hashes: Vec<u64> = (0..3000).map(|_| rng.next()).collect();
        hashes.iter().for_each(|hash| ghost.insert(*hash));
        assert!(hashes[..2000].iter().all(|hash| !ghost.has(*hash)));
        let kept = hashes[2000..].iter().filter(|hash| ghost.has(**hash)).count();
        assert!(kept > 850, "{kept} of 1000");
    }

    #[test]
    fn what_is_taken_is_forgotten_and_growth_keeps_the_rest() {
        let mut ghost = Ghost::default();
        (1..=20).for_each(|hash| ghost.insert(hash));
        ghost.hold(100_000);
        assert!(ghost.take(7) && !ghost.has(7) && !ghost.take(7));
        assert!((1..=20).filter(|hash| *hash != 7).all(|hash| ghost.has(hash)));
        assert!(ghost.places.len() <= limits::cache::GHOSTS);
    }
}
