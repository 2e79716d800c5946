//! Segments, and the grid of blocks and slices that they lie on.

/// Bytes of a block: the unit of exchange and of verification (docs: the block grid).
pub const BLOCK: u64 = 64 * 1024;

/// Bytes of a slice, the unit of eviction and of the disk tier: sixteen blocks, so that a
/// large file is kept where it is watched and a usual segment is two to eight slices.
pub const SLICE: u64 = 16 * BLOCK;

/// Bytes of the usual allocation for a row's blocks, which is eight of them on their grid, half a
/// slice. What has 128 KiB or more is mapped by itself: it takes a page more than it holds on musl,
/// where a block alone takes a tenth, and goes back to the system when it is dropped, which a block
/// alone does not on glibc (docs/store.md).
pub const RUN: u64 = 8 * BLOCK;

/// Blocks of a segment as peers exchange it: they fit in the bits of one number, and a record of
/// them in 2 KiB; a usual media segment is one, a 4K one two or three.
pub const SEGMENT_BLOCKS: u64 = 64;

/// Bytes of such a segment: 4 MiB.
pub const SEGMENT: u64 = SEGMENT_BLOCKS * BLOCK;
