//! What makes a picture stall although each connection works: the log, the status and the counters
//! say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::node::Node;
use crate::origin::{Asked, Origin, Reply, pattern};

const HLS: &str = "Content-Type: application/vnd.apple.mpegurl\r\n";

/// An origin with a playlist of ten segments, which `segments` answers.
fn channel(segments: impl Fn(&Asked, &mut Reply<'_>) + Send + Sync + 'static) -> Origin {
    film(4, segments)
}

/// The same with segments of so many seconds.
fn film(seconds: u32, segments: impl Fn(&Asked, &mut Reply<'_>) + Send + Sync + 'static) -> Origin {
    let mut list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:{seconds}\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    (0..10).for_each(|number| list += &format!("#EXTINF:{seconds}.0,\ns{number}.ts?token=1\n"));
    list += "#EXT-X-ENDLIST\n";
    Origin::new(move |asked, reply| match asked.path() {
        "/hls/p.m3u8" => reply.answer("200 OK", HLS, &list),
        path if path.ends_with(".ts") => segments(asked, reply),
        _ => reply.answer("404 Not Found", "Cache-Control: max-age=60\r\n", "no"),
    })
}

const HEAD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n";

fn health(node: &Node) -> (String, String) {
    let status = node.status();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&status["state"]), text(&status["origins"][0]["health"]))
}

#[test]
fn segments_that_the_origin_denies_are_told_and_one_alone_is_no_alarm() {
    let origin = channel(|asked, reply| match asked.path() {
        "/hls/s9.ts" => reply.answer("200 OK", "", "good"),
        _ => reply.answer("403 Forbidden", "", "token"),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/hls/p.m3u8");
    node.get("/tv/hls/s0.ts?token=1").is_status(403, "token");
    assert_eq!(health(&node), ("playing".into(), "good".into()));
    for number in 1..6 {
        node.get(&format!("/tv/hls/s{number}.ts?token=1")).is_status(403, "token");
    }
    assert_eq!(health(&node), ("impaired".into(), "denying".into()));
    let status = node.status();
    assert_eq!(status["origins"][0]["last_error"], "it answers 403 (not allowed)");
    assert_eq!(status["counters"]["player_denials"], 6);
    let fault = &status["faults"][0];
    let text = "tv answers 403 (not allowed) to what players ask: an expired token or a blocked \
                region? Last: /hls/s5.ts";
    assert_eq!((&fault["text"], &fault["times"]), (&text.into(), &6.into()));
    let line = "tv/hls/s0.ts: the origin answers 403 (not allowed): the player gets the same";
    node.logged(&["<4>", line]);
    assert_eq!(node.said(&["the origin answers 403", "s1.ts"]), 0, "the same is counted");
    node.get("/tv/hls/s9.ts?token=1").is("good");
    assert_eq!(health(&node), ("playing".into(), "good".into()));
}

#[test]
fn what_is_not_there_counts_from_the_cache_too_and_an_icon_is_no_alarm() {
    let origin = channel(|_, reply| reply.answer("200 OK", "", "good"));
    let node = Node::with(&origin.url(), "");
    for _ in 0..8 {
        node.get("/tv/favicon.ico").is_status(404, "no");
    }
    assert_eq!(origin.about("/favicon.ico").len(), 1);
    assert_eq!(node.metric("neap_player_denials_total"), 8);
    assert_eq!(health(&node), ("idle".into(), "good".into()));
    let text = node.status()["faults"][0]["text"].to_string();
    assert!(text.contains("404 (not found) to what players ask: a wrong URL"), "{text}");
}

#[test]
fn an_origin_whose_bodies_break_off_does_not_work_until_one_is_whole() {
    let origin = channel(|asked, reply| {
        if asked.path() == "/hls/s9.ts" {
            return reply.answer("200 OK", "", pattern(5000));
        }
        reply.send("HTTP/1.1 200 OK\r\nContent-Length: 255116\r\n\r\n");
        reply.send(pattern(1000));
        reply.close();
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/hls/p.m3u8");
    for number in 0..3 {
        let got = node.get(&format!("/tv/hls/s{number}.ts?token=1"));
        assert_eq!((got.status, got.whole), (200, false));
        node.get("/tv/hls/p.m3u8");
        assert_eq!(health(&node), ("impaired".into(), "failing".into()));
    }
    let status = node.status();
    let cause = status["origins"][0]["last_error"].as_str().unwrap_or_default();
    assert!(cause.contains("in the middle of the body"), "{cause}");
    assert!(status["counters"]["answers_cut"].as_u64() >= Some(3), "{status}");
    node.get("/tv/hls/s9.ts?token=1").is(pattern(5000));
    assert_eq!(health(&node).1, "good");
}

/// Sends a segment in so many twentieths of a second.
fn trickle(reply: &mut Reply<'_>, bytes: usize, steps: usize) {
    reply.send(format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {bytes}\r\n\r\n"));
    for part in pattern(bytes).chunks(bytes.div_ceil(steps)) {
        std::thread::sleep(std::time::Duration::from_millis(50));
        reply.send(part);
    }
}

#[test]
fn segments_that_come_slower_than_they_play_are_told_and_the_picture_says_so_too() {
    let origin = film(1, |asked, reply| match asked.path() {
        "/hls/s9.ts" => reply.answer("200 OK", "", pattern(100_000)),
        _ => trickle(reply, 100_000, 30),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/hls/p.m3u8");
    for number in 0..4 {
        assert_eq!(health(&node), ("playing".into(), "good".into()), "{number}");
        node.get(&format!("/tv/hls/s{}.ts?token=1", 2 * number)).is(pattern(100_000));
        if number == 2 {
            break;
        }
    }
    assert_eq!(health(&node), ("impaired".into(), "slow".into()));
    let text = "tv: segments come slower than they play, so the picture stalls: the line, or the \
                origin, is too slow for this rendition. Last: /hls/s4.ts";
    assert_eq!(node.status()["faults"][0]["text"], text);
    node.logged(&[
        "<4>",
        "tv/hls/s4.ts: the last 3 segments came at ",
        " kbit/s, and play at 800 kbit/s or more",
    ]);
    assert_eq!(node.metric("neap_segments_late_total"), 3);
    node.get_with("/tv/hls/s9.ts?token=1", "CMCD-Status: bs\r\n").is(pattern(100_000));
    assert_eq!(health(&node), ("playing".into(), "good".into()));
    assert_eq!(node.metric("neap_player_stalls_total"), 1);
    let text = "tv: a player says that its picture stood still. Last: /hls/s9.ts";
    assert_eq!(node.status()["faults"][0]["text"], text);
}

#[test]
fn what_came_beside_segments_that_are_late_is_told() {
    let origin = film(1, |asked, reply| match asked.path() {
        "/hls/big.ts" => trickle(reply, 1_000_000, 60),
        _ => trickle(reply, 100_000, 30),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/hls/p.m3u8");
    let other = crate::player::open(node.port, ("GET", "/tv/hls/big.ts"), "", &[]);
    for number in 0..3 {
        node.get(&format!("/tv/hls/s{}.ts?token=1", 2 * number)).is(pattern(100_000));
    }
    let text = "tv: segments come slower than they play, so the picture stalls: as much or more \
                came beside them, for other players, for peers or fetched ahead. Last: /hls/s4.ts";
    assert_eq!(node.status()["faults"][0]["text"], text);
    drop(other);
}

#[test]
fn a_player_that_takes_its_time_is_no_slow_origin() {
    let origin = film(1, |_, reply| reply.answer("200 OK", "ETag: \"1\"\r\n", pattern(12_000_000)));
    let node = Node::with(&origin.url(), "");
    node.get("/tv/hls/p.m3u8");
    for number in 0..3 {
        let path = format!("/tv/hls/s{}.ts?token=1", 2 * number);
        let coming = crate::player::open(node.port, ("GET", &path), "", &[]);
        std::thread::sleep(std::time::Duration::from_millis(1500));
        coming.rest().is(pattern(12_000_000));
    }
    assert_eq!(health(&node), ("playing".into(), "good".into()));
}

#[test]
fn the_page_of_a_portal_is_no_segment_and_is_gone_with_it() {
    let portal = Arc::new(AtomicBool::new(true));
    let open = Arc::clone(&portal);
    let origin = channel(move |_, reply| match open.load(Ordering::SeqCst) {
        true => reply.answer("200 OK", "Content-Type: text/html; charset=utf-8\r\n", "log in"),
        false => reply.answer("200 OK", "", "media"),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/hls/p.m3u8");
    node.get("/tv/hls/s0.ts?token=1").is("log in");
    node.logged(&["<4>", "tv/hls/s0.ts: the origin answers with a web page"]);
    let text = node.status()["faults"][0]["text"].to_string();
    assert!(text.contains("a portal that wants a login?"), "{text}");
    for number in 1..5 {
        node.get(&format!("/tv/hls/s{number}.ts?token=1")).is("log in");
    }
    assert_eq!(health(&node), ("impaired".into(), "denying".into()));
    portal.store(false, Ordering::SeqCst);
    node.get("/tv/hls/s0.ts?token=1").is("media");
    assert_eq!(health(&node), ("playing".into(), "good".into()));
}

#[test]
fn a_token_in_the_path_is_in_no_status() {
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ns1.ts\n#EXT-X-ENDLIST\n";
    let origin = Origin::new(move |asked, reply| match asked.path() {
        path if path.ends_with(".m3u8") => reply.answer("200 OK", HLS, list),
        _ => reply.answer("403 Forbidden", "", "token"),
    });
    let node = Node::with(&origin.url(), "");
    let folder = "/tv/hdnts=exp=1700000000~acl=/*~hmac=0a1b2c3d4e5f60718293/live";
    node.get(&format!("{folder}/p.m3u8")).is(list);
    node.get(&format!("{folder}/s1.ts")).is_status(403, "token");
    let status = node.status();
    assert_eq!(status["playing"][0]["path"], "/hdnts=x");
    let text = status["faults"][0]["text"].as_str().unwrap_or_default();
    assert!(text.ends_with(" Last: /hdnts=x"), "{text}");
    assert!(!status.to_string().contains("0a1b2c"), "{status}");
}

#[test]
fn playlists_that_are_denied_or_hold_nothing_are_told_as_segments_are() {
    for (status, kind, body) in [
        ("403 Forbidden", "text/plain", "token"),
        ("200 OK", "text/html", "log in"),
        ("200 OK", "application/vnd.apple.mpegurl", ""),
    ] {
        let origin = Origin::new(move |_, reply| {
            let fields = format!("Content-Type: {kind}\r\nCache-Control: no-store\r\n");
            reply.answer(status, &fields, body);
        });
        let node = Node::with(&origin.url(), "");
        for _ in 0..4 {
            node.get("/tv/p.m3u8");
        }
        assert_eq!(health(&node), ("impaired".into(), "denying".into()), "{status} {kind}");
        let text = node.status()["faults"][0]["text"].to_string();
        assert!(text.contains("tv answers ") && text.ends_with("Last: /p.m3u8\""), "{text}");
    }
}

#[test]
fn segments_that_hold_nothing_are_told_and_not_kept() {
    let empty = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&empty);
    let origin = channel(move |_, reply| {
        let body = if still.load(Ordering::SeqCst) { "" } else { "media" };
        reply.answer("200 OK", "Cache-Control: max-age=60\r\n", body);
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/hls/p.m3u8");
    for number in 0..4 {
        node.get(&format!("/tv/hls/s{number}.ts?token=1")).is("");
    }
    assert_eq!(health(&node), ("impaired".into(), "denying".into()));
    node.logged(&["<4>", "tv/hls/s0.ts: the origin answers with nothing"]);
    empty.store(false, Ordering::SeqCst);
    node.get("/tv/hls/s0.ts?token=1").is("media");
}

#[test]
fn an_origin_that_gives_no_segment_fails_since_the_first_and_says_it_once() {
    let origin = channel(|asked, reply| match asked.path() {
        "/hls/s9.ts" => reply.answer("200 OK", "", "media"),
        _ => reply.answer("500 No", "", "no"),
    });
    let node = Node::with(&origin.url(), "");
    for number in 0..5 {
        node.get("/tv/hls/p.m3u8?again=1");
        node.get(&format!("/tv/hls/s{number}.ts?token=1"));
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    node.get("/tv/hls/p.m3u8?again=1");
    assert_eq!(health(&node), ("impaired".into(), "failing".into()));
    let since = node.status()["origins"][0]["failing_seconds"].as_u64();
    assert!(since >= Some(1), "{since:?}");
    node.logged(&["<4>", "tv/hls/s0.ts: it answers 500"]);
    assert_eq!(node.said(&["it answers 500", "s3.ts"]), 0, "the same is counted");
    node.get("/tv/hls/s9.ts?token=1").is("media");
    assert_eq!(health(&node), ("playing".into(), "good".into()));
}

#[test]
fn a_live_playlist_that_stands_still_is_told_while_a_player_asks_for_it() {
    let more = Arc::new(AtomicBool::new(false));
    let goes_on = Arc::clone(&more);
    let origin = Origin::new(move |_, reply| {
        let mut list = HEAD.replace("TARGETDURATION:4", "TARGETDURATION:1");
        list += "#EXTINF:1,\ns0.ts\n#EXTINF:1,\ns1.ts\n";
        if goes_on.load(Ordering::SeqCst) {
            list += "#EXTINF:1,\ns2.ts\n";
        }
        reply.answer("200 OK", HLS, &list);
    });
    let node = Node::with(&origin.url(), "");
    let ask = || {
        node.get("/tv/p.m3u8");
        std::thread::sleep(std::time::Duration::from_millis(500));
        health(&node)
    };
    (0..4).for_each(|_| assert_eq!(ask(), ("playing".into(), "good".into())));
    (0..6).for_each(|_| drop(ask()));
    assert_eq!(ask(), ("impaired".into(), "still".into()));
    node.logged(&["<4>", "tv/p.m3u8: the live playlist stands still"]);
    more.store(true, Ordering::SeqCst);
    ask();
    assert_eq!(ask(), ("playing".into(), "good".into()));
}

#[test]
fn what_is_fetched_ahead_and_never_comes_does_not_answer_without_end() {
    let origin = channel(|asked, reply| match asked.path() {
        "/hls/s1.ts" => while reply.send("HTTP/1.1 103 Early Hints\r\n\r\n") {},
        _ => reply.answer("200 OK", "", "media"),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/hls/p.m3u8");
    node.get("/tv/hls/s0.ts?token=1").is("media");
    node.get("/tv/hls/s1.ts?token=1").is_trouble(502, "broke the connection");
}
