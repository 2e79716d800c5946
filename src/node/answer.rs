//! Answers to players: the head that fits what is stored and what was asked.

use core::fmt::Write as _;

use bytes::Bytes;

use crate::base::id::RowId;
use crate::base::number::decimal;
use crate::base::range::ByteRange;
use crate::base::url::{Locator, Places};
use crate::engine::cache::index::Entry;
use crate::node::event::{Answer, Content};
use crate::wire::http::conditions;
use crate::wire::http::cookie;
use crate::wire::http::fields::Fields;
use crate::wire::http::range::{ContentRange, Requested, Resolved};

/// How the cache took part, as `Cache-Status` says it (RFC 9211, 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// The seconds for which it stays fresh, where the cache alone answered.
    pub(super) hit: Option<i64>,
    /// Why the origin was asked.
    pub(super) forwarded: Option<&'static str>,
    /// The status that the origin answered with.
    pub(super) status: Option<u16>,
    /// Whether the answer is stored.
    pub(super) stored: bool,
    /// Whether another player's fetch serves this one.
    pub(super) collapsed: bool,
}

impl Note {
    /// The origin was asked because of `why`.
    pub(super) fn asked(why: &'static str) -> Self {
        Self { forwarded: Some(why), ..Self::default() }
    }

    /// The field line.
    fn line(&self) -> String {
        // The whole of an answer's own lines fits: nothing moves while they are written.
        let mut line = String::with_capacity(OWN);
        line.push_str("Cache-Status: neap");
        if let Some(ttl) = self.hit {
            line.push_str(if ttl < 0 { "; hit; ttl=-" } else { "; hit; ttl=" });
            decimal(&mut line, ttl.unsigned_abs());
        }
        if let Some(why) = self.forwarded {
            let _ = write!(line, "; fwd={why}");
        }
        if let Some(status) = self.status {
            let _ = write!(line, "; fwd-status={status}");
        }
        line.push_str(if self.stored { "; stored" } else { "" });
        line.push_str(if self.collapsed { "; collapsed" } else { "" });
        line.push_str("\r\n");
        line
    }
}

/// What a request gets from a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The player has it already: 304.
    NotModified,
    /// All of it; the end is not known while it is still coming in without a length.
    Whole(Option<u64>),
    /// These bytes: 206.
    Range(ByteRange, u64),
    /// None of it: 416.
    Unsatisfiable(u64),
}

impl Part {
    /// What `request` gets (RFC 9110, 13.2.2 and 14.2).
    pub(super) fn of(entry: &Entry, request: &Fields, range: Requested) -> Self {
        if entry.status == 200 && conditions::is_not_modified(request, &entry.fields) {
            return Self::NotModified;
        }
        let Some(length) = entry.length else { return Self::Whole(None) };
        let applies = entry.status == 200 && conditions::does_range_apply(request, &entry.fields);
        match range.resolve(length) {
            Resolved::Part(range) if applies => Self::Range(range, length),
            Resolved::Unsatisfiable if applies => Self::Unsatisfiable(length),
            _ => Self::Whole(Some(length)),
        }
    }

    /// The bytes of the row that go out.
    pub(super) fn bytes(self) -> Option<ByteRange> {
        match self {
            Self::Whole(length) => Some(ByteRange::new(0, length.unwrap_or(u64::MAX))),
            Self::Range(range, _) => Some(range),
            Self::NotModified | Self::Unsatisfiable(_) => None,
        }
    }
}

/// What an answer is made of beside the part that is asked for.
pub(super) struct Making<'a> {
    /// The stored field lines.
    pub(super) lines: &'a Bytes,
    /// Seconds since the origin made it.
    pub(super) age: u64,
    /// How the cache took part.
    pub(super) note: Note,
    /// Whether the content goes out, and not the head alone.
    pub(super) content: bool,
}

/// The answer from a stored response.
pub(super) fn from_entry(entry: &Entry, part: Part, making: &Making<'_>) -> Answer {
    let mut own = making.note.line();
    own.push_str("Age: ");
    decimal(&mut own, making.age);
    own.push_str("\r\n");
    if entry.status == 200 && entry.length.is_some() {
        own.push_str("Accept-Ranges: bytes\r\n");
    }
    let row = entry.row;
    let (status, length, content) = match part {
        Part::NotModified => (304, None, Content::None),
        Part::Whole(end) => (entry.status, end, Content::Row { row, start: 0, end }),
        Part::Range(range, length) => {
            let _ = write!(own, "Content-Range: {}\r\n", ContentRange::Part(range, Some(length)));
            let content = Content::Row { row, start: range.start, end: Some(range.end) };
            (206, Some(range.len()), content)
        }
        Part::Unsatisfiable(length) => {
            let _ = write!(own, "Content-Range: {}\r\n", ContentRange::Unsatisfied(length));
            (416, Some(0), Content::None)
        }
    };
    let content = if making.content { content } else { head_only(&mut own, length) };
    Answer { status, stored: making.lines.clone(), own, content, pace: None }
}

/// The answer that passes an origin's response on; `row` holds its content, if it has any.
pub(super) fn passed(
    status: u16,
    fields: (&Fields, Bytes),
    note: Note,
    row: Option<(RowId, u64, Option<u64>)>,
) -> Answer {
    let (fields, stored) = fields;
    let mut own = note.line();
    if let Some(range) = fields.first("content-range") {
        let _ = write!(own, "Content-Range: {range}\r\n");
    }
    let content = match row {
        Some((row, start, end)) => Content::Row { row, start, end },
        None => {
            let stated = fields.first("content-length").and_then(|length| length.parse().ok());
            head_only(&mut own, stated)
        }
    };
    Answer { status, stored, own, content, pace: None }
}

/// A sentence in place of what was asked for.
pub(super) fn sentence(status: u16, text: &str, note: Note) -> Answer {
    let own = format!("{}Cache-Control: no-store\r\n", note.line());
    let content = Content::Text(format!("{text}\n"));
    Answer { status, stored: Bytes::new(), own, content, pace: None }
}

/// The field lines of a response that are the same for every answer made of it.
///
/// `asked` is what was asked for: a `Location` below a configured origin leads back to us.
pub(super) fn lines(fields: &Fields, asked: &Locator, places: &Places) -> Bytes {
    let mut lines = String::with_capacity(fields.size());
    for (name, value) in fields.iter() {
        let dropped = DROPPED.iter().any(|dropped| name.eq_ignore_ascii_case(dropped));
        let cors = name.get(..15).is_some_and(|n| n.eq_ignore_ascii_case("access-control-"));
        // Of several lists of what a page may read each counts.
        if dropped || (cors && !name.eq_ignore_ascii_case("access-control-expose-headers")) {
            continue;
        }
        if name.eq_ignore_ascii_case("set-cookie") {
            cookie::write(&mut lines, value, asked.origin, places);
            continue;
        }
        let moved = name.eq_ignore_ascii_case("location").then(|| ours(value, asked, places));
        let value = moved.flatten().unwrap_or_else(|| value.into());
        let _ = write!(lines, "{name}: {value}\r\n");
    }
    Bytes::from(lines)
}

fn ours(place: &str, asked: &Locator, places: &Places) -> Option<String> {
    let meant = places.url_of(asked)?.join(place).ok()?;
    let found = places.find_from(asked.origin, &meant);
    Some(found.and_then(|found| places.path_of(&found)).unwrap_or(meant.to_string()))
}

fn head_only(own: &mut String, length: Option<u64>) -> Content {
    if let Some(length) = length {
        let _ = write!(own, "Content-Length: {length}\r\n");
    }
    Content::None
}

/// Bytes of the usual lines of an answer's own: `Cache-Status`, `Age` and `Accept-Ranges`.
const OWN: usize = 128;

/// Fields that each answer states anew, or that hold for the origin's own endpoint only.
const DROPPED: [&str; 12] = [
    "accept-ranges",
    "age",
    "alt-svc",
    "connection",
    "content-length",
    "content-range",
    "keep-alive",
    "strict-transport-security",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];
