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

/// Lines that wait for a log reader; a burst at start is tens, so 256 lose nothing and hold
/// at most 256 KiB while syslogd is away.
pub const LOG_LINES: usize = 256;

/// Bytes of a log line: RFC 3164, 4.1 allows 1024 in a packet and BusyBox cuts there.
pub const LOG_LINE: usize = 1024;

/// Bytes of a log line before it is scrubbed: one request target fits.
pub const LOG_RAW: usize = 8 * 1024;

/// Different log lines whose repeats are counted at once.
pub const LOG_KINDS: usize = 32;

/// The same log line is written once in this time and counted else.
pub const LOG_REPEAT: Duration = Duration::from_secs(60);

/// The log's thread ends when nothing was written for this long, so an idle daemon has none.
pub const LOG_LINGER: Duration = Duration::from_secs(1);

/// A log socket that failed is tried again after this, by the next line.
pub const LOG_RETRY: Duration = Duration::from_secs(1);

/// How long the program waits at its end for lines to be written.
pub const LOG_FLUSH: Duration = Duration::from_secs(1);

/// Faults that the status shows; a technician reads one screen.
pub const FAULTS: usize = 16;

/// Bytes of a fault's sentence: two lines on a phone.
pub const FAULT: usize = 200;

/// One bar of the chart of where bytes came from.
pub const BUCKET: Duration = Duration::from_secs(10);

/// Bars of that chart: ten minutes, the time in which a technician asks "and just now?".
pub const BUCKETS: usize = 60;

/// Operators' connections at once; a page and a scraper use three.
pub const ADMIN_CONNECTIONS: usize = 16;

/// Bytes of an operator's request head; browsers send about 1 KiB.
pub const ADMIN_HEAD: usize = 8 * 1024;

/// An operator's request must be here, and its answer taken, in this time.
pub const ADMIN_TIME: Duration = Duration::from_secs(5);

/// Bytes of a status that `neap status` reads; 60 buckets and 16 faults are 10 KiB.
pub const STATUS: u64 = 1024 * 1024;
