//! Bodies that break, lie about their length, or have none: whole, or cut and forgotten.

use crate::node::Node;
use crate::origin::{Gate, Origin, pattern};
use crate::player;

const LENGTH: usize = 300_000;

/// An origin whose answers for `/a` break off after `cut` bytes, the first so many times.
fn breaking(times: usize, cut: usize, fields: &'static str) -> Origin {
    let body = pattern(LENGTH);
    Origin::new(move |asked, reply| {
        let (first, last) = asked.range(LENGTH).unwrap_or((0, LENGTH - 1));
        let part = &body[first..=last];
        let length = part.len();
        match asked.range(LENGTH) {
            Some(_) => reply.send(format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/{LENGTH}\r\n\
                 {fields}Content-Length: {length}\r\n\r\n"
            )),
            None => reply.send(format!(
                "HTTP/1.1 200 OK\r\n{fields}Cache-Control: max-age=60\r\n\
                 Content-Length: {length}\r\n\r\n"
            )),
        };
        if asked.before < times {
            reply.send(&part[..cut.min(length)]);
            reply.close();
        } else {
            reply.send(part);
        }
    })
}

#[test]
fn rfc_9110_13_1_5_a_broken_download_goes_on_with_if_range() {
    let origin = breaking(1, 100_000, "ETag: \"a\"\r\n");
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is(pattern(LENGTH));
    let asked = origin.about("/a");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].field("if-range"), Some("\"a\""));
    assert_eq!(asked[1].range(LENGTH), Some((100_000, LENGTH - 1)), "no byte comes twice");
    let again = node.get("/tv/a");
    again.is(pattern(LENGTH));
    assert!(again.is_hit(), "{}", again.note());
    assert_eq!(origin.asked().len(), 2);
    assert_eq!(node.metric("neap_origin_resumes_total"), 1);
}

#[test]
fn a_download_that_breaks_again_goes_on_again() {
    let origin = breaking(3, 70_000, "ETag: \"a\"\r\n");
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is(pattern(LENGTH));
    assert_eq!(origin.about("/a").len(), 4);
}

#[test]
fn a_download_that_always_breaks_ends_after_few_tries() {
    let origin = breaking(usize::MAX, 10, "ETag: \"a\"\r\n");
    let node = Node::with(&origin.url(), "");
    let got = node.get("/tv/a");
    assert!(!got.whole && got.body == pattern(LENGTH)[..got.body.len()]);
    assert!(origin.asked().len() <= 8, "{} requests", origin.asked().len());
}

#[test]
fn a_download_that_never_goes_on_ends_after_few_tries() {
    let origin = breaking(usize::MAX, 0, "ETag: \"a\"\r\n");
    let node = Node::with(&origin.url(), "");
    // Nothing of the body ever came: whether the head went out before the cut is all the same.
    let _ = player::glance(node.port, "/tv/a");
    assert!(origin.asked().len() <= 8, "{} requests", origin.asked().len());
}

#[test]
fn all_players_of_a_broken_download_get_it_whole() {
    let (gate, body) = (Gate::default(), pattern(LENGTH));
    let open = gate.clone();
    let origin = Origin::new(move |asked, reply| {
        if asked.before > 0 {
            return reply.file(asked, "\"a\"", &body);
        }
        reply.send(format!(
            "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\n\
             Content-Length: {LENGTH}\r\n\r\n"
        ));
        reply.send(&body[..100_000]);
        open.wait();
        reply.reset();
    });
    let node = Node::with(&origin.url(), "");
    let mut all: Vec<_> =
        (0..8).map(|_| player::open(node.port, ("GET", "/tv/a"), "", b"")).collect();
    all.iter_mut().for_each(|player| player.at_least(90_000));
    gate.open();
    for player in all {
        player.rest().is(pattern(LENGTH));
    }
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn without_a_strong_validator_the_player_is_cut_and_nothing_is_kept() {
    for fields in ["", "ETag: W/\"weak\"\r\n"] {
        let origin = breaking(1, 100_000, fields);
        let node = Node::with(&origin.url(), "");
        let got = node.get("/tv/a");
        assert!(!got.whole, "{fields}: passed off as whole");
        assert_eq!(got.body, pattern(LENGTH)[..got.body.len()]);
        assert!(got.body.len() >= 65_536, "what came was not passed on");
        node.logged(&["<4>", "tv/a broke off"]);
        let again = node.get("/tv/a");
        again.is(pattern(LENGTH));
        assert!(!again.is_hit(), "{}", again.note());
    }
}

/// What answers the request that resumes.
fn resumed_by(answer: &'static str) {
    let body = pattern(LENGTH);
    let origin = Origin::new(move |asked, reply| {
        if asked.before == 1 {
            reply.send(answer);
            reply.send(&body);
            return reply.close();
        }
        if asked.before > 1 {
            return reply.answer("200 OK", "ETag: \"b\"\r\nCache-Control: max-age=60\r\n", "new");
        }
        reply.send(format!(
            "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\n\
             Content-Length: {LENGTH}\r\n\r\n"
        ));
        reply.send(&body[..131_072]);
        reply.close();
    });
    let node = Node::with(&origin.url(), "");
    let got = node.get("/tv/a");
    assert!(!got.whole, "two representations were joined: {answer}");
    assert_eq!(got.body, pattern(LENGTH)[..got.body.len()]);
    node.get("/tv/a").is("new");
}

#[test]
fn a_representation_that_changed_meanwhile_cuts_and_purges() {
    resumed_by("HTTP/1.1 200 OK\r\nETag: \"b\"\r\nContent-Length: 300000\r\n\r\n");
}

#[test]
fn a_part_of_another_representation_cuts_and_purges() {
    resumed_by(
        "HTTP/1.1 206 Partial Content\r\nETag: \"b\"\r\nContent-Length: 168928\r\n\
         Content-Range: bytes 131072-299999/300000\r\n\r\n",
    );
}

#[test]
fn a_part_that_was_not_asked_for_cuts_and_purges() {
    resumed_by(
        "HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\nContent-Length: 168929\r\n\
         Content-Range: bytes 131071-299999/300000\r\n\r\n",
    );
}

#[test]
fn a_part_of_another_length_cuts_and_purges() {
    resumed_by(
        "HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\nContent-Length: 168928\r\n\
         Content-Range: bytes 131072-299999/300001\r\n\r\n",
    );
}

#[test]
fn rfc_9112_8_a_body_without_length_that_ends_by_close_is_passed_and_not_kept() {
    let origin = Origin::new(|_, reply| {
        reply.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nas it comes");
        reply.close();
    });
    let node = Node::with(&origin.url(), "");
    for _ in 0..2 {
        let got = node.get("/tv/a");
        got.is("as it comes");
        assert!(!got.note().contains("stored"), "{}", got.note());
    }
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn chunks_are_passed_as_they_come_and_kept_when_they_end() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::new(move |_, reply| {
        reply.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n");
        reply.send("Cache-Control: max-age=60\r\n\r\n5;x=y\r\nfirst\r\n");
        open.wait();
        reply.send("6\r\nsecond\r\n0\r\nTrailer: x\r\n\r\n");
    });
    let node = Node::with(&origin.url(), "");
    let mut early = player::open(node.port, ("GET", "/tv/a"), "", b"");
    early.at_least("5\r\nfirst".len());
    gate.open();
    early.rest().is("firstsecond");
    let again = node.get("/tv/a");
    again.is("firstsecond");
    assert!(again.is_hit(), "{}", again.note());
    assert_eq!((origin.asked().len(), origin.connections()), (1, 1));
}

#[test]
fn rfc_9112_7_1_a_bad_chunk_cuts_the_player_and_nothing_is_kept() {
    for bad in ["zz\r\nxx\r\n", "-1\r\n", "5\r\nfour", "ffffffffffffffffff\r\nx", "3\r\nabcd\r\n"] {
        let origin = Origin::new(move |asked, reply| {
            if asked.before > 0 {
                return reply.answer("200 OK", "Cache-Control: max-age=60\r\n", "good");
            }
            reply.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n");
            reply.send("Cache-Control: max-age=60\r\n\r\n5\r\nfirst\r\n");
            reply.send(bad);
            reply.close();
        });
        let node = Node::with(&origin.url(), "timeout = \"2 s\"");
        let got = node.get("/tv/a");
        assert!(!got.whole, "{bad:?} was passed off as whole");
        assert!(got.body.starts_with(b"first"), "{bad:?}: {}", got.text());
        node.get("/tv/a").is("good");
    }
}

#[test]
fn rfc_9112_6_3_both_lengths_are_refused() {
    let origin = Origin::new(|_, reply| {
        reply.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n");
        reply.send("3\r\nabc\r\n0\r\n\r\n");
        reply.close();
    });
    let node = Node::with(&origin.url(), "");
    let got = node.get("/tv/a");
    // Either it is refused, or the length is overridden and not passed on.
    assert!(got.status == 502 || got.body == b"abc", "{}{}", got.head, got.text());
    assert!(got.whole);
}

#[test]
fn more_bytes_than_stated_reach_nobody() {
    let origin = Origin::new(|asked, reply| {
        if asked.path() == "/a" {
            reply.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n");
            reply.send("Content-Length: 4\r\n\r\nfour and more that nobody asked for");
        } else {
            reply.answer("200 OK", "", "other");
        }
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is("four");
    node.get("/tv/b").is("other");
    node.get("/tv/a").is("four");
}

#[test]
fn an_encoded_body_passes_as_it_is() {
    let origin = Origin::new(|_, reply| {
        let fields = "Content-Encoding: gzip\r\nCache-Control: max-age=60\r\n\
                      Content-Type: application/vnd.apple.mpegurl\r\n";
        reply.answer("200 OK", fields, b"\x1f\x8b not really");
    });
    let node = Node::with(&origin.url(), "");
    for path in ["/tv/a.ts", "/tv/a.m3u8"] {
        let got = node.get(path);
        got.is(b"\x1f\x8b not really");
        assert_eq!(got.field("content-encoding"), Some("gzip"));
    }
    // What is no playlist passes as it is: nobody would unpack it here.
    assert_eq!(origin.about("/a.ts")[0].field("accept-encoding"), None);
    assert_eq!(origin.about("/a.m3u8")[0].field("accept-encoding"), Some("gzip"));
}

#[test]
fn a_list_whose_name_says_nothing_is_asked_for_packed_once_it_is_known() {
    let origin = Origin::new(|_, reply| {
        let fields = "Content-Type: application/vnd.apple.mpegurl\r\nCache-Control: no-cache\r\n";
        reply.answer("200 OK", fields, "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n");
    });
    let node = Node::with(&origin.url(), "");
    (0..2).for_each(|_| assert_eq!(node.get("/tv/play?id=1").status, 200));
    let asked = origin.about("/play");
    let packed: Vec<_> = asked.iter().map(|asked| asked.field("accept-encoding")).collect();
    assert_eq!(packed, [None, Some("gzip")]);
}

/// `#EXTM3U`, a segment of four seconds at `/far/a.ts` and one at `b.ts`, by gzip.
const PACKED: &[u8] = include_bytes!("../samples/far.m3u8.gz");

#[test]
fn a_packed_playlist_is_unpacked_and_put_right() {
    let origin = Origin::new(|asked, reply| {
        let fields = "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\nETag: W/\"1\"\r\n\
                      Cache-Control: no-cache\r\nContent-MD5: of-the-packed\r\n\
                      Content-Type: application/vnd.apple.mpegurl\r\n";
        match asked.field("if-none-match") {
            // As nginx answers, which weakens the tag of what it packs.
            Some("W/\"1\"") => reply.answer("304 Not Modified", "ETag: \"1\"\r\n", b""),
            _ => reply.answer("200 OK", fields, PACKED),
        }
    });
    let node = Node::with(&origin.url(), "");
    for _ in 0..2 {
        let got = node.get("/tv/a.m3u8");
        let text = String::from_utf8_lossy(&got.body).into_owned();
        assert!(text.starts_with("#EXTM3U\n") && text.ends_with("b.ts\n"), "{text}");
        assert!(text.contains("\n/tv/far/a.ts\n"), "{text}");
        assert_eq!(got.field("content-length"), Some(&*text.len().to_string()));
        assert_eq!((got.field("content-encoding"), got.field("content-md5")), (None, None));
        assert_eq!(got.field("etag"), Some("W/\"1\""));
    }
    let asked = origin.about("/a.m3u8");
    assert_eq!((asked.len(), asked[1].field("if-none-match")), (2, Some("W/\"1\"")));
    // A part of a list is not asked for packed: it would be a part of what is packed.
    node.get_with("/tv/c.m3u8", "Range: bytes=0-9\r\nIf-Range: \"x\"\r\n");
    let parts: Vec<_> = origin.about("/c.m3u8");
    let both = |asked: &crate::origin::Asked| {
        asked.field("range").is_some() && asked.field("accept-encoding").is_some()
    };
    assert!(!parts.iter().any(both));
}

#[test]
fn rfc_1952_2_2_a_playlist_packed_as_several_members_is_one_playlist() {
    let origin = Origin::new(|_, reply| {
        let fields = "Content-Encoding: gzip\r\nCache-Control: no-cache\r\n";
        reply.answer("200 OK", fields, PACKED.repeat(3));
    });
    let node = Node::with(&origin.url(), "");
    let got = node.get("/tv/a.m3u8");
    let text = String::from_utf8_lossy(&got.body).into_owned();
    assert_eq!(text.matches("\n/tv/far/a.ts\n").count(), 3, "{text}");
    assert_eq!(got.field("content-encoding"), None);
}

#[test]
fn rfc_9111_4_1_what_no_origin_is_sent_chooses_no_answer() {
    let origin = Origin::new(|asked, reply| {
        let fields =
            "Vary: Accept-Encoding, Sec-Fetch-Mode, X-Hop\r\nCache-Control: max-age=60\r\n";
        reply.answer("200 OK", fields, asked.path());
    });
    let node = Node::with(&origin.url(), "");
    let browser = "Accept-Encoding: gzip, deflate, br\r\nSec-Fetch-Mode: cors\r\n";
    for path in ["/tv/a.ts", "/tv/a.m3u8"] {
        for fields in [browser, "", "Accept-Encoding: identity\r\n"] {
            node.get_with(path, fields).is(path.trim_start_matches("/tv"));
        }
    }
    assert_eq!(origin.asked().len(), 2);
    // A field that the player keeps to the connection: it has its answer all the same.
    node.get_with("/tv/b.ts", "Connection: X-Hop\r\nX-Hop: 1\r\n").is("/b.ts");
    assert_eq!(origin.about("/b.ts").len(), 1);
}

#[test]
fn the_last_player_that_leaves_stops_a_long_download() {
    let origin = Origin::new(|_, reply| {
        reply.send(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1000000000\r\n\r\n",
        );
        while reply.send([7; 16 * 1024]) {}
    });
    let node = Node::with(&origin.url(), "");
    let mut one = player::open(node.port, ("GET", "/tv/a"), "", b"");
    let mut other = player::open(node.port, ("GET", "/tv/a"), "", b"");
    one.at_least(100_000);
    drop(one);
    other.at_least(500_000);
    drop(other);
    let mut before = u64::MAX;
    crate::origin::until("the download to stop", || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let sent = origin.sent();
        let still = sent == before;
        before = sent;
        still.then_some(())
    });
    assert!(origin.sent() < 40_000_000, "{} bytes for nobody", origin.sent());
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn an_origin_that_goes_away_in_the_middle_cuts_the_player_and_serves_the_rest_later() {
    let body = pattern(LENGTH);
    let copy = body.clone();
    let origin = Origin::new(move |_, reply| {
        reply.send(format!(
            "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\n\
             Content-Length: {LENGTH}\r\n\r\n"
        ));
        reply.send(&copy[..200_000]);
        reply.wait_for_leaving();
    });
    let node = Node::with(&origin.url(), "timeout = \"2 s\"");
    let mut player = player::open(node.port, ("GET", "/tv/a"), "", b"");
    player.at_least(200_000);
    let port = origin.stop();
    let got = player.rest();
    assert!(!got.whole && got.body == body[..200_000]);
    let copy = body.clone();
    let back = Origin::at(port, move |asked, reply| reply.file(asked, "\"a\"", &copy));
    node.get("/tv/a").is(&body);
    assert!(back.sent() < 140_000, "what was here came again: {} bytes", back.sent());
}
