//! Origins that serve parts in ways of their own: none, too small ones, or unasked. A player gets
//! what it would get from them directly, and no origin is asked for ever.

use std::sync::Arc;

use super::daemon::{Daemon, Setup};
use super::origin::{Origin, Script, bytes, file, ok, reply};
use super::player::Player;

const FRESH: &str = "Cache-Control: max-age=60";
const LENGTH: usize = 12_000_000;

/// More than is waited for in what comes from its beginning on.
const FAR: usize = 9_000_000;

/// An origin that sends so much of the beginning, asked for parts or not.
fn caps_at(count: usize, body: &[u8], lines: &str) -> Script {
    let all = body.len();
    let part = format!("{lines}\nContent-Range: bytes 0-{}/{all}", count - 1);
    reply("206 Partial Content", &part, &body[..count])
}

/// A file that answers parts by an error.
fn no_parts(status: &'static str, body: Vec<u8>) -> Script {
    let whole = file(FRESH, body);
    let error = reply(status, "", "no");
    Arc::new(
        move |wire| if wire.request.field("range").is_some() { error(wire) } else { whole(wire) },
    )
}

fn small(origin: &Origin, memory: &str) -> Daemon {
    Setup { cache: format!("memory = \"{memory}\""), ..Setup::default() }.start(origin)
}

#[test]
fn rfc_9110_14_2_who_seeks_far_where_nothing_is_served_in_parts_gets_all() {
    let body = bytes(7, LENGTH);
    for tag in ["", "ETag: W/\"weak\"", "ETag: \"strong\""] {
        let origin = Origin::with("/f", ok(&format!("{FRESH}\n{tag}"), body.clone()));
        let daemon = Daemon::new(&origin);
        let all = daemon.get_with("/o/f", &format!("Range: bytes={FAR}-\r\n")).expect(200);
        assert!(all.whole && all.body == body, "{tag}");
        assert_eq!(origin.count("/f"), 1, "{tag}");
        let part = daemon.get_with("/o/f", &format!("Range: bytes={FAR}-\r\n")).expect(206);
        assert!(part.whole && part.body == body[FAR..], "{tag}");
        assert_eq!(origin.count("/f"), 1, "{tag}");
    }
}

#[test]
fn what_was_left_in_the_middle_comes_again_from_an_origin_without_parts() {
    let body = bytes(7, LENGTH);
    let origin = Origin::with("/f", ok(&format!("{FRESH}\nETag: \"strong\""), body.clone()));
    let daemon = Daemon::new(&origin);
    let mut leaves = daemon.connect();
    leaves.ask("/o/f", "");
    leaves.exactly(1_000_000);
    leaves.reset();
    origin.wait("/f", |seen| seen.len() == 1);
    let rest = daemon.get_with("/o/f", &format!("Range: bytes={FAR}-\r\n")).expect(206);
    assert!(rest.whole && rest.body == body[FAR..]);
    let again = daemon.get("/o/f").expect(200);
    assert!(again.whole && again.body == body);
    assert!(origin.count("/f") <= 3, "{} requests", origin.count("/f"));
}

#[test]
fn rfc_9110_15_3_7_less_than_was_asked_for_passes_as_it_is() {
    let body = bytes(7, 1_000_000);
    let origin = Origin::with("/f", caps_at(300_000, &body, FRESH));
    let daemon = Daemon::new(&origin);
    for lines in ["Range: bytes=0-\r\n", ""] {
        let part = daemon.get_with("/o/f", lines).expect(206);
        assert_eq!(part.field("content-range"), Some("bytes 0-299999/1000000"));
        assert!(part.whole && part.body == body[..300_000]);
    }
    assert_eq!(origin.count("/f"), 2);
}

#[test]
fn rfc_9110_13_1_5_the_origin_judges_if_range_where_nothing_is_stored() {
    let body = bytes(7, 1_000_000);
    for lines in [FRESH, "Cache-Control: no-store"] {
        let origin = Origin::with("/f", file(lines, body.clone()));
        let daemon = Daemon::new(&origin);
        let ask = |tag: &str| format!("Range: bytes=100-199\r\nIf-Range: {tag}\r\n");
        assert!(daemon.get_with("/o/f", &ask("\"old\"")).expect(200).body == body);
        assert!(daemon.get_with("/o/f", &ask("\"file\"")).expect(206).body == body[100..200]);
        assert!(origin.count("/f") <= 2);
    }
}

#[test]
fn rfc_9110_13_1_5_a_condition_that_nothing_can_meet_makes_no_loop() {
    let body = bytes(7, 100_000);
    // Its origin knows parts and no condition on them, and says nothing that parts go by.
    let whole = ok(FRESH, body.clone());
    let part = reply("206 Partial Content", "Content-Range: bytes 100-199/100000", &body[100..200]);
    let script: Script =
        Arc::new(
            move |wire| {
                if wire.request.field("range").is_some() { part(wire) } else { whole(wire) }
            },
        );
    let origin = Origin::with("/f", script);
    let daemon = Daemon::new(&origin);
    let answer = daemon.get_with("/o/f", "Range: bytes=100-199\r\nIf-Range: \"old\"\r\n");
    assert!(answer.whole && matches!(answer.status, 200 | 206), "{}", answer.status);
    assert!(origin.count("/f") <= 4, "{} requests", origin.count("/f"));
}

#[test]
fn rfc_9111_3_a_part_that_may_not_be_stored_goes_with_those_who_read_it() {
    let body = bytes(7, 1_000_000);
    for (lines, count) in
        [(FRESH, 2), ("Cache-Control: no-store", 3), ("Cache-Control: private", 3)]
    {
        let origin = Origin::with("/f", file(FRESH, body.clone()));
        let daemon = Daemon::new(&origin);
        daemon.get_with("/o/f", "Range: bytes=0-299999\r\n").expect(206);
        origin.on("/f", file(lines, body.clone()));
        for _ in 0..2 {
            let part = daemon.get_with("/o/f", "Range: bytes=100000-499999\r\n").expect(206);
            assert!(part.whole && part.body == body[100_000..500_000], "{lines}");
        }
        assert_eq!(origin.count("/f"), count, "{lines}");
        let last = origin.seen("/f").pop();
        let asked = last.and_then(|seen| seen.field("if-none-match").map(str::to_owned));
        assert_eq!(asked, None, "{lines}: nothing is left that could be confirmed");
    }
}

#[test]
fn rfc_9111_3_a_confirmation_keeps_no_part_that_may_not_be_stored() {
    let body = bytes(7, LENGTH);
    let origin = Origin::with("/f", file(FRESH, body.clone()));
    let daemon = Daemon::new(&origin);
    daemon.get_with("/o/f", "Range: bytes=0-299999\r\n").expect(206);
    let (open, closed) = (file(FRESH, body.clone()), file("Cache-Control: no-store", body.clone()));
    origin.on(
        "/f",
        Arc::new(move |wire| {
            let confirms = wire.request.field("if-none-match").is_some();
            if confirms { open(wire) } else { closed(wire) }
        }),
    );
    let mut reads = daemon.connect();
    reads.ask("/o/f", "Range: bytes=100000-\r\n");
    reads.exactly(1_000_000);
    for count in 3..5 {
        let part = daemon.get_with("/o/f", "Range: bytes=100000-499999\r\n").expect(206);
        assert!(part.whole && part.body == body[100_000..500_000]);
        assert_eq!(origin.count("/f"), count);
    }
    let asked = origin.seen("/f").into_iter().filter(|seen| seen.field("if-none-match").is_some());
    assert_eq!(asked.count(), 0, "who reads it now is told nothing new");
}

#[test]
fn who_has_had_nothing_is_told_that_the_rest_cannot_be_had() {
    let body = bytes(7, 3_000_000);
    let origin = Origin::with("/f", file(FRESH, body.clone()));
    let daemon = Daemon::new(&origin);
    daemon.get_with("/o/f", "Range: bytes=0-999\r\n").expect(206);
    origin.on("/f", no_parts("503 Service Unavailable", body));
    daemon.get_with("/o/f", "Range: bytes=2000000-2000099\r\n").expect(503);
}

#[test]
fn however_small_the_memory_bodies_reach_their_players_whole() {
    let body = bytes(7, 5_000_000);
    for memory in ["0", "300 KiB", "2 MiB"] {
        let origin = Origin::with("/parts", file(FRESH, body.clone()));
        origin.on("/whole", ok(FRESH, body.clone()));
        let daemon = small(&origin, memory);
        for path in ["/o/parts", "/o/whole"] {
            for _ in 0..2 {
                let all = daemon.get(path).expect(200);
                assert!(all.whole && all.body == body, "{memory}: {path}");
            }
        }
        assert!(origin.count("/parts") <= 4, "{memory}: {} requests", origin.count("/parts"));
    }
}

/// A player with `got` in hand reads the rest, and rests so many milliseconds after each part.
#[allow(clippy::disallowed_methods, reason = "a slow player is one that sleeps")]
fn plays(player: &mut Player, mut got: Vec<u8>, (body, pause): (&[u8], u64), who: &str) {
    while got.len() < body.len() {
        let count = (body.len() - got.len()).min(100_000);
        let part = player.exactly(count).unwrap_or_default();
        assert_eq!(part.len(), count, "{who} is cut after {}", got.len());
        got.extend_from_slice(&part);
        std::thread::sleep(std::time::Duration::from_millis(pause));
    }
    assert!(got == body, "{who}");
}

#[test]
fn slow_players_of_what_cannot_be_asked_for_in_parts_lose_nothing() {
    let body = bytes(7, 20_000_000);
    let origin = Origin::new();
    for path in ["/a", "/b", "/c"] {
        origin.on(path, ok(FRESH, body.clone()));
    }
    let daemon = small(&origin, "8 MiB");
    std::thread::scope(|scope| {
        for (path, pause) in [("/o/a", 4), ("/o/b", 8), ("/o/c", 0)] {
            let (daemon, body) = (&daemon, &body);
            scope.spawn(move || {
                let mut player = daemon.connect();
                player.ask(path, "");
                player.head();
                plays(&mut player, Vec::new(), (body, pause), path);
            });
        }
    });
    assert_eq!([origin.count("/a"), origin.count("/b"), origin.count("/c")], [1, 1, 1]);
}

#[test]
fn players_far_apart_in_a_film_that_has_no_parts_each_get_it() {
    let body = bytes(7, 40_000_000);
    for tag in ["", "ETag: \"strong\""] {
        for (lines, pauses) in [("", [6, 1]), ("Range: bytes=0-\r\n", [1, 6])] {
            let origin = Origin::with("/f", ok(&format!("{FRESH}\n{tag}"), body.clone()));
            let daemon = small(&origin, "8 MiB");
            std::thread::scope(|scope| {
                for (number, pause) in pauses.into_iter().enumerate() {
                    let (daemon, body) = (&daemon, &body);
                    let mut player = daemon.connect();
                    player.ask("/o/f", lines);
                    player.head();
                    let begun = if number == 0 { 20_000_000 } else { 0 };
                    let got = player.exactly(begun).unwrap_or_default();
                    scope.spawn(move || {
                        plays(&mut player, got, (body, pause), &number.to_string());
                    });
                }
            });
            // Where nothing joins parts, each has a row of its own.
            assert!(!tag.is_empty() || origin.count("/f") == 2, "{} requests", origin.count("/f"));
        }
    }
}

#[test]
fn players_that_seek_in_turn_where_there_are_no_parts_each_get_what_they_ask_for() {
    let body = bytes(7, 40_000_000);
    for tag in ["", "ETag: \"strong\""] {
        let origin = Origin::with("/f", ok(&format!("{FRESH}\n{tag}"), body.clone()));
        let daemon = small(&origin, "8 MiB");
        for turn in 0..5 {
            for from in [0, 20_000_000] {
                let first = from + turn * 1_000_000;
                let lines = format!("Range: bytes={first}-{}\r\n", first + 999_999);
                let got = daemon.get_with("/o/f", &lines);
                let is_part = got.status == 206;
                let wanted = if is_part { &body[first..first + 1_000_000] } else { &body[..] };
                assert!(got.whole && got.body == wanted, "{first}: {}", got.status);
            }
        }
        // No more than they would cost it without neap.
        assert!(origin.count("/f") <= 10, "{} requests", origin.count("/f"));
    }
}
