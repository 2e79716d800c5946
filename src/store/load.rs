//! Slices that come back from the disk: a few blocks at a time, each checked, into the row.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use smol::{Timer, future};

use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::range::ByteRange;

use super::files::{Fault, Files};
use super::memory::Charge;
use super::notice::{Loss, Notice};
use super::row::{Row, narrow, slice_of};
use super::rows::Inner;
use super::sheet::{FIXED, Head, SheetName, blocks};

/// What a row knows of one slice file: little, because there are many.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) name: SheetName,
    /// Bytes of the head: where the payload begins.
    pub(super) head: u32,
    pub(super) payload: u32,
    /// The block digests, once a reader needed them; let go with the last reader.
    pub(super) digests: Option<Arc<[Digest]>>,
    /// Whether it could not be read for want of something that is no fault of the file's: those
    /// who read now find a gap there, and those who come later the file.
    pub(super) spared: bool,
}

/// A row's slice files by number, packed: most rows have a few, and there are many rows.
#[derive(Debug, Default)]
pub(super) struct Sheets(Vec<Sheet>);

impl Sheets {
    fn place(&self, slice: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&slice, |sheet| sheet.name.slice)
    }

    pub(super) fn find(&self, slice: u32) -> Option<&Sheet> {
        self.place(slice).ok().map(|place| &self.0[place])
    }

    fn find_mut(&mut self, slice: u32) -> Option<&mut Sheet> {
        self.place(slice).ok().map(|place| &mut self.0[place])
    }

    /// Adds a slice that is not there yet; `false` when it is.
    pub(super) fn add(&mut self, sheet: Sheet) -> bool {
        let place = self.place(sheet.name.slice);
        if let Err(place) = place {
            self.0.reserve_exact(1);
            self.0.insert(place, sheet);
        }
        place.is_err()
    }

    pub(super) fn remove(&mut self, slice: u32) -> Option<Sheet> {
        self.place(slice).ok().map(|place| self.0.remove(place))
    }

    pub(super) fn slices(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|sheet| sheet.name.slice)
    }

    /// Lets go of what only readers need.
    pub(super) fn forget_readers(&mut self) {
        self.0.iter_mut().for_each(|sheet| (sheet.digests, sheet.spared) = (None, false));
    }
}

/// Reads that nobody waits for any more, by what the thread of each holds, and whether it was
/// waited for as long as it may take.
#[derive(Debug, Default)]
pub(super) struct Stuck(RefCell<Vec<(Weak<()>, bool)>>);

impl Stuck {
    fn add(&self, held: Weak<()>, is_late: bool) {
        self.0.borrow_mut().push((held, is_late));
    }

    /// Whether such a read still runs, or more than chance that were left before they were late:
    /// nothing else is asked of the disk meanwhile, or each reader would wait as long, and hold
    /// another thread.
    fn is_any(&self) -> bool {
        let mut stuck = self.0.borrow_mut();
        stuck.retain(|(held, _)| held.strong_count() > 0);
        stuck.len() > LEFT || stuck.iter().any(|(_, is_late)| *is_late)
    }
}

/// Blocks of one slice that a reader is about to load, with the RAM for them.
#[derive(Debug)]
pub(super) struct Plan {
    sheet: Sheet,
    blocks: Range<u64>,
    charges: Vec<Rc<Charge>>,
}

impl Row {
    /// Whether the disk has byte `at`.
    pub(super) fn on_disk(&self, at: u64) -> bool {
        let sheet = self.sheets.find(slice_of(at)).filter(|sheet| !sheet.spared);
        sheet.is_some_and(|sheet| at % limits::block::SLICE < u64::from(sheet.payload))
    }

    /// What to load for byte `at`, which is not in RAM; none when the disk does not have it.
    /// `Some(None)` when somebody loads it already.
    pub(super) fn plan(&mut self, at: u64, stop: u64, inner: &Inner) -> Option<Option<Plan>> {
        if !self.on_disk(at) {
            return None;
        }
        if inner.disk.stuck.is_any() {
            self.sheets.find_mut(slice_of(at))?.spared = true;
            return None;
        }
        let sheet = self.sheets.find(slice_of(at))?.clone();
        let end = at / limits::block::SLICE * limits::block::SLICE + u64::from(sheet.payload);
        let first = at / limits::block::BLOCK;
        if self.loading.contains(&first) {
            return Some(None);
        }
        let last =
            end.min(stop).div_ceil(limits::block::BLOCK).min(first + limits::cache::READ_AHEAD);
        let size = |block: u64| (end - block * limits::block::BLOCK).min(limits::block::BLOCK);
        let wanted = |block: &u64| {
            let start = block * limits::block::BLOCK;
            let here = self.present.covers(ByteRange::new(start, start + size(*block)));
            !here && !self.loading.contains(block)
        };
        let (mut blocks, mut bytes) = (first..first + 1, size(first));
        for block in (first + 1..last).take_while(wanted) {
            bytes += size(block);
            if !inner.memory.fits(bytes) {
                break;
            }
            blocks.end = block + 1;
        }
        inner.shed(self, size(first));
        let charges = blocks.clone().map(|block| inner.memory.charge(size(block))).collect();
        self.loading.extend(blocks.clone());
        Some(Some(Plan { sheet, blocks, charges }))
    }
}

/// Carries a plan out. Dropped half way, it leaves the blocks to the next reader.
pub(super) async fn load(inner: &Rc<Inner>, row: &Rc<RefCell<Row>>, plan: Plan) {
    let hold = Arc::new(());
    let held = Arc::downgrade(&hold);
    let stuck = &inner.disk.stuck;
    let _ticket = Ticket { row, blocks: plan.blocks.clone(), stuck, held: held.clone() };
    let files = inner.disk.files().expect("a row has slices on disk only when there is a disk");
    let (sheet, blocks) = (plan.sheet.clone(), plan.blocks.clone());
    let reading = async {
        let read = move || (read(&*files, &sheet, blocks), hold);
        smol::unblock(read).await.0
    };
    let late = async {
        Timer::after(limits::cache::DISK_PATIENCE).await;
        stuck.add(held, true);
        Err(Loss::Unreadable(Fault::Slow))
    };
    let result = future::or(reading, late).await;
    let mut row = row.borrow_mut();
    let slice = plan.sheet.name.slice;
    // It may have been dropped, or replaced, while we read.
    let Some(sheet) = row.sheets.find_mut(slice).filter(|s| s.name == plan.sheet.name) else {
        return;
    };
    match result {
        Ok((digests, loaded)) => {
            sheet.digests = Some(digests);
            row.accept(plan, loaded, inner);
        }
        // Out of descriptors or memory: the file is as good as it was.
        Err(Loss::Unreadable(fault))
            if !matches!(fault, Fault::Gone | Fault::Broken | Fault::Slow) =>
        {
            sheet.spared = true;
        }
        Err(cause) => {
            row.sheets.remove(slice);
            inner.disk.remove(plan.sheet.name);
            inner.notices.push(Notice::Lost { row: row.id, slice, cause });
        }
    }
}

impl Row {
    fn accept(&mut self, plan: Plan, loaded: Vec<Vec<u8>>, inner: &Inner) {
        let (row, slice, first) = (self.id, plan.sheet.name.slice, plan.blocks.start);
        let blocks = plan.blocks.zip(loaded).zip(plan.charges);
        for ((block, data), charge) in blocks {
            // A buffer that nobody shares becomes open bytes without a copy.
            let data = BytesMut::from(Bytes::from(data));
            if self.insert(block * limits::block::BLOCK, data, &charge) > 0 {
                inner.notices.push(Notice::Loaded { row, slice, bytes: charge.bytes });
            }
        }
        self.unite(first * limits::block::BLOCK, &inner.memory);
        self.wake_writers();
    }
}

/// The marks of a load under way; taken off when it ends, however it ends.
struct Ticket<'a> {
    row: &'a Rc<RefCell<Row>>,
    blocks: Range<u64>,
    stuck: &'a Stuck,
    held: Weak<()>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.held.strong_count() > 0 {
            self.stuck.add(self.held.clone(), false);
        }
        let mut row = self.row.borrow_mut();
        self.blocks.clone().for_each(|block| {
            row.loading.remove(&block);
        });
        let (start, end) =
            (self.blocks.start * limits::block::BLOCK, self.blocks.end * limits::block::BLOCK);
        row.seats.wake_readers(ByteRange::new(start, end));
    }
}

type Loaded = (Arc<[Digest]>, Vec<Vec<u8>>);

/// Reads that readers left and that go on all the same, on a disk that is well: a seek or two.
const LEFT: usize = 4;

/// Reads and checks blocks of a slice file (on the blocking pool).
fn read(files: &dyn Files, sheet: &Sheet, blocks: Range<u64>) -> Result<Loaded, Loss> {
    let name = sheet.name.to_string();
    let digests = match &sheet.digests {
        Some(digests) => digests.clone(),
        None => read_digests(files, sheet, &name)?,
    };
    let start = u64::from(sheet.name.slice) * limits::block::SLICE;
    let end = start + u64::from(sheet.payload);
    let size = |block: u64| narrow((end - block * limits::block::BLOCK).min(limits::block::BLOCK));
    let mut parts: Vec<_> = blocks.clone().map(|block| vec![0; size(block)]).collect();
    let at = u64::from(sheet.head) + blocks.start * limits::block::BLOCK - start;
    files.read(&name, at, &mut parts).map_err(|error| loss(&error))?;
    let from = narrow(blocks.start - start / limits::block::BLOCK);
    let whole = parts.iter().zip(&digests[from..]).all(|(part, said)| Digest::of(part) == *said);
    if whole { Ok((digests, parts)) } else { Err(Loss::Damaged) }
}

fn read_digests(files: &dyn Files, sheet: &Sheet, name: &str) -> Result<Arc<[Digest]>, Loss> {
    let head = read_head(files, name)?;
    let fits = sheet.name.fits(&head) && head.payload == sheet.payload;
    let length = FIXED + head.header.len() + 32 * blocks(head.payload) + 32;
    if fits && length as u64 == u64::from(sheet.head) {
        Ok(head.digests.into())
    } else {
        Err(Loss::Damaged)
    }
}

/// Reads the head of a slice file and checks it (on the blocking pool).
pub(super) fn read_head(files: &dyn Files, name: &str) -> Result<Head, Loss> {
    let mut fixed = [vec![0; FIXED]];
    files.read(name, 0, &mut fixed).map_err(|error| loss(&error))?;
    let fixed = fixed[0].first_chunk().ok_or(Loss::Damaged)?;
    let length = Head::length(fixed).map_err(|_| Loss::Damaged)?;
    let mut whole = [vec![0; length]];
    files.read(name, 0, &mut whole).map_err(|error| loss(&error))?;
    Head::parse(&whole[0]).map_err(|_| Loss::Damaged)
}

/// A file that ends early was never written whole; any other failure is the disk's.
fn loss(error: &std::io::Error) -> Loss {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return Loss::Damaged;
    }
    Loss::Unreadable(Fault::of(error))
}
