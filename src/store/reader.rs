//! The eye that follows a row: bytes that are here, a gap to be fetched, or the end.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;

use crate::base::range::ByteRange;

use super::flow::ReaderSeat;
use super::load::{Plan, load};
use super::row::Row;
use super::rows::Inner;

/// Reads a row from one position on, as its bytes come.
#[derive(Debug)]
pub struct Reader {
    inner: Rc<Inner>,
    row: Rc<RefCell<Row>>,
    seat: usize,
    position: u64,
    until: Option<u64>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Bytes at the reader's position; never empty. They are views: held long, they hold RAM
    /// that the store does not count any longer once the bytes are evicted.
    Bytes(Vec<Bytes>),
    /// Bytes that are neither here nor on disk, and that no live writer will bring: from the
    /// position to the next byte that is or comes, or to the end. A reader of a closed row
    /// misses everything.
    Missing(ByteRange),
    /// The reader's border or the row's end is reached.
    End,
}

enum Step {
    Next(Next),
    Load(Plan),
    Wait,
}

impl Reader {
    pub(super) fn new(
        inner: &Rc<Inner>,
        row: Rc<RefCell<Row>>,
        from: u64,
        until: Option<u64>,
    ) -> Self {
        let border = until.unwrap_or(u64::MAX);
        let mut open = row.borrow_mut();
        let seat = open.seats.readers.add(ReaderSeat {
            began: from,
            position: from,
            until: border,
            waker: None,
        });
        open.memory.seat(true);
        open.seats.had_reader = true;
        open.wake_writers();
        drop(open);
        Self { inner: inner.clone(), row, seat, position: from, until }
    }

    /// Where the next byte comes from.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Goes to another position.
    pub fn seek(&mut self, to: u64) {
        let mut row = self.row.borrow_mut();
        self.position = to;
        row.moved(self.seat, to);
    }

    /// Leaves out `n` bytes.
    pub fn skip(&mut self, n: u64) {
        self.seek(self.position.saturating_add(n));
    }

    /// The next bytes, `max` at most, once there are any, and the reader is behind them; loads
    /// them from the disk where that has them. Dropping the future loses nothing.
    pub async fn next(&mut self, max: u64) -> Next {
        loop {
            match self.try_next(max) {
                Poll::Ready(next) => return next,
                Poll::Pending => self.ready().await,
            }
        }
    }

    /// What [`Reader::next`] would give at once; pending when it would wait.
    pub fn try_next(&mut self, max: u64) -> Poll<Next> {
        let next = self.peek(max);
        if let Poll::Ready(Next::Bytes(parts)) = &next {
            self.skip(parts.iter().map(|part| part.len() as u64).sum());
        }
        next
    }

    /// What [`Reader::try_next`] gives, with the reader left where it is. Wakes nobody.
    pub fn peek(&mut self, max: u64) -> Poll<Next> {
        match self.step(max, None) {
            Step::Next(next) => Poll::Ready(next),
            Step::Load(_) | Step::Wait => Poll::Pending,
        }
    }

    /// Waits until there is something to [`Reader::peek`] at, or loads it from the disk.
    pub async fn ready(&mut self) {
        loop {
            let step = poll_fn(|context| match self.step(1, Some(context.waker())) {
                Step::Wait => Poll::Pending,
                step => Poll::Ready(step),
            });
            match step.await {
                Step::Next(_) => return,
                Step::Load(plan) => load(&self.inner, &self.row, plan).await,
                Step::Wait => {}
            }
        }
    }

    fn step(&mut self, max: u64, waker: Option<&Waker>) -> Step {
        let mut open = self.row.borrow_mut();
        let row = &mut *open;
        let (at, stop) = (self.position, row.stop(self.until));
        if at >= stop {
            return Step::Next(Next::End);
        }
        let end = stop.min(at.saturating_add(max.max(1)));
        let parts = row.read(ByteRange::new(at, end), &self.inner.memory);
        if !parts.is_empty() {
            return Step::Next(Next::Bytes(parts));
        }
        if waker.is_none() && row.on_disk(at) {
            return Step::Wait;
        }
        if row.closed {
            return Step::Next(Next::Missing(ByteRange::new(at, stop)));
        }
        match row.plan(at, stop, &self.inner) {
            Some(Some(plan)) => return Step::Load(plan),
            None if !row.seats.coming(at) => {
                return Step::Next(Next::Missing(row.missing(at, stop)));
            }
            Some(None) | None => {}
        }
        row.seats.readers.at(self.seat).waker = waker.cloned();
        Step::Wait
    }
}

impl Row {
    fn moved(&mut self, seat: usize, to: u64) {
        let seat = self.seats.readers.at(seat);
        seat.position = to;
        seat.waker = None;
        self.let_pass();
        self.wake_writers();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut row = self.row.borrow_mut();
        row.memory.seat(false);
        row.seats.readers.remove(self.seat);
        if row.seats.readers.is_empty() {
            row.sheets.forget_readers();
        }
        row.let_pass();
        row.wake_writers();
    }
}
