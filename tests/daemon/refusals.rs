//! What is refused: strangers, requests that could be read in two ways, and too much of anything.

use super::daemon::{Daemon, Setup};
use super::origin::{Origin, ok};
use super::player::Player;
use super::wait::until;

const FRESH: &str = "Cache-Control: max-age=60";

fn world() -> (Origin, Daemon) {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    (origin, daemon)
}

/// Sends bytes, expects a refusal of this status and the end of the connection, and that the
/// request that follows in the same bytes reaches nobody.
fn refused(request: &str, status: u16) {
    let (origin, daemon) = world();
    let mut player = daemon.connect();
    player.send(format!("{request}GET /o/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let reply = player.reply("GET").expect(status);
    assert_eq!(reply.field("connection"), Some("close"), "{request:?}");
    assert_eq!(player.end(), b"", "{request:?}");
    assert!(origin.all().is_empty(), "{request:?} reached the origin");
    assert!(daemon.counter("malformed") >= 1);
}

#[test]
fn rfc_9112_6_3_both_lengths() {
    refused(
        "POST /o/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    );
}

#[test]
fn rfc_9112_6_3_several_or_unreadable_lengths() {
    for lines in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 99999999999999999999999",
    ] {
        refused(&format!("POST /o/a HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\nabcde"), 400);
    }
}

#[test]
fn rfc_9112_6_1_transfer_codings_other_than_one_chunked() {
    for coding in ["gzip, chunked", "chunked, chunked", "identity", "chunkedx", "chunked, identity"]
    {
        let head =
            format!("POST /o/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {coding}\r\n");
        refused(&format!("{head}\r\n0\r\n\r\n"), 501);
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked";
    refused(&format!("POST /o/a HTTP/1.1\r\nHost: localhost\r\n{twice}\r\n\r\n0\r\n\r\n"), 501);
}

#[test]
fn rfc_9112_6_1_a_transfer_coding_in_http_1_0() {
    refused("POST /o/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

#[test]
fn rfc_9112_2_2_bare_line_ends() {
    refused("GET /o/a HTTP/1.1\nHost: localhost\n\n", 400);
    refused("GET /o/a HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400);
    refused("GET /o/a HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n", 400);
    refused("GET /o/a HTTP/1.1\r\nHost: localhost\r\n\n\r\n", 400);
}

#[test]
fn rfc_9112_5_2_folded_lines() {
    refused("GET /o/a HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400);
    refused("GET /o/a HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\tContent-Length: 5\r\n\r\n", 400);
}

#[test]
fn rfc_9112_5_1_blanks_before_the_colon_and_names_that_are_none() {
    refused("POST /o/a HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\nabcde", 400);
    refused("GET /o/a HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n", 400);
    refused("GET /o/a HTTP/1.1\r\nHost: localhost\r\nX y: x\r\n\r\n", 400);
    refused("GET /o/a HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", 400);
}

#[test]
fn rfc_9112_3_2_no_host_or_several() {
    refused("GET /o/a HTTP/1.1\r\n\r\n", 400);
    refused("GET /o/a HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400);
}

#[test]
fn rfc_9112_2_3_versions_that_are_not_spoken() {
    refused("GET /o/a HTTP/2.0\r\nHost: localhost\r\n\r\n", 505);
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    refused("GET /o/a\r\n\r\n", 400);
}

#[test]
fn rfc_9112_7_1_bad_chunks_end_the_request_and_nothing_follows() {
    for body in [
        "zz\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcdeX\r\n0\r\n\r\n",
        "5\nabcde\r\n0\r\n\r\n",
        "0x5\r\nabcde\r\n0\r\n\r\n",
        "-5\r\nabcde\r\n0\r\n\r\n",
        "5 5\r\nabcde\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabcde\r\n0\r\n\r\n",
        "5;a\nb\r\nabcde\r\n0\r\n\r\n",
    ] {
        let origin = Origin::new();
        // It answers when the body is there: it never is.
        origin.on("/a", ok("", "done"));
        let daemon = Daemon::new(&origin);
        let mut player = daemon.connect();
        let head = "POST /o/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        let next = "GET /o/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
        player.send(format!("{head}{body}{next}"));
        let answer = String::from_utf8(player.end()).unwrap();
        assert!(!answer.contains("200 OK"), "{body:?}: {answer}");
        assert!(answer.matches("HTTP/1.1").count() <= 1, "{body:?}: {answer}");
        assert_eq!(origin.count("/smuggled"), 0, "{body:?}");
    }
}

#[test]
fn rfc_9110_9_3_1_a_body_of_get_is_not_taken_for_the_next_request() {
    let (origin, daemon) = world();
    let mut player = daemon.connect();
    let smuggled = "GET /o/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = smuggled.len();
    player.ask("/o/a", &format!("Content-Length: {length}\r\n"));
    player.send(smuggled);
    let reply = player.reply("GET").expect(200);
    assert_eq!(reply.field("connection"), Some("close"));
    assert_eq!(player.end(), b"");
    assert_eq!(origin.count("/smuggled"), 0);
}

#[test]
fn it_is_never_an_open_proxy() {
    let (origin, daemon) = world();
    let there = origin.address;
    for (target, host, status) in [
        (format!("http://{there}/a"), there.to_string(), 307),
        ("http://evil.example/o/a".into(), "localhost".into(), 421),
        ("/http://evil.example/".into(), "localhost".into(), 307),
        ("/o/a?u=http://evil.example/".into(), "evil.example".into(), 421),
        ("//evil.example/a".into(), "localhost".into(), 307),
        ("/evil.example/a".into(), "localhost".into(), 307),
        ("/o/../other/a".into(), "localhost".into(), 307),
        ("/".into(), "localhost".into(), 404),
        ("evil.example:80".into(), "localhost".into(), 400),
        ("*".into(), "localhost".into(), 400),
        ("ftp://localhost/o/a".into(), "localhost".into(), 400),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let reply = daemon.send(&request).expect(status);
        // What is no origin's goes on to the configured one's own server, and to no other.
        let to = reply.field("location").map_or("", |to| to.trim_start_matches("http://"));
        assert_eq!(to.starts_with(&format!("{there}/")), status == 307, "{target}: {to}");
    }
    assert!(origin.all().is_empty());
    // A URL in the query is none of ours.
    assert_eq!(daemon.get("/o/a?u=http://evil.example/").expect(200).text(), "content");
    // RFC 9112, 3.2.2: the absolute form of our own name is understood.
    let own = format!("GET http://{}/o/a HTTP/1.1\r\nHost: x\r\n\r\n", daemon.player);
    assert_eq!(daemon.send(&own).expect(200).text(), "content");
}

#[test]
fn what_a_playlist_could_not_be_put_right_in_is_played_directly() {
    let origin = Origin::with("/live/a.ts", ok(FRESH, "a picture"));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    for name in ["a", "b"] {
        let reply = player.get(&format!("/live/{name}.ts?token=secret"), "").expect(307);
        let meant = format!("http://{}/live/{name}.ts?token=secret", origin.address);
        assert_eq!(reply.field("location"), Some(&*meant));
        assert_eq!(reply.field("cache-control"), Some("no-store"));
    }
    let head = "HEAD /live/a.ts HTTP/1.1\r\nHost: localhost\r\n\r\n";
    daemon.send(head).expect(307);
    let post = "POST /live/a.ts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    daemon.send(post).expect(404);
    for nobodys in ["/", "/favicon.ico", "/robots.txt"] {
        player.get(nobodys, "").expect(404);
    }
    let mut direct = Player::new(origin.address);
    assert_eq!(direct.get("/live/a.ts?token=secret", "").expect(200).text(), "a picture");
    assert_eq!(origin.all().len(), 1, "neap asked for none of it");
    daemon.wait_log("/live/ names no origin of ours: sent on to 127.0.0.1");
    let said = daemon.log().matches("names no origin of ours").count();
    assert!(said == 1 && !daemon.log().contains("secret"), "{}", daemon.log());
}

#[test]
fn with_several_origins_the_one_whose_playlist_it_was_is_meant() {
    let origin = Origin::new();
    let more = "[[origin]]\nname = \"p\"\nurl = \"http://p.example:81/x/\"\n".into();
    let daemon = Setup { origin: more, ..Setup::default() }.start(&origin);
    daemon.get("/live/a.ts").expect(404);
    daemon.get_with("/live/a.ts", "Referer: http://evil.example/p/\r\n").expect(404);
    let from = format!("Referer: http://{}/p/ch1/index.m3u8\r\n", daemon.player);
    let reply = daemon.get_with("/live/a.ts", &from).expect(307);
    assert_eq!(reply.field("location"), Some("http://p.example:81/live/a.ts"));
}

#[test]
fn a_path_never_climbs_above_the_origins_base() {
    let origin = Origin::with("/a%2eb", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let send =
        |target: &str| daemon.send(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    for target in ["/o/../../etc/passwd", "/o/a/../../../x", "/o/%2e%2e/%2E%2e/x", "/o/.%2e/x"] {
        send(target).expect(307);
    }
    // Nor behind a slash that some servers read only after they have looked for dots.
    for target in ["/o/..%2fx", "/o/a%2F..%5C..%2Fx", "/o/a\\..\\x"] {
        send(target).expect(400);
    }
    assert_eq!(origin.all().len(), 0);
    assert_eq!(send("/o/x/%2E./a%2eb").expect(200).text(), "content");
}

#[test]
fn rfc_9110_7_4_names_that_are_not_this_devices_are_misdirected() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let setup = Setup { player: "host-names = [\"box.lan\"]".into(), ..Setup::default() };
    let daemon = setup.start(&origin);
    let ask = |host: &str| daemon.send(&format!("GET /o/a HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    for host in ["evil.example", "evil.example:8642", "localhost.evil.example", "127.0.0.1.evil"] {
        ask(host).expect(421);
    }
    assert!(origin.all().is_empty());
    assert_eq!(daemon.counter("forbidden_host"), 4);
    daemon.wait_log("<4>A request called this device by a name that [player] host-names");
    assert!(daemon.status()["faults"].to_string().contains("host-names"));
    for host in ["127.0.0.1", "localhost:1", "[::1]:8642", "box.lan", "192.168.1.2:8642"] {
        ask(host).expect(200);
    }
}

#[test]
fn rfc_9112_3_and_rfc_6585_5_heads_targets_and_fields_are_limited() {
    let (origin, daemon) = world();
    let line = |count: usize| "a".repeat(count);
    let long = format!("GET /o/{} HTTP/1.1\r\nHost: localhost\r\n\r\n", line(9000));
    daemon.send(&long).expect(414);
    let many: String = (0..101).map(|number| format!("X-{number}: y\r\n")).collect();
    daemon.get_with("/o/a", &many).expect(431);
    daemon.get_with("/o/a", &format!("X: {}\r\n", line(33_000))).expect(431);
    // A head without end, too.
    let mut player = daemon.connect();
    player.send(format!("GET /o/a HTTP/1.1\r\nX: {}", line(70_000)));
    assert_eq!(player.reply("GET").status, 431);
    assert!(origin.all().is_empty());
    // RFC 9112, 3: 8000 octets are to be supported.
    let target = format!("/o/{}", line(7990));
    assert_eq!(daemon.get(&target).status, 404);
    assert_eq!(origin.all().len(), 1);
    let few: String = (0..90).map(|number| format!("X-{number}: {}\r\n", line(100))).collect();
    daemon.get_with("/o/a", &few).expect(200);
}

#[test]
fn a_head_that_takes_too_long_is_cut_while_others_are_served() {
    let (_origin, daemon) = world();
    let mut slow = daemon.connect();
    slow.send("GET /o/a HTTP/1.1\r\nHost: local");
    let mut player = daemon.connect();
    let mut dripping = daemon.connect();
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            // One byte a second must not win time.
            let pause = std::time::Duration::from_secs(1);
            for byte in b"GET /o/a HTTP/1.1\r\nX: abcdefghijklmnopqrstuvwxyz".iter().cycle() {
                dripping.send([*byte]);
                if stopped.recv_timeout(pause) != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        assert_eq!(player.get("/o/a", "").expect(200).text(), "content");
        assert_eq!(slow.reply("GET").expect(408).field("connection"), Some("close"));
        assert_eq!(slow.end(), b"");
        // The dripping one began in the same moment: it is cut by now or very soon.
        let cut = || (daemon.status()["connections"]["used"] == 1).then_some(());
        until("the dripping one is cut as well", cut);
        drop(stop);
        assert_eq!(player.get("/o/a", "").expect(200).text(), "content");
    });
}

#[test]
fn connections_are_limited_and_those_inside_go_on() {
    let (_origin, daemon) = world();
    let limit = neap::base::limits::http::CONNECTIONS;
    let inside: Vec<Player> = (0..limit).map(|_| daemon.connect()).collect();
    let full = || (daemon.status()["connections"]["used"] == limit).then_some(());
    until("all are inside", full);
    let mut one_more = daemon.connect();
    one_more.ask("/o/a", "");
    let said = one_more.end();
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 503"), "{said:?}");
    let mut inside = inside;
    assert_eq!(inside[0].get("/o/a", "").expect(200).text(), "content");
    drop(inside);
    let empty = || (daemon.status()["connections"]["used"] == 0).then_some(());
    until("all are gone", empty);
    assert_eq!(daemon.get("/o/a").expect(200).text(), "content");
}
