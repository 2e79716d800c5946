//! Every bound of the program with its reason; nothing in neap grows without one.

use core::time::Duration;

/// Bytes of a block: the unit of exchange and of verification (docs: the block grid).
pub const BLOCK: u64 = 64 * 1024;

/// Bytes of a slice, the unit of eviction and of the disk tier: sixteen blocks, so that a
/// large file is kept where it is watched and a usual segment is two to eight slices.
pub const SLICE: u64 = 16 * BLOCK;

/// Bytes of a request or response head. nginx stops at 8 KiB a line and 32 KiB in all; signed
/// CDN cookies reach 4 KiB.
pub const HEAD: usize = 32 * 1024;

/// Header fields in one head; CDNs send up to about forty.
pub const FIELDS: usize = 100;

/// Bytes of a request target: the common ceiling of servers (RFC 9112, 3 asks for 8000).
pub const TARGET: usize = 8 * 1024;

/// Bytes of a playlist or manifest that is parsed; a day of two-second segments is 2 MiB.
/// A larger one passes through untouched.
pub const PLAYLIST: usize = 4 * 1024 * 1024;

/// How far a fetch may run ahead of the furthest reader that wants it kept.
pub const AHEAD: u64 = 4 * 1024 * 1024;

/// How far a fetch that may not be kept runs ahead of its slowest reader.
pub const PASS: u64 = 512 * 1024;

/// Bytes that one exchange holds for one vectored write.
pub const BATCH: u64 = 4 * BLOCK;

/// Player connections at once; a household has tens, a gateway some hundreds.
pub const CONNECTIONS: usize = 1024;

/// Idle connections to one origin that are kept.
pub const POOLED: usize = 8;

/// Redirects followed for one fetch; browsers stop at 20, CDNs need 1 or 2.
pub const REDIRECTS: u8 = 5;

/// A connection that says nothing between two requests is closed after this.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A request head must be complete this long after its first byte (slow clients).
pub const HEAD_TIME: Duration = Duration::from_secs(10);

/// A player that takes no byte for this long is gone.
pub const WRITE_TIME: Duration = Duration::from_secs(30);

/// What still runs is cut this long after SIGTERM.
pub const SHUTDOWN: Duration = Duration::from_secs(5);

/// How long an answer such as 404 is kept when the origin states no lifetime: long enough to
/// spare the origin a burst, short enough that nobody waits for what has come since.
pub const NEGATIVE: Duration = Duration::from_secs(10);

/// The longest lifetime by heuristics (above it RFC 7234, 5.5.4 wanted a warning).
pub const HEURISTIC: Duration = Duration::from_secs(24 * 3600);

/// How stale a response may be when the origin can't be reached and nothing forbids its use:
/// an evening without a line, not last week's programme.
pub const DISCONNECTED: Duration = Duration::from_secs(24 * 3600);

/// Variants of one URL that are kept: encodings and languages, not one per player.
pub const VARIANTS: usize = 8;

/// Responses in the index: at 700 bytes of metadata each, 22 MiB of a gateway's memory.
pub const ENTRIES: usize = 32 * 1024;

/// Bytes of metadata in the index, which count toward the memory cap.
pub const METADATA: usize = 16 * 1024 * 1024;

/// List members of a field that are compared without regard to order; browsers send six.
pub const MEMBERS: usize = 32;

/// Places that one search for a victim looks at before it takes the next best one.
pub const VICTIM_STEPS: usize = 512;

/// Slices that were evicted and are remembered: 16 bytes each.
pub const GHOSTS: usize = 16 * 1024;

/// Bytes that a tier gives to slices which were asked for once or never, where it has them:
/// what live streams hold between fetch and last player. With 6 of 64 MiB a live stream that
/// is fetched ahead lost every segment before it was played (docs/cache.md).
pub const PROBATION: u64 = 32 * 1024 * 1024;
