//! A file that is played by ranges: what is asked for of it comes part by part into one row, by
//! way of the swarm as segments in files of their own do.

use super::ahead::Due;
use super::download::Download;
use super::exchange::{forwarded, to_ask};
use super::fetch::Ask;
use super::joining::names_alike;
use super::machine::Machine;
use super::policy::Kin;
use super::serve::{Bring, hole, if_range};
use super::share::blocks_of;
use crate::base::digest::Digest;
use crate::base::id::{ExchangeId, RowId};
use crate::base::limits;
use crate::base::range::{ByteRange, RangeSet};
use crate::base::segment::{BlockSet, SegmentId};
use crate::wire::http::range::Spec;

impl Ask {
    /// Whether it brings blocks for a download of the swarm.
    pub(super) const fn is_of_swarm(&self) -> bool {
        self.fills.is_some() && !self.shared
    }
}

impl Machine {
    /// Lets the swarm bring what an exchange misses of a row that it begins to read; false where it
    /// has no part in it.
    pub(super) fn grow_for(&mut self, id: ExchangeId, (row, gap): (RowId, ByteRange)) -> bool {
        let (Some(exchange), Some(entry)) = (self.exchanges.get(&id), self.index.entry(row)) else {
            return false;
        };
        let wanted = ByteRange::new(gap.start, exchange.wanted(entry.length).end);
        let joins = if_range(entry).is_some();
        let mut ask = Ask::new(exchange, forwarded(&exchange.request.fields));
        (ask.spec, ask.shared) = (exchange.spec(), exchange.may_share());
        let Some((resource, kin, target)) = self.may_ask_peers(&ask) else { return false };
        let due = self.due_now(id, (kin.topic, target));
        (joins || self.is_proven(row, wanted))
            && self.grow((ask, row, wanted), (resource, kin, due))
            && self.comes_by_swarm(id, (row, gap), Bring::Streams)
    }

    /// Fetches ahead what is missing of a range of a stored response; false where it may not join
    /// that, or comes already.
    pub(super) fn grow_ahead(
        &mut self,
        ask: Ask,
        (row, range): (RowId, ByteRange),
        shared: Option<(Digest, Kin, Due)>,
    ) -> bool {
        let Some(entry) = self.index.entry(row) else { return false };
        let Some(length) = entry.length.filter(|_| entry.status == 200) else { return false };
        let Some(gap) = hole(entry, range.overlap(ByteRange::new(0, length))) else { return false };
        let may_join = if_range(entry).is_some();
        let is_fresh = entry.policy.fresh_until() > self.now;
        if !is_fresh || self.filling(row, gap.start, Bring::Streams).is_some() {
            return false;
        }
        if let Some(shared) = shared {
            let wanted = ByteRange::new(gap.start, range.end.min(length));
            self.look_up(row, wanted);
            return (may_join || self.is_proven(row, wanted))
                && self.grow((ask, row, wanted), shared);
        }
        if may_join {
            let span = to_ask(gap, length);
            let spec = Some(Spec::Span(span.start, span.end - 1));
            self.begin(Ask { part: Some(range), fills: Some(row), spec, ..ask }, None);
        }
        may_join
    }

    /// The blocks of a segment that are wanted and neither here nor on their way from the origin.
    pub(super) fn lacking(&self, segment: SegmentId, (row, length): (RowId, u64)) -> BlockSet {
        let swarm = self.swarm.as_ref();
        let download = swarm.and_then(|swarm| swarm.downloads.get(&segment.resource));
        let Some((entry, download)) = self.index.entry(row).zip(download) else {
            return BlockSet::NONE;
        };
        let mut comes = RangeSet::new();
        let fetches = download.fetches.keys().filter_map(|id| self.fetches.get(id)?.ask.span());
        fetches.for_each(|span| comes.insert(span));
        let wanted = segment.touching(segment.blocks(length), &download.wanted);
        wanted.less(blocks_of(entry, segment, length)).less(segment.touching(wanted, &comes))
    }

    /// How many files are fetched ahead: of each, one part after the other.
    pub(super) fn growing(&self) -> usize {
        let downloads = self.swarm.iter().flat_map(|swarm| swarm.downloads.values());
        downloads.filter(|download| download.grows && download.holes.is_empty()).count()
    }

    /// Takes up what a record file has on a range of a row, if one was read.
    pub(super) fn look_up(&mut self, row: RowId, wanted: ByteRange) {
        let resource = self.swarm.as_ref().and_then(|swarm| swarm.rows.get(&row).copied());
        if let Some(resource) = resource {
            let mut ranges = RangeSet::new();
            ranges.insert(wanted);
            self.use_filed(resource, &ranges);
        }
    }

    /// Begins a download of which the head, and a part, is here.
    fn grow(
        &mut self,
        (ask, row, wanted): (Ask, RowId, ByteRange),
        (resource, kin, due): (Digest, Kin, Due),
    ) -> bool {
        let length = self.index.entry(row).and_then(|entry| entry.length);
        let is_vouched = self.rows.get(&row).is_some_and(|row| row.vouched);
        let Some(swarm) =
            self.swarm.as_mut().filter(|swarm| swarm.rows.get(&row) == Some(&resource))
        else {
            return false;
        };
        if let Some(download) = swarm.downloads.get_mut(&resource) {
            if download.row != Some(row) || !download.grows {
                return false;
            }
            download.due.hasten(due);
            download.ends = download.ends.max(due.at + limits::swarm::DOWNLOAD_TIME);
            download.wanted.insert(wanted);
        } else {
            let mut download = Download::new((ask, kin.topic), due, self.now);
            download.wanted.insert(wanted);
            (download.is_vouched, download.grows) = (is_vouched, true);
            swarm.downloads.insert(resource, download);
            self.on_row(resource, row, length);
        }
        self.note_kin(resource, kin);
        self.want(resource);
        self.use_record(resource);
        self.ask_publisher(resource);
        true
    }

    /// Whether what of a range is missing can come though no validator says that parts belong
    /// together, since a record proves each: by the download of its row, or by one that begins.
    pub(super) fn is_proven(&self, row: RowId, wanted: ByteRange) -> bool {
        let Some(swarm) = &self.swarm else { return false };
        let Some(resource) = swarm.rows.get(&row).copied() else { return false };
        let known = |segment: SegmentId| swarm.verifier.record(segment).is_some();
        let Some(download) = swarm.downloads.get(&resource) else {
            let vouched = self.rows.get(&row).is_some_and(|row| row.vouched);
            let Some(entry) = self.index.entry(row).filter(|_| vouched) else { return false };
            let all = ByteRange::new(wanted.start, wanted.end.min(entry.length.unwrap_or(0)));
            return SegmentId::of_range(resource, all).all(|segment| {
                let record = swarm.verifier.record(segment);
                record.is_some_and(|record| names_alike(entry, &record.statement))
            });
        };
        let last = wanted.end.saturating_sub(1).max(wanted.start);
        download.row == Some(row)
            && known(SegmentId::holding(resource, wanted.start))
            && (download.wanted.covers(wanted) || known(SegmentId::holding(resource, last)))
    }
}
