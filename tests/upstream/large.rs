//! Large files: a seek costs what is near it, and what came once is not fetched again.

use std::sync::Arc;

use crate::node::Node;
use crate::origin::{Origin, pattern};
use crate::player;

const LARGE: usize = 64 << 20;
const MIDDLE: usize = 33_000_001;

fn film() -> (Origin, Arc<Vec<u8>>) {
    let body = Arc::new(pattern(LARGE));
    let copy = Arc::clone(&body);
    (Origin::new(move |asked, reply| reply.file(asked, "\"film\"", &copy)), body)
}

#[test]
fn a_seek_fetches_what_is_near_and_a_seek_back_nothing() {
    let (origin, body) = film();
    let node = Node::with(&origin.url(), "");
    let first = node.range("/tv/film.mp4", 0, 999);
    first.is_status(206, &body[..1000]);
    assert_eq!(first.field("content-range"), Some("bytes 0-999/67108864"));
    // A player seeks by an open range and leaves when it has what it wants.
    let open = format!("Range: bytes={MIDDLE}-\r\n");
    let mut seek = player::open(node.port, ("GET", "/tv/film.mp4"), &open, b"");
    seek.at_least(1_000_000);
    drop(seek);
    let back = node.range("/tv/film.mp4", MIDDLE + 1000, MIDDLE + 500_000);
    back.is_status(206, &body[MIDDLE + 1000..=MIDDLE + 500_000]);
    assert!(back.is_hit(), "{}", back.note());
    node.range("/tv/film.mp4", 0, 999).is_status(206, &body[..1000]);
    assert_eq!(origin.asked().len(), 2);
    assert!(origin.sent() < 16 << 20, "{} bytes for one megabyte", origin.sent());
    assert!(node.metric("neap_origin_bytes_total") < 12 << 20);
}

#[test]
fn parts_that_came_one_by_one_make_the_right_whole() {
    let body = Arc::new(pattern(5_000_000));
    let copy = Arc::clone(&body);
    let origin = Origin::new(move |asked, reply| reply.file(asked, "\"a\"", &copy));
    let node = Node::with(&origin.url(), "");
    for (first, last) in [(2_000_000, 2_100_000), (70_000, 70_001), (4_999_000, 4_999_999)] {
        node.range("/tv/a", first, last).is_status(206, &body[first..=last]);
    }
    // Across what is here and what is not, in both directions.
    node.range("/tv/a", 1_990_000, 2_200_000).is_status(206, &body[1_990_000..=2_200_000]);
    node.range("/tv/a", 60_000, 140_000).is_status(206, &body[60_000..=140_000]);
    node.get("/tv/a").is(&*body);
    let again = node.get("/tv/a");
    again.is(&*body);
    assert!(again.is_hit(), "{}", again.note());
    let sent = origin.sent();
    assert!(sent < 5_300_000, "{sent} bytes for five million");
    let last = node.get_with("/tv/a", "Range: bytes=-5\r\n");
    last.is_status(206, &body[4_999_995..]);
}

#[test]
fn a_file_without_a_validator_is_never_put_together() {
    let body = Arc::new(pattern(1_000_000));
    let copy = Arc::clone(&body);
    let origin = Origin::new(move |asked, reply| {
        let fields = "Cache-Control: max-age=60\r\n";
        match asked.range(copy.len()) {
            Some((first, last)) => {
                let range =
                    format!("{fields}Content-Range: bytes {first}-{last}/{}\r\n", copy.len());
                reply.answer("206 Partial Content", &range, &copy[first..=last]);
            }
            None => reply.answer("200 OK", fields, &*copy),
        }
    });
    let node = Node::with(&origin.url(), "");
    node.range("/tv/a", 0, 99_999).is_status(206, &body[..100_000]);
    node.range("/tv/a", 50_000, 149_999).is_status(206, &body[50_000..150_000]);
    node.get("/tv/a").is(&*body);
    assert!(origin.asked().iter().all(|asked| asked.field("if-range").is_none()));
}

#[test]
fn a_server_without_ranges_serves_seeks_all_the_same() {
    let body = Arc::new(pattern(1_000_000));
    let copy = Arc::clone(&body);
    let origin = Origin::new(move |_, reply| {
        reply.answer("200 OK", "ETag: \"a\"\r\nCache-Control: max-age=60\r\n", &*copy);
    });
    let node = Node::with(&origin.url(), "");
    node.range("/tv/a", 700_000, 700_999).is_status(206, &body[700_000..701_000]);
    let got = node.range("/tv/a", 10, 19);
    got.is_status(206, &body[10..20]);
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn a_range_behind_the_end_is_a_416() {
    let body = pattern(1000);
    let origin = Origin::new(move |asked, reply| {
        if asked.field("range").is_some_and(|range| range.starts_with("bytes=5000")) {
            return reply.answer(
                "416 Range Not Satisfiable",
                "Content-Range: bytes */1000\r\n",
                "",
            );
        }
        reply.file(asked, "\"a\"", &body);
    });
    let node = Node::with(&origin.url(), "");
    for _ in 0..2 {
        let got = node.range("/tv/a", 5000, 6000);
        assert_eq!((got.status, got.field("content-range")), (416, Some("bytes */1000")));
        node.get("/tv/a").is(pattern(1000));
    }
}

#[test]
fn a_file_larger_than_memory_streams_through_it() {
    let (origin, body) = film();
    let lines = format!(
        "[cache]\nmemory = \"8 MiB\"\n[[origin]]\nname = \"tv\"\nurl = \"{}\"\n",
        origin.url()
    );
    let node = Node::configured(&lines);
    node.get("/tv/film.mp4").is(&*body);
    let used = node.status()["memory"]["used"].as_u64().expect("a number");
    assert!(used <= 8 << 20, "{used}");
    node.range("/tv/film.mp4", MIDDLE, MIDDLE + 9).is_status(206, &body[MIDDLE..MIDDLE + 10]);
}

#[test]
fn an_object_larger_than_the_limit_is_passed_and_not_kept() {
    let body = Arc::new(pattern(300_000));
    let copy = Arc::clone(&body);
    let origin = Origin::new(move |asked, reply| reply.file(asked, "\"a\"", &copy));
    let lines = format!(
        "[cache]\nmax-object = \"200 kB\"\n[[origin]]\nname = \"tv\"\nurl = \"{}\"\n",
        origin.url()
    );
    let node = Node::configured(&lines);
    node.get("/tv/a").is(&*body);
    node.get("/tv/a").is(&*body);
    assert_eq!(origin.asked().len(), 2);
    node.range("/tv/a", 1, 2).is_status(206, &body[1..3]);
    node.range("/tv/a", 1, 2).is_status(206, &body[1..3]);
    assert_eq!(origin.asked().len(), 4, "a part of it was kept");
}

/// Players that seek about in one file all at once; each compares every byte.
fn storm(lines: &str) {
    let body = Arc::new(pattern(6_000_000));
    let copy = Arc::clone(&body);
    let origin = Origin::new(move |asked, reply| reply.file(asked, "\"a\"", &copy));
    let node = Node::configured(&format!(
        "{lines}\n[[origin]]\nname = \"tv\"\nurl = \"{}\"\n",
        origin.url()
    ));
    let port = node.port;
    let players: Vec<_> = (1..=8_usize)
        .map(|lane| {
            let body = Arc::clone(&body);
            std::thread::spawn(move || {
                let mut chance = lane * 7919;
                for round in 0..12 {
                    chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let first = (chance >> 33) % body.len();
                    let last = (first + (chance >> 20) % 900_000).min(body.len() - 1);
                    if round % 6 == lane % 6 {
                        player::get(port, "/tv/a", "").is(&*body);
                        continue;
                    }
                    let range = format!("Range: bytes={first}-{last}\r\n");
                    player::get(port, "/tv/a", &range).is_status(206, &body[first..=last]);
                }
            })
        })
        .collect();
    let wrong = players.into_iter().filter_map(|player| player.join().err()).count();
    assert_eq!(wrong, 0, "{}", node.log());
    assert!(!node.log().contains("<3>"), "{}", node.log());
}

#[test]
fn many_players_seeking_in_one_file_all_get_the_right_bytes() {
    storm("");
}

#[test]
fn so_they_do_where_neither_memory_nor_disk_hold_it() {
    let folder = crate::node::Folder::new();
    let path = folder.0.display();
    storm(&format!("[cache]\nmemory = \"3 MiB\"\ndisk = \"4 MiB\"\npath = \"{path}\""));
}
