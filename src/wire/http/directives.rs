//! Cache directives of requests and responses (RFC 9111, 5.2; RFC 5861; RFC 8246).

use core::time::Duration;

use super::fields::{Fields, list};

/// What a request's `Cache-Control` demands (RFC 9111, 5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// A stored response must be validated before it is used.
    pub no_cache: bool,
    /// Nothing of this exchange may be stored.
    pub no_store: bool,
    /// The body must not be transformed; neap never does.
    pub no_transform: bool,
    /// 504 rather than asking the origin.
    pub only_if_cached: bool,
    /// Greatest age that is acceptable.
    pub max_age: Option<Duration>,
    /// Least freshness that must be left.
    pub min_fresh: Option<Duration>,
    /// How stale a response may be; `Duration::MAX` without an argument.
    pub max_stale: Option<Duration>,
    /// How stale a response may be when the origin fails (RFC 5861, 4).
    pub stale_if_error: Option<Duration>,
}

/// What a response's `Cache-Control` demands or allows (RFC 9111, 5.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// It must be validated before each use; the form with field names counts as this.
    pub no_cache: bool,
    /// It must not be stored.
    pub no_store: bool,
    /// It is for one user; the form with field names counts as this.
    pub private: bool,
    /// It may be stored where it otherwise might not.
    pub public: bool,
    /// It must not be used stale.
    pub must_revalidate: bool,
    /// It must not be used stale by a shared cache.
    pub proxy_revalidate: bool,
    /// Only a cache that understands the status code may store it.
    pub must_understand: bool,
    /// The body must not be transformed; neap never does.
    pub no_transform: bool,
    /// It never changes while it is fresh (RFC 8246).
    pub immutable: bool,
    /// Its lifetime; zero where the argument is unreadable (RFC 9111, 4.2.1).
    pub max_age: Option<Duration>,
    /// Its lifetime in a shared cache; zero where the argument is unreadable.
    pub s_maxage: Option<Duration>,
    /// How long it may be used stale while it is validated (RFC 5861, 3).
    pub stale_while_revalidate: Option<Duration>,
    /// How long it may be used stale when the origin fails (RFC 5861, 4).
    pub stale_if_error: Option<Duration>,
}

impl RequestDirectives {
    /// Reads `Cache-Control`, or `Pragma: no-cache` where there is none (RFC 9111, 5.4).
    ///
    /// Of several values of one directive the strictest holds; an unreadable one is the
    /// strictest of all. Unknown directives are ignored (RFC 9111, 5.2.3).
    pub fn of(request: &Fields) -> Self {
        let mut found = Self::default();
        if !request.has("cache-control") {
            found.no_cache = request.members("pragma").any(|m| m.eq_ignore_ascii_case("no-cache"));
            return found;
        }
        each(request, |name, argument| found.add(name, argument));
        found
    }

    fn add(&mut self, name: &str, argument: Option<&str>) {
        match_name(name, |name| match name {
            "no-cache" => self.no_cache = true,
            "no-store" => self.no_store = true,
            "no-transform" => self.no_transform = true,
            "only-if-cached" => self.only_if_cached = true,
            "max-age" => least(&mut self.max_age, delta(argument).unwrap_or_default()),
            "min-fresh" => {
                let wanted = delta(argument).unwrap_or(Duration::MAX);
                self.min_fresh = Some(self.min_fresh.map_or(wanted, |old| old.max(wanted)));
            }
            "max-stale" => {
                let any = argument.is_none().then_some(Duration::MAX);
                least(&mut self.max_stale, any.or(delta(argument)).unwrap_or_default());
            }
            "stale-if-error" => {
                least(&mut self.stale_if_error, delta(argument).unwrap_or_default());
            }
            _ => {}
        });
    }
}

impl ResponseDirectives {
    /// Reads `Cache-Control`; the strictest of several values holds, as in requests.
    pub fn of(response: &Fields) -> Self {
        let mut found = Self::default();
        each(response, |name, argument| found.add(name, argument));
        found
    }

    fn add(&mut self, name: &str, argument: Option<&str>) {
        let time = delta(argument).unwrap_or_default();
        match_name(name, |name| match name {
            "no-cache" => self.no_cache = true,
            "no-store" => self.no_store = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "must-understand" => self.must_understand = true,
            "no-transform" => self.no_transform = true,
            "immutable" => self.immutable = true,
            "max-age" => least(&mut self.max_age, time),
            "s-maxage" => least(&mut self.s_maxage, time),
            "stale-while-revalidate" => least(&mut self.stale_while_revalidate, time),
            "stale-if-error" => least(&mut self.stale_if_error, time),
            _ => {}
        });
    }
}

/// Reads a delta-seconds value; one too large is 2^31 seconds (RFC 9111, 1.2.2).
pub fn delta_seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = text.parse::<u64>().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds.min(LONGEST)))
}

/// Hands every directive with its argument, quotes taken off, to `take`.
fn each(fields: &Fields, mut take: impl FnMut(&str, Option<&str>)) {
    for member in fields.members("cache-control") {
        take_one(member, &mut take);
        // A stray quote may have swallowed what follows it: nothing in there may get lost.
        if !is_well_quoted(member) {
            member.split(',').skip(1).flat_map(list).for_each(|part| take_one(part, &mut take));
        }
    }
}

/// Whether quotes stand only around the whole argument (RFC 9110, 5.6.4).
fn is_well_quoted(member: &str) -> bool {
    let Some((before, quoted)) = member.split_once('"') else { return true };
    let mut escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    before.ends_with('=') && end.is_some_and(|end| end + 1 == quoted.len())
}

fn take_one(member: &str, take: &mut impl FnMut(&str, Option<&str>)) {
    let (name, argument) = match member.split_once('=') {
        Some((name, argument)) => (name.trim_end(), Some(argument.trim())),
        None => (member, None),
    };
    let unquoted = |a: &str| a.strip_prefix('"').and_then(|a| a.strip_suffix('"')).map(str::len);
    let argument = argument.map(|a| unquoted(a).map_or(a, |length| &a[1..=length]));
    take(name.trim_end_matches('"'), argument);
}

/// Calls `act` with the name in lower case, without allocating; longer names are unknown.
fn match_name(name: &str, act: impl FnOnce(&str)) {
    let mut lower = [0; 24];
    let Some(lower) = lower.get_mut(..name.len()) else { return };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    if let Ok(name) = core::str::from_utf8(lower) {
        act(name);
    }
}

fn delta(argument: Option<&str>) -> Option<Duration> {
    argument.and_then(delta_seconds)
}

fn least(held: &mut Option<Duration>, new: Duration) {
    *held = Some(held.map_or(new, |old| old.min(new)));
}

/// What a delta-seconds value that overflows counts as (RFC 9111, 1.2.2).
const LONGEST: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    fn response(values: &[&str]) -> ResponseDirectives {
        ResponseDirectives::of(&values.iter().map(|v| ("Cache-Control", *v)).collect())
    }

    fn request(values: &[(&str, &str)]) -> RequestDirectives {
        RequestDirectives::of(&values.iter().copied().collect())
    }

    const fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn rfc_9111_5_2_names_have_no_case_and_arguments_two_forms() {
        let found = response(&["MAX-AGE=5, S-MaxAge=\"7\" , Public", "max-stale"]);
        assert_eq!((found.max_age, found.s_maxage, found.public), (seconds(5), seconds(7), true));
    }

    #[test]
    fn rfc_9111_4_2_1_the_strictest_of_several_holds() {
        let found = response(&["max-age=60, max-age=5", "max-age=30, public, no-cache"]);
        assert_eq!((found.max_age, found.no_cache), (seconds(5), true));
        let asked =
            request(&[("Cache-Control", "min-fresh=5, min-fresh=9, max-stale=8, max-stale")]);
        assert_eq!((asked.min_fresh, asked.max_stale), (seconds(9), seconds(8)));
    }

    #[test]
    fn rfc_9111_1_2_2_a_number_too_large_is_two_to_the_31() {
        for text in ["2147483648", "2147483649", "99999999999999999999999999"] {
            let found = response(&[&format!("max-age={text}")]);
            assert_eq!(found.max_age, seconds(1 << 31), "{text}");
        }
    }

    #[test]
    fn rfc_9111_4_2_1_an_unreadable_lifetime_is_none_left() {
        for text in ["max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=1.5", "max-age='5'"]
        {
            assert_eq!(response(&[text]).max_age, seconds(0), "{text}");
        }
    }

    #[test]
    fn rfc_9111_5_2_2_4_and_7_forms_with_field_names_count_as_without() {
        let found = response(&[r#"no-cache="Set-Cookie, X", private="Y""#]);
        assert!(found.no_cache && found.private);
    }

    #[test]
    fn rfc_9111_5_2_3_unknown_directives_are_ignored() {
        let found =
            response(&[r#"community="no-store", ext=1, x-a-directive-longer-than-any-known"#]);
        assert_eq!(found, ResponseDirectives::default());
    }

    #[test]
    fn an_open_quote_hides_no_directive() {
        assert!(response(&[r#"ext="a, no-store"#]).no_store);
        assert!(response(&[r#"ext=a", no-store"#]).no_store);
    }

    #[test]
    fn rfc_5861_and_rfc_8246_extensions_are_read() {
        let found = response(&["stale-while-revalidate=30, stale-if-error=600, immutable"]);
        assert_eq!(found.stale_while_revalidate, seconds(30));
        assert_eq!(found.stale_if_error, seconds(600));
        assert!(found.immutable);
    }

    #[test]
    fn rfc_9111_5_4_pragma_speaks_only_where_cache_control_is_silent() {
        assert!(request(&[("Pragma", "x, No-Cache")]).no_cache);
        assert!(!request(&[("Pragma", "no-cache"), ("Cache-Control", "max-age=5")]).no_cache);
    }

    #[test]
    fn rfc_9111_5_2_1_request_directives_are_read() {
        let asked = request(&[("cache-control", "no-store, only-if-cached, max-stale, max-age=0")]);
        assert!(asked.no_store && asked.only_if_cached && !asked.no_cache);
        assert_eq!((asked.max_age, asked.max_stale), (seconds(0), Some(Duration::MAX)));
    }
}
