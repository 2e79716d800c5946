//! Lines, tags and attributes of an HLS playlist (RFC 8216, 4.1 and 4.2).

use core::ops::Range;
use core::time::Duration;

/// A tag's name behind `#EXT`, its value, and where the value starts in the playlist.
#[derive(Clone, Copy)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) start: usize,
}

impl<'a> Tag<'a> {
    /// An attribute's value without its quotes, and where it starts (RFC 8216, 4.2).
    pub(super) fn attribute(&self, name: &str) -> Option<(usize, &'a str)> {
        let found = attributes(self.value).find(|(found, _)| *found == name);
        found.map(|(_, span)| (self.start + span.start, &self.value[span]))
    }

    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        self.attribute(name).and_then(|(_, value)| seconds(value))
    }

    pub(super) fn bitrate(&self) -> Option<u64> {
        let stated = |name| self.attribute(name).and_then(|(_, value)| value.parse().ok());
        stated("AVERAGE-BANDWIDTH").or_else(|| stated("BANDWIDTH"))
    }
}

/// Lines that say something, without the space around them, and where they start.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = end;
        end += line.len();
        let skipped = line.len() - line.trim_start().len();
        let line = line.trim();
        (!line.is_empty()).then_some((start + skipped, line))
    })
}

/// Names and value spans of an attribute list; the spans stand inside the quotes.
fn attributes(list: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let equals = at + list.get(at..)?.find('=')?;
        let name = list[at..equals].trim_start_matches(',').trim();
        let value = &list[equals + 1..];
        let span = match value.strip_prefix('"') {
            Some(quoted) => equals + 2..equals + 2 + quoted.find('"')?,
            None => equals + 1..equals + 1 + value.find(',').unwrap_or(value.len()),
        };
        at = span.end + list[span.end..].find(',').map_or(list.len() - span.end, |comma| comma + 1);
        Some((name, span))
    })
}

/// Seconds as HLS writes them: decimal, never negative, at most a week.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse::<f64>().ok().filter(|s| (0.0..604_800.0).contains(s))?;
    Duration::try_from_secs_f64(seconds).ok()
}
