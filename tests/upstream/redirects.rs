//! Redirects: followed inside, without taking secrets along, and handed on where that is wanted.

use crate::certificate::{Authority, Wanted};
use crate::node::{Folder, Node};
use crate::origin::Origin;

const SECRETS: &str = "Authorization: Bearer x\r\nCookie: c=1\r\nX-Own: o\r\n";

fn elsewhere(url: &str) -> Origin {
    let url = url.to_owned();
    Origin::new(move |asked, reply| {
        reply.answer("302 Found", &format!("Location: {url}other{}\r\n", asked.path()), "moved");
    })
}

#[test]
fn a_redirect_on_the_same_server_keeps_connection_and_fields() {
    let origin = Origin::new(|asked, reply| match asked.path() {
        "/base/a" => reply.answer("301 Moved", "Location: ../b\r\n", "moved"),
        _ => reply.answer("200 OK", "Cache-Control: max-age=60\r\n", &asked.target),
    });
    let node = Node::with(&format!("{}base", origin.url()), "headers = { X-Key = \"k\" }");
    let got = node.get_with("/tv/a", SECRETS);
    got.is("/b");
    let asked = origin.about("/b");
    for name in ["authorization", "cookie", "x-own", "x-key"] {
        assert!(asked[0].field(name).is_some(), "{name}");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn no_field_that_opens_doors_crosses_to_another_server() {
    let other = Origin::new(|asked, reply| reply.answer("200 OK", "", &asked.target));
    let origin = elsewhere(&other.url());
    let node = Node::with(&origin.url(), "headers = { X-Key = \"k\" }");
    let fields = format!("{SECRETS}User-Agent: TV\r\nReferer: http://page.example/?s=1\r\n");
    node.get_with("/tv/a", &fields).is("/other/a");
    let first = &origin.asked()[0];
    let second = &other.asked()[0];
    for name in ["authorization", "cookie", "x-own", "x-key"] {
        assert!(first.field(name).is_some(), "{name} does not reach the origin");
        assert!(second.field(name).is_none(), "{name} crosses");
    }
    assert!(second.field("referer").is_none());
    assert_eq!(second.field("user-agent"), Some("TV"));
    assert_eq!(second.field("host"), Some(&*format!("127.0.0.1:{}", other.port)));
}

#[test]
fn a_redirect_out_of_tls_is_a_502() {
    let plain = Origin::new(|_, reply| reply.answer("200 OK", "", "plain"));
    let (folder, authority, url) = (Folder::new(), Authority::new("root"), plain.url());
    let server = authority.server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS);
    let origin = Origin::secure(server, move |_, reply| {
        reply.answer("302 Found", &format!("Location: {url}\r\n"), "");
    });
    authority.write(&folder.join("ca.pem"));
    let ca = format!("ca = \"{}\"", folder.join("ca.pem").display());
    let node = Node::with(&origin.url(), &ca);
    node.get("/tv/a").is_trouble(502, "redirects");
    node.logged(&["<4>", "a redirect leaves TLS"]);
    assert_eq!(plain.asked().len(), 0);
}

#[test]
fn a_redirect_into_tls_is_followed() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let server = authority.server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS);
    let safe = Origin::secure(server, |asked, reply| reply.answer("200 OK", "", &asked.target));
    authority.write(&folder.join("ca.pem"));
    let ca = format!("ca = \"{}\"", folder.join("ca.pem").display());
    let origin = elsewhere(&safe.url());
    Node::with(&origin.url(), &ca).get("/tv/a").is("/other/a");
}

#[test]
fn a_loop_ends_after_few_rounds() {
    let origin = Origin::new(|_, reply| reply.answer("302 Found", "Location: /a\r\n", ""));
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is_trouble(502, "redirects");
    assert!(origin.asked().len() <= 6, "{} requests", origin.asked().len());
    node.logged(&["<4>", "more than 5 redirects"]);
}

#[test]
fn a_place_that_is_none_is_a_502() {
    for place in ["ftp://127.0.0.1/x", "http://", "http://[::1", "javascript:alert(1)"] {
        let origin = Origin::new(move |_, reply| {
            reply.answer("302 Found", &format!("Location: {place}\r\n"), "");
        });
        let node = Node::with(&origin.url(), "");
        node.get("/tv/a").is_trouble(502, "redirects");
    }
}

#[test]
fn a_redirect_of_a_range_keeps_the_range() {
    let body = crate::origin::pattern(100_000);
    let copy = body.clone();
    let other = Origin::new(move |asked, reply| reply.file(asked, "\"a\"", &copy));
    let node = Node::with(&elsewhere(&other.url()).url(), "");
    drop(node);
    let origin = elsewhere(&other.url());
    let node = Node::with(&origin.url(), "");
    let got = node.range("/tv/a", 70_000, 79_999);
    got.is_status(206, &body[70_000..80_000]);
    assert!(other.asked()[0].field("range").is_some());
}

#[test]
fn where_they_are_not_followed_they_lead_back_to_us() {
    let origin = Origin::new(|asked, reply| {
        let place = match asked.path() {
            "/base/whole" => "LOCATION/base/x?y=1",
            "/base/path" => "/base/x?y=1",
            "/base/near" => "x?y=1",
            "/base/above" => "/elsewhere",
            _ => "https://foreign.example/z",
        };
        let host = asked.field("host").unwrap_or_default();
        let place = place.replace("LOCATION", &format!("http://{host}"));
        reply.answer("302 Found", &format!("Location: {place}\r\n"), "moved");
    });
    let node = Node::with(&format!("{}base/", origin.url()), "follow-redirects = false");
    for (path, place) in [
        ("/tv/whole", "/tv/x?y=1".to_owned()),
        ("/tv/path", "/tv/x?y=1".to_owned()),
        ("/tv/near", "/tv/x?y=1".to_owned()),
        ("/tv/above", format!("{}elsewhere", origin.url())),
        ("/tv/foreign", "https://foreign.example/z".to_owned()),
    ] {
        let got = node.get(path);
        got.is_status(302, "moved");
        assert_eq!(got.field("location"), Some(&*place), "{path}");
    }
}

#[test]
fn a_playlist_behind_a_redirect_means_places_from_there() {
    let other = Origin::new(|_, reply| {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nseg/1.ts\n#EXTINF:4,\n/2.ts\n\
                    #EXTINF:4,\nhttps://foreign.example/3.ts\n#EXT-X-ENDLIST\n";
        reply.answer("200 OK", "Content-Type: application/vnd.apple.mpegurl\r\n", text);
    });
    let origin = elsewhere(&other.url());
    let node = Node::configured(&format!(
        "[[origin]]\nname = \"tv\"\nurl = \"{}\"\n[[origin]]\nname = \"edge\"\nurl = \"{}\"\n",
        origin.url(),
        other.url()
    ));
    let got = node.get("/tv/live/a.m3u8");
    assert_eq!((got.status, got.whole), (200, true));
    let lines: Vec<_> = got.body.split(|b| *b == b'\n').collect();
    let text = got.text();
    // `seg/1.ts` lies beside the place where the playlist really is, on the other server.
    assert!(text.contains("/edge/other/live/seg/1.ts"), "{text}");
    assert!(text.contains("/edge/2.ts"), "{text}");
    assert!(text.contains("\nhttps://foreign.example/3.ts"), "{text}");
    assert_eq!(lines.len(), 10, "{text}");
}

#[test]
fn a_playlist_redirected_to_a_foreign_server_names_that_server() {
    let other = Origin::new(|_, reply| {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nseg/1.ts\n#EXT-X-ENDLIST\n";
        reply.answer("200 OK", "Content-Type: application/vnd.apple.mpegurl\r\n", text);
    });
    let origin = elsewhere(&other.url());
    let node = Node::with(&origin.url(), "");
    let text = node.get("/tv/live/a.m3u8").text();
    // Relative to us it would lead to the origin, where the segment is not.
    assert!(text.contains(&format!("{}other/live/seg/1.ts", other.url())), "{text}");
}
