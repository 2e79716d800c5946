//! HTTP with players and origins.

use core::time::Duration;

use crate::base::units::Rate;

/// Bytes of a request or response head. nginx stops at 8 KiB a line and 32 KiB in all; signed
/// CDN cookies reach 4 KiB.
pub const HEAD: usize = 32 * 1024;

/// Header fields in one request; CDNs send up to about forty.
pub const FIELDS: usize = 100;

/// Header fields in one answer of an origin: as many as fill a head, at 32 bytes each. What they
/// are compared with is as many again.
pub const ANSWER_FIELDS: usize = 1000;

/// Bytes of a request target: the common ceiling of servers (RFC 9112, 3 asks for 8000).
pub const TARGET: usize = 8 * 1024;

/// How far a fetch that may not be kept runs ahead of its slowest reader.
pub const PASS: u64 = 512 * 1024;

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

/// A player that takes no byte for this long is gone: one that is paused takes none, and has
/// nobody to ask again for it. What is dead, the kernel tells sooner.
pub const WRITE_TIME: Duration = Duration::from_secs(30 * 60);

/// A player that sends a body may pause this long in it.
pub const BODY_TIME: Duration = Duration::from_secs(30);

/// Interim answers (1xx) before the answer itself; two are usual.
pub const INTERIM: u8 = 16;

/// What still runs is cut this long after SIGTERM.
pub const SHUTDOWN: Duration = Duration::from_secs(5);

/// How long an address that DNS gave is used without asking again; TTLs do not come through
/// getaddrinfo, and CDNs move within minutes.
pub const NAME_FRESH: Duration = Duration::from_secs(60);

/// How long a look-up is waited for where an older answer is known: a resolver that lives answers
/// within some tens of milliseconds, and getaddrinfo gives up on a dead one after 10 s or more.
pub const NAME_WAIT: Duration = Duration::from_secs(1);

/// Host names whose addresses are remembered.
pub const NAMES: usize = 64;

/// An idle connection to an origin older than this is not used again: servers close theirs
/// after 60 s (Apache 5, nginx 75).
pub const POOL_IDLE: Duration = Duration::from_secs(55);

/// A request on a connection that had idled must be confirmed by the other end's kernel this long
/// after it was sent: several times the slowest round trip, and several repetitions.
pub const DELIVERY: Duration = Duration::from_secs(2);

/// A server is far that takes so long to connect to: then a second connection waits for who leaves
/// a body in the middle. A CDN near the viewer takes a third of it.
pub const FAR: Duration = Duration::from_millis(100);

/// Bodies shorter than this are left so seldom that none is made for them.
pub const SPARE_BODY: u64 = 128 * 1024;

/// A body that nobody wants is read to its end up to this size, so that its connection stays.
pub const DRAIN: u64 = 64 * 1024;

/// Bytes of a `Repr-Digest` or `Content-Digest`; one with all seven algorithms has 400.
pub const DIGEST_FIELD: usize = 2 * 1024;

/// List members of a field that are compared without regard to order; browsers send six.
pub const MEMBERS: usize = 32;

/// Bytes that the kernel holds for a player that has not taken them yet (it books twice as
/// much). Left alone it grows to 4 MiB a player; bounded, what is copied is still in the
/// processor's cache when it goes out: 2 MB bodies cost 0.18 CPU seconds a GB in place of 0.30.
pub const SEND_BUFFER: usize = 256 * 1024;

/// Content of one write to a player at most: what the kernel has no room for stays with the store.
/// With writes no larger than the send buffer the kernel says twice as often that there is room.
pub const BATCH: u64 = 1024 * 1024;

/// Bytes of one value of CMCD; all keys of CTA-5004 with a long next object are 1 KiB.
pub const CMCD: usize = 4 * 1024;

/// Pairs of one value of CMCD: eighteen keys are defined, vendors add a few of their own.
pub const CMCD_PAIRS: usize = 64;

/// Bytes of a session's or content's name in CMCD (CTA-5004, table 1).
pub const CMCD_NAME: usize = 64;

/// The longest buffer, deadline or object that is believed: more is a mistake of units.
pub const CMCD_TIME: Duration = Duration::from_secs(24 * 3600);

/// The highest rate that is believed; 8K video is at 0.1 Gbit/s.
pub const CMCD_RATE: Rate = Rate(100_000_000_000);
