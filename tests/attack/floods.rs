//! Members that say more than anybody needs to hear: each kind of message, as fast as it goes.

use std::time::{Duration, Instant};

use neap::base::digest::{Digest, Sum};
use neap::base::rng::Rng;
use neap::base::segment::{BlockSet, SegmentId, resource};
use neap::base::time::Date;
use neap::wire::frame::{Header, Kind};
use neap::wire::message::Message;
use neap::wire::record::{Record, Statement};
use ring::signature::Ed25519KeyPair;

use super::member::Member;
use super::theatre::{Theatre, witness};

/// How long one flood lasts.
const LASTS: Duration = Duration::from_millis(1500);

/// Two members flood, each over a link of its own, with what `words` makes for a number.
fn flood(theatre: &Theatre, words: impl Fn(u64, &mut Vec<u8>) + Sync) -> u64 {
    std::thread::scope(|scope| {
        let floods = [0_u64, 1].map(|whose| {
            let words = &words;
            scope.spawn(move || {
                let mut member = Member::join(theatre.peers).expect("it belongs");
                let (begun, mut said, mut out) = (Instant::now(), 0, Vec::new());
                while begun.elapsed() < LASTS {
                    out.clear();
                    for number in 0..64 {
                        words(whose << 32 | (said + number), &mut out);
                    }
                    if !member.say(&out) {
                        break;
                    }
                    said += 64;
                }
                said
            })
        });
        floods.map(|flood| flood.join().unwrap()).into_iter().sum()
    })
}

fn any(number: u64) -> SegmentId {
    SegmentId { resource: Digest::of(&number.to_be_bytes()), number: 0 }
}

/// What one kind of flood does; the player plays on.
fn survives(name: &str, words: impl Fn(u64, &mut Vec<u8>) + Sync + Send) {
    let theatre = Theatre::new();
    let outcome = theatre.plays_through(|| {
        let said = flood(&theatre, words);
        eprintln!("{name}: {said} said");
        assert!(said >= 64, "{name}");
    });
    outcome.is_calm();
    assert!(Member::join(theatre.peers).is_some(), "another one is let in after {name}");
}

#[test]
fn seeks_wants_and_haves_without_end() {
    survives("seeks, wants and haves", |number, out| {
        // Some of what is there, most of what is nowhere.
        let segment = if number % 3 == 0 {
            SegmentId { resource: resource("o", &format!("/{}.ts", number % 40)), number: 0 }
        } else {
            any(number)
        };
        let blocks = BlockSet(u64::MAX);
        match number % 5 {
            0 | 1 => Message::Seek { segment, topic: Digest::of(b"topic") },
            2 => Message::Want { segment, blocks, within: Duration::from_millis(1) },
            3 => Message::Have { segment, here: blocks, coming: blocks, hops: 0 },
            _ => Message::Whole { segment, sum: Sum::Sha256([7; 32]) },
        }
        .write(out);
    });
}

#[test]
fn records_without_end_signed_by_nobody_who_counts() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let statement = Statement {
        segment: any(1),
        length: 64 * 65_536,
        content_type: "video/mp2t".into(),
        etag: String::new(),
        last_modified: String::new(),
        lifetime: Duration::from_secs(60),
        blocks: vec![Digest::of(b"block"); 64],
        expires: Date(4_000_000_000),
    };
    let record = Record::sign(statement, &pair).unwrap();
    survives("records", move |number, out| {
        let mut record = record.clone();
        record.statement.segment = any(number);
        Message::Record(Box::new(record)).write(out);
    });
}

#[test]
fn forged_records_end_the_link_at_the_first() {
    let theatre = Theatre::new();
    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let outcome = theatre.plays_through(|| {
        let mut member = Member::join(theatre.peers).expect("it belongs");
        let statement = Statement {
            segment: any(1),
            length: 10,
            content_type: String::new(),
            etag: String::new(),
            last_modified: String::new(),
            lifetime: Duration::ZERO,
            blocks: vec![Digest::of(b"block")],
            expires: Date(4_000_000_000),
        };
        let mut record = Record::sign(statement, &pair).unwrap();
        // The witness's key, and a signature that is not its own.
        record.signer = witness();
        member.tell(&Message::Record(Box::new(record)));
        assert!(member.is_ended());
    });
    outcome.is_calm();
    assert_eq!(theatre.daemon.counter("peers_banned"), 1);
}

#[test]
fn blocks_that_nobody_asked_for_end_the_link() {
    let theatre = Theatre::new();
    let outcome = theatre.plays_through(|| {
        let mut member = Member::join(theatre.peers).expect("it belongs");
        let mut block = Vec::new();
        Message::Block { segment: any(1), block: 0, length: 65_536 }.write(&mut block);
        block.resize(block.len() + 65_536, 0xaa);
        let given = (0..1000).take_while(|_| member.say(&block)).count();
        assert!(given < 1000 && member.is_ended(), "{given} blocks");
    });
    outcome.is_calm();
    assert_eq!(theatre.daemon.counter("peers_banned"), 1);
}

#[test]
fn pings_and_words_of_no_language_without_end() {
    survives("pings and unknown words", |number, out| {
        if number % 2 == 0 {
            out.extend(Header { kind: Kind(4), length: 0 }.to_bytes());
        } else {
            out.extend(Header { kind: Kind(0x77), length: 3000 }.to_bytes());
            out.extend([0x55; 3000]);
        }
    });
}

#[test]
fn garbage_behind_the_proof_ends_the_link() {
    let theatre = Theatre::new();
    let outcome = theatre.plays_through(|| {
        let mut rng = Rng::new(5);
        for _ in 0..10 {
            let mut member = Member::join(theatre.peers).expect("it belongs");
            let garbage: Vec<u8> = (0..20_000).map(|_| rng.next() as u8).collect();
            member.say(&[0x10, 0xff, 0xff, 0xff]);
            member.say(&garbage);
            assert!(member.is_ended());
        }
    });
    outcome.is_calm();
}
