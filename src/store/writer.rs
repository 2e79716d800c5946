//! The hand that fills a row: spare room to receive into, published to readers at once.

use core::fmt;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::base::limits;
use crate::base::range::ByteRange;

use super::flow::{Turn, WriterSeat};
use super::memory::Charge;
use super::row::{Keep, Row, narrow};
use super::rows::Inner;

/// Fills a row from one position on. Dropped, it leaves what it brought; readers that waited
/// for more of it wake up and learn what is missing.
#[derive(Debug)]
pub struct Writer {
    inner: Rc<Inner>,
    row: Rc<RefCell<Row>>,
    seat: usize,
    id: u64,
    position: u64,
    until: Option<u64>,
    waited: bool,
    /// What is left of the room for the current block.
    spare: BytesMut,
    /// Room for the blocks behind it, of the same allocation.
    rest: BytesMut,
    charge: Option<Rc<Charge>>,
}

/// The row was closed, or it may not be kept and all its readers left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody wants these bytes any more")
    }
}

impl std::error::Error for Closed {}

/// How far a writer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The writer's position now.
    pub upto: u64,
    /// Bytes that were not in RAM before.
    pub added: u64,
    /// Whether the block in which the bytes lie is whole now.
    pub block_completed: bool,
}

impl Writer {
    pub(super) fn new(
        inner: &Rc<Inner>,
        row: Rc<RefCell<Row>>,
        at: u64,
        until: Option<u64>,
    ) -> Self {
        let border = until.unwrap_or(u64::MAX);
        let seat = WriterSeat { start: at, position: at, until: border, waker: None };
        let seat = row.borrow_mut().seats.writers.add(seat);
        row.borrow_mut().wake_writers();
        let (inner, id) = (inner.clone(), inner.next_id());
        let (spare, rest) = (BytesMut::new(), BytesMut::new());
        Self { inner, row, seat, id, position: at, until, waited: false, spare, rest, charge: None }
    }

    /// Where the next byte goes.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether it had to wait for the row's readers, or for memory.
    pub const fn has_waited(&self) -> bool {
        self.waited
    }

    /// Room for the next bytes, up to the block border at most; empty when `until` or the
    /// row's end is reached.
    ///
    /// Waits for its turn: a cached row runs [`limits::cache::AHEAD`] beyond the furthest reader
    /// that this writer serves (to its end without one), a passing row [`limits::http::PASS`]
    /// beyond the slowest. Waits for memory below the store's limit, but for the current and the
    /// next block of a reader: for these the row's own passed bytes are let go.
    pub async fn room(&mut self) -> Result<&mut [u8], Closed> {
        poll_fn(|context| self.poll_room(context)).await?;
        Ok(&mut self.spare)
    }

    /// Publishes the first `n` bytes of the room to the readers.
    pub fn filled(&mut self, n: usize) -> Progress {
        let n = n.min(self.spare.len());
        let block = n == self.spare.len();
        let whole = block && self.rest.is_empty();
        let data = if block { std::mem::take(&mut self.spare) } else { self.spare.split_to(n) };
        let range = ByteRange::new(self.position, self.position + n as u64);
        self.position = range.end;
        let mut row = self.row.borrow_mut();
        row.seats.writers.at(self.seat).position = range.end;
        let charge = self.charge.take_if(|_| whole).or_else(|| self.charge.clone());
        let (mut added, mut block_completed) = (0, false);
        if let (Some(charge), false) = (charge, row.closed) {
            added = row.insert(range.start, data, &charge);
            block_completed = n > 0 && row.present.covers(row.block(range.start));
            row.seats.wake_readers(range);
            if block_completed {
                row.let_pass();
                // What lies without a gap has grown: another writer may serve nobody now.
                row.wake_writers();
            }
        }
        Progress { upto: range.end, added, block_completed }
    }

    fn poll_room(&mut self, context: &Context<'_>) -> Poll<Result<(), Closed>> {
        let mut row = self.row.borrow_mut();
        let end = row.stop(self.until);
        let turn = row.turn(row.seats.writers.peek(self.seat));
        if turn == Turn::Closed {
            return Poll::Ready(Err(Closed));
        }
        let left = end.saturating_sub(self.position);
        if !self.spare.is_empty() || left == 0 {
            self.spare.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            return Poll::Ready(Ok(()));
        }
        let size = left.min(limits::block::BLOCK - self.position % limits::block::BLOCK);
        let memory = &self.inner.memory;
        let here = !self.rest.is_empty();
        let fits = here || memory.fits(size);
        let owed = !fits && row.owed(row.seats.writers.peek(self.seat));
        if turn == Turn::Wait || !(fits || owed) {
            if turn == Turn::Go {
                memory.wait(self.id, context.waker());
            }
            row.seats.writers.at(self.seat).waker = Some(context.waker().clone());
            self.waited = true;
            return Poll::Pending;
        }
        if !here {
            // The rest of the run comes along where the end is known and memory is not scarce.
            let run = left.min(limits::block::RUN - self.position % limits::block::RUN);
            let known = end < u64::MAX && row.keep == Keep::Cached;
            let taken = if known && memory.fits(run) { run } else { size };
            self.inner.shed(&mut row, size);
            self.charge = Some(memory.charge(taken));
            self.rest = BytesMut::zeroed(narrow(taken));
        }
        let room = narrow(size).min(self.rest.len());
        self.spare = self.rest.split_to(room);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.inner.memory.forget(self.id);
        let mut row = self.row.borrow_mut();
        if let (Some(charge), false) = (self.charge.take(), row.keep == Keep::Passing) {
            (self.spare, self.rest) = (BytesMut::new(), BytesMut::new());
            let last = self.position.saturating_sub(1);
            row.shrink(last, &charge, &self.inner.memory);
        }
        row.seats.writers.remove(self.seat);
        row.seats.wake_readers(ByteRange::new(self.position, u64::MAX));
        // Another writer may have to serve the readers that this one served.
        row.wake_writers();
    }
}
