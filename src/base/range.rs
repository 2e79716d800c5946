//! Byte ranges, half open, and sets of them: what of a resource is wanted, here or missing.

use core::fmt;

use super::map::Map;

/// Bytes `start..end` of a resource; `end` is the first byte not in the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// First byte behind the range.
    pub end: u64,
}

impl ByteRange {
    /// The range `start..end`; empty when `end` does not lie behind `start`.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end: if end > start { end } else { start } }
    }

    /// Bytes in the range.
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether the range holds no byte.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether `other` lies wholly inside.
    pub const fn covers(self, other: Self) -> bool {
        other.is_empty() || (self.start <= other.start && other.end <= self.end)
    }

    /// The bytes that both ranges hold.
    pub fn overlap(self, other: Self) -> Self {
        let start = self.start.max(other.start);
        Self::new(start, self.end.min(other.end).max(start))
    }

    /// The range grown outwards to multiples of `grid`.
    pub const fn aligned(self, grid: u64) -> Self {
        Self::new(self.start / grid * grid, self.end.div_ceil(grid).saturating_mul(grid))
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// Ranges that neither overlap nor touch, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet(Map<u64, u64>);

impl RangeSet {
    /// The set without a byte.
    pub const fn new() -> Self {
        Self(Map::new())
    }

    /// Adds a range, joining those that it overlaps or touches.
    pub fn insert(&mut self, range: ByteRange) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        while let Some((&low, &high)) = self.0.range(..=end).next_back() {
            if high < start {
                break;
            }
            start = start.min(low);
            end = end.max(high);
            self.0.remove(&low);
        }
        self.0.insert(start, end);
    }

    /// Takes a range out, splitting what it cuts.
    pub fn remove(&mut self, range: ByteRange) {
        if range.is_empty() {
            return;
        }
        while let Some((&low, &high)) = self.0.range(..range.end).next_back() {
            if high <= range.start {
                break;
            }
            self.0.remove(&low);
            if low < range.start {
                self.0.insert(low, range.start);
            }
            if high > range.end {
                self.0.insert(range.end, high);
            }
        }
    }

    /// Whether every byte of `range` is in the set.
    pub fn covers(&self, range: ByteRange) -> bool {
        range.is_empty() || self.run_end(range.start) >= range.end
    }

    /// Where the unbroken run that holds byte `at` ends; `at` itself when it is not in the set.
    pub fn run_end(&self, at: u64) -> u64 {
        let run = self.0.range(..=at).next_back();
        run.map_or(at, |(_, &end)| end.max(at))
    }

    /// The first part of `range` that is missing.
    pub fn first_gap(&self, range: ByteRange) -> Option<ByteRange> {
        let start = self.run_end(range.start);
        if start >= range.end {
            return None;
        }
        let next = self.0.range(start + 1..).next().map_or(range.end, |(&low, _)| low);
        Some(ByteRange::new(start, next.min(range.end)))
    }

    /// Bytes in the set.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// Bytes of `range` that are in the set.
    pub fn len_in(&self, range: ByteRange) -> u64 {
        let from = self.0.range(..=range.start).next_back().map_or(range.start, |(&low, _)| low);
        self.0
            .range(from..range.end.max(from))
            .map(|(&low, &high)| ByteRange::new(low, high).overlap(range).len())
            .sum()
    }

    /// Whether the set holds no byte.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = ByteRange> + '_ {
        self.0.iter().map(|(&start, &end)| ByteRange { start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::super::rng::Rng;
    use super::*;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        let mut set = RangeSet::new();
        ranges.iter().for_each(|&(start, end)| set.insert(ByteRange::new(start, end)));
        set
    }

    #[test]
    fn ranges_that_touch_become_one() {
        assert_eq!(set(&[(0, 4), (8, 9), (4, 8)]), set(&[(0, 9)]));
    }

    #[test]
    fn gaps_are_found_in_order() {
        let set = set(&[(2, 4), (6, 8)]);
        assert_eq!(set.first_gap(ByteRange::new(0, 9)), Some(ByteRange::new(0, 2)));
        assert_eq!(set.first_gap(ByteRange::new(2, 9)), Some(ByteRange::new(4, 6)));
        assert_eq!(set.first_gap(ByteRange::new(6, 9)), Some(ByteRange::new(8, 9)));
        assert_eq!(set.first_gap(ByteRange::new(6, 8)), None);
        assert_eq!(set.len_in(ByteRange::new(3, 7)), 2);
    }

    #[test]
    fn agrees_with_a_bitmap_on_any_script() {
        for seed in 0..200 {
            let (mut rng, mut set, mut map) = (Rng::new(seed), RangeSet::new(), [false; 64]);
            for _ in 0..40 {
                let (start, len) = (rng.below(64), rng.below(20));
                let range = ByteRange::new(start, (start + len).min(64));
                let put = rng.below(3) > 0;
                if put {
                    set.insert(range);
                } else {
                    set.remove(range);
                }
                (range.start..range.end)
                    .for_each(|i| map[usize::try_from(i).expect("a small number")] = put);
                let here = map.iter().filter(|here| **here).count();
                assert_eq!(set.len(), u64::try_from(here).expect("a small number"), "seed {seed}");
                let gap = map.iter().position(|here| !here).map(|i| i as u64);
                assert_eq!(set.first_gap(ByteRange::new(0, 64)).map(|g| g.start), gap);
            }
        }
    }
}
