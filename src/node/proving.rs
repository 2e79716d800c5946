//! Bytes that came from the origin, proven against the record before any peer gets them; and the
//! records that a witness makes of them.

use super::machine::Machine;
use super::peering::PeerOrder;
use super::report::{Counter, FaultKind};
use crate::base::digest::Digest;
use crate::base::id::RowId;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::Role;
use crate::base::range::ByteRange;
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::set::Set;
use crate::engine::cache::index::Entry;
use crate::engine::schedule::scheduler::Arrival;
use crate::engine::verify::judge::Verdict;
use crate::engine::verify::verifier::{Check, From};
use crate::wire::record::{Record, Statement};

/// Which blocks are being proven, and the digests that a witness has taken.
#[derive(Debug, Default)]
pub(super) struct Proving {
    asked: Map<SegmentId, BlockSet>,
    taken: Map<SegmentId, Map<u8, Digest>>,
    signing: Set<SegmentId>,
    /// Blocks that this very run took from the origin: they judge a record, others do not.
    fetched: Map<SegmentId, BlockSet>,
    /// Segments that are held against the origin to judge who vouches for them, and the blocks
    /// that are taken from it for that: no peer may give these.
    audited: Map<SegmentId, BlockSet>,
}

impl Proving {
    /// Whether digests of a segment are being taken.
    pub(super) fn is_under_way(&self, segment: SegmentId) -> bool {
        self.asked.contains_key(&segment) || self.signing.contains(&segment)
    }

    /// A resource's bytes are gone.
    pub(super) fn forget(&mut self, resource: Digest) {
        self.asked.retain(|segment, _| segment.resource != resource);
        self.taken.retain(|segment, _| segment.resource != resource);
        self.signing.retain(|segment| segment.resource != resource);
        self.fetched.retain(|segment, _| segment.resource != resource);
        self.audited.retain(|segment, _| segment.resource != resource);
    }

    /// What comes from the origin of a segment is held against its record in any case; `blocks`
    /// come from there alone.
    pub(super) fn audit(&mut self, segment: SegmentId, blocks: BlockSet) {
        let audited = self.audited.entry(segment).or_default();
        *audited = audited.or(blocks);
    }

    /// Whether a block must come from the origin.
    pub(super) fn is_audited(&self, segment: SegmentId, block: u8) -> bool {
        self.audited.get(&segment).is_some_and(|blocks| blocks.has(block))
    }

    /// Of `blocks`, those that are not being proven yet; they are from now on.
    fn ask(&mut self, segment: SegmentId, blocks: BlockSet) -> BlockSet {
        let asked = self.asked.entry(segment).or_default();
        let new = blocks.less(*asked);
        *asked = asked.or(blocks);
        if asked.is_empty() {
            self.asked.remove(&segment);
        }
        new
    }

    fn done(&mut self, segment: SegmentId, block: u8) {
        if let Some(asked) = self.asked.get_mut(&segment) {
            *asked = asked.less(BlockSet::one(block));
            if asked.is_empty() {
                self.asked.remove(&segment);
            }
        }
    }
}

impl Machine {
    /// Bytes of a row came from the origin: those who may be given them are to be told.
    pub(super) fn on_origin_bytes(&mut self, row: RowId, range: ByteRange) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(resource) = swarm.rows.get(&row).copied() else { return };
        let length = self.index.entry(row).and_then(|entry| entry.length);
        let Some(length) = length else { return };
        for segment in SegmentId::of_range(resource, range) {
            let Some(entry) = self.index.entry(row) else { return };
            let whole = |block: &u8| {
                let bytes = segment.block(*block, length);
                !bytes.overlap(range).is_empty() && entry.present.covers(bytes)
            };
            let blocks: BlockSet = segment.blocks(length).iter().filter(whole).collect();
            if let Some(swarm) = &mut self.swarm {
                let fetched = swarm.proving.fetched.entry(segment).or_default();
                *fetched = fetched.or(blocks);
            }
            let Some(swarm) = &mut self.swarm else { return };
            for block in blocks.iter() {
                let bytes = u32::try_from(segment.block(block, length).len()).unwrap_or(0);
                let arrival = Arrival { block, from: None, bytes };
                swarm.scheduler.on_block(segment, arrival, self.now);
            }
            self.prove(segment, row, blocks);
            if !blocks.is_empty() {
                self.announce(segment);
            }
        }
        self.sum_up(resource);
        self.resume(resource, range);
    }

    /// Has the blocks of a segment proven that are here, where somebody seeks it.
    pub(super) fn prove_row(&mut self, segment: SegmentId) {
        let Some(row) = self.row_of(segment.resource) else { return };
        let Some(entry) = self.index.entry(row) else { return };
        let Some(length) = entry.length else { return };
        let here = super::share::blocks_of(entry, segment, length);
        self.prove(segment, row, here);
        self.sum_up(segment.resource);
    }

    fn prove(&mut self, segment: SegmentId, row: RowId, blocks: BlockSet) {
        let Some(swarm) = &mut self.swarm else { return };
        let record = swarm.verifier.record(segment).is_some();
        let sought = swarm.is_sought(&self.config, segment..=segment);
        let witness = swarm.role == Role::Witness && !record;
        let votes = swarm.voting.needed.is_some() && sought && !record;
        let wanted = (sought || swarm.proving.audited.contains_key(&segment)) && record;
        let fetched = swarm.proving.fetched.get(&segment).copied().unwrap_or_default();
        let entry = self.index.entry(row);
        let fresh = entry.is_some_and(|entry| entry.policy.fresh_until() > self.now);
        // A node vouches for what it took itself. A witness does for what it took in an earlier
        // run too, as long as the origin would say the same.
        let blocks = match (witness, votes) {
            (true, _) if fresh => blocks.less(swarm.verifier.resting(segment)),
            (true, _) | (_, true) => blocks.and(fetched),
            _ => blocks,
        };
        if !wanted && !witness && !votes || swarm.verifier.is_contested(segment) {
            return;
        }
        let taken: BlockSet =
            swarm.proving.taken.get(&segment).into_iter().flatten().map(|(b, _)| *b).collect();
        let open = blocks.less(swarm.verifier.proven(segment)).less(taken);
        let new = swarm.proving.ask(segment, open);
        let length = self.index.entry(row).and_then(|entry| entry.length).unwrap_or_default();
        for block in new.iter() {
            self.order(PeerOrder::Prove { row, range: segment.block(block, length) });
        }
    }

    /// A block's digest was taken.
    pub(super) fn on_proven(&mut self, row: RowId, range: ByteRange, digest: Option<Digest>) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(resource) = swarm.rows.get(&row).copied() else { return };
        let segment = SegmentId::holding(resource, range.start);
        let block = segment.block_at(range.start);
        swarm.proving.done(segment, block);
        let Some(digest) = digest else { return self.announce(segment) };
        self.on_blamed(segment, block, digest);
        let Some(swarm) = &mut self.swarm else { return };
        if swarm.verifier.record(segment).is_none() {
            if swarm.role == Role::Witness || swarm.voting.needed.is_some() {
                swarm.proving.taken.entry(segment).or_default().insert(block, digest);
                self.sign_if_whole(segment, row);
            }
            return;
        }
        let was_of_row = self.is_of_row(segment);
        let Some(swarm) = &mut self.swarm else { return };
        let fetched = swarm.proving.fetched.get(&segment).is_some_and(|set| set.has(block));
        let from = if fetched { From::Origin } else { From::Disk };
        let check = swarm.verifier.on_block((segment, block), digest, from);
        if from == From::Disk && matches!(check, Check::Bad { .. }) {
            // It lay here before, or comes from elsewhere: it is not what is wanted now.
            return self.drop_entry(row);
        }
        if let Check::Bad { .. } = check {
            return self.on_contested(segment);
        }
        if from == From::Origin && check == Check::Good {
            self.settle_doubt(segment, block);
        }
        if !was_of_row && check == Check::Good {
            // What is here is what the record tells of: peers' blocks may join it.
            self.use_record(resource);
        }
        self.announce(segment);
    }

    /// The origin's own bytes are not what a record says: nothing that rests on it stays.
    pub(super) fn on_contested(&mut self, segment: SegmentId) {
        self.report.add(Counter::Contested, 1);
        let text = "a signed record does not fit what the origin sends, so peers are not used for \
                    it: two contents share one URL, or ignore-query names what tells them apart";
        self.report.fault(FaultKind::Peer, text, self.now);
        self.doubt_topic(segment);
        let Some(swarm) = &mut self.swarm else { return };
        let resting = swarm.verifier.resting(segment);
        if !resting.is_empty() {
            self.purge(segment.resource);
        }
        self.announce(segment);
        self.distrust_liars();
    }

    /// All blocks of a segment were taken from the origin: this node says so, signed.
    fn sign_if_whole(&mut self, segment: SegmentId, row: RowId) {
        let date = self.date();
        let Some(entry) = self.index.entry(row) else { return };
        let Some(length) = entry.length else { return };
        let Some(swarm) = &mut self.swarm else { return };
        let Some(taken) = swarm.proving.taken.get(&segment) else { return };
        let whole = u32::try_from(taken.len()).is_ok_and(|n| n == segment.blocks(length).len());
        // Without a date nobody can say until when it holds.
        if !whole || date.is_none() || !swarm.proving.signing.insert(segment) {
            return;
        }
        let blocks = taken.values().copied().collect();
        swarm.proving.taken.remove(&segment);
        let statement = statement(entry, (segment, length, blocks), (self.now, date));
        self.order(PeerOrder::Sign(Box::new(statement)));
    }

    /// Our statement is signed: those who seek the segment hear it.
    pub(super) fn on_signed(&mut self, record: Record) {
        let segment = record.statement.segment;
        let digests = record.statement.blocks.clone();
        let date = self.date();
        let Some(swarm) = &mut self.swarm else { return };
        swarm.proving.signing.remove(&segment);
        if swarm.verifier.on_record(record, date, self.now) != Verdict::New {
            return;
        }
        let all = u32::try_from(digests.len()).map_or(BlockSet::NONE, BlockSet::first);
        swarm.scheduler.on_known(segment, all, self.now);
        for (block, digest) in (0..).zip(digests) {
            swarm.verifier.on_block((segment, block), digest, From::Origin);
        }
        self.report.add(Counter::RecordsSigned, 1);
        self.on_new_record(segment);
    }
}

/// What a witness states of a segment that it took from the origin.
fn statement(
    entry: &Entry,
    (segment, length, blocks): (SegmentId, u64, Vec<Digest>),
    (now, date): (crate::base::time::Instant, Option<crate::base::time::Date>),
) -> Statement {
    let field = |name: &str, bound: usize| {
        let value = entry.fields.first(name).unwrap_or_default();
        let fits = value.len() <= bound && !value.chars().any(char::is_control);
        if fits { value.to_owned() } else { String::new() }
    };
    let lifetime = entry.policy.fresh_until().since(now);
    let lifetime =
        core::time::Duration::from_secs(lifetime.as_secs().min(limits::record::RECORD_TIME));
    let signed = date.unwrap_or_default().0;
    let expires =
        signed.saturating_add(i64::try_from(limits::record::RECORD_TIME).unwrap_or(i64::MAX));
    Statement {
        segment,
        length,
        content_type: field("content-type", limits::record::CONTENT_TYPE),
        etag: field("etag", limits::record::ETAG),
        last_modified: field("last-modified", limits::record::LAST_MODIFIED),
        lifetime,
        blocks,
        expires: crate::base::time::Date(expires),
    }
}
