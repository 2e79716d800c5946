//! What is stored under which URL: keys, their variants and the rows that hold their bytes.

use super::freshness::Policy;
use super::hash::{Numbered, seeded};
use super::vary::Selecting;
use crate::base::id::{OriginId, RowId};
use crate::base::limits;
use crate::base::range::RangeSet;
use crate::wire::http::fields::Fields;

/// What names a resource: the origin, and path and query without tokens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Which origin.
    pub origin: OriginId,
    /// Path and query, beginning with `/`, without the parameters that are left out.
    pub identity: String,
}

/// One stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The row that holds its bytes; no two entries have the same.
    pub row: RowId,
    /// The status code that it is used with: 200 for the parts of a 206 too.
    pub status: u16,
    /// Its fields, as `merge::stored` leaves them.
    pub fields: Fields,
    /// How long it may be used.
    pub policy: Policy,
    /// Bytes of the whole representation, where they are known.
    pub length: Option<u64>,
    /// Bytes that are in memory.
    pub present: RangeSet,
    /// Bytes that are on the disk.
    pub on_disk: RangeSet,
    /// The request fields that chose it.
    pub selecting: Selecting,
}

impl Entry {
    /// Bytes that its metadata takes, about, wherever it lies: its fields lie beside it once more,
    /// as the lines of its answers.
    fn size(&self) -> usize {
        let ranges = self.present.iter().count() + self.on_disk.iter().count();
        let fields = 2 * self.fields.size() + self.fields.len() * size_of::<(u32, u32)>();
        size_of::<Slot>() + LINKS + ROW + fields + self.selecting.size() + ranges * RANGE
    }
}

/// Every stored response, by key and by row.
#[derive(Clone, Debug)]
pub struct Index {
    seed: u64,
    bounds: Bounds,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    /// Slots by the hash of their key, newest last; a hash names a key all but always.
    keys: Numbered<u64, Vec<u32>>,
    rows: Numbered<RowId, u32>,
    bytes: usize,
    hand: usize,
}

/// What an index may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Entries in all.
    pub entries: usize,
    /// Bytes of metadata in all.
    pub metadata: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: limits::cache::ENTRIES, metadata: limits::cache::METADATA }
    }
}

#[derive(Clone, Debug)]
struct Slot {
    key: Key,
    hash: u64,
    entry: Entry,
    bytes: usize,
    used: bool,
}

impl Index {
    /// An index without an entry. `seed` is a number that strangers cannot guess.
    pub fn new(bounds: Bounds, seed: u64) -> Self {
        Self {
            seed,
            bounds,
            slots: Vec::new(),
            free: Vec::new(),
            keys: Numbered::default(),
            rows: Numbered::default(),
            bytes: 0,
            hand: 0,
        }
    }

    /// The stored response that a request for the key may get (RFC 9111, 4.1).
    ///
    /// Of several that match, one that was chosen by fields goes before one without `Vary`,
    /// and the most recent first. The entry counts as used.
    pub fn find(&mut self, origin: OriginId, identity: &str, request: &Fields) -> Option<&Entry> {
        let hash = self.hash(origin, identity);
        let rank = |slot: &Slot| {
            let entry = &slot.entry;
            (entry.selecting.is_selective(), entry.policy.date(), entry.policy.since)
        };
        let of = |place: &&u32| {
            let slot = self.slot(**place)?;
            let same = slot.is_for(origin, identity) && slot.entry.selecting.matches(request);
            same.then(|| rank(slot))
        };
        let places = self.keys.get(&hash)?.iter();
        let (_, place) = places.filter_map(|place| Some((of(&place)?, *place))).max()?;
        let slot = self.slots.get_mut(place as usize)?.as_mut()?;
        slot.used = true;
        Some(&slot.entry)
    }

    /// Every variant of a key, oldest first: for conditional requests and invalidation.
    pub fn variants(&self, origin: OriginId, identity: &str) -> impl Iterator<Item = &Entry> {
        let places = self.keys.get(&self.hash(origin, identity)).map_or(&[][..], |p| p);
        let slots = places.iter().filter_map(|place| self.slot(*place));
        slots.filter(move |slot| slot.is_for(origin, identity)).map(|slot| &slot.entry)
    }

    /// The response whose bytes a row holds.
    pub fn entry(&self, row: RowId) -> Option<&Entry> {
        Some(&self.slot(*self.rows.get(&row)?)?.entry)
    }

    /// The key under which a row is stored.
    pub fn key(&self, row: RowId) -> Option<&Key> {
        Some(&self.slot(*self.rows.get(&row)?)?.key)
    }

    /// Changes an entry and counts its metadata anew; its row stays what it was.
    pub fn change<T>(&mut self, row: RowId, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let place = *self.rows.get(&row)?;
        let slot = self.slots.get_mut(place as usize)?.as_mut()?;
        let answer = change(&mut slot.entry);
        slot.entry.row = row;
        let size = slot.entry.size() + slot.key.identity.len();
        self.bytes = self.bytes - slot.bytes + size;
        slot.bytes = size;
        Some(answer)
    }

    /// Stores a response, in place of the same variant of its key, of the oldest of too many
    /// variants, and of unused entries where a bound is reached.
    ///
    /// Returns the rows that are out of the index now and whose bytes the caller drops; those
    /// that `pinned` names stay unless they are replaced.
    pub fn insert(&mut self, key: Key, entry: Entry, pinned: impl Fn(RowId) -> bool) -> Vec<RowId> {
        let mut out = Vec::new();
        let row = entry.row;
        let same = |old: &&Entry| old.row == row || old.selecting.is_same(&entry.selecting);
        out.extend(self.variants(key.origin, &key.identity).filter(same).map(|old| old.row));
        out.extend(self.key(row).is_some().then_some(row).filter(|row| !out.contains(row)));
        out.iter().for_each(|old| drop(self.remove(*old)));
        let most = self.variants(key.origin, &key.identity).count() + 1;
        let oldest = self.variants(key.origin, &key.identity).map(|old| old.row);
        let oldest: Vec<RowId> =
            oldest.take(most.saturating_sub(limits::cache::VARIANTS)).collect();
        oldest.iter().for_each(|old| drop(self.remove(*old)));
        out.extend(oldest);
        self.place(key, entry);
        while self.is_over() {
            let Some(unused) = self.spare(|other| other == row || pinned(other)) else { break };
            out.push(unused);
        }
        out.retain(|old| *old != row);
        out
    }

    /// Changes how many bytes of metadata there may be; see [`Index::shed`].
    pub const fn bound(&mut self, metadata: usize) {
        self.bounds.metadata = metadata;
    }

    /// Takes an unused entry out if a bound is passed; its row.
    pub fn shed(&mut self, pinned: impl Fn(RowId) -> bool) -> Option<RowId> {
        if self.is_over() { self.spare(pinned) } else { None }
    }

    /// Takes a row out of the index.
    pub fn remove(&mut self, row: RowId) -> Option<Entry> {
        let place = self.rows.remove(&row)?;
        let slot = self.slots.get_mut(place as usize)?.take()?;
        self.bytes -= slot.bytes;
        self.free.push(place);
        if let Some(places) = self.keys.get_mut(&slot.hash) {
            places.retain(|other| *other != place);
            if places.is_empty() {
                self.keys.remove(&slot.hash);
            }
        }
        Some(slot.entry)
    }

    /// Takes every variant of a key out, as after an unsafe method (RFC 9111, 4.4).
    pub fn invalidate(&mut self, origin: OriginId, identity: &str) -> Vec<RowId> {
        let rows: Vec<RowId> = self.variants(origin, identity).map(|entry| entry.row).collect();
        rows.iter().for_each(|row| drop(self.remove(*row)));
        rows
    }

    /// Takes everything of an origin out, whose configuration has gone or changed.
    pub fn remove_origin(&mut self, origin: OriginId) -> Vec<RowId> {
        let of = |slot: &Slot| (slot.key.origin == origin).then_some(slot.entry.row);
        let rows: Vec<RowId> = self.slots.iter().flatten().filter_map(of).collect();
        rows.iter().for_each(|row| drop(self.remove(*row)));
        rows
    }

    /// The keys and rows of an origin, for a purge by pattern.
    pub fn keys_of(&self, origin: OriginId) -> impl Iterator<Item = (&str, RowId)> {
        let slots = self.slots.iter().flatten().filter(move |slot| slot.key.origin == origin);
        slots.map(|slot| (slot.key.identity.as_str(), slot.entry.row))
    }

    /// Every entry with its key, in no order that means anything; for writing all to the disk.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.slots.iter().flatten().map(|slot| (&slot.key, &slot.entry))
    }

    /// Bytes that the metadata takes, about; they count toward the memory cap.
    pub const fn metadata_bytes(&self) -> usize {
        self.bytes
    }

    /// Entries in the index.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes out the next entry that was not found since the hand last came by (a clock),
    /// looking at a bounded number of entries.
    fn spare(&mut self, pinned: impl Fn(RowId) -> bool) -> Option<RowId> {
        for step in 0..limits::cache::VICTIM_STEPS.min(self.slots.len() * 2) {
            self.hand = (self.hand + 1) % self.slots.len();
            let Some(slot) = self.slots.get_mut(self.hand).and_then(Option::as_mut) else {
                continue;
            };
            // After half the steps all were in use: then one of these goes.
            let spared = slot.used && step < limits::cache::VICTIM_STEPS / 2;
            slot.used = false;
            let row = slot.entry.row;
            if !spared && !pinned(row) {
                self.remove(row);
                return Some(row);
            }
        }
        None
    }

    fn place(&mut self, key: Key, entry: Entry) {
        let hash = self.hash(key.origin, &key.identity);
        let bytes = entry.size() + key.identity.len();
        let row = entry.row;
        let slot = Some(Slot { key, hash, entry, bytes, used: false });
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.slots[place as usize] = slot;
        self.keys.entry(hash).or_default().push(place);
        self.rows.insert(row, place);
        self.bytes += bytes;
    }

    fn is_over(&self) -> bool {
        self.rows.len() > self.bounds.entries || self.bytes > self.bounds.metadata
    }

    fn slot(&self, place: u32) -> Option<&Slot> {
        self.slots.get(place as usize)?.as_ref()
    }

    fn hash(&self, origin: OriginId, identity: &str) -> u64 {
        seeded(self.seed, &(origin, identity))
    }
}

impl Slot {
    fn is_for(&self, origin: OriginId, identity: &str) -> bool {
        self.key.origin == origin && self.key.identity == identity
    }
}

/// Bytes of one range in a set: two numbers and their share of a B-tree node.
const RANGE: usize = 32;

/// Bytes of the two map entries and the list of places that lead to a slot, about.
const LINKS: usize = 96;

/// Bytes of its row in the store and in the machine's books, and of its slices' places in those of
/// the tiers (100,000 objects of 1 KB: 1.8 KB each, of which 0.7 were counted).
const ROW: usize = 700;

#[cfg(test)]
mod tests {
    use crate::base::map::Map;
    use crate::base::set::Set;
    use core::time::Duration;

    use super::super::freshness::{Exchange, MediaRule, Times, Verdict, judge};
    use super::*;
    use crate::base::range::ByteRange;
    use crate::base::rng::Rng;
    use crate::base::time::Instant;

    const TV: OriginId = OriginId(0);

    fn fields(fields: &[(&str, &str)]) -> Fields {
        fields.iter().copied().collect()
    }

    fn entry(row: u64, request: &[(&str, &str)], response: &[(&str, &str)]) -> Entry {
        let (request, mut response) = (fields(request), fields(response));
        response.push("Cache-Control", "max-age=60");
        let at = Instant::default() + Duration::from_secs(row);
        let exchange = Exchange {
            method: "GET",
            request: &request,
            status: 200,
            response: &response,
            times: Times { request_at: at, response_at: at, date: None },
            media: MediaRule::None,
        };
        let Verdict::Keep(policy) = judge(&exchange) else { panic!("it may be kept") };
        Entry {
            row: RowId(row),
            status: 200,
            selecting: Selecting::of(&request, &response),
            fields: response,
            policy,
            length: None,
            present: RangeSet::new(),
            on_disk: RangeSet::new(),
        }
    }

    fn key(identity: &str) -> Key {
        Key { origin: TV, identity: identity.into() }
    }

    fn put(index: &mut Index, identity: &str, entry: Entry) -> Vec<RowId> {
        index.insert(key(identity), entry, |_| false)
    }

    fn found(index: &mut Index, identity: &str, request: &[(&str, &str)]) -> Option<u64> {
        index.find(TV, identity, &fields(request)).map(|entry| entry.row.0)
    }

    #[test]
    fn rfc_9111_4_1_a_request_finds_its_variant_and_no_other() {
        let mut index = Index::new(Bounds::default(), 1);
        let vary = [("Vary", "Origin")];
        put(&mut index, "/a", entry(1, &[("Origin", "x")], &vary));
        put(&mut index, "/a", entry(2, &[("Origin", "y")], &vary));
        assert_eq!(found(&mut index, "/a", &[("Origin", "x")]), Some(1));
        assert_eq!(found(&mut index, "/a", &[("Origin", "y")]), Some(2));
        assert_eq!(found(&mut index, "/a", &[]), None);
        assert_eq!(found(&mut index, "/b", &[("Origin", "x")]), None);
        assert!(index.find(OriginId(1), "/a", &fields(&[("Origin", "x")])).is_none());
    }

    #[test]
    fn rfc_9111_4_1_a_variant_goes_before_one_without_vary() {
        let mut index = Index::new(Bounds::default(), 1);
        put(&mut index, "/a", entry(1, &[("Origin", "x")], &[("Vary", "Origin")]));
        put(&mut index, "/a", entry(2, &[], &[]));
        assert_eq!(found(&mut index, "/a", &[("Origin", "x")]), Some(1));
        assert_eq!(found(&mut index, "/a", &[]), Some(2));
    }

    #[test]
    fn rfc_9111_4_the_most_recent_of_several_that_match_is_used() {
        let mut index = Index::new(Bounds::default(), 1);
        let asked = [("Origin", "x"), ("Accept", "y")];
        put(&mut index, "/a", entry(9, &asked, &[("Vary", "Origin")]));
        put(&mut index, "/a", entry(3, &asked, &[("Vary", "Accept")]));
        assert_eq!(found(&mut index, "/a", &asked), Some(9));
    }

    #[test]
    fn the_same_variant_is_replaced_and_its_row_given_back() {
        let mut index = Index::new(Bounds::default(), 1);
        assert!(put(&mut index, "/a", entry(1, &[], &[])).is_empty());
        assert_eq!(put(&mut index, "/a", entry(2, &[], &[])), [RowId(1)]);
        assert!(put(&mut index, "/a", entry(2, &[], &[])).is_empty(), "a row replaces itself");
        assert_eq!((index.len(), index.entry(RowId(1))), (1, None));
    }

    #[test]
    fn a_key_has_eight_variants_and_the_oldest_goes() {
        let mut index = Index::new(Bounds::default(), 1);
        for row in 0..20 {
            let name = row.to_string();
            let out = put(&mut index, "/a", entry(row, &[("X", &name)], &[("Vary", "X")]));
            let gone: Vec<RowId> = row.checked_sub(8).map(RowId).into_iter().collect();
            assert_eq!(out, gone);
        }
        assert_eq!(index.variants(TV, "/a").count(), limits::cache::VARIANTS);
    }

    #[test]
    fn a_full_index_gives_up_what_nobody_asked_for_and_never_a_pinned_row() {
        let mut index = Index::new(Bounds { entries: 10, metadata: usize::MAX }, 1);
        (0..10).for_each(|row| drop(put(&mut index, &format!("/{row}"), entry(row, &[], &[]))));
        for row in 0..5 {
            assert_eq!(found(&mut index, &format!("/{row}"), &[]), Some(row));
        }
        let out: Vec<RowId> = (10..14)
            .flat_map(|row| {
                let pinned = |row: RowId| row == RowId(7) || row.0 >= 10;
                index.insert(key(&format!("/{row}")), entry(row, &[], &[]), pinned)
            })
            .collect();
        assert_eq!(out, [5, 6, 8, 9].map(RowId));
        assert_eq!(index.len(), 10);
    }

    #[test]
    fn metadata_is_counted_bounded_and_given_back() {
        let mut index = Index::new(Bounds { entries: 1000, metadata: 60_000 }, 1);
        for row in 0..200 {
            let long = "x".repeat(400);
            put(&mut index, &format!("/{row}"), entry(row, &[], &[("X", &long)]));
            assert!(index.metadata_bytes() <= 60_000);
        }
        assert!(index.len() > 10);
        let row = index.iter().map(|(_, entry)| entry.row).next().expect("some");
        let before = index.metadata_bytes();
        index.change(row, |entry| entry.present.insert(ByteRange::new(0, 9)));
        assert!(index.metadata_bytes() > before);
        assert!(!index.remove_origin(TV).is_empty());
        assert_eq!((index.metadata_bytes(), index.len()), (0, 0));
    }

    #[test]
    fn rfc_9111_4_4_invalidation_takes_every_variant_of_the_key_alone() {
        let mut index = Index::new(Bounds::default(), 1);
        put(&mut index, "/a", entry(1, &[("X", "1")], &[("Vary", "X")]));
        put(&mut index, "/a", entry(2, &[("X", "2")], &[("Vary", "X")]));
        put(&mut index, "/ab", entry(3, &[], &[]));
        assert_eq!(index.invalidate(TV, "/a"), [1, 2].map(RowId));
        assert_eq!(index.keys_of(TV).collect::<Vec<_>>(), [("/ab", RowId(3))]);
    }

    #[test]
    fn agrees_with_a_model_on_any_script() {
        for seed in 0..60 {
            let mut rng = Rng::new(seed);
            let mut index = Index::new(Bounds::default(), seed);
            let mut model = Map::<u64, (String, Set<u64>)>::new();
            for step in 0..200 {
                let identity = format!("/{}", rng.below(12));
                let row = rng.below(step + 1);
                match rng.below(4) {
                    0 | 1 => {
                        put(&mut index, &identity, entry(step, &[], &[]));
                        model.retain(|_, (old, _)| *old != identity);
                        model.insert(step, (identity, Set::new()));
                    }
                    2 => {
                        let gone = index.remove(RowId(row)).is_some();
                        assert_eq!(gone, model.remove(&row).is_some(), "seed {seed}");
                    }
                    _ => {
                        let byte = rng.below(30);
                        let range = ByteRange::new(byte, byte + 1);
                        let known = index.change(RowId(row), |e| e.present.insert(range));
                        let twin = model.get_mut(&row).map(|(_, bytes)| bytes.insert(byte));
                        assert_eq!(known.is_some(), twin.is_some(), "seed {seed}");
                    }
                }
                assert_eq!(index.len(), model.len(), "seed {seed}");
                for (row, (identity, bytes)) in &model {
                    assert_eq!(found(&mut index, identity, &[]), Some(*row), "seed {seed}");
                    let entry = index.entry(RowId(*row)).expect("held");
                    let here = (0..40).filter(|b| entry.present.covers(ByteRange::new(*b, b + 1)));
                    assert_eq!(here.collect::<Set<_>>(), *bytes, "seed {seed}");
                }
                let sum: usize = index.slots.iter().flatten().map(|slot| slot.bytes).sum();
                assert_eq!(sum, index.metadata_bytes(), "seed {seed}");
            }
        }
    }
}
