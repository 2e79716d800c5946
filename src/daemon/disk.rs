//! The disk tier's life: read at the start, worked in the background, its news handed in.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use smol::future;

use super::run::Run;
use crate::base::id::RowId;
use crate::base::map::Map;
use crate::base::time::Plain;
use crate::host::clock;
use crate::node::disk::Disk;
use crate::node::event::Input;
use crate::store::files::{Fault, Medium};
use crate::store::notice::Notice;
use crate::store::rows::Store;
use crate::store::scan::Found;

/// Files that were found and still have no row.
#[derive(Default)]
pub struct Shelf {
    found: RefCell<Map<u64, Found>>,
    last: Cell<u64>,
    /// Slices that had no row and were removed.
    removed: Cell<u32>,
}

impl Shelf {
    fn put(&self, found: Found) -> u64 {
        self.last.set(self.last.get() + 1);
        self.found.borrow_mut().insert(self.last.get(), found);
        self.last.get()
    }

    /// Gives a found slice to its row, or removes it.
    pub fn adopt(&self, store: &Store, token: u64, row: Option<RowId>) {
        let Some(found) = self.found.borrow_mut().remove(&token) else { return };
        match row {
            Some(row) => drop(store.adopt(row, &found)),
            None => {
                self.removed.set(self.removed.get().saturating_add(1));
                store.discard(&found);
            }
        }
    }
}

/// The disk tier's life: what an earlier run left is read, `at_once` or before the first write;
/// where that fails, before the next one.
pub async fn tend(run: Rc<Run>, store: Store, shelf: Rc<Shelf>, at_once: bool) {
    let reading = async {
        if !at_once {
            store.wanted().await;
        }
        while read(&run, &store, &shelf).await.is_err() {
            store.wanted().await;
        }
    };
    future::zip(store.work(), reading).await;
}

async fn read(run: &Run, store: &Store, shelf: &Shelf) -> Result<(), Fault> {
    let began = clock::now();
    if let Some(date) = clock::date() {
        run.submit(Input::Dated(date));
    }
    let (mut scan, mut slices) = (store.scan(began), 0_u32);
    while let Some(mut batch) = scan.next().await? {
        // Of two files of one slice the later one holds: a kill may leave both.
        batch.sort_unstable_by_key(|found| core::cmp::Reverse(found.serial()));
        for found in batch {
            slices += 1;
            let (slice, bytes) = (found.slice, found.bytes);
            let header = Bytes::from(found.header.clone());
            let token = shelf.put(found);
            run.submit(Input::Disk(Disk::Found { token, slice, bytes, header }));
        }
    }
    if store.medium() == Some(Medium::Ram) {
        log::warn!(
            "the disk cache lies in memory (tmpfs): it counts as memory and is lost at every start"
        );
        run.submit(Input::Disk(Disk::InMemory));
    }
    let removed = match scan.removed().saturating_add(shelf.removed.take()) {
        0 => String::new(),
        // Of another version, or of an origin that is gone: that is told, as a cache begins anew.
        count => format!(", {count} removed that are of no use,"),
    };
    log::info!("disk cache: {slices} slices found{removed} in {}", Plain(clock::now() - began));
    Ok(())
}

/// Hands the store's news in, for ever; `place` is the folder, as its owner knows it.
pub async fn listen(run: Rc<Run>, store: Store, place: String) {
    loop {
        store.noticed().await;
        while let Some(notice) = store.poll_notice() {
            if let Some(disk) = meaning(&store, &place, notice) {
                run.submit(Input::Disk(disk));
            }
        }
    }
}

fn meaning(store: &Store, place: &str, notice: Notice) -> Option<Disk> {
    match notice {
        Notice::Loaded { row, slice, .. } | Notice::Shed { row, slice, .. } => {
            Some(Disk::Loaded { row, slice, present: store.taken(row) })
        }
        Notice::Persisted { row, slice, bytes } => Some(Disk::Persisted { row, slice, bytes }),
        Notice::Wrote { ordered, bytes } => Some(Disk::Wrote { ordered, bytes }),
        Notice::Refused { reason, .. } => {
            log::debug!("a slice was not written: {reason}");
            None
        }
        Notice::Lost { row, slice, cause } => {
            log::warn!("{cause} ({place})");
            Some(Disk::Lost { row, slice })
        }
        Notice::Foreign { first, count } => {
            log::warn!("{count} files in {place} are not neap's and stay, such as {first}");
            None
        }
        Notice::DiskFault { kind, .. } => {
            let fault = format!("{kind} ({place})");
            log::warn!("the disk cache takes no writes for now: {fault}");
            Some(Disk::Fault(Some(fault)))
        }
        Notice::DiskBack => {
            log::info!("the disk cache takes writes again");
            Some(Disk::Fault(None))
        }
    }
}
