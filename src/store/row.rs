//! One representation's bytes: pieces on the block grid in RAM, and which slices the disk has.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use crate::base::digest::Digest;
use crate::base::id::RowId;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::range::{ByteRange, RangeSet};
use crate::base::set::Set;

use super::flow::Seats;
use super::load::Sheets;
use super::memory::{Charge, Memory};

/// Whether a row's bytes may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They stay until the caller evicts them.
    Cached,
    /// They go once every reader has passed them, and when the last reader leaves.
    Passing,
}

/// What the store knows of one row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: RowId,
    pub(super) memory: Rc<Memory>,
    pub(super) keep: Keep,
    pub(super) length: Option<u64>,
    pub(super) closed: bool,
    pub(super) seats: Seats,
    /// Which bytes are in RAM.
    pub(super) present: RangeSet,
    /// Slices that the disk has.
    pub(super) sheets: Sheets,
    /// Slices on their way to the disk, with the serial number of their file.
    pub(super) pending: Map<u32, u64>,
    /// Blocks on their way from the disk.
    pub(super) loading: Set<u64>,
    shelves: Vec<Shelf>,
    /// Digests of blocks in RAM that somebody took: what goes to the disk needs none anew.
    sums: Vec<(u64, Digest)>,
}

/// The pieces of one slice, in order.
#[derive(Debug)]
struct Shelf {
    slice: u32,
    pieces: Vec<Piece>,
}

/// Bytes that lie together and never cross a block border.
#[derive(Debug)]
struct Piece {
    start: u64,
    data: Data,
    charge: Rc<Charge>,
}

/// `Open` can still grow without a copy because nobody has a view of it yet.
#[derive(Debug)]
enum Data {
    Open(BytesMut),
    Done(Bytes),
}

impl Row {
    pub(super) fn new(id: RowId, keep: Keep, memory: Rc<Memory>) -> Self {
        Self {
            id,
            memory,
            keep,
            length: None,
            closed: false,
            seats: Seats::default(),
            present: RangeSet::new(),
            sheets: Sheets::default(),
            pending: Map::new(),
            loading: Set::new(),
            shelves: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// Lets go of everything; whoever waits is woken and finds the row closed.
    pub(super) fn close(&mut self) {
        self.closed = true;
        (self.shelves, self.sums) = (Vec::new(), Vec::new());
        self.present = RangeSet::new();
        self.sheets = Sheets::default();
        self.pending.clear();
        self.seats.wake_all();
    }

    /// Where a reader or writer with this border must stop.
    pub(super) fn stop(&self, until: Option<u64>) -> u64 {
        until.unwrap_or(u64::MAX).min(self.length.unwrap_or(u64::MAX))
    }

    /// The block that holds byte `at`; the last one ends where the row ends.
    pub(super) fn block(&self, at: u64) -> ByteRange {
        let start = at / limits::block::BLOCK * limits::block::BLOCK;
        ByteRange::new(start, (start + limits::block::BLOCK).min(self.length.unwrap_or(u64::MAX)))
    }

    /// The run of blocks that holds byte `at`; it lies in one slice.
    fn run(&self, at: u64) -> ByteRange {
        let start = at / limits::block::RUN * limits::block::RUN;
        ByteRange::new(start, (start + limits::block::RUN).min(self.length.unwrap_or(u64::MAX)))
    }

    /// The bytes that slice `slice` can have.
    pub(super) fn slice(&self, slice: u32) -> ByteRange {
        let start = u64::from(slice) * limits::block::SLICE;
        ByteRange::new(start, (start + limits::block::SLICE).min(self.length.unwrap_or(u64::MAX)))
    }

    /// The bytes of `range` from its start up to the first missing one, without a copy.
    pub(super) fn read(&mut self, range: ByteRange, memory: &Rc<Memory>) -> Vec<Bytes> {
        let (mut parts, mut at) = (Vec::new(), range.start);
        while at < range.end {
            let Some(part) = self.part(at, range.end, memory) else { break };
            at += part.len() as u64;
            parts.push(part);
        }
        parts
    }

    fn part(&mut self, at: u64, end: u64, memory: &Rc<Memory>) -> Option<Bytes> {
        let block = self.block(at);
        let fits = at == block.start && self.keep == Keep::Cached;
        let (number, run) = (slice_of(at), self.run(at));
        let shelf = self.shelves.binary_search_by_key(&number, |shelf| shelf.slice).ok()?;
        let shelf = &mut self.shelves[shelf];
        let index = shelf.holding(at)?;
        // A whole run whose blocks are in several pieces gets one a block when a reader starts on
        // it: those who follow a writer never pay for it, those who come later have few pieces to
        // write. A part of a run stays, since its allocation would not go.
        let piece = &shelf.pieces[index];
        if fits && piece.len() < block.len() && self.present.covers(run) {
            shelf.merge(run, memory);
        }
        let index = shelf.holding(at)?;
        let piece = &mut shelf.pieces[index];
        let from = at - piece.start;
        let to = piece.len().min(end - piece.start);
        Some(piece.freeze().slice(narrow(from)..narrow(to)))
    }

    /// Adds bytes at `start`; those that are here already stay as they are.
    /// Answers how many were new.
    pub(super) fn insert(&mut self, start: u64, data: BytesMut, charge: &Rc<Charge>) -> u64 {
        let range = ByteRange::new(start, start + data.len() as u64);
        let before = self.present.len_in(range);
        if range.is_empty() || before == range.len() {
            return 0;
        }
        if before == 0 {
            self.shelf(start).put(start, Data::Open(data), charge);
        } else {
            let data = data.freeze();
            while let Some(gap) = self.present.first_gap(range) {
                let part = data.slice(narrow(gap.start - start)..narrow(gap.end - start));
                self.shelf(gap.start).put(gap.start, Data::Done(part), charge);
                self.present.insert(gap);
            }
        }
        self.present.insert(range);
        range.len() - before
    }

    /// Copies the whole run that holds byte `at` into one allocation, where its blocks came one by
    /// one and there is room for that.
    pub(super) fn unite(&mut self, at: u64, memory: &Rc<Memory>) {
        let run = self.run(at);
        let whole = self.keep == Keep::Cached && self.present.covers(run);
        if !whole || !memory.fits(run.len()) {
            return;
        }
        let shelf = self.shelf(at);
        let mut inside = shelf.pieces.iter().filter(|piece| run.covers(piece.range()));
        let first = inside.next();
        let mut one = |first: &Piece| inside.all(|piece| Rc::ptr_eq(&piece.charge, &first.charge));
        if first.is_some_and(|first| !one(first)) {
            shelf.merge(run, memory);
        }
    }

    /// Copies what one allocation holds into a fitting one when a quarter of it is wasted.
    pub(super) fn shrink(&mut self, at: u64, charge: &Rc<Charge>, memory: &Rc<Memory>) {
        let number = slice_of(at);
        let Ok(shelf) = self.shelves.binary_search_by_key(&number, |shelf| shelf.slice) else {
            return;
        };
        let shelf = &mut self.shelves[shelf];
        let mine = |piece: &&Piece| Rc::ptr_eq(&piece.charge, charge);
        let used: u64 = shelf.pieces.iter().filter(mine).map(Piece::len).sum();
        if used == 0 || used * 4 > charge.bytes * 3 {
            return;
        }
        let first = shelf.pieces.iter().find(mine).map_or(0, |piece| piece.start);
        let last = shelf.pieces.iter().rfind(mine).map_or(0, |piece| piece.start + piece.len());
        if last - first == used {
            shelf.merge(ByteRange::new(first, last), memory);
        }
    }

    /// Takes the bytes of a slice out of RAM.
    pub(super) fn evict(&mut self, slice: u32) {
        if let Ok(at) = self.shelves.binary_search_by_key(&slice, |shelf| shelf.slice) {
            self.shelves.remove(at);
            let start = u64::from(slice) * limits::block::SLICE;
            self.present.remove(ByteRange::new(start, start + limits::block::SLICE));
            self.sums.retain(|(start, _)| slice_of(*start) != slice);
        }
    }

    /// Drops every piece outside `wanted`; answers the slices that lost bytes, with how many.
    pub(super) fn retain(&mut self, wanted: &RangeSet) -> Vec<(u32, u64)> {
        let (mut lost, present) = (Vec::new(), &mut self.present);
        self.shelves.retain_mut(|shelf| {
            let mut bytes = 0;
            shelf.pieces.retain(|piece| {
                let range = ByteRange::new(piece.start, piece.start + piece.len());
                let keep = wanted.len_in(range) > 0;
                if !keep {
                    present.remove(range);
                    bytes += range.len();
                }
                keep
            });
            if bytes > 0 {
                lost.push((shelf.slice, bytes));
            }
            !shelf.pieces.is_empty()
        });
        let mut sums = std::mem::take(&mut self.sums);
        sums.retain(|(start, _)| self.present.covers(self.block(*start)));
        self.sums = sums;
        lost
    }

    /// Notes the digest of a block that is whole in RAM.
    pub(super) fn note_sum(&mut self, range: ByteRange, digest: Digest) {
        let whole = range == self.block(range.start) && self.present.covers(range);
        let known = self.sums.iter().any(|(start, _)| *start == range.start);
        if whole && !known && self.keep == Keep::Cached {
            self.sums.push((range.start, digest));
        }
    }

    /// The digest of each block of `range` from a block's border on, as far as it was taken.
    pub(super) fn sums(&self, range: ByteRange) -> Vec<Option<Digest>> {
        let block = |start: &u64| Some(start + limits::block::BLOCK);
        let starts = std::iter::successors(Some(range.start), block);
        let known = |at: u64| self.sums.iter().find(|(start, _)| *start == at);
        starts.take_while(|start| *start < range.end).map(|at| known(at).map(|sum| sum.1)).collect()
    }

    /// What a passing row need not hold any longer goes; everything else stays.
    pub(super) fn let_pass(&mut self) {
        if self.keep == Keep::Passing && self.seats.had_reader && !self.shelves.is_empty() {
            let wanted = self.seats.windows(&self.present, limits::http::PASS);
            self.retain(&wanted);
        }
    }

    /// The allocations under `range`, to be held while its bytes are used elsewhere.
    pub(super) fn charges(&self, range: ByteRange) -> Vec<Rc<Charge>> {
        let pieces = self.shelves.iter().flat_map(|shelf| &shelf.pieces);
        let inside = pieces.filter(|piece| range.start <= piece.start && piece.start < range.end);
        inside.map(|piece| piece.charge.clone()).collect()
    }

    fn shelf(&mut self, at: u64) -> &mut Shelf {
        let slice = slice_of(at);
        let place = self.shelves.binary_search_by_key(&slice, |shelf| shelf.slice);
        let place = place.unwrap_or_else(|place| {
            self.shelves.insert(place, Shelf { slice, pieces: Vec::new() });
            place
        });
        &mut self.shelves[place]
    }
}

impl Shelf {
    /// The piece that holds byte `at`.
    fn holding(&self, at: u64) -> Option<usize> {
        let index = self.pieces.partition_point(|piece| piece.start <= at).checked_sub(1)?;
        let piece = &self.pieces[index];
        (at < piece.start + piece.len()).then_some(index)
    }

    /// Puts bytes where none are; what continues an open piece of one buffer joins it.
    fn put(&mut self, start: u64, mut data: Data, charge: &Rc<Charge>) {
        let place = self.pieces.partition_point(|piece| piece.start < start);
        if let Some(before) = place.checked_sub(1).map(|before| &mut self.pieces[before]) {
            let inside = start % limits::block::BLOCK != 0;
            let joins = inside
                && before.start + before.len() == start
                && Rc::ptr_eq(&before.charge, charge);
            data = match (joins, &mut before.data, data) {
                (true, Data::Open(open), Data::Open(more)) => return open.unsplit(more),
                (_, _, data) => data,
            };
        }
        if self.pieces.is_empty() {
            // Small objects have one piece: room for four would cost more than they do.
            self.pieces.reserve_exact(1);
        }
        self.pieces.insert(place, Piece { start, data, charge: charge.clone() });
    }

    /// Copies the pieces of `range`, which lie without a gap, into one allocation, a piece for
    /// each block.
    fn merge(&mut self, range: ByteRange, memory: &Rc<Memory>) {
        let first = self.pieces.partition_point(|piece| piece.start < range.start);
        let last = self.pieces.partition_point(|piece| piece.start < range.end);
        let charge = memory.charge(range.len());
        let mut whole = Vec::with_capacity(narrow(range.len()));
        self.pieces[first..last].iter().for_each(|piece| whole.extend_from_slice(piece.bytes()));
        let whole = Bytes::from(whole);
        let piece = |start: u64| {
            let end = range.end.min((start / limits::block::BLOCK + 1) * limits::block::BLOCK);
            let data = whole.slice(narrow(start - range.start)..narrow(end - range.start));
            Piece { start, data: Data::Done(data), charge: charge.clone() }
        };
        let block = |start: &u64| Some((start / limits::block::BLOCK + 1) * limits::block::BLOCK);
        let starts = std::iter::successors(Some(range.start), block);
        let pieces: Vec<_> = starts.take_while(|start| *start < range.end).map(piece).collect();
        self.pieces.splice(first..last, pieces);
    }
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match &self.data {
            Data::Open(data) => data,
            Data::Done(data) => data,
        }
    }

    fn len(&self) -> u64 {
        self.bytes().len() as u64
    }

    fn range(&self) -> ByteRange {
        ByteRange::new(self.start, self.start + self.len())
    }

    /// A view of the piece, which cannot grow from now on.
    fn freeze(&mut self) -> &Bytes {
        if let Data::Open(data) = &mut self.data {
            self.data = Data::Done(std::mem::take(data).freeze());
        }
        match &self.data {
            Data::Done(data) => data,
            Data::Open(_) => unreachable!("it was frozen above"),
        }
    }
}

/// The number of the slice that holds byte `at`.
pub(super) fn slice_of(at: u64) -> u32 {
    u32::try_from(at / limits::block::SLICE).unwrap_or(u32::MAX)
}

/// A count within one slice or batch, which fits any address space.
pub(super) fn narrow(bytes: u64) -> usize {
    usize::try_from(bytes).expect("bytes of one slice fit in memory")
}
