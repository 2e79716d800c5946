//! Blocks over a link: given, checked, placed; missing ones; digests and signatures on demand.

use std::rc::Rc;

use neap::base::digest::Digest;
use neap::base::id::RowId;
use neap::base::limits;
use neap::base::peer::PeerId;
use neap::base::range::ByteRange;
use neap::base::segment::SegmentId;
use neap::base::time::Date;
use neap::node::peering::{PeerOrder, Peering};
use neap::store::reader::Next;
use neap::store::row::Keep;
use neap::wire::record::Statement;

use crate::node::{Ground, Node, linked, over_each, settings, wait};

const ROW: RowId = RowId(5);

/// Bytes of the film: two blocks and a bit.
const LENGTH: u64 = 2 * limits::block::BLOCK + 777;

fn segment() -> SegmentId {
    SegmentId { resource: Digest::of(b"film"), number: 0 }
}

fn film() -> Vec<u8> {
    (0..LENGTH).map(|at| (at * 31 % 251) as u8).collect()
}

fn part(range: ByteRange) -> Vec<u8> {
    film()[range.start as usize..range.end as usize].to_vec()
}

/// Fills the node's row with the film, in pieces that do not lie on the grid.
async fn fill(node: &Node) {
    node.store.open(ROW, Keep::Cached);
    node.store.end(ROW, LENGTH);
    let mut writer = node.store.writer(ROW, 0, None);
    let film = film();
    let mut rest = &film[..];
    while !rest.is_empty() {
        let room = writer.room().await.expect("an open row");
        let count = room.len().min(rest.len()).min(10_007);
        room[..count].copy_from_slice(&rest[..count]);
        writer.filled(count);
        rest = &rest[count..];
    }
}

fn give(peer: PeerId, block: u8) -> PeerOrder {
    let range = segment().block(block, LENGTH);
    PeerOrder::Give { peer, segment: segment(), block, row: ROW, range }
}

#[test]
fn blocks_cross_and_are_placed_where_they_belong() {
    over_each(async |ground: &Ground| {
        let (near, to_far, far, _) = linked(ground).await;
        fill(&near).await;
        far.store.open(ROW, Keep::Cached);
        far.store.end(ROW, LENGTH);
        far.answer(|event| match event {
            Peering::Block { segment, block, digest, length, .. } => {
                let range = segment.block(*block, LENGTH);
                assert_eq!(u64::from(*length), range.len());
                assert_eq!(*digest, Digest::of(&part(range)));
                vec![PeerOrder::Place { row: ROW, range }]
            }
            _ => Vec::new(),
        });
        for block in [2, 0, 1] {
            near.port.order(give(to_far, block));
        }
        wait("all blocks", || (far.store.taken(ROW).len() == LENGTH).then_some(())).await;
        let mut reader = far.store.reader(ROW, 0, None);
        let mut read = Vec::new();
        while let Next::Bytes(pieces) = reader.next(limits::cache::BATCH).await {
            pieces.iter().for_each(|piece| read.extend_from_slice(piece));
        }
        assert!(read == film());
        let given = |event: &Peering| match event {
            Peering::Given { block: 1, bytes, .. } => Some(*bytes),
            _ => None,
        };
        assert_eq!(u64::from(near.until("the note", given).await), limits::block::BLOCK);
    });
}

#[test]
fn a_block_that_nobody_places_is_dropped() {
    over_each(async |ground: &Ground| {
        let (near, to_far, far, _) = linked(ground).await;
        fill(&near).await;
        far.store.open(ROW, Keep::Cached);
        near.port.order(give(to_far, 0));
        near.port.order(give(to_far, 1));
        let second = |event: &Peering| matches!(event, Peering::Block { block: 1, .. });
        far.until("both blocks", |event| second(event).then_some(())).await;
        // An order that comes after the turn places nothing.
        let range = segment().block(1, LENGTH);
        far.port.order(PeerOrder::Place { row: ROW, range });
        assert!(far.store.taken(ROW).is_empty());
        assert_eq!(far.store.memory(), 0);
    });
}

#[test]
fn what_is_not_here_any_more_is_not_given() {
    over_each(async |ground: &Ground| {
        let (near, to_far, far, _) = linked(ground).await;
        fill(&near).await;
        near.store.evict(ROW, 0);
        near.port.order(give(to_far, 0));
        let gone = RowId(77);
        let range = ByteRange::new(0, limits::block::BLOCK);
        let order =
            PeerOrder::Give { peer: to_far, segment: segment(), block: 9, row: gone, range };
        near.port.order(order);
        let none = |event: &Peering| match event {
            Peering::Given { block: 9, bytes, .. } => Some(*bytes),
            _ => None,
        };
        assert_eq!(near.until("the note", none).await, 0);
        assert_eq!(far.count(|event| matches!(event, Peering::Block { .. })), 0);
        assert_eq!((near.port.links(), far.port.links()), (1, 1));
    });
}

#[test]
fn digests_are_taken_and_statements_signed() {
    over_each(async |ground: &Ground| {
        let node = ground.node(settings());
        fill(&node).await;
        let range = segment().block(2, LENGTH);
        node.port.order(PeerOrder::Prove { row: ROW, range });
        let gone = RowId(77);
        node.port.order(PeerOrder::Prove { row: gone, range });
        let proven = |wanted: RowId| {
            move |event: &Peering| match event {
                Peering::Proven { row, digest, .. } if *row == wanted => Some(*digest),
                _ => None,
            }
        };
        let here = node.until("a digest", proven(ROW)).await;
        assert_eq!(here, Some(Digest::of(&part(range))));
        assert_eq!(node.until("no digest", proven(gone)).await, None);
        let statement = Statement {
            segment: segment(),
            length: LENGTH,
            content_type: "video/mp4".into(),
            etag: String::new(),
            last_modified: String::new(),
            lifetime: std::time::Duration::from_secs(60),
            blocks: vec![Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c")],
            expires: Date(1_900_000_000),
        };
        node.port.order(PeerOrder::Sign(Box::new(statement.clone())));
        let signed = node.until("a record", |event| match event {
            Peering::Signed(record) => Some(record.clone()),
            _ => None,
        });
        let record = signed.await;
        assert!(record.holds());
        assert_eq!((record.signer, record.statement), (node.port.key(), statement));
    });
}

#[test]
fn a_peer_that_takes_nothing_is_let_go_before_it_costs_much() {
    over_each(async |ground: &Ground| {
        let (near, to_far, _far, _) = linked(ground).await;
        // Without a turn of the loop nothing can leave.
        let most = limits::link::LINK_WORDS / 36;
        for _ in 0..=most {
            let message = neap::wire::message::Message::Done { segment: segment() };
            near.port.order(PeerOrder::Tell { peer: to_far, message });
        }
        let why = near.gone().await;
        assert!(matches!(why, neap::node::peering::Parting::Breach(_)), "{why:?}");
        let port = Rc::clone(&near.port);
        assert_eq!(port.links(), 0);
    });
}
