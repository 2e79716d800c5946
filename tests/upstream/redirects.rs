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
    let fields = format!("{SECRETS}User-Agent: TV\r\nCMCD-Request: bl=4\r\n");
    node.get_with("/tv/a", &fields).is("/other/a");
    let first = &origin.asked()[0];
    let second = &other.asked()[0];
    for name in ["authorization", "cookie", "x-key"] {
        assert!(first.field(name).is_some(), "{name} does not reach the origin");
        assert!(second.field(name).is_none(), "{name} crosses");
    }
    assert_eq!(second.field("user-agent"), Some("TV"));
    assert_eq!(second.field("cmcd-request"), Some("bl=4"));
    assert_eq!(second.field("host"), Some(&*format!("127.0.0.1:{}", other.port)));
}

#[test]
fn an_edge_that_asks_where_a_viewer_comes_from_is_told_the_site() {
    let other = Origin::new(|asked, reply| match asked.field("referer") {
        Some("http://page.example/") => reply.answer("200 OK", "", "seen"),
        other => reply.answer("403 Forbidden", "", other.unwrap_or("none")),
    });
    let url = other.url().replace("127.0.0.1", "localhost");
    let origin = elsewhere(&url);
    let node = Node::with(&origin.url(), "");
    node.get_with("/tv/a", "Referer: http://page.example/?s=1\r\n").is("seen");
}

#[test]
fn a_place_with_a_blank_or_a_user_is_followed() {
    let origin = Origin::new(|asked, reply| {
        let host = asked.field("host").unwrap_or_default();
        let place = match asked.path() {
            "/blank" => "/tar get?x=a b".to_owned(),
            "/user" => format!("http://u:p@{host}/there"),
            _ => return reply.answer("200 OK", "", &asked.target),
        };
        reply.answer("302 Found", &format!("Location: {place}\r\n"), "");
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/blank").is("/tar%20get?x=a%20b");
    node.get("/tv/user").is("/there");
}

#[test]
fn what_a_redirect_forbids_to_keep_is_not_kept() {
    for (fields, asked) in [
        ("Cache-Control: no-store\r\n", 4),
        ("Cache-Control: private\r\n", 4),
        ("Cache-Control: no-cache\r\n", 4),
        ("", 2),
    ] {
        let origin = Origin::new(move |asked, reply| match asked.path() {
            "/a.ts" => {
                let place = format!("{fields}Location: /{}.ts\r\n", asked.before);
                reply.answer("302 Found", &place, "");
            }
            path => reply.answer("200 OK", "Cache-Control: max-age=60\r\n", path),
        });
        let node = Node::with(&origin.url(), "");
        node.get("/tv/a.ts").is("/0.ts");
        let last = if asked == 4 { "/1.ts" } else { "/0.ts" };
        node.get("/tv/a.ts").is(last);
        assert_eq!(origin.asked().len(), asked, "{fields}");
    }
}

/// A server that begins a session with each who asks for the playlist.
fn sessions(place: impl Fn(usize) -> String + Send + Sync + 'static) -> Origin {
    Origin::new(move |asked, reply| match asked.path() {
        "/a.m3u8" => {
            reply.answer("302 Found", &format!("Location: {}\r\n", place(asked.before)), "");
        }
        path => {
            let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{path}.ts\n");
            let fields = "Cache-Control: max-age=60\r\nETag: \"a\"\r\n";
            reply.answer("200 OK", fields, text);
        }
    })
}

#[test]
fn a_player_is_sent_to_its_own_session_and_stays_there() {
    let origin = sessions(|before| format!("/{before}/l.m3u8?s=1"));
    let node = Node::with(&origin.url(), "");
    for session in ["/tv/0/l.m3u8?s=1", "/tv/1/l.m3u8?s=1"] {
        let got = node.get("/tv/a.m3u8");
        got.is_status(302, "");
        assert_eq!(got.field("location"), Some(session));
        let text = node.get(session).text();
        assert!(text.contains(&session.replace("/tv", "").replace("?s=1", ".ts")), "{text}");
    }
    assert_eq!(origin.asked().len(), 4);
}

#[test]
fn a_session_at_a_server_that_is_not_asked_by_name_is_followed_here() {
    let edge = sessions(|_| String::new());
    let url = edge.url();
    let origin = sessions(move |before| format!("{url}{before}.m3u8"));
    let node = Node::with(&origin.url(), "");
    for session in ["/0.m3u8.ts", "/1.m3u8.ts"] {
        let got = node.get("/tv/a.m3u8");
        assert_eq!((got.status, got.text().contains(session)), (200, true), "{}", got.text());
    }
}

#[test]
fn a_cookie_on_the_way_reaches_the_player_and_what_lies_behind() {
    let origin = Origin::new(|asked, reply| match (asked.path(), asked.field("cookie")) {
        ("/base/a", _) => {
            let fields = "Location: b?x=1\r\nSet-Cookie: tok=abc; Path=/base/; HttpOnly\r\n";
            reply.answer("302 Found", fields, "");
        }
        ("/base/b", Some("tok=abc")) => reply.answer("200 OK", "", "in"),
        _ => reply.answer("403 Forbidden", "", "no cookie"),
    });
    let node = Node::with(&format!("{}base/", origin.url()), "");
    let got = node.get("/tv/a");
    got.is_status(302, "");
    assert_eq!(got.field("location"), Some("/tv/b?x=1"));
    assert_eq!(got.field("set-cookie"), Some("tok=abc; HttpOnly; Path=/tv/"));
    node.get_with("/tv/b?x=1", "Cookie: tok=abc\r\n").is("in");
}

#[test]
fn a_cookie_on_the_way_to_a_foreign_server_reaches_the_player() {
    let other = Origin::new(|_, reply| {
        reply.answer("200 OK", "Cache-Control: max-age=60\r\n", "there");
    });
    let url = other.url();
    let origin = Origin::new(move |_, reply| {
        let fields = format!("Location: {url}x\r\nSet-Cookie: tok=abc; Path=/\r\n");
        reply.answer("302 Found", &fields, "");
    });
    let node = Node::with(&origin.url(), "");
    for _ in 0..2 {
        let got = node.get("/tv/a");
        got.is("there");
        assert_eq!(got.field("set-cookie"), Some("tok=abc; Path=/tv/"));
    }
    assert_eq!(origin.asked().len(), 2, "what sets a cookie is one viewer's");
}

#[test]
fn a_redirect_out_of_tls_is_the_players_to_follow() {
    let plain = Origin::new(|_, reply| reply.answer("200 OK", "", "plain"));
    let (folder, authority, url) = (Folder::new(), Authority::new("root"), plain.url());
    let server = authority.server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS);
    let place = url.clone();
    let origin = Origin::secure(server, move |asked, reply| match asked.path() {
        "/b" => reply.answer("302 Found", "Location: /a\r\n", ""),
        _ => reply.answer("302 Found", &format!("Location: {place}x?t=1\r\n"), "moved"),
    });
    authority.write(&folder.join("ca.pem"));
    let ca = format!("ca = \"{}\"", folder.join("ca.pem").display());
    let node = Node::with(&origin.url(), &ca);
    for path in ["/tv/a", "/tv/b"] {
        let got = node.get(path);
        got.is_status(302, "moved");
        assert_eq!(got.field("location"), Some(&*format!("{url}x?t=1")), "{path}");
    }
    node.logged(&["<4>", "tv redirects out of TLS"]);
    assert_eq!(plain.asked().len(), 0);
}

#[test]
fn a_list_behind_a_name_that_says_nothing_is_known_by_the_one_that_it_led_to() {
    let origin = Origin::new(|asked, reply| match asked.path() {
        "/play" => reply.answer("301 Moved", "Location: /vod/5/list.m3u8\r\n", ""),
        "/vod/5/s1.ts" => reply.answer("200 OK", "", "media"),
        _ => {
            let kind = "Content-Type: binary/octet-stream\r\n";
            reply.answer("200 OK", kind, "#EXTM3U\n#EXTINF:4,\ns1.ts\n#EXT-X-ENDLIST\n");
        }
    });
    let node = Node::with(&origin.url(), "");
    let list = node.get("/tv/play?id=5").text();
    let segment = list.lines().find(|line| line.ends_with("s1.ts")).expect("a segment");
    assert_eq!(segment, "/tv/vod/5/s1.ts", "{list}");
    node.get(segment).is("media");
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
    let url = other.url();
    let origin = Origin::new(move |asked, reply| {
        reply.answer("301 Moved", &format!("Location: {url}other{}\r\n", asked.path()), "");
    });
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
