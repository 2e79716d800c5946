//! One request to an origin, written: what is sent, and what is not sent elsewhere.

use crate::base::url::{Scheme, Url};
use crate::config::model::Origin;
use crate::node::event::Order;
use crate::wire::http::fields::Fields;

/// A request on its way, perhaps through redirects.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The method.
    pub method: String,
    /// Where to.
    pub url: Url,
    /// The fields, without those of the connection.
    pub fields: Fields,
}

impl Outgoing {
    /// The request that an order means at one of the origin's base URLs.
    pub fn new(order: &Order, origin: &Origin, base: &Url) -> Self {
        let mut fields = order.fields.clone();
        if order.list && order.method == "GET" && !fields.has("range") {
            // A long list comes anew every few seconds, and packs to a tenth.
            fields.set("Accept-Encoding", PACKED);
        }
        for (name, value) in &origin.headers {
            fields.set(name, value.clone());
        }
        let url = crate::base::url::below_base(base, &order.locator.target);
        Self { method: order.method.clone(), url, fields }
    }

    /// The request that follows a redirect; what was meant for one server stays with it.
    pub fn redirected(&self, status: u16, url: Url, origin: &Origin) -> Self {
        let mut fields = self.fields.clone();
        if !is_of_same_server(&self.url, &url) {
            // Neither a viewer's secrets nor an operator's travel to a server that was not asked.
            fields.retain(|name, _| {
                let is = |other: &str| name.eq_ignore_ascii_case(other);
                let own = origin.headers.iter().any(|(own, _)| is(own));
                !SECRETS.into_iter().any(is) && (!own || OPEN.into_iter().any(is))
            });
        }
        let page = fields.first("referer").filter(|_| url.host != self.url.host).map(Url::parse);
        match page {
            // As browsers do (Referrer Policy, strict-origin-when-cross-origin).
            Some(Ok(page)) => {
                fields.set("Referer", Url { target: "/".into(), ..page }.to_string());
            }
            Some(Err(_)) => fields.remove("referer"),
            None => {}
        }
        let to_get = status == 303 && self.method != "HEAD";
        let method = if to_get { "GET".into() } else { self.method.clone() };
        Self { method, url, fields }
    }

    /// Whether asking twice does no harm (RFC 9110, 9.2.2).
    pub fn is_idempotent(&self) -> bool {
        matches!(&*self.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE")
    }

    /// The head as bytes; `body`: no body, one of unknown length, one of a known length.
    pub fn head(&self, body: Option<Option<u64>>) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.url.target);
        let mut line = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        line("Host", &self.url.authority());
        self.fields.iter().for_each(|(name, value)| line(name, value));
        match body {
            Some(Some(length)) => line("Content-Length", &length.to_string()),
            Some(None) => line("Transfer-Encoding", "chunked"),
            // Without it servers ask for one (RFC 9110, 8.6).
            None if matches!(&*self.method, "POST" | "PUT" | "PATCH") => {
                line("Content-Length", "0");
            }
            None => {}
        }
        // nginx packs nothing for who says to be a proxy, unless it is told to: a deviation from
        // RFC 9110, 7.6.3, without which such a list is ten times as long as a player's own.
        if self.fields.first("accept-encoding") != Some(PACKED) {
            line("Via", "1.1 neap");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// Whether what was meant for one server may go to another URL: TLS at the same host is the same.
fn is_of_same_server(from: &Url, to: &Url) -> bool {
    let upgraded = (from.scheme, to.scheme) == (Scheme::Http, Scheme::Https);
    let port = from.port == to.port || (from.port, to.port) == (80, 443);
    from.server() == to.server() || (upgraded && from.host == to.host && port)
}

/// The coding that lists are asked for in.
const PACKED: &str = "gzip";

/// Fields of a player that open doors: no redirect takes them to another server.
const SECRETS: [&str; 2] = ["authorization", "cookie"];

/// Configured fields that go along all the same: they hold for every server.
const OPEN: [&str; 6] =
    ["accept", "accept-encoding", "accept-language", "origin", "referer", "user-agent"];

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::base::id::{FetchId, OriginId};
    use crate::base::url::Locator;

    fn origin(base: &str) -> (Origin, Url) {
        let base = Url::parse(base).expect("a URL");
        let mut origin = Origin::new("tv".into(), base.clone());
        origin.headers.push(("X-Key".into(), "secret".into()));
        origin.headers.push(("User-Agent".into(), "TV".into()));
        (origin, base)
    }

    fn order(target: &str) -> Order {
        let fields = [
            ("Cookie", "c"),
            ("Authorization", "a"),
            ("Referer", "https://page.example/x?s=1"),
            ("CMCD-Request", "bl=1"),
        ];
        Order {
            fetch: FetchId(1),
            locator: Locator { origin: OriginId(0), target: target.into() },
            base: 0,
            method: "GET".into(),
            fields: fields.into_iter().collect(),
            body: None,
            hold: Duration::ZERO,
            records: false,
            list: target.contains(".m3u8"),
            player: true,
        }
    }

    fn outgoing(base: &str) -> Outgoing {
        let (origin, base) = origin(base);
        let mut order = order("/a.ts?t=1");
        order.fields.set("Range", "bytes=0-1");
        Outgoing::new(&order, &origin, &base)
    }

    fn redirected(base: &str, to: &str) -> String {
        let url = Url::parse(to).expect("a URL");
        let next = outgoing(base).redirected(302, url, &origin(base).0);
        String::from_utf8(next.head(None)).expect("text")
    }

    #[test]
    fn a_list_is_asked_for_packed_and_without_saying_to_be_a_proxy() {
        let (mut origin, base) = origin("https://cdn.example/");
        let head = |origin: &Origin, target: &str| {
            let outgoing = Outgoing::new(&order(target), origin, &base);
            String::from_utf8(outgoing.head(None)).expect("text")
        };
        let list = head(&origin, "/p.m3u8");
        assert!(list.contains("Accept-Encoding: gzip\r\n") && !list.contains("Via"), "{list}");
        assert!(head(&origin, "/a.ts").contains("Via: 1.1 neap\r\n"));
        origin.headers.push(("Accept-Encoding".into(), "identity".into()));
        assert!(head(&origin, "/p.m3u8").contains("Via: 1.1 neap\r\n"));
    }

    #[test]
    fn a_redirect_to_another_server_takes_no_secret_along() {
        let base = "https://cdn.example/live/";
        let away = redirected(base, "https://edge.example/x");
        for open in ["Range: bytes=0-1", "CMCD-Request: bl=1", "User-Agent: TV"] {
            assert!(away.contains(&format!("{open}\r\n")), "{away}");
        }
        assert!(away.contains("Referer: https://page.example/\r\n"), "{away}");
        let port = redirected(base, "https://cdn.example:444/x");
        assert!(port.contains("Referer: https://page.example/x?s=1\r\n"), "{port}");
        let downgraded = redirected(base, "http://cdn.example/x");
        for secret in ["Cookie", "Authorization", "X-Key"] {
            assert!(![&*away, &port, &downgraded].iter().any(|head| head.contains(secret)));
        }
    }

    #[test]
    fn tls_at_the_same_host_is_the_same_server() {
        for (base, to, same) in [
            ("https://cdn.example/live/", "https://cdn.example/x", true),
            ("http://cdn.example/live/", "https://cdn.example/x", true),
            ("http://cdn.example:81/live/", "https://cdn.example:81/x", true),
            ("http://cdn.example:81/live/", "https://cdn.example/x", false),
            ("http://cdn.example/live/", "https://cdn.example:81/x", false),
            ("http://cdn.example/live/", "https://edge.example/x", false),
        ] {
            let head = redirected(base, to);
            for secret in ["Cookie: c\r\n", "Authorization: a\r\n", "X-Key: secret\r\n"] {
                assert_eq!(head.contains(secret), same, "{base} to {to}: {secret}");
            }
        }
    }

    #[test]
    fn rfc_9110_8_6_no_body_has_a_length_where_one_could_be() {
        let head = |method: &str, body| {
            let outgoing = Outgoing { method: method.into(), ..outgoing("http://cdn.example/") };
            String::from_utf8(outgoing.head(body)).expect("text")
        };
        for method in ["POST", "PUT", "PATCH"] {
            assert!(head(method, None).contains("Content-Length: 0\r\n"), "{method}");
            assert!(!head(method, Some(None)).contains("Content-Length"), "{method}");
        }
        assert!(!head("GET", None).contains("Content-Length"));
    }

    #[test]
    fn the_target_goes_out_as_it_came_in() {
        let head = outgoing("https://cdn.example/live/").head(Some(None));
        let head = String::from_utf8(head).expect("text");
        assert!(head.starts_with("GET /live/a.ts?t=1 HTTP/1.1\r\nHost: cdn.example\r\n"));
        assert!(head.contains("Transfer-Encoding: chunked\r\n"));
        assert!(head.ends_with("\r\n\r\n"));
    }
}
