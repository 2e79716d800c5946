//! Every bound of the program with its reason; nothing in neap grows without one.

use core::time::Duration;

use super::units::Rate;

/// Bytes of a block: the unit of exchange and of verification (docs: the block grid).
pub const BLOCK: u64 = 64 * 1024;

/// Bytes of a slice, the unit of eviction and of the disk tier: sixteen blocks, so that a
/// large file is kept where it is watched and a usual segment is two to eight slices.
pub const SLICE: u64 = 16 * BLOCK;

/// Blocks of a segment as peers exchange it: they fit in the bits of one number, and a record of
/// them in 2 KiB; a usual media segment is one, a 4K one two or three.
pub const SEGMENT_BLOCKS: u64 = 64;

/// Bytes of such a segment: 4 MiB.
pub const SEGMENT: u64 = SEGMENT_BLOCKS * BLOCK;

/// Bytes of a frame's body on a link: one block, its head, and room for what a newer version
/// adds. A longer one is a breach, whatever its kind.
pub const FRAME: usize = 68 * 1024;

/// Bytes of the body of a message that is no block. The longest is a record of 64 blocks with
/// the longest texts, 2655 bytes; the rest is for what a newer version adds.
pub const MESSAGE: usize = 4 * 1024;

/// Bytes of a media type in a record; RFC 6838, 4.2 allows 127 each side of the slash, real ones
/// with parameters are below 80.
pub const CONTENT_TYPE: usize = 128;

/// Bytes of an entity tag in a record; CDNs write up to 70.
pub const ETAG: usize = 256;

/// Bytes of a `Last-Modified` in a record; an IMF-fixdate has 29 (RFC 9110, 5.6.7).
pub const LAST_MODIFIED: usize = 64;

/// Segments of which a record, or that it is contested, is in memory: a witness's hundred live
/// streams with forty segments each.
pub const RECORDS: usize = 4 * 1024;

/// Bytes of the records in memory: those of 2000 usual segments, which is 4 GB of video.
pub const RECORD_MEMORY: usize = 2 * 1024 * 1024;

/// How long a record is held where no date is known by which to judge when it expires.
pub const UNDATED: Duration = Duration::from_secs(24 * 3600);

/// Segments of which it is noted on whose word peers' blocks were taken, 100 bytes each: 64 GiB
/// of segments as long as they may be.
pub const RESTING: usize = 16 * 1024;

/// Segments of one signer that the origin's own bytes must contradict before all of its records
/// are dropped. One or two may be content that changed behind its URL.
pub const CONTRADICTIONS: u16 = 3;

/// Segments whose outcome counts for a signer's standing; what is older weighs half, so that a
/// good past covers no more than this many lies.
pub const STANDING: u16 = 32;

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

/// How far a fetch may run ahead of the furthest reader that wants it kept, once that has
/// read as much.
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

/// How long an address that DNS gave is used without asking again; TTLs do not come through
/// getaddrinfo, and CDNs move within minutes.
pub const NAME_FRESH: Duration = Duration::from_secs(60);

/// Host names whose addresses are remembered.
pub const NAMES: usize = 64;

/// An idle connection to an origin older than this is not used again: servers close theirs
/// after 60 s (Apache 5, nginx 75).
pub const POOL_IDLE: Duration = Duration::from_secs(55);

/// A body that nobody wants is read to its end up to this size, so that its connection stays.
pub const DRAIN: u64 = 64 * 1024;
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
/// Segments that one playlist's plan holds: eleven hours of two-second segments, about 3 MiB.
/// Of a longer one the start is planned when it has ended, the live edge when it goes on.
pub const SEGMENTS: usize = 20_000;

/// Renditions in one manifest's plan: two hundred periods of ten renditions.
pub const RENDITIONS: usize = 2_000;

/// Elements of one manifest; [`PLAYLIST`] bytes of the shortest `<S/>` would be a million.
pub const ELEMENTS: usize = 200_000;

/// How deep the elements of a manifest nest; DASH itself needs eight, foreign events a few more.
pub const DEPTH: usize = 32;

/// References that are resolved for one manifest, where many renditions inherit one long list.
pub const REFERENCES: usize = 200_000;

/// Alternative base URLs that are followed at each level of a manifest.
pub const BASES: usize = 4;

/// Playlists that the timeline follows at once: five players with six playlists each.
pub const STREAMS: usize = 32;

/// Segments that all followed playlists list together, about 200 bytes each.
pub const LISTED: usize = 40_000;

/// Segments that left a live window and wait for the moment when no player may ask for them.
pub const LEAVING: usize = 4_000;

/// Segments fetched ahead of a player for each live rendition in use.
pub const AHEAD_LIVE: usize = 3;

/// Segments fetched ahead of a player for each rendition in use on demand.
pub const AHEAD_STORED: usize = 2;

/// A rendition that no player asked for this long is no longer fetched ahead.
pub const UNASKED: Duration = Duration::from_secs(30);

/// A playlist and its segments are forgotten when no player asked for this long.
pub const FORGET: Duration = Duration::from_secs(300);
/// Bytes of one configuration file; a long one with hundreds of origins is 100 KiB.
pub const CONFIG: u64 = 1024 * 1024;

/// Drop-in files in one folder; a package or two and the owner write a handful.
pub const DROP_INS: usize = 256;

/// Configured origins; each request and playlist line is compared with all of them.
pub const ORIGINS: usize = 256;

/// Errors of the configuration that are listed in one run; more than this is not read.
pub const PROBLEMS: usize = 100;

/// Characters of an origin's name: it is a part of every URL that players see.
pub const NAME: usize = 64;
/// Bytes of a network's secret at least: 128 bits cannot be guessed.
pub const SECRET_LEAST: usize = 16;

/// Bytes of a network's secret at most; more adds nothing, and points to the wrong file.
pub const SECRET_MOST: u64 = 4096;

/// Links to peers at once that may be configured; each costs two sockets' buffers and a TLS
/// state of about 40 KiB.
pub const LINKS: usize = 256;

/// Keys or addresses in one list of `[network]`: an operator names a handful.
pub const NAMED_NODES: usize = 64;
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
/// Slices that wait to be written to the disk; a slow disk refuses more, it does not queue RAM.
pub const PERSISTS: usize = 16;

/// Bytes of the caller's words in front of a slice on disk: two heads of [`HEAD`].
pub const SHEET_HEADER: usize = 64 * 1024;

/// Blocks that one load brings up from the disk: one [`BATCH`], so that a seek reads little.
pub const READ_AHEAD: u64 = 4;

/// A disk that failed is tried again on the first demand after this.
pub const DISK_RETRY: Duration = Duration::from_secs(60);

/// Bytes that a tier gives to slices which were asked for once or never, where it has them:
/// what live streams hold between fetch and last player. With 6 of 64 MiB a live stream that
/// is fetched ahead lost every segment before it was played (docs/cache.md).
pub const PROBATION: u64 = 32 * 1024 * 1024;

/// Bytes that the kernel holds for a player that has not taken them yet (it books twice as
/// much). Left alone it grows to 4 MiB a player; bounded, what is copied is still in the
/// processor's cache when it goes out: 2 MB bodies cost 0.18 CPU seconds a GB in place of 0.30.
pub const SEND_BUFFER: usize = 256 * 1024;

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
/// Segments that a node wants at once: thirty renditions of a minute of short parts.
pub const WANTS: usize = 2_048;

/// Fewest blocks of a segment that are elected apart: 256 KiB are worth an origin's request.
pub const GROUP_BLOCKS: u32 = 4;

/// Most groups of a segment that are elected apart.
pub const GROUPS: u32 = 16;

/// A peer that sought something of a topic this long ago still shares its work.
pub const TOPIC_FRESH: Duration = Duration::from_secs(30);

/// Topics of one peer that are remembered: renditions of a few players behind one gateway.
pub const TOPICS: usize = 16;

/// What a peer has of segments that are not wanted yet: the start of a playlist's window.
pub const EARLY: usize = 64;

/// How far hearsay of a fetch is believed and passed on; a network of 24 links a node and
/// ten thousand nodes is three hops wide.
pub const HOPS: u8 = 4;

/// The shortest and longest wait of one rank for the one before it.
pub const RANK_WAIT: (Duration, Duration) =
    (Duration::from_millis(150), Duration::from_millis(250));

/// How long announcements of peers in the home take, with room for a busy television.
pub const HOME_NEWS: Duration = Duration::from_millis(20);

/// How long announcements of peers elsewhere take: two round trips of a bad line.
pub const WAN_NEWS: Duration = Duration::from_millis(250);

/// What others give a witness before they go to the origin: it has to go in any case.
pub const WITNESS_LEAD: Duration = Duration::from_millis(300);

/// What is kept in hand when the origin must still be able to make a deadline: a new
/// connection and a slow first byte.
pub const SWITCH_MARGIN: Duration = Duration::from_millis(750);

/// A deadline nearer than this to the origin's last chance has late blocks asked for twice.
pub const NEAR: Duration = Duration::from_secs(1);

/// Fewest blocks that are asked of one peer at once: one on its way while one is read.
pub const PIPE_LEAST: u64 = 2;

/// Most blocks that are asked of one peer at once: 1 MiB.
pub const PIPE_MOST: u64 = 16;

/// How much of a peer's time its pipeline aims at.
pub const PIPE_TIME: Duration = Duration::from_millis(300);

/// A block that a peer denied is not asked of it again for this long.
pub const DENIED: Duration = Duration::from_secs(1);

/// A peer that gave nothing of what was asked for this long, at least, is left to rest.
pub const STALLED: Duration = Duration::from_secs(1);

/// The longest such rest, and the longest wait after an origin that failed.
pub const REST: Duration = Duration::from_secs(16);

/// Bytes a second that are reckoned with before an origin has shown its own rate.
pub const ORIGIN_GUESS: u64 = 1024 * 1024;
