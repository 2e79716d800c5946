//! The disk tier's one writing hand: a short queue, a back-off after a fault, a count of wear.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::Bytes;

use crate::base::digest::Digest;
use crate::base::id::RowId;
use crate::base::limits;
use crate::base::time::Instant;

use super::files::{Fault, Files, Medium};
use super::load::{Sheet, Stuck};
use super::memory::Charge;
use super::notice::{Notice, Refusal};
use super::row::Row;
use super::rows::{Inner, Store};
use super::save::{Unwritten, Written, write};
use super::sheet::{Head, SheetName};

/// A slice to be written.
#[derive(Clone, Debug)]
pub struct Persist {
    /// Whose slice.
    pub row: RowId,
    /// Which slice; it must be whole in RAM.
    pub slice: u32,
    /// The caller's name for the representation, the same for all slices of a row.
    pub key: Digest,
    /// The caller's words, given back by [`Store::scan`]; at most [`limits::cache::SHEET_HEADER`].
    pub header: Vec<u8>,
}

impl Store {
    /// Takes a whole slice for writing; a [`Notice`] says how it went. Needs somebody to run
    /// [`Store::work`]. The bytes stay in RAM until they are written, also when evicted.
    pub fn persist(&self, what: Persist, now: Instant) -> Result<(), Refusal> {
        self.0.disk.ready(now)?;
        if what.header.len() > limits::cache::SHEET_HEADER {
            return Err(Refusal::HeaderTooLong);
        }
        let row = self.0.row(what.row).ok_or(Refusal::Incomplete)?;
        let mut open = row.borrow_mut();
        if open.sheets.find(what.slice).is_some() || open.pending.contains_key(&what.slice) {
            return Err(Refusal::Already);
        }
        let range = open.slice(what.slice);
        if range.is_empty() || !open.present.covers(range) {
            return Err(Refusal::Incomplete);
        }
        let parts = open.read(range, &self.0.memory);
        let (charges, sums) = (open.charges(range), open.sums(range));
        let name = SheetName::new(what.key, what.slice, self.0.disk.next_serial());
        open.pending.insert(what.slice, name.serial);
        drop(open);
        self.0.disk.push(Job { row, what, name, parts, sums, _charges: charges, asked: now });
        Ok(())
    }

    /// Tells with the next news that so many bytes were to be written and will not be.
    pub fn spare(&self, ordered: u64) {
        self.0.notices.push(Notice::Wrote { ordered, bytes: 0 });
    }

    /// Drops a slice's file, and its way to the disk.
    pub fn unlink(&self, row: RowId, slice: u32) {
        self.with(row, |row| {
            row.pending.remove(&slice);
            if let Some(sheet) = row.sheets.remove(slice) {
                self.0.disk.remove(sheet.name);
            }
        });
    }

    /// Writes and removes files, one after the other, as long as it is polled; spawn it once.
    pub async fn work(&self) {
        let Some(files) = self.0.disk.files() else { return };
        loop {
            let task = poll_fn(|context| match self.0.disk.task(context.waker()) {
                Some(task) => Poll::Ready(task),
                None => Poll::Pending,
            });
            let (task, files) = (task.await, files.clone());
            let mut shift = Shift { inner: &self.0, job: None };
            match task {
                // A file that cannot be removed is found again by the next scan.
                Task::Remove(name) => {
                    let _gone = smol::unblock(move || files.remove(&name.to_string())).await;
                }
                Task::Write(job, again) => {
                    let sheet = job.sheet();
                    shift.job = Some(job);
                    let done = smol::unblock(move || write(&*files, &sheet, again)).await;
                    if let Some(job) = shift.job.take() {
                        self.0.wrote(&job, &done);
                    }
                }
            }
        }
    }

    /// Waits until something is to be written that is not taken because the folder was not read;
    /// after a fault not before its time.
    pub async fn wanted(&self) {
        let mut asked = false;
        poll_fn(|context| {
            let mut state = self.0.disk.state.borrow_mut();
            if asked && state.scanner.is_none() {
                return Poll::Ready(());
            }
            asked = true;
            state.scanner = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits until everything that was asked of the disk is done by [`Store::work`].
    pub async fn drained(&self) {
        self.0.disk.drained().await;
    }

    /// Bytes written to the disk since the start, also those of files that failed: the wear.
    pub fn written(&self) -> u64 {
        self.0.disk.state.borrow().written
    }

    /// What the folder lies on, once it was scanned.
    pub fn medium(&self) -> Option<Medium> {
        self.0.disk.state.borrow().medium
    }
}

/// The disk tier: its files, and what is asked of them.
pub(super) struct Disk {
    files: Option<Arc<dyn Files>>,
    state: RefCell<State>,
    pub(super) stuck: Stuck,
}

#[derive(Default)]
struct State {
    /// Everything in the folder was found: only then slices are taken for writing.
    known: bool,
    /// Who reads the folder when that is wanted.
    scanner: Option<Waker>,
    medium: Option<Medium>,
    fault: Option<(Fault, Instant)>,
    jobs: VecDeque<Job>,
    removals: VecDeque<SheetName>,
    busy: bool,
    worker: Option<Waker>,
    waiting: Vec<Waker>,
    written: u64,
    serial: u64,
}

/// A slice on its way to the disk; the charges hold its RAM in the count.
struct Job {
    row: Rc<RefCell<Row>>,
    what: Persist,
    name: SheetName,
    parts: Vec<Bytes>,
    sums: Vec<Option<Digest>>,
    _charges: Vec<Rc<Charge>>,
    asked: Instant,
}

enum Task {
    Remove(SheetName),
    /// Whether the folder must be made ours again before.
    Write(Job, bool),
}

/// One task of the hand. Dropped half way, it leaves neither the slice nor the disk waiting.
struct Shift<'a> {
    inner: &'a Rc<Inner>,
    job: Option<Job>,
}

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            // Nobody can tell how much of it was written.
            self.inner.settle(&job, (u64::from(job.payload()), Err(Refusal::Off)));
        }
        self.inner.disk.rest();
    }
}

impl Disk {
    pub(super) fn new(files: Option<Arc<dyn Files>>) -> Self {
        Self { files, state: RefCell::default(), stuck: Stuck::default() }
    }

    pub(super) fn files(&self) -> Option<Arc<dyn Files>> {
        self.files.clone()
    }

    /// Drops a file when the hand is free.
    pub(super) fn remove(&self, name: SheetName) {
        let mut state = self.state.borrow_mut();
        state.removals.push_back(name);
        state.wake();
    }

    pub(super) fn set_medium(&self, medium: Medium) {
        self.state.borrow_mut().medium = Some(medium);
    }

    /// Whether a scan has read it all.
    pub(super) fn is_known(&self) -> bool {
        self.state.borrow().known
    }

    /// A scan has read it all; serial numbers go on behind `serial`. Answers the notice where one
    /// before it had failed.
    pub(super) fn scanned(&self, serial: u64) -> Option<Notice> {
        let mut state = self.state.borrow_mut();
        state.known = true;
        state.serial = state.serial.max(serial);
        state.fault.take().map(|_| Notice::DiskBack)
    }

    /// Switches writes off; answers the notice when the fault is another than before.
    pub(super) fn fail(&self, kind: Fault, since: Instant) -> Option<Notice> {
        let old = self.state.borrow_mut().fault.replace((kind, since));
        let news = old.is_none_or(|(old, _)| old != kind);
        news.then_some(Notice::DiskFault { kind, since })
    }

    /// Whether a slice may be taken for writing. After a fault one is let through in each
    /// [`limits::cache::DISK_RETRY`], to see whether the disk is back.
    fn ready(&self, now: Instant) -> Result<(), Refusal> {
        let mut state = self.state.borrow_mut();
        if self.files.is_none() {
            return Err(Refusal::NoDisk);
        }
        if state.fault.is_some_and(|(_, since)| now - since < limits::cache::DISK_RETRY) {
            return Err(Refusal::Off);
        }
        if !state.known {
            state.scanner.take().into_iter().for_each(Waker::wake);
            return Err(Refusal::Starting);
        }
        let most = if state.fault.is_some() { 1 } else { limits::cache::PERSISTS };
        let taken = state.jobs.len() + usize::from(state.busy && state.fault.is_some());
        if taken >= most { Err(Refusal::Busy) } else { Ok(()) }
    }

    fn next_serial(&self) -> u64 {
        let mut state = self.state.borrow_mut();
        state.serial += 1;
        state.serial
    }

    fn push(&self, job: Job) {
        let mut state = self.state.borrow_mut();
        state.jobs.push_back(job);
        state.wake();
    }

    /// What to do next. Removals go first: they make space.
    fn task(&self, waker: &Waker) -> Option<Task> {
        let mut state = self.state.borrow_mut();
        let again = state.fault.is_some();
        let next = match state.removals.pop_front() {
            Some(name) => Some(Task::Remove(name)),
            None => state.jobs.pop_front().map(|job| Task::Write(job, again)),
        };
        state.busy = next.is_some();
        if next.is_none() {
            state.worker = Some(waker.clone());
        }
        next
    }

    fn rest(&self) {
        let mut state = self.state.borrow_mut();
        state.busy = false;
        if state.jobs.is_empty() && state.removals.is_empty() {
            state.waiting.drain(..).for_each(Waker::wake);
        }
    }

    pub(super) async fn drained(&self) {
        poll_fn(|context| match self.idle(context.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    fn idle(&self, waker: &Waker) -> bool {
        let mut state = self.state.borrow_mut();
        let idle = !state.busy && state.jobs.is_empty() && state.removals.is_empty();
        if !idle {
            state.waiting.push(waker.clone());
        }
        idle
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.worker.take() {
            waker.wake();
        }
    }
}

impl Inner {
    /// Books the end of a write.
    fn wrote(&self, job: &Job, done: &Written) {
        self.disk.state.borrow_mut().written += done.bytes;
        let result = match done.result {
            Ok(head) => {
                if self.disk.state.borrow_mut().fault.take().is_some() {
                    self.notices.push(Notice::DiskBack);
                }
                Ok(head)
            }
            Err(kind) => {
                self.disk.fail(kind, job.asked).into_iter().for_each(|n| self.notices.push(n));
                Err(Refusal::Off)
            }
        };
        self.settle(job, (done.bytes, result));
        if result.is_err() {
            let rest = std::mem::take(&mut self.disk.state.borrow_mut().jobs);
            rest.iter().for_each(|job| self.settle(job, (0, Err(Refusal::Off))));
        }
    }

    /// Tells the row and the caller how a job ended; what nobody wants any more is removed.
    fn settle(&self, job: &Job, (bytes, result): (u64, Result<u32, Refusal>)) {
        let ordered = u64::from(job.payload());
        self.notices.push(Notice::Wrote { ordered, bytes });
        let (id, slice) = (job.what.row, job.what.slice);
        let mut row = job.row.borrow_mut();
        let wanted = row.pending.get(&slice) == Some(&job.name.serial);
        if wanted {
            row.pending.remove(&slice);
        }
        match result {
            Ok(head) if wanted => {
                let payload = job.payload();
                row.sheets.add(Sheet {
                    name: job.name,
                    head,
                    payload,
                    digests: None,
                    spared: false,
                });
                let bytes = u64::from(head) + u64::from(payload);
                self.notices.push(Notice::Persisted { row: id, slice, bytes });
            }
            Ok(_) => self.disk.remove(job.name),
            Err(reason) if wanted => {
                self.notices.push(Notice::Refused { row: id, slice, reason });
            }
            Err(_) => {}
        }
    }
}

impl Job {
    fn payload(&self) -> u32 {
        let bytes: usize = self.parts.iter().map(Bytes::len).sum();
        u32::try_from(bytes).expect("a slice has at most 1 MiB")
    }

    /// What goes to the blocking pool: views of the bytes, never the row.
    fn sheet(&self) -> Unwritten {
        let head = Head {
            slice: self.what.slice,
            key: self.what.key,
            header: self.what.header.clone(),
            payload: self.payload(),
            digests: Vec::new(),
        };
        Unwritten { name: self.name, head, parts: self.parts.clone(), sums: self.sums.clone() }
    }
}
