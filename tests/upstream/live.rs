//! Playlists: how old they may be, what is fetched ahead of the player, what passes untouched.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::node::Node;
use crate::origin::{Asked, Gate, Origin, PATIENCE, Reply, lock, until};

const HLS: &str = "Content-Type: application/vnd.apple.mpegurl\r\n";

/// A live playlist of four segments of `target` seconds each, from `first` on.
fn window(first: u64, target: u64) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
    );
    for number in first..first + 4 {
        text += &format!("#EXTINF:{target}.0,\nseg{number}.ts\n");
    }
    text
}

fn stored(count: u64) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    for number in 0..count {
        text += &format!("#EXTINF:4.0,\nseg{number}.ts\n");
    }
    text + "#EXT-X-ENDLIST\n"
}

/// A live channel: `/live.m3u8` and its segments; the test moves its window.
fn channel(target: u64, segments: &'static str) -> (Origin, Arc<Mutex<u64>>) {
    let first = Arc::new(Mutex::new(100));
    let now = Arc::clone(&first);
    let origin = Origin::new(move |asked, reply| match asked.path() {
        "/live.m3u8" => reply.answer("200 OK", HLS, window(*lock(&now), target)),
        path => reply.answer("200 OK", segments, path),
    });
    (origin, first)
}

#[test]
fn a_live_playlist_is_shared_by_players_and_never_older_than_half_a_target() {
    let (origin, first) = channel(2, "");
    let node = Node::with(&origin.url(), "");
    let begin = Instant::now();
    let mut seen = Vec::new();
    // Players that ask all the time: what they get was true at most a second ago.
    while begin.elapsed() < Duration::from_millis(2500) {
        *lock(&first) = 100 + u64::try_from(begin.elapsed().as_millis()).expect("short") / 10;
        let asked = Instant::now();
        let text = node.get("/tv/live.m3u8").text();
        let line = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        let number: u64 = line.and_then(|line| line.parse().ok()).expect("a number");
        let written = Duration::from_millis((number - 100) * 10);
        let age = asked.duration_since(begin).saturating_sub(written);
        assert!(age < Duration::from_millis(1100), "{age:?} old");
        seen.push(number);
    }
    assert!(seen.is_sorted());
    let asked = origin.about("/live.m3u8").len();
    assert!((2..=4).contains(&asked), "{asked} requests for {} of players", seen.len());
}

#[test]
fn players_that_reload_together_cost_one_request() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::new(move |_, reply| {
        open.wait();
        reply.answer("200 OK", HLS, window(1, 6));
    });
    let node = Node::with(&origin.url(), "");
    let port = node.port;
    let players: Vec<_> = (0..32)
        .map(|_| std::thread::spawn(move || crate::player::get(port, "/tv/live.m3u8", "")))
        .collect();
    let all = || (node.metric("neap_requests_total") == 32).then_some(());
    until("all to wait", all);
    gate.open();
    for player in players {
        player.join().expect("a reply").is(window(1, 6));
    }
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn a_live_playlist_is_not_stale_when_its_origin_fails() {
    let (origin, _) = channel(1, "");
    let node = Node::with(&origin.url(), "");
    node.get("/tv/live.m3u8").is(window(100, 1));
    origin.stop();
    // Within its time it may be given; later the player must learn of the trouble.
    until("the end of its time", || (node.get("/tv/live.m3u8").status == 502).then_some(()));
}

#[test]
fn rfc_8216bis_6_2_5_2_a_blocking_reload_is_its_own_and_may_take_longer() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::new(move |asked, reply| {
        if asked.target.contains("_HLS_msn=104") {
            open.wait();
            return reply.answer("200 OK", HLS, window(101, 4));
        }
        reply.answer("200 OK", HLS, window(100, 4));
    });
    let node = Node::with(&origin.url(), "timeout = \"200 ms\"");
    node.get("/tv/live.m3u8").is(window(100, 4));
    let port = node.port;
    let ask = move || crate::player::get(port, "/tv/live.m3u8?_HLS_msn=104&_HLS_part=0", "");
    let waiting = [std::thread::spawn(ask), std::thread::spawn(ask)];
    origin.wait_for("/live.m3u8?_HLS_msn=104", 1);
    let asked = Instant::now();
    // A plain reload is not held up by the blocking one.
    node.get("/tv/live.m3u8").is(window(100, 4));
    until("five times the time-out", || (asked.elapsed() > Duration::from_secs(1)).then_some(()));
    gate.open();
    for player in waiting {
        player.join().expect("a reply").is(window(101, 4));
    }
    assert_eq!(origin.about("/live.m3u8?_HLS_msn=104&_HLS_part=0").len(), 1);
}

#[test]
fn new_live_segments_are_fetched_before_the_player_asks() {
    let (origin, first) = channel(2, "");
    let node = Node::with(&origin.url(), "");
    node.get("/tv/live.m3u8").is(window(100, 2));
    // Nobody plays yet: nothing is fetched ahead.
    assert_eq!(origin.about("/seg").len(), 0);
    node.get("/tv/seg102.ts").is("/seg102.ts");
    origin.wait_for("/seg103.ts", 1);
    *lock(&first) = 101;
    until("the new window", || node.get("/tv/live.m3u8").text().contains("seg104").then_some(()));
    origin.wait_for("/seg104.ts", 1);
    until("what was fetched ahead", || (node.metric("neap_prefetches_total") == 2).then_some(()));
    for number in [103, 104] {
        let got = node.get(&format!("/tv/seg{number}.ts"));
        got.is(format!("/seg{number}.ts"));
        assert_eq!(origin.about(&format!("/seg{number}")).len(), 1);
    }
    assert_eq!(node.metric("neap_prefetch_hits_total"), 2);
}

#[test]
fn the_next_segments_on_demand_are_fetched_ahead_but_not_all() {
    let origin = Origin::new(|asked, reply| match asked.path() {
        "/vod.m3u8" => reply.answer("200 OK", HLS, stored(50)),
        path => reply.answer("200 OK", "", path),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/vod.m3u8").is(stored(50));
    node.get("/tv/seg10.ts").is("/seg10.ts");
    origin.wait_for("/seg12.ts", 1);
    let got = node.get("/tv/seg11.ts");
    got.is("/seg11.ts");
    origin.wait_for("/seg13.ts", 1);
    assert_eq!(origin.about("/seg11.ts").len(), 1);
    assert!(origin.about("/seg").len() <= 4, "{:?}", targets(&origin));
}

#[test]
fn nothing_is_fetched_ahead_while_the_player_waits() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::new(move |asked: &Asked, reply: &mut Reply<'_>| match asked.path() {
        "/vod.m3u8" => reply.answer("200 OK", HLS, stored(9)),
        "/seg0.ts" => {
            reply.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n/seg");
            open.wait();
            reply.send("0.ts");
        }
        path => reply.answer("200 OK", "", path),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/vod.m3u8");
    let mut player = crate::player::open(node.port, ("GET", "/tv/seg0.ts"), "", b"");
    player.at_least(4);
    node.get("/tv/vod.m3u8");
    assert_eq!(node.metric("neap_prefetches_total"), 0, "{:?}", targets(&origin));
    gate.open();
    player.rest().is("/seg0.ts");
    origin.wait_for("/seg1.ts", 1);
}

#[test]
fn what_was_fetched_ahead_ends_when_the_player_hangs_up_and_turns_to_another_variant() {
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9000000\nhigh/vod.m3u8\n\
                  #EXT-X-STREAM-INF:BANDWIDTH=900000\nlow/vod.m3u8\n";
    let (gate, left) = (Gate::default(), Gate::default());
    let (open, gone) = (gate.clone(), left.clone());
    let origin = Origin::new(move |asked: &Asked, reply: &mut Reply<'_>| match asked.path() {
        "/master.m3u8" => reply.answer("200 OK", HLS, master),
        "/high/vod.m3u8" | "/low/vod.m3u8" => reply.answer("200 OK", HLS, stored(9)),
        "/high/seg1.ts" => {
            reply.send("HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\nbegun");
            reply.wait_for_leaving();
            gone.open();
        }
        "/low/seg1.ts" => {
            open.wait();
            reply.answer("200 OK", "", "low");
        }
        path => reply.answer("200 OK", "", path),
    });
    let node = Node::with(&origin.url(), "");
    for playlist in ["master.m3u8", "high/vod.m3u8", "low/vod.m3u8"] {
        node.get(&format!("/tv/{playlist}"));
    }
    node.get("/tv/high/seg0.ts").is("/high/seg0.ts");
    origin.wait_for("/high/seg1.ts", 1);
    let mut player = crate::player::open(node.port, ("GET", "/tv/high/seg1.ts"), "", b"");
    player.at_least(5);
    drop(player);
    let (port, turned) = (node.port, Instant::now());
    let player = std::thread::spawn(move || crate::player::get(port, "/tv/low/seg1.ts", ""));
    left.wait();
    assert!(turned.elapsed() < Duration::from_secs(4), "the origin ended it, and not the node");
    gate.open();
    player.join().expect("a reply").is("low");
    assert_eq!(origin.about("/high/seg1.ts").len(), 1);
}

#[test]
fn segments_that_may_not_be_kept_are_not_fetched_ahead_for_long() {
    let (origin, first) = channel(2, "Cache-Control: no-store\r\n");
    let node = Node::with(&origin.url(), "");
    node.get("/tv/live.m3u8");
    for number in 100..120 {
        *lock(&first) = number;
        node.get(&format!("/tv/seg{number}.ts")).is(format!("/seg{number}.ts"));
    }
    assert!(node.metric("neap_prefetches_total") <= 4, "{:?}", targets(&origin));
    // Each segment goes to the player as its own request; hardly any goes twice.
    assert!(origin.about("/seg").len() <= 24, "{:?}", targets(&origin));
}

#[test]
fn segments_that_end_with_their_connection_are_not_fetched_ahead_for_long() {
    let first = Arc::new(Mutex::new(100));
    let now = Arc::clone(&first);
    // Such a body may be cut and is kept by nobody; the playlist, which has a length, is.
    let origin = Origin::new(move |asked: &Asked, reply: &mut Reply<'_>| match asked.path() {
        "/live.m3u8" => reply.answer("200 OK", HLS, window(*lock(&now), 1)),
        path => {
            reply.send(format!("HTTP/1.0 200 OK\r\n\r\n{path}"));
            reply.close();
        }
    });
    let node = Node::with(&origin.url(), "");
    for number in 100..109 {
        *lock(&first) = number;
        let listed = format!("seg{}.ts", number + 3);
        until("the window", || node.get("/tv/live.m3u8").text().contains(&listed).then_some(()));
        node.get(&format!("/tv/seg{number}.ts")).is(format!("/seg{number}.ts"));
    }
    assert!(node.metric("neap_prefetches_total") <= 4, "{:?}", targets(&origin));
    assert!(origin.about("/seg").len() <= 9 + 4, "{:?}", targets(&origin));
}

#[test]
fn what_is_fetched_ahead_is_asked_for_as_the_player_does() {
    let (origin, _) = channel(2, "");
    let node = Node::with(&origin.url(), "headers = { X-Key = \"k\" }");
    let fields = "Cookie: c=1\r\nUser-Agent: TV\r\n";
    node.get_with("/tv/live.m3u8", fields);
    node.get_with("/tv/seg101.ts", fields).is("/seg101.ts");
    origin.wait_for("/seg102.ts", 1);
    let ahead = &origin.about("/seg102.ts")[0];
    assert_eq!(ahead.field("cookie"), Some("c=1"));
    assert_eq!(ahead.field("user-agent"), Some("TV"));
    assert_eq!(ahead.field("x-key"), Some("k"));
    assert_eq!(ahead.field("range"), None);
}

#[test]
fn a_player_that_comes_while_it_is_fetched_ahead_joins() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::new(move |asked: &Asked, reply: &mut Reply<'_>| match asked.path() {
        "/vod.m3u8" => reply.answer("200 OK", HLS, stored(9)),
        "/seg1.ts" => {
            open.wait();
            reply.answer("200 OK", "", "/seg1.ts");
        }
        path => reply.answer("200 OK", "", path),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/vod.m3u8");
    node.get("/tv/seg0.ts").is("/seg0.ts");
    origin.wait_for("/seg1.ts", 1);
    let port = node.port;
    let player = std::thread::spawn(move || crate::player::get(port, "/tv/seg1.ts", ""));
    until("the player to wait", || (node.metric("neap_collapsed_total") == 1).then_some(()));
    gate.open();
    player.join().expect("a reply").is("/seg1.ts");
    assert_eq!(origin.about("/seg1.ts").len(), 1);
}

#[test]
fn a_segment_that_fails_ahead_is_still_asked_for_by_the_player() {
    let origin = Origin::new(|asked, reply| match (asked.path(), asked.before) {
        ("/vod.m3u8", _) => reply.answer("200 OK", HLS, stored(9)),
        ("/seg1.ts", 0) => reply.answer("404 Not Found", "", "not yet"),
        (path, _) => reply.answer("200 OK", "", path),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/vod.m3u8");
    node.get("/tv/seg0.ts").is("/seg0.ts");
    origin.wait_for("/seg1.ts", 1);
    until("the player to get it", || (node.get("/tv/seg1.ts").status == 200).then_some(()));
    assert_eq!(origin.about("/seg1.ts").len(), 2);
}

#[test]
fn a_segment_that_is_asked_for_a_moment_too_early_is_no_alarm() {
    const UNKEPT: &str = "Cache-Control: no-store\r\n";
    let there = Arc::new(AtomicBool::new(false));
    let comes = Arc::clone(&there);
    // What is fetched ahead of the player is not there either.
    let origin = Origin::new(move |asked, reply| match asked.path() {
        "/live.m3u8" => reply.answer("200 OK", HLS, window(0, 4)),
        "/seg3.ts" if comes.load(Ordering::SeqCst) => reply.answer("200 OK", "", "/seg3.ts"),
        "/seg3.ts" | "/seg2.ts" => reply.answer("404 Not Found", UNKEPT, "not yet"),
        path => reply.answer("200 OK", "", path),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/live.m3u8");
    node.get("/tv/seg3.ts").is_status(404, "not yet");
    there.store(true, Ordering::SeqCst);
    node.get("/tv/seg3.ts").is("/seg3.ts");
    node.logged(&["<7>", "tv/seg3.ts", "404 at the live edge"]);
    assert_eq!(node.said(&["<4>", "404"]), 0, "{}", node.log());
    assert_eq!(node.status()["faults"].as_array().map(Vec::len), Some(0));
    (0..2).for_each(|_| node.get("/tv/seg2.ts").is_status(404, "not yet"));
    node.logged(&["<4>", "tv/seg2.ts", "404 (not found)"]);
    assert_eq!(node.metric("neap_player_denials_total"), 3);
}

#[test]
fn a_broken_playlist_passes_untouched_with_a_warning() {
    for (name, body) in [
        ("html.m3u8", b"<html>not found, says 200</html>".to_vec()),
        ("bytes.mpd", b"<MPD>\xff\xfe</MPD>".to_vec()),
        ("cut.mpd", b"<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"><Period".to_vec()),
        ("empty.m3u8", Vec::new()),
    ] {
        let copy = body.clone();
        let origin = Origin::new(move |_, reply| reply.answer("200 OK", "", &copy));
        let node = Node::with(&origin.url(), "");
        node.get(&format!("/tv/{name}?token=t")).is(&body);
        let line = node.logged(&["<4>", name, "passes untouched"]);
        assert!(!line.contains("token"), "{line}");
    }
}

#[test]
fn a_playlist_that_is_too_large_to_read_passes_untouched() {
    let mut text = stored(10);
    text += &"# a comment that goes on and on and on and on and on\n".repeat(100_000);
    let copy = text.clone();
    let origin = Origin::new(move |_, reply| reply.answer("200 OK", HLS, &copy));
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a.m3u8").is(&text);
    node.logged(&["<4>", "a.m3u8", "passes untouched"]);
}

#[test]
fn a_playlist_that_breaks_off_is_not_half_a_playlist() {
    let origin = Origin::new(|asked, reply| {
        let text = stored(100);
        if asked.before > 0 {
            return reply.answer("200 OK", HLS, text);
        }
        reply.send(format!("HTTP/1.1 200 OK\r\n{HLS}Content-Length: {}\r\n\r\n", text.len()));
        reply.send(&text[..500]);
        reply.close();
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a.m3u8").is_trouble(502, "broke the connection");
    node.get("/tv/a.m3u8").is(stored(100));
}

#[test]
fn absolute_urls_of_the_origin_lead_to_us_and_every_other_byte_stays() {
    let origin = Origin::new(|asked, reply| {
        let host = asked.field("host").unwrap_or_default();
        let text = format!(
            "#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-KEY:METHOD=AES-128,URI=\"https://k/x\"\r\n\
             #EXTINF:4,\r\nhttp://{host}/a/1.ts?t=1\r\n#EXTINF:4,\r\n2.ts\r\n#EXTINF:4,\r\n\
             http://cdn.example:8080/3.ts\r\n#EXT-X-ENDLIST"
        );
        reply.answer("200 OK", &format!("{HLS}Repr-Digest: sha-256=:x:\r\n"), text);
    });
    let node = Node::with(&origin.url(), "");
    let got = node.get("/tv/a/index.m3u8");
    let text = got.text();
    assert!(text.contains("\r\n/tv/a/1.ts?t=1\r\n") || text.contains("\r\n1.ts?t=1\r\n"), "{text}");
    assert!(text.contains("\r\n2.ts\r\n") && text.contains("URI=\"https://k/x\""), "{text}");
    assert!(text.contains("http://cdn.example:8080/3.ts\r\n") && !text.contains("127.0.0.1"));
    assert_eq!(got.field("repr-digest"), None);
}

fn targets(origin: &Origin) -> Vec<String> {
    origin.asked().into_iter().map(|asked| asked.target).collect()
}

#[test]
fn a_chunked_segment_reaches_the_player_chunk_by_chunk() {
    let (gate, begin) = (Gate::default(), Instant::now());
    let open = gate.clone();
    let origin = Origin::new(move |_, reply| {
        reply.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        reply.send("4\r\nmoof\r\n");
        open.wait();
        reply.send("4\r\nmdat\r\n0\r\n\r\n");
    });
    let node = Node::with(&origin.url(), "");
    let mut player = crate::player::open(node.port, ("GET", "/tv/seg.m4s"), "", b"");
    player.at_least("4\r\nmoof".len());
    assert!(begin.elapsed() < PATIENCE);
    gate.open();
    player.rest().is("moofmdat");
}
