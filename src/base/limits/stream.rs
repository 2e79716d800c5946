//! Playlists, manifests and those who play them.

use core::time::Duration;

/// Bytes of a playlist or manifest that is parsed; a day of two-second segments is 2 MiB.
/// A larger one passes through untouched.
pub const PLAYLIST: usize = 4 * 1024 * 1024;

/// Bytes of a playlist on its way that nobody waits for room for: most are no longer.
pub const COLLECT_FREE: usize = 32 * 1024;

/// Bytes of a playlist on its way up to which it waits beside small ones alone: a day of
/// six-second segments.
pub const COLLECT_SMALL: usize = 512 * 1024;

/// Bytes of all those of [`COLLECT_SMALL`] together that are on their way.
pub const COLLECTED_SMALL: usize = 2 * 1024 * 1024;

/// Bytes of all larger ones together: one of the largest, and a byte to see that it is.
pub const COLLECTED: usize = PLAYLIST + 1;

/// Members of one packed playlist: a server that packs piece by piece makes one of each.
pub const MEMBERS: usize = 256;

/// Segments that one playlist's plan holds: eleven hours of two-second segments, about 3 MiB.
/// Of a longer one the start is planned when it has ended, the live edge when it goes on.
pub const SEGMENTS: usize = 20_000;

/// Variables that a playlist defines: a host, a folder and a token or two are usual.
pub const VARIABLES: usize = 64;

/// Renditions in one manifest's plan: two hundred periods of ten renditions.
pub const RENDITIONS: usize = 2_000;

/// Elements of one manifest; [`PLAYLIST`] bytes of the shortest `<S/>` would be a million.
pub const ELEMENTS: usize = 200_000;

/// How deep the elements of a manifest nest; DASH itself needs eight, foreign events a few more.
pub const DEPTH: usize = 32;

/// References that are resolved for one playlist or manifest, where many renditions inherit one
/// long list.
pub const REFERENCES: usize = 200_000;

/// Bytes of all of them with the paths that they are resolved at, each time: what a plan and a
/// changed text can hold at most. A day of two-second segments below a path of 200 bytes has half.
pub const RESOLVED: usize = 32 * 1024 * 1024;

/// Bytes of a period's or representation's id: a longer one counts as none.
pub const ID: usize = 1024;

/// Parts, keys and init segments between two segments of a playlist that are planned: ten seconds
/// in parts of 200 ms are fifty.
pub const BESIDE: usize = 64;

/// Alternative base URLs that are followed at each level of a manifest.
pub const BASES: usize = 4;

/// The highest media sequence number that is believed: counting on from it comes to no end.
pub const NUMBER: u64 = u64::MAX / 4;

/// Playlists that the timeline follows at once: five players with six playlists each.
pub const STREAMS: usize = 32;

/// Segments that all followed playlists list together, about 200 bytes each.
pub const LISTED: usize = 40_000;

/// Segments that left a live window and wait for the moment when no player may ask for them.
pub const LEAVING: usize = 4_000;

/// What is fetched ahead and has not come after this is given up.
pub const ENDLESS: Duration = Duration::from_secs(60);

/// Segments fetched ahead of a player for each live rendition in use.
pub const AHEAD_LIVE: usize = 3;

/// Segments fetched ahead of a player for each rendition in use on demand.
pub const AHEAD_STORED: usize = 2;

/// How long a player has, once the origin has given it a segment, to ask for its next one before
/// anything is fetched ahead: it may turn to another rendition or place, and a slow device takes
/// some tens of milliseconds to choose.
pub const TURN: Duration = Duration::from_millis(100);

/// A rendition that no player asked for this long is no longer fetched ahead.
pub const UNASKED: Duration = Duration::from_secs(30);

/// A playlist and its segments are forgotten when no player asked for this long.
pub const FORGET: Duration = Duration::from_secs(300);

/// Bytes of a body at least that is paced or that says how fast its origin is: smaller ones are
/// more waiting than sending, and players' estimates leave them out.
pub const PACED_LEAST: u64 = 128 * 1024;

/// Bytes a second from which on nothing is paced: 200 Mbit/s are more than twice what any
/// rendition needs, so a better estimate changes no choice.
pub const PACED_MOST: u64 = 25_000_000;

/// What a player must hold before an object of unknown length is paced.
pub const PACED_BUFFER: Duration = Duration::from_secs(12);
