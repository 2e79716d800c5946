//! The disk tier on a real folder and its everyday faults.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use neap::base::digest::Digest;
use neap::base::id::RowId;
use neap::base::limits::block::{BLOCK, SLICE};
use neap::base::limits::cache::{BATCH, DISK_RETRY, PERSISTS};
use neap::base::range::ByteRange;
use neap::base::time::Instant;
use neap::store::disk::Persist;
use neap::store::files::{Fault, Files, Medium};
use neap::store::notice::{Loss, Notice, Refusal};
use neap::store::reader::Next;
use neap::store::row::Keep;
use neap::store::rows::{Options, Store};
use neap::store::scan::Found;
use nix::errno::Errno;
use smol::LocalExecutor;
use smol::future::{block_on, or, poll_once};

use crate::folder::{Scripted, Trouble};
use crate::{check, content, read_on, receive_now};

pub const NOW: Instant = Instant::from_micros(1_000_000);
const PLENTY: u64 = 64 << 20;

/// A folder of its own for one test, removed at the end.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("neap-store-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub fn store(&self) -> Store {
        Store::new(Options { memory: PLENTY, path: Some(self.0.clone()) })
    }

    /// All files below, by path.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(path: &Path, out: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, out) } else { out.push(path) }
            }
        }
        let mut out = Vec::new();
        walk(&self.0, &mut out);
        out.retain(|path| !path.ends_with("lock"));
        out
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Runs `act` while the store's disk hand works.
pub fn working<T>(store: &Store, act: impl Future<Output = T>) -> T {
    block_on(or(act, async {
        store.work().await;
        std::future::pending().await
    }))
}

pub fn scan(store: &Store) -> Result<Vec<Found>, Fault> {
    block_on(async {
        let (mut scan, mut all) = (store.scan(NOW), Vec::new());
        while let Some(found) = scan.next().await? {
            all.extend(found);
        }
        Ok(all)
    })
}

pub fn notices(store: &Store) -> Vec<Notice> {
    news(store).into_iter().filter(|notice| !matches!(notice, Notice::Wrote { .. })).collect()
}

/// The same, and what became of slices that were to be written.
pub fn news(store: &Store) -> Vec<Notice> {
    std::iter::from_fn(|| store.poll_notice()).collect()
}

/// What became of slices that were to be written: bytes ordered and bytes written.
fn wrote(store: &Store) -> (u64, u64) {
    news(store).into_iter().fold((0, 0), |(all, gone), notice| match notice {
        Notice::Wrote { ordered, bytes } => (all + ordered, gone + bytes),
        _ => (all, gone),
    })
}

/// Fills row `seed` with `length` bytes in RAM.
pub fn fill(store: &Store, seed: u64, length: u64) {
    store.open(RowId(seed), Keep::Cached);
    store.end(RowId(seed), length);
    receive_now(&mut store.writer(RowId(seed), 0, None), seed, 16_384);
    assert_eq!(store.taken(RowId(seed)).len(), length);
}

/// The header says how long the row is.
pub fn persist(seed: u64, slice: u32, length: u64) -> Persist {
    let (row, key) = (RowId(seed), Digest::of(&seed.to_be_bytes()));
    let header = [seed.to_be_bytes(), length.to_be_bytes()].concat();
    Persist { row, slice, key, header }
}

/// Opens rows for what was found, as the header says.
pub fn adopt(store: &Store, found: &Found) -> u64 {
    let seed = u64::from_be_bytes(found.header[..8].try_into().unwrap());
    let length = u64::from_be_bytes(found.header[8..].try_into().unwrap());
    assert_eq!(found.key, Digest::of(&seed.to_be_bytes()));
    store.open(RowId(seed), Keep::Cached);
    store.end(RowId(seed), length);
    store.adopt(RowId(seed), found);
    seed
}

fn evict_all(store: &Store, seed: u64, slices: u32) {
    for slice in 0..slices {
        store.evict(RowId(seed), slice);
    }
    assert_eq!(store.memory(), 0);
}

/// The first slice of row 1, whole in memory and on the disk.
fn on_disk(store: &Store) {
    fill(store, 1, 700);
    store.persist(persist(1, 0, 700), NOW).unwrap();
    working(store, store.drained());
}

#[test]
fn what_was_written_is_read_back_block_by_block() {
    let (place, length) = (Place::new(), SLICE + 100_000);
    let store = place.store();
    assert_eq!(scan(&store).unwrap().len(), 0);
    fill(&store, 1, length);
    store.persist(persist(1, 0, length), NOW).unwrap();
    store.persist(persist(1, 1, length), NOW).unwrap();
    assert_eq!(store.persist(persist(1, 1, length), NOW), Err(Refusal::Already));
    working(&store, store.drained());
    let files = place.files();
    let bytes: u64 = files.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!((files.len(), store.written()), (2, bytes));
    assert!(matches!(
        notices(&store)[..],
        [Notice::Persisted { slice: 0, .. }, Notice::Persisted { slice: 1, .. }]
    ));
    evict_all(&store, 1, 2);
    let mut reader = store.reader(RowId(1), 5 * BLOCK + 5, None);
    assert!(reader.try_next(BATCH).is_pending());
    let next = block_on(reader.next(BATCH));
    assert_eq!(check(&next, 1, 5 * BLOCK + 5), BATCH - 5);
    assert_eq!(store.memory(), BATCH, "a seek reads little");
    assert_eq!(notices(&store), [Notice::Loaded { row: RowId(1), slice: 0, bytes: BATCH }]);
    assert_eq!(block_on(read_on(&mut reader, 1, BATCH)), Ok(length));
    assert_eq!(store.memory(), length - 5 * BLOCK);
}

#[test]
fn a_restart_finds_what_was_there_and_unlinking_removes_it() {
    let (place, length) = (Place::new(), 2 * SLICE);
    let store = place.store();
    scan(&store).unwrap();
    fill(&store, 1, length);
    fill(&store, 2, 700);
    for (seed, slice, length) in [(1, 0, length), (1, 1, length), (2, 0, 700)] {
        store.persist(persist(seed, slice, length), NOW).unwrap();
    }
    working(&store, store.drained());
    drop(store);
    let store = place.store();
    let found = scan(&store).unwrap();
    assert_eq!(found.len(), 3);
    for found in &found {
        adopt(&store, found);
    }
    assert_eq!(store.on_disk(RowId(1)), [0, 1]);
    for (seed, length) in [(1, length), (2, 700)] {
        let mut reader = store.reader(RowId(seed), 0, None);
        assert_eq!(block_on(read_on(&mut reader, seed, BATCH)), Ok(length));
    }
    assert_eq!(scan(&store).unwrap().len(), 0, "a second scan finds nothing");
    store.unlink(RowId(1), 0);
    store.unlink(RowId(2), 0);
    working(&store, store.drained());
    assert_eq!((place.files().len(), store.on_disk(RowId(1))), (1, vec![1]));
}

#[test]
fn a_new_file_of_the_same_name_survives_the_removal_of_the_old_one() {
    let place = Place::new();
    let store = place.store();
    scan(&store).unwrap();
    on_disk(&store);
    store.unlink(RowId(1), 0);
    store.persist(persist(1, 0, 700), NOW).unwrap();
    working(&store, store.drained());
    evict_all(&store, 1, 1);
    assert_eq!(block_on(read_on(&mut store.reader(RowId(1), 0, None), 1, BATCH)), Ok(700));
}

#[test]
fn a_damaged_block_is_missing_and_its_file_goes() {
    let (place, length) = (Place::new(), SLICE);
    let store = place.store();
    scan(&store).unwrap();
    fill(&store, 1, length);
    store.persist(persist(1, 0, length), NOW).unwrap();
    working(&store, store.drained());
    evict_all(&store, 1, 1);
    let path = &place.files()[0];
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - usize::try_from(length - 9 * BLOCK).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
    notices(&store);
    let mut reader = store.reader(RowId(1), 0, None);
    let gap = ByteRange::new(8 * BLOCK, length);
    assert_eq!(working(&store, read_on(&mut reader, 1, BATCH)), Err(gap));
    let lost = Notice::Lost { row: RowId(1), slice: 0, cause: Loss::Damaged };
    assert!(notices(&store).contains(&lost));
    working(&store, store.drained());
    assert!(place.files().is_empty());
}

#[test]
fn a_digest_that_is_known_is_not_taken_anew_while_its_block_is_here() {
    let (place, length) = (Place::new(), 3 * BLOCK);
    let store = place.store();
    scan(&store).unwrap();
    // Wrong, so that it shows whose digest was written.
    let wrong = Digest::of(b"of other bytes");
    let range = |block: u64| ByteRange::new(block * BLOCK, (block + 1) * BLOCK);
    let write = || {
        store.persist(persist(1, 0, length), NOW).unwrap();
        working(&store, store.drained());
        evict_all(&store, 1, 1);
        working(&store, read_on(&mut store.reader(RowId(1), 0, None), 1, BATCH))
    };
    store.open(RowId(1), Keep::Cached);
    store.end(RowId(1), length);
    for block in 0..3 {
        let data = BytesMut::from(&content(1, range(block))[..]);
        let digest = if block == 1 { wrong } else { Digest::of(&data) };
        store.place(RowId(1), block * BLOCK, (data, digest));
    }
    assert_eq!(write(), Err(ByteRange::new(0, length)), "what is read together is lost together");
    store.unlink(RowId(1), 0);
    store.evict(RowId(1), 0);
    // It went with the bytes; what is not here, or only in part, has none.
    store.note_sum(RowId(1), range(2), wrong);
    receive_now(&mut store.writer(RowId(1), 0, None), 1, 16_384);
    store.note_sum(RowId(1), ByteRange::new(0, 100), wrong);
    let same = BytesMut::from(&content(1, range(0))[..]);
    store.place(RowId(1), 0, (same, wrong));
    assert_eq!(write(), Ok(length));
}

#[test]
fn foreign_files_stay_and_leftovers_of_ours_go() {
    let place = Place::new();
    let store = place.store();
    scan(&store).unwrap();
    on_disk(&store);
    drop(store);
    let ours = place.files().remove(0);
    let mut other = fs::read(&ours).unwrap();
    other[9] = 99;
    fs::write(ours.with_extension("part"), b"half").unwrap();
    let renamed = ours.to_str().unwrap().replace("-00000000-", "-00000007-");
    fs::write(&renamed, other).unwrap();
    fs::write(place.0.join("letter.txt"), b"dear").unwrap();
    fs::write(ours.with_file_name("other"), b"dear").unwrap();
    let store = place.store();
    assert_eq!(scan(&store).unwrap().len(), 1);
    assert_eq!(place.files().len(), 3);
    let foreign = Notice::Foreign { first: "letter.txt".into(), count: 2 };
    assert_eq!(notices(&store), [foreign]);
}

#[test]
fn a_folder_in_ram_is_said_to_be_one() {
    let path = PathBuf::from(format!("/dev/shm/neap-store-{}", std::process::id()));
    let on_ram = nix::sys::statfs::statfs("/dev/shm")
        .is_ok_and(|stat| stat.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC);
    if on_ram {
        let place = Place(path);
        let store = place.store();
        assert_eq!(store.medium(), None);
        scan(&store).unwrap();
        assert_eq!(store.medium(), Some(Medium::Ram));
    }
}

#[test]
fn two_daemons_do_not_share_a_folder() {
    let place = Place::new();
    let (first, second) = (place.store(), place.store());
    scan(&first).unwrap();
    assert_eq!(scan(&second).unwrap_err(), Fault::Locked);
    assert_eq!(Fault::Locked.to_string(), "another process uses the folder");
    assert_eq!(notices(&second), [Notice::DiskFault { kind: Fault::Locked, since: NOW }]);
    fill(&second, 1, 700);
    assert_eq!(second.persist(persist(1, 0, 700), NOW), Err(Refusal::Off));
    drop(first);
    let mut wanted = Box::pin(second.wanted());
    assert!(block_on(poll_once(&mut wanted)).is_none());
    let late = NOW + DISK_RETRY;
    assert_eq!(second.persist(persist(1, 0, 700), late), Err(Refusal::Starting));
    assert!(block_on(poll_once(&mut wanted)).is_some(), "it is to be read before");
    scan(&second).unwrap();
    assert_eq!(notices(&second), [Notice::DiskBack]);
    second.persist(persist(1, 0, 700), late).unwrap();
    working(&second, second.drained());
    assert!(matches!(notices(&second)[..], [Notice::Persisted { .. }]));
}

#[test]
fn what_lies_in_a_folder_that_was_not_there_at_first_is_found_before_anything_is_written() {
    let place = Place::new();
    let first = place.store();
    scan(&first).unwrap();
    on_disk(&first);
    let second = place.store();
    assert_eq!(scan(&second).unwrap_err(), Fault::Locked);
    drop(first);
    fill(&second, 2, 700);
    let late = NOW + DISK_RETRY;
    assert_eq!(second.persist(persist(2, 0, 700), late), Err(Refusal::Starting));
    assert_eq!(scan(&second).unwrap().len(), 1);
    second.persist(persist(2, 0, 700), late).unwrap();
    working(&second, second.drained());
    assert_eq!(place.files().len(), 2);
}

#[test]
fn a_file_that_cannot_be_read_now_is_a_gap_now_and_is_read_later() {
    let place = Place::new();
    let store = place.store();
    scan(&store).unwrap();
    on_disk(&store);
    evict_all(&store, 1, 1);
    notices(&store);
    let (path, aside) = (place.files().remove(0), place.0.join("aside"));
    fs::rename(&path, &aside).unwrap();
    // A folder in its place: neither damage nor want of a file, as EMFILE is.
    fs::create_dir(&path).unwrap();
    let mut reader = store.reader(RowId(1), 0, None);
    assert_eq!(working(&store, reader.next(BATCH)), Next::Missing(ByteRange::new(0, 700)));
    working(&store, store.drained());
    assert_eq!(notices(&store), []);
    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    assert_eq!(working(&store, reader.next(BATCH)), Next::Missing(ByteRange::new(0, 700)), "once");
    drop(reader);
    let mut reader = store.reader(RowId(1), 0, None);
    assert_eq!(working(&store, read_on(&mut reader, 1, BATCH)), Ok(700));
}

#[test]
fn a_folder_deleted_under_us_is_a_gap_and_comes_back_later() {
    let place = Place::new();
    let store = place.store();
    scan(&store).unwrap();
    fill(&store, 1, 700);
    fill(&store, 2, 900);
    store.persist(persist(1, 0, 700), NOW).unwrap();
    working(&store, store.drained());
    fs::remove_dir_all(&place.0).unwrap();
    store.evict(RowId(1), 0);
    notices(&store);
    let mut reader = store.reader(RowId(1), 0, None);
    assert_eq!(working(&store, reader.next(BATCH)), Next::Missing(ByteRange::new(0, 700)));
    let lost = Loss::Unreadable(Fault::Gone);
    assert_eq!(notices(&store), [Notice::Lost { row: RowId(1), slice: 0, cause: lost }]);
    store.persist(persist(2, 0, 900), NOW).unwrap();
    working(&store, store.drained());
    let fault = Notice::DiskFault { kind: Fault::Gone, since: NOW };
    let refused = Notice::Refused { row: RowId(2), slice: 0, reason: Refusal::Off };
    assert_eq!(notices(&store), [fault, refused]);
    store.persist(persist(2, 0, 900), NOW + DISK_RETRY).unwrap();
    working(&store, store.drained());
    store.evict(RowId(2), 0);
    assert_eq!(block_on(read_on(&mut store.reader(RowId(2), 0, None), 2, BATCH)), Ok(900));
}

#[test]
fn a_full_disk_is_said_once_and_tried_again_after_its_time() {
    let files = Scripted::default();
    let store = Store::with_files(PLENTY, Some(Arc::new(files.clone()) as Arc<dyn Files>));
    assert_eq!(store.persist(persist(1, 0, 700), NOW), Err(Refusal::Starting));
    scan(&store).unwrap();
    (1..=4).for_each(|seed| fill(&store, seed, 700));
    files.set_trouble(Some((0, Trouble::From(Errno::ENOSPC))));
    store.persist(persist(1, 0, 700), NOW).unwrap();
    store.persist(persist(2, 0, 700), NOW).unwrap();
    working(&store, store.drained());
    let refused = |seed| Notice::Refused { row: RowId(seed), slice: 0, reason: Refusal::Off };
    let fault = Notice::DiskFault { kind: Fault::Full, since: NOW };
    assert_eq!(notices(&store), [fault, refused(1), refused(2)]);
    let late = NOW + DISK_RETRY;
    let early = NOW + Duration::from_secs(59);
    assert_eq!(store.persist(persist(3, 0, 700), early), Err(Refusal::Off));
    store.persist(persist(3, 0, 700), late).unwrap();
    assert_eq!(store.persist(persist(4, 0, 700), late), Err(Refusal::Busy), "one try");
    working(&store, store.drained());
    assert_eq!(notices(&store), [refused(3)]);
    assert_eq!(store.persist(persist(3, 0, 700), late), Err(Refusal::Off));
    files.set_trouble(None);
    store.persist(persist(3, 0, 700), late + DISK_RETRY).unwrap();
    working(&store, store.drained());
    assert!(matches!(notices(&store)[..], [Notice::DiskBack, Notice::Persisted { .. }]));
}

#[test]
fn every_slice_that_was_ordered_is_accounted_for_whatever_becomes_of_it() {
    let files = Scripted::default();
    let store = Store::with_files(PLENTY, Some(Arc::new(files.clone()) as Arc<dyn Files>));
    scan(&store).unwrap();
    (1..=4).for_each(|seed| fill(&store, seed, 700));
    (1..=2).for_each(|seed| store.persist(persist(seed, 0, 700), NOW).unwrap());
    // Nobody wants it any more, and it is written all the same.
    store.unlink(RowId(2), 0);
    working(&store, store.drained());
    let both = store.written();
    assert_eq!(wrote(&store), (1400, both));
    assert!(both > 1400, "heads count as well");
    store.spare(900);
    assert_eq!(wrote(&store), (900, 0), "what was not even taken");
    files.set_trouble(Some((0, Trouble::From(Errno::ENOSPC))));
    (3..=4).for_each(|seed| store.persist(persist(seed, 0, 700), NOW).unwrap());
    working(&store, store.drained());
    assert_eq!(wrote(&store), (1400, store.written() - both), "the second one never began");
}

#[test]
fn the_queue_is_bounded_and_holds_its_bytes_in_the_count() {
    let files = Arc::new(Scripted::default());
    let store = Store::with_files(PLENTY, Some(files.clone() as Arc<dyn Files>));
    scan(&store).unwrap();
    let most = u64::try_from(PERSISTS).unwrap();
    (0..=most).for_each(|seed| fill(&store, seed, 700));
    for seed in 0..most {
        store.persist(persist(seed, 0, 700), NOW).unwrap();
    }
    assert_eq!(store.persist(persist(most, 0, 700), NOW), Err(Refusal::Busy));
    assert_eq!(store.evict(RowId(0), 0), 0, "the queue still holds them");
    store.unlink(RowId(3), 0);
    store.close(RowId(4));
    working(&store, store.drained());
    assert_eq!(files.files().len(), PERSISTS - 2, "what nobody wants does not stay");
    assert_eq!(store.memory(), 700 * (most - 1));
}

#[test]
fn incomplete_slices_and_long_headers_are_refused() {
    let store = Store::with_files(PLENTY, Some(Arc::new(Scripted::default()) as Arc<dyn Files>));
    scan(&store).unwrap();
    store.open(RowId(1), Keep::Cached);
    assert_eq!(store.persist(persist(1, 0, 0), NOW), Err(Refusal::Incomplete));
    fill(&store, 1, 700);
    let long = Persist { header: vec![0; 65_537], ..persist(1, 0, 700) };
    assert_eq!(store.persist(long, NOW), Err(Refusal::HeaderTooLong));
    assert_eq!(crate::in_memory(1).persist(persist(1, 0, 700), NOW), Err(Refusal::NoDisk));
}

#[test]
fn many_readers_share_one_load_also_when_the_first_leaves() {
    let files = Arc::new(Scripted::default());
    let store = Store::with_files(PLENTY, Some(files.clone() as Arc<dyn Files>));
    scan(&store).unwrap();
    fill(&store, 1, SLICE);
    store.persist(persist(1, 0, SLICE), NOW).unwrap();
    working(&store, store.drained());
    evict_all(&store, 1, 1);
    let pool = LocalExecutor::new();
    let mut first = store.reader(RowId(1), 0, None);
    let held = files.hold();
    assert!(block_on(poll_once(first.next(BATCH))).is_none());
    drop(held);
    let spawn = |_| {
        let mut reader = store.reader(RowId(1), 0, None);
        pool.spawn(async move { read_on(&mut reader, 1, BATCH).await })
    };
    let readers: Vec<_> = (0..20).map(spawn).collect();
    drop(first);
    block_on(pool.run(async {
        for reader in readers {
            assert_eq!(reader.await, Ok(SLICE));
        }
    }));
    // Two for the head, one for each batch; both twice at most because of the first reader.
    assert!(files.reads() <= 2 * 2 + SLICE / BATCH + 1, "{}", files.reads());
}

#[test]
fn loading_keeps_to_the_memory_limit() {
    let files = Arc::new(Scripted::default());
    let store = Store::with_files(PLENTY, Some(files as Arc<dyn Files>));
    scan(&store).unwrap();
    fill(&store, 1, SLICE);
    store.persist(persist(1, 0, SLICE), NOW).unwrap();
    working(&store, store.drained());
    evict_all(&store, 1, 1);
    store.set_memory_limit(2 * BLOCK);
    let mut reader = store.reader(RowId(1), 0, None);
    while reader.position() < SLICE {
        let at = reader.position();
        check(&block_on(reader.next(BATCH)), 1, at);
        assert!(store.memory() <= 4 * BLOCK, "{}", store.memory());
    }
}
