//! Playlists of either format: recognised, read into a plan, and put right for our endpoint.

use super::plan::{Fault, Read};
use super::rewrite::Source;
use super::{dash, hls};
use crate::base::limits;
use crate::base::url::without_query;

/// Which kind of playlist a response holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// HTTP Live Streaming (RFC 8216).
    Hls,
    /// Dynamic Adaptive Streaming over HTTP (ISO/IEC 23009-1).
    Dash,
}

/// Whether a response is a playlist, as far as its head tells: then its body is collected whole.
///
/// A wrong `Yes` costs nothing but the waiting: [`read`] looks at the body itself.
pub fn recognise(content_type: Option<&str>, path: &str) -> Option<Format> {
    let stated = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let stated = stated.to_ascii_lowercase();
    let by_type = TYPES.iter().find(|(name, _)| *name == stated).map(|(_, format)| *format);
    by_type.or_else(|| {
        let name = without_query(path).rsplit('/').next()?;
        let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
        ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, format)| *format)
    })
}

/// Reads a whole playlist; what is no playlist, or a broken one, passes untouched with a warning.
pub fn read(format: Format, body: &[u8], source: &Source<'_>) -> Read {
    if body.len() > limits::stream::PLAYLIST {
        return Read::untouched(Fault::Size);
    }
    match (format, core::str::from_utf8(body)) {
        (Format::Hls, _) => hls::read(body, source),
        (Format::Dash, Ok(text)) => dash::document::read(text, source),
        (Format::Dash, Err(_)) => Read::untouched(Fault::Encoding),
    }
}

/// RFC 8216, 10; ISO/IEC 23009-1, annex C; and what older servers say.
const TYPES: [(&str, Format); 7] = [
    ("application/vnd.apple.mpegurl", Format::Hls),
    ("application/x-mpegurl", Format::Hls),
    ("application/mpegurl", Format::Hls),
    ("audio/mpegurl", Format::Hls),
    ("audio/x-mpegurl", Format::Hls),
    ("application/dash+xml", Format::Dash),
    ("video/vnd.mpeg.dash.mpd", Format::Dash),
];

const ENDINGS: [(&str, Format); 3] =
    [("m3u8", Format::Hls), ("m3u", Format::Hls), ("mpd", Format::Dash)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_is_known_by_its_type_or_its_name() {
        for (content_type, path, format) in [
            (Some("application/vnd.apple.mpegurl"), "/x", Some(Format::Hls)),
            (Some("Audio/MPEGurl; charset=utf-8"), "/x", Some(Format::Hls)),
            (Some("application/dash+xml;profiles=\"x\""), "/x.m3u8", Some(Format::Dash)),
            (Some("text/plain"), "/a/x.M3U8?token=1", Some(Format::Hls)),
            (None, "/x.m3u", Some(Format::Hls)),
            (Some("application/octet-stream"), "/x.mpd", Some(Format::Dash)),
            (Some("video/mp2t"), "/x.ts?next=/y.m3u8", None),
            (None, "/m3u8", None),
            (None, "", None),
        ] {
            assert_eq!(recognise(content_type, path), format, "{content_type:?} {path}");
        }
    }
}
