//! What is stored, in memory and on disk.

use core::time::Duration;

use super::block;

/// How far a fetch may run ahead of the furthest reader that wants it kept, once that has
/// read as much.
pub const AHEAD: u64 = 4 * 1024 * 1024;

/// Bytes that one exchange holds while it waits until they are taken.
pub const BATCH: u64 = 4 * block::BLOCK;

/// How long an answer such as 404 is kept when the origin states no lifetime: long enough to
/// spare the origin a burst, short enough that nobody waits for what has come since.
pub const NEGATIVE: Duration = Duration::from_secs(1);

/// The same of a playlist that is not live.
pub const HEURISTIC_PLAYLIST: Duration = Duration::from_secs(5);

/// The longest lifetime by heuristics (above it RFC 7234, 5.5.4 wanted a warning).
pub const HEURISTIC: Duration = Duration::from_secs(24 * 3600);

/// How stale a response may be when the origin can't be reached and nothing forbids its use:
/// an evening without a line, not last week's programme.
pub const DISCONNECTED: Duration = Duration::from_secs(24 * 3600);

/// Variants of one URL that are kept: encodings and languages, not one per player.
pub const VARIANTS: usize = 8;

/// Responses in the index: at 1.8 KB of metadata each, 58 MB of a gateway's memory.
pub const ENTRIES: usize = 32 * 1024;

/// Bytes of metadata in the index, which count toward the memory cap: at most half of that.
pub const METADATA: usize = 64 * 1024 * 1024;

/// Places that one search for a victim looks at before it takes the next best one.
pub const VICTIM_STEPS: usize = 512;

/// Slices that were evicted and are remembered: 16 bytes each.
pub const GHOSTS: usize = 16 * 1024;

/// Slices that wait to be written to the disk; a slow disk refuses more, it does not queue RAM.
pub const PERSISTS: usize = 16;

/// Bytes of the caller's words in front of a slice on disk: two heads of
/// [`http::HEAD`](super::http::HEAD).
pub const SHEET_HEADER: usize = 64 * 1024;

/// Blocks that one load brings up from the disk: one [`BATCH`], so that a seek reads little.
pub const READ_AHEAD: u64 = 4;

/// A part of a slice that the disk has not given by then comes from elsewhere, and the slice is
/// dropped: worn flash may think for many seconds, and 256 KiB in two of them is 1 Mbit/s.
pub const DISK_PATIENCE: Duration = Duration::from_secs(2);

/// A disk that failed is tried again on the first demand after this.
pub const DISK_RETRY: Duration = Duration::from_secs(60);

/// Bytes that a tier gives to slices which were asked for once or never, where it has them:
/// what live streams hold between fetch and last player. With 6 of 64 MiB a live stream that
/// is fetched ahead lost every segment before it was played (docs/cache.md).
pub const PROBATION: u64 = 32 * 1024 * 1024;
