//! The rules of RFC 9111 that a cache must keep, case by case, computed by hand.

use std::time::Duration;

use neap::base::time::{Date, Instant};
use neap::base::url::Url;
use neap::engine::cache::freshness::{Exchange, MediaRule, Policy, Reason, Times, Verdict, judge};
use neap::engine::cache::merge::{
    Bearing, bearing_of_304, bearing_of_head, invalidated, stored, strip_hop_by_hop, update,
};
use neap::engine::cache::reuse::Reuse;
use neap::wire::http::directives::RequestDirectives;
use neap::wire::http::fields::Fields;

/// 06 Nov 1994 08:49:37 GMT, the `Date` of most samples.
const SENT: Date = Date(784_111_777);
const DATE: (&str, &str) = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
const TEN_DAYS_BEFORE: (&str, &str) = ("Last-Modified", "Thu, 27 Oct 1994 08:49:37 GMT");
const TAG: (&str, &str) = ("ETag", r#""1""#);

fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().copied().collect()
}

/// The moment `seconds` after the response came; a case begins 1000 s after boot.
fn at(seconds: u64) -> Instant {
    Instant::from_micros((1000 + seconds) * 1_000_000)
}

struct Case {
    method: &'static str,
    status: u16,
    request: Fields,
    response: Fields,
    delay: u64,
    date: Option<Date>,
    media: MediaRule,
}

fn case(response: &[(&str, &str)]) -> Case {
    Case {
        method: "GET",
        status: 200,
        request: Fields::new(),
        response: fields(response),
        delay: 0,
        date: Some(SENT),
        media: MediaRule::None,
    }
}

/// A response with this `Cache-Control` and a validator.
fn control(value: &str) -> Case {
    case(&[DATE, TAG, ("Cache-Control", value)])
}

impl Case {
    fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    fn request(self, request: &[(&str, &str)]) -> Self {
        Self { request: fields(request), ..self }
    }

    fn media(self, media: MediaRule) -> Self {
        Self { media, ..self }
    }

    fn verdict(&self) -> Verdict {
        judge(&Exchange {
            method: self.method,
            request: &self.request,
            status: self.status,
            response: &self.response,
            times: Times {
                request_at: Instant::from_micros((1000 - self.delay) * 1_000_000),
                response_at: at(0),
                date: self.date,
            },
            media: self.media,
        })
    }

    fn policy(&self) -> Policy {
        match self.verdict() {
            Verdict::Keep(policy) => policy,
            Verdict::Share(_) => panic!("not kept: only for those who wait"),
            Verdict::Pass(reason) => panic!("not kept: {reason}"),
        }
    }

    fn passes(&self) -> Option<Reason> {
        match self.verdict() {
            Verdict::Keep(_) | Verdict::Share(_) => None,
            Verdict::Pass(reason) => Some(reason),
        }
    }

    fn is_shared_only(&self) -> bool {
        matches!(self.verdict(), Verdict::Share(_))
    }

    /// Whole seconds for which the response is fresh after it came.
    fn lifetime(&self) -> u64 {
        (self.policy().fresh_until() - at(0)).as_secs()
    }

    fn reuse(&self, request: &str, seconds: u64) -> Reuse {
        self.policy().reuse(&asked(request), at(seconds))
    }
}

fn asked(control: &str) -> RequestDirectives {
    RequestDirectives::of(&fields(&[("Cache-Control", control)]))
}

// RFC 9111, 3: storing.

#[test]
fn rfc_9111_3_only_get_is_stored() {
    for method in ["HEAD", "POST", "PUT", "OPTIONS", "get", "BREW"] {
        let case = Case { method, ..control("max-age=60") };
        assert_eq!(case.passes(), Some(Reason::Method), "{method}");
    }
}

#[test]
fn rfc_9111_3_only_final_codes_are_stored() {
    for status in [100, 103, 304] {
        assert_eq!(control("max-age=60").status(status).passes(), Some(Reason::Status), "{status}");
    }
}

#[test]
fn rfc_9111_3_no_store_forbids_storing() {
    assert_eq!(control("max-age=60, no-store").passes(), Some(Reason::NoStore));
    assert_eq!(control("NO-STORE").passes(), Some(Reason::NoStore));
}

#[test]
fn rfc_9111_3_a_shared_cache_stores_nothing_private() {
    for value in ["private, max-age=60", r#"max-age=60, private="X""#, "public, private"] {
        assert_eq!(control(value).passes(), Some(Reason::Private), "{value}");
    }
}

#[test]
fn rfc_9111_3_a_code_without_heuristics_needs_a_stated_lifetime() {
    for status in [201, 302, 303, 307, 400, 403, 429] {
        let bare = case(&[DATE, TAG, TEN_DAYS_BEFORE]).status(status);
        assert_eq!(bare.passes(), Some(Reason::Status), "{status}");
        let expires = ("Expires", "Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(case(&[DATE, expires]).status(status).lifetime(), 60, "{status}");
        assert_eq!(control("max-age=60").status(status).lifetime(), 60, "{status}");
        assert_eq!(control("s-maxage=60").status(status).lifetime(), 60, "{status}");
        assert_eq!(control("public").status(status).passes(), None, "{status}");
    }
}

#[test]
fn faults_of_the_origin_are_never_stored() {
    for status in [500, 502, 503, 504] {
        let case = control("public, max-age=60").status(status);
        assert_eq!(case.passes(), Some(Reason::Status), "{status}");
    }
    assert_eq!(case(&[DATE]).status(501).lifetime(), 1);
}

#[test]
fn a_response_that_sets_a_cookie_is_one_users() {
    let case = case(&[("Cache-Control", "public, max-age=60"), ("Set-Cookie", "a=b")]);
    assert_eq!(case.passes(), Some(Reason::SetCookie));
}

#[test]
fn what_could_never_be_used_again_is_not_stored() {
    assert!(case(&[DATE]).is_shared_only());
    assert!(case(&[DATE, ("Cache-Control", "no-cache")]).is_shared_only());
    assert!(case(&[DATE, ("Cache-Control", "max-age=0")]).is_shared_only());
    let later = ("Cache-Control", "max-age=0, stale-while-revalidate=5");
    assert_eq!(case(&[DATE, later]).passes(), None);
    assert_eq!(control("no-cache").passes(), None);
}

#[test]
fn rfc_9111_3_1_connection_fields_and_those_it_names_are_not_stored() {
    let response = fields(&[
        ("Connection", "close, X-Hop"),
        ("x-hop", "1"),
        ("Keep-Alive", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Proxy-Authenticate", "Basic"),
        ("Age", "7"),
        ("X-Unknown", "kept"),
        DATE,
    ]);
    let kept = stored(&response, Some(SENT));
    assert_eq!(kept.iter().collect::<Vec<_>>(), [("X-Unknown", "kept"), DATE]);
}

#[test]
fn rfc_9110_6_6_1_a_response_without_date_gets_one_where_the_clock_is_set() {
    assert_eq!(stored(&Fields::new(), Some(SENT)).first("date"), Some(DATE.1));
    assert!(stored(&Fields::new(), None).is_empty());
}

#[test]
fn rfc_9110_7_6_1_fields_of_one_connection_go_no_further() {
    let mut request = fields(&[
        ("connection", "TE"),
        ("Connection", "x-a , keep-alive"),
        ("X-A", "1"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("Accept", "*/*"),
    ]);
    strip_hop_by_hop(&mut request);
    assert_eq!(request.iter().collect::<Vec<_>>(), [("Accept", "*/*")]);
}

#[test]
fn rfc_9111_3_2_an_update_replaces_all_but_what_describes_the_bytes() {
    let mut held = fields(&[
        ("Content-Length", "9"),
        ("Content-Encoding", "gzip"),
        ("Content-Range", "bytes 0-8/9"),
        ("Content-Type", "video/mp4"),
        ("Cache-Control", "max-age=1"),
        ("cache-control", "public"),
        ("X-Old", "stays"),
        DATE,
    ]);
    let received = fields(&[
        ("Content-Length", "0"),
        ("Content-Encoding", "br"),
        ("Content-Range", "bytes 0-1/2"),
        ("Content-Type", "video/mp2t"),
        ("Cache-Control", "max-age=60"),
        ("Connection", "X-Hop"),
        ("X-Hop", "1"),
        ("X-New", "a"),
        ("X-New", "b"),
    ]);
    update(&mut held, &received, None);
    let wanted = [
        ("Content-Length", "9"),
        ("Content-Encoding", "gzip"),
        ("Content-Range", "bytes 0-8/9"),
        ("X-Old", "stays"),
        ("Content-Type", "video/mp2t"),
        ("Cache-Control", "max-age=60"),
        ("X-New", "a"),
        ("X-New", "b"),
    ];
    assert_eq!(held.iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn rfc_9111_4_3_4_a_validated_response_is_young_again() {
    let mut held = stored(&fields(&[DATE, TAG, ("Age", "50")]), None);
    let received = fields(&[("Cache-Control", "max-age=60")]);
    update(&mut held, &received, Some(Date(SENT.0 + 5000)));
    let validated =
        Case { date: Some(Date(SENT.0 + 5000)), ..case(&held.iter().collect::<Vec<_>>()) };
    assert_eq!(validated.policy().age(at(0)), Duration::ZERO);
}

#[test]
fn rfc_9111_3_3_a_part_is_stored_only_where_its_place_is_known() {
    let part = |range: &[(&str, &str)]| {
        let mut response = vec![DATE, ("Cache-Control", "max-age=60")];
        response.extend(range);
        case(&response).status(206)
    };
    assert_eq!(part(&[("Content-Range", "bytes 0-9/100")]).lifetime(), 60);
    assert_eq!(part(&[("Content-Range", "bytes 0-9/*")]).lifetime(), 60);
    let multipart = part(&[("Content-Type", "multipart/byteranges; boundary=x")]);
    assert_eq!(multipart.passes(), Some(Reason::Range));
    assert_eq!(part(&[("Content-Range", "items 0-9/100")]).passes(), Some(Reason::Range));
    assert_eq!(part(&[("Content-Range", "bytes */100")]).passes(), Some(Reason::Range));
}

#[test]
fn rfc_9111_3_5_an_authorised_request_needs_an_open_response() {
    let authorised = [("Authorization", "Basic eDp5")];
    for (value, reason) in [
        ("max-age=60", Some(Reason::Authorization)),
        ("no-cache, max-age=60", Some(Reason::Authorization)),
        ("proxy-revalidate, max-age=60", Some(Reason::Authorization)),
        ("public, max-age=60", None),
        ("must-revalidate, max-age=60", None),
        ("s-maxage=60", None),
    ] {
        assert_eq!(control(value).request(&authorised).passes(), reason, "{value}");
    }
}

// RFC 9111, 4: reuse.

#[test]
fn rfc_9111_4_fresh_until_its_lifetime_and_not_at_it() {
    let case = control("max-age=60");
    assert_eq!(case.reuse("", 59), Reuse::Fresh);
    assert_eq!(case.reuse("", 60), Reuse::Validate);
}

#[test]
fn rfc_9111_4_1_vary_star_is_not_stored() {
    let case = case(&[("Vary", "Accept, *"), ("Cache-Control", "max-age=60")]);
    assert_eq!(case.passes(), Some(Reason::VaryAny));
}

#[test]
fn rfc_9111_4_2_1_s_maxage_before_max_age_before_expires() {
    let expires = ("Expires", "Sun, 06 Nov 1994 08:49:47 GMT");
    let of = |value| case(&[DATE, expires, TEN_DAYS_BEFORE, ("Cache-Control", value)]).lifetime();
    assert_eq!(of("s-maxage=20, max-age=30"), 20);
    assert_eq!(of("s-maxage=40, max-age=30"), 40);
    assert_eq!(of("max-age=30"), 30);
    assert_eq!(of("public"), 10);
}

#[test]
fn rfc_9111_4_2_1_unreadable_or_conflicting_lifetimes_are_stale() {
    let expires = ("Expires", "Sun, 06 Nov 1994 08:59:37 GMT");
    for control in ["max-age=x", "max-age=60, max-age=0", "s-maxage, max-age=60"] {
        let case = case(&[DATE, TAG, expires, ("Cache-Control", control)]);
        assert_eq!(case.reuse("", 0), Reuse::Validate, "{control}");
    }
    let twice = case(&[DATE, TAG, expires, ("Expires", "Sun, 06 Nov 1994 08:49:47 GMT")]);
    assert_eq!(twice.reuse("", 0), Reuse::Validate);
}

#[test]
fn rfc_9111_4_2_2_a_tenth_of_the_time_unchanged_a_day_at_most() {
    let modified = |date| case(&[DATE, ("Last-Modified", date)]);
    assert_eq!(modified("Sun, 06 Nov 1994 08:32:57 GMT").lifetime(), 100);
    assert_eq!(modified(TEN_DAYS_BEFORE.1).lifetime(), 24 * 3600);
    assert_eq!(modified("Sat, 27 Oct 1984 08:49:37 GMT").lifetime(), 24 * 3600);
    assert_eq!(modified("Sun, 06 Nov 1994 09:49:37 GMT").reuse("", 0), Reuse::Validate);
}

#[test]
fn rfc_9111_4_2_2_no_heuristic_beside_a_stated_lifetime() {
    let stated = case(&[DATE, TAG, TEN_DAYS_BEFORE, ("Cache-Control", "max-age=0")]);
    assert_eq!(stated.reuse("", 0), Reuse::Validate);
    let expired = case(&[DATE, TAG, TEN_DAYS_BEFORE, ("Expires", "0")]);
    assert_eq!(expired.reuse("", 0), Reuse::Validate);
}

#[test]
fn rfc_9111_4_2_2_heuristics_need_a_date_or_a_clock() {
    let without = |date| Case { date, ..case(&[TAG, TEN_DAYS_BEFORE]) };
    assert_eq!(without(None).reuse("", 0), Reuse::Validate);
    assert_eq!(without(Some(SENT)).reuse("", 0), Reuse::Fresh);
}

#[test]
fn negative_answers_are_kept_briefly_unless_the_origin_says_more() {
    for status in [404, 405, 410, 414] {
        assert_eq!(case(&[DATE, TEN_DAYS_BEFORE]).status(status).lifetime(), 1, "{status}");
        assert_eq!(control("max-age=600").status(status).lifetime(), 600, "{status}");
    }
    let segment = MediaRule::Segment { lifetime: Duration::from_secs(30) };
    let early = case(&[DATE]).status(404).media(segment);
    assert!(early.is_shared_only(), "the segment is there a moment later");
}

#[test]
fn rfc_9111_4_2_3_age_is_the_greater_of_apparent_and_stated_with_delay() {
    let aged = |age: &str, now: i64, delay| Case {
        delay,
        date: Some(Date(SENT.0 + now)),
        ..case(&[DATE, ("Age", age), ("Cache-Control", "max-age=600")])
    };
    for (age, now, delay, initial) in [
        ("0", 0, 0, 0),
        ("30", 0, 0, 30),
        ("30", 100, 0, 100),
        ("30", 32, 4, 34),
        ("30", -500, 4, 34),
    ] {
        let policy = aged(age, now, delay).policy();
        assert_eq!(policy.age(at(0)).as_secs(), initial, "{age} {now} {delay}");
        assert_eq!(policy.age(at(7)).as_secs(), initial + 7, "resident time counts");
    }
}

#[test]
fn rfc_9111_4_2_3_without_a_clock_the_apparent_age_is_zero() {
    let case = Case { date: None, ..control("max-age=60") };
    assert_eq!((case.policy().age(at(0)), case.lifetime()), (Duration::ZERO, 60));
}

#[test]
fn rfc_9111_4_2_4_no_stale_use_without_leave() {
    assert_eq!(control("max-age=60").reuse("", 61), Reuse::Validate);
    for forbidden in ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"] {
        let value =
            format!("max-age=60, stale-while-revalidate=99, stale-if-error=99, {forbidden}");
        let case = control(&value);
        let policy = case.policy();
        assert_eq!(case.reuse("max-stale", 61), Reuse::Validate, "{forbidden}");
        assert!(!policy.may_serve_stale_on_error(&asked(""), at(61)), "{forbidden}");
        assert!(!policy.may_serve_disconnected(&asked(""), at(61)), "{forbidden}");
    }
}

#[test]
fn rfc_9111_4_2_4_a_stale_response_may_stand_in_while_disconnected() {
    let policy = control("max-age=60").policy();
    assert!(policy.may_serve_disconnected(&asked(""), at(3600)));
    assert!(!policy.may_serve_disconnected(&asked(""), at(60 + 24 * 3600 + 1)));
    assert!(!policy.may_serve_disconnected(&asked("no-cache"), at(3600)));
    assert!(!policy.may_serve_disconnected(&asked("max-age=5"), at(3600)));
}

#[test]
fn rfc_9111_4_3_4_a_304_updates_the_response_that_it_names() {
    let strong = fields(&[TAG, TEN_DAYS_BEFORE]);
    let weak = fields(&[("ETag", r#"W/"1""#)]);
    let dated = fields(&[TEN_DAYS_BEFORE]);
    for (held, received, bearing) in [
        (&strong, vec![TAG], Bearing::Updates),
        (&strong, vec![("ETag", r#""2""#), TEN_DAYS_BEFORE], Bearing::Nothing),
        (&weak, vec![TAG], Bearing::Nothing),
        (&weak, vec![("ETag", r#"W/"1""#)], Bearing::Updates),
        (&dated, vec![TEN_DAYS_BEFORE], Bearing::Updates),
        (&dated, vec![("Last-Modified", DATE.1)], Bearing::Nothing),
        (&dated, vec![], Bearing::Nothing),
    ] {
        assert_eq!(bearing_of_304(held, &fields(&received), false), bearing, "{received:?}");
    }
    assert_eq!(bearing_of_304(&strong, &Fields::new(), true), Bearing::Updates);
    // A server that weakens the tag of what it packs sends a 304 with the strong one; the tag of
    // what is held stays weak, since its bytes are not those.
    let mut weak = fields(&[("ETag", "W/\"a\""), ("X", "old")]);
    for (tag, alone, bearing) in [
        ("\"a\"", true, Bearing::Updates),
        ("\"a\"", false, Bearing::Nothing),
        ("\"b\"", true, Bearing::Nothing),
    ] {
        assert_eq!(
            bearing_of_304(&weak, &fields(&[("ETag", tag)]), alone),
            bearing,
            "{tag} {alone}"
        );
    }
    update(&mut weak, &fields(&[("ETag", "\"a\""), ("X", "new")]), None);
    assert_eq!((weak.first("etag"), weak.first("x")), (Some("W/\"a\""), Some("new")));
}

#[test]
fn rfc_9111_4_3_5_a_head_updates_or_contradicts() {
    let held = fields(&[TAG, TEN_DAYS_BEFORE]);
    for (received, bearing) in [
        (vec![TAG, TEN_DAYS_BEFORE, ("Content-Length", "9")], Bearing::Updates),
        (vec![], Bearing::Updates),
        (vec![("ETag", r#""2""#)], Bearing::Contradicts),
        (vec![("Last-Modified", DATE.1)], Bearing::Contradicts),
        (vec![TAG, ("Content-Length", "8")], Bearing::Contradicts),
        (vec![TAG, ("Content-Length", "x")], Bearing::Contradicts),
    ] {
        assert_eq!(bearing_of_head(&held, Some(9), &fields(&received)), bearing, "{received:?}");
    }
    let mut policy = control("max-age=60, stale-while-revalidate=60").policy();
    policy.spoil();
    assert_eq!(policy.reuse(&asked(""), at(0)), Reuse::Validate);
}

#[test]
fn rfc_9111_4_4_unsafe_methods_invalidate_the_target_and_what_they_name() {
    let target = Url::parse("http://a.example/x/y").expect("a URL");
    let response = fields(&[("Location", "z"), ("Content-Location", "http://b.example/x/y")]);
    let named = |method, status| {
        let urls = invalidated(method, status, &target, &response);
        urls.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let both = ["http://a.example/x/y", "http://a.example/x/z"];
    for method in ["PUT", "DELETE", "POST", "PATCH", "BREW"] {
        assert_eq!(named(method, 201), both, "{method}: another server's URL stays");
        assert_eq!(named(method, 303), both, "{method}");
        assert!(named(method, 404).is_empty() && named(method, 500).is_empty(), "{method}");
    }
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        assert!(named(method, 200).is_empty(), "{method}");
    }
    let port = fields(&[("Location", "http://a.example:81/x/z")]);
    assert_eq!(invalidated("PUT", 200, &target, &port), std::slice::from_ref(&target));
}

// RFC 9111, 5: fields.

#[test]
fn rfc_9111_5_1_of_several_ages_the_first_counts_and_a_bad_one_not() {
    for (age, seconds) in [("5, 900", 5), ("x", 0), ("-5", 0), ("1.5", 0), ("99999999999", 1 << 31)]
    {
        let policy = case(&[TAG, ("Age", age), ("Cache-Control", "max-age=60")]).policy();
        assert_eq!(policy.age(at(0)).as_secs(), seconds, "{age}");
    }
}

#[test]
fn rfc_9111_5_2_1_1_max_age_of_the_request_bounds_the_age() {
    let case = control("max-age=60");
    assert_eq!(case.reuse("max-age=10", 10), Reuse::Fresh);
    assert_eq!(case.reuse("max-age=10", 11), Reuse::Validate);
    let stale = control("max-age=5, stale-while-revalidate=60");
    assert_eq!(stale.reuse("max-age=10", 8), Reuse::Validate);
}

#[test]
fn rfc_9111_5_2_1_2_max_stale_of_the_request_allows_stale() {
    let case = control("max-age=60");
    assert_eq!(case.reuse("max-stale=10", 70), Reuse::Stale);
    assert_eq!(case.reuse("max-stale=10", 71), Reuse::Validate);
    assert_eq!(case.reuse("max-stale", 7000), Reuse::Stale);
    assert_eq!(case.reuse("max-stale, max-age=65", 70), Reuse::Validate);
}

#[test]
fn rfc_9111_5_2_1_3_min_fresh_of_the_request_wants_time_left() {
    let case = control("max-age=60");
    assert_eq!(case.reuse("min-fresh=10", 50), Reuse::Fresh);
    assert_eq!(case.reuse("min-fresh=10", 51), Reuse::Validate);
}

#[test]
fn rfc_9111_5_2_1_4_no_cache_of_the_request_validates() {
    assert_eq!(control("max-age=60").reuse("no-cache", 0), Reuse::Validate);
    assert_eq!(control("max-age=60, immutable").reuse("no-cache", 0), Reuse::Validate);
}

#[test]
fn rfc_9111_5_2_1_5_no_store_of_the_request_stores_nothing_but_uses_what_is_there() {
    let request = [("Cache-Control", "no-store")];
    let case = control("max-age=60").request(&request);
    assert_eq!(case.passes(), Some(Reason::RequestNoStore));
    assert_eq!(control("max-age=60").reuse("no-store", 5), Reuse::Fresh);
}

#[test]
fn rfc_9111_5_2_1_7_only_if_cached_asks_no_origin() {
    assert_eq!(control("max-age=60").reuse("only-if-cached", 61), Reuse::Unavailable);
    assert_eq!(control("max-age=60").reuse("only-if-cached", 0), Reuse::Fresh);
}

#[test]
fn rfc_9111_5_2_2_3_must_understand_lifts_no_store_for_known_codes_only() {
    let value = "must-understand, no-store, max-age=60";
    assert_eq!(control(value).passes(), None);
    assert_eq!(control(value).status(299).passes(), Some(Reason::Status));
    assert_eq!(control("must-understand, max-age=60").status(299).passes(), Some(Reason::Status));
}

#[test]
fn rfc_9111_5_2_2_4_no_cache_validates_each_use() {
    for value in ["no-cache, max-age=60", r#"no-cache="Set-Cookie", max-age=60"#] {
        assert_eq!(control(value).reuse("", 0), Reuse::Validate, "{value}");
        assert_eq!(control(value).reuse("max-stale", 0), Reuse::Validate, "{value}");
    }
}

#[test]
fn rfc_9111_5_3_expires_counts_from_date_and_a_bad_one_is_past() {
    let expires = |value| case(&[DATE, TAG, ("Expires", value)]);
    assert_eq!(expires("Sun, 06 Nov 1994 08:50:37 GMT").lifetime(), 60);
    for value in ["0", "-1", "now", "Sun, 06 Nov 1994 08:49:37 GMT", ""] {
        assert_eq!(expires(value).reuse("", 0), Reuse::Validate, "{value}");
    }
    let undated = Case { date: None, ..case(&[TAG, ("Expires", "Sun, 06 Nov 1994 08:50:37 GMT")]) };
    assert_eq!(undated.reuse("", 0), Reuse::Validate, "no date to count from");
}

#[test]
fn rfc_9111_5_4_pragma_of_a_request_validates() {
    let pragma = RequestDirectives::of(&fields(&[("Pragma", "no-cache")]));
    assert_eq!(control("max-age=60").policy().reuse(&pragma, at(0)), Reuse::Validate);
}

// RFC 5861 and RFC 8246.

#[test]
fn rfc_5861_3_stale_while_revalidate_within_its_time() {
    let case = control("max-age=60, stale-while-revalidate=30");
    assert_eq!(case.reuse("", 59), Reuse::Fresh);
    assert_eq!(case.reuse("", 90), Reuse::StaleWhileRevalidate);
    assert_eq!(case.reuse("", 91), Reuse::Validate);
}

#[test]
fn rfc_5861_4_stale_if_error_by_response_or_request() {
    let policy = control("max-age=60, stale-if-error=30").policy();
    assert!(policy.may_serve_stale_on_error(&asked(""), at(90)));
    assert!(!policy.may_serve_stale_on_error(&asked(""), at(91)));
    let plain = control("max-age=60").policy();
    assert!(!plain.may_serve_stale_on_error(&asked(""), at(61)));
    assert!(plain.may_serve_stale_on_error(&asked("stale-if-error=30"), at(90)));
}

#[test]
fn rfc_8246_2_a_reload_does_not_validate_what_is_immutable_and_fresh() {
    let case = control("max-age=60, immutable");
    assert_eq!(case.reuse("max-age=0", 30), Reuse::Fresh);
    assert_eq!(case.reuse("max-age=0", 61), Reuse::Validate);
    assert_eq!(case.reuse("max-age=0, max-stale", 61), Reuse::Validate);
    assert_eq!(control("max-age=60").reuse("max-age=0", 30), Reuse::Validate);
}

// What the stream says about a URL.

#[test]
fn a_live_playlist_is_never_held_past_its_cap() {
    let rule = MediaRule::LivePlaylist(Duration::from_secs(3));
    let case = control("max-age=60, stale-while-revalidate=60").media(rule);
    assert_eq!(case.reuse("", 2), Reuse::Fresh);
    assert_eq!(case.reuse("", 3), Reuse::Validate);
    assert_eq!(case.reuse("max-stale", 3), Reuse::Validate);
    assert!(!case.policy().may_serve_disconnected(&asked(""), at(4)));
    assert_eq!(control("max-age=1").media(rule).lifetime(), 1, "the cap lengthens nothing");
}

#[test]
fn a_live_playlist_without_a_lifetime_is_shared_up_to_its_cap() {
    let rule = MediaRule::LivePlaylist(Duration::from_secs(3));
    assert_eq!(case(&[DATE]).media(rule).lifetime(), 3);
    assert_eq!(case(&[DATE]).media(rule).reuse("", 2), Reuse::Fresh);
    assert_eq!(case(&[DATE, TAG]).media(rule).reuse("", 3), Reuse::Validate);
    assert_eq!(control("no-cache").media(rule).reuse("", 0), Reuse::Validate);
}

#[test]
fn a_segment_gets_a_lifetime_only_where_the_origin_states_none() {
    let rule = MediaRule::Segment { lifetime: Duration::from_secs(30) };
    assert_eq!(case(&[DATE]).media(rule).lifetime(), 30);
    assert_eq!(control("max-age=5").media(rule).lifetime(), 5);
    assert_eq!(case(&[DATE, TAG, ("Expires", "0")]).media(rule).reuse("", 0), Reuse::Validate);
    assert_eq!(control("no-cache").media(rule).reuse("", 0), Reuse::Validate);
}

#[test]
fn a_live_segment_without_a_lifetime_holds_as_long_as_its_window_and_no_longer() {
    let rule = MediaRule::LiveSegment(Duration::from_secs(6));
    assert_eq!(case(&[DATE, TEN_DAYS_BEFORE]).media(rule).lifetime(), 6);
    assert_eq!(control("max-age=60").media(rule).lifetime(), 60);
}

#[test]
fn a_key_lives_as_long_as_its_origin_says_and_is_never_stale() {
    let guessed = case(&[DATE, TAG, TEN_DAYS_BEFORE]).media(MediaRule::Key);
    assert_eq!(guessed.reuse("", 0), Reuse::Validate);
    let stated = control("max-age=5, stale-while-revalidate=60").media(MediaRule::Key);
    assert_eq!(stated.lifetime(), 5);
    assert_eq!(stated.reuse("max-stale", 6), Reuse::Validate);
    assert!(!stated.policy().may_serve_disconnected(&asked(""), at(6)));
}

#[test]
fn what_a_wrong_clock_makes_of_age_counts_here_and_is_told_to_nobody() {
    let policy = Case { date: Some(Date(SENT.0 + 20)), ..control("max-age=60") }.policy();
    assert_eq!((policy.age(at(0)).as_secs(), policy.told_age(at(0)).as_secs()), (20, 0));
    assert_eq!(policy.told_age(at(3)).as_secs(), 3);
    let stated = case(&[DATE, ("Cache-Control", "max-age=60"), ("Age", "7")]).policy();
    assert_eq!(stated.told_age(at(1)).as_secs(), 8);
}
