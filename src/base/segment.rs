//! Segments as peers name them: a resource's digest and which 4 MiB of it, in blocks of 64 KiB.

use core::fmt;

use super::digest::Digest;
use super::limits;
use super::range::{ByteRange, RangeSet};

/// One segment: up to [`limits::block::SEGMENT_BLOCKS`] blocks of one resource. Most media segments
/// are segment 0 of their resource; a large file has many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    /// What [`resource`] says of the origin's name and the resource's identity.
    pub resource: Digest,
    /// Which part of the resource, from 0.
    pub number: u32,
}

/// Blocks of one segment: bit n stands for its n-th block.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockSet(pub u64);

/// The name of a resource in its network: the same on every node, whatever CDN, token or order
/// of renditions, as long as the origin has the same name in each configuration.
pub fn resource(origin: &str, identity: &str) -> Digest {
    Digest::of_parts([b"neap/1 resource\0", origin.as_bytes(), b"\0", identity.as_bytes()])
}

impl SegmentId {
    /// All segments that a resource may have.
    pub const fn all(resource: Digest) -> core::ops::RangeInclusive<Self> {
        Self { resource, number: 0 }..=Self { resource, number: u32::MAX }
    }

    /// The bytes that the segment may have in a resource of any length.
    pub const fn window(self) -> ByteRange {
        let start = self.number as u64 * limits::block::SEGMENT;
        ByteRange::new(start, start + limits::block::SEGMENT)
    }

    /// The segment's bytes in a resource of `length` bytes.
    pub fn range(self, length: u64) -> ByteRange {
        self.window().overlap(ByteRange::new(0, length))
    }

    /// The bytes of one of its blocks in a resource of `length` bytes.
    pub fn block(self, block: u8, length: u64) -> ByteRange {
        let start = self.window().start + u64::from(block) * limits::block::BLOCK;
        ByteRange::new(start, start + limits::block::BLOCK).overlap(self.range(length))
    }

    /// All of its blocks in a resource of `length` bytes.
    pub fn blocks(self, length: u64) -> BlockSet {
        let count = self.range(length).len().div_ceil(limits::block::BLOCK);
        BlockSet::first(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The segment that holds byte `at` of a resource.
    pub fn holding(resource: Digest, at: u64) -> Self {
        Self { resource, number: u32::try_from(at / limits::block::SEGMENT).unwrap_or(u32::MAX) }
    }

    /// The segments that hold bytes of a range of a resource; of none, the one where it begins.
    pub fn of_range(resource: Digest, range: ByteRange) -> impl Iterator<Item = Self> {
        let first = Self::holding(resource, range.start).number;
        let last = Self::holding(resource, range.end.saturating_sub(1)).number;
        (first..=last).map(move |number| Self { resource, number })
    }

    /// The number of the block that holds byte `at` of the resource.
    pub fn block_at(self, at: u64) -> u8 {
        u8::try_from((at - self.window().start) / limits::block::BLOCK).unwrap_or(u8::MAX)
    }

    /// The blocks of the segment that lie wholly in `range` of a resource of `length` bytes.
    pub fn blocks_in(self, range: ByteRange, length: u64) -> BlockSet {
        let whole = |block: &u8| range.covers(self.block(*block, length));
        self.blocks(length).iter().filter(whole).collect()
    }

    /// Those of `blocks` that hold some of `ranges`.
    pub fn touching(self, blocks: BlockSet, ranges: &RangeSet) -> BlockSet {
        let touches = |block: &u8| ranges.len_in(self.block(*block, u64::MAX)) > 0;
        blocks.iter().filter(touches).collect()
    }
}

impl fmt::Debug for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.resource.0;
        write!(f, "{a:02x}{b:02x}{c:02x}{d:02x}/{}", self.number)
    }
}

impl BlockSet {
    /// No block.
    pub const NONE: Self = Self(0);

    /// The first `count` blocks.
    pub const fn first(count: u32) -> Self {
        if count >= 64 { Self(u64::MAX) } else { Self((1 << count) - 1) }
    }

    /// One block.
    pub const fn one(block: u8) -> Self {
        if block < 64 { Self(1 << block) } else { Self(0) }
    }

    /// How many there are.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it has `block`.
    pub const fn has(self, block: u8) -> bool {
        block < 64 && self.0 & (1 << block) != 0
    }

    /// Whether it has all of `other`.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// What one or both have.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both have.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What it has and `other` has not.
    pub const fn less(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Its blocks in order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let next = u8::try_from(rest.trailing_zeros()).ok().filter(|block| *block < 64)?;
            rest &= rest - 1;
            Some(next)
        })
    }

    /// Its runs of neighbouring blocks: first block and how many.
    pub fn runs(self) -> impl Iterator<Item = (u8, u32)> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let first = left.trailing_zeros();
            if first >= 64 {
                return None;
            }
            let count = (left >> first).trailing_ones();
            left &= !(Self::first(count).0 << first);
            Some((u8::try_from(first).unwrap_or(63), count))
        })
    }
}

impl FromIterator<u8> for BlockSet {
    fn from_iter<T: IntoIterator<Item = u8>>(blocks: T) -> Self {
        blocks.into_iter().fold(Self::NONE, |set, block| set.or(Self::one(block)))
    }
}

impl fmt::Debug for BlockSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (first, count) in self.runs() {
            write!(f, " {first}..{}", u32::from(first) + count)?;
        }
        f.write_str(" }")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_cut_on_the_block_grid() {
        let id = |number| SegmentId { resource: resource("tv", "/a.ts"), number };
        let length = limits::block::SEGMENT + 70_000;
        assert_eq!(id(0).range(length).len(), limits::block::SEGMENT);
        assert_eq!(id(0).blocks(length).len(), 64);
        assert_eq!(id(1).range(length), ByteRange::new(limits::block::SEGMENT, length));
        assert_eq!(id(1).blocks(length), BlockSet::first(2));
        assert_eq!(id(1).block(1, length).len(), 70_000 - limits::block::BLOCK);
        assert!(id(2).range(length).is_empty() && id(2).blocks(length).is_empty());
        assert_eq!(SegmentId::holding(id(0).resource, limits::block::SEGMENT), id(1));
        let part = ByteRange::new(limits::block::SEGMENT + 1, length);
        assert_eq!(id(1).blocks_in(part, length), BlockSet::one(1));
    }

    #[test]
    fn names_do_not_run_into_each_other() {
        assert_ne!(resource("a", "/b"), resource("a/", "b"));
    }

    #[test]
    fn sets_of_blocks() {
        let set: BlockSet = [0, 1, 5, 63].into_iter().collect();
        assert_eq!(set.runs().collect::<Vec<_>>(), [(0, 2), (5, 1), (63, 1)]);
        assert_eq!(set.iter().collect::<BlockSet>(), set);
        assert_eq!(BlockSet::first(64).runs().collect::<Vec<_>>(), [(0, 64)]);
        assert_eq!(set.less(BlockSet::first(2)).len(), 2);
        assert!(BlockSet::one(64).is_empty());
    }
}
