//! Where a reference in a playlist leads, and the least change that makes it lead there through us.
//!
//! One rule decides. A reference has what the origin *meant* (resolved at the URL that the playlist
//! was really fetched from) and what a player *sees* (resolved at the URL that it asked us for).
//! Where what is seen is our path of what was meant, not a byte changes. Otherwise the reference
//! becomes our path, or, for what is not ours, the absolute URL that was meant.
//!
//! Rewriting is therefore idempotent for what was fetched through us: read again as the playlist
//! of an origin that is our own endpoint, the text stays as it is.

use core::ops::Range;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::plan::{self, Text};
use crate::base::limits;
use crate::base::url::{
    Fault, Locator, Places, Scheme, Url, has_dots, has_scheme, without_dots, without_query,
};

/// Where a playlist came from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The URL that it was really fetched from, after redirects.
    pub url: &'a Url,
    /// What the player asked for.
    pub asked: &'a Locator,
    /// The configured origins.
    pub places: &'a Places,
}

/// What a reference is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Media and playlists: through us wherever the origin is configured.
    Media,
    /// Keys, licences and steering: kept working, absolute ones never drawn to us.
    Aside,
}

/// The two URLs that references in one place of a playlist are resolved at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    meant: Url,
    seen: Url,
}

/// Where one reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Led {
    /// The text to put in its place (without its fragment), if it must change.
    pub text: Option<String>,
    /// The resource that the player will ask us for; `None` when it asks elsewhere.
    pub locator: Option<Locator>,
    /// The base that it makes for references below it.
    pub base: Base,
}

impl Base {
    /// The base of a whole playlist; `None` when the asked origin is not configured.
    pub fn of(source: &Source<'_>) -> Option<Self> {
        let path = source.places.path_of(source.asked)?;
        Some(Self { meant: source.url.clone(), seen: ours(path) })
    }

    /// Where `reference` leads from here.
    pub fn lead(&self, reference: &str, to: Purpose, places: &Places) -> Result<Led, Fault> {
        if reference.len() > limits::http::TARGET {
            return Err(Fault::Length);
        }
        let reference = encoded(&reference[..before_fragment(reference)]);
        if reference.is_empty() {
            let locator = self.locator(places);
            return Ok(Led { text: None, locator, base: self.clone() });
        }
        let absolute = reference.starts_with("//") || has_scheme(&reference);
        let meant = plain(self.meant.join(&reference)?);
        let seen = plain(self.seen.join(&reference)?);
        if meant.target.len().max(seen.target.len()) > limits::http::TARGET {
            return Err(Fault::Length);
        }
        let found = match self.locator(places) {
            Some(from) => places.find_from(from.origin, &meant),
            None => places.find(&meant),
        };
        let path = found.and_then(|locator| places.path_of(&locator)).map(ours);
        let wanted = match (to, path) {
            (Purpose::Media, Some(path)) if is_ours(&self.seen) => path,
            (Purpose::Aside, Some(path)) if !absolute && path == seen => path,
            (_, _) => meant.clone(),
        };
        let text = (wanted != seen).then(|| written(&wanted));
        let base = Self { meant, seen: wanted };
        Ok(Led { text, locator: base.locator(places), base })
    }

    /// The resource that the player asks us for when it takes the base itself for a URL.
    pub fn locator(&self, places: &Places) -> Option<Locator> {
        is_ours(&self.seen).then(|| places.locate(&self.seen.target)).flatten()
    }
}

/// Changes to byte spans of a text, in any order, and what resolving its references has cost.
#[derive(Debug, Default)]
pub struct Edits {
    spans: BTreeMap<usize, (usize, Option<String>)>,
    torn: bool,
    references: usize,
    resolved: usize,
}

impl Edits {
    /// No change.
    pub const fn new() -> Self {
        Self { spans: BTreeMap::new(), torn: false, references: 0, resolved: 0 }
    }

    /// Accounts for a reference before it is resolved at `base`.
    pub fn afford(&mut self, base: &Base, reference: &str) -> Result<(), plan::Fault> {
        let whole = before_fragment(reference) == 0;
        let length = |url: &Url| {
            if whole { url.target.len() } else { without_query(&url.target).len() }
        };
        self.references += 1;
        self.resolved += length(&base.meant) + length(&base.seen) + reference.len();
        let over = self.references > limits::stream::REFERENCES;
        if over || self.resolved > limits::stream::RESOLVED {
            return Err(plan::Fault::Count);
        }
        Ok(())
    }

    /// Says what becomes of a span: `None` leaves it. Two different verdicts leave it as well.
    pub fn decide(&mut self, span: Range<usize>, text: Option<String>) {
        match self.spans.entry(span.start) {
            Entry::Vacant(free) => {
                free.insert((span.end, text));
            }
            Entry::Occupied(mut taken) if taken.get().1 != text => {
                taken.get_mut().1 = None;
                self.torn = true;
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Whether some span got two different verdicts.
    pub const fn torn(&self) -> bool {
        self.torn
    }

    /// The changed text; `None` when nothing changes.
    pub fn apply(&self, source: impl AsRef<[u8]>) -> Option<Text> {
        self.applied(source.as_ref())
    }

    fn applied(&self, source: &[u8]) -> Option<Text> {
        let mut out = Vec::new();
        let mut copied = 0;
        for (start, end, text) in self.changes() {
            let kept = source.get(copied..start)?;
            out.reserve(kept.len() + text.len());
            out.extend_from_slice(kept);
            out.extend_from_slice(text.as_bytes());
            copied = end;
        }
        if copied == 0 {
            return None;
        }
        out.extend_from_slice(source.get(copied..)?);
        Some(Text(out))
    }

    fn changes(&self) -> impl Iterator<Item = (usize, usize, &str)> {
        self.spans.iter().filter_map(|(start, (end, text))| Some((*start, *end, text.as_deref()?)))
    }
}

/// The length of a reference before its fragment, which no rewriting touches.
pub fn before_fragment(reference: &str) -> usize {
    reference.find('#').unwrap_or(reference.len())
}

/// A URL at our endpoint; its host is empty because every `Host` that reaches us will do.
fn ours(target: String) -> Url {
    Url { scheme: Scheme::Http, host: String::new(), port: 0, target }
}

fn is_ours(url: &Url) -> bool {
    url.host.is_empty()
}

fn written(url: &Url) -> String {
    if is_ours(url) { url.target.clone() } else { url.to_string() }
}

/// The URL as a player asks for it: no `.` or `..` left in the path of an absolute one.
fn plain(url: Url) -> Url {
    let end = url.target.find('?').unwrap_or(url.target.len());
    let (path, query) = url.target.split_at(end);
    if !has_dots(path) {
        return url;
    }
    Url { target: format!("{}{query}", without_dots(path)), ..url }
}

/// The reference with what a URL cannot hold written as players write it (RFC 3986, 2.1).
pub fn encoded(reference: &str) -> Cow<'_, str> {
    if reference.bytes().all(|b| b.is_ascii() && b != b' ') {
        return Cow::Borrowed(reference);
    }
    let mut text = String::with_capacity(reference.len() + 8);
    for byte in reference.bytes() {
        if byte.is_ascii() && byte != b' ' {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::OriginId;
    use crate::base::url::Place;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn places() -> Places {
        let place = |name: &str, base: &[&str], hosts: &[&str]| Place {
            name: name.into(),
            bases: base.iter().map(|base| url(base)).collect(),
            hosts: hosts.iter().map(|host| (*host).into()).collect(),
        };
        let bases = ["https://cdn.example/live/", "https://backup.example/l/"];
        Places(vec![
            place("tv", &bases, &["edge.example"]),
            place("b", &["http://b.example/"], &[]),
        ])
    }

    fn check(from: &str, to: Purpose, cases: &[(&str, Option<&str>)]) {
        let asked = Locator { origin: OriginId(0), target: "/ll/index.m3u8?token=t".into() };
        let (url, places) = (url(from), places());
        let base = Base::of(&Source { url: &url, asked: &asked, places: &places }).expect("a base");
        for (reference, text) in cases {
            let led = base.lead(reference, to, &places).map(|led| led.text);
            assert_eq!(led, Ok(text.map(String::from)), "{reference} from {from}");
        }
    }

    #[test]
    fn of_two_origins_at_one_address_the_one_that_is_asked_goes_on() {
        let base = vec![url("https://cdn.example/live/")];
        let hosts = Vec::new();
        let place =
            |name: &str| Place { name: name.into(), bases: base.clone(), hosts: hosts.clone() };
        let places = Places(vec![place("one"), place("other")]);
        let asked = Locator { origin: OriginId(1), target: "/index.m3u8".into() };
        let url = url("https://cdn.example/live/index.m3u8");
        let base = Base::of(&Source { url: &url, asked: &asked, places: &places }).expect("a base");
        let text =
            |reference| base.lead(reference, Purpose::Media, &places).expect("a reference").text;
        assert_eq!(text("a.ts"), None);
        assert_eq!(text("https://cdn.example/live/a.ts").as_deref(), Some("/other/a.ts"));
    }

    const STRAIGHT: &str = "https://cdn.example/live/ll/index.m3u8?token=t";

    #[test]
    fn what_already_leads_through_us_stays() {
        let stay = ["a.ts", "./a.ts?x=1#f", "../a.ts", "", "#t=1", "?q=1", "v/../../a.ts"];
        check(STRAIGHT, Purpose::Media, &stay.map(|reference| (reference, None)));
        check(STRAIGHT, Purpose::Aside, &stay.map(|reference| (reference, None)));
        let backup = "https://backup.example/l/ll/index.m3u8?token=t";
        check(backup, Purpose::Media, &stay.map(|reference| (reference, None)));
    }

    #[test]
    fn absolute_urls_of_configured_origins_become_our_path() {
        check(
            STRAIGHT,
            Purpose::Media,
            &[
                ("https://cdn.example/live/x/a.ts?q=1", Some("/tv/x/a.ts?q=1")),
                ("HTTPS://CDN.example:443/live/x/a.ts", Some("/tv/x/a.ts")),
                ("//edge.example/live/a.ts", Some("/tv/a.ts")),
                ("https://backup.example/l/a.ts", Some("/tv/a.ts")),
                ("http://b.example", Some("/b/")),
                ("https://cdn.example/live/x/../a.ts", Some("/tv/a.ts")),
                ("https://cdn.example/live/x/%2E./a.ts", Some("/tv/a.ts")),
                ("https://cdn.example/live/%2e%2e/a", None),
                ("https://cdn.example/live/a b\u{fc}.ts", Some("/tv/a%20b%C3%BC.ts")),
            ],
        );
    }

    #[test]
    fn paths_that_would_miss_the_origin_are_put_right() {
        check(
            STRAIGHT,
            Purpose::Media,
            &[
                ("/live/a.ts", Some("/tv/a.ts")),
                ("/other/a.ts", Some("https://cdn.example/other/a.ts")),
                ("/tv/a.ts", Some("https://cdn.example/tv/a.ts")),
                ("../../a.ts", Some("https://cdn.example/a.ts")),
                ("../../live/a.ts", Some("/tv/a.ts")),
                ("../../../../../live/a.ts", Some("/tv/a.ts")),
            ],
        );
    }

    #[test]
    fn foreign_hosts_and_schemes_stay_as_they_are() {
        let stay = ["https://elsewhere.example/a.ts", "http://cdn.example/live/a.ts"];
        check(STRAIGHT, Purpose::Media, &stay.map(|reference| (reference, None)));
        // We are asked over plain HTTP, where a URL without a scheme would lose its TLS.
        let secure = Some("https://elsewhere.example/a.ts");
        check(STRAIGHT, Purpose::Media, &[("//elsewhere.example/a.ts", secure)]);
        let base = Base { meant: url(STRAIGHT), seen: ours("/tv/ll/index.m3u8".into()) };
        for reference in ["data:text/plain,x", "skd://key", "urn:x:y", "ftp://cdn.example/live/"] {
            assert_eq!(base.lead(reference, Purpose::Media, &places()), Err(Fault::Scheme));
        }
    }

    #[test]
    fn behind_a_redirect_relative_references_lead_to_what_the_origin_meant() {
        check(
            "https://edge.example/live/moved/index.m3u8",
            Purpose::Media,
            &[("a.ts", Some("/tv/moved/a.ts")), ("../ll/a.ts", None), ("", None)],
        );
        check(
            "http://b.example/x/index.m3u8",
            Purpose::Media,
            &[("a.ts", Some("/b/x/a.ts")), ("/a.ts#f", Some("/b/a.ts"))],
        );
        check(
            "https://elsewhere.example/y/index.m3u8",
            Purpose::Media,
            &[
                ("a.ts?q=1", Some("https://elsewhere.example/y/a.ts?q=1")),
                ("https://cdn.example/live/a.ts", Some("/tv/a.ts")),
            ],
        );
    }

    #[test]
    fn keys_are_never_drawn_to_us_and_never_lost() {
        check(
            STRAIGHT,
            Purpose::Aside,
            &[
                ("key.bin", None),
                ("https://cdn.example/live/key.bin", None),
                ("https://elsewhere.example/key.bin", None),
                ("/live/key.bin", Some("https://cdn.example/live/key.bin")),
                ("../../key.bin", Some("https://cdn.example/key.bin")),
                ("//cdn.example/live/key.bin", Some("https://cdn.example/live/key.bin")),
            ],
        );
        check(
            "https://edge.example/live/moved/index.m3u8",
            Purpose::Aside,
            &[("key.bin", Some("https://edge.example/live/moved/key.bin"))],
        );
    }

    #[test]
    fn two_verdicts_on_one_span_leave_it() {
        let mut edits = Edits::new();
        edits.decide(4..5, Some("E".into()));
        edits.decide(0..2, Some("ABC".into()));
        edits.decide(2..3, Some("x".into()));
        edits.decide(2..3, None);
        assert_eq!(edits.apply("abcde"), Some(Text("ABCcdE".into())));
        assert!(edits.torn());
        assert_eq!(Edits::new().apply("abcde"), None);
    }
}
