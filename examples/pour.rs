//! Two ports to peers with nothing but blocks between them, over QUIC: what fills a line in
//! tests/lab/nat.py.
//!
//! `pour give ADDRESS` gives whatever is wanted; `pour take ADDRESS SECONDS` wants block after
//! block for so long and prints how many bytes came.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own, which prints"
)]

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use neap::base::digest::Digest;
use neap::base::id::RowId;
use neap::base::limits;
use neap::base::peer::Tier;
use neap::base::segment::{BlockSet, SegmentId};
use neap::net::peer::settings::Settings;
use neap::node::peering::{PeerOrder, Peering};
use neap::store::row::Keep;
use neap::store::rows::{Options, Store};
use neap::wire::message::Message;
use smol::Timer;

use alone::alone;

#[path = "../benches/link/alone.rs"]
mod alone;

const ROW: RowId = RowId(1);

/// Blocks that are wanted at once: a quarter of a segment.
const AT_ONCE: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [_, "give", address] => give(address.parse().expect("an address with its port")),
        [_, "take", address, seconds] => {
            let seconds = seconds.parse().expect("a number of seconds");
            take(address.parse().expect("an address with its port"), seconds);
        }
        _ => println!("usage: pour give ADDRESS | take ADDRESS SECONDS"),
    }
}

fn segment() -> SegmentId {
    SegmentId { resource: Digest::of(b"film"), number: 0 }
}

fn give(listen: SocketAddr) {
    let store = Store::new(Options { memory: 64 << 20, path: None });
    store.open(ROW, Keep::Cached);
    for number in 0..limits::block::SEGMENT_BLOCKS {
        let bytes = BytesMut::from(&number.to_le_bytes().repeat(8192)[..]);
        let digest = Digest::of(&bytes);
        store.place(ROW, number * limits::block::BLOCK, (bytes, digest));
    }
    let answer = |event: &Peering| match event {
        Peering::Said { peer, message: Message::Want { blocks, .. } } => {
            let range = |block| segment().block(block, limits::block::SEGMENT);
            let give = |block| PeerOrder::Give {
                peer: *peer,
                segment: segment(),
                block,
                row: ROW,
                range: range(block),
            };
            blocks.iter().map(give).collect()
        }
        _ => Vec::new(),
    };
    alone(settings(listen), store, answer, |port| {
        port.listen().expect("a port");
        std::future::pending::<()>()
    });
}

fn take(from: SocketAddr, seconds: u64) {
    let store = Store::new(Options { memory: 64 << 20, path: None });
    let bytes = Rc::new(Cell::new(0_u64));
    let count = Rc::clone(&bytes);
    let (mut begun, mut late) = (0, 0);
    let answer = move |event: &Peering| {
        let peer = match event {
            Peering::Joined { peer, .. } => *peer,
            Peering::Block { peer, length, .. } => {
                count.set(count.get() + u64::from(*length));
                late += 1;
                *peer
            }
            _ => return Vec::new(),
        };
        let due = begun == 0 || late % (AT_ONCE / 2) == 0;
        begun += usize::from(due);
        let half = if begun == 1 { AT_ONCE } else { AT_ONCE / 2 };
        let message = Message::Want {
            segment: segment(),
            blocks: BlockSet::first(u8::try_from(half).expect("small").into()),
            within: Duration::from_secs(1),
        };
        if due { vec![PeerOrder::Tell { peer, message }] } else { Vec::new() }
    };
    alone(settings(SocketAddr::from(([0, 0, 0, 0], 0))), store, answer, |port| {
        port.order(PeerOrder::Dial { address: from, key: None, tier: Tier::Wan, strange: false });
        Timer::after(Duration::from_secs(seconds))
    });
    println!("{}", bytes.get());
}

fn settings(listen: SocketAddr) -> Settings {
    Settings {
        name: "pour".into(),
        secret: Some(b"known to both sides".to_vec()),
        listen: vec![listen],
        max_peers: 4,
        ..Settings::default()
    }
}
