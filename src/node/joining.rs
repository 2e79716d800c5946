//! Bytes of several sources in one row. They are of one representation where their validators say
//! so (RFC 9110, 15.3.7.3), or where a record proves each block before anybody reads it: edges of
//! a CDN may name the same bytes in several ways, and a file may be replaced while it is played.

use core::time::Duration;

use super::event::Output;
use super::fetch::{Ask, Stream};
use super::machine::Machine;
use super::report::{Counter, Source};
use super::serve::{Bring, if_range};
use crate::base::digest::Digest;
use crate::base::id::{ExchangeId, FetchId, RowId};
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::base::segment::SegmentId;
use crate::engine::cache::index::Entry;
use crate::engine::schedule::scheduler::Arrival;
use crate::engine::verify::verifier::{Check, From};
use crate::wire::http::directives::ResponseDirectives;
use crate::wire::http::fields::Fields;
use crate::wire::record::Statement;

impl Machine {
    /// Whether a record proves each block of the part that is asked for, so that it may join a
    /// row although no validator says that it belongs there.
    pub(super) fn may_be_proven(&self, ask: &Ask) -> bool {
        let (Some(swarm), Some(row), Some(span)) = (&self.swarm, ask.fills, ask.span()) else {
            return false;
        };
        let resource = swarm.rows.get(&row).filter(|it| swarm.downloads.contains_key(it));
        let length = self.index.entry(row).and_then(|entry| entry.length);
        let (Some(resource), Some(length)) = (resource, length) else { return false };
        let is_border = |at: u64| at % limits::block::BLOCK == 0 || at == length;
        let is_known = |segment| {
            let record = swarm.verifier.record(segment);
            record.is_some_and(|record| record.statement.length == length)
        };
        let are_known = || SegmentId::of_range(*resource, span).all(is_known);
        is_border(span.start) && is_border(span.end) && are_known()
    }

    /// Lets a part come into the row that it fills. One that may not be stored (RFC 9111, 3 and
    /// 3.4) is for those who read the row: all goes when the last of them has, and nobody gets it
    /// hereafter without the origin's word.
    pub(super) fn take_filler(&mut self, id: FetchId, stream: Stream, fields: &Fields) {
        let row = stream.row;
        self.take(id, stream);
        let directives = ResponseDirectives::of(fields);
        if directives.no_store || directives.private {
            self.index.change(row, |entry| entry.policy.spoil());
            self.forget_shareable(row);
            self.change_row(row, |row| row.passes = true);
        }
    }

    /// Whether the blocks that a record tells of may go into the row of what is being downloaded:
    /// nothing has begun it yet, a record's own head that names it alike has, its validator is the
    /// record's, or a block that is in it is as the record says.
    pub(super) fn is_of_row(&self, segment: SegmentId) -> bool {
        let Some(swarm) = &self.swarm else { return false };
        let Some(record) = swarm.verifier.record(segment) else { return false };
        let Some(download) = swarm.downloads.get(&segment.resource) else { return false };
        let Some(entry) = download.row.and_then(|row| self.index.entry(row)) else { return true };
        let said = &record.statement;
        let validator = if said.etag.is_empty() { &said.last_modified } else { &said.etag };
        let is_same = || if_range(entry) == Some(&**validator);
        let is_seen = || !swarm.verifier.proven(segment).is_empty();
        let is_own = || download.is_vouched && names_alike(entry, said);
        entry.length == Some(said.length) && (is_own() || is_same() || is_seen())
    }

    /// The origin's bytes of a segment are not what its record says: for a while no record of the
    /// same topic begins a row before the origin has, since an answer that has begun with the old
    /// content cannot go on with the new one.
    pub(super) fn doubt_topic(&mut self, segment: SegmentId) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(kin) = swarm.kin.get(&segment.resource) else { return };
        if swarm.doubted.len() >= limits::swarm::TOPICS {
            swarm.doubted.clear();
        }
        let topic = kin.topic;
        swarm.doubted.insert(topic, self.now + DOUBT);
        // What a record has begun and nobody reads yet begins anew with the origin.
        let begun = swarm.downloads.values().filter(|it| it.topic == topic && it.is_vouched);
        let begun: Vec<RowId> = begun.filter_map(|download| download.row).collect();
        for row in begun {
            if self.rows.get(&row).is_some_and(|row| row.readers == 0) {
                self.drop_entry(row);
            }
        }
    }

    /// Whether records of a topic are doubted.
    pub(super) fn is_doubted(&self, topic: Digest) -> bool {
        let until = self.swarm.as_ref().and_then(|swarm| swarm.doubted.get(&topic));
        until.is_some_and(|until| self.now < *until)
    }

    /// What an exchange was to follow is gone: where nothing of its answer went out there is
    /// another, once.
    pub(super) fn answer_anew(&mut self, id: ExchangeId) {
        if self.free(id) { self.serve(id) } else { self.cut(id) }
    }

    /// Takes an exchange off its row if nothing of its answer went out, so that it may get another
    /// answer; once.
    pub(super) fn free(&mut self, id: ExchangeId) -> bool {
        let Some(exchange) = self.exchanges.get(&id) else { return false };
        if exchange.begun || exchange.anew {
            return false;
        }
        self.leave_holes(id);
        let Some(exchange) = self.exchanges.get_mut(&id) else { return false };
        (exchange.anew, exchange.promised) = (true, None);
        if let Some(row) = exchange.row.take() {
            self.change_row(row, |row| row.readers = row.readers.saturating_sub(1));
        }
        true
    }

    /// An exchange found a hole in the row that it follows.
    pub(super) fn on_missing(&mut self, id: ExchangeId, range: ByteRange, begun: bool) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.begun = begun;
        let Some(row) = exchange.row else { return self.on_missing_nothing(id, begun) };
        exchange.at = range.start;
        let before = exchange.fetch;
        // A body that is being resumed comes to the hole by itself: it must not be left.
        let resumed = before.is_some() && self.filling(row, range.start, Bring::Requests) == before;
        if !resumed {
            self.depart(id);
        }
        let entry = self.index.entry(row);
        let gap = entry.map(|entry| {
            let end = range.end.min(entry.length.unwrap_or(range.end));
            ByteRange::new(range.start, end)
        });
        match gap {
            Some(gap) if !gap.is_empty() && self.fill(id, (row, gap), Bring::Requests) => {
                let fetch = self.exchanges.get(&id).and_then(|exchange| exchange.fetch);
                let by_swarm = self.waits_for_swarm(id);
                let waits = fetch.and_then(|fetch| self.fetches.get_mut(&fetch));
                match waits {
                    Some(fetch) if fetch.stream.is_none_or(|stream| stream.held) => {
                        fetch.holes.push(id);
                    }
                    None if by_swarm => {}
                    _ => self.put(Output::Resume { exchange: id }),
                }
            }
            _ => self.answer_anew(id),
        }
    }

    /// An exchange has read its row up to here.
    pub(super) fn on_passed(&mut self, id: ExchangeId, upto: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.at = upto;
        }
    }

    /// A hole is told of by an exchange that follows no row: one that waits to be answered anew
    /// may have been told before to go on.
    pub(super) fn on_missing_nothing(&mut self, id: ExchangeId, begun: bool) {
        let waits = self.exchanges.get(&id).is_some_and(|exchange| exchange.anew && !begun);
        if !waits {
            self.cut(id);
        }
    }

    /// A whole block of a part that is held is here.
    pub(super) fn on_held(&mut self, id: FetchId, (range, digest): (ByteRange, Digest)) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        let Some(stream) = &mut fetch.stream else { return };
        (stream.upto, self.came) = (range.end, self.came + range.len());
        let (row, resource) = (stream.row, fetch.resource);
        self.report.add(Counter::OriginBytes, range.len());
        let (Some(resource), Some(swarm)) = (resource, &mut self.swarm) else { return };
        let segment = SegmentId::holding(resource, range.start);
        let block = segment.block_at(range.start);
        let length = self.index.entry(row).and_then(|entry| entry.length);
        if length.is_some_and(|length| segment.block(block, length) != range) {
            // An origin may send less than it was asked for.
            return;
        }
        let check = swarm.verifier.on_block((segment, block), digest, From::Origin);
        if check == Check::Good && swarm.rows.contains_key(&row) {
            let bytes = u32::try_from(range.len()).unwrap_or(u32::MAX);
            swarm.scheduler.on_block(segment, Arrival { block, from: None, bytes }, self.now);
            self.put(Output::Place { fetch: id });
            self.on_placed(row, range);
            self.note_came(row, Source::Origin, range.len());
            self.settle_doubt(segment, block);
            self.announce(segment);
            self.resume(resource, range);
            let holes = self.fetches.get_mut(&id).map(|fetch| core::mem::take(&mut fetch.holes));
            let holes = holes.unwrap_or_default().into_iter();
            holes.for_each(|exchange| self.put(Output::Resume { exchange }));
            return self.settle(resource);
        }
        if matches!(check, Check::Bad { .. }) {
            self.on_contested(segment);
        }
        // Those who follow the old one cannot go on with the new one's bytes.
        self.drop_entry(row);
        self.give_up(id);
    }
}

/// Whether a row that a record began may go on by another one: a film in one file may be replaced
/// between two parts of it.
pub(super) fn names_alike(entry: &Entry, said: &Statement) -> bool {
    let says = |name| entry.fields.first(name).unwrap_or_default();
    says("etag") == said.etag && says("last-modified") == said.last_modified
}

/// How long records of a topic are doubted of which one was not what the origin has.
const DOUBT: Duration = Duration::from_secs(120);
