//! What comes goes on at once: the first byte never waits for the last.

use std::sync::Arc;

use super::daemon::Daemon;
use super::origin::{Origin, Wire, bytes, endless, file, held, ok, raw};
use super::wait::Gate;

const FRESH: &str = "Cache-Control: max-age=60";

#[test]
fn a_miss_starts_while_the_origin_holds_back_the_rest() {
    let gate = Gate::default();
    let origin =
        Origin::with("/a", held(&format!("{FRESH}\nContent-Length: 10"), "first", &gate, "later"));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    let head = player.head();
    assert_eq!((head.status, head.field("content-length")), (200, Some("10")));
    assert_eq!(player.exactly(5).unwrap(), b"first");
    gate.open();
    assert_eq!(player.exactly(5).unwrap(), b"later");
}

#[test]
fn the_head_goes_on_before_the_first_byte_of_content() {
    let gate = Gate::default();
    let lines = format!("{FRESH}\nContent-Length: 4");
    let origin = Origin::with("/a", held(&lines, "", &gate, "body"));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    assert_eq!(player.head().status, 200);
    gate.open();
    assert_eq!(player.exactly(4).unwrap(), b"body");
}

/// A chunked answer that goes on chunk by chunk as the gate lets it.
fn chunks(
    lines: &'static str,
    gate: &Gate,
    parts: &'static [&'static str],
) -> super::origin::Script {
    let gate = gate.clone();
    Arc::new(move |wire: &mut Wire| {
        wire.send(format!("HTTP/1.1 200 OK\r\n{lines}Transfer-Encoding: chunked\r\n\r\n"));
        for part in parts {
            wire.chunk(part);
            gate.wait_or_give_up();
        }
        wire.chunk("");
    })
}

#[test]
fn rfc_9112_7_1_chunks_pass_one_by_one_and_end_with_the_last_chunk() {
    for lines in ["Cache-Control: max-age=60\r\n", "Cache-Control: no-store\r\n"] {
        let gate = Gate::default();
        let origin = Origin::with("/cmaf", chunks(lines, &gate, &["moof1", "moof22", "moof333"]));
        let daemon = Daemon::new(&origin);
        let mut player = daemon.connect();
        player.ask("/o/cmaf", "");
        assert_eq!(player.head().field("transfer-encoding"), Some("chunked"));
        for part in ["moof1", "moof22", "moof333"] {
            assert_eq!(player.chunk().unwrap(), part.as_bytes(), "before the next was sent");
            gate.pass();
        }
        assert_eq!(player.chunk().unwrap(), b"", "the last chunk");
        assert_eq!(player.get("/", "").status, 404, "the connection goes on");
    }
}

#[test]
fn a_player_that_joins_a_chunked_download_gets_what_is_here_and_what_comes() {
    let gate = Gate::default();
    let origin =
        Origin::with("/cmaf", chunks("Cache-Control: max-age=60\r\n", &gate, &["one", "two"]));
    let daemon = Daemon::new(&origin);
    let mut first = daemon.connect();
    first.ask("/o/cmaf", "");
    first.head();
    assert_eq!(first.chunk().unwrap(), b"one");
    let mut second = daemon.connect();
    second.ask("/o/cmaf", "");
    second.head();
    assert_eq!(second.chunk().unwrap(), b"one");
    gate.open();
    for player in [&mut first, &mut second] {
        assert_eq!(player.chunk().unwrap(), b"two");
        assert_eq!(player.chunk().unwrap(), b"");
    }
    let whole = daemon.get("/o/cmaf").expect(200);
    assert!(whole.is_hit());
    assert_eq!((whole.text().as_str(), whole.field("content-length")), ("onetwo", Some("6")));
    assert_eq!(origin.count("/cmaf"), 1);
}

#[test]
fn rfc_9112_8_a_body_that_breaks_off_is_never_passed_off_as_whole_nor_kept() {
    let counted = "Cache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhalf";
    let chunked = "Cache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n";
    let private = "Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (case, text) in [
        counted.to_owned(),
        format!("{chunked}9\r\nhalf"),
        format!("{chunked}4\r\nhalf"),
        format!("{chunked}4\r\nhalf\r\n"),
        format!("{chunked}4\r\nhalf\r\n0\r\n"),
        format!("{chunked}4\r\nhalf\r\nzz\r\n"),
        format!("{chunked}3\r\nhalf\r\n0\r\n\r\n"),
        format!("{private}4\r\nhalf\r\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("HTTP/1.1 200 OK\r\n{text}");
        let origin = Origin::with("/a", raw(text));
        let daemon = Daemon::new(&origin);
        let mut player = daemon.connect();
        let reply = player.get("/o/a", "");
        assert!(!reply.whole, "case {case}: {}", reply.head);
        assert_eq!(player.end(), b"");
        origin.on("/a", ok(FRESH, "all of it"));
        let next = daemon.get("/o/a").expect(200);
        assert_eq!((next.text().as_str(), next.is_hit()), ("all of it", false), "case {case}");
    }
}

#[test]
fn rfc_9112_6_3_what_follows_a_body_of_known_length_is_no_part_of_it() {
    let both = Gate::default();
    let sent = both.clone();
    let sends = move |wire: &mut Wire| {
        wire.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nbody");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
        sent.open();
    };
    let origin = Origin::with("/a", Arc::new(sends));
    origin.on("/b", ok(FRESH, "b's own"));
    let daemon = Daemon::new(&origin);
    for _ in 0..2 {
        let reply = daemon.get("/o/a").expect(200);
        assert_eq!((reply.text().as_str(), reply.field("content-length")), ("body", Some("4")));
    }
    // What came unasked before the next request is not the answer to that.
    both.wait();
    assert_eq!(daemon.get("/o/b").expect(200).text(), "b's own");
    let of = |path: &str| origin.seen(path)[0].connection;
    assert_ne!(of("/a"), of("/b"), "the connection is not used again");
}

#[test]
fn rfc_9112_6_3_an_answer_that_ends_with_its_connection_passes_and_is_not_kept() {
    let origin =
        Origin::with("/a", raw("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nto the end"));
    let daemon = Daemon::new(&origin);
    for _ in 0..2 {
        assert_eq!(daemon.get("/o/a").expect(200).text(), "to the end");
    }
    assert_eq!(origin.count("/a"), 2, "nobody can tell whether it was all of it");
}

#[test]
fn the_last_player_leaving_stops_the_download() {
    let lines = format!("{FRESH}\nContent-Length: 100000000");
    for lines in [&*lines, "Cache-Control: no-store\nContent-Length: 100000000"] {
        let origin = Origin::with("/a", endless(lines, bytes(1, 100_000)));
        let daemon = Daemon::new(&origin);
        let mut player = daemon.connect();
        player.ask("/o/a", "");
        player.head();
        player.exactly(100_000).unwrap();
        player.reset();
        origin.wait_left("/a");
    }
}

#[test]
fn a_player_leaving_before_the_head_stops_the_download() {
    let origin = Origin::with("/a", Arc::new(Wire::wait_left));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    origin.wait("/a", |seen| seen.len() == 1);
    drop(player);
    origin.wait_left("/a");
}

#[test]
fn a_download_of_which_most_is_here_is_finished_and_kept() {
    let body = bytes(3, 1_000_000);
    let gate = Gate::default();
    let lines = format!("{FRESH}\nETag: \"a\"\nContent-Length: 1000000");
    let origin = Origin::with("/a", held(&lines, &body[..900_000], &gate, &body[900_000..]));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    player.head();
    player.exactly(900_000).unwrap();
    player.reset();
    daemon.wait_log("ended early");
    gate.open();
    let again = daemon.get("/o/a").expect(200);
    assert!(again.body == body);
    assert_eq!(origin.count("/a"), 1);
}

#[test]
fn what_was_left_in_the_middle_goes_on_by_range_for_the_next_player() {
    let body = bytes(3, 4_000_000);
    let origin = Origin::new();
    let lines = format!("{FRESH}\nETag: \"file\"\nContent-Length: 4000000");
    origin.on("/a", endless(&lines, &body[..500_000]));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    player.head();
    player.exactly(500_000).unwrap();
    player.reset();
    origin.wait_left("/a");
    origin.on("/a", file(FRESH, body.clone()));
    assert!(daemon.get("/o/a").expect(200).body == body);
    let second = &origin.seen("/a")[1];
    assert!(second.field("range").is_some_and(|range| range != "bytes=0-"), "{second:?}");
    assert_eq!(second.field("if-range"), Some("\"file\""));
}

#[test]
fn a_slow_player_does_not_fill_the_memory_with_what_is_not_kept() {
    let body = bytes(9, 30_000_000);
    let origin = Origin::with("/a", ok("Cache-Control: no-store", body.clone()));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    let head = player.head();
    player.exactly(1_000_000).unwrap();
    // Meanwhile another one is served, and what runs ahead stays bounded.
    assert_eq!(daemon.get("/o/none").status, 404);
    assert!(daemon.resident() < 16 << 20, "{} bytes", daemon.resident());
    assert_eq!(head.field("content-length"), Some("30000000"));
    assert!(player.exactly(29_000_000).unwrap() == body[1_000_000..]);
}
