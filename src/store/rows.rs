//! The store's face to the node: rows opened, written, read, evicted and closed.

use core::fmt;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;

use crate::base::digest::Digest;
use crate::base::id::RowId;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::range::{ByteRange, RangeSet};

use super::disk::Disk;
use super::files::{Files, Folder};
use super::memory::Memory;
use super::notice::{Notice, Notices};
use super::reader::Reader;
use super::row::{Keep, Row};
use super::writer::Writer;

/// Rows of bytes in RAM and on disk. Handles are cheap clones of one store on one thread.
///
/// It decides nothing: what is kept, dropped, written or read is said by the caller. It only
/// holds its bounds and tells what grew.
#[derive(Clone)]
pub struct Store(pub(super) Rc<Inner>);

/// What a store is made with.
#[derive(Debug)]
pub struct Options {
    /// Bytes of RAM for rows: the hard stop. The caller evicts below it; see docs/store.md for
    /// what may lie above it and when.
    pub memory: u64,
    /// The folder of the disk tier, or none. It is not touched before [`Store::scan`].
    pub path: Option<PathBuf>,
}

pub(super) struct Inner {
    pub(super) memory: Rc<Memory>,
    pub(super) notices: Notices,
    pub(super) disk: Disk,
    rows: RefCell<Map<RowId, Rc<RefCell<Row>>>>,
    ids: Cell<u64>,
}

impl Store {
    /// A store without a row.
    pub fn new(options: Options) -> Self {
        let folder = options.path.map(|path| Arc::new(Folder::new(path)) as Arc<dyn Files>);
        Self::with_files(options.memory, folder)
    }

    /// A store whose disk tier lies on `files`.
    pub fn with_files(memory: u64, files: Option<Arc<dyn Files>>) -> Self {
        Self(Rc::new(Inner {
            memory: Memory::new(memory),
            notices: Notices::default(),
            disk: Disk::new(files),
            rows: RefCell::default(),
            ids: Cell::new(0),
        }))
    }

    /// Opens an empty row; does nothing when it is open.
    pub fn open(&self, row: RowId, keep: Keep) {
        let mut rows = self.0.rows.borrow_mut();
        rows.entry(row).or_insert_with(|| {
            Rc::new(RefCell::new(Row::new(row, keep, Rc::clone(&self.0.memory))))
        });
    }

    /// Changes whether a row's bytes may be kept.
    pub fn set_keep(&self, row: RowId, keep: Keep) {
        self.with(row, |row| {
            row.keep = keep;
            row.let_pass();
            row.wake_writers();
        });
    }

    /// Lets a row go: its RAM is free, its readers miss everything, its writers are closed.
    /// Bytes that were handed out live on. Files on disk stay; [`Store::unlink`] them before.
    pub fn close(&self, row: RowId) {
        let row = self.0.rows.borrow_mut().remove(&row);
        if let Some(row) = row {
            row.borrow_mut().close();
        }
    }

    /// The representation is `length` bytes long; readers there and behind find the end.
    pub fn end(&self, row: RowId, length: u64) {
        self.with(row, |row| {
            row.length = Some(length);
            row.seats.wake_readers(ByteRange::new(length, u64::MAX));
            row.wake_writers();
        });
    }

    /// Takes a slice's bytes out of RAM; answers how much RAM is free by that. It is less
    /// than the slice's bytes while a writer fills it or the disk writes it.
    pub fn evict(&self, row: RowId, slice: u32) -> u64 {
        let before = self.memory();
        self.with(row, |row| {
            row.evict(slice);
            row.wake_writers();
        });
        before - self.memory()
    }

    /// Notes the digest of a block, where it is whole in RAM: it is not taken anew when the block
    /// goes to the disk.
    pub fn note_sum(&self, row: RowId, range: ByteRange, digest: Digest) {
        self.with(row, |row| row.note_sum(range, digest));
    }

    /// Puts bytes that came whole and verified, by this digest, into a row, at most to the block
    /// border, and publishes them to its readers. Those that are here already stay as they are;
    /// answers how many were new. The caller has made room for them.
    pub fn place(&self, row: RowId, at: u64, (data, digest): (BytesMut, Digest)) -> u64 {
        let memory = Rc::clone(&self.0.memory);
        let placed = self.with(row, |row| {
            let range = ByteRange::new(at, at + data.len() as u64);
            let inside = row.block(at).covers(range);
            if row.closed || range.is_empty() || !inside {
                return 0;
            }
            let charge = memory.charge(data.capacity() as u64);
            let added = row.insert(at, data, &charge);
            if added == range.len() {
                row.note_sum(range, digest);
            }
            row.unite(at, &memory);
            row.seats.wake_readers(range);
            row.let_pass();
            // What lies without a gap has grown: a writer may serve nobody now.
            row.wake_writers();
            added
        });
        placed.unwrap_or(0)
    }

    /// Bytes of RAM held, by allocation: rows' bytes, writers' buffers, blocks on their way to
    /// and from the disk.
    pub fn memory(&self) -> u64 {
        self.0.memory.held()
    }

    /// Changes the hard stop; nothing is dropped by it.
    pub fn set_memory_limit(&self, bytes: u64) {
        self.0.memory.set_limit(bytes);
    }

    /// Which bytes of a row are in RAM; none when it is not open.
    pub fn taken(&self, row: RowId) -> RangeSet {
        self.with(row, |row| row.present.clone()).unwrap_or_default()
    }

    /// Which slices of a row are on disk.
    pub fn on_disk(&self, row: RowId) -> Vec<u32> {
        self.with(row, |row| row.sheets.slices().collect()).unwrap_or_default()
    }

    /// A writer from byte `at` to `until` or the row's end; closed when the row is not open.
    pub fn writer(&self, row: RowId, at: u64, until: Option<u64>) -> Writer {
        Writer::new(&self.0, self.row(row), at, until)
    }

    /// A reader from byte `from` to `until` or the row's end.
    pub fn reader(&self, row: RowId, from: u64, until: Option<u64>) -> Reader {
        Reader::new(&self.0, self.row(row), from, until)
    }

    /// The next notice.
    pub fn poll_notice(&self) -> Option<Notice> {
        self.0.notices.poll()
    }

    /// Waits until [`Store::poll_notice`] has something; for one waiter at a time.
    pub async fn noticed(&self) {
        poll_fn(|context| match self.0.notices.ready(context.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    pub(super) fn with<T>(&self, row: RowId, act: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let row = self.0.row(row)?;
        let mut row = row.borrow_mut();
        Some(act(&mut row))
    }

    fn row(&self, id: RowId) -> Rc<RefCell<Row>> {
        self.0.row(id).unwrap_or_else(|| {
            let mut row = Row::new(id, Keep::Passing, Rc::clone(&self.0.memory));
            row.close();
            Rc::new(RefCell::new(row))
        })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, memory) = (self.rows.borrow().len(), self.memory.held());
        f.debug_struct("Store").field("rows", &rows).field("memory", &memory).finish()
    }
}

impl Inner {
    pub(super) fn row(&self, id: RowId) -> Option<Rc<RefCell<Row>>> {
        self.rows.borrow().get(&id).cloned()
    }

    pub(super) fn next_id(&self) -> u64 {
        self.ids.replace(self.ids.get() + 1)
    }

    /// Makes room for `bytes` that a reader of the row is owed although memory is full: first
    /// goes what all its readers have passed, then all but what each of them is owed.
    pub(super) fn shed(&self, row: &mut Row, bytes: u64) {
        if self.memory.fits(bytes) {
            return;
        }
        let wanted = row.seats.windows(&row.present, limits::cache::AHEAD + limits::block::BLOCK);
        self.drop_all_but(row, &wanted);
        if !self.memory.fits(bytes) {
            let mut owed = RangeSet::new();
            row.seats.readers.iter().for_each(|reader| owed.insert(reader.reserved()));
            self.drop_all_but(row, &owed);
        }
    }

    fn drop_all_but(&self, row: &mut Row, wanted: &RangeSet) {
        for (slice, bytes) in row.retain(wanted) {
            self.notices.push(Notice::Shed { row: row.id, slice, bytes });
        }
    }
}
