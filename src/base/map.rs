//! Sorted maps and sets that are short in code: std's B-tree costs 3 to 7 KB of a device's flash
//! for every pair of types, which was an eighth of the whole program.
//!
//! Entries lie in runs of at most [`limits::map::RUN`] one behind the other. Finding one takes two
//! binary searches; putting one in or taking one out moves at most one run and the list of runs.

use core::borrow::Borrow;
use core::fmt;
use core::ops::{Bound, RangeBounds};

use super::limits::map::RUN;

/// A sorted map, with the names and the order of std's `BTreeMap`.
#[derive(Clone)]
pub struct Map<K, V> {
    /// None of them empty, each in order, and each wholly before the next.
    runs: Vec<Vec<(K, V)>>,
    len: usize,
}

/// Where a key lies, or would: the run, and the place in it.
type Place = (usize, usize);

impl<K, V> Map<K, V> {
    /// An empty map, which holds no memory.
    pub const fn new() -> Self {
        Self { runs: Vec::new(), len: 0 }
    }

    /// Entries.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets all entries, and gives their memory back.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// The entries in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { front: [].iter(), runs: self.runs.iter(), back: [].iter() }
    }

    /// The entries in order, to be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        self.runs.iter_mut().flatten().map(|(key, value)| (key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// The values in the order of their keys, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.runs.iter_mut().flatten().map(|(_, value)| value)
    }

    /// The keys in order, without their values.
    pub fn into_keys(self) -> impl Iterator<Item = K> {
        self.into_iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys, without these.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.into_iter().map(|(_, value)| value)
    }

    /// The first entry.
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The last entry.
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next_back()
    }

    /// Takes the first entry out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (self.len > 0).then(|| self.take((0, 0)))
    }

    /// Keeps the entries of which `wanted` says so.
    pub fn retain(&mut self, mut wanted: impl FnMut(&K, &mut V) -> bool) {
        for run in &mut self.runs {
            let before = run.len();
            run.retain_mut(|(key, value)| wanted(key, value));
            self.len -= before - run.len();
        }
        self.runs.retain(|run| !run.is_empty());
    }

    /// Puts an entry where its key belongs, and says where it came to lie.
    fn put(&mut self, (mut run, mut at): Place, entry: (K, V)) -> Place {
        if run == self.runs.len() {
            self.runs.push(Vec::new());
        } else if self.runs[run].len() == RUN {
            // Keys often come in order: a full run behind which one is added stays full.
            let half = if at == RUN { RUN } else { RUN / 2 };
            let tail = self.runs[run].split_off(half);
            self.runs.insert(run + 1, tail);
            if at >= half {
                (run, at) = (run + 1, at - half);
            }
        }
        self.runs[run].insert(at, entry);
        self.len += 1;
        (run, at)
    }

    fn take(&mut self, (run, at): Place) -> (K, V) {
        self.len -= 1;
        let entry = self.runs[run].remove(at);
        if self.runs[run].is_empty() {
            self.runs.remove(run);
        }
        entry
    }
}

/// Alike is what holds the same entries, however they came to lie in runs.
impl<K: PartialEq, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for Map<K, V> {}

impl<K: Ord, V> Map<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<Place, Place>
    where
        K: Borrow<Q>,
    {
        let behind = |run: &Vec<(K, V)>| run.last().is_some_and(|(last, _)| last.borrow() < key);
        let run = self.runs.partition_point(behind);
        let Some(entries) = self.runs.get(run) else {
            // Behind everything: at the end of the last run.
            let last = self.runs.len().saturating_sub(1);
            return Err((last, self.runs.last().map_or(0, Vec::len)));
        };
        match entries.binary_search_by(|(here, _)| here.borrow().cmp(key)) {
            Ok(at) => Ok((run, at)),
            Err(at) => Err((run, at)),
        }
    }

    /// Whether the key is there.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|(run, at)| &self.runs[run][at].1)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|(run, at)| &mut self.runs[run][at].1)
    }

    /// Gives a key a value, and returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok((run, at)) => Some(core::mem::replace(&mut self.runs[run][at].1, value)),
            Err(place) => {
                self.put(place, (key, value));
                None
            }
        }
    }

    /// Takes a key out, and returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|place| self.take(place).1)
    }

    /// The place of a key, to be filled where it is empty.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        let place = self.find(&key);
        Entry { map: self, key, place }
    }

    /// The entries of the keys inside `bounds`, in order; none where these are the wrong way round.
    pub fn range(&self, bounds: impl RangeBounds<K>) -> Iter<'_, K, V> {
        let nothing = Iter { front: [].iter(), runs: [].iter(), back: [].iter() };
        let from = match bounds.start_bound() {
            Bound::Unbounded => (0, 0),
            Bound::Included(key) => self.find(key).unwrap_or_else(|place| place),
            Bound::Excluded(key) => self.find(key).map_or_else(|p| p, |(run, at)| (run, at + 1)),
        };
        let to = match bounds.end_bound() {
            Bound::Unbounded => (self.runs.len(), 0),
            Bound::Excluded(key) => self.find(key).unwrap_or_else(|place| place),
            Bound::Included(key) => self.find(key).map_or_else(|p| p, |(run, at)| (run, at + 1)),
        };
        let Some(first) = self.runs.get(from.0).filter(|_| from < to) else { return nothing };
        if from.0 == to.0 {
            return Iter { front: first[from.1..to.1].iter(), ..nothing };
        }
        let last = self.runs.get(to.0).map_or(&[][..], |run| &run[..to.1]);
        let between = &self.runs[from.0 + 1..to.0];
        Iter { front: first[from.1..].iter(), runs: between.iter(), back: last.iter() }
    }
}

/// The place of a key in a map.
#[derive(Debug)]
pub struct Entry<'a, K, V> {
    map: &'a mut Map<K, V>,
    key: K,
    place: Result<Place, Place>,
}

impl<'a, K: Ord, V> Entry<'a, K, V> {
    /// The value, made by `make` where there was none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        let (run, at) = match self.place {
            Ok(place) => place,
            Err(place) => self.map.put(place, (self.key, make())),
        };
        &mut self.map.runs[run][at].1
    }

    /// The value, `value` where there was none.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value, its type's default where there was none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value where there is one.
    #[must_use]
    pub fn and_modify(self, change: impl FnOnce(&mut V)) -> Self {
        if let Ok((run, at)) = self.place {
            change(&mut self.map.runs[run][at].1);
        }
        self
    }
}

/// Entries of a map in order.
#[derive(Debug)]
pub struct Iter<'a, K, V> {
    front: core::slice::Iter<'a, (K, V)>,
    runs: core::slice::Iter<'a, Vec<(K, V)>>,
    back: core::slice::Iter<'a, (K, V)>,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { front: self.front.clone(), runs: self.runs.clone(), back: self.back.clone() }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.front.next() {
                return Some((key, value));
            }
            match self.runs.next() {
                Some(run) => self.front = run.iter(),
                None => return self.back.next().map(|(key, value)| (key, value)),
            }
        }
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.back.next_back() {
                return Some((key, value));
            }
            match self.runs.next_back() {
                Some(run) => self.back = run.iter(),
                None => return self.front.next_back().map(|(key, value)| (key, value)),
            }
        }
    }
}

/// Entries of a map in order, to be changed.
pub type IterMut<'a, K, V> = core::iter::Map<
    core::iter::Flatten<core::slice::IterMut<'a, Vec<(K, V)>>>,
    fn(&'a mut (K, V)) -> (&'a K, &'a mut V),
>;

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// Panics where the key is not there.
impl<K: Ord, V> core::ops::Index<&K> for Map<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("a key that is there")
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = core::iter::Flatten<std::vec::IntoIter<Vec<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.runs.into_iter().flatten()
    }
}

impl<'a, K, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut Map<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = IterMut<'a, K, V>;

    fn into_iter(self) -> IterMut<'a, K, V> {
        self.iter_mut()
    }
}

impl<K: Ord, V> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for Map<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::rng::Rng;
    use super::*;

    /// What both maps hold, one way round, the other, and from the middle on.
    fn same(map: &Map<u64, u64>, std: &BTreeMap<u64, u64>, around: u64) {
        assert_eq!(map.len(), std.len());
        assert_eq!(map.is_empty(), std.is_empty());
        assert!(map.iter().eq(std.iter()));
        assert!(map.iter().rev().eq(std.iter().rev()));
        assert!(map.range(around..).eq(std.range(around..)));
        assert!(map.range(..=around).rev().eq(std.range(..=around).rev()));
        let far = around + 300;
        assert!(map.range(around..far).eq(std.range(around..far)));
        let bounds = (Bound::Excluded(around), Bound::Included(far));
        assert!(map.range(bounds).eq(std.range(bounds)));
        assert_eq!(map.first_key_value(), std.first_key_value());
        assert_eq!(map.last_key_value(), std.last_key_value());
        let full = |run: &Vec<_>| !run.is_empty() && run.len() <= RUN;
        assert!(map.runs.iter().all(full), "every run is in its bounds");
    }

    #[test]
    fn a_map_does_what_the_map_of_std_does() {
        let mut rng = Rng::new(7);
        let (mut map, mut std) = (Map::new(), BTreeMap::new());
        for step in 0..6_000_u64 {
            // First it grows, later it shrinks.
            let key = rng.below(900);
            match rng.below(if step < 3_000 { 6 } else { 10 }) {
                0..=3 => assert_eq!(map.insert(key, step), std.insert(key, step)),
                4 => {
                    let ours = map.entry(key).and_modify(|value| *value += 1).or_insert(6);
                    assert_eq!(ours, std.entry(key).and_modify(|value| *value += 1).or_insert(6));
                }
                5 => assert_eq!(map.get_mut(&key), std.get_mut(&key)),
                6 => assert_eq!(map.pop_first(), std.pop_first()),
                _ => assert_eq!(map.remove(&key), std.remove(&key)),
            }
            if step % 50 == 0 {
                same(&map, &std, key);
            }
        }
        assert!(map.len() > RUN, "several runs at the end too: {}", map.len());
        map.retain(|key, value| key % 3 == 0 && *value > 0);
        std.retain(|key, value| key % 3 == 0 && *value > 0);
        same(&map, &std, 450);
        map.iter_mut().zip(std.values_mut()).for_each(|((_, ours), theirs)| {
            (*ours, *theirs) = (*ours * 2, *theirs * 2);
        });
        same(&map, &std, 450);
        assert!(map.clone().into_iter().eq(std.clone()));
        assert_eq!(format!("{map:?}"), format!("{std:?}"));
        map.clear();
        assert!(map.is_empty() && map.iter().next().is_none() && map.range(1..).next().is_none());
    }

    #[test]
    fn bounds_the_wrong_way_round_hold_nothing() {
        let map: Map<u64, u64> = (0..200).map(|key| (key, key)).collect();
        assert_eq!(map.runs.len(), 200_usize.div_ceil(RUN), "keys in order leave full runs");
        let (low, high) = (Bound::Excluded(150), Bound::Excluded(150));
        assert_eq!(map.range((low, high)).count(), 0);
        assert_eq!(map.range((Bound::Included(160), Bound::Included(20))).count(), 0);
    }

    #[test]
    fn maps_of_the_same_entries_are_alike_however_they_lie() {
        let forward: Map<u64, u64> = (0..300).map(|key| (key, key)).collect();
        let mut backward: Map<u64, u64> = Map::new();
        (0..300).rev().for_each(|key| assert!(backward.insert(key, key).is_none()));
        assert_ne!(forward.runs.len(), backward.runs.len(), "they lie in other runs");
        assert_eq!(forward, backward);
        backward.insert(7, 8);
        assert_ne!(forward, backward);
    }

    #[test]
    fn a_set_holds_each_member_once_in_order() {
        use super::super::set::Set;
        let mut set: Set<u32> = [5, 1, 9, 5].into();
        assert!(!set.insert(9) && set.insert(2) && set.remove(&1) && !set.remove(&1));
        assert!(set.iter().eq(&[2, 5, 9]) && set.range(3..).eq(&[5, 9]));
        assert_eq!((set.first(), set.last(), set.len()), (Some(&2), Some(&9), 3));
        set.retain(|member| member % 2 == 1);
        assert_eq!((set.pop_first(), set.into_iter().collect()), (Some(5), vec![9]));
    }
}
