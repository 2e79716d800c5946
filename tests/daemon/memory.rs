//! The memory cap, seen from outside.

use std::thread;

use super::daemon::{Daemon, Setup};
use super::origin::{Origin, Script, bytes, endless, file, held, ok};
use super::wait::Gate;

/// Anonymous memory beside the cap of the cache, in a debug build: the program itself, its index
/// and the buffers of a few connections. Measured: 0.9 to 1.1 MiB; the rest is the allocator's.
const BESIDE: usize = 4 << 20;

fn daemon(origin: &Origin) -> Daemon {
    Setup { cache: "memory = \"4 MiB\"".into(), ..Setup::default() }.start(origin)
}

/// An origin of so many objects of this size, named by their numbers.
fn shelf(count: u32, size: usize) -> Origin {
    let origin = Origin::new();
    for number in 0..count {
        origin.on(&format!("/{number}"), file("Cache-Control: max-age=60", bytes(number, size)));
    }
    origin
}

#[test]
fn forty_megabytes_of_objects_fit_through_four() {
    let origin = shelf(80, 500_000);
    let daemon = daemon(&origin);
    let mut player = daemon.connect();
    for number in (0..80).chain(70..80).chain(0..10) {
        let reply = player.get(&format!("/o/{number}"), "").expect(200);
        assert!(reply.body == bytes(number, 500_000), "object {number}");
    }
    let used = daemon.status()["memory"]["used"].as_u64().unwrap();
    assert!(used <= 4 << 20, "{used} bytes in the cache");
    assert!(daemon.resident() < (4 << 20) + BESIDE, "{} bytes", daemon.resident());
    assert!(daemon.counter("evictions") > 0);
}

#[test]
fn an_object_larger_than_the_memory_reaches_several_players_at_their_own_pace() {
    let body = bytes(1, 20_000_000);
    let origin = Origin::with("/a", file("Cache-Control: max-age=60", body.clone()));
    let daemon = daemon(&origin);
    thread::scope(|scope| {
        for start in [0, 0, 0, 5_000_000, 19_000_000] {
            let (daemon, body) = (&daemon, &body);
            scope.spawn(move || {
                let mut player = daemon.connect();
                let range = format!("Range: bytes={start}-\r\n");
                let reply = player.get("/o/a", if start > 0 { &range } else { "" });
                assert!(reply.whole && reply.body == body[start..], "from {start}");
            });
        }
    });
    assert!(daemon.resident() < (4 << 20) + BESIDE, "{} bytes", daemon.resident());
}

#[test]
fn a_player_that_stops_reading_does_not_hold_more_than_its_share() {
    let body = bytes(1, 20_000_000);
    let origin = Origin::with("/a", file("Cache-Control: max-age=60", body.clone()));
    let daemon = daemon(&origin);
    let mut lazy = daemon.connect();
    lazy.ask("/o/a", "");
    let head = lazy.head();
    let mut quick = daemon.connect();
    assert!(quick.get("/o/a", "").expect(200).body == body);
    let resident = daemon.resident();
    assert!(resident < (4 << 20) + BESIDE, "{resident} bytes");
    let rest = lazy.rest_of(head, "GET").expect(200);
    assert!(rest.body == body);
}

#[test]
fn fifty_players_that_take_nothing_hold_nothing() {
    let origin = Origin::new();
    for number in 0..50 {
        let body = bytes(number, 1_500_000);
        origin.on(&format!("/{number}"), file("Cache-Control: max-age=60", body));
    }
    let daemon = daemon(&origin);
    let mut quick = daemon.connect();
    let lazy = (0..50).map(|number| {
        let path = format!("/o/{number}");
        assert!(quick.get(&path, "").expect(200).whole);
        let mut player = daemon.connect();
        player.ask(&path, "");
        let head = player.head();
        (number, player, head)
    });
    let lazy: Vec<_> = lazy.collect();
    // Fifty connections themselves take 1 MiB; what each waits to write would be 12 MiB more.
    let resident = daemon.resident();
    assert!(resident < (6 << 20) + BESIDE, "{resident} bytes");
    for (number, mut player, head) in lazy {
        let rest = player.rest_of(head, "GET").expect(200);
        assert!(rest.body == bytes(number, 1_500_000), "object {number}");
    }
}

#[test]
fn what_is_known_of_small_objects_counts_and_is_shown() {
    let origin = shelf(600, 700);
    let daemon = daemon(&origin);
    let mut player = daemon.connect();
    for number in 0..600 {
        player.get(&format!("/o/{number}"), "").expect(200);
    }
    let used = daemon.status()["memory"]["used"].as_u64().unwrap();
    // Each is 700 bytes of its own, and somewhat more than a kilobyte of fields, key and books.
    assert!((900_000..4 << 20).contains(&used), "{used} bytes");
}

#[test]
fn many_large_playlists_at_once_wait_for_each_other_and_small_ones_do_not() {
    let gate = Gate::default();
    let origin = Origin::new();
    let (count, size) = (40, 3_500_000);
    let mut large = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:6\n");
    while large.len() < size {
        large += "## nothing that matters to anybody, as in many a playlist of an archive ##\n";
    }
    large += "#EXTINF:6,\na.ts\n#EXT-X-ENDLIST\n";
    let lines = "Content-Type: application/vnd.apple.mpegurl\nCache-Control: no-store";
    for number in 0..count {
        // Of half of them nobody can tell the length, and some are slow.
        let (head, last) = large.split_at(large.len() - 1);
        let script: Script = if number % 2 == 0 {
            held(&format!("{lines}\nContent-Length: {}", large.len()), head, &gate, last)
        } else {
            let (head, end) = (format!("{:x}\r\n{large}", large.len()), "\r\n0\r\n\r\n");
            held(&format!("{lines}\nTransfer-Encoding: chunked"), head, &gate, end)
        };
        origin.on(&format!("/{number}.m3u8"), script);
    }
    let small = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\na.ts\n";
    origin.on("/small.m3u8", ok(lines, small));
    let daemon = daemon(&origin);
    thread::scope(|scope| {
        for number in 0..count {
            let (daemon, length) = (&daemon, large.len());
            scope.spawn(move || {
                let answer = daemon.get(&format!("/o/{number}.m3u8")).expect(200);
                assert!(answer.whole && answer.body.len() >= length, "{}", answer.body.len());
            });
        }
        for number in 0..count {
            origin.wait(&format!("/{number}.m3u8"), |seen| !seen.is_empty());
        }
        assert_eq!(daemon.get("/o/small.m3u8").expect(200).text(), small, "it waits for nobody");
        gate.open();
    });
    assert!(daemon.peak() < 64 << 20, "{}", daemon.peak());
}

#[test]
fn a_packed_playlist_of_middling_size_waits_for_no_large_one() {
    let origin = Origin::new();
    let lines = "Content-Type: application/vnd.apple.mpegurl\nCache-Control: no-store";
    let begun = b"#EXTM3U\n".repeat(100);
    origin.on("/large.m3u8", endless(&format!("{lines}\nContent-Length: 3500000"), begun));
    let mut text = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:6\n");
    (0..8_000).for_each(|number| text += &format!("#EXTINF:6,\n{number}.ts\n"));
    origin.on("/packed.m3u8", ok(&format!("{lines}\nContent-Encoding: gzip"), packed(&text)));
    let daemon = daemon(&origin);
    let mut player = daemon.connect();
    player.ask("/o/large.m3u8", "");
    origin.wait("/large.m3u8", |seen| !seen.is_empty());
    assert!(daemon.get("/o/packed.m3u8").expect(200).text() == text);
    assert!(!origin.seen("/large.m3u8")[0].left, "it was waited for");
}

/// By gzip, in stored blocks (RFC 1951, 3.2.4).
fn packed(text: &str) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in text.as_bytes().chunks(60_000) {
        let length = u16::try_from(block.len()).unwrap();
        packed.push(0);
        packed.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        packed.extend(block);
    }
    packed.extend([1, 0, 0, 0xff, 0xff]);
    let step = |sum: u32, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1));
    let sum = text.bytes().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(byte), step));
    packed.extend([!sum, u32::try_from(text.len()).unwrap()].map(u32::to_le_bytes).concat());
    packed
}
