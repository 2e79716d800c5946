//! Two nodes, each with its own store, reactor and thread: the taker wants block after block,
//! compares each with its record's digest and places it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use neap::base::digest::Digest;
use neap::base::id::RowId;
use neap::base::limits;
use neap::base::peer::Tier;
use neap::base::range::ByteRange;
use neap::base::segment::{BlockSet, SegmentId};
use neap::net::peer::settings::Settings;
use neap::node::peering::{PeerOrder, Peering};
use neap::store::row::Keep;
use neap::store::rows::{Options, Store};
use neap::wire::message::Message;
use smol::{Timer, channel};

use crate::alone::alone;
use crate::{Spent, Watch};

/// Segments of the one resource that is given again and again: 32 MiB.
const SEGMENTS: u32 = 8;

/// Segments that are wanted at once.
const AT_ONCE: u32 = 2;

const ROW: RowId = RowId(1);

/// Sends that many bytes; answers what the giver and the taker spent.
pub(crate) fn run(bytes: u64) -> (Spent, Spent) {
    run_over(bytes, Tier::Home)
}

/// The same beyond the home, over QUIC.
pub(crate) fn run_far(bytes: u64) -> (Spent, Spent) {
    run_over(bytes, Tier::Wan)
}

fn run_over(bytes: u64, tier: Tier) -> (Spent, Spent) {
    let (address, place) = mpsc::channel();
    let giver = thread::spawn(move || give(&address));
    let address = place.recv().expect("it listens");
    let taker = thread::spawn(move || take(address, bytes, tier));
    let taken = taker.join().expect("taken");
    (giver.join().expect("given"), taken)
}

fn segment(number: u32) -> SegmentId {
    SegmentId { resource: Digest::of(b"film"), number }
}

fn block(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(8192)
}

fn settings() -> Settings {
    Settings {
        name: "bench".into(),
        secret: Some(b"known to both sides".to_vec()),
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        max_peers: 4,
        ..Settings::default()
    }
}

fn give(address: &mpsc::Sender<SocketAddr>) -> Spent {
    let store = Store::new(Options { memory: 64 << 20, path: None });
    store.open(ROW, Keep::Cached);
    for number in 0..u64::from(SEGMENTS) * limits::block::SEGMENT_BLOCKS {
        let bytes = BytesMut::from(&block(number)[..]);
        let digest = Digest::of(&bytes);
        store.place(ROW, number * limits::block::BLOCK, (bytes, digest));
    }
    let length = u64::from(SEGMENTS) * limits::block::SEGMENT;
    let (done, end) = channel::bounded(1);
    let watch: Rc<Cell<Option<Watch>>> = Rc::default();
    let answer = move |event: &Peering| match event {
        Peering::Said { peer, message: Message::Want { segment, blocks, .. } } => {
            let started = watch.take();
            watch.set(Some(started.unwrap_or_else(Watch::start)));
            let give = |block| PeerOrder::Give {
                peer: *peer,
                segment: *segment,
                block,
                row: ROW,
                range: segment.block(block, length),
            };
            blocks.iter().map(give).collect()
        }
        Peering::Gone { .. } => {
            let spent = watch.take().map(|watch| watch.stop());
            let _ = done.try_send(spent.unwrap_or_default());
            Vec::new()
        }
        _ => Vec::new(),
    };
    alone(settings(), store, answer, |port| {
        let _ = address.send(port.listen().expect("a port")[0]);
        async move { end.recv().await.expect("the end") }
    })
}

fn take(address: SocketAddr, bytes: u64, tier: Tier) -> Spent {
    let store = Store::new(Options { memory: 64 << 20, path: None });
    store.open(ROW, Keep::Cached);
    let blocks = u64::from(SEGMENTS) * limits::block::SEGMENT_BLOCKS;
    let record: Vec<_> = (0..blocks).map(|number| Digest::of(&block(number))).collect();
    let length = u64::from(SEGMENTS) * limits::block::SEGMENT;
    let (done, end) = channel::bounded(1);
    let (mut left, mut wanted, mut watch) = (bytes / limits::block::BLOCK, 0, None);
    let rows = store.clone();
    let answer = move |event: &Peering| {
        let want = |number: u32, peer| PeerOrder::Tell {
            peer,
            message: Message::Want {
                segment: segment(number % SEGMENTS),
                blocks: BlockSet::first(64),
                within: Duration::from_secs(1),
            },
        };
        match event {
            Peering::Joined { peer, .. } => {
                watch = Some(Watch::start());
                wanted = AT_ONCE;
                (0..AT_ONCE).map(|number| want(number, *peer)).collect()
            }
            Peering::Block { peer, segment, block, digest, .. } => {
                let number = u64::from(segment.number) * 64 + u64::from(*block);
                assert_eq!(record[usize::try_from(number).expect("small")], *digest);
                let range: ByteRange = segment.block(*block, length);
                left -= 1;
                if left == 0 {
                    let spent = watch.take().expect("it began").stop();
                    let _ = done.try_send(spent);
                }
                let mut orders = vec![PeerOrder::Place { row: ROW, range }];
                if *block == 63 {
                    for slice in 0..4 {
                        // Room for when it comes again.
                        rows.evict(ROW, (segment.number + 4) % SEGMENTS * 4 + slice);
                    }
                    orders.push(want(wanted, *peer));
                    wanted += 1;
                }
                orders
            }
            _ => Vec::new(),
        }
    };
    alone(settings(), store, answer, move |port| {
        port.order(PeerOrder::Dial { address, key: None, tier, strange: false });
        let port = Rc::clone(port);
        async move {
            let spent = end.recv().await.expect("the end");
            port.stop();
            // The other side must hear of it.
            Timer::after(Duration::from_millis(100)).await;
            spent
        }
    })
}
