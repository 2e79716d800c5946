//! What 0.1.0 said on links and wrote into files that others read, byte by byte: nodes, operators
//! and publishers of that version are still about. `tests/samples/0.1.0/said` was made by it, a
//! name and hex digits a line, and is never made anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use neap::base::digest::{Digest, Sum};
use neap::base::peer::{NodeKey, Role};
use neap::base::segment::{BlockSet, SegmentId, resource};
use neap::base::time::Date;
use neap::engine::peers::meeting;
use neap::wire::frame::Header;
use neap::wire::membership::{Admission, Binding, Membership, Side};
use neap::wire::message::Message;
use neap::wire::punch::{Mapping, Punch};
use neap::wire::record::{Record, Statement};
use neap::wire::record_file;
use neap::wire::switch::Switch;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const SAID: &str = include_str!("samples/0.1.0/said");

/// When all that is signed there ends.
const UNTIL: Date = Date(4_102_444_800);
const SECRET: &[u8] = b"a secret of ours";

/// What stands behind a name in the sample.
fn line(name: &str) -> &'static str {
    let behind = |line: &'static str| line.strip_prefix(name)?.strip_prefix(' ');
    SAID.lines().find_map(behind).unwrap_or_else(|| panic!("no {name} in the sample"))
}

fn said(name: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&line(name)[at..at + 2], 16).unwrap();
    (0..line(name).len()).step_by(2).map(byte).collect()
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn key(seed: u8) -> NodeKey {
    NodeKey(pair(seed).public_key().as_ref().try_into().unwrap())
}

fn record(number: u32, blocks: u8) -> Record {
    let statement = Statement {
        segment: SegmentId { resource: resource("tv", "/show/1.ts?b"), number },
        length: (4 << 20) + 5,
        content_type: "video/mp2t".into(),
        etag: "W/\"x\"".into(),
        last_modified: "Fri, 27 Nov 2026 22:26:00 GMT".into(),
        lifetime: Duration::from_secs(60),
        expires: UNTIL,
        blocks: (0..blocks).map(|number| Digest::of(&[number])).collect(),
    };
    Record::sign(statement, &pair(1)).unwrap()
}

fn switch() -> Switch {
    Switch::sign(&pair(9), "home", (1_796_000_000, 40, UNTIL))
}

fn messages() -> Vec<(&'static str, Message)> {
    let segment = SegmentId { resource: resource("tv", "/show/1.ts?b"), number: 1 };
    let blocks = BlockSet(0x8000_0000_0000_0005);
    let [v4, v6] = ["203.0.113.7:8644", "[2001:db8::7]:8644"].map(|at| at.parse().unwrap());
    let text = str::to_owned;
    vec![
        ("seek", Message::Seek { segment, topic: Digest::of(b"topic") }),
        ("done", Message::Done { segment }),
        ("have", Message::Have { segment, here: blocks, coming: BlockSet(2), hops: 3 }),
        ("record", Message::Record(Box::new(record(1, 1)))),
        ("want", Message::Want { segment, blocks, within: Duration::from_millis(1500) }),
        ("block", Message::Block { segment, block: 63, length: 3 }),
        ("cancel", Message::Cancel { segment, blocks }),
        ("deny", Message::Deny { segment, blocks }),
        ("choke", Message::Choke),
        ("unchoke", Message::Unchoke),
        (
            "watch",
            Message::Watch {
                origin: text("tv"),
                playlist: text("/show/index.m3u8"),
                segment: text("/show/1.ts"),
            },
        ),
        ("peers", Message::Peers { addresses: vec![v4, v6] }),
        ("switch", Message::Switch(Box::new(switch()))),
        ("whole-256", Message::Whole { segment, sum: Sum::Sha256([7; 32]) }),
        ("whole-512", Message::Whole { segment, sum: Sum::Sha512([8; 64]) }),
        ("observed-4", Message::Observed { address: v4 }),
        ("observed-6", Message::Observed { address: v6 }),
        ("punch-ask", Message::Punch(Punch::Ask { address: v4, mapping: Mapping::Unknown })),
        ("punch-go", Message::Punch(Punch::Go { address: v6, mapping: Mapping::Dependent })),
        ("punch-cannot", Message::Punch(Punch::Cannot { address: v4 })),
    ]
}

#[test]
fn each_message_is_read_and_written_as_it_was() {
    for (name, message) in messages() {
        let frame = said(name);
        let header = Header::parse(frame.first_chunk().unwrap()).unwrap();
        let body = &frame[Header::SIZE..];
        assert_eq!((header.kind, header.length), (message.kind(), body.len()), "{name}");
        assert_eq!(Message::parse(header.kind, body), Ok(Some(message.clone())), "{name}");
        let mut written = Vec::new();
        message.write(&mut written);
        // The bytes of a block follow what is written.
        let rest = if name == "block" { b"abc".as_slice() } else { b"" };
        assert_eq!([written.as_slice(), rest].concat(), frame, "{name}");
    }
}

#[test]
fn a_message_that_a_later_version_made_longer_is_read_as_far_as_it_is_known() {
    for (name, message) in messages() {
        let body = [&said(name)[Header::SIZE..], b"what later versions say"].concat();
        assert_eq!(Message::parse(message.kind(), &body), Ok(Some(message)), "{name}");
    }
}

#[test]
fn first_words_prove_what_they_did() {
    for (name, side, knows, is_admitted) in [
        ("hello-secret", Side::Dialler, true, false),
        ("hello-admitted", Side::Listener, false, true),
        ("hello-both", Side::Dialler, true, true),
    ] {
        let member = Membership {
            name: "home".into(),
            secret: knows.then(|| SECRET.into()),
            operators: if is_admitted { vec![key(9)] } else { Vec::new() },
            admission: is_admitted.then(|| Admission::parse(line("admission-line")).unwrap()),
            role: Role::Witness,
        };
        let binding = Binding { exporter: [7; 32], side, key: key(1) };
        let hello = said(name);
        assert_eq!(member.hello(&binding), hello, "{name}");
        let told = member.check(&hello[Header::SIZE..], &binding, Date(1_800_000_000)).unwrap();
        assert_eq!((told.role, told.capabilities), (Role::Witness, 0), "{name}");
        assert_eq!(told.until, is_admitted.then_some(UNTIL), "{name}");
    }
}

#[test]
fn what_operators_and_publishers_signed_holds() {
    let (operators, now) = ([key(9)], Date(1_800_000_000));
    let admission = Admission::parse(line("admission-line")).unwrap();
    assert_eq!(admission.check(key(1), &operators, now), Ok(()));
    assert_eq!(admission.to_string(), line("admission-line"));
    let switched = Switch::parse(line("switch-line")).unwrap();
    assert!(switched.holds(&operators, "home"));
    assert_eq!((&switched, switched.to_string().as_str()), (&switch(), line("switch-line")));
    let shares = (0..100).filter(|seed| switched.lets_share(key(*seed))).map(u32::from);
    assert_eq!(shares.sum::<u32>().to_string(), line("sharing"));
    let (file, records) = (said("record-file"), [record(0, 64), record(1, 1)]);
    assert_eq!(record_file::parse(&file).unwrap(), records);
    assert!(records.iter().all(Record::holds));
    assert_eq!(record_file::write(&records), file);
}

#[test]
fn names_by_which_nodes_meet_are_the_same() {
    let digest = |name: &str| Digest(said(name).try_into().unwrap());
    assert_eq!(resource("tv", "/show/1.ts?b"), digest("resource"));
    assert_eq!(meeting::stream("tv", "/show/index.m3u8"), digest("stream"));
    let operators = [key(9), key(1)];
    assert_eq!(meeting::naming_key("home", Some(SECRET), &[]), Some(digest("naming-secret")));
    assert_eq!(meeting::naming_key("home", None, &operators), Some(digest("naming-operators")));
}
