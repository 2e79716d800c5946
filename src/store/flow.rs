//! Who waits for whom in a row: how far a writer may run, which bytes readers still want.

use std::task::Waker;

use crate::base::limits;
use crate::base::range::{ByteRange, RangeSet};

use super::row::{Keep, Row, slice_of};

/// Where the readers and writers of one row are.
#[derive(Debug, Default)]
pub(super) struct Seats {
    pub(super) readers: Seated<ReaderSeat>,
    pub(super) writers: Seated<WriterSeat>,
    /// Whether the row ever had a reader: one that never had any has not lost its last.
    pub(super) had_reader: bool,
}

#[derive(Debug)]
pub(super) struct ReaderSeat {
    /// Where it began: what it has taken since says how much it is worth to run ahead for it.
    pub(super) began: u64,
    pub(super) position: u64,
    pub(super) until: u64,
    pub(super) waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) struct WriterSeat {
    pub(super) start: u64,
    pub(super) position: u64,
    pub(super) until: u64,
    pub(super) waker: Option<Waker>,
}

/// Whether a writer may take another buffer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Go,
    Wait,
    Closed,
}

/// Things at numbered places; a place that became free is used again.
#[derive(Debug)]
pub(super) struct Seated<T>(Vec<Option<T>>);

impl<T> Default for Seated<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Seated<T> {
    pub(super) fn add(&mut self, seat: T) -> usize {
        match self.0.iter().position(Option::is_none) {
            Some(free) => {
                self.0[free] = Some(seat);
                free
            }
            None => {
                self.0.push(Some(seat));
                self.0.len() - 1
            }
        }
    }

    pub(super) fn remove(&mut self, seat: usize) {
        self.0[seat] = None;
        while self.0.last().is_some_and(Option::is_none) {
            self.0.pop();
        }
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    pub(super) fn at(&mut self, seat: usize) -> &mut T {
        self.0[seat].as_mut().expect("a seat is held by the one who has its number")
    }

    pub(super) fn peek(&self, seat: usize) -> &T {
        self.0[seat].as_ref().expect("a seat is held by the one who has its number")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Seats {
    /// Wakes the readers that wait for a byte of `range`.
    pub(super) fn wake_readers(&mut self, range: ByteRange) {
        let inside = |seat: &&mut ReaderSeat| (range.start..range.end).contains(&seat.position);
        let waiting = self.readers.iter_mut().filter(inside);
        waiting.filter_map(|seat| seat.waker.take()).for_each(Waker::wake);
    }

    pub(super) fn wake_all(&mut self) {
        self.wake_readers(ByteRange::new(0, u64::MAX));
        let waiting = self.writers.iter_mut();
        waiting.filter_map(|seat| seat.waker.take()).for_each(Waker::wake);
    }

    /// Whether a live writer will bring byte `at`.
    pub(super) fn coming(&self, at: u64) -> bool {
        self.writers.iter().any(|writer| writer.position <= at && at < writer.until)
    }

    /// The bytes that readers want held: of each, what is here without a gap, at least `span`.
    pub(super) fn windows(&self, present: &RangeSet, span: u64) -> RangeSet {
        let mut wanted = RangeSet::new();
        for reader in self.readers.iter() {
            wanted.insert(reader.window(present, span));
        }
        wanted
    }
}

impl ReaderSeat {
    /// Bytes to fetch ahead for it: a player that asks for all and then seeks away has cost
    /// little, one that plays on is never waited for.
    /// Never more than its `share` of the memory, but always what is being read.
    fn worth(&self, share: u64) -> u64 {
        let read = self.position - self.began.min(self.position);
        read.clamp(limits::http::PASS, limits::cache::AHEAD)
            .min(share)
            .max(2 * limits::block::BLOCK)
    }

    /// The bytes that this reader is owed: the rest of its block and the next one.
    pub(super) fn reserved(&self) -> ByteRange {
        let end = (self.position / limits::block::BLOCK)
            .saturating_add(2)
            .saturating_mul(limits::block::BLOCK);
        ByteRange::new(self.position, end.min(self.until))
    }

    fn window(&self, present: &RangeSet, span: u64) -> ByteRange {
        let end = present.run_end(self.position).max(self.position.saturating_add(span));
        ByteRange::new(self.position, end.min(self.until))
    }
}

impl Row {
    /// Whether a writer may take another buffer. A step of at most one block lies beyond the
    /// bounds, because the border is looked at only when a buffer is taken.
    pub(super) fn turn(&self, writer: &WriterSeat) -> Turn {
        if self.closed {
            return Turn::Closed;
        }
        match self.keep {
            Keep::Cached => self.turn_cached(writer),
            Keep::Passing => self.turn_passing(writer),
        }
    }

    /// As far beyond the most advanced of its readers as that has read, at most
    /// [`limits::cache::AHEAD`]; without a reader it is a prefetch.
    fn turn_cached(&self, writer: &WriterSeat) -> Turn {
        let share = self.memory.share();
        let readers = self.seats.readers.iter().filter(|reader| self.serves(writer, reader));
        let furthest =
            readers.map(|reader| reader.position.saturating_add(reader.worth(share))).max();
        if furthest.is_none_or(|end| writer.position < end) { Turn::Go } else { Turn::Wait }
    }

    /// [`limits::http::PASS`] beyond the slowest of the readers that can use what comes.
    fn turn_passing(&self, writer: &WriterSeat) -> Turn {
        let (readers, at) = (&self.seats.readers, writer.position);
        if readers.is_empty() && self.seats.had_reader {
            return Turn::Closed;
        }
        let touches = |reader: &&ReaderSeat| {
            let near = self.serves(writer, reader)
                && reader.window(&self.present, limits::http::PASS).end >= at;
            reader.position > at || near
        };
        let slowest = readers.iter().filter(touches).map(|reader| reader.position).min();
        let slowest = slowest.or((!self.seats.had_reader).then_some(writer.start));
        let go = slowest.is_some_and(|from| at < from.saturating_add(limits::http::PASS));
        if go { Turn::Go } else { Turn::Wait }
    }

    /// Whether `reader` gets bytes from this writer: it began behind the writer's start or gets
    /// there without a gap, and no other writer is closer in front of it or feeds it already.
    fn serves(&self, writer: &WriterSeat, reader: &ReaderSeat) -> bool {
        let run_end = self.present.run_end(reader.position);
        let reaches = reader.position >= writer.start || run_end >= writer.start;
        let wants = reader.position < writer.until && reader.until > writer.start;
        let closer = |other: &WriterSeat| {
            writer.position < other.position
                && (other.position <= reader.position || other.position <= run_end)
                && reader.position < other.until
        };
        reaches && wants && !self.seats.writers.iter().any(closer)
    }

    /// Whether a writer may go on although memory is full: within the current and the next
    /// block of a reader of its own, so that every reader makes progress.
    pub(super) fn owed(&self, writer: &WriterSeat) -> bool {
        let mut readers = self.seats.readers.iter();
        readers.any(|reader| self.serves(writer, reader) && writer.position < reader.reserved().end)
    }

    /// Wakes the writers whose turn has come; called when readers moved, came or left.
    pub(super) fn wake_writers(&mut self) {
        if self.seats.writers.is_empty() {
            return;
        }
        let turns: Vec<_> = self.seats.writers.iter().map(|seat| self.turn(seat)).collect();
        for (seat, turn) in self.seats.writers.iter_mut().zip(turns) {
            if let Some(waker) = seat.waker.take_if(|_| turn != Turn::Wait) {
                waker.wake();
            }
        }
    }

    /// What the next reader would have to wait for or fetch: from `at` to the next byte that
    /// is here, on disk or coming, or to `stop`.
    pub(super) fn missing(&self, at: u64, stop: u64) -> ByteRange {
        let all = ByteRange::new(at, stop);
        let end = self.present.first_gap(all).map_or(at, |gap| gap.end);
        let sheet = self.sheets.slices().find(|slice| *slice > slice_of(at));
        let sheet = sheet.map_or(u64::MAX, |slice| u64::from(slice) * limits::block::SLICE);
        let writers = self.seats.writers.iter().map(|writer| writer.position);
        let writer = writers.filter(|position| *position > at).min().unwrap_or(u64::MAX);
        ByteRange::new(at, end.min(sheet).min(writer))
    }
}
