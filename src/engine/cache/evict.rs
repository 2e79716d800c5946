//! What goes when a tier is full: S3-FIFO (Yang and others, SOSP 2023) over slices, by bytes.

use super::ghost::Ghost;
use super::hash::{Numbered, seeded};
use crate::base::id::RowId;
use crate::base::limits;

/// The unit of eviction: `limits::block::SLICE` bytes of a row, or what its end leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice {
    /// The row.
    pub row: RowId,
    /// Which slice of the row, from zero.
    pub number: u32,
}

/// A slice that has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Victim {
    /// The slice, which is out of the account already.
    pub slice: Slice,
    /// Bytes that it weighed.
    pub weight: u64,
    /// Whether it was asked for more than once: worth a place in the tier below.
    pub wanted: bool,
}

/// The order in which a tier gives up its slices. It holds no bytes, only their account.
///
/// New slices pass through a small queue; those that are hit there, or come back soon after
/// they went, move to the main queue. So a scan pushes out nothing but itself.
#[derive(Clone, Debug)]
pub struct Evict {
    nodes: Vec<Node>,
    free: Vec<u32>,
    /// The slices of each row with their nodes, by number.
    rows: Numbered<RowId, Vec<(u32, u32)>>,
    small: Queue,
    main: Queue,
    ghost: Ghost,
    small_cap: u64,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    slice: Slice,
    weight: u64,
    older: u32,
    newer: u32,
    hits: u8,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Small,
    Main,
}

/// A list through the nodes, from the newest to the oldest.
#[derive(Clone, Copy, Debug)]
struct Queue {
    newest: u32,
    oldest: u32,
    bytes: u64,
}

impl Evict {
    /// An empty account for a tier of `capacity` bytes.
    pub fn new(capacity: u64) -> Self {
        Self::with_small(small_cap(capacity))
    }

    /// The same with a small queue of so many bytes; for measurements.
    pub fn with_small(small_cap: u64) -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            rows: Numbered::default(),
            small: EMPTY,
            main: EMPTY,
            ghost: Ghost::default(),
            small_cap,
        }
    }

    /// Follows a new capacity; the caller asks for victims until `used` is below it.
    pub fn resize(&mut self, capacity: u64) {
        self.small_cap = small_cap(capacity);
    }

    /// Bytes of every slice in the account.
    pub const fn used(&self) -> u64 {
        self.small.bytes + self.main.bytes
    }

    /// Slices in the account.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Whether the account is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the slice is in the account.
    pub fn has(&self, slice: Slice) -> bool {
        self.find(slice).is_some()
    }

    /// Enters a slice; one that is here already gets the new weight.
    pub fn insert(&mut self, slice: Slice, weight: u64) {
        if let Some(at) = self.find(slice) {
            let old = self.nodes[at as usize].weight;
            self.weigh(at, weight.wrapping_sub(old));
            return;
        }
        let place = if self.ghost.take(hash(slice)) { Place::Main } else { Place::Small };
        let node = Node { slice, weight, older: NONE, newer: NONE, hits: 0, place };
        let at = if let Some(at) = self.free.pop() {
            self.nodes[at as usize] = node;
            at
        } else {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).unwrap_or(NONE)
        };
        let row = self.rows.entry(slice.row).or_default();
        let before = row.partition_point(|(number, _)| *number < slice.number);
        row.insert(before, (slice.number, at));
        self.link(at, place);
        self.ghost.hold(self.len());
    }

    /// Adds `more` bytes to the weight of a slice that is being filled, entering it if need be.
    pub fn grow(&mut self, slice: Slice, more: u64) {
        match self.find(slice) {
            Some(at) => self.weigh(at, more),
            None => self.insert(slice, more),
        }
    }

    /// Notes that a slice was asked for.
    pub fn hit(&mut self, slice: Slice) {
        if let Some(at) = self.find(slice) {
            let node = &mut self.nodes[at as usize];
            node.hits = (node.hits + 1).min(MOST_HITS);
        }
    }

    /// Takes a slice out; its weight.
    pub fn remove(&mut self, slice: Slice) -> Option<u64> {
        let row = self.rows.get_mut(&slice.row)?;
        let index = row.binary_search_by_key(&slice.number, |(number, _)| *number).ok()?;
        let (_, at) = row.remove(index);
        if row.is_empty() {
            self.rows.remove(&slice.row);
        }
        self.unlink(at);
        self.free.push(at);
        Some(self.nodes[at as usize].weight)
    }

    /// Takes every slice of a row out; their weight together.
    pub fn remove_row(&mut self, row: RowId) -> u64 {
        let slices = self.rows.remove(&row).unwrap_or_default();
        let weight = slices.iter().map(|(_, at)| {
            self.unlink(*at);
            self.nodes[*at as usize].weight
        });
        let weight = weight.sum();
        self.free.extend(slices.iter().map(|(_, at)| *at));
        weight
    }

    /// Whether the slice was asked for before: hit here, or evicted a short while ago.
    pub fn seen(&self, slice: Slice) -> bool {
        self.find(slice)
            .map_or_else(|| self.ghost.has(hash(slice)), |at| self.nodes[at as usize].is_wanted())
    }

    /// Takes out the next slice to go; none when the account is empty or every slice that a
    /// bounded search came by is pinned.
    pub fn victim(&mut self, pinned: impl Fn(Slice) -> bool) -> Option<Victim> {
        for step in 0..limits::cache::VICTIM_STEPS {
            // In the second half what was hit gets no further round, and the other queue is
            // tried, so that pins and hits cannot hold everything.
            let late = step >= limits::cache::VICTIM_STEPS / 2;
            let at = self.oldest(late)?;
            let node = self.nodes[at as usize];
            if pinned(node.slice) {
                self.requeue(at, node.place);
            } else if late || !self.spare(at, node) {
                let (slice, weight) = (node.slice, node.weight);
                self.remove(slice);
                if node.place == Place::Small {
                    self.ghost.insert(hash(slice));
                }
                return Some(Victim { slice, weight, wanted: node.is_wanted() });
            }
        }
        None
    }

    /// Gives a node that was hit another round; whether it did.
    fn spare(&mut self, at: u32, node: Node) -> bool {
        let spared = match node.place {
            Place::Small => node.hits >= PROMOTED,
            Place::Main => node.hits > 0,
        };
        if spared {
            let left = if node.place == Place::Small { 0 } else { node.hits - 1 };
            self.nodes[at as usize].hits = left;
            self.requeue(at, Place::Main);
        }
        spared
    }

    fn oldest(&self, late: bool) -> Option<u32> {
        let small = (self.small.bytes > self.small_cap) != late;
        let (first, second) = if small { (self.small, self.main) } else { (self.main, self.small) };
        [first.oldest, second.oldest].into_iter().find(|at| *at != NONE)
    }

    fn find(&self, slice: Slice) -> Option<u32> {
        let row = self.rows.get(&slice.row)?;
        let index = row.binary_search_by_key(&slice.number, |(number, _)| *number).ok()?;
        Some(row[index].1)
    }

    /// Adds to a weight; what wraps around takes away.
    fn weigh(&mut self, at: u32, more: u64) {
        let node = &mut self.nodes[at as usize];
        node.weight = node.weight.wrapping_add(more);
        let place = node.place;
        let queue = self.queue(place);
        queue.bytes = queue.bytes.wrapping_add(more);
    }

    fn requeue(&mut self, at: u32, place: Place) {
        self.unlink(at);
        self.link(at, place);
    }

    fn link(&mut self, at: u32, place: Place) {
        let weight = self.nodes[at as usize].weight;
        let queue = self.queue(place);
        let older = core::mem::replace(&mut queue.newest, at);
        queue.bytes += weight;
        if older == NONE {
            queue.oldest = at;
        } else {
            self.nodes[older as usize].newer = at;
        }
        let node = &mut self.nodes[at as usize];
        (node.older, node.newer, node.place) = (older, NONE, place);
    }

    fn unlink(&mut self, at: u32) {
        let Node { older, newer, weight, place, .. } = self.nodes[at as usize];
        let queue = self.queue(place);
        queue.bytes -= weight;
        if older == NONE {
            queue.oldest = newer;
        }
        if newer == NONE {
            queue.newest = older;
        }
        if older != NONE {
            self.nodes[older as usize].newer = newer;
        }
        if newer != NONE {
            self.nodes[newer as usize].older = older;
        }
    }

    const fn queue(&mut self, place: Place) -> &mut Queue {
        match place {
            Place::Small => &mut self.small,
            Place::Main => &mut self.main,
        }
    }
}

impl Node {
    fn is_wanted(&self) -> bool {
        self.hits > 0 || self.place == Place::Main
    }
}

fn hash(slice: Slice) -> u64 {
    seeded(0, &slice)
}

/// Bytes for slices that were not asked for again yet: a tenth as in the paper, but where that
/// is less than what live streams hold ahead and behind, up to half the tier.
fn small_cap(capacity: u64) -> u64 {
    limits::cache::PROBATION.clamp(capacity / 10, capacity / 2)
}

/// Hits in the small queue that move a slice to the main one.
const PROMOTED: u8 = 1;

/// More hits than this give no further round.
const MOST_HITS: u8 = 3;

/// No node.
const NONE: u32 = u32::MAX;

const EMPTY: Queue = Queue { newest: NONE, oldest: NONE, bytes: 0 };

#[cfg(test)]
mod tests {
    use crate::base::map::Map;

    use super::*;
    use crate::base::rng::Rng;

    const fn slice(row: u64, number: u32) -> Slice {
        Slice { row: RowId(row), number }
    }

    fn drain(evict: &mut Evict) -> Vec<Slice> {
        core::iter::from_fn(|| evict.victim(|_| false).map(|v| v.slice)).collect()
    }

    #[test]
    fn a_scan_pushes_out_nothing_but_itself() {
        let mut evict = Evict::new(100);
        for row in 0..50 {
            evict.insert(slice(row, 0), 1);
            evict.hit(slice(row, 0));
            evict.hit(slice(row, 0));
        }
        for row in 1000..5000 {
            evict.insert(slice(row, 0), 1);
            while evict.used() > 100 {
                evict.victim(|_| false);
            }
        }
        assert!((0..50).all(|row| evict.has(slice(row, 0))));
    }

    #[test]
    fn what_comes_back_soon_is_known_and_stays() {
        let mut evict = Evict::with_small(0);
        for row in 0..11 {
            evict.insert(slice(row, 0), 1);
        }
        let victim = evict.victim(|_| false).expect("full");
        assert_eq!(victim, Victim { slice: slice(0, 0), weight: 1, wanted: false });
        assert!(evict.seen(slice(0, 0)) && !evict.seen(slice(1, 0)));
        evict.insert(slice(0, 0), 1);
        assert_eq!(drain(&mut evict).last(), Some(&slice(0, 0)));
    }

    #[test]
    fn a_small_tier_keeps_half_for_what_is_fetched_ahead_and_a_large_one_a_tenth() {
        let mib = 1024 * 1024;
        for (capacity, cap) in [(48, 24), (64, 32), (256, 32), (320, 32), (8000, 800)] {
            assert_eq!(Evict::new(capacity * mib).small_cap, cap * mib, "{capacity} MiB");
        }
    }

    #[test]
    fn a_pinned_slice_stays_and_the_next_goes() {
        let mut evict = Evict::new(1);
        evict.insert(slice(1, 0), 5);
        evict.insert(slice(2, 0), 5);
        let pinned = |s: Slice| s.row == RowId(1);
        assert_eq!(evict.victim(pinned).map(|v| v.slice), Some(slice(2, 0)));
        assert_eq!(evict.victim(pinned), None);
        assert_eq!(evict.used(), 5);
    }

    #[test]
    fn pins_in_one_queue_do_not_hide_the_other() {
        let mut evict = Evict::new(100);
        evict.insert(slice(1, 0), 1);
        evict.hit(slice(1, 0));
        for row in 2..60 {
            evict.insert(slice(row, 0), 1);
        }
        evict.insert(slice(0, 0), 100);
        let first = evict.victim(|s| s.row.0 > 1);
        assert!(first.is_some_and(|victim| victim.slice.row.0 <= 1), "{first:?}");
        assert!(evict.victim(|s| s.row.0 > 1).is_some());
        assert_eq!(evict.victim(|s| s.row.0 > 1), None);
    }

    #[test]
    fn the_account_agrees_with_a_model_on_any_script() {
        for seed in 0..100 {
            let mut rng = Rng::new(seed);
            let (mut evict, mut model) = (Evict::new(400), Map::<Slice, u64>::new());
            for _ in 0..400 {
                let at = slice(rng.below(12), u32::try_from(rng.below(6)).expect("a small number"));
                let weight = rng.below(30);
                match rng.below(8) {
                    0 | 1 => {
                        evict.insert(at, weight);
                        model.insert(at, weight);
                    }
                    2 => {
                        evict.grow(at, weight);
                        *model.entry(at).or_default() += weight;
                    }
                    3 | 4 => evict.hit(at),
                    5 => assert_eq!(evict.remove(at), model.remove(&at), "seed {seed}"),
                    6 if rng.below(4) == 0 => {
                        let gone: u64 =
                            model.iter().filter(|(s, _)| s.row == at.row).map(|(_, w)| w).sum();
                        model.retain(|s, _| s.row != at.row);
                        assert_eq!(evict.remove_row(at.row), gone, "seed {seed}");
                    }
                    _ => {
                        while evict.used() > 400 {
                            let victim = evict.victim(|s| s.row == at.row);
                            let Some(victim) = victim else { break };
                            assert_ne!(victim.slice.row, at.row);
                            assert_eq!(model.remove(&victim.slice), Some(victim.weight));
                        }
                    }
                }
                assert_eq!(evict.used(), model.values().sum::<u64>(), "seed {seed}");
                assert_eq!(evict.len(), model.len());
                model.keys().for_each(|s| assert!(evict.has(*s)));
            }
            while evict.used() > 100 {
                assert!(evict.victim(|_| false).is_some());
            }
            assert!(drain(&mut evict).len() <= model.len() && evict.is_empty());
            assert_eq!(evict.used(), 0);
        }
    }
}
