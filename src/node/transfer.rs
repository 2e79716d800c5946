//! Bytes of a download: asked of peers and of the origin as the scheduler says, placed, read.

use core::time::Duration;

use super::ahead::Due;
use super::event::Output;
use super::fetch::By;
use super::machine::Machine;
use super::peering::{Parting, PeerOrder};
use super::report::{Counter, Source};
use super::serve::{Bring, if_range};
use crate::base::digest::Digest;
use crate::base::id::{ExchangeId, FetchId, RowId};
use crate::base::limits;
use crate::base::peer::PeerId;
use crate::base::range::ByteRange;
use crate::base::segment::{BlockSet, SegmentId};
use crate::engine::caps::work::Work;
use crate::engine::peers::trust::Sentence;
use crate::engine::schedule::scheduler::Arrival;
use crate::engine::schedule::want::{Step, Why};
use crate::engine::verify::verifier::{Check, From};
use crate::wire::http::range::Spec;
use crate::wire::message::Message;

impl Machine {
    /// The scheduler has decided something.
    pub(super) fn on_step(&mut self, step: Step) {
        match step {
            // It offered this before it was known where that belongs, or whose word it rests on.
            Step::Ask { peer, segment, blocks, .. }
                if self.is_too_far(peer, segment) || !self.may_share(peer, segment.resource) =>
            {
                let Some(swarm) = &mut self.swarm else { return };
                swarm.scheduler.on_deny(peer, (segment, blocks), self.now);
            }
            Step::Ask { peer, segment, blocks, within } => {
                let blocks = self.grant_blocks(peer, (segment, blocks));
                if !blocks.is_empty() {
                    if let Some(link) = self.swarm.as_mut().and_then(|s| s.links.get_mut(&peer)) {
                        link.asked = link.asked.saturating_add(blocks.len().into());
                    }
                    self.tell(peer, Message::Want { segment, blocks, within });
                }
            }
            Step::Cancel { peer, segment, blocks } => {
                self.tell(peer, Message::Cancel { segment, blocks });
            }
            Step::Origin { segment, blocks, why } => self.ask_origin(segment, blocks, why),
        }
    }

    fn is_too_far(&self, peer: PeerId, segment: SegmentId) -> bool {
        self.swarm.as_ref().is_some_and(|swarm| swarm.is_too_far(peer, segment))
    }

    /// Has the origin asked for a resource, or for blocks of it.
    fn ask_origin(&mut self, segment: SegmentId, blocks: Option<BlockSet>, why: Why) {
        let swarm = self.swarm.as_mut();
        let download = swarm.and_then(|swarm| swarm.downloads.get_mut(&segment.resource));
        if let Some(download) = download.filter(|_| why == Why::Late) {
            let fetch = download.waits.and_then(|id| self.fetches.get(&id));
            let is_awaited = fetch.is_some_and(|fetch| !fetch.followers.is_empty());
            let all = download.length.map_or(1, |length| segment.blocks(length).len());
            let is_much = blocks.is_none_or(|late| late.len() * LATE_PART >= all);
            download.is_late |= is_much && (is_awaited || !download.holes.is_empty());
            download.has_waited |= self.now - download.begun >= WAITED;
        }
        self.report.add(
            match why {
                Why::First | Why::Elected => Counter::OriginElected,
                Why::Late | Why::Nobody => Counter::OriginLate,
            },
            1,
        );
        let resource = segment.resource;
        let Some(swarm) = &mut self.swarm else { return };
        let is_known = swarm.verifier.record(segment).is_some();
        let Some(download) = swarm.downloads.get_mut(&resource) else {
            return swarm.scheduler.drop(segment, self.now);
        };
        let entry = download.row.and_then(|row| self.index.entry(row));
        if entry.is_some_and(|entry| if_range(entry).is_none()) && !is_known {
            // Nothing says that what it sends now belongs to what is here.
            return self.end_download(resource);
        }
        match (download.row, download.length, blocks) {
            (Some(row), Some(length), Some(blocks)) => {
                self.ask_runs(segment, (row, length), blocks);
            }
            (Some(row), Some(length), None) => {
                // Of a file that is played by ranges, no more than these.
                let all = segment.blocks(length);
                let lacks = download.grows.then(|| self.lacking(segment, (row, length)));
                self.ask_runs(segment, (row, length), lacks.unwrap_or(all));
            }
            _ => self.fetch_parked(segment),
        }
    }

    /// The fetch that players wait for goes to the origin after all.
    pub(super) fn fetch_parked(&mut self, segment: SegmentId) {
        let resource = segment.resource;
        self.drop_pending(resource);
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        let Some(waits) = download.waits.take() else { return };
        let Some(mut fetch) = self.fetches.remove(&waits) else { return };
        fetch.by = By::Origin;
        let id = self.send(fetch);
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        download.fetches.insert(id, vec![segment]);
        self.announce(segment);
    }

    /// Asks the origin for each run of blocks.
    pub(super) fn ask_runs(
        &mut self,
        segment: SegmentId,
        (row, length): (RowId, u64),
        blocks: BlockSet,
    ) {
        for (first, count) in blocks.runs() {
            let start = segment.block(first, length).start;
            let last = u8::try_from(u32::from(first) + count - 1).unwrap_or(63);
            let end = segment.block(last, length).end;
            if end <= start {
                continue;
            }
            let Some(swarm) = &mut self.swarm else { return };
            let Some(download) = swarm.downloads.get(&segment.resource) else { return };
            let mut ask = download.ask.clone();
            (ask.fills, ask.spec) = (Some(row), Some(Spec::Span(start, end - 1)));
            (ask.shared, ask.ahead) = (false, true);
            let id = self.begin(ask, None);
            let Some(swarm) = &mut self.swarm else { return };
            if let Some(download) = swarm.downloads.get_mut(&segment.resource) {
                download.fetches.insert(id, vec![segment]);
            }
        }
        self.announce(segment);
    }

    /// A fetch left the books; `good`: it brought all that it was for.
    pub(super) fn on_fetch_over(&mut self, id: FetchId, resource: Digest, good: bool) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        let Some(segments) = download.fetches.remove(&id) else { return };
        if !good {
            download.failures = download.failures.saturating_add(1);
        }
        let failed = download.failures >= limits::swarm::DOWNLOAD_FAILURES;
        let headless = download.row.is_none();
        // Of a segment several parts may be on their way at once.
        let more =
            |segment: &SegmentId| download.fetches.values().any(|others| others.contains(segment));
        for segment in segments.into_iter().filter(|segment| !more(segment)) {
            swarm.scheduler.on_origin_ended(segment, good, self.now);
        }
        if failed || headless {
            self.end_download(resource);
        } else {
            self.settle(resource);
        }
    }

    /// A block came from a peer.
    pub(super) fn on_block(
        &mut self,
        peer: PeerId,
        (segment, block): (SegmentId, u8),
        (digest, length): (Digest, u32),
    ) {
        self.note_work(Work { taken: u64::from(length), ..Work::default() });
        let Some(swarm) = &mut self.swarm else { return };
        let Some(link) = swarm.links.get_mut(&peer) else { return };
        let key = link.key;
        if link.asked == 0 {
            return self.ban(peer, Parting::Breach("it gives what it was not asked for"));
        }
        link.asked -= 1;
        link.taken += u64::from(length);
        swarm.slots.on_taken(peer, length, self.now);
        self.report.add(Counter::PeerBytesTaken, u64::from(length));
        let is_known = swarm.verifier.record(segment).is_some();
        if is_known && swarm.downloads.contains_key(&segment.resource) && !self.is_of_row(segment) {
            // Its row was begun meanwhile by what may be another representation.
            let Some(swarm) = &mut self.swarm else { return };
            return swarm.scheduler.on_deny(peer, (segment, BlockSet::one(block)), self.now);
        }
        let Some(swarm) = &mut self.swarm else { return };
        // Who vouch for a segment together alone are judged by blocks of the origin's: a block that
        // was not asked for must not come before these, nor in the place of one.
        let asked = swarm.scheduler.is_asked(peer, segment, block);
        if swarm.verifier.is_by_quorum(segment)
            && (!asked || swarm.proving.is_audited(segment, block))
        {
            return swarm.scheduler.on_deny(peer, (segment, BlockSet::one(block)), self.now);
        }
        match swarm.verifier.on_block((segment, block), digest, From::Peer(key)) {
            Check::Good => {}
            Check::Unknown => {
                self.on_block_apart((peer, key), (segment, block), (digest, length));
                return;
            }
            Check::Bad { .. } => {
                self.report.add(Counter::BadBlocks, 1);
                if swarm.verifier.is_by_quorum(segment) {
                    return self.doubt((peer, key), (segment, block));
                }
                swarm.scheduler.on_bad(peer, self.now);
                if swarm.trust.on_bad_block(key, self.now) == Sentence::Ban {
                    self.ban(peer, Parting::Liar("it gave blocks that are not what was signed"));
                }
                return;
            }
        }
        self.book_taken(peer, segment.resource, u64::from(length));
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get(&segment.resource) else { return };
        let (Some(row), Some(whole)) = (download.row, download.length) else { return };
        let range = segment.block(block, whole);
        if range.len() != u64::from(length) {
            return;
        }
        let arrival = Arrival { block, from: Some(peer), bytes: length };
        swarm.scheduler.on_block(segment, arrival, self.now);
        self.order(PeerOrder::Place { row, range });
        self.paces.on_block(range.len(), self.now);
        self.on_placed(row, range);
        self.note_came(row, Source::Peers, range.len());
        self.announce(segment);
        self.resume(segment.resource, range);
        self.settle(segment.resource);
    }

    /// Resumes those who waited for bytes of `range`.
    pub(super) fn resume(&mut self, resource: Digest, range: ByteRange) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        let inside = |at: &u64| range.start <= *at && *at < range.end;
        let ready: Vec<ExchangeId> =
            download.holes.iter().filter(|(_, at)| inside(at)).map(|(id, _)| *id).collect();
        download.holes.retain(|_, at| !inside(at));
        ready.into_iter().for_each(|exchange| self.put(Output::Resume { exchange }));
    }

    /// An exchange comes to a hole of a row: whether the swarm brings what is missing.
    pub(super) fn comes_by_swarm(
        &mut self,
        id: ExchangeId,
        (row, gap): (RowId, ByteRange),
        by: Bring,
    ) -> bool {
        let due = self.due_of(id);
        let Some(swarm) = &self.swarm else { return false };
        let Some(resource) = swarm.rows.get(&row).copied() else { return false };
        if !self.brings((resource, row), gap) {
            return false;
        }
        // A fetch that has passed the hole waits for its reader: both would wait for ever.
        let passed = self.filling(row, gap.start, by).is_none();
        let segment = SegmentId::holding(resource, gap.start);
        let Some(swarm) = &mut self.swarm else { return false };
        let known = swarm.verifier.record(segment).is_some();
        let Some(download) = swarm.downloads.get_mut(&resource) else { return false };
        let joins = self.index.entry(row).and_then(if_range).is_some();
        if passed && !known && joins && !download.grows {
            // Without a record the swarm could only fetch all of it once more.
            return false;
        }
        download.holes.insert(id, gap.start);
        download.due.hasten(due);
        download.ends = download.ends.min(self.now.max(due.at) + limits::swarm::HOLE_TIME);
        self.want(resource);
        if passed {
            let Some(swarm) = &mut self.swarm else { return true };
            swarm.scheduler.on_passed(segment, segment.block_at(gap.start), self.now);
        }
        true
    }

    /// Whether the download of a row brings a hole. One that runs takes it on where a record
    /// proves each block: then parts may join although no validator says that they belong
    /// together.
    fn brings(&mut self, (resource, row): (Digest, RowId), gap: ByteRange) -> bool {
        let Some(swarm) = &mut self.swarm else { return false };
        let record = swarm.verifier.record(SegmentId::holding(resource, gap.start));
        let proven = record.is_some() && gap.len() <= limits::swarm::SWARM_RANGE;
        let download = swarm.downloads.get_mut(&resource);
        let Some(download) = download.filter(|download| download.row == Some(row)) else {
            return false;
        };
        if proven {
            download.wanted.insert(gap);
        }
        download.wanted.run_end(gap.start) > gap.start
    }

    /// When the rest of what an exchange reads is due: a player that holds enough can wait.
    fn due_of(&self, id: ExchangeId) -> Due {
        let listed = self.exchanges.get(&id).and_then(|exchange| {
            let listed = self.timeline.listed(&exchange.request.locator, None)?;
            Some((self.topic_of(&listed)?, listed.target))
        });
        let soon = self.now + limits::swarm::PLAYING_DUE;
        let unknown = Due { at: soon, dry: soon, plays: Duration::ZERO, urgent: false };
        listed.map_or(unknown, |stream| self.due_now(id, stream))
    }

    /// An exchange waits no more.
    pub(super) fn leave_holes(&mut self, id: ExchangeId) {
        let Some(swarm) = &mut self.swarm else { return };
        for download in swarm.downloads.values_mut() {
            download.holes.remove(&id);
        }
    }

    /// Whether an exchange waits at a hole that the swarm fills.
    pub(super) fn waits_for_swarm(&self, id: ExchangeId) -> bool {
        let swarm = self.swarm.as_ref();
        swarm.is_some_and(|swarm| swarm.downloads.values().any(|d| d.holes.contains_key(&id)))
    }

    /// Bytes were placed into a row.
    pub(super) fn on_placed(&mut self, row: RowId, range: ByteRange) {
        self.index.change(row, |entry| entry.present.insert(range));
        for (slice, part) in super::keep::slices(row, range) {
            self.memory.grow(slice, part.len());
        }
        self.complete_slices(row, range.start, range.end);
        self.make_room();
    }
}

/// Who asks the origin sooner after it began has not waited for peers.
const WAITED: Duration = Duration::from_millis(100);

/// Fewer of a segment's blocks than one in so many are a tail that the origin brings in a moment:
/// for these alone the next segment is not waited for less long.
const LATE_PART: u32 = 4;
