//! What may be stored and how long it stays fresh (RFC 9111, 3 and 4.2), as a shared cache.

use core::fmt;
use core::time::Duration;

use crate::base::limits;
use crate::base::time::{Date, Instant};
use crate::wire::http::conditions::{date_of, has_validator};
use crate::wire::http::directives::{RequestDirectives, ResponseDirectives, delta_seconds};
use crate::wire::http::fields::Fields;
use crate::wire::http::range::ContentRange;

/// One request to an origin and the head of its answer.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The method, in the case in which it was sent.
    pub method: &'a str,
    /// The request's fields.
    pub request: &'a Fields,
    /// The final status code.
    pub status: u16,
    /// The response's fields, as they came.
    pub response: &'a Fields,
    /// When the request was sent and when the head of the response was here.
    pub times: Times,
    /// What the URL is in the stream, where that is known.
    pub media: MediaRule,
}

/// The moments of one exchange.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// When the request was sent.
    pub request_at: Instant,
    /// When the head of the response was here.
    pub response_at: Instant,
    /// The date by the system clock at `response_at`; none while the clock is not set.
    pub date: Option<Date>,
}

/// What the stream says about a URL. It never lengthens what the origin states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaRule {
    /// Nothing is known.
    #[default]
    None,
    /// A playlist that is not known to be live.
    Playlist,
    /// A live playlist: neap holds it no longer than this without asking again.
    LivePlaylist(Duration),
    /// A segment: fresh for this long where the origin states no lifetime.
    Segment {
        /// For how long, counted from the origin's answer.
        lifetime: Duration,
    },
    /// A segment of a live window: for so long, and no longer, where the origin states none.
    LiveSegment(Duration),
    /// A key or licence: kept only for the lifetime that the origin states.
    Key,
}

/// Whether a response may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may, under this policy.
    Keep(Policy),
    /// It may serve those who wait for it now, and nobody after: it has neither lifetime nor
    /// validator.
    Share(Policy),
    /// It passes to the one who asked and is forgotten.
    Pass(Reason),
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The method is not GET (RFC 9111, 3; HEAD only updates, 4.3.5).
    Method,
    /// The status code is not final, not understood or not worth keeping.
    Status,
    /// `no-store` in the request (RFC 9111, 5.2.1.5).
    RequestNoStore,
    /// `no-store` in the response (RFC 9111, 5.2.2.5).
    NoStore,
    /// `private` (RFC 9111, 5.2.2.7).
    Private,
    /// The request is authorised and the response does not open itself (RFC 9111, 3.5).
    Authorization,
    /// The response sets a cookie: it is one user's. Stricter than RFC 9111, 7.3 demands.
    SetCookie,
    /// `Vary: *` never matches (RFC 9111, 4.1).
    VaryAny,
    /// A 206 without one readable `Content-Range` (RFC 9111, 3.3).
    Range,
}

/// How long a stored response may be used, fixed when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When the response had `initial_age`.
    pub(super) since: Instant,
    /// Its age at `since` (RFC 9111, 4.2.3: corrected_initial_age).
    pub(super) initial_age: Duration,
    /// How much of that the origin did not state: this machine's clock says so, which may be wrong,
    /// or it waited with its answer, as for a blocking reload.
    pub(super) untold: Duration,
    /// How long it had been here at `since`: zero unless it was read from a record.
    pub(super) held: Duration,
    /// Freshness lifetime (RFC 9111, 4.2.1).
    pub(super) lifetime: Duration,
    /// How long neap may hold it fresh, whatever its lifetime.
    pub(super) hold_cap: Option<Duration>,
    /// RFC 5861, 3.
    pub(super) stale_while_revalidate: Option<Duration>,
    /// RFC 5861, 4.
    pub(super) stale_if_error: Option<Duration>,
    /// The origin's date, by which the most recent of several is chosen.
    pub(super) date: Option<Date>,
    /// It must be validated before each use.
    pub(super) no_cache: bool,
    /// It may never be used stale.
    pub(super) never_stale: bool,
    /// RFC 8246.
    pub(super) immutable: bool,
    /// How old it is is not known: it was here while nobody counted.
    pub(super) age_unknown: bool,
}

/// Decides whether a response may be stored and for how long (RFC 9111, 3).
pub fn judge(exchange: &Exchange<'_>) -> Verdict {
    let directives = ResponseDirectives::of(exchange.response);
    if let Some(reason) = refusal(exchange, &directives) {
        return Verdict::Pass(reason);
    }
    let Some(lifetime) = lifetime(exchange, &directives) else {
        return Verdict::Pass(Reason::Status);
    };
    let policy = policy(exchange, &directives, lifetime);
    let usable = !policy.no_cache && policy.is_fresh(exchange.times.response_at);
    if usable || has_validator(exchange.response) || policy.may_ever_be_stale() {
        Verdict::Keep(policy)
    } else {
        Verdict::Share(policy)
    }
}

/// Whether neap knows what a status code asks of a cache (RFC 9110, 15).
pub const fn is_understood(status: u16) -> bool {
    is_heuristic(status) || matches!(status, 302 | 303 | 307)
}

/// Whether a status code may be given a lifetime by heuristics (RFC 9110, 15.1).
pub const fn is_heuristic(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Whether the origin says itself how long a response holds (RFC 9111, 4.2.1).
pub fn is_stated(response: &Fields) -> bool {
    let directives = ResponseDirectives::of(response);
    directives.s_maxage.or(directives.max_age).is_some() || response.has("expires")
}

/// Whether an answer to an authorised request may be given to those who are not (RFC 9111, 3.5).
pub const fn is_for_all(said: &ResponseDirectives) -> bool {
    said.public || said.must_revalidate || said.s_maxage.is_some()
}

fn refusal(exchange: &Exchange<'_>, directives: &ResponseDirectives) -> Option<Reason> {
    let response = exchange.response;
    let status = exchange.status;
    let understood = is_understood(status);
    // Faults of a server are never worth a second viewer's time, except "not implemented".
    let fault = status >= 500 && status != 501;
    let must_understand = directives.must_understand || status == 206 || status == 304;
    // RFC 9111, 5.2.2.3: who understands the code need not heed the no-store beside it.
    let no_store = directives.no_store && !(directives.must_understand && understood);
    [
        (exchange.method != "GET", Reason::Method),
        // Not about the resource but about the ranges and conditions of one request.
        (status < 200 || fault || matches!(status, 304 | 412 | 416), Reason::Status),
        (must_understand && !understood, Reason::Status),
        (RequestDirectives::of(exchange.request).no_store, Reason::RequestNoStore),
        (no_store, Reason::NoStore),
        (directives.private, Reason::Private),
        (exchange.request.has("authorization") && !is_for_all(directives), Reason::Authorization),
        (response.has("set-cookie") || response.has("set-cookie2"), Reason::SetCookie),
        (response.members("vary").any(|name| name == "*"), Reason::VaryAny),
        (status == 206 && !is_one_part(response), Reason::Range),
    ]
    .into_iter()
    .find_map(|(refused, reason)| refused.then_some(reason))
}

fn is_one_part(response: &Fields) -> bool {
    matches!(ContentRange::of(response), Some(ContentRange::Part(..)))
}

/// The freshness lifetime; none where nothing permits storing (RFC 9111, 3 and 4.2.1).
fn lifetime(exchange: &Exchange<'_>, directives: &ResponseDirectives) -> Option<Duration> {
    let stated = directives.s_maxage.or(directives.max_age);
    if let Some(stated) = stated.or_else(|| expires(exchange)) {
        return Some(stated);
    }
    if !is_heuristic(exchange.status) && !directives.public {
        return None;
    }
    Some(heuristic(exchange))
}

/// `Expires` less `Date`; an unreadable one lies in the past (RFC 9111, 5.3).
fn expires(exchange: &Exchange<'_>) -> Option<Duration> {
    let response = exchange.response;
    if !response.has("expires") {
        return None;
    }
    let date = date_of(response, "date").or(exchange.times.date);
    let until = date_of(response, "expires");
    Some(until.zip(date).map_or(Duration::ZERO, |(until, date)| until.since(date)))
}

/// A lifetime where the origin states none (RFC 9111, 4.2.2).
fn heuristic(exchange: &Exchange<'_>) -> Duration {
    if exchange.status >= 400 {
        // A segment that is not there yet is there a moment later, and the playlist of a channel
        // that has not begun: the player asks again.
        let short = exchange.media == MediaRule::None;
        return if short { limits::cache::NEGATIVE } else { Duration::ZERO };
    }
    let date = date_of(exchange.response, "date").or(exchange.times.date);
    let modified = date_of(exchange.response, "last-modified");
    let unchanged = modified.zip(date).map(|(modified, date)| date.since(modified));
    let tenth = unchanged.map_or(Duration::ZERO, |time| (time / 10).min(limits::cache::HEURISTIC));
    match exchange.media {
        MediaRule::None => tenth,
        // A slate makes way for the channel; players of their own ask each time.
        MediaRule::Playlist => tenth.min(limits::cache::HEURISTIC_PLAYLIST),
        // Several players of a channel reload together: they share one answer.
        MediaRule::LivePlaylist(cap) => tenth.max(cap),
        MediaRule::Segment { lifetime } => tenth.max(lifetime),
        MediaRule::LiveSegment(window) => window,
        MediaRule::Key => Duration::ZERO,
    }
}

fn policy(exchange: &Exchange<'_>, held: &ResponseDirectives, lifetime: Duration) -> Policy {
    let (times, initial_age) = (exchange.times, initial_age(exchange));
    // RFC 9111, 5.2.2.10: s-maxage forbids stale use as proxy-revalidate does.
    let strict = held.must_revalidate || held.proxy_revalidate || held.s_maxage.is_some();
    let hold_cap = match exchange.media {
        MediaRule::LivePlaylist(cap) => Some(cap),
        _ => None,
    };
    Policy {
        since: times.response_at,
        initial_age,
        untold: initial_age - stated_age(exchange.response),
        held: Duration::ZERO,
        lifetime,
        hold_cap,
        stale_while_revalidate: held.stale_while_revalidate,
        stale_if_error: held.stale_if_error,
        date: date_of(exchange.response, "date").or(times.date),
        no_cache: held.no_cache,
        never_stale: strict || held.no_cache || exchange.media == MediaRule::Key,
        immutable: held.immutable,
        age_unknown: false,
    }
}

/// corrected_initial_age (RFC 9111, 4.2.3); apparent_age is zero without a set clock.
fn initial_age(exchange: &Exchange<'_>) -> Duration {
    let times = exchange.times;
    let date = date_of(exchange.response, "date");
    let apparent = times.date.zip(date).map_or(Duration::ZERO, |(now, date)| now.since(date));
    let delay = times.response_at - times.request_at;
    apparent.max(stated_age(exchange.response) + delay)
}

/// The first member of `Age`, zero where it is unreadable (RFC 9111, 5.1).
fn stated_age(response: &Fields) -> Duration {
    let age = response.members("age").next();
    age.and_then(delta_seconds).unwrap_or_default()
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the method is not GET",
            Self::Status => "the status code is not stored",
            Self::RequestNoStore => "the request forbids storing",
            Self::NoStore => "the response forbids storing",
            Self::Private => "the response is private",
            Self::Authorization => "the request is authorised",
            Self::SetCookie => "the response sets a cookie",
            Self::VaryAny => "the response varies with anything",
            Self::Range => "the range of the response is unreadable",
        })
    }
}
