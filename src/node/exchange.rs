//! A player's request while it is being answered.

use crate::base::id::{FetchId, RowId};
use crate::base::range::ByteRange;
use crate::base::time::Instant;
use crate::engine::cache::index::Key;
use crate::engine::cache::vary::Selecting;
use crate::node::event::Request;
use crate::node::report::Source;
use crate::wire::http::conditions;
use crate::wire::http::directives::RequestDirectives;
use crate::wire::http::fields::Fields;
use crate::wire::http::range::{self, Requested, Resolved, Spec};
use crate::wire::playlist;

/// One exchange with a player.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    /// What was asked.
    pub(super) request: Request,
    /// When.
    pub(super) asked: Instant,
    /// What it is kept under.
    pub(super) key: Key,
    /// What the player demands of a cache.
    pub(super) directives: RequestDirectives,
    /// The fetch that it waits for or that fills what it reads.
    pub(super) fetch: Option<FetchId>,
    /// The row that it follows, once it was answered.
    pub(super) row: Option<RowId>,
    /// Where its bytes come from, as far as is known.
    pub(super) source: Source,
    /// Bytes of what it wants that were in memory when it asked.
    pub(super) here: u64,
    /// Whether a playlist lists it as a media segment.
    pub(super) is_media: bool,
    /// Bytes of content that its answer has, once they are known.
    pub(super) promised: Option<u64>,
    /// Whether it was answered anew, before anything of its first answer went out.
    pub(super) anew: bool,
    /// Whether anything of its answer may have gone out.
    pub(super) begun: bool,
    /// How far it has read in its row, by the slice.
    pub(super) at: u64,
    /// Whether what it reads had to wait, for it or for memory.
    pub(super) holds_up: bool,
    /// How often nothing that is stored was of use to it.
    pub(super) misses: u8,
    /// Whether the origin gave all where a part far into it was asked for, and so do we.
    pub(super) is_whole: bool,
}

impl Exchange {
    /// The exchange of a request for a resource that is kept under `key`.
    pub(super) fn new(request: Request, key: Key, asked: Instant) -> Self {
        let mut directives = RequestDirectives::of(&request.fields);
        if request.fields.has("origin") {
            // Any web page could ask what was watched here, and the origin would not see it.
            directives.only_if_cached = false;
        }
        Self {
            request,
            asked,
            key,
            directives,
            fetch: None,
            row: None,
            source: Source::Origin,
            here: 0,
            is_media: false,
            promised: None,
            anew: false,
            begun: true,
            at: 0,
            holds_up: false,
            misses: 0,
            is_whole: false,
        }
    }

    /// Whether the content is wanted, and not the head alone.
    pub(super) fn wants_content(&self) -> bool {
        self.request.method != "HEAD"
    }

    /// The range that is asked for; only GET has one (RFC 9110, 14.2).
    pub(super) fn range(&self) -> Requested {
        if self.request.method == "GET" && !self.is_whole {
            range::requested(&self.request.fields)
        } else {
            Requested::Whole
        }
    }

    /// The range that is asked for, where it is a single one with both ends.
    pub(super) fn span(&self) -> Option<ByteRange> {
        match self.range() {
            Requested::One(spec) => spec.span(),
            Requested::Whole | Requested::Several => None,
        }
    }

    /// The bytes that are asked for of a representation of this length.
    pub(super) fn wanted(&self, length: Option<u64>) -> ByteRange {
        let length = length.unwrap_or(u64::MAX);
        match self.range().resolve(length) {
            Resolved::Part(range) => range,
            _ => ByteRange::new(0, length),
        }
    }

    /// The single range to ask the origin for, where the row is not known yet.
    ///
    /// A playlist is asked for whole: its URLs must be put right before a part is cut out.
    pub(super) fn spec(&self) -> Option<Spec> {
        let playlist = playlist::recognise(None, &self.request.locator.target).is_some();
        match self.range() {
            Requested::One(spec) if !playlist => Some(spec),
            Requested::One(_) | Requested::Whole | Requested::Several => None,
        }
    }

    /// Whether an answer made for another player may serve this one as well.
    pub(super) fn may_share(&self) -> bool {
        let fields = &self.request.fields;
        self.request.method == "GET"
            && !self.directives.no_store
            && !fields.has("authorization")
            && !conditions::is_for_origin(fields)
    }
}

/// The fields of a player's request that an origin is asked with.
///
/// Left out are those of the connection, those that neap judges itself (conditions, ranges,
/// encodings), and what would tell the origin about the household.
pub(super) fn forwarded(fields: &Fields) -> Fields {
    let named: Vec<&str> = fields.members("connection").collect();
    let hop = |name: &str| named.iter().any(|named| name.eq_ignore_ascii_case(named));
    fields.iter().filter(|(name, _)| !is_own(name) && !hop(name)).collect()
}

/// Whether no origin is sent such a field of a player.
fn is_own(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let about = ["sec-", "access-control-request-", "x-forwarded-", "proxy-"];
    OWN.contains(&&*lower) || about.iter().any(|prefix| lower.starts_with(prefix))
}

/// The fields of a request that only the origin may judge, with its conditions and range.
pub(super) fn forwarded_whole(fields: &Fields) -> Fields {
    let mut all = forwarded(fields);
    for name in JUDGED {
        fields.all(name).for_each(|value| all.push(name, value));
    }
    all
}

/// What of a request chose a response. A player's own fields, such as its `Accept-Encoding`, are
/// not sent on: the origin answers all players alike, whatever its `Vary` names.
pub(super) fn selecting(asked: &Fields, response: &Fields) -> Selecting {
    Selecting::of(asked, response).without(is_own)
}

/// The part of a row that lies between two blocks' borders around a hole.
pub(super) fn to_ask(hole: ByteRange, length: u64) -> ByteRange {
    let end = hole.aligned(crate::base::limits::block::BLOCK).end.min(length);
    ByteRange::new(hole.start, end)
}

const OWN: [&str; 22] = [
    "accept-encoding",
    "connection",
    "content-length",
    "dnt",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "priority",
    "range",
    "save-data",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "via",
];

const JUDGED: [&str; 6] =
    ["if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_asked_as_the_player_would_but_learns_nothing_of_the_household() {
        let fields: Fields = [
            ("Host", "127.0.0.1"),
            ("User-Agent", "TV"),
            ("Cookie", "c"),
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("X-Forwarded-For", "192.168.1.7"),
            ("Sec-Fetch-Mode", "cors"),
            ("Range", "bytes=0-1"),
            ("If-None-Match", "\"e\""),
        ]
        .into_iter()
        .collect();
        let names =
            |fields: &Fields| fields.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&forwarded(&fields)), ["User-Agent", "Cookie"]);
        let whole = forwarded_whole(&fields);
        assert_eq!(names(&whole), ["User-Agent", "Cookie", "if-none-match", "range"]);
    }
}
