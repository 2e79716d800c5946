//! Every bound of the program with its reason; nothing in neap grows without one.

use core::time::Duration;

use super::units::Rate;

/// Bytes of a block: the unit of exchange and of verification (docs: the block grid).
pub const BLOCK: u64 = 64 * 1024;

/// Bytes of a slice, the unit of eviction and of the disk tier: sixteen blocks, so that a
/// large file is kept where it is watched and a usual segment is two to eight slices.
pub const SLICE: u64 = 16 * BLOCK;

/// Bytes of the usual allocation for a row's blocks, which is four of them on their grid. What
/// has 128 KiB or more is mapped by itself: it takes a sixtieth more than it holds on musl, where a
/// block alone takes a tenth, and goes back to the system when it is dropped, which a block alone
/// does not on glibc (docs/store.md).
pub const RUN: u64 = 4 * BLOCK;

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

/// Records in one record file, 2655 bytes each at most: a file of 24 GiB, longer than any film.
pub const RECORD_FILE: u32 = 6 * 1024;

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

/// Bytes of a `Repr-Digest` or `Content-Digest`; one with all seven algorithms has 400.
pub const DIGEST_FIELD: usize = 2 * 1024;

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

/// A link to a peer stands this long after its connection, or never: TLS and the proofs are two
/// round trips and six signatures, 60 ms on a slow box.
pub const LINK_TIME: Duration = Duration::from_secs(5);

/// Links that are being made at once by others; each may hold [`LINK_BUFFER`] and costs the time
/// of three signatures. More are refused before a byte is read.
pub const HANDSHAKES: usize = 16;

/// Of these, from one address: a home behind one router, never a single one that takes all.
pub const HANDSHAKES_EACH: usize = 4;

/// Bytes that a side may send before its proof: certificates of a vendor take 4 KiB.
pub const HANDSHAKE: usize = 32 * 1024;

/// Bytes of the first words of a node; version 1 says 208, later ones may say more.
pub const HELLO: usize = 1024;

/// Bytes read from a link at once. A link holds such a buffer only while it has part of a TLS
/// record (RFC 8446, 5.2: 16,645 bytes at most).
pub const LINK_BUFFER: usize = 128 * 1024;

/// Such buffers that are kept for the next link that has something to say.
pub const LINK_BUFFERS: usize = 4;

/// Bytes of messages that wait for a peer to take them: three thousand of the usual ones. A peer
/// that lets more wait is let go.
pub const LINK_WORDS: usize = 256 * 1024;

/// Blocks that wait to be given over one link: four segments.
pub const LINK_GIVES: usize = 256;

/// A message that began must be whole after this: 64 KiB at 1 KiB/s.
pub const LINK_FRAME: Duration = Duration::from_secs(60);

/// A peer that takes no byte for this long is gone; the kernel gives up at the same time.
pub const LINK_STALL: Duration = Duration::from_secs(20);

/// While something is sought from a peer and it is silent this long, it is asked for a sign.
pub const LINK_PING: Duration = Duration::from_secs(15);

/// While something is sought from a peer and it is silent this long, it is gone.
pub const LINK_SILENT: Duration = Duration::from_secs(40);

/// A link over which nothing was said this long is closed; it is made anew when it is needed.
pub const LINK_IDLE: Duration = Duration::from_secs(30 * 60);

/// The last word to a peer is sent within this, or not at all.
pub const LINK_GOODBYE: Duration = Duration::from_secs(1);

/// TLS records under one key: AES-GCM keeps its promise up to 2^24.5 (RFC 8446, 5.5).
pub const LINK_RECORDS: u64 = 1 << 24;

/// TLS records without content in a row; honest nodes send none.
pub const LINK_EMPTY: u8 = 16;

/// How often each way to be no member is written to the log at all; the rest is counted.
pub const STRANGER_LINE: Duration = Duration::from_secs(60);

/// Bytes of a file that holds a key, a secret or an admission.
pub const KEY_FILE: u64 = 64 * 1024;

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

/// Nodes of the local network that are remembered: more than [`LINKS`] are never spoken to, and a
/// home has tens.
pub const LAN_NODES: usize = 64;

/// Addresses of one node that are remembered: two interfaces with four addresses each.
pub const LAN_ADDRESSES: usize = 8;

/// Bytes of an announced name: a DNS name is at most 255 (RFC 1035, 2.3.4).
pub const LAN_NAME: usize = 255;

/// Records of announcements that the mDNS library may hold, about 300 bytes each: five or so a
/// node, and room for those of neighbouring services.
pub const LAN_RECORDS: i64 = 2_000;

/// A search in the local network that failed begins again after this.
pub const LAN_RETRY: Duration = Duration::from_secs(60);

/// How long the end of the program waits for its goodbye to leave.
pub const LAN_GOODBYE: Duration = Duration::from_millis(500);
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
/// Steps that the swarm's engines take in one turn of the loop; the rest follows in the next.
pub const SWARM_STEPS: usize = 256;

/// Segments that one peer may seek at once; a player with a minute of buffer seeks fifteen.
pub const SEEKS: usize = 256;

/// With more seekers of a segment than this, they hear of [`HAVE_STEP`] new blocks at once.
pub const CLOSE_SEEKERS: usize = 8;

/// Blocks that many seekers hear of at once: an announcement costs 60 bytes a seeker.
pub const HAVE_STEP: u32 = 4;

/// Bytes of a range that peers are asked for at once; more is a film, which is read by parts.
pub const SWARM_RANGE: u64 = 16 * SEGMENT;

/// How long a download that nobody waits for goes on behind its deadline.
pub const DOWNLOAD_TIME: Duration = Duration::from_secs(30);

/// How long behind its deadline a byte may be missing that a player waits for and that this node
/// does not fetch: then the origin is asked plainly.
pub const HOLE_TIME: Duration = Duration::from_secs(2);

/// How often a download's origin may fail before its players are told.
pub const DOWNLOAD_FAILURES: u8 = 3;

/// How soon a byte is due that a player reads now.
pub const PLAYING_DUE: Duration = Duration::from_millis(500);

/// How long a player that waits for a segment may wait for peers at most, however much it holds:
/// hls.js gives up on the first byte after 10 s, ExoPlayer on any after 8 s.
pub const WAITING_DUE: Duration = Duration::from_secs(4);

/// Seconds for which a record is valid: a day, so that what is replayed is not old.
pub const RECORD_TIME: u64 = 24 * 3600;

/// Bytes of a record file that is read: the records of a film of 2 GB.
pub const RECORDS_READ: usize = 1024 * 1024;

/// Records of one file whose signatures are checked in one turn: 1 ms each on a small ARM core.
pub const RECORDS_AT_ONCE: usize = 16;

/// How often records are looked through for those that are over.
pub const EXPIRE: Duration = Duration::from_secs(60);

/// An origin that had no record file for so many segments in a row is not asked for a while.
pub const UNSIGNED: u8 = 3;

/// That while.
pub const UNSIGNED_REST: Duration = Duration::from_secs(300);

/// Bytes of a path that a witness is told.
pub const WATCH_PATH: usize = 1024;

/// Streams that a witness follows at once.
pub const SHADOWS: usize = 256;

/// A stream that nobody says to watch for this long is followed no more.
pub const WATCHED: Duration = Duration::from_secs(60);

/// Bytes of a body at least that is paced or that says how fast its origin is: smaller ones are
/// more waiting than sending, and players' estimates leave them out.
pub const PACED_LEAST: u64 = 128 * 1024;

/// Bytes a second from which on nothing is paced: 200 Mbit/s are more than twice what any
/// rendition needs, so a better estimate changes no choice.
pub const PACED_MOST: u64 = 25_000_000;

/// What a player must hold before an object of unknown length is paced.
pub const PACED_BUFFER: Duration = Duration::from_secs(12);
/// Blocks that one peer may wait for: four pipelines of the greediest.
pub const WAITING: u32 = 64;

/// Blocks that are on their way to one peer: one in the carrier, one behind it.
pub const FLIGHT_PEER: u32 = 2;

/// Blocks that are on their way to all peers, read into memory: 512 KiB. While the local player
/// is busy it is half.
pub const FLIGHT: u32 = 8;

/// How much of a slow line's time is on its way to peers.
pub const FLIGHT_TIME: Duration = Duration::from_millis(200);

/// How long one peer has the optimistic slot.
pub const OPTIMISTIC: Duration = Duration::from_secs(10);

/// In this time what was given and taken counts half.
pub const FAIR_HALF: Duration = Duration::from_secs(60);

/// Bytes that anyone is given before it counts whether it gives: two segments of a newcomer.
pub const ADVANCE: u64 = 8 * 1024 * 1024;

/// A peer that gives little, and waits this long while others are served, is told so.
pub const CHOKE_AFTER: Duration = Duration::from_secs(2);

/// Blocks of which is known how often they were given, so that all are given once first.
pub const COPIES: usize = 4_096;
/// Addresses of peers that are remembered; a home announces tens, a configuration a few.
pub const ADDRESSES: usize = 256;

/// Dials at once: each is a TLS handshake, and a box has one slow core.
pub const DIALS: usize = 4;

/// Shortest and longest wait before an address is dialled again.
pub const REDIAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

/// An address of the local network that failed so often in a row is forgotten until it is
/// announced again.
pub const LAN_FAILURES: u32 = 8;

/// A link that stood this long proves its address: waiting starts anew when it ends.
pub const PROVEN_LINK: Duration = Duration::from_secs(60);

/// Keys that are banned, or suspected, at once.
pub const BANS: usize = 256;

/// How long a ban, or a suspicion, lasts.
pub const BAN: Duration = Duration::from_secs(24 * 3600);

/// Bad blocks for which a key is banned; it is not asked for any after the first.
pub const BAD_BLOCKS: u32 = 3;

// Whose word counts, and what strangers and members may cost.

/// Nodes that a quorum may ask for at most: a third of the usual links.
pub const QUORUM: usize = 8;

/// Bytes of a resource that is taken from peers by the origin's word on the whole: none of it may
/// be played before all of it is here. Four segments are 4K video of six seconds.
pub const SUMMED: u64 = 4 * SEGMENT;

/// How long before it is due such a resource must be asked for: a request to the origin, the
/// bytes from peers, their sum, and then still all of it from the origin.
pub const SUM_TIME: Duration = Duration::from_secs(3);

/// Resources of which an origin's word, a peer's offer or a blame is remembered.
pub const SUMS: usize = 512;

/// Records that contradict each other, of one segment, of which votes are counted.
pub const CANDIDATES: usize = 4;

/// Segments on which votes are counted at once.
pub const BALLOTS: usize = 1024;

/// Nodes whose votes are remembered, for what rests on them.
pub const VOTERS: usize = 4096;

/// Of so many blocks that rest on a quorum one is taken from the origin, to see.
pub const AUDIT: u64 = 16;

/// How long somebody who connects may take to prove itself while others wait behind the same
/// address; a television on a bad line needs a fifth of it.
pub const GREETING_GRACE: Duration = Duration::from_secs(1);

/// Greetings that one network (an IPv4 /24, an IPv6 /48) may begin at once, and how many more each
/// second: a house that has its power back is twenty nodes, a provider's NAT a few hundred.
pub const GREETINGS: (u32, u32) = (64, 8);

/// Networks whose greetings are counted; the one that came longest ago is forgotten first.
pub const GREETING_NETWORKS: usize = 512;

/// Words of one peer that are taken in at once, and how many more each second: a node that joins
/// while a stream plays says a few hundred, then some ten a second. Who says more waits.
pub const WORDS: (u32, u32) = (4_096, 512);

/// What a record costs of them: its signature is worth fifty other words.
pub const RECORD_WORDS: u32 = 8;

/// Bytes that nobody here understands which cost one word.
pub const WORD_BYTES: usize = 1024;

/// Blocks that a peer may give beyond what it was asked for, before that is a breach.
pub const UNWANTED: u64 = 16;

// Caps and what outlives a start.

/// Bytes of a page of the notebook: a month of days for two volumes is 2 KiB, a ledger of a
/// hundred origins 10 KiB.
pub const PAGE: u64 = 64 * 1024;

/// A page is written no more often than this, but at the end: twelve writes of 4 KiB an hour are
/// below half a GiB a year of what an eMMC bears.
pub const NOTE: Duration = Duration::from_secs(300);

/// Bytes of a control call; the longest that there is has 40.
pub const CALL: usize = 4 * 1024;

// What the device tells of itself.

/// Bytes of a file of a sensor that are read: a page, but for routing tables and mounts, which
/// have a line each.
pub const SENSOR_FILE: u64 = 32 * 1024;

/// Sensors of one kind, or files of one, that are looked at: a server has forty.
pub const SENSORS: usize = 128;

/// Interfaces that are told of: a router has ten.
pub const INTERFACES: usize = 16;

/// Bytes of a time zone's file; the longest of the database (2026a, "fat") has 3.7 KiB.
pub const ZONE: u64 = 64 * 1024;

/// NetworkManager is asked no more often whether the network is metered.
pub const METERED_ASKED: Duration = Duration::from_secs(60);
/// Bytes that one peer may have sent over QUIC and this node not have taken: 100 Mbit/s over a
/// way of 80 ms.
pub const QUIC_RECEIVE: u32 = 1 << 20;

/// Bytes handed to a QUIC connection that the peer has not acknowledged: 10 Mbit/s over a way of
/// 200 ms. What waits there comes before whatever is more urgent.
pub const QUIC_SEND: u32 = 256 * 1024;

/// A QUIC connection over which nothing came this long is over; links end before.
pub const QUIC_IDLE: Duration = Duration::from_secs(31 * 60);

/// What a way is thought to take before it is known: an answer is missed after thrice that.
pub const QUIC_FIRST_RTT: Duration = Duration::from_millis(100);

/// Bytes that the kernel keeps for one UDP socket in each direction.
pub const UDP_BUFFER: usize = 256 * 1024;

/// Datagrams handed to the kernel as one: together they must stay below the 65,507 bytes that a
/// UDP datagram may have.
pub const UDP_SEGMENTS: usize = 10;

/// Handshakes under way from which on others must show that their address is theirs.
pub const RETRY_ABOVE: usize = 4;

/// Handshakes that the addresses of one prefix may begin at once.
pub const PREFIX_HANDSHAKES: u32 = 32;

/// One more after each of these.
pub const PREFIX_PAUSE: Duration = Duration::from_millis(500);

/// Prefixes whose handshakes are counted; of more the oldest is forgotten.
pub const PREFIXES: usize = 1024;

/// How long QUIC is alone before TCP is dialled as well (RFC 8305, 5 has 250 ms between two).
pub const QUIC_LEAD: Duration = Duration::from_millis(300);

/// Peers of different prefixes that must see this node at one address before it is believed.
pub const OBSERVERS: usize = 2;

/// How long a dial is alone before peers are asked to arrange a meeting: one round trip and a
/// lost packet.
pub const PUNCH_LEAD: Duration = Duration::from_millis(400);

/// Peers that are asked to arrange one meeting.
pub const RELAYS: usize = 3;

/// Meetings a minute that one peer may arrange with this node or through it: each makes a node
/// send a few packets to an address that it did not choose.
pub const MEETINGS: usize = 8;

/// An address that was met in vain is left alone this long; routers rarely change.
pub const HOPELESS: Duration = Duration::from_secs(3600);

/// How long a router is asked to keep a port; asked anew at half of it.
pub const NAT_LIFE: Duration = Duration::from_secs(7200);

/// Shortest and longest wait before a router that maps nothing is asked again.
pub const NAT_RETRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));

/// How long a router has for its first answer; doubled for each further one (RFC 6886, 3.1).
pub const NAT_ANSWER: Duration = Duration::from_millis(250);

/// STUN requests that are answered a second: each costs as many bytes as it brings, about.
pub const STUN_RATE: u32 = 50;

/// The most that goes to peers anywhere by itself, where the uplink is fast or not known: two of
/// a usual line's ten to forty upward.
pub const WAN_UPLOAD: Rate = Rate(2_000_000);

/// Bytes of a tracker's answer over HTTP: two hundred addresses of both kinds and what it says
/// beside them. More than [`TRACKER_PEERS`] are of no use.
pub const TRACKER_BODY: usize = 8 * 1024;

/// Bytes of a tracker's datagram: what fits into one packet (BEP 15).
pub const TRACKER_DATAGRAM: usize = 1500;

/// Addresses of one answer that are looked at: twice the links of a node at its default.
pub const TRACKER_PEERS: usize = 48;

/// Trackers in the configuration: a first choice and spares.
pub const TRACKERS: usize = 8;

/// The shortest and longest time between two announcements of a stream, whatever a tracker says:
/// less is a flood of it, more and it has forgotten this node.
pub const ANNOUNCE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// How long a tracker that failed rests, at first and at most.
pub const TRACKER_REST: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1800));

/// How long a stream is played before it is announced: who looks through the channels tells no
/// tracker.
pub const MEET_AFTER: Duration = Duration::from_secs(5);

/// How long after its last request a stream is no longer played.
pub const MEET_OVER: Duration = Duration::from_secs(60);

/// Streams that are announced at once; a household plays a few.
pub const STREAMS_MET: usize = 16;

/// How long before and behind the change of a day both of its info-hashes are announced, so that
/// clocks may differ by this.
pub const MEET_OVERLAP: Duration = Duration::from_secs(30 * 60);

/// How often a question over UDP is asked before the next tracker's turn comes: 15 + 30 s.
pub const TRACKER_ASKED: u32 = 2;

/// An answer over HTTP must be whole within this, the connection included.
pub const TRACKER_TIME: Duration = Duration::from_secs(15);

/// What is told to trackers when the node goes is sent within this, or not at all.
pub const TRACKER_GOODBYE: Duration = Duration::from_millis(500);

/// Prefixes of the provider, and of one group: the largest networks announce a few thousand.
pub const NEAR_PREFIXES: usize = 4_096;

/// Bytes of a tracker's path in the configuration.
pub const TRACKER_TARGET: usize = 512;

/// The largest audience that may be asked for before a stream is shared widely.
pub const AUDIENCE: usize = 1_000_000;

/// How long an address that somebody named is not dialled again by such a word.
pub const STRANGER_DIAL: Duration = Duration::from_secs(600);

/// Such addresses of one network (/24, /48) in that time.
pub const STRANGERS_EACH: usize = 8;

/// Such dials in that time in all: five times the links of a node at its default.
pub const STRANGERS: usize = 128;

/// How long an address at which another node was reached is worth naming to others.
pub const PROVEN_FRESH: Duration = Duration::from_secs(30 * 60);

/// Resources of which it is known where they belong; beyond that, those that are neither here nor
/// on their way are forgotten.
pub const KIN: usize = 8_192;

/// Addresses that one message names: a home's worth of new links.
pub const GOSSIP: usize = 16;

/// How long a link stands before others are named over it: who only looks in learns nobody.
pub const GOSSIP_FIRST: Duration = Duration::from_secs(10);

/// How often others are named over one link, at most.
pub const GOSSIP_EVERY: Duration = Duration::from_secs(60);

/// How soon after the last such message another one is listened to.
pub const GOSSIP_LEAST: Duration = Duration::from_secs(45);

/// Addresses of which it is remembered that they were named over a link.
pub const GOSSIP_TOLD: usize = 256;

/// Accounts of the ledger: every origin with its three tiers.
pub const ACCOUNTS: usize = 3 * ORIGINS;

/// Keys of which it is remembered what they gave and were given, when their link has ended.
pub const REMEMBERED: usize = 1_024;
