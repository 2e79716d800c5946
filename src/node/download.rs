//! A resource on its way here by way of the swarm: from peers block by block, from the origin
//! what they do not bring in time.

use super::ahead::Due;
use super::event::{Arrival, Output};
use super::fetch::{Ask, By};
use super::machine::Machine;
use super::policy::Kin;
use super::serve::Bring;
use super::whole::Pending;
use crate::base::digest::Digest;
use crate::base::id::{ExchangeId, FetchId, RowId};
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::Role;
use crate::base::range::{ByteRange, RangeSet};
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::set::Set;
use crate::base::time::Instant;
use crate::engine::schedule::want::Want;
use crate::wire::http::fields::Fields;
use crate::wire::http::head::{ResponseHead, Version};
use crate::wire::message::Message;
use crate::wire::record::Statement;

/// One resource on its way.
pub(super) struct Download {
    /// How its origin is asked for it.
    pub(super) ask: Ask,
    pub(super) topic: Digest,
    /// The bytes that are wanted; the last may lie behind the resource's end.
    pub(super) wanted: RangeSet,
    pub(super) due: Due,
    /// The row, once its head is known.
    pub(super) row: Option<RowId>,
    /// Whether that head is a record's own.
    pub(super) is_vouched: bool,
    /// Whether its row was there before, and this brings a part of it.
    pub(super) grows: bool,
    /// Bytes of the whole resource, once they are known.
    pub(super) length: Option<u64>,
    /// The fetch that players wait for while nothing is known yet.
    pub(super) waits: Option<FetchId>,
    /// Those who wait at a hole, and where.
    pub(super) holes: Map<ExchangeId, u64>,
    /// Fetches from the origin under way, with the segments that each is for.
    pub(super) fetches: Map<FetchId, Vec<SegmentId>>,
    /// Segments that peers know this node to seek.
    pub(super) sought: Set<SegmentId>,
    /// What is kept apart until it is proven by the origin's word on the whole.
    pub(super) pending: Option<Pending>,
    /// Whether the origin was asked for that word.
    pub(super) asked_sum: bool,
    /// Bytes of the whole, as that word has it.
    pub(super) stated: Option<u64>,
    /// Whether its origin had to be asked because waiting longer would have been too late.
    pub(super) is_late: bool,
    /// Whether peers had any time before that.
    pub(super) has_waited: bool,
    /// Since when it is wanted.
    pub(super) begun: Instant,
    /// How often the origin could not be asked.
    pub(super) failures: u8,
    /// When it is given up if nobody waits for it.
    pub(super) ends: Instant,
}

impl Download {
    /// Of nothing yet, for a resource of a topic.
    pub(super) fn new((ask, topic): (Ask, Digest), due: Due, begun: Instant) -> Self {
        Self {
            ask,
            topic,
            wanted: RangeSet::new(),
            due,
            row: None,
            is_vouched: false,
            grows: false,
            length: None,
            waits: None,
            holes: Map::new(),
            fetches: Map::new(),
            sought: Set::new(),
            pending: None,
            asked_sum: false,
            stated: None,
            is_late: false,
            has_waited: false,
            begun,
            failures: 0,
            ends: due.at + limits::swarm::DOWNLOAD_TIME,
        }
    }

    /// The segments that are wanted, as far as the length is known; else the first.
    pub(super) fn segments(&self, resource: Digest) -> Vec<SegmentId> {
        let length = self.length.or(self.stated);
        let mut segments: Vec<SegmentId> = Vec::new();
        for wanted in self.wanted.iter() {
            let end = wanted.end.min(length.unwrap_or(wanted.start + 1));
            let first = SegmentId::holding(resource, wanted.start).number;
            let last = SegmentId::holding(resource, end.saturating_sub(1)).number;
            for number in first..=last.max(first) {
                // Of two neighbouring runs the same segment may hold a part.
                if segments.last().is_none_or(|before| before.number != number) {
                    segments.push(SegmentId { resource, number });
                }
            }
        }
        segments
    }
}

impl Machine {
    /// Begins to want a resource of the swarm, for the exchange that waits for it if there is one.
    pub(super) fn download(
        &mut self,
        ask: Ask,
        waiting: Option<ExchangeId>,
        (resource, kin, due): (Digest, Kin, Due),
    ) {
        self.note_kin(resource, kin);
        let running = self.swarm.as_ref().and_then(|swarm| swarm.downloads.get(&resource));
        let known = running.is_some();
        if waiting.is_some() && running.is_some_and(|download| download.waits.is_none()) {
            // Its head has come and was of no use to others: nothing here will answer this one.
            self.begin(ask, waiting);
            return;
        }
        let wanted = ask.span().unwrap_or(ByteRange::new(0, u64::MAX));
        if !known {
            let waits = self.park(&ask);
            let mut download = Download::new((ask, kin.topic), due, self.now);
            download.wanted.insert(wanted);
            download.waits = Some(waits);
            let Some(swarm) = &mut self.swarm else { return };
            swarm.downloads.insert(resource, download);
        }
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        download.due.hasten(due);
        download.due.urgent |= due.urgent;
        download.ends = download.ends.max(due.at + limits::swarm::DOWNLOAD_TIME);
        if known && !wanted.is_empty() {
            download.wanted.insert(wanted);
        }
        let waits = download.waits;
        if let (Some(exchange), Some(fetch)) = (waiting, waits) {
            self.wait_for(exchange, fetch);
        }
        self.want(resource);
        self.use_record(resource);
        if !known {
            self.ask_publisher(resource);
        }
    }

    /// Tells the scheduler and the peers what is wanted of a resource.
    pub(super) fn want(&mut self, resource: Digest) {
        let downloads = self.swarm.as_ref().map(|swarm| &swarm.downloads);
        let download = downloads.and_then(|downloads| downloads.get(&resource));
        let segments = download.map(|download| download.segments(resource)).unwrap_or_default();
        let segments = segments.into_iter().map(|segment| (segment, self.is_of_row(segment)));
        let segments: Vec<(SegmentId, bool)> = segments.collect();
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        let mut sought = Vec::new();
        for (segment, is_of_row) in segments {
            let known = download.length.filter(|_| is_of_row);
            let all = known.or(download.stated);
            let all = all.map_or(BlockSet::first(64), |length| segment.blocks(length));
            let present = download.row.and_then(|row| self.index.entry(row));
            let here = match (present, download.length, &download.pending) {
                (Some(entry), Some(length), _) => super::share::blocks_of(entry, segment, length),
                (.., Some(pending)) => pending.blocks(segment),
                _ => BlockSet::NONE,
            };
            // What is kept apart may be wrong: then all of it must still come from the origin.
            let again = download.pending.as_ref().map_or(0, |pending| pending.length);
            let spare = swarm.scheduler.origin_time(again);
            let left = (download.due.at - Instant::default()).saturating_sub(spare);
            // Who signs it needs all of it.
            let signs = swarm.role == Role::Witness;
            let needed = if signs { all } else { segment.touching(all, &download.wanted) };
            let want = Want {
                topic: download.topic,
                deadline: Instant::default() + left,
                dry: download.due.dry,
                plays: download.due.plays,
                urgent: download.due.urgent,
                blocks: needed.less(here),
                known: known.is_some() || download.pending.is_some(),
            };
            if swarm.scheduler.want(segment, want, self.now) && download.sought.insert(segment) {
                sought.push((segment, download.topic));
            }
        }
        for (segment, topic) in sought {
            self.tell_all(segment, &Message::Seek { segment, topic });
        }
    }

    /// Lets players wait for a head that no origin was asked for yet.
    fn park(&mut self, ask: &Ask) -> FetchId {
        let fetch = self.fetch_of(ask.clone(), By::Swarm);
        let id = self.new_fetch();
        self.fetches.insert(id, fetch);
        id
    }

    /// A record of a wanted resource is known: its head is, and peers can be asked.
    pub(super) fn use_record(&mut self, resource: Digest) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get(&resource) else { return };
        let segments = download.segments(resource);
        let known = segments.iter().find_map(|s| swarm.verifier.record(*s));
        let Some(statement) = known.map(|record| record.statement.clone()) else { return };
        if download.length.is_none() {
            let (waits, topic) = (download.waits, download.topic);
            self.drop_pending(resource);
            match waits {
                Some(_) if self.is_doubted(topic) => {
                    self.fetch_parked(SegmentId { resource, number: 0 });
                }
                Some(fetch) => self.begin_row(resource, fetch, &statement),
                None => {}
            }
        }
        self.want(resource);
        let Some(swarm) = &self.swarm else { return };
        let Some(download) = swarm.downloads.get(&resource) else { return };
        let Some(length) = download.length else { return };
        for segment in download.segments(resource) {
            let is_of_row = self.is_of_row(segment);
            let Some(swarm) = &mut self.swarm else { return };
            if is_of_row {
                swarm.scheduler.on_known(segment, segment.blocks(length), self.now);
            } else if swarm.verifier.record(segment).is_some() {
                swarm.proving.audit(segment, BlockSet::NONE);
                self.prove_row(segment);
            }
        }
        self.settle(resource);
    }

    /// The head that a record states begins a row, as an origin's would.
    fn begin_row(&mut self, resource: Digest, id: FetchId, statement: &Statement) {
        let mut fields = Fields::default();
        for (name, value) in [
            ("Content-Type", &statement.content_type),
            ("ETag", &statement.etag),
            ("Last-Modified", &statement.last_modified),
        ] {
            if !value.is_empty() {
                fields.push(name, value.clone());
            }
        }
        fields.push("Content-Length", statement.length.to_string());
        // Whoever hands a record on begins no lifetime that outlives it.
        let left = self.date().map(|date| statement.expires.since(date));
        let lifetime = statement.lifetime.min(left.unwrap_or(statement.lifetime));
        fields.push("Cache-Control", format!("max-age={}", lifetime.as_secs()));
        let head = ResponseHead { status: 200, version: Version::Http11, fields };
        let arrival = Arrival::vouched(id, (head, statement.length), self.now);
        if let Some(fetch) = self.fetches.get_mut(&id) {
            fetch.ask.spec = None;
        }
        let swarm = self.swarm.as_mut();
        if let Some(download) = swarm.and_then(|swarm| swarm.downloads.get_mut(&resource)) {
            download.is_vouched = true;
        }
        self.on_response(id, &arrival);
        self.forget(id);
        match self.row_of(resource) {
            Some(row) => self.change_row(row, |row| row.vouched = true),
            // It may not be kept here, or finds no room: the origin is asked plainly.
            None => self.end_download(resource),
        }
    }

    /// A row for a wanted resource begins, from whatever source.
    pub(super) fn on_row(&mut self, resource: Digest, row: RowId, length: Option<u64>) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get_mut(&resource) else { return };
        download.length = length;
        if download.row.replace(row) != Some(row) {
            self.change_row(row, |row| row.writers += 1);
        }
    }

    /// Ends a download of which all that is wanted is here.
    pub(super) fn settle(&mut self, resource: Digest) {
        let Some(swarm) = &self.swarm else { return };
        let Some(download) = swarm.downloads.get(&resource) else { return };
        let (Some(row), Some(length)) = (download.row, download.length) else { return };
        let here = |entry| {
            let wanted = |wanted: ByteRange| wanted.overlap(ByteRange::new(0, length));
            let mut all = download.wanted.iter().map(wanted);
            all.all(|wanted| super::serve::hole(entry, wanted).is_none())
        };
        let whole = self.index.entry(row).is_none_or(here);
        if whole {
            self.end_download(resource);
        }
    }

    /// Lets a download go; those who still wait for it ask the origin plainly.
    pub(super) fn end_download(&mut self, resource: Digest) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.remove(&resource) else { return };
        let segments = download.segments(resource);
        let is_known = segments.iter().any(|segment| swarm.verifier.record(*segment).is_some());
        let vouched = is_known || swarm.sums.proven(resource).is_some();
        for (segment, peer, _) in swarm.sums.offers_of(resource) {
            swarm.sums.offers.remove(&(segment, peer));
        }
        swarm.voting.forget(resource);
        for segment in download.sought.iter().copied() {
            if let Some(swarm) = &mut self.swarm {
                swarm.scheduler.drop(segment, self.now);
            }
            self.tell_all(segment, &Message::Done { segment });
        }
        let was_tried = !download.is_late || download.has_waited;
        self.note_waited(download.topic, (vouched, download.is_late), was_tried);
        self.release(download);
    }

    /// What a download held goes back into the hands of plain serving.
    pub(super) fn release(&mut self, mut download: Download) {
        for exchange in core::mem::take(&mut download.holes).into_keys() {
            self.put(Output::Resume { exchange });
        }
        if let Some(fetch) = download.waits.take().and_then(|id| self.fetches.remove(&id)) {
            if fetch.waiting.is_empty() {
                for exchange in &fetch.followers {
                    if let Some(exchange) = self.exchanges.get_mut(exchange) {
                        exchange.fetch = None;
                    }
                }
            } else {
                self.send(super::fetch::Fetch { by: By::Origin, ..fetch });
            }
        }
        if let Some(pending) = download.pending.take() {
            let row = pending.row();
            self.change_row(row, |row| row.writers = row.writers.saturating_sub(1));
        }
        if let Some(row) = download.row {
            self.change_row(row, |row| row.writers = row.writers.saturating_sub(1));
            self.drop_if_useless(row);
        }
    }

    /// Ends downloads that nobody waits for any more.
    pub(super) fn end_late_downloads(&mut self) {
        let Some(swarm) = &mut self.swarm else { return };
        let late = |download: &Download| download.ends <= self.now;
        let late = swarm.downloads.iter().filter(|(_, download)| late(download));
        for resource in late.map(|(resource, _)| *resource).collect::<Vec<_>>() {
            let Some(swarm) = &self.swarm else { return };
            let Some(download) = swarm.downloads.get(&resource) else { continue };
            let waits = download.waits.and_then(|id| self.fetches.get(&id));
            let awaited = waits.is_some_and(|fetch| !fetch.followers.is_empty());
            let fills = |row, at: &u64| self.filling(row, *at, Bring::Streams).is_some();
            let mut rows = download.row.into_iter();
            let fills = rows.any(|row| download.holes.values().any(|at| fills(row, at)));
            // Who reads behind a fetch that runs has come to no hole, and waits for it none the
            // less.
            let runs = || download.fetches.keys().any(|id| self.fetches.contains_key(id));
            let follows = download.holes.is_empty() && runs();
            let more = if awaited {
                limits::swarm::DOWNLOAD_TIME
            } else if follows || fills {
                limits::swarm::HOLE_TIME
            } else {
                self.end_download(resource);
                continue;
            };
            let download = self.swarm.as_mut().and_then(|s| s.downloads.get_mut(&resource));
            if let Some(download) = download {
                download.ends = self.now + more;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::base::id::OriginId;
    use crate::base::peer::NodeKey;
    use crate::base::url::{Locator, Url};
    use crate::config::model::{Config, Origin};
    use crate::config::secret::Secret;
    use crate::engine::cache::index::Key;

    #[test]
    fn a_fetch_that_is_sent_again_stays_with_its_download() {
        let mut config = Config::default();
        config.network.name = "net".into();
        config.network.secret = Secret::new(vec![1; 16]).ok();
        let base = Url::parse("http://192.0.2.1/").expect("a URL");
        config.origins.push(Origin::new("tv".into(), base));
        let now = Instant::from_micros(5_000_000);
        let mut machine = Machine::new(config, 7, now);
        machine.know(NodeKey([1; 32]), NodeKey([1; 32]), now);
        let locator = Locator { origin: OriginId(0), target: "/a.ts".into() };
        let key = Key { origin: locator.origin, identity: "/a.ts".into() };
        let (ask, resource) = (Ask::alone(key, locator, Fields::default()), Digest::of(b"a"));
        let segment = SegmentId { resource, number: 0 };
        let mut fetch = machine.fetch_of(ask.clone(), By::Origin);
        fetch.resource = Some(resource);
        let first = machine.send(fetch);
        let due = Due { at: now, dry: now, plays: Duration::ZERO, urgent: false };
        let mut download = Download::new((ask, Digest::of(b"topic")), due, now);
        download.fetches.insert(first, vec![segment]);
        let swarm = machine.swarm.as_mut().expect("a network");
        swarm.downloads.insert(resource, download);
        assert!(machine.send_again(first, |fetch| fetch.resumed += 1));
        let swarm = machine.swarm.as_ref().expect("a network");
        let fetches: Vec<_> = swarm.downloads[&resource].fetches.clone().into_iter().collect();
        let [(next, segments)] = &fetches[..] else { panic!("one fetch: {fetches:?}") };
        assert!(*next != first && machine.fetches.contains_key(next), "{next:?}");
        assert_eq!(segments, &[segment]);
    }
}
