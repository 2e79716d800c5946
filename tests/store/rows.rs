//! Rows in memory: who follows whom, what waits, what is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::BytesMut;
use neap::base::digest::Digest;
use neap::base::id::RowId;
use neap::base::limits::block::{BLOCK, SLICE};
use neap::base::limits::cache::{AHEAD, BATCH};
use neap::base::limits::http::PASS;
use neap::base::range::ByteRange;
use neap::store::notice::Notice;
use neap::store::reader::{Next, Reader};
use neap::store::row::Keep;
use neap::store::rows::Store;
use neap::store::writer::Closed;
use smol::LocalExecutor;
use smol::future::{block_on, poll_once};

use crate::{check, content, in_memory, read_on, receive, receive_all, receive_now};

const ROW: RowId = RowId(1);
const PLENTY: u64 = 64 << 20;

fn filled(store: &Store, seed: u64, length: u64) {
    store.open(RowId(seed), Keep::Cached);
    store.end(RowId(seed), length);
    receive_now(&mut store.writer(RowId(seed), 0, None), seed, 16_384);
}

fn missing(start: u64, end: u64) -> Next {
    Next::Missing(ByteRange::new(start, end))
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn sixty_four_readers_of_one_writer_all_get_all_bytes() {
    let (store, length) = (in_memory(PLENTY), 3 * BLOCK + 777);
    for keep in [Keep::Cached, Keep::Passing] {
        store.open(ROW, keep);
        let pool = LocalExecutor::new();
        let readers: Vec<_> = (0..64)
            .map(|n| {
                let mut reader = store.reader(ROW, n * 100, None);
                pool.spawn(async move { read_on(&mut reader, 1, 100 + n * 1000).await })
            })
            .collect();
        let mut writer = store.writer(ROW, 0, Some(length));
        block_on(pool.run(async {
            receive_all(&mut writer, 1, 1460).await.unwrap();
            store.end(ROW, length);
            for reader in readers {
                assert_eq!(reader.await, Ok(length));
            }
        }));
        assert_eq!(store.taken(ROW).len(), if keep == Keep::Cached { length } else { 0 });
        drop(writer);
        store.close(ROW);
        assert_eq!(store.memory(), 0);
    }
}

#[test]
fn a_reader_has_the_first_bytes_before_the_block_is_whole() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let mut writer = store.writer(ROW, 0, None);
    let mut reader = store.reader(ROW, 0, None);
    assert_eq!(reader.try_next(BATCH), Poll::Pending);
    let progress = block_on(receive(&mut writer, 1, 10)).unwrap().unwrap();
    assert_eq!((progress.upto, progress.added, progress.block_completed), (10, 10, false));
    let Poll::Ready(next) = reader.try_next(BATCH) else { panic!("bytes are here") };
    assert_eq!(check(&next, 1, 0), 10);
}

#[test]
fn only_those_who_wait_for_the_bytes_are_woken() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let mut writer = store.writer(ROW, 0, None);
    let (near, far) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    let mut readers = [(store.reader(ROW, 0, None), &near), (store.reader(ROW, 5000, None), &far)];
    for (reader, bell) in &mut readers {
        let waker = Waker::from((*bell).clone());
        let next = std::pin::pin!(reader.next(BATCH));
        assert!(next.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    block_on(receive(&mut writer, 1, 1000)).unwrap();
    block_on(receive(&mut writer, 1, 1000)).unwrap();
    assert_eq!((near.0.load(Ordering::SeqCst), far.0.load(Ordering::SeqCst)), (1, 0));
    drop(writer);
    assert_eq!(far.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_fetch_runs_a_bounded_way_ahead_of_the_furthest_reader() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let mut slow = store.reader(ROW, 0, None);
    let mut writer = store.writer(ROW, 0, Some(4 * AHEAD));
    receive_now(&mut writer, 1, 10_000);
    assert!((PASS..PASS + BLOCK).contains(&writer.position()));
    let before = writer.position();
    assert!(matches!(slow.try_next(BLOCK), Poll::Ready(Next::Bytes(_))));
    receive_now(&mut writer, 1, 10_000);
    assert_eq!(writer.position(), before + BLOCK);
    let fast = store.reader(ROW, AHEAD / 2, None);
    receive_now(&mut writer, 1, 10_000);
    assert!((PASS..PASS + BLOCK).contains(&(writer.position() - AHEAD / 2)));
    drop((slow, fast));
    receive_now(&mut writer, 1, 10_000);
    assert_eq!(writer.position(), 4 * AHEAD, "without a reader it is a prefetch");
}

#[test]
fn what_is_looked_at_is_not_read_yet() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Passing);
    let mut reader = store.reader(ROW, 0, None);
    let mut writer = store.writer(ROW, 0, Some(2 * PASS));
    receive_now(&mut writer, 1, 10_000);
    let before = writer.position();
    let Poll::Ready(Next::Bytes(seen)) = reader.peek(4 * BLOCK) else { panic!("bytes are here") };
    receive_now(&mut writer, 1, 10_000);
    assert_eq!((reader.position(), writer.position()), (0, before), "the writer was let on");
    reader.skip(1000);
    let Poll::Ready(Next::Bytes(rest)) = reader.try_next(4 * BLOCK) else { panic!("still here") };
    assert!(seen.concat()[1000..] == rest.concat()[..seen.concat().len() - 1000]);
}

#[test]
fn a_fetch_runs_further_ahead_of_a_reader_that_has_read_much() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let mut reader = store.reader(ROW, 0, None);
    let mut writer = store.writer(ROW, 0, None);
    while reader.position() < 2 * AHEAD {
        receive_now(&mut writer, 1, 10_000);
        assert!(matches!(reader.try_next(BATCH), Poll::Ready(Next::Bytes(_))));
    }
    receive_now(&mut writer, 1, 10_000);
    let lead = writer.position() - reader.position();
    assert!((AHEAD..AHEAD + BLOCK).contains(&lead), "{lead}");
}

#[test]
fn a_reader_elsewhere_neither_holds_nor_pulls_a_fetch_that_does_not_serve_it() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let (_near, _far) = (store.reader(ROW, 0, None), store.reader(ROW, 50 * AHEAD, None));
    let mut first = store.writer(ROW, 0, None);
    let mut second = store.writer(ROW, 50 * AHEAD, None);
    receive_now(&mut second, 1, 10_000);
    receive_now(&mut first, 1, 10_000);
    assert!(first.position() < PASS + BLOCK);
    assert!((PASS..PASS + BLOCK).contains(&(second.position() - 50 * AHEAD)));
    drop(second);
    store.evict(ROW, u32::try_from(50 * AHEAD / SLICE).unwrap());
    let at = first.position();
    assert!(block_on(receive(&mut first, 1, 10_000)).is_ok(), "now it serves the far reader");
    assert!(first.position() > at);
}

#[test]
fn what_may_not_be_kept_goes_when_the_slowest_has_passed() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Passing);
    let (mut fast, mut slow) = (store.reader(ROW, 0, None), store.reader(ROW, 0, None));
    let mut writer = store.writer(ROW, 0, Some(20 * PASS));
    let mut most = 0;
    while slow.position() < 20 * PASS {
        receive_now(&mut writer, 1, 5000);
        most = most.max(store.memory());
        assert!(writer.position() - slow.position() < PASS + BLOCK);
        while let Poll::Ready(Next::Bytes(_)) = fast.try_next(BATCH) {}
        let (at, Poll::Ready(next)) = (slow.position(), slow.try_next(30_000)) else {
            panic!("the slow reader has bytes")
        };
        check(&next, 1, at);
    }
    assert!(most <= PASS + 2 * BLOCK, "{most}");
    drop((fast, slow));
    assert_eq!(block_on(writer.room()), Err(Closed));
    drop(writer);
    assert_eq!(store.memory(), 0);
}

#[test]
fn a_passing_row_waits_for_its_first_reader() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Passing);
    let mut writer = store.writer(ROW, 0, None);
    receive_now(&mut writer, 1, 5000);
    assert!((PASS..PASS + BLOCK).contains(&writer.position()));
    let mut reader = store.reader(ROW, 0, Some(PASS));
    assert_eq!(block_on(read_on(&mut reader, 1, BATCH)), Ok(PASS));
}

#[test]
fn memory_is_a_hard_stop_and_yet_every_reader_gets_on() {
    let (limit, length) = (8 * BLOCK, 4 << 20);
    let store = in_memory(limit);
    store.open(RowId(9), Keep::Cached);
    let mut hog = store.writer(RowId(9), 0, None);
    receive_now(&mut hog, 9, 9000);
    assert_eq!(store.memory(), limit);
    store.open(ROW, Keep::Cached);
    store.end(ROW, length);
    let mut writer = store.writer(ROW, 0, None);
    receive_now(&mut writer, 1, 9000);
    assert_eq!(writer.position(), 0, "a prefetch gets no memory");
    let mut reader = store.reader(ROW, 0, None);
    while reader.position() < length {
        receive_now(&mut writer, 1, 9000);
        assert!(store.memory() <= limit + 3 * BLOCK, "{}", store.memory());
        let at = reader.position();
        let Poll::Ready(next) = reader.try_next(20_000) else { panic!("stuck at {at}") };
        check(&next, 1, at);
    }
    let shed = std::iter::from_fn(|| store.poll_notice()).map(|notice| match notice {
        Notice::Shed { row: ROW, bytes, .. } => bytes,
        other => panic!("{other:?}"),
    });
    assert_eq!(shed.sum::<u64>() + store.taken(ROW).len(), length);
    drop(writer);
    store.close(ROW);
    assert!(block_on(poll_once(hog.room())).is_none());
    assert_eq!(store.evict(RowId(9), 0), limit);
    assert!(block_on(poll_once(hog.room())).is_some(), "evicted memory is given on");
}

#[test]
fn eviction_under_a_reader_is_a_gap_that_can_be_fetched_again() {
    let store = in_memory(PLENTY);
    filled(&store, 1, 3 * SLICE);
    let mut reader = store.reader(ROW, SLICE - 10, None);
    assert_eq!(check(&block_on(reader.next(10)), 1, SLICE - 10), 10);
    assert_eq!(store.evict(ROW, 1), SLICE);
    assert_eq!(block_on(reader.next(BATCH)), missing(SLICE, 2 * SLICE));
    let mut writer = store.writer(ROW, SLICE, Some(2 * SLICE));
    let both = async {
        let bring = async { receive_all(&mut writer, 1, 9999).await.map(|_| ()) };
        smol::future::zip(bring, read_on(&mut reader, 1, BATCH)).await
    };
    let (brought, read) = block_on(both);
    assert!(brought.is_ok());
    assert_eq!(read, Ok(3 * SLICE));
}

#[test]
fn a_gap_ends_where_a_writer_or_the_border_is() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let until = |reader: &mut Reader| block_on(reader.next(BATCH));
    assert_eq!(until(&mut store.reader(ROW, 5, None)), missing(5, u64::MAX));
    store.end(ROW, 1000);
    assert_eq!(until(&mut store.reader(ROW, 5, None)), missing(5, 1000));
    assert_eq!(until(&mut store.reader(ROW, 5, Some(70))), missing(5, 70));
    assert_eq!(until(&mut store.reader(ROW, 1000, None)), Next::End);
    let writer = store.writer(ROW, 60, None);
    assert_eq!(until(&mut store.reader(ROW, 5, Some(70))), missing(5, 60));
    assert_eq!(store.reader(ROW, 60, None).try_next(BATCH), Poll::Pending);
    drop(writer);
    assert_eq!(until(&mut store.reader(ROW, 60, None)), missing(60, 1000));
}

#[test]
fn a_reader_learns_that_its_writer_is_gone() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let (mut reader, pool) = (store.reader(ROW, 0, Some(100)), LocalExecutor::new());
    let mut writer = store.writer(ROW, 0, None);
    let task = pool.spawn(async move { read_on(&mut reader, 1, BATCH).await });
    block_on(pool.run(async {
        receive(&mut writer, 1, 40).await.unwrap();
        smol::future::yield_now().await;
        drop(writer);
        assert_eq!(task.await, Err(ByteRange::new(40, 100)));
    }));
}

#[test]
fn closing_a_row_ends_everyone_but_not_the_bytes_given_out() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let mut writer = store.writer(ROW, 0, Some(500));
    let mut reader = store.reader(ROW, 0, Some(500));
    block_on(receive(&mut writer, 1, 100)).unwrap();
    let Next::Bytes(parts) = block_on(reader.next(BATCH)) else { panic!("bytes are here") };
    store.close(ROW);
    assert_eq!(block_on(reader.next(BATCH)), missing(100, 500));
    assert_eq!(block_on(writer.room()), Err(Closed));
    assert_eq!(parts.concat(), content(1, ByteRange::new(0, 100)));
    drop(writer);
    assert_eq!(store.memory(), 0);
    assert_eq!(block_on(store.writer(ROW, 0, None).room()), Err(Closed));
}

#[test]
fn a_small_object_costs_what_it_is_long() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let mut writer = store.writer(ROW, 0, Some(700));
    assert_eq!(block_on(writer.room()).unwrap().len(), 700);
    writer.filled(700);
    assert_eq!(store.memory(), 700);
    store.open(RowId(2), Keep::Cached);
    let mut unknown = store.writer(RowId(2), 0, None);
    block_on(receive(&mut unknown, 2, 300)).unwrap();
    block_on(receive(&mut unknown, 2, 400)).unwrap();
    store.end(RowId(2), 700);
    drop(unknown);
    assert_eq!(store.memory(), 1400);
    assert_eq!(block_on(read_on(&mut store.reader(RowId(2), 0, None), 2, BATCH)), Ok(700));
}

#[test]
fn a_block_received_into_one_buffer_is_never_copied() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    let mut writer = store.writer(ROW, 0, Some(BLOCK));
    let buffer = block_on(writer.room()).unwrap().as_ptr();
    block_on(receive_all(&mut writer, 1, 1460)).unwrap();
    let Next::Bytes(parts) = block_on(store.reader(ROW, 0, None).next(BATCH)) else { panic!() };
    assert_eq!((parts.len(), parts[0].as_ptr()), (1, buffer));
}

#[test]
fn a_block_given_out_in_pieces_becomes_one_for_those_who_come_later() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    store.end(ROW, BLOCK + 10);
    let mut writer = store.writer(ROW, 0, None);
    let mut follower = store.reader(ROW, 0, None);
    while block_on(receive(&mut writer, 1, 9000)).unwrap().is_some() {
        let at = follower.position();
        let Poll::Ready(next) = follower.try_next(BATCH) else { panic!("bytes are here") };
        check(&next, 1, at);
    }
    let read = || {
        let Next::Bytes(parts) = block_on(store.reader(ROW, 0, None).next(BATCH)) else { panic!() };
        assert_eq!(parts.concat(), content(1, ByteRange::new(0, BLOCK + 10)));
        (parts.len(), parts[0].as_ptr())
    };
    let first = read();
    assert_eq!(first.0, 2);
    assert_eq!(first, read(), "merged once, then shared");
    assert_eq!(store.memory(), BLOCK + 10);
}

#[test]
fn bytes_that_come_twice_are_kept_once() {
    let store = in_memory(PLENTY);
    store.open(ROW, Keep::Cached);
    for (from, until) in [(100, 200), (300, 400), (0, 1000)] {
        let mut writer = store.writer(ROW, from, Some(until));
        block_on(receive_all(&mut writer, 1, 77)).unwrap();
    }
    assert_eq!(store.taken(ROW).len(), 1000);
    assert_eq!(block_on(read_on(&mut store.reader(ROW, 0, Some(1000)), 1, BATCH)), Ok(1000));
}

#[test]
fn what_is_placed_wakes_who_waits_for_it_and_never_overwrites() {
    let store = in_memory(PLENTY);
    let length = 2 * BLOCK + 100;
    store.open(ROW, Keep::Cached);
    store.end(ROW, length);
    let summed = |data: BytesMut| {
        let digest = Digest::of(&data);
        (data, digest)
    };
    let block = |at: u64, end: u64| summed(content(1, ByteRange::new(at, end))[..].into());
    let mut reader = store.reader(ROW, 0, None);
    assert_eq!(block_on(reader.next(BATCH)), missing(0, length));
    assert_eq!(store.place(ROW, BLOCK, block(BLOCK, 2 * BLOCK)), BLOCK);
    assert_eq!(block_on(reader.next(BATCH)), missing(0, BLOCK));
    assert_eq!(store.place(ROW, 0, block(0, BLOCK)), BLOCK);
    // What is here stays as it is; the memory of what was not needed is free again.
    let held = store.memory();
    assert_eq!(store.place(ROW, 0, summed(BytesMut::zeroed(1000))), 0);
    assert_eq!(store.memory(), held);
    assert_eq!(store.place(ROW, 2 * BLOCK, block(2 * BLOCK, length)), 100);
    assert_eq!(block_on(read_on(&mut reader, 1, length)), Ok(length));
    // Beyond a block's border, beyond the end, into a row that is none: nothing.
    assert_eq!(store.place(ROW, BLOCK / 2, summed(BytesMut::zeroed(64 << 10))), 0);
    assert_eq!(store.place(ROW, length, summed(BytesMut::zeroed(1))), 0);
    assert_eq!(store.place(RowId(9), 0, summed(BytesMut::zeroed(1))), 0);
}
