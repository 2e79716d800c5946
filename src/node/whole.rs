//! Objects that come from peers on the origin's word on the whole: kept apart until all is here and
//! its sum is what the origin states. Nobody reads them before, and no deadline rests on them.

use super::event::{Arrival, Output};
use super::fetch::Ask;
use super::machine::Machine;
use super::peering::{Parting, PeerOrder};
use super::report::{Counter, FaultKind, Source};
use crate::base::digest::{Digest, Sum};
use crate::base::id::{FetchId, RowId};
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{NodeKey, PeerId};
use crate::base::range::ByteRange;
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::set::Set;
use crate::engine::peers::trust::Sentence;
use crate::engine::schedule::scheduler::Arrival as Block;
use crate::engine::schedule::want::Have;
use crate::wire::http::head::{ResponseHead, Version};
use crate::wire::http::integrity;

/// An object that is kept apart.
pub(super) struct Pending {
    /// What the origin states of it.
    sum: Sum,
    head: ResponseHead,
    pub(super) length: u64,
    /// Where it is kept; no player's request leads there.
    row: RowId,
    came: Came,
}

/// Which blocks came, from whom, and what they were.
type Came = Map<(SegmentId, u8), (NodeKey, Digest)>;

/// What is held against peers until the origin's own bytes tell who lied.
#[derive(Debug)]
pub(super) struct Blame {
    pub(super) sum: Sum,
    came: Came,
}

impl Pending {
    /// The blocks of a segment that came.
    pub(super) fn blocks(&self, segment: SegmentId) -> BlockSet {
        let all = (segment, 0)..=(segment, u8::MAX);
        self.came.range(all).map(|((_, block), _)| *block).collect()
    }

    /// The row that holds it.
    pub(super) const fn row(&self) -> RowId {
        self.row
    }

    fn is_whole(&self) -> bool {
        self.came.len() as u64 == self.length.div_ceil(limits::block::BLOCK)
    }
}

impl super::download::Download {
    /// Whether the row is the one that is kept apart.
    pub(super) fn is_pending(&self, row: RowId) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.row == row)
    }
}

impl Machine {
    /// A peer has all of a segment, of a representation of this sum.
    pub(super) fn on_whole(&mut self, peer: PeerId, segment: SegmentId, sum: Sum) {
        let now = self.now;
        let Some(swarm) = &mut self.swarm else { return };
        let Some(link) = swarm.links.get(&peer) else { return };
        let Some(download) = swarm.downloads.get(&segment.resource) else { return };
        // A record proves each block as it comes: where there is one, it is the better way.
        let open = download.row.is_none()
            && download.sought.contains(&segment)
            && swarm.verifier.record(segment).is_none();
        if !open || !swarm.sums.on || swarm.trust.is_suspect(link.key, now) {
            return;
        }
        swarm.sums.offers.insert((segment, peer), sum);
        match &download.pending {
            Some(_) => self.offer(segment.resource),
            None => self.ask_sum(segment.resource),
        }
    }

    /// Asks the origin what the whole sums up to, if there is the time for all that follows.
    fn ask_sum(&mut self, resource: Digest) {
        let now = self.now;
        let Some(swarm) = &self.swarm else { return };
        let Some(download) = swarm.downloads.get(&resource) else { return };
        let origin = download.ask.locator.origin;
        let rests = |(misses, until): &(u8, _)| *misses >= limits::record::UNSIGNED && now < *until;
        let fits = !download.asked_sum
            && !download.due.urgent
            && download.waits.is_some()
            && download.fetches.is_empty()
            && download.ask.spec.is_none()
            && download.due.at >= now + limits::record::SUM_TIME;
        if !fits || swarm.sums.silent.get(&origin).is_some_and(rests) {
            return;
        }
        if !self.states_digests(origin) {
            return;
        }
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        download.asked_sum = true;
        let (key, locator) = (download.ask.key.clone(), download.ask.locator.clone());
        let mut ask = Ask::alone(key, locator, download.ask.fields.clone());
        for (name, value) in integrity::WANTED {
            ask.fields.set(name, value);
        }
        (ask.method, ask.sums, ask.shared, ask.ahead) = ("HEAD".into(), true, false, false);
        // Somebody has it: until the origin has answered, nobody's turn comes there.
        for (segment, peer, _) in swarm.sums.offers_of(resource) {
            let here = BlockSet(u64::MAX);
            let have = Have { segment, here, coming: BlockSet::NONE, hops: 0 };
            swarm.scheduler.on_have(peer, have, now);
        }
        self.begin(ask, None);
    }

    /// The origin has answered what the whole sums up to, or has not.
    pub(super) fn on_sum(&mut self, id: FetchId, arrival: &Arrival) {
        self.put(Output::Cancel { fetch: id });
        let Some(fetch) = self.forget(id) else { return };
        let Some(resource) = fetch.resource else { return };
        let head = &arrival.head;
        let length = head.fields.first("content-length").and_then(|text| text.parse().ok());
        let stated = integrity::representation(&head.fields).filter(|_| head.status == 200);
        let origin = fetch.ask.locator.origin;
        let until = self.now + limits::record::UNSIGNED_REST;
        let Some(swarm) = &mut self.swarm else { return };
        if stated.is_some() {
            swarm.sums.silent.remove(&origin);
        } else {
            let (misses, rests) = swarm.sums.silent.entry(origin).or_default();
            (*misses, *rests) = (misses.saturating_add(1), until);
        }
        let held: u64 = swarm.pending_bytes();
        let room = self.config.cache.memory.0 / 4;
        let fits = |length: &u64| *length <= limits::record::SUMMED && held + *length <= room;
        let waits = swarm.downloads.get(&resource).is_some_and(|download| {
            download.row.is_none() && download.length.is_none() && download.fetches.is_empty()
        });
        match (stated, length.filter(fits)) {
            (Some(sum), Some(length)) if waits && length > 0 => {
                let mut head = head.clone();
                head.version = Version::Http11;
                self.keep_apart(resource, (sum, length), head);
            }
            _ => self.drop_pending(resource),
        }
    }

    fn keep_apart(&mut self, resource: Digest, (sum, length): (Sum, u64), head: ResponseHead) {
        let row = self.new_row(true);
        self.change_row(row, |row| row.writers += 1);
        self.put(Output::End { row, length });
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        download.pending = Some(Pending { sum, head, length, row, came: Came::new() });
        download.stated = Some(length);
        self.want(resource);
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get(&resource) else { return };
        for segment in download.segments(resource) {
            swarm.scheduler.on_known(segment, segment.blocks(length), self.now);
        }
        self.offer(resource);
        self.make_room();
    }

    /// Tells the scheduler who has the representation that the origin has now.
    fn offer(&mut self, resource: Digest) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get(&resource) else { return };
        let Some(pending) = &download.pending else { return };
        for (segment, peer, sum) in swarm.sums.offers_of(resource) {
            let same = sum == pending.sum;
            let here = if same { segment.blocks(pending.length) } else { BlockSet::NONE };
            let have = Have { segment, here, coming: BlockSet::NONE, hops: 0 };
            swarm.scheduler.on_have(peer, have, self.now);
        }
    }

    /// Whether what a peer says of a segment is put aside, since only those count who have
    /// what the origin states.
    pub(super) fn is_other_content(&self, peer: PeerId, segment: SegmentId) -> bool {
        let Some(swarm) = &self.swarm else { return false };
        let download = swarm.downloads.get(&segment.resource);
        let pending = download.and_then(|download| download.pending.as_ref());
        let offer = swarm.sums.offers.get(&(segment, peer));
        pending.is_some_and(|pending| offer != Some(&pending.sum))
    }

    /// A block came of which no record tells: of an object that is kept apart, it may be one.
    pub(super) fn on_block_apart(
        &mut self,
        (peer, key): (PeerId, NodeKey),
        (segment, block): (SegmentId, u8),
        (digest, length): (Digest, u32),
    ) {
        let Some(swarm) = &mut self.swarm else { return };
        let offer = swarm.sums.offers.get(&(segment, peer)).copied();
        let Some(download) = swarm.downloads.get_mut(&segment.resource) else { return };
        let Some(pending) = &mut download.pending else { return };
        let range = segment.block(block, pending.length);
        let place = (segment, block);
        let fits = range.len() == u64::from(length) && !range.is_empty();
        if offer != Some(pending.sum) || !fits || pending.came.contains_key(&place) {
            return;
        }
        pending.came.insert(place, (key, digest));
        let (row, whole) = (pending.row, pending.is_whole());
        let (length, algorithm) = (pending.length, pending.sum.algorithm());
        let bytes = u32::try_from(range.len()).unwrap_or(u32::MAX);
        let arrival = Block { block, from: Some(peer), bytes };
        swarm.scheduler.on_block(segment, arrival, self.now);
        self.order(PeerOrder::Place { row, range });
        if whole {
            self.order(PeerOrder::Sum { row, length, algorithm });
        }
    }

    /// All of an object that was kept apart is here and summed up.
    pub(super) fn on_whole_summed(&mut self, resource: Digest, sum: Option<Sum>) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        let Some(pending) = download.pending.take() else { return };
        let waits = download.waits.filter(|_| download.row.is_none());
        match waits {
            Some(waits) if sum == Some(pending.sum) => self.adopt(resource, waits, pending),
            _ => {
                let wrong = sum.is_some_and(|sum| sum != pending.sum);
                download.pending = Some(pending);
                self.give_up_whole(resource, wrong);
            }
        }
    }

    /// It is what the origin states: it becomes a stored response like any other.
    fn adopt(&mut self, resource: Digest, id: FetchId, pending: Pending) {
        let Pending { sum, head, length, row, .. } = pending;
        let arrival = Arrival::vouched(id, (head, length), self.now);
        if let Some(fetch) = self.fetches.get_mut(&id) {
            (fetch.ask.spec, fetch.ask.adopts) = (None, Some(row));
        }
        self.report.add(Counter::WholesProven, 1);
        self.on_response(id, &arrival);
        self.forget(id);
        if self.row_of(resource) == Some(row) {
            self.on_placed(row, ByteRange::new(0, length));
            self.note_came(row, Source::Peers, length);
            if let Some(swarm) = &mut self.swarm {
                swarm.sums.on_proven(resource, sum);
            }
        }
        self.change_row(row, |row| row.writers = row.writers.saturating_sub(1));
        let Some(swarm) = &self.swarm else { return };
        for segment in swarm.sought_of(resource) {
            self.announce(segment);
        }
        if self.row_of(resource).is_some() {
            self.settle(resource);
        } else {
            // It may not be kept here, or finds no room: the origin is asked plainly.
            self.end_download(resource);
        }
    }

    /// It is not what the origin states: the origin's own bytes will tell whose lie that is.
    fn give_up_whole(&mut self, resource: Digest, wrong: bool) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        let pending = download.pending.as_mut();
        let blame = pending.filter(|_| wrong).map(|pending| {
            let came = core::mem::take(&mut pending.came);
            Blame { sum: pending.sum, came }
        });
        if let Some(blame) = blame {
            let keys: Set<NodeKey> = blame.came.values().map(|(key, _)| *key).collect();
            if swarm.sums.blames.len() < limits::record::SUMS {
                swarm.sums.blames.insert(resource, blame);
            }
            self.report.add(Counter::WholesWrong, 1);
            let text = "what peers gave of a segment is not what its origin states: it is fetched \
                        again to see whose lie that was";
            self.fault(FaultKind::Peer, text);
            if let (1, Some(only)) = (keys.len(), keys.first()) {
                self.on_lie(*only);
                if let Some(swarm) = &mut self.swarm {
                    swarm.sums.blames.remove(&resource);
                }
            }
        }
        self.fetch_parked(SegmentId { resource, number: 0 });
    }

    /// The origin's bytes are here and sum up: each blamed block is held against them.
    pub(super) fn look_for_liars(&mut self, row: RowId, resource: Digest, blame: Blame) {
        let Some(length) = self.index.entry(row).and_then(|entry| entry.length) else { return };
        let blocks: Vec<(SegmentId, u8)> = blame.came.keys().copied().collect();
        let Some(swarm) = &mut self.swarm else { return };
        swarm.sums.blames.insert(resource, blame);
        for (segment, block) in blocks {
            let range = segment.block(block, length);
            self.order(PeerOrder::Prove { row, range });
        }
    }

    /// The digest of a block of the origin's is known: who gave another one lied.
    pub(super) fn on_blamed(&mut self, segment: SegmentId, block: u8, digest: Digest) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(blame) = swarm.sums.blames.get_mut(&segment.resource) else { return };
        let gave = blame.came.remove(&(segment, block));
        if blame.came.is_empty() {
            swarm.sums.blames.remove(&segment.resource);
        }
        if let Some((key, _)) = gave.filter(|(_, gave)| *gave != digest) {
            self.on_lie(key);
        }
    }

    /// A key gave a block that is not what it says to have.
    pub(super) fn on_lie(&mut self, key: NodeKey) {
        self.report.add(Counter::BadBlocks, 1);
        let Some(swarm) = &mut self.swarm else { return };
        let sentence = swarm.trust.on_bad_block(key, self.now);
        let peer = swarm.links.iter().find(|(_, link)| link.key == key).map(|(peer, _)| *peer);
        match (peer, sentence) {
            (Some(peer), Sentence::Ban) => {
                self.ban(peer, Parting::Liar("it gave blocks that are not what the origin states"));
            }
            (Some(peer), Sentence::Shun) => {
                swarm.scheduler.on_bad(peer, self.now);
                swarm.sums.on_gone(peer);
            }
            (None, Sentence::Ban) => drop(swarm.roster.ban(key, self.now)),
            (None, Sentence::Shun) => {}
        }
    }

    /// What is kept apart is of no use any more, or never will be.
    pub(super) fn drop_pending(&mut self, resource: Digest) {
        let Some(swarm) = &mut self.swarm else { return };
        let offers = swarm.sums.offers_of(resource);
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        let pending = download.pending.take();
        if !download.asked_sum {
            return;
        }
        for (segment, peer, _) in offers {
            swarm.sums.offers.remove(&(segment, peer));
            let (here, coming) = (BlockSet::NONE, BlockSet::NONE);
            swarm.scheduler.on_have(peer, Have { segment, here, coming, hops: 0 }, self.now);
        }
        if let Some(pending) = pending {
            let row = pending.row;
            self.change_row(row, |row| row.writers = row.writers.saturating_sub(1));
            self.want(resource);
        }
    }
}

impl super::swarm::Swarm {
    /// Bytes of memory that are kept for objects of which nobody may read yet.
    pub(super) fn pending_bytes(&self) -> u64 {
        let pending = self.downloads.values().filter_map(|download| download.pending.as_ref());
        pending.map(|pending| pending.length).sum()
    }
}
