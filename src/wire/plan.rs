//! What a playlist says is to come: segments, renditions and how long each list holds.

use core::fmt;
use core::time::Duration;

use crate::base::range::ByteRange;
use crate::base::url::Locator;

/// What reading a playlist gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// What is to come, when the playlist made sense.
    pub plan: Option<Plan>,
    /// The text for the player; `None` when the origin's own bytes are right as they are.
    pub text: Option<Text>,
    /// Why the playlist, or one reference in it, was left as it is.
    pub warning: Option<Fault>,
}

impl Read {
    /// A playlist that passes untouched because of `fault`.
    pub const fn untouched(fault: Fault) -> Self {
        Self { plan: None, text: None, warning: Some(fault) }
    }
}

/// A playlist as it was changed: what of the origin's was no UTF-8 still is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub Vec<u8>);

impl Text {
    /// Its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Why a playlist passes without being understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// More bytes than `limits::stream::PLAYLIST`.
    Size,
    /// Packed by the origin, and not to be unpacked, or too large then.
    Packed,
    /// Not UTF-8 (RFC 8216, 4).
    Encoding,
    /// Neither `#EXTM3U` nor an `MPD` element begins it.
    Start,
    /// A tag or attribute that the rest depends on cannot be read.
    Value,
    /// A tag cannot be read that what is to come depends on; URLs are put right all the same.
    Plan,
    /// The XML is not well-formed.
    Xml,
    /// A document type declaration, which could define entities without end.
    DocumentType,
    /// Nested deeper than `limits::stream::DEPTH`.
    Depth,
    /// More elements or references than the limits allow.
    Count,
    /// A BaseURL behind the elements that it is the base of.
    Order,
    /// One reference means different things to those that inherit it.
    Ambiguous,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "the playlist is too large to be read",
            Self::Packed => "the playlist cannot be unpacked",
            Self::Encoding => "the playlist is not utf-8",
            Self::Start => "it is neither a playlist nor a manifest",
            Self::Value => "a value that the playlist depends on cannot be read",
            Self::Plan => "a value that its plan depends on cannot be read",
            Self::Xml => "the manifest is not well-formed",
            Self::DocumentType => "the manifest declares a document type",
            Self::Depth => "the manifest is nested too deeply",
            Self::Count => "the playlist holds too many elements or references",
            Self::Order => "a base url stands behind what it is the base of",
            Self::Ambiguous => "one reference means several places and stays as it is",
        })
    }
}

/// What a playlist or manifest announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// An HLS multivariant playlist.
    Variants(Variants),
    /// An HLS media playlist.
    Media(MediaPlan),
    /// A DASH manifest.
    Manifest(Manifest),
}

/// The media playlists that a multivariant playlist names (RFC 8216, 4.3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variants {
    /// Media playlists at configured origins, in order.
    pub variants: Vec<Variant>,
    /// Session keys at configured origins; they are never fetched ahead.
    pub keys: Vec<Locator>,
}

/// One media playlist of a multivariant playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The media playlist.
    pub locator: Locator,
    /// Bits a second, the average where it is stated, else the peak.
    pub bitrate: Option<u64>,
}

/// What a segment is to the player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A media segment.
    Media,
    /// An initialization segment or index.
    Init,
    /// A part of a segment that is still being written (low latency).
    Part,
    /// A decryption key: never fetched ahead, never shared.
    Key,
}

/// One thing that a media playlist lists, at a configured origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it is.
    pub locator: Locator,
    /// Its bytes in the resource; `None` means all of it.
    pub range: Option<ByteRange>,
    /// How long it plays; zero for init segments and keys.
    pub duration: Duration,
    /// The media sequence number; init segments, keys and parts have that of the next segment.
    pub sequence: u64,
    /// What it is.
    pub kind: Kind,
    /// Whether encoding, timestamps or files change before it.
    pub discontinuity: bool,
}

/// What an HLS media playlist says (RFC 8216, 4.3.3; draft-pantos-hls-rfc8216bis, 4.4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaPlan {
    /// The longest segment's duration.
    pub target: Duration,
    /// The longest part's duration, when there are parts.
    pub part_target: Option<Duration>,
    /// Whether the playlist will change.
    pub live: bool,
    /// The sequence number of the first segment in the window, listed or skipped.
    pub first: u64,
    /// Segments at the head of the window that a delta update leaves out (EXT-X-SKIP).
    pub skipped: u64,
    /// What is listed and at a configured origin, in play order.
    pub segments: Vec<Segment>,
    /// Whether the server holds a reload back until the playlist has changed.
    pub can_block_reload: bool,
    /// How far from the end a player stays when it plays parts.
    pub part_hold_back: Option<Duration>,
    /// How far from the end a player stays.
    pub hold_back: Option<Duration>,
    /// Bits a second, from the latest EXT-X-BITRATE.
    pub bitrate: Option<u64>,
}

/// What a DASH manifest says (ISO/IEC 23009-1, 5.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Whether it is `dynamic`.
    pub live: bool,
    /// `availabilityStartTime` in milliseconds since 1970.
    pub starts_ms: Option<i64>,
    /// How often the manifest may change.
    pub update: Option<Duration>,
    /// How long segments stay available (`timeShiftBufferDepth`).
    pub window: Option<Duration>,
    /// The longest segment's duration, stated or found.
    pub longest: Duration,
    /// Segment timelines; templates name theirs by its place here.
    pub timelines: Vec<Vec<Run>>,
    /// Every representation of every period at a configured origin.
    pub renditions: Vec<Rendition>,
}

/// One representation in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// Period, adaptation set and representation, the same in each update of the manifest.
    pub name: String,
    /// The adaptation set: a player takes one rendition of a set at a time.
    pub set: u32,
    /// Bits a second.
    pub bitrate: Option<u64>,
    /// Where its period starts in the presentation.
    pub start: Duration,
    /// How long its period lasts, when that is known.
    pub length: Option<Duration>,
    /// Its initialization segment.
    pub init: Option<Segment>,
    /// Its media segments.
    pub media: Addressing,
}

/// How the segments of a representation are named (ISO/IEC 23009-1, 5.3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// By a template of number or time.
    Template(Template),
    /// One by one (SegmentList); the sequence numbers count from `startNumber`.
    List(Vec<Segment>),
    /// One file, whose own index names the byte ranges (SegmentBase).
    File(Locator),
}

/// A SegmentTemplate for one representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Where the segments are: the target still holds `$Number$` or `$Time$`.
    pub locator: Locator,
    /// Units a second, at least 1.
    pub timescale: u64,
    /// Units of each segment; zero where a timeline says it.
    pub duration: u64,
    /// Number of the first segment.
    pub first: u64,
    /// Number of the last segment, when it is stated.
    pub last: Option<u64>,
    /// Media time at the period's start, in units.
    pub offset: u64,
    /// Which of the manifest's timelines lists the segments.
    pub timeline: Option<usize>,
}

/// An `S` element: equal segments in a row (ISO/IEC 23009-1, 5.3.9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Media time of the first, in units.
    pub time: u64,
    /// Units of each.
    pub duration: u64,
    /// How many; `None` until the next run or the period's end (`r="-1"`).
    pub count: Option<u64>,
}
