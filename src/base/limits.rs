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

/// Slices that wait to be written to the disk; a slow disk refuses more, it does not queue RAM.
pub const PERSISTS: usize = 16;

/// Bytes of the caller's words in front of a slice on disk: two heads of [`HEAD`].
pub const SHEET_HEADER: usize = 64 * 1024;

/// Blocks that one load brings up from the disk: one [`BATCH`], so that a seek reads little.
pub const READ_AHEAD: u64 = 4;

/// A disk that failed is tried again on the first demand after this.
pub const DISK_RETRY: Duration = Duration::from_secs(60);
