//! A node of a version to come: it is a member as far as it speaks ours, and what it says beyond
//! that is passed over.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use neap::base::digest::Digest;
use neap::base::limits;
use neap::base::segment::SegmentId;
use neap::net::peer::identity::Identity;
use neap::net::peer::secure::Secure;
use neap::node::peering::{Parting, Peering, Stranger};
use neap::wire::frame::{Header, Kind};
use neap::wire::membership::{Binding, Denial, EXPORTER, Frame, Side};
use neap::wire::message::Message;
use ring::hmac;
use rustls::{ClientConnection, StreamOwned};

use crate::garbage::{beside, secured_by};
use crate::node::{Ground, settings};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Dials with first words that say these versions, bits and fields that nobody knows yet, and
/// more behind them; answers the frame that comes back.
fn greeted(address: SocketAddr, versions: [u8; 2]) -> (Stream, (u8, Vec<u8>)) {
    let identity = Identity::passing().expect("a key");
    let mut stream = secured_by(address, Secure::raw(&identity).expect("TLS").client());
    let exporter = stream.conn.export_keying_material([0; 32], EXPORTER, None).expect("a secret");
    let binding = Binding { exporter, side: Side::Dialler, key: identity.key };
    let known = settings().membership().hello(&binding);
    let mut said = known[Header::SIZE..Header::SIZE + 40].to_vec();
    said[..2].copy_from_slice(&versions);
    said[2..8].copy_from_slice(&[7, 0xfd, 0xff, 0xff, 0xff, 0xff]);
    let proven = [b"neap/1 proof\nD".as_slice(), &exporter, &identity.key.0, &said].concat();
    let secret = settings().secret.expect("a secret");
    let proof = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), &proven);
    let mut body = [&said, proof.as_ref()].concat();
    body.resize(limits::link::HELLO, 0xee);
    let header = Header { kind: Kind(1), length: body.len() };
    stream.write_all(&[&header.to_bytes(), &body[..]].concat()).expect("said");
    let mut head = [0; Header::SIZE];
    stream.read_exact(&mut head).expect("an answer");
    let mut answer = vec![0; Header::parse(&head).expect("a frame").length];
    stream.read_exact(&mut answer).expect("an answer");
    (stream, (head[0], answer))
}

fn frame(kind: u8, length: usize) -> Vec<u8> {
    let header = Header { kind: Kind(kind), length };
    [&header.to_bytes(), &vec![0x5a; length][..]].concat()
}

#[test]
fn a_later_version_that_speaks_ours_is_linked_and_what_is_new_of_it_passed_over() {
    let ground = Ground::new();
    ground.run(async {
        let node = ground.node(settings());
        let address = node.address;
        let (mut stream, (kind, _)) = beside(move || greeted(address, [1, 9])).await;
        assert_eq!(kind, 1, "a hello");
        let segment = SegmentId { resource: Digest::of(b"r"), number: 1 };
        beside(move || {
            let mut said = Frame::welcome().to_vec();
            let known = |kind: &u8| matches!(kind, 0x10..=0x1c | 0x20 | 0x28 | 0x29);
            for kind in (7..=0xff).filter(|kind| !known(kind)) {
                said.extend(frame(kind, 3000));
            }
            said.extend(frame(0x77, limits::link::FRAME));
            // A message that has become longer, and a ping that has.
            let mut done = Vec::new();
            Message::Done { segment }.write(&mut done);
            let [longer, more] = [done.len() - Header::SIZE + 100, 100];
            said.extend(Header { kind: Kind::DONE, length: longer }.to_bytes());
            said.extend(&done[Header::SIZE..]);
            said.extend(vec![0x5a; more]);
            said.extend(frame(4, 9));
            stream.write_all(&said).expect("said");
            let mut pong = [0; Header::SIZE];
            stream.read_exact(&mut pong).expect("answered");
            assert_eq!(pong, [5, 0, 0, 0]);
        })
        .await;
        let said = node.until("a message", |event| match event {
            Peering::Said { message, .. } => Some(message.clone()),
            _ => None,
        });
        assert_eq!(said.await, Message::Done { segment });
        assert_eq!(node.count(|event| matches!(event, Peering::Said { .. })), 1);
    });
}

#[test]
fn a_version_that_does_not_speak_ours_is_refused_by_its_number() {
    let ground = Ground::new();
    ground.run(async {
        for versions in [[2, 9], [0, 0]] {
            let node = ground.node(settings());
            let address = node.address;
            let (_, answer) = beside(move || greeted(address, versions)).await;
            assert_eq!(answer, (3, vec![Denial::Version.code()]));
            assert_eq!(node.failed().await, Parting::Stranger(Stranger::Version));
        }
    });
}
