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

use crate::base::url::{Fault, Locator, Places, Scheme, Url, has_scheme, without_dots};

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
        let reference = encoded(&reference[..before_fragment(reference)]);
        if reference.is_empty() {
            let locator = self.locator(places);
            return Ok(Led { text: None, locator, base: self.clone() });
        }
        let absolute = reference.starts_with("//") || has_scheme(&reference);
        let meant = plain(self.meant.join(&reference)?);
        let seen = plain(self.seen.join(&reference)?);
        let path = places.find(&meant).and_then(|locator| places.path_of(&locator)).map(ours);
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

/// Changes to byte spans of a text, in any order.
#[derive(Debug, Default)]
pub struct Edits {
    spans: BTreeMap<usize, (usize, Option<String>)>,
    torn: bool,
}

impl Edits {
    /// No change.
    pub const fn new() -> Self {
        Self { spans: BTreeMap::new(), torn: false }
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
    pub fn apply(&self, source: &str) -> Option<String> {
        let mut out = String::new();
        let mut copied = 0;
        for (start, end, text) in self.changes() {
            let kept = source.get(copied..start)?;
            out.reserve(kept.len() + text.len());
            out.push_str(kept);
            out.push_str(text);
            copied = end;
        }
        if copied == 0 {
            return None;
        }
        out.push_str(source.get(copied..)?);
        Some(out)
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
    if !path.contains("/.") {
        return url;
    }
    Url { target: format!("{}{query}", without_dots(path)), ..url }
}

/// The reference with what a URL cannot hold written as players write it (RFC 3986, 2.1).
fn encoded(reference: &str) -> Cow<'_, str> {
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
