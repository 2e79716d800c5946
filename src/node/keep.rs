//! What is stored: bytes as they come, slices to disk and back, responses out of the index.

use super::event::Output;
use super::machine::{Machine, Row};
use super::memo::{self, Memo};
use super::report::{Counter, Source};
use crate::base::digest::Digest;
use crate::base::id::{FetchId, RowId};
use crate::base::limits;
use crate::base::range::{ByteRange, RangeSet};
use crate::base::segment::SegmentId;
use crate::base::url::Locator;
use crate::engine::cache::evict::Slice;
use crate::engine::cache::index::{Entry, Key};

impl Machine {
    /// Bytes of a fetch are in the store.
    pub(super) fn on_received(&mut self, id: FetchId, upto: u64) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        let Some(stream) = &mut fetch.stream else { return };
        let (row, from, at, keep) = (stream.row, stream.upto, stream.at, stream.keep);
        let bytes = upto.saturating_sub(from);
        if stream.held {
            return;
        }
        stream.upto = upto;
        self.report.add(Counter::OriginBytes, bytes);
        self.came += bytes;
        self.note_came(row, Source::Origin, bytes);
        if !keep || bytes == 0 {
            return;
        }
        let new = ByteRange::new(from, upto);
        let ahead = self.index.change(row, |entry| {
            entry.present.insert(new);
            entry.present.run_end(upto)
        });
        for (slice, part) in slices(row, new) {
            self.memory.grow(slice, part.len());
        }
        self.complete_slices(row, at, upto);
        self.make_room();
        self.on_origin_bytes(row, new);
        // What another fetch has brought already is not asked for twice.
        // Where peers bring single blocks, it goes on as long as anything is missing.
        let until = self.fetches.get(&id).and_then(|fetch| {
            let until = fetch.stream.and_then(|stream| stream.until);
            // Nor does one bring a part alone whose origin knows no ranges.
            let brings_all = fetch.ask.fills.is_some() && fetch.ask.spec.is_none();
            until.filter(|_| fetch.resource.is_some() || brings_all)
        });
        let enough = until.map_or(upto + limits::block::BLOCK, |until| until.max(upto + 1));
        if ahead.is_some_and(|end| end >= enough) {
            self.put(Output::Cancel { fetch: id });
            self.forget(id);
        }
    }

    /// Writes the slices that `from..upto` completed to disk, where they are worth it.
    pub(super) fn complete_slices(&mut self, row: RowId, from: u64, upto: u64) {
        if self.config.cache.disk.0 == 0 {
            return;
        }
        let Some(length) = self.index.entry(row).and_then(|entry| entry.length) else { return };
        for (slice, _) in slices(row, ByteRange::new(from, upto)) {
            let whole = range_of(slice, length);
            let here = |entry: &Entry| {
                entry.present.covers(whole) && !entry.on_disk.covers(whole) && !whole.is_empty()
            };
            let room = self.disk.used() + whole.len() <= self.config.cache.disk.0;
            let admitted = room || self.memory.seen(slice) || self.disk.seen(slice);
            if admitted && self.index.entry(row).is_some_and(here) {
                self.persist(row, slice);
            }
        }
    }

    pub(super) fn persist(&mut self, row: RowId, slice: Slice) {
        let (Some(key), Some(entry)) = (self.index.key(row), self.index.entry(row)) else { return };
        let locator = Locator { origin: key.origin, target: key.identity.clone() };
        let lasts = entry.policy.fresh_until() >= self.now + WORTH_WRITING;
        if self.is_live(&locator) || entry.status != 200 || !lasts {
            return;
        }
        let Some(origin) = self.config.origins.get(usize::from(key.origin.0)) else { return };
        let memo = Memo {
            origin: origin.name.clone(),
            identity: key.identity.clone(),
            length: entry.length.unwrap_or_default(),
            fields: entry.fields.clone(),
            policy: entry.policy.to_record(self.now).to_vec(),
            written: self.date(),
            selective: entry.selecting.is_selective(),
            listed: self.listing(row),
            urls: origin.urls.iter().map(memo::mark).collect(),
            rests: self.rests_of(row, slice),
        };
        let bytes = range_of(slice, memo.length).len();
        if memo.selective || !self.may_write(bytes) {
            return;
        }
        let (key, header) = (memo.key(), memo.to_bytes());
        self.put(Output::Persist { row, slice: slice.number, header, key, bytes });
    }

    /// A slice is on disk.
    pub(super) fn on_persisted(&mut self, row: RowId, slice: u32, bytes: u64) {
        self.report.add(Counter::DiskWrites, 1);
        self.report.add(Counter::DiskBytes, bytes);
        let length = self.index.entry(row).and_then(|entry| entry.length);
        let Some(length) = length else { return self.put(Output::Unlink { row, slice }) };
        let place = Slice { row, number: slice };
        self.index.change(row, |entry| entry.on_disk.insert(range_of(place, length)));
        self.disk.insert(place, bytes);
        self.make_room();
    }

    /// A slice on disk is no more.
    pub(super) fn on_lost(&mut self, row: RowId, slice: u32) {
        let place = Slice { row, number: slice };
        self.disk.remove(place);
        self.index.change(row, |entry| entry.on_disk.remove(window(place)));
        self.drop_if_empty(row);
    }

    /// What of a slice is in memory has changed by reading from disk.
    pub(super) fn on_loaded(&mut self, row: RowId, slice: u32, present: &RangeSet) {
        let place = Slice { row, number: slice };
        let here = present.len_in(window(place));
        let known = self.index.change(row, |entry| entry.present = present.clone());
        if known.is_none() {
            return;
        }
        if here == 0 {
            self.memory.remove(place);
        } else {
            self.memory.insert(place, here);
        }
        self.make_room();
    }

    /// A slice of an earlier run lies on disk.
    pub(super) fn on_found(&mut self, (token, slice, bytes): (u64, u32, u64), header: &[u8]) {
        let memo = Memo::from_bytes(header);
        let row = memo.as_ref().and_then(|memo| self.row_for(memo));
        let believed = row.zip(memo).is_none_or(|(row, memo)| self.relist(row, slice, &memo));
        let empty = row.filter(|_| !believed);
        let row = row.filter(|_| believed);
        let fits = row.filter(|row| {
            let length = self.index.entry(*row).and_then(|entry| entry.length);
            length.is_some_and(|l| !range_of(Slice { row: *row, number: slice }, l).is_empty())
        });
        if let Some(row) = fits {
            let place = Slice { row, number: slice };
            self.index.change(row, |entry| {
                let length = entry.length.unwrap_or_default();
                entry.on_disk.insert(range_of(place, length));
            });
            self.disk.insert(place, bytes);
        }
        self.put(Output::Adopt { token, row: fits });
        fits.into_iter().for_each(|row| self.offer_found(row, slice));
        empty.into_iter().for_each(|row| self.drop_if_empty(row));
        self.make_room();
    }

    /// The row that a slice found on disk belongs to, made anew for the first of them.
    fn row_for(&mut self, memo: &Memo) -> Option<RowId> {
        let (origin, now) = self.config.origin_named(&memo.origin)?;
        if !memo.is_of(&now.urls) {
            return None;
        }
        let known = self.index.variants(origin, &memo.identity).next();
        if let Some(entry) = known {
            let same = entry.length == Some(memo.length) && same_validators(entry, memo);
            return same.then_some(entry.row);
        }
        let down_time = self
            .date()
            .zip(memo.written)
            .and_then(|(now, then)| (now >= then).then(|| now.since(then)));
        let policy = memo::policy(memo, down_time, self.now)?;
        let row = self.new_row(true);
        let locator = Locator { origin, target: memo.identity.clone() };
        self.lines.insert(row, super::answer::lines(&memo.fields, &locator, &self.places));
        let entry = Entry {
            row,
            status: 200,
            fields: memo.fields.clone(),
            policy,
            length: Some(memo.length),
            present: RangeSet::new(),
            on_disk: RangeSet::new(),
            selecting: crate::engine::cache::vary::Selecting::default(),
        };
        self.change_row(row, |row| row.stored = true);
        self.put(Output::End { row, length: memo.length });
        let key = Key { origin, identity: memo.identity.clone() };
        let out = self.index.insert(key, entry, |_| false);
        out.into_iter().for_each(|row| self.unstore(row));
        Some(row)
    }

    /// Takes a stored response out of the index.
    pub(super) fn drop_entry(&mut self, row: RowId) {
        if self.index.remove(row).is_some() {
            self.unstore(row);
        }
    }

    /// A row is out of the index: its bytes go when its last reader has.
    pub(super) fn unstore(&mut self, row: RowId) {
        self.lines.remove(&row);
        self.unasked.remove(&row);
        self.forget_shareable(row);
        self.memory.remove_row(row);
        self.disk.remove_row(row);
        for fetch in self.fetches.values_mut() {
            if let Some(stream) = fetch.stream.as_mut().filter(|stream| stream.row == row) {
                stream.keep = false;
            }
        }
        if self.rows.get(&row).is_some_and(Row::is_busy) {
            self.put(Output::Pass { row });
        }
        self.change_row(row, |row| row.stored = false);
    }

    /// Takes a stored response out of which nothing is left.
    pub(super) fn drop_if_empty(&mut self, row: RowId) {
        let empty = self.index.entry(row).is_some_and(|entry| {
            entry.present.is_empty() && entry.on_disk.is_empty() && entry.length != Some(0)
        });
        let busy = self.rows.get(&row).is_some_and(Row::is_busy);
        if empty && !busy {
            self.drop_entry(row);
        }
    }

    /// Takes a stored response out that was left in the middle and cannot be completed.
    pub(super) fn drop_if_useless(&mut self, row: RowId) {
        let useless = self.index.entry(row).is_some_and(|entry| {
            let whole = entry.length.is_some_and(|length| {
                super::serve::hole(entry, ByteRange::new(0, length)).is_none()
            });
            let joins = super::serve::if_range(entry).is_some();
            let vouched = self.rows.get(&row).is_some_and(|row| row.vouched);
            !whole && (entry.length.is_none() || !joins && !vouched)
        });
        let written = self.rows.get(&row).is_some_and(|row| row.writers > 0);
        if useless && !written {
            self.drop_entry(row);
        } else {
            self.drop_if_empty(row);
        }
    }
}

/// The slices that `range` touches, each with its part of it.
pub(super) fn slices(row: RowId, range: ByteRange) -> impl Iterator<Item = (Slice, ByteRange)> {
    let first = range.start / limits::block::SLICE;
    let last = range.end.saturating_sub(1) / limits::block::SLICE;
    (first..=last.max(first)).filter_map(move |number| {
        let slice = Slice { row, number: u32::try_from(number).ok()? };
        let part = range.overlap(window(slice));
        (!part.is_empty()).then_some((slice, part))
    })
}

/// The segment that a slice lies in, and the first of its blocks there.
pub(super) fn place_of_slice(resource: Digest, slice: u32) -> (SegmentId, u32) {
    let start = u64::from(slice) * limits::block::SLICE;
    let segment = SegmentId::holding(resource, start);
    let first = (start - segment.window().start) / limits::block::BLOCK;
    (segment, u32::try_from(first).unwrap_or(0))
}

/// The bytes of a row that a slice may hold.
pub(super) fn window(slice: Slice) -> ByteRange {
    let start = u64::from(slice.number) * limits::block::SLICE;
    ByteRange::new(start, start + limits::block::SLICE)
}

/// The bytes of a slice in a row of `length` bytes.
pub(super) fn range_of(slice: Slice, length: u64) -> ByteRange {
    window(slice).overlap(ByteRange::new(0, length))
}

fn same_validators(entry: &Entry, memo: &Memo) -> bool {
    ["etag", "last-modified"].iter().all(|n| entry.fields.first(n) == memo.fields.first(n))
}

/// A response that is fresh for less is not worth a write.
const WORTH_WRITING: core::time::Duration = core::time::Duration::from_secs(60);

/// The name of a response's files.
pub(super) fn file_key(origin: &str, identity: &str) -> Digest {
    Digest::of_parts([origin.as_bytes(), b"\0", identity.as_bytes()])
}
