//! Parts of representations (RFC 9110, 14), from whole, partly and not stored objects.

use super::daemon::Daemon;
use super::origin::{Origin, bytes, file, ok, reply};

const FRESH: &str = "Cache-Control: max-age=60";
const LENGTH: usize = 300_000;

fn warm() -> (Origin, Daemon, Vec<u8>) {
    let body = bytes(7, LENGTH);
    let origin = Origin::with("/f", file(FRESH, body.clone()));
    let daemon = Daemon::new(&origin);
    assert!(daemon.get("/o/f").expect(200).body == body);
    (origin, daemon, body)
}

#[test]
fn rfc_9110_14_2_parts_of_a_stored_object_need_no_origin() {
    let (origin, daemon, body) = warm();
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=65530-131080", 65_530, 131_080),
        ("bytes=299990-", 299_990, LENGTH - 1),
        ("bytes=-10", LENGTH - 10, LENGTH - 1),
        ("bytes=-999999", 0, LENGTH - 1),
        ("bytes=299999-999999", LENGTH - 1, LENGTH - 1),
        ("BYTES=5-6", 5, 6),
    ] {
        let part = daemon.get_with("/o/f", &format!("Range: {range}\r\n")).expect(206);
        let expected = format!("bytes {first}-{last}/{LENGTH}");
        assert_eq!(part.field("content-range"), Some(&*expected), "{range}");
        assert!(part.body == body[first..=last], "{range}");
        assert!(part.is_hit());
    }
    assert_eq!(origin.count("/f"), 1);
}

#[test]
fn rfc_9110_14_2_several_ranges_are_answered_by_the_whole() {
    let (origin, daemon, body) = warm();
    let whole = daemon.get_with("/o/f", "Range: bytes=0-9,50-59\r\n").expect(200);
    assert!(whole.body == body);
    assert_eq!(whole.field("content-range"), None);
    assert_eq!(origin.count("/f"), 1);
}

#[test]
fn rfc_9110_14_2_a_range_that_cannot_be_understood_is_ignored() {
    let (_origin, daemon, body) = warm();
    for range in ["lines=1-2", "bytes=9-1", "bytes=a-b", "bytes=", "bytes"] {
        let whole = daemon.get_with("/o/f", &format!("Range: {range}\r\n")).expect(200);
        assert!(whole.body == body, "{range}");
    }
}

#[test]
fn rfc_9110_15_5_17_a_range_behind_the_end_cannot_be_satisfied() {
    let (_origin, daemon, _) = warm();
    for range in ["bytes=300000-", "bytes=999999-9999999", "bytes=-0"] {
        let refused = daemon.get_with("/o/f", &format!("Range: {range}\r\n")).expect(416);
        assert_eq!(refused.field("content-range"), Some("bytes */300000"), "{range}");
        assert_eq!(refused.body, b"");
    }
}

#[test]
fn rfc_9110_15_5_17_a_416_is_about_one_request_and_never_kept() {
    let body = bytes(7, 1000);
    let whole = file(FRESH, body.clone());
    let script = move |wire: &mut super::origin::Wire| {
        if wire.request.field("range") == Some("bytes=5000-") {
            let lines = "Cache-Control: max-age=3600\nContent-Range: bytes */1000";
            return reply("416 Range Not Satisfiable", lines, "")(wire);
        }
        whole(wire);
    };
    let origin = Origin::with("/f", std::sync::Arc::new(script));
    let daemon = Daemon::new(&origin);
    let none = daemon.get_with("/o/f", "Range: bytes=5000-\r\n").expect(416);
    assert_eq!(none.field("content-range"), Some("bytes */1000"));
    assert!(daemon.get("/o/f").expect(200).body == body);
    assert!(daemon.get_with("/o/f", "Range: bytes=0-9\r\n").expect(206).body == body[..10]);
}

#[test]
fn rfc_9530_2_the_digest_of_one_part_is_no_other_parts() {
    let body = bytes(7, 100);
    let whole = |wire: &mut super::origin::Wire, body: &[u8]| {
        let range = wire.request.field("range").map(str::to_owned);
        let lines = "Cache-Control: max-age=60\nContent-MD5: of-this\nContent-Digest: sha-256=:AA==:\n\
                     Repr-Digest: sha-256=:BB==:";
        let Some(range) = range else { return ok(lines, body)(wire) };
        let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let lines = format!("{lines}\nETag: \"d\"\nContent-Range: bytes {first}-{last}/100");
        reply("206 Partial Content", &lines, &body[first..=last])(wire);
    };
    let script = move |wire: &mut super::origin::Wire| whole(wire, &body);
    let origin = Origin::with("/part", std::sync::Arc::new(script));
    origin.on("/whole", ok(&format!("{FRESH}\nContent-MD5: of-all"), bytes(7, 100)));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/whole").expect(200);
    for (path, range) in [("part", "0-9"), ("part", "20-29"), ("part", "2-5"), ("whole", "2-5")] {
        let lines = format!("Range: bytes={range}\r\n");
        let reply = daemon.get_with(&format!("/o/{path}"), &lines).expect(206);
        let digests = ["content-md5", "content-digest"].map(|name| reply.field(name));
        assert_eq!(digests, [None, None], "{path} {range}");
        let of_whole = (path == "part").then_some("sha-256=:BB==:");
        assert_eq!(reply.field("repr-digest"), of_whole, "{path} {range}");
    }
}

#[test]
fn rfc_9110_13_1_5_if_range_gives_the_part_of_the_same_and_the_whole_of_another() {
    let (_origin, daemon, body) = warm();
    let ask =
        |tag: &str| daemon.get_with("/o/f", &format!("Range: bytes=1-2\r\nIf-Range: {tag}\r\n"));
    assert!(ask("\"file\"").expect(206).body == body[1..=2]);
    for other in ["\"other\"", "W/\"file\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        assert!(ask(other).expect(200).body == body, "{other}");
    }
}

#[test]
fn rfc_9110_14_2_only_get_has_ranges() {
    let (_origin, daemon, _) = warm();
    let request = "HEAD /o/f HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-9\r\n\r\n";
    let head = daemon.send(request).expect(200);
    assert_eq!(head.field("content-length"), Some("300000"));
}

#[test]
fn rfc_9111_3_3_parts_are_stored_and_the_rest_is_fetched_when_it_is_asked_for() {
    let body = bytes(7, 5_000_000);
    let origin = Origin::with("/f", file(FRESH, body.clone()));
    let daemon = Daemon::new(&origin);
    let part = daemon.get_with("/o/f", "Range: bytes=3000000-3000099\r\n").expect(206);
    assert!(part.body == body[3_000_000..3_000_100]);
    assert_eq!(part.field("content-range"), Some("bytes 3000000-3000099/5000000"));
    // A seek does not download from zero.
    assert_eq!(origin.seen("/f")[0].field("range"), Some("bytes=3000000-3000099"));
    let again = daemon.get_with("/o/f", "Range: bytes=3000010-3000019\r\n").expect(206);
    assert!(again.is_hit() && again.body == body[3_000_010..3_000_020]);
    assert_eq!(origin.count("/f"), 1);
    assert!(daemon.get("/o/f").expect(200).body == body);
    let asked = origin.seen("/f");
    assert!(asked[1..].iter().all(|seen| seen.field("if-range") == Some("\"file\"")), "{asked:?}");
    let before = origin.count("/f");
    assert!(daemon.get("/o/f").expect(200).body == body);
    assert_eq!(origin.count("/f"), before, "all of it is here now");
}

#[test]
fn rfc_9110_14_2_a_suffix_of_an_object_that_is_not_stored() {
    let body = bytes(7, LENGTH);
    let origin = Origin::with("/f", file(FRESH, body.clone()));
    let daemon = Daemon::new(&origin);
    let part = daemon.get_with("/o/f", "Range: bytes=-100\r\n").expect(206);
    assert!(part.body == body[LENGTH - 100..]);
    assert_eq!(part.field("content-range"), Some("bytes 299900-299999/300000"));
    let none = daemon.get_with("/o/f", "Range: bytes=300000-\r\n").expect(416);
    assert_eq!(none.field("content-range"), Some("bytes */300000"));
}

#[test]
fn a_range_of_what_is_not_stored_and_not_there_is_refused_as_the_origin_does() {
    let body = bytes(7, 1000);
    let origin = Origin::with("/f", file(FRESH, body));
    let daemon = Daemon::new(&origin);
    let none = daemon.get_with("/o/f", "Range: bytes=5000-\r\n").expect(416);
    assert_eq!(none.field("content-range"), Some("bytes */1000"));
}

#[test]
fn an_origin_without_ranges_gives_the_whole_and_players_get_their_part() {
    let body = bytes(7, LENGTH);
    let origin = Origin::with("/f", ok(FRESH, body.clone()));
    let daemon = Daemon::new(&origin);
    for _ in 0..2 {
        let part = daemon.get_with("/o/f", "Range: bytes=200000-200099\r\n").expect(206);
        assert!(part.body == body[200_000..200_100]);
    }
    assert_eq!(origin.count("/f"), 1);
}

#[test]
fn rfc_9110_13_1_5_parts_of_two_versions_are_never_mixed() {
    let (old, new) = (bytes(1, LENGTH), bytes(2, LENGTH));
    let origin = Origin::with("/f", file(FRESH, old.clone()));
    let daemon = Daemon::new(&origin);
    let part = daemon.get_with("/o/f", "Range: bytes=0-99\r\n").expect(206);
    assert!(part.body == old[..100]);
    // The file is another now, under another tag: If-Range does not hold.
    let lines = format!("{FRESH}\nETag: \"new\"");
    origin.on("/f", reply("200 OK", &lines, new.clone()));
    let whole = daemon.get("/o/f");
    // What began with the old one's bytes may only break off; the next one is the new one.
    if whole.whole {
        assert!(whole.body == new);
    }
    assert!(daemon.get("/o/f").expect(200).body == new);
}
