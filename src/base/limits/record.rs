//! Records and whose word counts.

use core::time::Duration;

use super::block;

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

/// Seconds for which a record is valid: a day, so that what is replayed is not old.
pub const RECORD_TIME: u64 = 24 * 3600;

/// Bytes of a record file that is read: the records of a film of 2 GB.
pub const RECORDS_READ: usize = 1024 * 1024;

/// Records of one file whose signatures are checked in one turn: 1 ms each on a small ARM core.
pub const RECORDS_AT_ONCE: usize = 16;

/// How often records are looked through for those that are over.
pub const EXPIRE: Duration = Duration::from_secs(60);

/// For a topic that had no record file for so many segments in a row, or for an origin that stated
/// no digest as often, none is asked for for a while.
pub const UNSIGNED: u8 = 3;

/// That while.
pub const UNSIGNED_REST: Duration = Duration::from_secs(300);

/// Topics of which it is noted that they had no record file: renditions that a household's players
/// come by in that while.
pub const UNSIGNED_TOPICS: usize = 64;

/// Bad blocks for which a key is banned; it is not asked for any after the first.
pub const BAD_BLOCKS: u32 = 3;

/// Nodes that a quorum may ask for at most: a third of the usual links.
pub const QUORUM: usize = 8;

/// Bytes of a resource that is taken from peers by the origin's word on the whole: none of it may
/// be played before all of it is here. Four segments are 4K video of six seconds.
pub const SUMMED: u64 = 4 * block::SEGMENT;

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
