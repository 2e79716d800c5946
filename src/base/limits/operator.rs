//! The log, the status and the operator's calls.

use core::time::Duration;

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

/// An origin is called slow for so long after the last segment that came slower than it plays.
pub const LATE: Duration = Duration::from_secs(60);

/// Lines of one minute on peers that come, go or are banned: each link of a node once. Members
/// may come and go as they like; the rest is for `debug`.
pub const PEER_LINES: u32 = 24;

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

/// Bytes of a control call; the longest that there is has 40.
pub const CALL: usize = 4 * 1024;

/// How far ahead of this device's clock the date of an operator's switch may lie: a clock that was
/// set to local time in place of UTC is off by half a day.
pub const SWITCH_AHEAD: Duration = Duration::from_secs(24 * 3600);
