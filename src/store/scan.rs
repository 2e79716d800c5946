//! The start of the disk tier: what lies in the folder, read by its heads, a sub-folder a turn.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::digest::Digest;
use crate::base::id::RowId;
use crate::base::time::Instant;

use super::files::{Fault, Files, LOCK};
use super::load::{Sheet, read_head};
use super::notice::{Loss, Notice};
use super::rows::{Inner, Store};
use super::sheet::{SheetName, TEMPORARY};

/// A slice that was found on disk. Its head was checked; its blocks are checked when read.
#[derive(Clone, Debug)]
pub struct Found {
    /// The caller's name for the representation.
    pub key: Digest,
    /// The caller's words, as given to [`Store::persist`].
    pub header: Vec<u8>,
    /// Which slice.
    pub slice: u32,
    /// Bytes of the slice.
    pub payload_len: u32,
    /// Bytes of the file.
    pub bytes: u64,
    name: SheetName,
    head: u32,
}

impl Found {
    /// Its age among the files of the folder: a later one was written later.
    pub const fn serial(&self) -> u64 {
        self.name.serial
    }
}

/// A reading of the folder under way. Slices are taken for writing when it has read it all.
#[derive(Debug)]
pub struct Scan {
    inner: Rc<Inner>,
    now: Instant,
    folders: Option<VecDeque<String>>,
    first: Option<String>,
    foreign: u32,
    serial: u64,
    removed: u32,
}

impl Store {
    /// Makes the folder ours and reads what is in it: once, at the start. One that failed is
    /// repeated when [`Store::wanted`] says so; one after another that did not finds nothing.
    pub fn scan(&self, now: Instant) -> Scan {
        let folders = self.0.disk.is_known().then(VecDeque::new);
        let inner = self.0.clone();
        Scan { inner, now, folders, first: None, foreign: 0, serial: 0, removed: 0 }
    }

    /// Gives a found slice to an open row. Not when the row has that slice on disk already or
    /// is not open: then the file is removed and the answer is `false`.
    pub fn adopt(&self, row: RowId, found: &Found) -> bool {
        let (name, slice, head, payload) = (found.name, found.slice, found.head, found.payload_len);
        let taken = self.with(row, |row| {
            let free = !row.pending.contains_key(&slice);
            let sheet = Sheet { name, head, payload, digests: None, spared: false };
            let same = row.sheets.find(slice).is_some_and(|sheet| sheet.name == name);
            same || (free && row.sheets.add(sheet))
        });
        if taken != Some(true) {
            self.discard(found);
        }
        taken == Some(true)
    }

    /// Removes a found slice that nobody wants.
    pub fn discard(&self, found: &Found) {
        self.0.disk.remove(found.name);
    }
}

impl Scan {
    /// Slices that were removed, since they are damaged or have another version's format.
    pub const fn removed(&self) -> u32 {
        self.removed
    }

    /// The slices of the next sub-folder, none at the end. A fault ends the scan: the store
    /// goes on without a disk.
    pub async fn next(&mut self) -> Result<Option<Vec<Found>>, Fault> {
        let Some(files) = self.inner.disk.files() else { return Ok(None) };
        loop {
            let Some(folders) = &mut self.folders else {
                self.begin(&files).await?;
                continue;
            };
            let Some(folder) = folders.pop_front() else { break };
            let files = files.clone();
            let batch = smol::unblock(move || read_folder(&*files, folder)).await;
            batch.foreign.into_iter().for_each(|name| self.name_foreign(name));
            self.serial = self.serial.max(batch.serial);
            self.removed = self.removed.saturating_add(batch.removed);
            if !batch.found.is_empty() {
                return Ok(Some(batch.found));
            }
        }
        let back = self.inner.disk.scanned(self.serial);
        back.into_iter().for_each(|notice| self.inner.notices.push(notice));
        if let Some(first) = self.first.take() {
            self.inner.notices.push(Notice::Foreign { first, count: self.foreign });
        }
        Ok(None)
    }

    async fn begin(&mut self, files: &Arc<dyn Files>) -> Result<(), Fault> {
        self.folders = Some(VecDeque::new());
        self.inner.disk.drained().await;
        let files = files.clone();
        let opened = smol::unblock(move || {
            let medium = files.prepare()?;
            let names = files.list("").map_err(|error| Fault::of(&error))?;
            Ok((medium, names))
        });
        match opened.await {
            Ok((medium, names)) => {
                self.inner.disk.set_medium(medium);
                let (ours, foreign): (Vec<_>, _) =
                    names.into_iter().partition(|name| is_sub_folder(name));
                self.folders = Some(ours.into());
                let known = |name: &String| name == LOCK || name == "lost+found";
                foreign.into_iter().filter(|name| !known(name)).for_each(|n| self.name_foreign(n));
                Ok(())
            }
            Err(fault) => {
                let notice = self.inner.disk.fail(fault, self.now);
                notice.into_iter().for_each(|notice| self.inner.notices.push(notice));
                Err(fault)
            }
        }
    }

    fn name_foreign(&mut self, name: String) {
        self.first.get_or_insert(name);
        self.foreign = self.foreign.saturating_add(1);
    }
}

#[derive(Default)]
struct Batch {
    found: Vec<Found>,
    foreign: Vec<String>,
    serial: u64,
    removed: u32,
}

/// Reads the heads of a sub-folder's files and removes what is not whole (on the blocking pool).
fn read_folder(files: &dyn Files, folder: String) -> Batch {
    let mut batch = Batch::default();
    let Ok(mut names) = files.list(&folder) else {
        batch.foreign.push(folder);
        return batch;
    };
    names.sort_unstable();
    for name in names {
        let path = format!("{folder}/{name}");
        let (stem, temporary) =
            name.strip_suffix(TEMPORARY).map_or((&name[..], false), |stem| (stem, true));
        let Some(sheet) = SheetName::parse(stem).filter(|_| name.starts_with(&folder)) else {
            batch.foreign.push(path);
            continue;
        };
        batch.serial = batch.serial.max(sheet.serial);
        match if temporary { Err(Loss::Damaged) } else { find(files, sheet) } {
            Ok(found) => batch.found.push(found),
            // A file that cannot be removed is found damaged again; it is never served.
            Err(Loss::Damaged) => {
                batch.removed += u32::from(!temporary);
                drop(files.remove(&path));
            }
            Err(Loss::Unreadable(_)) => {}
        }
    }
    batch
}

fn find(files: &dyn Files, name: SheetName) -> Result<Found, Loss> {
    let path = name.to_string();
    let head = read_head(files, &path)?;
    let bytes = files.size(&path).map_err(|error| Loss::Unreadable(Fault::of(&error)))?;
    let front = bytes.checked_sub(u64::from(head.payload)).ok_or(Loss::Damaged)?;
    if !name.fits(&head) || front != head.to_bytes().len() as u64 {
        return Err(Loss::Damaged);
    }
    let front = u32::try_from(front).map_err(|_| Loss::Damaged)?;
    let (key, slice, payload_len) = (head.key, head.slice, head.payload);
    Ok(Found { key, header: head.header, slice, payload_len, bytes, name, head: front })
}

/// Our sub-folders are named by two lower-case hexadecimal digits.
pub(super) fn is_sub_folder(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
