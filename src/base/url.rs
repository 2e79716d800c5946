//! URLs as neap needs them (RFC 3986): split, joined, and found again at a configured origin.

use core::fmt;

use super::id::OriginId;

/// `http` or `https`; neap speaks no other scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain HTTP, port 80 unless stated.
    Http,
    /// HTTP over TLS, port 443 unless stated.
    Https,
}

impl Scheme {
    /// The port that the scheme means without one.
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An absolute URL, split; the host is lower case, IPv6 addresses stand without brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// The scheme.
    pub scheme: Scheme,
    /// Host name or address.
    pub host: String,
    /// The port, stated or the scheme's own.
    pub port: u16,
    /// Path and query as written: begins with `/`, holds no fragment.
    pub target: String,
}

/// Why a text is no URL that neap can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin with `http://` or `https://`.
    Scheme,
    /// User name and password do not belong in a URL (RFC 9110, 4.2.4).
    UserInfo,
    /// The host is empty or holds a forbidden character.
    Host,
    /// The host holds letters that DNS does not carry (RFC 5890, 2.3.2.1).
    Letters,
    /// An IPv6 address without brackets, where its end could not be told from a port.
    Brackets,
    /// The port is no number from 1 to 65535.
    Port,
    /// A control character, space or other byte that no URL holds.
    Character,
    /// More bytes than `limits::http::TARGET`.
    Length,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "it does not begin with http:// or https://",
            Self::UserInfo => "a user name or password does not belong in it",
            Self::Host => "the host is empty or holds a forbidden character",
            Self::Letters => "write the host as the DNS does (xn--...)",
            Self::Brackets => "an IPv6 address stands in brackets: [::1]",
            Self::Port => "the port is no number from 1 to 65535",
            Self::Character => "it holds a space or a control character",
            Self::Length => "it is too long",
        })
    }
}

impl Url {
    /// Reads an absolute URL; a fragment is dropped.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(Fault::Character);
        }
        let (scheme, rest) = split_scheme(text).ok_or(Fault::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if authority.contains('@') {
            return Err(Fault::UserInfo);
        }
        let (host, port) = split_authority(authority)?;
        let tail = tail.split('#').next().unwrap_or_default();
        let target = if tail.starts_with('/') { tail.into() } else { format!("/{tail}") };
        Ok(Self { scheme, host, port: port.unwrap_or(scheme.port()), target })
    }

    /// The URL that `reference` means where this one is the base (RFC 3986, 5.2).
    pub fn join(&self, reference: &str) -> Result<Self, Fault> {
        let reference = reference.split('#').next().unwrap_or_default();
        if split_scheme(reference).is_some() {
            return Self::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            let scheme = if self.scheme == Scheme::Https { "https://" } else { "http://" };
            return Self::parse(&format!("{scheme}{rest}"));
        }
        if has_scheme(reference) {
            return Err(Fault::Scheme);
        }
        if reference.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(Fault::Character);
        }
        Ok(Self { target: join_target(&self.target, reference), ..self.clone() })
    }

    /// Scheme, host and port: what decides whether two URLs are of one server.
    pub fn server(&self) -> (Scheme, &str, u16) {
        (self.scheme, &self.host, self.port)
    }

    /// Host and port as the `Host` field wants them: no port where it is the scheme's own.
    pub fn authority(&self) -> String {
        let bracketed = self.host.contains(':');
        let host = if bracketed { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

/// A resource at a configured origin: path and query below the origin's base URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Locator {
    /// Which origin.
    pub origin: OriginId,
    /// Path and query, beginning with `/`, relative to the origin's base URL.
    pub target: String,
}

/// An origin as playlists name it: where its name and its URLs meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name in our own URLs: `/{name}/...`.
    pub name: String,
    /// The base URLs, first choice first; their targets end in `/`. None where the origin is gone
    /// from the configuration: its place stays, and what is under way knows it by that.
    pub bases: Vec<Url>,
    /// Further hosts whose URLs are this origin's too: same paths as the first base.
    pub hosts: Vec<String>,
}

/// Every configured origin, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(pub Vec<Place>);

impl Places {
    /// The configured resource that an absolute URL names, if it is one of ours.
    pub fn find(&self, url: &Url) -> Option<Locator> {
        self.0.iter().enumerate().find_map(|(index, place)| {
            let target = place.below(url)?;
            Some(Locator { origin: OriginId(u16::try_from(index).ok()?), target })
        })
    }

    /// The same where a resource of an origin named the URL: of two origins that have it, that one,
    /// whose fields and certificates are meant.
    pub fn find_from(&self, origin: OriginId, url: &Url) -> Option<Locator> {
        let own = self.0.get(usize::from(origin.0)).and_then(|place| place.below(url));
        own.map(|target| Locator { origin, target }).or_else(|| self.find(url))
    }

    /// Our own path for a resource: `/{origin}/{path}?{query}`.
    pub fn path_of(&self, locator: &Locator) -> Option<String> {
        let place = self.0.get(usize::from(locator.origin.0))?;
        Some(format!("/{}{}", place.name, locator.target))
    }

    /// The resource and the name's length that a path of ours asks for.
    pub fn locate(&self, path: &str) -> Option<Locator> {
        let path = path.strip_prefix('/')?;
        let end = path.find(['/', '?']).unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        let index =
            self.0.iter().position(|place| place.name == name && !place.bases.is_empty())?;
        let target = if rest.starts_with('/') { rest.into() } else { format!("/{rest}") };
        Some(Locator { origin: OriginId(u16::try_from(index).ok()?), target })
    }

    /// The URL at the origin's first base that a resource stands for.
    pub fn url_of(&self, locator: &Locator) -> Option<Url> {
        let base = self.0.get(usize::from(locator.origin.0))?.bases.first()?;
        Some(below_base(base, &locator.target))
    }
}

impl Place {
    fn below(&self, url: &Url) -> Option<String> {
        let own = self.bases.iter().find(|base| base.server() == url.server());
        let extra = || {
            let named = self.hosts.contains(&url.host);
            self.bases.first().filter(|_| named)
        };
        let base = own.or_else(extra)?;
        let rest = url.target.strip_prefix(base.target.as_str())?;
        Some(format!("/{rest}"))
    }
}

/// The URL of `target` (beginning with `/`) below `base` (whose target ends in `/`).
pub fn below_base(base: &Url, target: &str) -> Url {
    let target = format!("{}{}", base.target, target.strip_prefix('/').unwrap_or(target));
    Url { target, ..base.clone() }
}

/// `target` without its query, for logs and pages.
pub fn without_query(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// `target` with the query parameters that `ignored` names taken out, for a resource's identity.
pub fn identity(target: &str, ignored: &[String]) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.into() };
    if ignored.is_empty() {
        return target.into();
    }
    let kept = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !ignored.iter().any(|ignored| ignored == name || ignored == "*")
    });
    let kept = kept.collect::<Vec<_>>().join("&");
    if kept.is_empty() { path.into() } else { format!("{path}?{kept}") }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let strip = |prefix: &str| {
        let head = text.get(..prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
    };
    strip("http://")
        .map(|rest| (Scheme::Http, rest))
        .or_else(|| strip("https://").map(|rest| (Scheme::Https, rest)))
}

/// Whether a reference begins with a scheme of any kind (`data:`, `skd:`; RFC 3986, 3.1).
pub fn has_scheme(reference: &str) -> bool {
    let Some(colon) = reference.find(':') else { return false };
    let name = &reference[..colon];
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn split_authority(authority: &str) -> Result<(String, Option<u16>), Fault> {
    let six = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
    if six(authority) {
        return Err(Fault::Brackets);
    }
    if !authority.is_ascii() {
        return Err(Fault::Letters);
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(Fault::Host)?;
            if !six(host) {
                return Err(Fault::Host);
            }
            (host, after.strip_prefix(':').or((!after.is_empty()).then_some(after)))
        }
        None => authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p))),
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:%".contains(&b);
    if host.is_empty() || host.len() > 255 || !host.bytes().all(allowed) {
        return Err(Fault::Host);
    }
    let port = match port {
        None | Some("") => None,
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
            Some(text.parse().ok().filter(|port| *port > 0).ok_or(Fault::Port)?)
        }
        Some(_) => return Err(Fault::Port),
    };
    Ok((host.to_ascii_lowercase(), port))
}

fn join_target(base: &str, reference: &str) -> String {
    let path = without_query(base);
    if reference.is_empty() {
        return base.into();
    }
    if reference.starts_with('?') {
        return format!("{path}{reference}");
    }
    let (reference, query) = match reference.find('?') {
        Some(at) => reference.split_at(at),
        None => (reference, ""),
    };
    let merged = if reference.starts_with('/') {
        reference.into()
    } else {
        let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
        format!("{folder}{reference}")
    };
    format!("{}{query}", without_dots(&merged))
}

/// Takes `.` and `..` out of a path (RFC 3986, 5.2.4); it never climbs above `/`.
pub fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut folder = false;
    for part in path.split('/').skip(1) {
        let dots = dots(part);
        folder = dots > 0;
        match dots {
            0 => kept.push(part),
            1 => {}
            _ => drop(kept.pop()),
        }
    }
    let end = if folder && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// Whether [`without_dots`] would change a path.
pub fn has_dots(path: &str) -> bool {
    let likely = path.contains("/.") || path.contains("/%2");
    likely && path.split('/').any(|part| dots(part) > 0)
}

/// Whether a path leads up behind a slash that is written otherwise, as in `..%2f`: no URL means a
/// folder by that, and yet some servers follow it, out of what lies below a base.
pub fn climbs(path: &str) -> bool {
    if !path.contains(['%', '\\']) {
        return false;
    }
    let path = path.replace('\\', "/").replace("%5c", "/").replace("%5C", "/");
    path.replace("%2f", "/").replace("%2F", "/").split('/').any(|part| dots(part) == 2)
}

/// Of how many dots a part of a path consists, if it is one that leads elsewhere. Servers decode
/// a part before they follow it, so that `%2e` is a dot there (WHATWG URL, 4.1).
fn dots(part: &str) -> usize {
    let (mut rest, mut count) = (part, 0);
    while let Some(after) = rest
        .strip_prefix('.')
        .or_else(|| rest.strip_prefix("%2e"))
        .or_else(|| rest.strip_prefix("%2E"))
    {
        (rest, count) = (after, count + 1);
    }
    if rest.is_empty() && count < 3 { count } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn rfc_3986_5_4_reference_resolution() {
        let base = url("http://a/b/c/d;p?q");
        for (reference, meant) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
        ] {
            assert_eq!(
                base.join(reference).map(|u| u.to_string()),
                Ok(meant.into()),
                "{reference}"
            );
        }
    }

    #[test]
    fn slashes_that_are_hidden_lead_nowhere() {
        for path in
            ["/..%2fx", "/a/..%2F..%2Fx", "/a%2f..", "/a%5c%2E.%5Cx", "/..\\x", "/..;/..%2f"]
        {
            assert!(climbs(path), "{path}");
        }
        for path in ["/a%2fb", "/a..%2fb", "/...%2f", "/%2f", "/a/.%2f", "/..;/x"] {
            assert!(!climbs(path), "{path}");
        }
    }

    #[test]
    fn dots_are_followed_however_they_are_written_and_nothing_else_changes() {
        for (path, meant) in [
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2E./b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/%2e%2e/%2e%2e", "/"),
            ("/a/b/%2e%2e", "/a/"),
        ] {
            assert!(has_dots(path), "{path}");
            assert_eq!(without_dots(path), meant, "{path}");
        }
        for path in ["/", "/a%2eb", "/%2e%2e%2e/...", "/%2ea/.b", "/a//%2f/", "/%252e%252e/%2"] {
            assert!(!has_dots(path), "{path}");
            assert_eq!(without_dots(path), path);
        }
    }

    #[test]
    fn a_url_that_neap_cannot_use_says_why() {
        for (text, fault) in [
            ("ftp://a/", Fault::Scheme),
            ("http://me:pw@a/", Fault::UserInfo),
            ("http:///x", Fault::Host),
            ("http://a:0/", Fault::Port),
            ("http://a:65536/", Fault::Port),
            ("http://a:+1/", Fault::Port),
            ("http://a/ b", Fault::Character),
            ("http://[::1", Fault::Host),
            ("http://::1/", Fault::Brackets),
            ("http://2001:db8::1", Fault::Brackets),
            ("https://b\u{fc}cher.example/", Fault::Letters),
        ] {
            assert_eq!(Url::parse(text), Err(fault), "{text}");
        }
        assert_eq!(url("HTTPS://A.example").to_string(), "https://a.example/");
        assert_eq!(url("http://[::1]:8080/x").to_string(), "http://[::1]:8080/x");
    }

    #[test]
    fn a_resource_is_found_at_its_origin_and_back() {
        let place = Place {
            name: "tv".into(),
            bases: vec![url("https://cdn.example/live/"), url("https://b.example/l/")],
            hosts: vec!["edge.example".into()],
        };
        let places = Places(vec![place]);
        let wanted = Locator { origin: OriginId(0), target: "/1/a.ts?t=1".into() };
        for text in [
            "https://cdn.example/live/1/a.ts?t=1",
            "https://b.example/l/1/a.ts?t=1",
            "https://edge.example/live/1/a.ts?t=1",
        ] {
            assert_eq!(places.find(&url(text)), Some(wanted.clone()), "{text}");
        }
        assert_eq!(places.find(&url("https://cdn.example/other/a.ts")), None);
        assert_eq!(places.path_of(&wanted).as_deref(), Some("/tv/1/a.ts?t=1"));
        assert_eq!(places.locate("/tv/1/a.ts?t=1"), Some(wanted.clone()));
        assert_eq!(places.locate("/tvx/1"), None);
        let back = places.url_of(&wanted).map(|u| u.to_string());
        assert_eq!(back.as_deref(), Some("https://cdn.example/live/1/a.ts?t=1"));
    }

    #[test]
    fn named_tokens_leave_the_identity() {
        let ignored = ["token".to_owned(), "exp".to_owned()];
        assert_eq!(identity("/a?token=1&q=2&exp=3", &ignored), "/a?q=2");
        assert_eq!(identity("/a?token=1", &ignored), "/a");
        assert_eq!(identity("/a?tokens=1", &ignored), "/a?tokens=1");
        assert_eq!(identity("/a?x=1", &["*".to_owned()]), "/a");
    }
}
