//! A node's rows without a byte: which bytes of which content lie where.

use std::collections::BTreeMap;

use neap::base::digest::Digest;
use neap::base::id::{ExchangeId, FetchId, RowId};
use neap::base::limits;
use neap::base::range::{ByteRange, RangeSet};

use super::library::{ContentId, digest};

/// Bytes of one content; row byte `p` is its byte `p + shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuff {
    pub content: ContentId,
    pub shift: i64,
}

/// Bytes that lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub end: u64,
    pub stuff: Stuff,
}

/// One representation's bytes.
#[derive(Debug, Default)]
pub struct Row {
    pub keep: bool,
    pub length: Option<u64>,
    pub present: RangeSet,
    pieces: BTreeMap<u64, Piece>,
    /// Slices on disk, with what is in them.
    pub disk: BTreeMap<u32, Slice>,
    pub had_reader: bool,
    /// Where its readers are.
    pub readers: BTreeMap<ExchangeId, u64>,
    /// Where its writers are and where they stop.
    pub writers: BTreeMap<FetchId, (u64, u64)>,
    pub loading: bool,
}

/// A slice as it lies on disk.
#[derive(Clone, Debug)]
pub struct Slice {
    pub header: Vec<u8>,
    pub pieces: Vec<(u64, Piece)>,
    pub bytes: u64,
}

/// All rows of a node.
#[derive(Debug, Default)]
pub struct Store {
    pub rows: BTreeMap<RowId, Row>,
}

impl Store {
    /// Bytes in memory that stay.
    pub fn held(&self) -> u64 {
        self.rows.values().filter(|row| row.keep).map(|row| row.present.len()).sum()
    }
}

impl Row {
    pub fn new(keep: bool) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Adds bytes; those that are here already stay as they are.
    pub fn insert(&mut self, range: ByteRange, stuff: Stuff) {
        while let Some(gap) = self.present.first_gap(range) {
            self.present.insert(gap);
            self.put(gap, stuff);
        }
    }

    /// Bytes of a range that are not here.
    pub fn lacks(&self, range: ByteRange) -> u64 {
        let mut present = self.present.clone();
        let gaps = std::iter::from_fn(|| {
            let gap = present.first_gap(range)?;
            present.insert(gap);
            Some(gap.len())
        });
        gaps.sum()
    }

    fn put(&mut self, range: ByteRange, stuff: Stuff) {
        let before = self.pieces.range_mut(..range.start).next_back();
        match before {
            Some((_, piece)) if piece.end == range.start && piece.stuff == stuff => {
                piece.end = range.end;
            }
            _ => drop(self.pieces.insert(range.start, Piece { end: range.end, stuff })),
        }
    }

    /// Takes bytes out.
    pub fn remove(&mut self, range: ByteRange) {
        self.present.remove(range);
        let touched: Vec<(u64, Piece)> = self
            .pieces
            .range(..range.end)
            .rev()
            .take_while(|(_, piece)| piece.end > range.start)
            .map(|(start, piece)| (*start, *piece))
            .collect();
        for (start, piece) in touched {
            self.pieces.remove(&start);
            if start < range.start {
                self.pieces.insert(start, Piece { end: range.start, ..piece });
            }
            if piece.end > range.end {
                self.pieces.insert(range.end, piece);
            }
        }
    }

    /// What of `range` is here, in order.
    pub fn read(&self, range: ByteRange) -> Vec<(ByteRange, Stuff)> {
        let from = self.pieces.range(..=range.start).next_back().map_or(0, |(start, _)| *start);
        let pieces = self.pieces.range(from..range.end.max(from));
        let part = |(start, piece): (&u64, &Piece)| {
            (ByteRange::new(*start, piece.end).overlap(range), piece.stuff)
        };
        pieces.map(part).filter(|(part, _)| !part.is_empty()).collect()
    }

    /// The digest of bytes that are all here.
    pub fn digest(&self, range: ByteRange) -> Option<Digest> {
        if range.is_empty() || !self.present.covers(range) {
            return None;
        }
        // The same bytes have one digest, in however many pieces they came.
        let mut parts: Vec<(ByteRange, Stuff)> = Vec::new();
        for (part, stuff) in self.read(range) {
            match parts.last_mut() {
                Some((last, of)) if last.end == part.start && *of == stuff => last.end = part.end,
                _ => parts.push((part, stuff)),
            }
        }
        let of = |(part, stuff): &(ByteRange, Stuff)| digest(stuff.content, moved(*part, *stuff));
        match &*parts {
            [one] => Some(of(one)),
            parts => {
                let digests: Vec<Digest> = parts.iter().map(of).collect();
                Some(Digest::of_parts(digests.iter().map(|digest| &digest.0[..])))
            }
        }
    }

    /// The digest of bytes that are all here, however they came.
    pub fn sum(&self, range: ByteRange) -> Option<Digest> {
        let parts = self.read(range);
        let (_, first) = parts.first()?;
        let one = parts.iter().all(|(_, stuff)| stuff == first);
        let whole = self.present.covers(range);
        if one && whole {
            return Some(digest(first.content, moved(range, *first)));
        }
        self.digest(range)
    }

    /// The content of bytes that are all here and of one.
    pub fn stuff(&self, range: ByteRange) -> Option<Stuff> {
        match &*self.read(range) {
            [(part, stuff)] if *part == range => Some(*stuff),
            _ => None,
        }
    }

    /// Where a reader up to `end` has to stop.
    pub fn stop(&self, end: Option<u64>) -> u64 {
        end.unwrap_or(u64::MAX).min(self.length.unwrap_or(u64::MAX))
    }

    /// Whether a live writer will bring byte `at`.
    pub fn coming(&self, at: u64) -> bool {
        self.writers.values().any(|(position, until)| *position <= at && at < *until)
    }

    /// What a reader at `at` would have to wait for.
    pub fn missing(&self, at: u64, stop: u64) -> ByteRange {
        let end = self.present.first_gap(ByteRange::new(at, stop)).map_or(stop, |gap| gap.end);
        let slices = self.disk.keys().map(|slice| u64::from(*slice) * limits::block::SLICE);
        let slice = slices.filter(|start| *start > at).min().unwrap_or(u64::MAX);
        let writers = self.writers.values().map(|(position, _)| *position);
        let writer = writers.filter(|position| *position > at).min().unwrap_or(u64::MAX);
        ByteRange::new(at, end.min(slice).min(writer))
    }

    /// What a passing row need not hold any longer goes.
    pub fn let_pass(&mut self) {
        if self.keep || !self.had_reader {
            return;
        }
        let mut wanted = RangeSet::new();
        for position in self.readers.values() {
            let end = self.present.run_end(*position).max(position + limits::http::PASS);
            wanted.insert(ByteRange::new(*position, end));
        }
        let all = ByteRange::new(0, u64::MAX);
        let mut gone = Vec::new();
        let mut at = 0;
        while let Some(gap) = wanted.first_gap(ByteRange::new(at, all.end)) {
            gone.push(gap);
            at = gap.end;
        }
        gone.into_iter().for_each(|gap| self.remove(gap));
    }

    /// A slice as the disk would have it.
    pub fn slice(&self, slice: u32, header: Vec<u8>) -> Option<Slice> {
        let range = window(slice).overlap(ByteRange::new(0, self.length?));
        if !self.present.covers(range) {
            return None;
        }
        let parts = self.read(range);
        let pieces =
            parts.iter().map(|(part, stuff)| (part.start, Piece { end: part.end, stuff: *stuff }));
        Some(Slice { header, pieces: pieces.collect(), bytes: range.len() + 4096 })
    }

    /// Brings up to four blocks from the disk; whether there were any.
    pub fn load(&mut self, at: u64) -> Option<u32> {
        let number = u32::try_from(at / limits::block::SLICE).ok()?;
        let slice = self.disk.get(&number)?;
        let start = at / limits::block::BLOCK * limits::block::BLOCK;
        let want = ByteRange::new(start, start + limits::cache::READ_AHEAD * limits::block::BLOCK);
        for (start, piece) in slice.pieces.clone() {
            let part = ByteRange::new(start, piece.end).overlap(want);
            if !part.is_empty() {
                self.insert(part, piece.stuff);
            }
        }
        Some(number)
    }
}

/// Bytes of a row as bytes of the content.
pub fn moved(range: ByteRange, stuff: Stuff) -> ByteRange {
    let by = |at: u64| at.checked_add_signed(stuff.shift).expect("content begins at zero");
    ByteRange::new(by(range.start), by(range.end))
}

/// The bytes of a row that a slice may hold.
pub fn window(slice: u32) -> ByteRange {
    let start = u64::from(slice) * limits::block::SLICE;
    ByteRange::new(start, start + limits::block::SLICE)
}
