//! What the origin has: shows in renditions, cut in segments. Content is a pure function.

use std::collections::BTreeMap;
use std::time::Duration;

use neap::base::digest::Digest;
use neap::base::id::OriginId;
use neap::base::range::ByteRange;
use neap::base::rng::Rng;
use neap::base::segment::resource;
use neap::base::time::Instant;
use neap::base::url::Locator;
use neap::wire::plan::{Kind, MediaPlan, Plan, Segment, Variant, Variants};

/// The origin's name in every node's configuration.
pub const ORIGIN: &str = "cdn";

/// One stream at the origin.
#[derive(Clone, Debug)]
pub struct Show {
    pub live: bool,
    /// How long a segment plays.
    pub segment: Duration,
    /// Bits a second, from the lowest.
    pub renditions: Vec<u64>,
    /// Segments of a live window.
    pub window: u64,
    /// Segments of a show on demand.
    pub count: u64,
    /// When a live show began.
    pub began: Instant,
    pub init: bool,
    pub keys: bool,
    /// Whether a show on demand is one file with byte ranges.
    pub one_file: bool,
    pub access: Access,
    pub validator: Validator,
    /// When every segment is published anew under its name, if ever.
    pub anew: Option<Instant>,
}

/// Who may have a show's segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Open,
    Private,
    NoStore,
    Cookie,
    Selective,
    Authorized,
}

/// How two answers are told to be one representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    Strong,
    Weak,
    Date,
    None,
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    Master { show: usize },
    Playlist { show: usize, rendition: usize },
    Init { show: usize, rendition: usize },
    Key { show: usize },
    Media { show: usize, rendition: usize, number: u64 },
    File { show: usize, rendition: usize },
}

/// Bytes that have an identity: every byte of them is known by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentId(pub u64);

/// What the origin has of a thing at one moment.
#[derive(Clone, Debug)]
pub struct Resource {
    pub thing: Thing,
    pub content: ContentId,
    pub length: u64,
}

/// A media playlist as a player got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    pub show: usize,
    pub rendition: usize,
    pub first: u64,
    pub count: u64,
    pub ended: bool,
}

/// Everything at the origin, and what was ever true of it.
#[derive(Debug)]
pub struct Library {
    pub shows: Vec<Show>,
    /// Playlists that were served, by their content.
    listings: BTreeMap<ContentId, Listing>,
    /// Whose bytes they are.
    truths: BTreeMap<ContentId, Thing>,
    /// What a digest of peers names.
    pub names: BTreeMap<Digest, Thing>,
    salt: u64,
}

impl Library {
    pub fn new(shows: Vec<Show>, seed: u64) -> Self {
        let mut library = Self {
            shows,
            listings: BTreeMap::new(),
            truths: BTreeMap::new(),
            names: BTreeMap::new(),
            salt: seed,
        };
        for show in 0..library.shows.len() {
            library.name(Thing::Master { show });
            library.name(Thing::Key { show });
            for rendition in 0..library.shows[show].renditions.len() {
                library.name(Thing::Playlist { show, rendition });
                library.name(Thing::Init { show, rendition });
                library.name(Thing::File { show, rendition });
            }
        }
        library
    }

    fn name(&mut self, thing: Thing) {
        self.names.insert(resource(ORIGIN, &thing.path()), thing);
    }

    /// What the origin has at `path` now.
    pub fn find(&mut self, path: &str, now: Instant) -> Option<Resource> {
        let thing = Thing::parse(path)?;
        let show = self.shows.get(thing.show())?;
        let rendition = thing.rendition().unwrap_or(0);
        let rate = *show.renditions.get(rendition)?;
        let anew = u64::from(show.anew.is_some_and(|at| at <= now));
        let (version, length) = match thing {
            Thing::Master { .. } => (0, 200 + 100 * show.renditions.len() as u64),
            Thing::Playlist { .. } => {
                let (first, count) = show.listed(now);
                (first + count, 150 + 60 * count)
            }
            Thing::Init { .. } => (0, 900),
            Thing::Key { .. } => (0, 16),
            Thing::Media { number, .. } => {
                show.is_there(number, now).then_some(())?;
                (anew, self.size(thing, rate))
            }
            Thing::File { .. } => (anew, self.place(thing, show.count).end),
        };
        let content = self.content(thing, version);
        self.truths.insert(content, thing);
        if let Thing::Playlist { show: index, rendition } = thing {
            let show = &self.shows[index];
            let (first, count) = show.listed(now);
            let listing = Listing { show: index, rendition, first, count, ended: !show.live };
            if self.listings.insert(content, listing).is_none() {
                for number in first..first + count {
                    self.name(Thing::Media { show: index, rendition, number });
                }
            }
        }
        Some(Resource { thing, content, length })
    }

    /// The playlist that these bytes are.
    pub fn listing(&self, content: ContentId) -> Option<Listing> {
        self.listings.get(&content).copied()
    }

    /// What the origin ever served as this thing.
    pub fn is_true(&self, thing: Thing, content: ContentId) -> bool {
        self.truths.get(&content) == Some(&thing)
    }

    /// The bytes that the origin served last as this thing.
    pub fn content_of(&self, thing: Thing) -> Option<ContentId> {
        let found = self.truths.iter().filter(|(_, served)| **served == thing);
        found.map(|(content, _)| *content).next_back()
    }

    /// What these bytes are, if they ever were the origin's.
    pub fn truth(&self, content: ContentId) -> Option<Thing> {
        self.truths.get(&content).copied()
    }

    /// The bytes of the one file, or of its segment, that a segment is.
    pub fn place(&self, file: Thing, number: u64) -> ByteRange {
        let (show, rendition) = (file.show(), file.rendition().unwrap_or(0));
        let rate = self.shows[show].renditions[rendition];
        let size = |number| self.size(Thing::Media { show, rendition, number }, rate);
        let start = (0..number).map(size).sum();
        let one = if number < self.shows[show].count { size(number) } else { 0 };
        ByteRange::new(start, start + one)
    }

    /// Where a player finds a segment: its path and, of one file, its bytes.
    pub fn segment(&self, listing: Listing, number: u64) -> (Thing, Option<ByteRange>) {
        let Listing { show, rendition, .. } = listing;
        if self.shows[show].one_file {
            let file = Thing::File { show, rendition };
            return (file, Some(self.place(file, number)));
        }
        (Thing::Media { show, rendition, number }, None)
    }

    /// What a playlist says, as the player with this token gets it.
    pub fn plan(&self, resource: &Resource, token: &str) -> Option<Plan> {
        let locator = |thing: Thing| Locator {
            origin: OriginId(0),
            target: format!("{}{token}", thing.path()),
        };
        let show = self.shows.get(resource.thing.show())?;
        if let Thing::Master { show: index } = resource.thing {
            let variants = (0..).zip(&show.renditions).map(|(rendition, rate)| Variant {
                locator: locator(Thing::Playlist { show: index, rendition }),
                bitrate: Some(*rate),
            });
            return Some(Plan::Variants(Variants { variants: variants.collect(), keys: vec![] }));
        }
        let listing = self.listing(resource.content)?;
        let Listing { show: index, rendition, first, count, ended } = listing;
        let entry = |thing, range, (duration, sequence, kind)| Segment {
            locator: locator(thing),
            range,
            duration,
            sequence,
            kind,
            discontinuity: false,
        };
        let zero = Duration::ZERO;
        let mut segments = Vec::new();
        if show.keys {
            segments.push(entry(Thing::Key { show: index }, None, (zero, first, Kind::Key)));
        }
        if show.init {
            let init = Thing::Init { show: index, rendition };
            segments.push(entry(init, None, (zero, first, Kind::Init)));
        }
        for number in first..first + count {
            let (thing, range) = self.segment(listing, number);
            segments.push(entry(thing, range, (show.segment, number, Kind::Media)));
        }
        Some(Plan::Media(MediaPlan {
            target: show.segment,
            live: !ended,
            first,
            segments,
            ..MediaPlan::default()
        }))
    }

    /// How long a media segment or init segment is.
    pub fn length(&self, thing: Thing) -> u64 {
        let show = &self.shows[thing.show()];
        match thing {
            Thing::Media { rendition, .. } => self.size(thing, show.renditions[rendition]),
            Thing::File { .. } => self.place(thing, show.count).end,
            _ => 900,
        }
    }

    /// Segments vary by a third around their bitrate.
    fn size(&self, thing: Thing, rate: u64) -> u64 {
        let mean = rate / 8 * self.shows[thing.show()].segment.as_millis() as u64 / 1000;
        let chance = Rng::new(mix(self.salt, &thing)).below(1000);
        (mean * (667 + chance * 2 / 3) / 1000).max(1)
    }

    fn content(&self, thing: Thing, version: u64) -> ContentId {
        ContentId(mix(self.salt ^ version.wrapping_mul(0x9e37_79b9), &thing))
    }
}

impl Show {
    /// The first listed segment and how many are.
    pub fn listed(&self, now: Instant) -> (u64, u64) {
        if !self.live {
            return (0, self.count);
        }
        let complete = self.complete(now);
        let count = complete.min(self.window);
        (complete - count, count)
    }

    /// Segments of a live show that are complete.
    fn complete(&self, now: Instant) -> u64 {
        (now - self.began).as_micros() as u64 / self.segment.as_micros() as u64
    }

    /// When a segment of a live show is there.
    pub fn there_at(&self, number: u64) -> Instant {
        let after = u32::try_from(number + 1).expect("a number of segments");
        if self.live { self.began + self.segment * after } else { self.began }
    }

    fn is_there(&self, number: u64, now: Instant) -> bool {
        if !self.live {
            return number < self.count;
        }
        let complete = self.complete(now);
        number < complete && number + 3 * self.window >= complete
    }
}

impl Thing {
    pub fn path(self) -> String {
        match self {
            Self::Master { show } => format!("/{show}/master.m3u8"),
            Self::Playlist { show, rendition } => format!("/{show}/{rendition}/list.m3u8"),
            Self::Init { show, rendition } => format!("/{show}/{rendition}/init.mp4"),
            Self::Key { show } => format!("/{show}/key.bin"),
            Self::Media { show, rendition, number } => format!("/{show}/{rendition}/{number}.m4s"),
            Self::File { show, rendition } => format!("/{show}/{rendition}/all.mp4"),
        }
    }

    pub fn parse(target: &str) -> Option<Self> {
        let path = target.split('?').next()?;
        let mut parts = path.strip_prefix('/')?.split('/');
        let show = parts.next()?.parse().ok()?;
        let second = parts.next()?;
        let Some(name) = parts.next() else {
            return match second {
                "master.m3u8" => Some(Self::Master { show }),
                "key.bin" => Some(Self::Key { show }),
                _ => None,
            };
        };
        let rendition = second.parse().ok()?;
        match name {
            "list.m3u8" => Some(Self::Playlist { show, rendition }),
            "init.mp4" => Some(Self::Init { show, rendition }),
            "all.mp4" => Some(Self::File { show, rendition }),
            _ => {
                let number = name.strip_suffix(".m4s")?.parse().ok()?;
                Some(Self::Media { show, rendition, number })
            }
        }
    }

    pub const fn show(self) -> usize {
        match self {
            Self::Master { show }
            | Self::Playlist { show, .. }
            | Self::Init { show, .. }
            | Self::Key { show }
            | Self::Media { show, .. }
            | Self::File { show, .. } => show,
        }
    }

    pub const fn rendition(self) -> Option<usize> {
        match self {
            Self::Master { .. } | Self::Key { .. } => None,
            Self::Playlist { rendition, .. }
            | Self::Init { rendition, .. }
            | Self::Media { rendition, .. }
            | Self::File { rendition, .. } => Some(rendition),
        }
    }

    pub const fn is_playlist(self) -> bool {
        matches!(self, Self::Master { .. } | Self::Playlist { .. })
    }

    /// Whether it is media: what may be shared where the show is open.
    pub const fn is_media(self) -> bool {
        matches!(self, Self::Init { .. } | Self::Media { .. } | Self::File { .. })
    }
}

/// The digest of these bytes of a content, without a byte being made.
pub fn digest(content: ContentId, range: ByteRange) -> Digest {
    let numbers = [content.0, range.start, range.end].map(u64::to_le_bytes);
    Digest::of_parts(numbers.iter().map(|bytes| &bytes[..]))
}

/// A number that a thing has in one world.
pub fn mix(salt: u64, thing: &Thing) -> u64 {
    let (rendition, number) = match *thing {
        Thing::Media { rendition, number, .. } => (rendition as u64, number + 16),
        Thing::Master { .. } => (0, 1),
        Thing::Key { .. } => (0, 2),
        Thing::Playlist { rendition, .. } => (rendition as u64, 3),
        Thing::Init { rendition, .. } => (rendition as u64, 4),
        Thing::File { rendition, .. } => (rendition as u64, 5),
    };
    let mut rng = Rng::new(salt ^ ((thing.show() as u64) << 48));
    let mut rng = Rng::new(rng.next() ^ (rendition << 40) ^ number);
    rng.next()
}
