//! What the timeline is told and what it answers.

use core::time::Duration;

use crate::base::range::ByteRange;
use crate::base::time::{Date, Instant};
use crate::base::url::Locator;
use crate::wire::plan::Kind;

/// When a playlist came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Now.
    pub now: Instant,
    /// The response's `Date`: the only calendar by which live templates are counted.
    pub date: Option<Date>,
}

/// A segment to fetch before a player asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where it is.
    pub locator: Locator,
    /// Its bytes in the resource; `None` means all of it.
    pub range: Option<ByteRange>,
    /// How long it plays; zero for init segments.
    pub duration: Duration,
    /// Segments between the player and it.
    pub between: u32,
    /// Whether its stream is live.
    pub live: bool,
}

/// A segment as its stream lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The media playlist or manifest.
    pub playlist: &'a Locator,
    /// Which rendition of it: the same word in every update.
    pub rendition: &'a str,
    /// What it is.
    pub kind: Kind,
    /// How long segments of its stream play, at most.
    pub target: Duration,
    /// Whether its stream is live.
    pub live: bool,
    /// Whether names of its stream came back for other segments lately.
    pub repeats: bool,
}

/// What a resource is to a stream, and how long it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// A playlist or manifest; `max_age` only while it is live.
    Playlist {
        /// Whether it will change.
        live: bool,
        /// Older than this it must not be served.
        max_age: Option<Duration>,
    },
    /// A segment, part or init segment.
    Segment {
        /// Whether its stream is live.
        live: bool,
        /// When no player may ask for it any more, if it has left the window.
        gone_at: Option<Instant>,
    },
    /// A key.
    Key,
}

/// A stream for the status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Playing<'a> {
    /// How it lists the segments of a rendition in use.
    pub listed: Listed<'a>,
    /// Bits a second, of the renditions in use where the playlist says it.
    pub bitrate: Option<u64>,
    /// When a player last asked for something of it.
    pub asked: Instant,
}
