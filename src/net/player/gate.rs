//! Who may ask: networks, the `Host` field (DNS rebinding) and web origins (CORS).

use core::net::IpAddr;

use crate::base::url::{Locator, Places, Url, climbs, has_dots, without_dots, without_query};
use crate::config::model::{Config, Player};
use crate::node::event::Refusal;
use crate::wire::http::fields::Fields;
use crate::wire::http::head::RequestHead;
use crate::wire::rewrite::encoded;

/// What the port asks of a request before the machine hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    player: Player,
    places: Places,
}

impl Gate {
    /// The gate that the configuration describes.
    pub fn new(config: &Config) -> Self {
        Self { player: config.player.clone(), places: config.places() }
    }

    /// Whether a client at this address is answered at all.
    pub fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        client.is_loopback() || self.player.allow.iter().any(|network| network.holds(client))
    }

    /// The resource that a request names.
    pub fn locate(&self, head: &RequestHead) -> Result<Locator, Refusal> {
        self.places.locate(&self.target(head)?).ok_or(Refusal::Origin)
    }

    /// Where a path leads that names no origin of ours, as a playlist has it of which not every URL
    /// could be put right: to the server of the only origin, or of the one whose playlist the
    /// player says that it has it from. What browsers ask everybody for goes nowhere.
    pub fn onward(&self, head: &RequestHead) -> Option<Url> {
        let target = self.target(head).ok()?;
        if is_asked_of_all(&target) || !matches!(&*head.method, "GET" | "HEAD") {
            return None;
        }
        let place = match &*self.places.0 {
            [only] => only,
            places => {
                let from = Url::parse(head.fields.first("referer")?).ok()?;
                let from =
                    self.places.locate(&from.target).filter(|_| self.is_ours(&from.authority()))?;
                places.get(usize::from(from.origin.0))?
            }
        };
        let target = encoded(&target).into_owned();
        place.bases.first().map(|base| Url { target, ..base.clone() })
    }

    /// Path and query that a request names, if it is for us.
    fn target(&self, head: &RequestHead) -> Result<String, Refusal> {
        // The absolute form is for proxies, but every server must understand it
        // (RFC 9112, 3.2.2); its authority then counts in place of the Host field.
        // A path or query may hold a URL of its own.
        let is_absolute = !head.target.starts_with('/') && head.target.contains("://");
        let absolute = is_absolute.then(|| Url::parse(&head.target));
        let (host, target) = match &absolute {
            Some(Ok(url)) => (Some(url.authority()), &*url.target),
            Some(Err(_)) => return Err(Refusal::Malformed),
            None => (head.fields.first("host").map(str::to_owned), &*head.target),
        };
        if !host.is_none_or(|host| self.is_ours(&host)) {
            return Err(Refusal::Host);
        }
        let target = target.split('#').next().unwrap_or_default();
        if !target.starts_with('/') {
            return Err(Refusal::Malformed);
        }
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let dotted = has_dots(path).then(|| without_dots(path));
        match dotted {
            _ if climbs(dotted.as_deref().unwrap_or(path)) => Err(Refusal::Malformed),
            Some(path) => Ok(path + query),
            None => Ok(target.to_owned()),
        }
    }

    /// Whether a `Host` value names this device: an address, localhost, or a configured name.
    fn is_ours(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let local =
            || name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"));
        name.parse::<IpAddr>().is_ok()
            || local()
            || self.player.host_names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// The fields that let a web page read an answer (Fetch standard, CORS protocol).
    pub fn cors(&self, fields: &Fields) -> String {
        self.allowed(fields).unwrap_or_else(|| self.vary().to_owned())
    }

    /// The same; none where its page may not read it, or no page asks.
    fn allowed(&self, fields: &Fields) -> Option<String> {
        let (origin, vary) = (fields.first("origin")?, self.vary());
        let has = |page: &str| self.player.cors.iter().any(|allowed| allowed == page);
        if has(origin) {
            return Some(format!(
                "Access-Control-Allow-Origin: {origin}\r\n{vary}\
                 Access-Control-Allow-Credentials: true\r\n{EXPOSED}{TOLD}\r\n"
            ));
        }
        has("*").then(|| format!("Access-Control-Allow-Origin: *\r\n{vary}{EXPOSED}\r\n"))
    }

    /// A browser must not give one page what it keeps for another, or for none.
    fn vary(&self) -> &'static str {
        let are_alike = self.player.cors.iter().all(|allowed| allowed == "*");
        if are_alike { "" } else { "Vary: Origin\r\n" }
    }

    /// The fields that answer a preflight; none where the request is no preflight.
    pub fn preflight(&self, head: &RequestHead) -> Option<String> {
        let method = head.fields.first("access-control-request-method")?;
        if head.method != "OPTIONS" {
            return None;
        }
        let Some(mut answer) = self.allowed(&head.fields).filter(|_| is_token(method)) else {
            return Some(String::new());
        };
        answer.push_str(&format!("Access-Control-Allow-Methods: {method}\r\n"));
        if let Some(wanted) = head.fields.first("access-control-request-headers") {
            answer.push_str(&format!("Access-Control-Allow-Headers: {wanted}\r\n"));
        }
        for (asked, granted) in PRIVATE {
            if head.fields.has(asked) {
                answer.push_str(granted);
            }
        }
        answer.push_str("Access-Control-Max-Age: 86400\r\n");
        Some(answer)
    }
}

/// Whether a target is one that browsers and robots ask of every server.
pub fn is_asked_of_all(target: &str) -> bool {
    matches!(without_query(target), "/" | "/favicon.ico" | "/robots.txt")
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// What scripts may read beside the safelisted fields: what players measure.
const EXPOSED: &str = "Access-Control-Expose-Headers: CMSD-Dynamic, CMSD-Static, \
                       Content-Length, Content-Range, ETag";

/// What named pages may read too. It says when something was watched here, or how much is, which
/// is no business of any page; where the origin's own list names it, a player has it all the same.
const TOLD: &str = ", Age, Cache-Status, Date, X-Request-Id";

/// Browsers ask before a public page may reach a private address (Private Network Access,
/// Local Network Access).
const PRIVATE: [(&str, &str); 2] = [
    ("access-control-request-private-network", "Access-Control-Allow-Private-Network: true\r\n"),
    ("access-control-request-local-network", "Access-Control-Allow-Local-Network: true\r\n"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Origin;
    use crate::config::subnet::Subnet;

    fn gate(change: impl FnOnce(&mut Config)) -> Gate {
        let base = Url::parse("http://cdn.example/").expect("a URL");
        let mut config =
            Config { origins: vec![Origin::new("cdn".into(), base)], ..Config::default() };
        change(&mut config);
        Gate::new(&config)
    }

    fn located(gate: &Gate, target: &str, host: &str) -> Result<String, Refusal> {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let head = RequestHead::parse(head.as_bytes()).expect("a head");
        gate.locate(&head).map(|locator| locator.target)
    }

    #[test]
    fn only_names_of_this_device_are_hosts() {
        let gate = gate(|config| config.player.host_names.push("box.lan".into()));
        for host in
            ["127.0.0.1:8642", "localhost", "tv.localhost", "[::1]:1", "BOX.lan", "10.0.0.1"]
        {
            assert_eq!(located(&gate, "/cdn/a", host), Ok("/a".into()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example"] {
            assert_eq!(located(&gate, "/cdn/a", host), Err(Refusal::Host), "{host}");
        }
    }

    #[test]
    fn it_is_no_open_proxy() {
        let gate = gate(|_| ());
        assert_eq!(located(&gate, "/other/a", "localhost"), Err(Refusal::Origin));
        assert_eq!(located(&gate, "/cdn/../other/a", "localhost"), Err(Refusal::Origin));
        assert_eq!(located(&gate, "/cdn/%2E%2e/other/a", "localhost"), Err(Refusal::Origin));
        assert_eq!(located(&gate, "/cdn/b/.%2e/a%2eb", "localhost"), Ok("/a%2eb".into()));
        assert_eq!(located(&gate, "/cdn/b/../a?x=../y", "localhost"), Ok("/a?x=../y".into()));
        assert_eq!(located(&gate, "http://evil.example/cdn/a", "localhost"), Err(Refusal::Host));
        assert_eq!(located(&gate, "http://127.0.0.1/cdn/a", "localhost"), Ok("/a".into()));
        assert_eq!(located(&gate, "/cdn/a?u=http://x/", "localhost"), Ok("/a?u=http://x/".into()));
        assert_eq!(located(&gate, "evil.example:443", "localhost"), Err(Refusal::Malformed));
    }

    #[test]
    fn what_names_no_origin_goes_on_to_the_one_that_it_can_be_of() {
        let onward = |gate: &Gate, line: &str, more: &str| {
            let head = format!("{line} HTTP/1.1\r\nHost: localhost:8642\r\n{more}\r\n");
            let head = RequestHead::parse(head.as_bytes()).expect("a head");
            gate.onward(&head).map(|url| url.to_string())
        };
        let one = gate(|config| {
            config.origins[0].urls[0] = Url::parse("https://cdn.example:444/live/").expect("a URL");
        });
        for (line, to) in [
            ("GET /live/a.ts?t=1", Some("https://cdn.example:444/live/a.ts?t=1")),
            ("HEAD /live/../b.ts", Some("https://cdn.example:444/b.ts")),
            ("GET //evil.example/a", Some("https://cdn.example:444//evil.example/a")),
            ("GET http://evil.example/a", None),
            ("POST /live/a.ts", None),
            ("GET /", None),
            ("GET /?x", None),
            ("GET /favicon.ico", None),
            ("GET /robots.txt", None),
        ] {
            assert_eq!(onward(&one, line, "").as_deref(), to, "{line}");
        }
        let two = gate(|config| {
            let base = Url::parse("http://tv.example/").expect("a URL");
            config.origins.push(Origin::new("tv".into(), base));
        });
        for (referer, to) in [
            ("http://localhost:8642/tv/x.m3u8", Some("http://tv.example/live/a.ts")),
            ("http://[::1]:8642/cdn/x.m3u8", Some("http://cdn.example/live/a.ts")),
            ("http://localhost:8642/none/x.m3u8", None),
            ("http://evil.example/tv/x.m3u8", None),
            ("nonsense", None),
        ] {
            let more = format!("Referer: {referer}\r\n");
            assert_eq!(onward(&two, "GET /live/a.ts", &more).as_deref(), to, "{referer}");
        }
        assert_eq!(onward(&two, "GET /live/a.ts", ""), None);
    }

    #[test]
    fn loopback_and_allowed_networks_are_answered() {
        let home = Subnet { address: IpAddr::from([192, 168, 1, 0]), bits: 24 };
        let gate = gate(|config| config.player.allow.push(home));
        for (client, admitted) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.168.1.77", true),
            ("::ffff:192.168.1.77", true),
            ("192.168.2.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(gate.admits(client.parse().expect("an address")), admitted, "{client}");
        }
    }

    #[test]
    fn a_preflight_is_granted_to_named_web_origins() {
        let head = |origin: &str| {
            let text = format!(
                "OPTIONS /cdn/a HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\n\
                 Access-Control-Request-Method: GET\r\n\
                 Access-Control-Request-Headers: range\r\n\r\n"
            );
            RequestHead::parse(text.as_bytes()).expect("a head")
        };
        let any = gate(|_| ()).preflight(&head("https://tv.example")).expect("a preflight");
        assert!(any.contains("Allow-Origin: *\r\n") && any.contains("Allow-Headers: range\r\n"));
        assert!(!any.contains("Credentials"));
        assert!(any.contains("Content-Range") && !any.contains(", Age") && !any.contains("Date"));
        let named = gate(|config| config.player.cors = vec!["https://tv.example".into()]);
        let granted = named.preflight(&head("https://tv.example")).expect("a preflight");
        assert!(granted.contains("Allow-Origin: https://tv.example\r\n"));
        assert!(granted.contains("Allow-Credentials: true\r\n"));
        assert!(granted.contains("Content-Range, ETag, Age, Cache-Status, Date,"));
        assert_eq!(named.preflight(&head("https://evil.example")), Some(String::new()));
        let both =
            gate(|config| config.player.cors = vec!["*".into(), "https://tv.example".into()]);
        assert_eq!(both.preflight(&head("https://tv.example")), Some(granted));
        let any = any.replace(": *\r\n", ": *\r\nVary: Origin\r\n");
        assert_eq!(both.preflight(&head("https://evil.example")), Some(any));
    }

    #[test]
    fn a_browser_keeps_no_answer_for_a_page_that_was_not_for_it() {
        let of = |cors: &[&str], origin: Option<&str>| {
            let named = cors.iter().map(|page| (*page).to_owned()).collect();
            let fields = origin.map(|origin| ("Origin", origin)).into_iter().collect();
            gate(|config| config.player.cors = named).cors(&fields)
        };
        for cors in [&["https://tv.example"][..], &["*", "https://tv.example"]] {
            for origin in [None, Some("https://tv.example"), Some("https://other.example")] {
                let said = of(cors, origin);
                assert!(said.contains("Vary: Origin\r\n"), "{cors:?} {origin:?}: {said}");
            }
            assert_eq!(of(cors, None), "Vary: Origin\r\n");
        }
        // Where all are answered alike, caches between need not keep one for each page.
        for cors in [&["*"][..], &[]] {
            assert_eq!(of(cors, None), "");
            assert!(!of(cors, Some("https://tv.example")).contains("Vary"));
        }
    }
}
