//! What peers want of this node: told what is here, given block by block, never unproven.

use super::fetch::{By, Fetch};
use super::machine::Machine;
use super::peering::{Parting, PeerOrder};
use super::report::Counter;
use super::told::Told;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::peer::{PeerId, Role, Tier};
use crate::base::range::ByteRange;
use crate::base::segment::{BlockSet, SegmentId};
use crate::engine::caps::work::Work;
use crate::engine::peers::slots::Upload;
use crate::engine::schedule::want::Have;
use crate::engine::verify::judge::Verdict;
use crate::wire::message::Message;
use crate::wire::record::Record;

impl Machine {
    /// A new link is told what this node wants.
    pub(super) fn greet(&mut self, peer: PeerId) {
        self.tell_switch(peer);
        let Some(swarm) = &self.swarm else { return };
        let sought = swarm.downloads.iter().flat_map(|(resource, download)| {
            let topic = download.topic;
            download.segments(*resource).into_iter().map(move |segment| (segment, topic))
        });
        for (segment, topic) in sought.collect::<Vec<_>>() {
            if !self.may_share(peer, segment.resource) {
                continue;
            }
            self.tell(peer, Message::Seek { segment, topic });
        }
        self.watch_by(peer);
    }

    /// A peer wants to hear of a segment.
    pub(super) fn on_seek(&mut self, peer: PeerId, segment: SegmentId, topic: Digest) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(link) = swarm.links.get_mut(&peer) else { return };
        let seekers = swarm.sought.entry(segment).or_default();
        let first = seekers.insert(peer, Told::default()).is_none();
        if first {
            link.seeks.push_back(segment);
        }
        if link.seeks.len() > limits::swarm::SEEKS {
            if let Some(oldest) = link.seeks.pop_front() {
                self.on_done(peer, oldest);
            }
        }
        let is_partner = topic != NO_TOPIC && self.is_partner(peer, topic);
        if let Some(swarm) = self.swarm.as_mut().filter(|_| is_partner) {
            swarm.scheduler.on_seek(peer, topic, self.now);
        }
        if !self.may_share(peer, segment.resource) {
            return;
        }
        if let Some(swarm) = &mut self.swarm {
            swarm.files.on_seek(segment);
        }
        self.prove_row(segment);
        self.announce(segment);
        if first && self.lacks_record(segment) && self.closed_to(peer).is_none() {
            self.tell(peer, Message::Seek { segment, topic: NO_TOPIC });
        }
    }

    /// Whether something of a segment is here that only a record is missing for: an earlier run
    /// took it, and nobody plays it.
    fn lacks_record(&self, segment: SegmentId) -> bool {
        let Some(swarm) = &self.swarm else { return false };
        let is_known = swarm.verifier.record(segment).is_some();
        let is_busy = swarm.downloads.contains_key(&segment.resource);
        let row = self.row_of(segment.resource).filter(|_| !is_known && !is_busy);
        let entry = row.and_then(|row| self.index.entry(row));
        let length = entry.and_then(|entry| entry.length);
        let here = entry.zip(length).map(|(entry, length)| blocks_of(entry, segment, length));
        here.is_some_and(|here| !here.is_empty()) && swarm.role != Role::Witness
    }

    /// A peer needs to hear no more of a segment.
    pub(super) fn on_done(&mut self, peer: PeerId, segment: SegmentId) {
        let Some(swarm) = &mut self.swarm else { return };
        if let Some(link) = swarm.links.get_mut(&peer) {
            link.seeks.retain(|sought| *sought != segment);
        }
        if let Some(seekers) = swarm.sought.get_mut(&segment) {
            seekers.remove(&peer);
            if seekers.is_empty() {
                swarm.sought.remove(&segment);
            }
        }
    }

    /// A peer says what it has of a segment.
    pub(super) fn on_have(&mut self, peer: PeerId, have: Have) {
        if self.is_other_content(peer, have.segment) || self.holds_back(peer, have) {
            return;
        }
        let Some(swarm) = &mut self.swarm else { return };
        // At home it is heard as well that what was said to come has come (`schedule/promise.rs`).
        let is_far = swarm.links.get(&peer).is_some_and(|link| link.tier != Tier::Home);
        if let Some(told) = swarm.told(have.segment, peer).filter(|_| is_far) {
            told.theirs = have.here;
        }
        swarm.scheduler.on_have(peer, have, self.now);
        self.announce(have.segment);
    }

    /// A record came from a peer.
    pub(super) fn on_record(&mut self, peer: PeerId, record: Record) {
        if self.is_vote(peer, &record) {
            return self.on_vote(peer, record);
        }
        let segment = record.statement.segment;
        let date = self.date();
        let Some(swarm) = &mut self.swarm else { return };
        let differs = swarm.verifier.differs(&record);
        match swarm.verifier.on_record(record, date, self.now) {
            Verdict::New => {
                self.report.add(Counter::Records, 1);
                if !swarm.downloads.contains_key(&segment.resource) {
                    self.tell(peer, Message::Done { segment });
                }
                self.on_new_record(segment);
            }
            Verdict::Untrusted if differs => self.note_differs(peer, segment),
            Verdict::Expired
                if swarm.links.get(&peer).is_some_and(|link| link.role == Role::Witness) =>
            {
                let text = "what a witness signs is over by this device's clock: nothing is taken \
                            of peers that rests on it. Compare the clocks.";
                self.fault(super::report::FaultKind::Peer, text);
                self.say(log::Level::Warn, text.into());
            }
            Verdict::Known | Verdict::Expired | Verdict::Untrusted => {}
            Verdict::Overrules => {
                let rests = !swarm.verifier.resting(segment).is_empty();
                if rests {
                    self.purge(segment.resource);
                }
                self.on_new_record(segment);
            }
            Verdict::Contradicts => {
                let rests = !swarm.verifier.resting(segment).is_empty();
                if rests && swarm.verifier.is_contested(segment) {
                    self.purge(segment.resource);
                }
                let text = "two records of one segment differ: peers are not used for it";
                self.fault(super::report::FaultKind::Peer, text);
            }
            Verdict::Forged => {
                self.ban(peer, Parting::Liar("it gave a record whose signature is wrong"));
            }
        }
    }

    /// A record is known from now on: what waits for it goes on.
    pub(super) fn on_new_record(&mut self, segment: SegmentId) {
        self.prove_row(segment);
        self.use_record(segment.resource);
        self.announce(segment);
    }

    /// Tells those who seek a segment what has changed of it here.
    pub(super) fn announce(&mut self, segment: SegmentId) {
        let Some(swarm) = &self.swarm else { return };
        let Some(seekers) = swarm.sought.get(&segment) else { return };
        let (here, coming, hops) = self.holding(segment);
        let record = swarm.verifier.record(segment);
        let whole = swarm.sums.proven(segment.resource);
        let (is_known, is_whole, at) = (record.is_some(), whole.is_some(), self.now);
        let theirs = BlockSet::NONE;
        let known = Told { here, coming, hops, record: is_known, whole: is_whole, at, theirs };
        let may_hear = swarm.partners(&self.config, segment.resource);
        let (mut messages, mut closed) = (Vec::new(), None);
        for (peer, told) in seekers {
            let news = known.beyond(told);
            let is_open = news.any() && swarm.links.get(peer).is_some_and(&may_hear);
            if !is_open || swarm.is_too_far(*peer, segment) {
                continue;
            }
            // What a witness says is of use although it gives nothing.
            let cause = self.closed_to(*peer).filter(|_| swarm.role != Role::Witness);
            if cause.is_some() {
                closed = cause;
                continue;
            }
            if let Some(sum) = whole.filter(|_| news.whole) {
                messages.push((*peer, Message::Whole { segment, sum }));
            }
            if let Some(record) = record.filter(|_| news.record) {
                messages.push((*peer, Message::Record(Box::new(record.clone()))));
            }
            if news.blocks {
                messages.push((*peer, Message::Have { segment, here, coming, hops }));
            }
        }
        if let Some(cause) = closed {
            self.rule.governor.on_held(cause, self.now);
        }
        self.tell_news(segment, messages);
    }

    pub(super) fn note_told(&mut self, segment: SegmentId, peer: PeerId, message: &Message) {
        let Some(swarm) = &mut self.swarm else { return };
        let is_whole = swarm.sums.proven(segment.resource).is_some();
        let Some(told) = swarm.told(segment, peer) else { return };
        match message {
            Message::Record(_) => told.record = true,
            // It says that all is here.
            Message::Whole { .. } => told.take_whole(),
            Message::Have { here, coming, hops, .. } => {
                (told.here, told.coming, told.hops) = (*here, *coming, *hops);
                told.at = self.now;
                told.whole &= is_whole;
            }
            _ => {}
        }
    }

    /// What of a segment can be given, what is on its way, and how far away the one is who fetches
    /// it.
    fn holding(&self, segment: SegmentId) -> (BlockSet, BlockSet, u8) {
        let Some(swarm) = &self.swarm else { return (BlockSet::NONE, BlockSet::NONE, 0) };
        let entry = self.row_of(segment.resource).and_then(|row| self.index.entry(row));
        let length = entry.and_then(|entry| entry.length);
        let here = match (entry, length) {
            (Some(entry), Some(length)) => {
                blocks_of(entry, segment, length).and(swarm.verifier.proven(segment))
            }
            _ => BlockSet::NONE,
        };
        let all = length.map_or(BlockSet(u64::MAX), |length| segment.blocks(length));
        let (coming, hops) = swarm.scheduler.coming(segment, self.now);
        // What is here but not proven yet can be given in a moment; a witness proves all it takes.
        let fetched = swarm.role == Role::Witness && self.is_fetched(segment.resource);
        let summed = swarm.sums.is_under_way(segment.resource);
        if fetched || summed || swarm.proving.is_under_way(segment) {
            return (here, all.less(here), 0);
        }
        (here, coming.and(all).less(here), if coming.is_empty() { 0 } else { hops })
    }

    /// Whether a resource is on its way from the origin by a fetch of this node.
    fn is_fetched(&self, resource: Digest) -> bool {
        let same = |fetch: &Fetch| fetch.resource == Some(resource) && fetch.by == By::Origin;
        self.fetches.values().any(same)
    }

    /// The slots have decided something.
    pub(super) fn on_upload(&mut self, upload: Upload) {
        match upload {
            Upload::Give { peer, segment, block } => {
                self.charge_give(peer);
                self.give(peer, segment, block);
            }
            Upload::Deny { peer, segment, blocks } => {
                self.tell(peer, Message::Deny { segment, blocks });
            }
            Upload::Choke(peer) => self.tell(peer, Message::Choke),
            Upload::Unchoke(peer) => self.tell(peer, Message::Unchoke),
        }
    }

    fn give(&mut self, peer: PeerId, segment: SegmentId, block: u8) {
        let (mut here, ..) = self.holding(segment);
        let row = self.row_of(segment.resource).filter(|_| self.may_share(peer, segment.resource));
        let entry = row.and_then(|row| self.index.entry(row));
        let length = entry.and_then(|entry| entry.length);
        let swarm = self.swarm.as_ref();
        let whole = swarm.is_some_and(|swarm| swarm.sums.proven(segment.resource).is_some());
        if let (Some(entry), Some(length), true) = (entry, length, whole) {
            here = blocks_of(entry, segment, length);
        }
        match (row, length) {
            (Some(row), Some(length)) if here.has(block) => {
                let range = segment.block(block, length);
                self.order(PeerOrder::Give { peer, segment, block, row, range });
            }
            _ => {
                let Some(swarm) = &mut self.swarm else { return };
                swarm.slots.on_given(peer, (segment, block, 0), self.now);
            }
        }
    }

    /// A block left, or was not here any more.
    pub(super) fn on_given(&mut self, peer: PeerId, (segment, block): (SegmentId, u8), bytes: u32) {
        let Some(swarm) = &mut self.swarm else { return };
        swarm.slots.on_given(peer, (segment, block, bytes), self.now);
        if let Some(link) = swarm.links.get_mut(&peer) {
            link.given += u64::from(bytes);
        }
        self.book_given(peer, segment.resource, u64::from(bytes));
        self.report.add(Counter::PeerBytesGiven, u64::from(bytes));
        self.note_work(Work { given: u64::from(bytes), ..Work::default() });
    }
}

/// The topic of who plays nothing of a segment and wants its record only.
const NO_TOPIC: Digest = Digest([0; 32]);

/// The blocks of a segment that are in either tier.
pub(super) fn blocks_of(
    entry: &crate::engine::cache::index::Entry,
    segment: SegmentId,
    length: u64,
) -> BlockSet {
    let (mut here, mut rest) = (segment.blocks(length), segment.range(length));
    while let Some(gap) = super::serve::hole(entry, rest) {
        let (first, last) = (segment.block_at(gap.start), segment.block_at(gap.end - 1));
        let before = BlockSet::first(u32::from(first));
        here = here.less(BlockSet::first(u32::from(last) + 1).less(before));
        rest = ByteRange::new(gap.end, rest.end);
    }
    here
}
