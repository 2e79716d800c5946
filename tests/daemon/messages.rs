//! Requests and answers as messages: methods, connections, expectations, web pages' rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::daemon::{Daemon, Setup};
use super::origin::{Origin, bytes, file, held, ok, reply};
use super::player::Player;
use super::wait::Gate;

const FRESH: &str = "Cache-Control: max-age=60";

#[test]
fn rfc_9110_9_3_1_get_gives_the_origins_status_fields_and_content() {
    let lines = format!("{FRESH}\nContent-Type: video/mp2t\nX-Own: 1\nConnection: X-Hop\nX-Hop: 1");
    let origin = Origin::with("/a.ts", ok(&lines, "content"));
    origin.on("/gone", reply("410 Gone", "Content-Type: text/x", "it is gone"));
    let daemon = Daemon::new(&origin);
    for hit in [false, true] {
        let reply = daemon.get("/o/a.ts").expect(200);
        assert_eq!((reply.text().as_str(), reply.is_hit()), ("content", hit));
        assert_eq!(reply.field("content-type"), Some("video/mp2t"));
        assert_eq!(reply.field("x-own"), Some("1"));
        assert_eq!(reply.field("x-hop"), None, "fields of one connection stay there");
        assert_eq!(reply.field("via"), Some("1.1 neap"));
    }
    let gone = daemon.get("/o/gone").expect(410);
    assert_eq!((gone.text().as_str(), gone.field("content-type")), ("it is gone", Some("text/x")));
    assert_eq!(origin.count("/a.ts"), 1);
    assert_eq!(origin.seen("/a.ts")[0].field("via"), Some("1.1 neap"));
    assert_eq!(origin.seen("/a.ts")[0].field("host"), Some(&*origin.address.to_string()));
}

#[test]
fn rfc_9110_9_3_2_head_is_get_without_content() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    for warm in [false, true] {
        if warm {
            daemon.get("/o/a").expect(200);
        }
        player.send("HEAD /o/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let head = player.reply("HEAD").expect(200);
        assert_eq!(head.field("content-length"), Some("7"));
        assert_eq!(head.is_hit(), warm, "{}", head.head);
    }
    assert_eq!(player.get("/o/a", "").expect(200).text(), "content", "no content was in between");
    let methods: Vec<String> = origin.seen("/a").into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD", "GET"]);
}

#[test]
fn rfc_9112_9_3_a_connection_serves_one_request_after_another_until_one_says_close() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    for _ in 0..20 {
        let reply = player.get("/o/a", "").expect(200);
        assert_eq!(reply.field("connection"), None);
    }
    let last = player.get("/o/a", "Connection: close\r\n").expect(200);
    assert_eq!(last.field("connection"), Some("close"));
    assert_eq!(player.end(), b"");
    assert_eq!(daemon.counter("connections"), 1);
    assert_eq!(daemon.counter("requests"), 21);
}

#[test]
fn rfc_9112_9_3_2_pipelined_requests_are_answered_in_their_order() {
    let origin = Origin::with("/warm", ok(FRESH, "warm"));
    let gate = Gate::default();
    origin.on("/slow", held("Content-Length: 4", "", &gate, "slow"));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/warm").expect(200);
    let mut player = daemon.connect();
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    player.send([request("/o/slow"), request("/o/warm"), request("/")].concat());
    player.send(request("/o/warm"));
    origin.wait("/slow", |seen| seen.len() == 1);
    gate.open();
    assert_eq!(player.reply("GET").expect(200).text(), "slow");
    assert_eq!(player.reply("GET").expect(200).text(), "warm");
    player.reply("GET").expect(404);
    assert_eq!(player.reply("GET").expect(200).text(), "warm");
}

#[test]
fn rfc_9112_2_2_a_request_that_comes_byte_by_byte_is_understood() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    for _ in 0..2 {
        // An empty line before a request is to be ignored.
        for byte in b"\r\nGET /o/a HTTP/1.1\r\nHost: localhost\r\n\r\n" {
            player.send([*byte]);
        }
        assert_eq!(player.reply("GET").expect(200).text(), "content");
    }
}

#[test]
fn rfc_9110_10_1_1_a_body_of_known_length_follows_100_continue_and_streams() {
    stream_a_body("Content-Length: 8\r\n", &["abcd", "efgh"], "");
}

#[test]
fn rfc_9112_7_1_a_chunked_body_follows_100_continue_and_streams() {
    let chunks = ["4\r\nabcd\r\n", "4;x=y\r\nefgh\r\n"];
    stream_a_body("Transfer-Encoding: chunked\r\n", &chunks, "0\r\nX-Trailer: 1\r\n\r\n");
}

fn stream_a_body(framing: &str, parts: &[&str], end: &str) {
    let half = Gate::default();
    let seen_half = half.clone();
    let script = move |wire: &mut super::origin::Wire| {
        let mut here = 0;
        while let Some(part) = wire.body() {
            here += part.len();
            if here == 4 {
                seen_half.open();
            }
        }
        wire.send("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
    };
    let origin = Origin::with("/up", Arc::new(script));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    let head = "POST /o/up HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n";
    player.send(format!("{head}{framing}\r\n"));
    assert_eq!(player.head().status, 100);
    player.send(parts[0]);
    // The origin has the first half while the second has not been sent.
    half.wait();
    player.send(parts[1]);
    player.send(end);
    let reply = player.reply("POST").expect(201);
    assert_eq!(reply.text(), "ok");
    assert_eq!(origin.seen("/up")[0].body, b"abcdefgh");
    assert_eq!(player.get("/", "").status, 404, "the connection goes on");
}

#[test]
fn rfc_9110_10_1_1_another_expectation_fails() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    daemon.get_with("/o/a", "Expect: a-miracle\r\n").expect(417);
    assert_eq!(origin.count("/a"), 0);
}

#[test]
fn a_large_body_reaches_the_origin_unchanged() {
    let body = bytes(1, 3_000_000);
    let script = |wire: &mut super::origin::Wire| {
        wire.whole_body();
        wire.send("HTTP/1.1 204 No Content\r\n\r\n");
    };
    let origin = Origin::with("/up", Arc::new(script));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    let length = body.len();
    player
        .send(format!("PUT /o/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"));
    player.send(&body);
    player.reply("PUT").expect(204);
    assert!(origin.seen("/up")[0].body == body);
}

#[test]
fn a_body_that_breaks_off_does_not_reach_the_origin_as_whole() {
    let script = |wire: &mut super::origin::Wire| {
        wire.whole_body();
        if wire.keep {
            wire.send("HTTP/1.1 204 No Content\r\n\r\n");
        } else {
            wire.wait_left();
        }
    };
    let origin = Origin::with("/up", Arc::new(script));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.send("POST /o/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nabcd");
    origin.wait("/up", |seen| seen.iter().any(|seen| seen.body == b"abcd"));
    player.reset();
    origin.wait_left("/up");
}

#[test]
fn the_origin_may_refuse_a_body_before_it_is_there() {
    let script = |wire: &mut super::origin::Wire| {
        wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        wire.wait_left();
    };
    let origin = Origin::with("/up", Arc::new(script));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.send("POST /o/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nabcd");
    let reply = player.reply("POST").expect(403);
    assert_eq!((reply.text().as_str(), reply.field("connection")), ("no", Some("close")));
}

#[test]
fn rfc_9110_9_3_7_options_of_the_server_and_of_a_resource() {
    let origin = Origin::with("/a", reply("200 OK", "Allow: GET, BREW", ""));
    let daemon = Daemon::new(&origin);
    let own = daemon.send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n").expect(204);
    assert!(own.field("allow").is_some_and(|allow| allow.contains("GET, HEAD")));
    assert!(origin.all().is_empty());
    let passed = daemon.send("OPTIONS /o/a HTTP/1.1\r\nHost: localhost\r\n\r\n").expect(200);
    assert_eq!(passed.field("allow"), Some("GET, BREW"));
    assert_eq!(origin.seen("/a")[0].method, "OPTIONS");
}

#[test]
fn rfc_9110_9_3_6_and_8_methods_of_proxies_and_tracing_are_refused() {
    let origin = Origin::new();
    let daemon = Daemon::new(&origin);
    let target = origin.address;
    for request in [
        format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"),
        "TRACE /o/a HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
    ] {
        let refused = daemon.send(&request).expect(405);
        assert!(refused.field("allow").is_some());
    }
    assert!(origin.all().is_empty());
}

#[test]
fn rfc_9112_9_3_a_player_of_http_1_0_gets_a_length_or_the_end_of_the_connection() {
    let origin = Origin::with("/sized", ok(FRESH, "content"));
    let chunked = |wire: &mut super::origin::Wire| {
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        wire.chunk("con");
        wire.chunk("tent");
        wire.chunk("");
    };
    origin.on("/chunked", Arc::new(chunked));
    let daemon = Daemon::new(&origin);
    let ask = |path: &str, more: &str| {
        let mut player = daemon.connect();
        player.send(format!("GET {path} HTTP/1.0\r\n{more}\r\n"));
        let reply = player.reply("GET").expect(200);
        assert_eq!(reply.text(), "content");
        (player, reply)
    };
    let (mut player, sized) = ask("/o/sized", "");
    assert_eq!(sized.field("content-length"), Some("7"));
    assert_eq!(player.end(), b"");
    let (_, chunked) = ask("/o/chunked", "");
    assert_eq!(chunked.field("transfer-encoding"), None);
    assert_eq!(chunked.field("content-length"), None);
    assert_eq!(chunked.field("connection"), Some("close"));
    let (mut player, kept) = ask("/o/sized", "Connection: keep-alive\r\n");
    assert_eq!(kept.field("connection"), Some("keep-alive"));
    player.send("GET /o/sized HTTP/1.0\r\n\r\n");
    assert_eq!(player.reply("GET").expect(200).text(), "content");
}

#[test]
fn a_web_page_may_read_answers_and_is_told_in_a_preflight() {
    let lines = format!(
        "{FRESH}\nAccess-Control-Allow-Origin: https://other.example\n\
         Access-Control-Expose-Headers: X-Cdn"
    );
    let origin = Origin::with("/a", ok(&lines, "content"));
    let daemon = Daemon::new(&origin);
    let simple = daemon.get_with("/o/a", "Origin: https://tv.example\r\n").expect(200);
    assert_eq!(simple.field("access-control-allow-origin"), Some("*"));
    let head = simple.head.to_ascii_lowercase();
    let exposed = head.lines().filter(|line| line.starts_with("access-control-expose-headers:"));
    let exposed: String = exposed.collect();
    for name in ["content-range", "cmsd-static", "cmsd-dynamic", "x-cdn"] {
        assert!(exposed.contains(name), "{name}: {exposed}");
    }
    for name in ["age", "cache-status", "date", "x-request-id"] {
        assert!(!exposed.contains(name), "{name}: {exposed}");
    }
    assert_eq!(daemon.get("/o/a").field("access-control-allow-origin"), None);
    let preflight = "OPTIONS /o/a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://tv.example\r\n\
                     Access-Control-Request-Method: GET\r\n\
                     Access-Control-Request-Headers: range, x-own\r\n\r\n";
    let granted = daemon.send(preflight).expect(204);
    assert_eq!(granted.field("access-control-allow-origin"), Some("*"));
    assert_eq!(granted.field("access-control-allow-methods"), Some("GET"));
    assert_eq!(granted.field("access-control-allow-headers"), Some("range, x-own"));
    assert_eq!(granted.field("content-length"), None, "RFC 9110, 8.6: none with 204");
    assert_eq!(origin.count("/a"), 1, "a preflight is no business of the origin");
    let refused = daemon.get_with("/", "Origin: https://tv.example\r\n").expect(404);
    assert_eq!(refused.field("access-control-allow-origin"), Some("*"), "pages see errors as well");
}

#[test]
fn only_configured_web_pages_may_read_answers() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let player = "cors = [\"https://tv.example\"]".into();
    let daemon = Setup { player, ..Setup::default() }.start(&origin);
    let named = daemon.get_with("/o/a", "Origin: https://tv.example\r\n").expect(200);
    assert_eq!(named.field("access-control-allow-origin"), Some("https://tv.example"));
    assert_eq!(named.field("vary"), Some("Origin"));
    assert_eq!(named.field("access-control-allow-credentials"), Some("true"));
    let exposed = named.field("access-control-expose-headers").unwrap_or_default();
    assert!(exposed.contains("Content-Range") && exposed.contains("Age"), "{exposed}");
    let other = daemon.get_with("/o/a", "Origin: https://evil.example\r\n").expect(200);
    assert_eq!(other.field("access-control-allow-origin"), None);
}

#[test]
fn every_answer_bears_an_id_of_its_own_that_stands_in_the_log() {
    let origin = Origin::with("/a", ok(&format!("{FRESH}\nX-Request-Id: theirs"), "content"));
    let daemon = Daemon::new(&origin);
    let mut ids = BTreeSet::new();
    let mut player = daemon.connect();
    for _ in 0..3 {
        ids.insert(player.get("/o/a", "").expect(200).field("x-request-id").unwrap().to_owned());
        ids.insert(player.get("/", "").expect(404).field("x-request-id").unwrap().to_owned());
    }
    player.send("nonsense\r\n\r\n");
    ids.insert(player.reply("GET").expect(400).field("x-request-id").unwrap().to_owned());
    assert_eq!(ids.len(), 7, "{ids:?}");
    for id in &ids {
        daemon.wait_log(id);
    }
}

#[test]
fn a_player_that_leaves_or_talks_nonsense_harms_nobody_else() {
    let origin = Origin::with("/a", file(FRESH, bytes(1, 1_000_000)));
    let daemon = Daemon::new(&origin);
    for round in 0..20 {
        let mut rude = daemon.connect();
        match round % 5 {
            0 => rude.ask("/o/a", ""),
            1 => rude.send(bytes(round, 5000)),
            2 => rude.send("GET /o/a HT"),
            3 => rude.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            _ => drop(rude.get("/o/a", "").expect(200)),
        }
        if round < 10 { rude.reset() } else { drop(rude) }
    }
    assert!(daemon.get("/o/a").expect(200).body == bytes(1, 1_000_000));
    let gone = || (daemon.status()["connections"]["used"] == 0).then_some(());
    super::wait::until("all connections are closed", gone);
}

#[test]
fn an_idle_connection_costs_others_nothing() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let idle: Vec<Player> = (0..200).map(|_| daemon.connect()).collect();
    assert_eq!(daemon.get("/o/a").expect(200).text(), "content");
    daemon.wait_counter("connections", 201);
    drop(idle);
}
