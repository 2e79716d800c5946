//! Cookies of origins (RFC 6265), as they must be set for our own endpoint.

use crate::base::id::OriginId;
use crate::base::url::{Place, Places, Url};

/// Writes the `Set-Cookie` lines by which a player sends an origin's cookie where it would send it
/// without us: below the name of each origin that its `Domain` and `Path` reach.
///
/// `Domain` goes, since it is never ours. So does `Secure`, which many players heed on loopback
/// too, where what else the cookie says does not demand it.
pub fn write(lines: &mut String, value: &str, asked: OriginId, places: &Places) {
    let own = places.0.get(usize::from(asked.0));
    let Some(own) = own.filter(|_| !value.starts_with("__Host-")) else {
        return put(lines, &[NAME, value, "\r\n"]);
    };
    let (mut kept, mut domain, mut path) = (String::new(), "", "");
    let (mut secure, mut bound) = (false, value.starts_with("__"));
    for part in value.split(';') {
        let part = part.trim_ascii();
        let (name, given) = part.split_once('=').unwrap_or((part, ""));
        let is = |known| !kept.is_empty() && name.trim_ascii().eq_ignore_ascii_case(known);
        if is("domain") {
            domain = given.trim_ascii();
        } else if is("path") {
            path = given.trim_ascii();
        } else if is("secure") {
            secure = true;
        } else {
            // Browsers take these with `Secure` only.
            bound |= is("partitioned")
                || is("samesite") && given.trim_ascii().eq_ignore_ascii_case("none");
            kept.push_str(if kept.is_empty() { NAME } else { "; " });
            kept.push_str(part);
        }
    }
    if secure && bound {
        kept.push_str("; Secure");
    }
    if !path.starts_with('/') {
        // The player's own default: the folder of what it asked for.
        return put(lines, &[&kept, "\r\n"]);
    }
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    let within = |base: &Url| {
        let rest = base.host.strip_suffix(&*domain);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let is_shared = domain.contains('.') && own.bases.iter().any(within);
    for place in &places.0 {
        let is_own = core::ptr::eq(place, own);
        let same = |base: &Url| own.bases.iter().any(|own| own.host == base.host);
        let reached = |base: &Url| if is_shared { within(base) } else { same(base) };
        if !is_own && !place.bases.iter().any(reached) {
            continue;
        }
        let (slash, rest) = match below(place, path) {
            Some(rest) => ("/", rest),
            // Nothing there is asked for through us.
            None if is_own => ("", path),
            None => continue,
        };
        put(lines, &[&kept, "; Path=/", &place.name, slash, rest, "\r\n"]);
    }
}

fn put(lines: &mut String, pieces: &[&str]) {
    pieces.iter().for_each(|piece| lines.push_str(piece));
}

/// How each line begins.
const NAME: &str = "Set-Cookie: ";

/// What `path` is below the base URL of a place: nothing where it holds all of it.
fn below<'a>(place: &Place, path: &'a str) -> Option<&'a str> {
    place.bases.iter().find_map(|base| {
        let above = base.target.strip_prefix(path);
        let above = above.filter(|rest| path.ends_with('/') || rest.starts_with('/'));
        above.map(|_| "").or_else(|| path.strip_prefix(&*base.target))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let place = |name: &str, url: &str| Place {
            name: name.into(),
            bases: vec![Url::parse(url).expect("a URL")],
            hosts: Vec::new(),
        };
        Places(vec![
            place("tv", "https://cdn.example.com/live/"),
            place("api", "https://api.example.com/"),
            place("vod", "https://cdn.example.com/vod/"),
            place("far", "https://other.example/live/"),
        ])
    }

    fn written(value: &str) -> String {
        let mut lines = String::new();
        write(&mut lines, value, OriginId(0), &places());
        lines.replace("Set-Cookie: ", "").replace("\r\n", "|")
    }

    #[test]
    fn rfc_6265_5_1_4_a_cookie_goes_where_it_would_go_without_us() {
        for (value, lines) in [
            ("a=1; Path=/live/", "a=1; Path=/tv/|"),
            ("a=1; path=/live", "a=1; Path=/tv/|"),
            ("a=1;Path=/live/ch1/; HttpOnly", "a=1; HttpOnly; Path=/tv/ch1/|"),
            ("a=1; Path=/; Max-Age=60", "a=1; Max-Age=60; Path=/tv/|a=1; Max-Age=60; Path=/vod/|"),
            ("a=1; Path=/vod/x", "a=1; Path=/tv/vod/x|a=1; Path=/vod/x|"),
            ("a=1; Path=/li", "a=1; Path=/tv/li|"),
            ("a=1; HttpOnly", "a=1; HttpOnly|"),
            ("a=1; Path=live", "a=1|"),
            ("a", "a|"),
        ] {
            assert_eq!(written(value), lines, "{value}");
        }
    }

    #[test]
    fn rfc_6265_5_1_3_a_domain_reaches_the_origins_within_it() {
        let three = "a=1; Path=/tv/|a=1; Path=/api/|a=1; Path=/vod/|";
        assert_eq!(written("a=1; Domain=.Example.com; Path=/"), three);
        assert_eq!(
            written("a=1; Domain=example.com; Path=/live/"),
            "a=1; Path=/tv/|a=1; Path=/api/live/|"
        );
        let host = "a=1; Path=/tv/|a=1; Path=/vod/|";
        for domain in ["cdn.example.com", "other.example", "com", "ample.com", ""] {
            assert_eq!(written(&format!("a=1; Domain={domain}; Path=/")), host, "{domain}");
        }
    }

    #[test]
    fn what_demands_tls_keeps_it() {
        for (value, lines) in [
            ("a=1; Secure", "a=1|"),
            ("a=1; Secure; SameSite=Lax", "a=1; SameSite=Lax|"),
            ("a=1; Secure; SameSite=None", "a=1; SameSite=None; Secure|"),
            ("a=1; secure; Partitioned", "a=1; Partitioned; Secure|"),
            ("__Secure-a=1; Secure", "__Secure-a=1; Secure|"),
            ("__Host-a=1; Secure; Path=/", "__Host-a=1; Secure; Path=/|"),
        ] {
            assert_eq!(written(value), lines, "{value}");
        }
    }
}
