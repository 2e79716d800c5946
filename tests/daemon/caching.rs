//! What a player notices of RFC 9111, RFC 5861 and RFC 9211.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::daemon::Daemon;
use super::origin::{Origin, Script, Wire, file, ok, reply};
use super::wait::{Gate, until};

const FRESH: &str = "Cache-Control: max-age=60";

/// Answers `version N`, counted from one.
fn versions(lines: &str) -> Script {
    let (lines, count) = (lines.to_owned(), AtomicUsize::new(0));
    Arc::new(move |wire: &mut Wire| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        ok(&lines, format!("version {number}"))(wire);
    })
}

/// The texts of so many requests one after another.
fn texts(daemon: &Daemon, count: usize, lines: &str) -> Vec<String> {
    (0..count).map(|_| daemon.get_with("/o/a", lines).expect(200).text()).collect()
}

#[test]
fn rfc_9211_2_cache_status_says_whether_and_why_the_origin_was_asked() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    origin.on("/b", ok("Cache-Control: no-store\nCache-Status: edge; hit", "content"));
    let daemon = Daemon::new(&origin);
    let miss = daemon.get("/o/a").expect(200);
    assert_eq!(miss.cache(), "neap; fwd=uri-miss; fwd-status=200; stored");
    let hit = daemon.get("/o/a").expect(200);
    let ttl = hit.cache().strip_prefix("neap; hit; ttl=").and_then(|ttl| ttl.parse::<u32>().ok());
    assert!(ttl.is_some_and(|ttl| (50..=60).contains(&ttl)), "{}", hit.cache());
    let post = "POST /o/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    assert!(daemon.send(post).cache().contains("fwd=method"));
    let passed = daemon.get("/o/b").expect(200).head;
    let at = |part: &str| passed.find(part).unwrap_or_else(|| panic!("no {part} in {passed}"));
    assert!(at("Cache-Status: edge; hit") < at("Cache-Status: neap; fwd=uri-miss"));
}

#[test]
fn rfc_9111_5_1_age_counts_from_the_origin_on() {
    let origin = Origin::with("/a", ok("Cache-Control: max-age=600\nAge: 100", "content"));
    let daemon = Daemon::new(&origin);
    let age = |reply: super::player::Reply| reply.field("age").unwrap().parse::<u32>().unwrap();
    assert!((100..120).contains(&age(daemon.get("/o/a").expect(200))));
    let hit = daemon.get("/o/a").expect(200);
    assert!(hit.is_hit() && (100..120).contains(&age(hit)));
    // Older than its lifetime when it came: not fresh.
    origin.on("/b", ok("Cache-Control: max-age=60\nAge: 100\nETag: \"b\"", "content"));
    daemon.get("/o/b").expect(200);
    assert!(!daemon.get("/o/b").expect(200).is_hit());
}

#[test]
fn rfc_9110_13_1_2_a_player_that_has_it_already_gets_304_from_the_cache() {
    let origin = Origin::with("/a", file(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/a").expect(200);
    let mut player = daemon.connect();
    for tags in ["\"file\"", "W/\"file\"", "\"x\", \"file\"", "*"] {
        let reply = player.get("/o/a", &format!("If-None-Match: {tags}\r\n")).expect(304);
        assert_eq!(reply.field("etag"), Some("\"file\""));
        assert!(reply.is_hit());
    }
    let other = player.get("/o/a", "If-None-Match: \"other\"\r\n").expect(200);
    assert_eq!(other.text(), "content");
    assert_eq!(origin.count("/a"), 1);
}

#[test]
fn rfc_9110_13_1_3_dates_count_where_no_tag_is_given() {
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    let origin =
        Origin::with("/a", file(&format!("{FRESH}\nLast-Modified: {modified}"), "content"));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/a").expect(200);
    let since = |date: &str| format!("If-Modified-Since: {date}\r\n");
    daemon.get_with("/o/a", &since(modified)).expect(304);
    daemon.get_with("/o/a", &since("Sun, 06 Nov 1994 08:49:36 GMT")).expect(200);
    let both = since(modified) + "If-None-Match: \"other\"\r\n";
    daemon.get_with("/o/a", &both).expect(200);
    assert_eq!(origin.count("/a"), 1);
}

#[test]
fn rfc_9111_4_3_1_a_condition_does_not_spoil_a_miss() {
    let origin = Origin::with("/a", file(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    daemon.get_with("/o/a", "If-None-Match: \"file\"\r\n").expect(304);
    assert_eq!(daemon.get("/o/a").expect(200).text(), "content");
}

#[test]
fn rfc_9111_4_3_4_a_stale_answer_is_confirmed_and_its_fields_are_renewed() {
    let confirms = |wire: &mut Wire| {
        match wire.request.field("if-none-match") {
        Some("\"1\"") => wire.send(
            "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\nX-New: 2\r\n\r\n",
        ),
        _ => ok("Cache-Control: max-age=0\nETag: \"1\"\nX-New: 1\nX-Old: 1", "content")(wire),
    }
    };
    let origin = Origin::with("/a", Arc::new(confirms));
    let daemon = Daemon::new(&origin);
    assert_eq!(daemon.get("/o/a").expect(200).field("x-new"), Some("1"));
    let confirmed = daemon.get("/o/a").expect(200);
    assert_eq!(confirmed.cache(), "neap; fwd=stale; fwd-status=304; stored");
    assert_eq!(confirmed.text(), "content");
    assert_eq!((confirmed.field("x-new"), confirmed.field("x-old")), (Some("2"), Some("1")));
    let hit = daemon.get("/o/a").expect(200);
    assert!(hit.is_hit(), "the 304 made it fresh again");
    assert_eq!(hit.field("x-new"), Some("2"));
    assert_eq!(origin.count("/a"), 2);
    assert_eq!(daemon.counter("revalidations"), 1);
}

#[test]
fn rfc_9111_4_3_3_what_changed_replaces_what_was_stored() {
    let origin = Origin::with("/a", ok("Cache-Control: max-age=0\nETag: \"1\"", "old"));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/a").expect(200);
    origin.on("/a", ok("Cache-Control: max-age=60\nETag: \"2\"", "new"));
    assert_eq!(texts(&daemon, 2, ""), ["new", "new"]);
    assert_eq!(origin.seen("/a")[1].field("if-none-match"), Some("\"1\""));
    assert_eq!(origin.count("/a"), 2);
}

#[test]
fn rfc_9111_4_3_1_a_reload_by_the_player_asks_the_origin() {
    let origin = Origin::with("/a", file(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    for (lines, requests) in [
        ("", 1),
        ("Cache-Control: no-cache\r\n", 2),
        ("Pragma: no-cache\r\n", 3),
        ("Cache-Control: max-age=0\r\n", 4),
        ("Cache-Control: min-fresh=90\r\n", 5),
        ("Cache-Control: max-age=30\r\n", 5),
    ] {
        assert_eq!(daemon.get_with("/o/a", lines).expect(200).text(), "content");
        assert_eq!(origin.count("/a"), requests, "{lines}");
    }
}

#[test]
fn rfc_9111_5_2_1_no_cache_with_a_segment_is_passed_over_and_with_a_playlist_heeded() {
    let origin = Origin::new();
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n\
                #EXT-X-MAP:URI=\"init\"\n#EXTINF:4,\n1.ts\n#EXT-X-ENDLIST\n";
    origin.on("/p.m3u8", ok("Cache-Control: max-age=60", list));
    for path in ["/key", "/init", "/1.ts", "/film"] {
        origin.on(path, ok(FRESH, "content"));
    }
    let daemon = Daemon::new(&origin);
    let paths = ["/p.m3u8", "/key", "/init", "/1.ts", "/film"];
    for path in paths.repeat(3) {
        daemon.get_with(&format!("/o{path}"), "Cache-Control: no-cache\r\n").expect(200);
    }
    assert_eq!(paths.map(|path| origin.count(path)), [3, 3, 1, 1, 3]);
}

#[test]
fn rfc_9111_5_2_1_7_only_if_cached_never_asks_the_origin() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let only = "Cache-Control: only-if-cached\r\n";
    daemon.get_with("/o/a", only).expect(504);
    assert_eq!(origin.count("/a"), 0);
    daemon.get("/o/a").expect(200);
    assert_eq!(daemon.get_with("/o/a", only).expect(200).text(), "content");
}

#[test]
fn rfc_9111_3_what_the_origin_keeps_for_one_user_is_not_reused() {
    for lines in [
        "Cache-Control: no-store",
        "Cache-Control: private, max-age=60",
        "Cache-Control: max-age=60\nSet-Cookie: a=b",
        "Cache-Control: max-age=60\nVary: *",
    ] {
        let origin = Origin::with("/a", versions(lines));
        let daemon = Daemon::new(&origin);
        assert_eq!(texts(&daemon, 2, ""), ["version 1", "version 2"], "{lines}");
    }
}

#[test]
fn rfc_9111_3_5_an_authorised_answer_is_not_reused_unless_it_says_so() {
    let with = "Authorization: Basic YTpi\r\n";
    let origin = Origin::with("/a", versions(FRESH));
    let daemon = Daemon::new(&origin);
    assert_eq!(texts(&daemon, 2, with), ["version 1", "version 2"]);
    assert_eq!(texts(&daemon, 1, ""), ["version 3"]);
    assert_eq!(origin.seen("/a")[0].field("authorization"), Some("Basic YTpi"));
    assert_eq!(origin.seen("/a")[2].field("authorization"), None);
    let origin = Origin::with("/a", versions("Cache-Control: public, max-age=60"));
    let daemon = Daemon::new(&origin);
    assert_eq!(texts(&daemon, 2, with), ["version 1", "version 1"]);
}

#[test]
fn rfc_9111_5_2_1_5_what_a_player_wants_not_stored_is_not() {
    let origin = Origin::with("/a", versions(FRESH));
    let daemon = Daemon::new(&origin);
    assert_eq!(texts(&daemon, 1, "Cache-Control: no-store\r\n"), ["version 1"]);
    assert_eq!(texts(&daemon, 2, ""), ["version 2", "version 2"]);
}

#[test]
fn rfc_9111_4_1_variants_are_told_apart_by_the_fields_that_vary_names() {
    let script = |wire: &mut Wire| {
        let language = wire.request.field("accept-language").unwrap_or("none").to_owned();
        ok("Cache-Control: max-age=60\nVary: Accept-Language", language)(wire);
    };
    let origin = Origin::with("/a", Arc::new(script));
    let daemon = Daemon::new(&origin);
    for _ in 0..2 {
        for language in ["de", "fr", "none"] {
            let lines = match language {
                "none" => "User-Agent: x\r\n".into(),
                language => format!("Accept-Language: {language}\r\n"),
            };
            assert_eq!(daemon.get_with("/o/a", &lines).expect(200).text(), language);
        }
    }
    assert_eq!(origin.count("/a"), 3);
}

#[test]
fn rfc_9111_4_4_unsafe_methods_pass_and_what_they_change_is_asked_for_anew() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let origin = Origin::with("/a", versions(FRESH));
        let daemon = Daemon::new(&origin);
        let head =
            format!("{method} /o/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(texts(&daemon, 2, ""), ["version 1", "version 1"]);
        assert_eq!(daemon.send(&head).expect(200).text(), "version 2");
        assert_eq!(daemon.send(&head).expect(200).text(), "version 3", "never from the cache");
        assert_eq!(texts(&daemon, 2, ""), ["version 4", "version 4"]);
        let passed = &origin.seen("/a")[1];
        assert_eq!((passed.method.as_str(), &passed.body[..]), (method, &b"abc"[..]));
    }
}

#[test]
fn rfc_9111_4_4_what_failed_or_was_only_asked_invalidates_nothing() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/a").expect(200);
    origin.on("/a", reply("500 Oops", "", "no"));
    daemon.send("POST /o/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").expect(500);
    origin.on("/a", reply("200 OK", "", "options"));
    daemon.send("OPTIONS /o/a HTTP/1.1\r\nHost: localhost\r\n\r\n").expect(200);
    assert!(daemon.get("/o/a").expect(200).is_hit());
}

#[test]
fn rfc_9111_4_4_the_place_that_an_unsafe_answer_names_is_asked_for_anew() {
    let origin = Origin::with("/a", versions(FRESH));
    origin.on("/form", reply("201 Created", "Location: /a", ""));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/a").expect(200);
    let post = "POST /o/form HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(daemon.send(post).expect(201).field("location"), Some("/o/a"));
    assert_eq!(texts(&daemon, 1, ""), ["version 2"]);
}

#[test]
fn rfc_5861_3_a_stale_answer_is_given_at_once_and_renewed_beside() {
    let origin = Origin::with(
        "/a",
        ok("Cache-Control: max-age=0, stale-while-revalidate=600\nETag: \"1\"", "old"),
    );
    let daemon = Daemon::new(&origin);
    daemon.get("/o/a").expect(200);
    let gate = Gate::default();
    let waits = gate.clone();
    let held = move |wire: &mut Wire| {
        waits.wait_or_give_up();
        ok("Cache-Control: max-age=60\nETag: \"2\"", "new")(wire);
    };
    origin.on("/a", Arc::new(held));
    for _ in 0..3 {
        assert_eq!(daemon.get("/o/a").expect(200).text(), "old", "while the origin thinks");
    }
    origin.wait("/a", |seen| seen.len() == 2);
    gate.open();
    until("the new one", || (daemon.get("/o/a").expect(200).text() == "new").then_some(()));
    assert_eq!(origin.count("/a"), 2);
    assert!(daemon.counter("stale_served") >= 3);
}

#[test]
fn rfc_5861_4_a_stale_answer_helps_when_the_origin_fails() {
    let stored = "Cache-Control: max-age=0, stale-if-error=600\nETag: \"1\"";
    let origin = Origin::with("/a", ok(stored, "old"));
    origin.on("/strict", ok("Cache-Control: max-age=0, must-revalidate\nETag: \"1\"", "old"));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/a").expect(200);
    daemon.get("/o/strict").expect(200);
    origin.on("/a", reply("503 Busy", "", "busy"));
    origin.on("/strict", reply("503 Busy", "", "busy"));
    assert_eq!(daemon.get("/o/a").expect(200).text(), "old");
    assert_eq!(daemon.get("/o/strict").expect(503).text(), "busy");
}

#[test]
fn rfc_9111_4_many_players_of_a_stale_answer_make_one_validation() {
    let origin = Origin::with("/a", ok("Cache-Control: max-age=0\nETag: \"1\"", "content"));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/a").expect(200);
    let gate = Gate::default();
    let waits = gate.clone();
    let confirms = move |wire: &mut Wire| {
        waits.wait_or_give_up();
        wire.send("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\n\r\n");
    };
    origin.on("/a", Arc::new(confirms));
    let mut players: Vec<_> = (0..10).map(|_| daemon.connect()).collect();
    players.iter_mut().for_each(|player| player.ask("/o/a", ""));
    daemon.wait_counter("collapsed", 9);
    gate.open();
    for player in &mut players {
        assert_eq!(player.reply("GET").expect(200).text(), "content");
    }
    assert_eq!(origin.count("/a"), 2);
}

#[test]
fn rfc_9110_15_5_5_a_missing_segment_is_not_asked_for_by_everybody_at_once() {
    let origin = Origin::with("/a", reply("404 Not Found", "", "not yet"));
    let daemon = Daemon::new(&origin);
    for _ in 0..3 {
        assert_eq!(daemon.get("/o/a").expect(404).text(), "not yet");
    }
    assert_eq!(origin.count("/a"), 1);
}

#[test]
fn a_query_is_a_part_of_the_name_unless_it_is_configured_not_to_be() {
    let origin = Origin::with("/a", versions(FRESH));
    let setup = super::daemon::Setup {
        origin: "ignore-query = [\"token\"]".into(),
        ..super::daemon::Setup::default()
    };
    let daemon = setup.start(&origin);
    let text = |path: &str| daemon.get(path).expect(200).text();
    assert_eq!(text("/o/a?x=1&token=1"), "version 1");
    assert_eq!(text("/o/a?x=1&token=2"), "version 1");
    assert_eq!(text("/o/a?x=2&token=1"), "version 2");
    assert_eq!(origin.seen("/a")[0].target, "/a?x=1&token=1");
}

#[test]
fn rfc_9110_15_4_redirects_are_followed_inside_or_handed_on_as_configured() {
    let origin = Origin::with("/old", reply("302 Found", "Location: /new?x", ""));
    origin.on("/new", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    assert_eq!(daemon.get("/o/old").expect(200).text(), "content");
    let hands_on = super::daemon::Setup {
        origin: "follow-redirects = false".into(),
        ..super::daemon::Setup::default()
    };
    let daemon = hands_on.start(&origin);
    assert_eq!(daemon.get("/o/old").expect(302).field("location"), Some("/o/new?x"));
}

/// A live stream of two-second segments at the origin: the first that is listed, and which run of
/// the encoder it is. Its names are of a ring of six.
#[derive(Default)]
struct Ring(std::sync::Mutex<(u64, u64)>);

impl Ring {
    fn at(origin: &Origin, lines: &'static str) -> Arc<Self> {
        let ring = Arc::new(Self::default());
        let listed = Arc::clone(&ring);
        let playlist = move |wire: &mut Wire| {
            let (first, _) = *listed.0.lock().unwrap();
            let mut text =
                format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
            (first..first + 3).for_each(|n| text.push_str(&format!("#EXTINF:2,\nr{}.ts\n", n % 6)));
            ok("Content-Type: application/vnd.apple.mpegurl", text)(wire);
        };
        origin.on("/ring.m3u8", Arc::new(playlist));
        for place in 0..6 {
            let shown = Arc::clone(&ring);
            let segment = move |wire: &mut Wire| {
                let (first, run) = *shown.0.lock().unwrap();
                let number = (0..first + 3).rev().find(|n| n % 6 == place).unwrap_or(place);
                let lines = format!("{lines}\nETag: \"{run}-{number}\"");
                ok(lines.trim(), format!("run {run}, picture {number}"))(wire);
            };
            origin.on(&format!("/r{place}.ts"), Arc::new(segment));
        }
        ring
    }

    /// Plays what is listed from `first` on.
    fn play(&self, daemon: &Daemon, (first, run): (u64, u64)) -> Vec<String> {
        *self.0.lock().unwrap() = (first, run);
        let list = daemon.get_with("/o/ring.m3u8", "Cache-Control: no-cache\r\n").expect(200);
        let text = list.text();
        let names = text.lines().filter(|line| !line.starts_with('#'));
        names.map(|name| daemon.get(&format!("/o/{name}")).expect(200).text()).collect()
    }
}

#[test]
fn a_live_stream_whose_names_come_back_shows_no_old_pictures() {
    let origin = Origin::new();
    let ring = Ring::at(&origin, "");
    let daemon = Daemon::new(&origin);
    for (first, run) in (10..22).map(|first| (first, 1)).chain([(0, 2), (1, 2), (2, 2)]) {
        let meant: Vec<_> = (first..first + 3).map(|n| format!("run {run}, picture {n}")).collect();
        assert_eq!(ring.play(&daemon, (first, run)), meant);
    }
    // Each is fetched once, and asked about once more where its name comes back.
    let fetched = (0..6).map(|place| origin.count(&format!("/r{place}.ts"))).sum::<usize>();
    assert!(fetched <= 2 * (14 + 5), "{fetched}");
}

#[test]
fn what_the_origin_says_holds_is_held_though_its_name_comes_back() {
    let origin = Origin::new();
    let ring = Ring::at(&origin, FRESH);
    let daemon = Daemon::new(&origin);
    for first in 0..4 {
        ring.play(&daemon, (first, 1));
    }
    assert_eq!(ring.play(&daemon, (6, 1))[0], "run 1, picture 0");
    // Unless a player asks for no such word.
    let said = daemon.get_with("/o/r0.ts", "Cache-Control: no-cache\r\n").expect(200);
    assert_eq!(said.text(), "run 1, picture 6");
}
