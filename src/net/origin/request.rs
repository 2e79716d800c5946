//! One request to an origin, written: what is sent, and what is not sent elsewhere.

use crate::base::url::Url;
use crate::config::model::Origin;
use crate::node::event::Order;
use crate::wire::http::fields::Fields;
use crate::wire::playlist;

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
        let is_list = playlist::recognise(None, &order.locator.target).is_some();
        if is_list && order.method == "GET" && !fields.has("range") {
            // A long list comes anew every few seconds, and packs to a tenth.
            fields.set("Accept-Encoding", "gzip");
        }
        for (name, value) in &origin.headers {
            fields.set(name, value.clone());
        }
        let url = crate::base::url::below_base(base, &order.locator.target);
        Self { method: order.method.clone(), url, fields }
    }

    /// The request that follows a redirect; what was meant for one server stays with it.
    pub fn redirected(&self, status: u16, url: Url) -> Self {
        let mut fields = self.fields.clone();
        if url.server() != self.url.server() {
            // Only what says which bytes are wanted may travel to a server that was not asked.
            fields.retain(|name, _| TRAVELS.iter().any(|t| name.eq_ignore_ascii_case(t)));
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
        line("Via", "1.1 neap");
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// Fields that go along when a redirect leads to another server.
const TRAVELS: [&str; 7] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "range",
    "if-range",
    "if-none-match",
    "user-agent",
];

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::base::id::{FetchId, OriginId};
    use crate::base::url::Locator;

    fn outgoing() -> Outgoing {
        let base = Url::parse("https://cdn.example/live/").expect("a URL");
        let mut origin = Origin::new("tv".into(), base.clone());
        origin.headers.push(("X-Key".into(), "secret".into()));
        let locator = Locator { origin: OriginId(0), target: "/a.ts?t=1".into() };
        let fields = [("Cookie", "c"), ("Authorization", "a"), ("Range", "bytes=0-1")];
        let order = Order {
            fetch: FetchId(1),
            locator,
            base: 0,
            method: "GET".into(),
            fields: fields.into_iter().collect(),
            body: None,
            hold: Duration::ZERO,
            records: false,
        };
        Outgoing::new(&order, &origin, &base)
    }

    #[test]
    fn a_redirect_to_another_server_takes_no_secret_along() {
        let to = |text: &str| outgoing().redirected(302, Url::parse(text).expect("a URL"));
        let away = String::from_utf8(to("https://edge.example/x").head(None)).expect("text");
        assert!(away.contains("Range: bytes=0-1\r\n"));
        for secret in ["Cookie", "Authorization", "X-Key"] {
            assert!(!away.contains(secret), "{secret}");
        }
        let same = String::from_utf8(to("https://cdn.example/x").head(None)).expect("text");
        assert!(same.contains("Cookie: c\r\n") && same.contains("X-Key: secret\r\n"));
        let downgraded = String::from_utf8(to("http://cdn.example/x").head(None)).expect("text");
        assert!(!downgraded.contains("Cookie"));
    }

    #[test]
    fn rfc_9110_8_6_no_body_has_a_length_where_one_could_be() {
        let head = |method: &str, body| {
            let outgoing = Outgoing { method: method.into(), ..outgoing() };
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
        let head = String::from_utf8(outgoing().head(Some(None))).expect("text");
        assert!(head.starts_with("GET /live/a.ts?t=1 HTTP/1.1\r\nHost: cdn.example\r\n"));
        assert!(head.contains("Transfer-Encoding: chunked\r\n"));
        assert!(head.ends_with("\r\n\r\n"));
    }
}
