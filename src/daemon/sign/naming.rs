//! What devices call the files: the origin's name, and the path of each below its URL.

use std::path::{Component, Path, PathBuf};

use super::fault::Fault;
use crate::base::id::OriginId;
use crate::base::url::{Locator, Place, Places, Url, below_base, without_dots, without_query};
use crate::config::merge::Merge;
use crate::config::model::Origin;

/// Where the files will be asked for.
#[derive(Debug)]
pub(super) struct Naming {
    /// The one origin, as devices' configurations have it.
    pub(super) places: Places,
    /// What stands before each file's path: begins and ends with `/`.
    pub(super) prefix: String,
}

impl Naming {
    /// Reads `--origin` and `--base`.
    pub(super) fn new(origin: Option<&str>, base: Option<&str>) -> Result<Self, Fault> {
        let stated = origin.is_some_and(|origin| origin.contains("://"));
        let url = match base {
            Some(base) if base.contains("://") => {
                Some(Url::parse(base).map_err(|why| Fault::usage(format!("--base: {why}")))?)
            }
            _ => None,
        };
        let (origin, prefix) = match (origin, &url) {
            (Some(written), Some(url)) if stated => {
                let origin = read(written)?;
                let prefix = below(&origin, url)?;
                (origin, prefix)
            }
            (Some(_), Some(_)) => return Err(Fault::usage(NO_URL)),
            (None, Some(url)) => {
                let root = Url { target: "/".into(), ..url.clone() };
                (read(&root.to_string())?, url.target.clone())
            }
            (Some(written), None) if stated => (read(written)?, base.unwrap_or("/").into()),
            (Some(name), None) => (read(&format!("{name}={NOWHERE}"))?, base.unwrap_or("/").into()),
            (None, None) => return Err(Fault::usage(NO_ORIGIN)),
        };
        let prefix = folder(&prefix)?;
        let place = Place { name: origin.name, bases: origin.urls, hosts: origin.hosts };
        Ok(Self { places: Places(vec![place]), prefix })
    }

    /// The origin's name.
    pub(super) fn origin(&self) -> &str {
        self.places.0.first().map_or("", |place| &place.name)
    }

    /// The resource that the file at `path`, relative to the folder, is to devices.
    pub(super) fn resource(&self, path: &Path) -> Locator {
        let mut target = self.prefix.clone();
        for (place, part) in path.iter().enumerate() {
            if place > 0 {
                target.push('/');
            }
            part.as_encoded_bytes().iter().for_each(|byte| push(*byte, &mut target));
        }
        Locator { origin: OriginId(0), target }
    }

    /// The file, relative to the folder, that a resource is; none where it lies outside.
    pub(super) fn file(&self, resource: &Locator) -> Option<PathBuf> {
        let rest = without_query(&resource.target).strip_prefix(&self.prefix)?;
        let path = PathBuf::from(decoded(rest)?);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        (inside && path.iter().next().is_some()).then_some(path)
    }

    /// The URL at the origin.
    pub(super) fn url(&self, resource: &Locator) -> Option<Url> {
        self.places.url_of(resource)
    }
}

/// An origin as `--origin` of the daemon reads it.
fn read(written: &str) -> Result<Origin, Fault> {
    let mut merge = Merge::default();
    merge.origin_flag(written);
    let first = |problems: Vec<_>| problems.first().map(ToString::to_string).unwrap_or_default();
    let (config, _) = merge.finish().map_err(|problems| Fault::usage(first(problems)))?;
    config.origins.into_iter().next().ok_or_else(|| Fault::usage(NO_ORIGIN))
}

fn below(origin: &Origin, url: &Url) -> Result<String, Fault> {
    let mut target = url.target.clone();
    if !target.ends_with('/') {
        target.push('/');
    }
    let found = origin.urls.iter().find(|base| base.server() == url.server());
    let rest = found.and_then(|base| target.strip_prefix(base.target.as_str()));
    let first = origin.urls.first().map(|base| below_base(base, "/").to_string());
    let first = first.unwrap_or_default();
    let rest = rest.ok_or_else(|| {
        Fault::usage(format!("--base {url} does not lie below the origin's URL {first}"))
    })?;
    Ok(format!("/{rest}"))
}

/// A path prefix that begins and ends with `/`.
fn folder(prefix: &str) -> Result<String, Fault> {
    let plain = |b: u8| b.is_ascii_graphic() && !b"?#".contains(&b);
    if !prefix.bytes().all(plain) {
        return Err(Fault::usage("--base: expected a URL, or a path such as /channel1/"));
    }
    let mut prefix = without_dots(&format!("/{}", prefix.trim_start_matches('/')));
    if !prefix.ends_with('/') {
        prefix.push('/');
    }
    Ok(prefix)
}

/// A byte of a file's name as a URL has it (RFC 3986, 3.3).
fn push(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
        out.push(char::from(byte));
    } else {
        out.push_str(&format!("%{byte:02X}"));
    }
}

/// What a path of a URL calls a file; none where it cannot be one.
fn decoded(path: &str) -> Option<String> {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok().filter(|path| !path.contains('\0'))
}

const NO_ORIGIN: &str = "the origin is not named: add --origin NAME, the name that it has in the \
                         devices' configuration, or --base with the URL of the folder";

const NO_URL: &str = "--base is a URL, so the origin's own URL must be known: write \
                      --origin NAME=URL, or --base /PATH/ below it";

/// Stands in for the origin's URL where only its name is given; no host has such a name
/// (RFC 6761, 6.4).
const NOWHERE: &str = "http://origin.invalid/";

#[cfg(test)]
mod tests {
    use super::*;

    fn named(origin: Option<&str>, base: Option<&str>) -> Result<(String, String), String> {
        let naming = Naming::new(origin, base).map_err(|fault| fault.to_string())?;
        Ok((naming.origin().into(), naming.prefix))
    }

    #[test]
    fn origin_and_base_are_understood() {
        let cdn = "tv=https://cdn.example/live/";
        for (origin, base, name, prefix) in [
            (Some("tv"), None, "tv", "/"),
            (Some("tv"), Some("/ch1/"), "tv", "/ch1/"),
            (Some("tv"), Some("ch1"), "tv", "/ch1/"),
            (Some(cdn), None, "tv", "/"),
            (Some(cdn), Some("/ch1"), "tv", "/ch1/"),
            (Some(cdn), Some("https://cdn.example/live/ch1"), "tv", "/ch1/"),
            (Some(cdn), Some("https://cdn.example/live/"), "tv", "/"),
            (None, Some("https://cdn.example/live/ch1/"), "cdn", "/live/ch1/"),
            (Some("https://cdn.example/live"), Some("/ch1"), "cdn", "/ch1/"),
        ] {
            let read = named(origin, base);
            assert_eq!(read, Ok((name.into(), prefix.into())), "{origin:?} {base:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_says_what_to_do() {
        let cdn = Some("tv=https://cdn.example/live/");
        for (origin, base, fault) in [
            (None, None, "add --origin NAME"),
            (None, Some("/ch1/"), "add --origin NAME"),
            (Some("tv"), Some("https://cdn.example/"), "--origin NAME=URL"),
            (cdn, Some("https://cdn.example/other/"), "below the origin's URL"),
            (cdn, Some("https://b.example/live/"), "below the origin's URL"),
            (Some("t v"), None, "a name of 1 to 64 letters"),
            (Some("tv"), Some("ftp://x/"), "http://"),
            (Some("tv"), Some("/a?b"), "a path such as"),
        ] {
            let said = named(origin, base).expect_err("nonsense");
            assert!(said.contains(fault), "{origin:?} {base:?}: {said}");
        }
    }

    #[test]
    fn a_file_has_the_name_that_players_ask_for_and_back() {
        let naming = Naming::new(Some("tv"), Some("/ch1")).expect("a name and a path");
        for (path, target) in [
            ("a.ts", "/ch1/a.ts"),
            ("720p/seg 1.m4s", "/ch1/720p/seg%201.m4s"),
            ("ü#?%.ts", "/ch1/%C3%BC%23%3F%25.ts"),
        ] {
            let resource = naming.resource(path.as_ref());
            assert_eq!(resource.target, target);
            assert_eq!(naming.file(&resource).as_deref(), Some(path.as_ref()));
        }
        for outside in ["/ch2/a.ts", "/ch1/", "/ch1/%2e%2e/a", "/ch1//etc", "/ch1/%0", "/ch1/a%00"]
        {
            let resource = Locator { origin: OriginId(0), target: outside.into() };
            assert_eq!(naming.file(&resource), None, "{outside}");
        }
        let tokened = Locator { origin: OriginId(0), target: "/ch1/a.ts?t=1".into() };
        assert_eq!(naming.file(&tokened).as_deref(), Some("a.ts".as_ref()));
    }
}
