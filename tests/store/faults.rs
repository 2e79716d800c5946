//! A fault or a power cut at every single operation of the disk: nothing wrong is ever served.

use std::collections::BTreeMap;
use std::sync::Arc;

use neap::base::id::RowId;
use neap::base::limits::block::BLOCK;
use neap::base::limits::cache::BATCH;
use neap::base::rng::Rng;
use neap::store::files::Files;
use neap::store::notice::Notice;
use neap::store::rows::Store;
use nix::errno::Errno;

use crate::disk::{NOW, adopt, fill, notices, persist, scan, working};
use crate::folder::{Scripted, Trouble};
use crate::read_on;

const ROWS: [(u64, u64); 4] = [(1, 700), (2, BLOCK + 9), (3, 4 * BLOCK), (4, 3)];

fn store(files: &Scripted) -> Store {
    Store::with_files(8 << 20, Some(Arc::new(files.clone()) as Arc<dyn Files>))
}

/// Writes four rows, drops one, writes it again; answers the rows said to be on disk.
/// Whatever the disk does, readers are served all the time.
fn life(files: &Scripted) -> Vec<u64> {
    let store = store(files);
    scan(&store).unwrap();
    let mut kept = Vec::new();
    for (step, (seed, length)) in ROWS.into_iter().chain([ROWS[1]]).enumerate() {
        fill(&store, seed, length);
        if step == 4 {
            store.unlink(RowId(seed), 0);
            kept.retain(|row| *row != seed);
        }
        let _off = store.persist(persist(seed, 0, length), NOW);
        working(&store, store.drained());
        kept.extend(notices(&store).into_iter().filter_map(|notice| match notice {
            Notice::Persisted { row, .. } => Some(row.0),
            _ => None,
        }));
        if kept.contains(&seed) {
            store.evict(RowId(seed), 0);
        }
        let mut reader = store.reader(RowId(seed), 0, None);
        assert_eq!(working(&store, read_on(&mut reader, seed, BATCH)), Ok(length));
    }
    kept
}

/// Opens the folder again and reads everything; answers the rows that are whole. `read_on`
/// fails on any wrong byte.
fn reopen(files: BTreeMap<String, Vec<u8>>) -> Vec<u64> {
    let folder = Scripted::default();
    folder.set_files(files);
    let store = store(&folder);
    let mut rows: Vec<_> = scan(&store).unwrap().iter().map(|found| adopt(&store, found)).collect();
    rows.sort_unstable();
    rows.dedup();
    rows.retain(|seed| {
        let mut reader = store.reader(RowId(*seed), 0, None);
        let length = ROWS.iter().find(|row| row.0 == *seed).unwrap().1;
        working(&store, read_on(&mut reader, *seed, BATCH)) == Ok(length)
    });
    working(&store, store.drained());
    assert!(folder.files().keys().all(|name| !name.ends_with(".part")));
    rows
}

fn sorted(mut rows: Vec<u64>) -> Vec<u64> {
    rows.sort_unstable();
    rows
}

fn operations() -> u64 {
    let files = Scripted::default();
    assert_eq!(life(&files), [1, 3, 4, 2]);
    files.operations()
}

#[test]
fn a_fault_at_any_operation_costs_at_most_what_it_hit() {
    for errno in [Errno::ENOSPC, Errno::EIO, Errno::EROFS] {
        for at in 0..operations() {
            for trouble in [Trouble::Once(errno), Trouble::From(errno), Trouble::Short] {
                let files = Scripted::with_trouble(at, trouble);
                let kept = sorted(life(&files));
                let again = reopen(files.files());
                // The dropped file of row 2 may still be there when it could not be removed.
                let lost: Vec<_> = kept.iter().filter(|row| !again.contains(row)).collect();
                assert!(lost.is_empty(), "{trouble:?} at {at}: lost {lost:?}");
                if trouble == Trouble::Short {
                    assert_eq!(kept, [1, 2, 3, 4], "a short write is no fault");
                }
            }
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_keeps_whole_files_and_lies_about_none() {
    for at in 0..operations() {
        let files = Scripted::with_trouble(at, Trouble::PowerCut);
        let kept = sorted(life(&files));
        let again = reopen(files.files());
        assert!(kept.iter().all(|row| again.contains(row)), "cut at {at}: {kept:?} {again:?}");
    }
}

#[test]
fn a_power_cut_that_keeps_names_and_loses_data_keeps_the_whole_files() {
    let mut rng = Rng::new(4);
    for at in (0..operations()).chain([u64::MAX]) {
        let life_before = Scripted::with_trouble(at, Trouble::PowerCut);
        life(&life_before);
        for _ in 0..12 {
            let mut files = life_before.files();
            let mut hurt = Vec::new();
            for (name, bytes) in &mut files {
                if rng.below(2) == 0 && damage(bytes, &mut rng) {
                    hurt.push(name.clone());
                }
            }
            let whole: Vec<_> = files.keys().filter(|name| !hurt.contains(name)).cloned().collect();
            let again = reopen(files);
            for (seed, length) in ROWS {
                let what = persist(seed, 0, length);
                let short: String =
                    what.key.0[..16].iter().map(|byte| format!("{byte:02x}")).collect();
                let mine = |name: &&String| name.contains(&short) && !name.ends_with(".part");
                let hurt = hurt.iter().any(|name| mine(&name));
                let kept = whole.iter().any(|name| mine(&name));
                // Of two files of one slice the first found is adopted, damaged or not.
                assert!(hurt || kept == again.contains(&seed), "row {seed}, cut at {at}");
                assert!(!hurt || kept || !again.contains(&seed), "row {seed}, cut at {at}");
            }
        }
    }
}

/// Loses data as file systems do: an empty file, a prefix, zeros. Whether bytes changed.
fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) -> bool {
    let (before, from) =
        (bytes.clone(), usize::try_from(rng.below(bytes.len() as u64)).unwrap_or(0));
    match rng.below(3) {
        0 => bytes.clear(),
        1 => bytes.truncate(from),
        _ => bytes[from..].fill(0),
    }
    *bytes != before
}
