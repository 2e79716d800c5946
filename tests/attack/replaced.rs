//! What peers have and what the origin sends are not known to be one: an edge of a CDN names the
//! same bytes otherwise, or the file was replaced while it is played.

use std::time::Duration;

use neap::base::digest::Digest;
use neap::base::segment::{BlockSet, SegmentId, resource};
use neap::base::time::Date;
use neap::wire::message::Message;
use neap::wire::record::{Record, Statement};
use ring::signature::Ed25519KeyPair;

use super::member::Member;
use super::origin::{Seen, bytes};
use super::theatre::{Theatre, WITNESS};

/// Bytes of a block.
const BLOCK: usize = 64 * 1024;

/// Bytes of the segment: eight blocks and a rest.
const SIZE: usize = 8 * BLOCK + 1234;

/// What a witness said of these bytes, as `etag`.
fn record(segment: SegmentId, body: &[u8], etag: &str) -> Record {
    let statement = statement(segment, body, etag);
    Record::sign(statement, &Ed25519KeyPair::from_seed_unchecked(&WITNESS).unwrap()).unwrap()
}

fn statement(segment: SegmentId, body: &[u8], etag: &str) -> Statement {
    Statement {
        segment,
        length: body.len() as u64,
        content_type: "video/mp2t".into(),
        etag: etag.into(),
        last_modified: String::new(),
        lifetime: Duration::from_secs(600),
        blocks: body.chunks(BLOCK).map(Digest::of).collect(),
        expires: Date(4_000_000_000),
    }
}

/// A peer that knows a record of the segment, and gives so many blocks of these bytes.
fn gives(theatre: &Theatre, path: &str, (body, count): (&[u8], u8)) {
    let mut member = Member::join(theatre.peers).unwrap();
    let segment = SegmentId { resource: resource("o", path), number: 0 };
    let (here, coming) = (segment.blocks(body.len() as u64), BlockSet::NONE);
    let words = [
        Message::Record(Box::new(record(segment, body, "\"peers\""))),
        Message::Have { segment, here, coming, hops: 0 },
    ];
    // Before anybody asks: an answer has 20 ms until the node takes its turn at the origin.
    let tell_all = |member: &mut Member| words.iter().all(|word| member.tell(word));
    assert!(tell_all(&mut member), "the link has just begun");
    while let Some(message) = member.hear() {
        match message {
            Message::Seek { segment: sought, .. } if sought == segment => {
                tell_all(&mut member);
            }
            Message::Want { segment: wanted, blocks, .. } if wanted == segment => {
                for block in blocks.iter() {
                    if block < count {
                        let start = usize::from(block) * BLOCK;
                        member.give(segment, block, &body[start..start + BLOCK]);
                    } else {
                        member.tell(&Message::Deny { segment, blocks: BlockSet::one(block) });
                    }
                }
            }
            _ => {}
        }
    }
}

/// Plays one segment of which a peer gives blocks of `old`, and the origin has `new`; what the
/// player got, in as many requests as it took, and what the origin was asked.
fn play(old: (&[u8], u8), new: &[u8]) -> (Vec<Vec<u8>>, Vec<Seen>, u64) {
    let theatre = Theatre::new();
    theatre.shows("/long.ts", new);
    let mut bodies = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| gives(&theatre, "/long.ts", old));
        theatre.daemon.wait_log(" joined");
        // What the line carries is known, so that there is time to ask the peer.
        theatre.begins();
        theatre.daemon.get("/o/long.m3u8").expect(200);
        theatre.daemon.get("/o/0.ts").expect(200);
        loop {
            // It holds enough to wait for peers (CTA-5004).
            let reply = theatre.daemon.get_with("/o/long.ts", "CMCD-Request: bl=20000\r\n");
            assert_eq!(reply.status, 200, "{}", reply.head);
            let is_whole = reply.whole;
            bodies.push(reply.body);
            if is_whole {
                break;
            }
            assert!(bodies.len() < 4, "it never gets all of it");
        }
    });
    let taken = theatre.daemon.counter("peer_taken_bytes");
    (bodies, theatre.asked("/long.ts"), taken)
}

#[test]
fn an_edge_that_names_the_same_bytes_otherwise_gives_the_rest() {
    let body = bytes(7, SIZE);
    let (got, asked, taken) = play((&body, 2), &body);
    assert!(got == [&body[..]], "{:?}", got.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!(taken, 2 * BLOCK as u64);
    let by_range = |seen: &Seen| seen.field("range").is_some() && seen.field("if-range").is_none();
    assert!(!asked.is_empty() && asked.iter().all(by_range), "{asked:?}");
}

/// RFC 9110, 15.3.7.3: parts of two representations are not combined.
#[test]
fn a_file_that_was_replaced_is_never_mixed_with_the_old_one() {
    let (old, new) = (bytes(7, SIZE), bytes(8, SIZE));
    let (mut got, asked, taken) = play((&old, 2), &new);
    assert_eq!(taken, 2 * BLOCK as u64, "the old one had begun");
    assert!(got.pop().is_some_and(|last| last == new), "in the end it is the new one");
    assert!(got.len() < 2, "one answer is cut short at most");
    for part in got {
        assert!(old.starts_with(&part), "{} bytes that are of both", part.len());
    }
    assert!(asked.iter().any(|seen| seen.field("range").is_some()), "{asked:?}");
}

#[test]
fn where_nothing_of_the_old_one_went_out_the_player_sees_nothing_of_it() {
    let (old, new) = (bytes(7, SIZE), bytes(8, SIZE));
    let (got, asked, taken) = play((&old, 0), &new);
    assert!(got == [&new[..]], "{:?}", got.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!(taken, 0);
    let by_range = |seen: &Seen| seen.field("range").is_some() && seen.field("if-range").is_none();
    assert!(asked.iter().any(by_range), "the old one had begun: {asked:?}");
}

/// Whoever is believed by its vote alone is judged by blocks of the origin's, which it cannot know
/// before: not if it may push its own before it is asked.
#[test]
fn blocks_that_nobody_asked_for_are_no_way_round_an_audit() {
    // On a busy machine the node may have turned to the origin before the liar had its say.
    let pushed = (0..3).any(|_| pushes() > 0);
    assert!(pushed, "it pushed nothing");
}

/// A peer vouches for what the origin has no more and gives all of it unasked; the player gets
/// nothing of that. How many bytes the node took.
fn pushes() -> u64 {
    let theatre = Theatre::by_votes();
    let (old, new) = (bytes(7, SIZE), bytes(8, SIZE));
    theatre.shows("/long.ts", &new);
    let segment = SegmentId { resource: resource("o", "/long.ts"), number: 0 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut member = Member::join(theatre.peers).unwrap();
            while let Some(message) = member.hear() {
                let is_sought =
                    matches!(message, Message::Seek { segment: it, .. } if it == segment);
                if is_sought && member.vouch(statement(segment, &old, "\"file\"")) {
                    for (block, part) in (0..).zip(old.chunks(BLOCK)) {
                        member.give(segment, block, part);
                    }
                }
            }
        });
        theatre.daemon.wait_log(" joined");
        theatre.begins();
        theatre.daemon.get("/o/long.m3u8").expect(200);
        theatre.daemon.get("/o/0.ts").expect(200);
        let reply = theatre.daemon.get_with("/o/long.ts", "CMCD-Request: bl=20000\r\n");
        assert_eq!(reply.status, 200, "{}", reply.head);
        let planted = (0..reply.body.len() / BLOCK)
            .filter(|at| {
                reply.body[at * BLOCK..(at + 1) * BLOCK] == old[at * BLOCK..(at + 1) * BLOCK]
            })
            .count();
        assert_eq!(planted, 0, "blocks that the origin never sent");
    });
    theatre.daemon.counter("peer_taken_bytes")
}
