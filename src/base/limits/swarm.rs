//! What is asked of peers and of the origin, and when.

use core::time::Duration;

use super::block;

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

/// Where more than this beyond the home share a topic, the first copies begin in their homes though
/// a witness has it: its uplink would carry one to each too slowly.
pub const CROWD: usize = 8;

/// One farther away is asked for a block where it gives it so many times sooner than one nearer.
pub const DETOUR: u32 = 4;

/// How far hearsay of a fetch is believed and passed on; a network of 24 links a node and
/// ten thousand nodes is three hops wide.
pub const HOPS: u8 = 4;

/// The shortest and longest wait of one rank for the one before it.
pub const RANK_WAIT: (Duration, Duration) =
    (Duration::from_millis(150), Duration::from_millis(250));

/// How long announcements of peers in the home take, with room for a busy television.
pub const HOME_NEWS: Duration = Duration::from_millis(20);

/// How long a player that has nothing yet waits until those at home have said what they have: a
/// television decodes and proves a record within this.
pub const HOME_ANSWER: Duration = Duration::from_millis(50);

/// How long announcements of peers elsewhere take: two round trips of a bad line.
pub const WAN_NEWS: Duration = Duration::from_millis(250);

/// How often who fetches says so again, though it has nothing new to tell: twice in the time after
/// which it would be taken for dead.
pub const BEAT: Duration = Duration::from_millis(300);

/// What others give a witness before they go to the origin: it has to go in any case.
pub const WITNESS_LEAD: Duration = Duration::from_millis(300);

/// What is kept in hand when the origin must still be able to make a deadline: a new
/// connection and a slow first byte.
pub const SWITCH_MARGIN: Duration = Duration::from_millis(750);

/// A deadline nearer than this to the origin's last chance has late blocks asked for twice.
pub const NEAR: Duration = Duration::from_secs(1);

/// Fewest blocks that are asked of one peer at once: one on its way while one is read.
pub const PIPE_LEAST: u64 = 2;

/// The same of a peer elsewhere: what waits at a busy line is better asked of whoever has room. In
/// a simulated swarm of a hundred, two took the 95th percentile of the wait from 89 to 112 %.
pub const PIPE_FAR: u64 = 1;

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

/// Segments of which news wait for a cap: what a few players seek at once.
pub const UNTOLD: usize = 256;

/// Segments that one peer may seek at once; a player with a minute of buffer seeks fifteen.
pub const SEEKS: usize = 256;

/// Bytes of a range that peers are asked for at once; more is a film, which is read by parts.
pub const SWARM_RANGE: u64 = 16 * block::SEGMENT;

/// How long a download that nobody waits for goes on behind its deadline.
pub const DOWNLOAD_TIME: Duration = Duration::from_secs(30);

/// How long behind its deadline a byte may be missing that a player waits for and that this node
/// does not fetch: then the origin is asked plainly.
pub const HOLE_TIME: Duration = Duration::from_secs(2);

/// How often a download's origin may fail before its players are told.
pub const DOWNLOAD_FAILURES: u8 = 3;

/// How soon a byte is due that a player reads now.
pub const PLAYING_DUE: Duration = Duration::from_millis(500);

/// How long a player that waits for a segment may wait for the last of it by peers at most, however
/// much it holds. hls.js gives up on the first byte after 10 s, ExoPlayer on any after 8 s, Shaka
/// after 5 s without any: what is read next is asked for before the rest.
pub const WAITING_DUE: Duration = Duration::from_secs(6);

/// Bytes of a path that a witness is told.
pub const WATCH_PATH: usize = 1024;

/// Streams that a witness follows at once.
pub const SHADOWS: usize = 256;

/// A stream that nobody says to watch for this long is followed no more.
pub const WATCHED: Duration = Duration::from_secs(60);

/// Resources of which it is known where they belong; beyond that, those that are neither here nor
/// on their way are forgotten.
pub const KIN: usize = 8_192;
