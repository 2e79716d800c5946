//! What publishers say: the record file beside a resource, asked of its origin where a
//! publisher's key is configured.

use super::download::Download;
use super::event::{Arrival, Output};
use super::fetch::Ask;
use super::machine::Machine;
use super::report::{Counter, FaultKind};
use super::swarm::Swarm;
use crate::base::digest::Digest;
use crate::base::id::FetchId;
use crate::base::limits;
use crate::base::range::RangeSet;
use crate::base::segment::SegmentId;
use crate::base::time::Instant;
use crate::config::model::Rung;
use crate::engine::cache::index::Key;
use crate::engine::verify::judge::Verdict;
use crate::wire::record::Record;
use crate::wire::record_file;

impl Machine {
    /// Asks the origin for the record file of a resource, where no record of what is wanted of it
    /// is here.
    pub(super) fn ask_publisher(&mut self, resource: Digest) {
        if self.config.network.trusted(Rung::Publisher).is_empty() {
            return;
        }
        let downloads = self.swarm.as_ref().map(|swarm| &swarm.downloads);
        let Some(download) = downloads.and_then(|it| it.get(&resource)) else { return };
        let wanted = download.wanted.clone();
        if self.use_filed(resource, &wanted) {
            return;
        }
        let Some(swarm) = &self.swarm else { return };
        let Some(download) = swarm.downloads.get(&resource) else { return };
        let open = |segment: &SegmentId| swarm.verifier.record(*segment).is_none();
        let (topic, locator) = (download.topic, record_file::beside(&download.ask.locator));
        let is_asked =
            self.fetches.values().any(|it| it.ask.records.is_some() && it.ask.locator == locator);
        if is_asked || !download.segments(resource).iter().any(open) {
            return;
        }
        let rests =
            |(misses, until): &(u8, _)| *misses >= limits::record::UNSIGNED && self.now < *until;
        if swarm.unsigned.get(&topic).is_some_and(rests) {
            return;
        }
        let fields = download.ask.fields.clone();
        let key = Key { origin: locator.origin, identity: self.identity(&locator) };
        let mut ask = Ask::alone(key, locator, fields);
        (ask.records, ask.shared) = (Some(topic), false);
        self.begin(ask, None);
    }

    /// A record file came, or none did.
    pub(super) fn on_record_file(&mut self, id: FetchId, arrival: &Arrival) {
        self.put(Output::Cancel { fetch: id });
        let Some(fetch) = self.forget(id) else { return };
        let Some(topic) = fetch.ask.records else { return };
        let date = self.date();
        let Some(swarm) = &mut self.swarm else { return };
        let asked = |(_, download): &(&Digest, &Download)| {
            record_file::beside(&download.ask.locator) == fetch.ask.locator
        };
        let asked = swarm.downloads.iter().find(asked).map(|(resource, _)| *resource);
        let why = arrival.records.first().map(|record| {
            let is_other = asked.is_some_and(|asked| asked != record.statement.segment.resource);
            if is_other { Some(OTHER) } else { swarm.verifier.why_not(record, date) }
        });
        if why != Some(None) {
            swarm.note_unsigned(topic, self.now);
            if let Some(why) = why.flatten() {
                let origin = usize::from(fetch.ask.locator.origin.0);
                let name = self.config.origins.get(origin).map(|o| &*o.name);
                let text = format!("records of {} do not count: {why}", name.unwrap_or_default());
                self.fault(FaultKind::Peer, &text);
                self.say(log::Level::Warn, text);
            }
            return;
        }
        swarm.unsigned.remove(&topic);
        let Some(resource) = asked else { return };
        let Some(download) = swarm.downloads.get(&resource) else { return };
        let records = &arrival.records;
        let wanted = download.wanted.clone();
        if records.iter().any(|it| wanted.len_in(it.statement.segment.window()) == 0) {
            swarm.filed.keep(resource, (records.clone(), self.now));
        }
        self.take_up(records, &wanted);
    }

    /// Takes up what the record file that was read has of what is wanted; false where no such file
    /// was.
    pub(super) fn use_filed(&mut self, resource: Digest, wanted: &RangeSet) -> bool {
        let Some(swarm) = &mut self.swarm else { return false };
        let Some(records) = swarm.filed.take(resource) else { return false };
        self.take_up(&records, wanted);
        if let Some(swarm) = &mut self.swarm {
            swarm.filed.keep(resource, (records, self.now));
        }
        true
    }

    /// Judges the records of what is wanted. Each costs a signature: those of a film wait.
    fn take_up(&mut self, records: &[Record], wanted: &RangeSet) {
        let date = self.date();
        let Some(swarm) = &self.swarm else { return };
        let records = records.iter().filter(|record| {
            let segment = record.statement.segment;
            wanted.len_in(segment.window()) > 0 && swarm.verifier.record(segment).is_none()
        });
        for record in records.take(limits::record::RECORDS_AT_ONCE).collect::<Vec<_>>() {
            let segment = record.statement.segment;
            let Some(swarm) = &mut self.swarm else { return };
            if swarm.verifier.on_record(record.clone(), date, self.now) == Verdict::New {
                self.report.add(Counter::Records, 1);
                self.on_new_record(segment);
            }
        }
    }
}

impl Swarm {
    /// A topic had no record file that counts once more; where too many had none, that one is
    /// forgotten for which none was asked for longest.
    fn note_unsigned(&mut self, topic: Digest, now: Instant) {
        let full = self.unsigned.len() >= limits::record::UNSIGNED_TOPICS;
        if full && !self.unsigned.contains_key(&topic) {
            let oldest = self.unsigned.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(oldest) = oldest.map(|(topic, _)| *topic) {
                self.unsigned.remove(&oldest);
            }
        }
        let (misses, until) = self.unsigned.entry(topic).or_default();
        (*misses, *until) = (misses.saturating_add(1), now + limits::record::UNSIGNED_REST);
    }
}

/// Record files that were read, of resources with more segments than were wanted at once: films in
/// one file. With each, when it was used last.
#[derive(Default)]
pub(super) struct Filed(Vec<(Digest, Vec<Record>, Instant)>);

impl Filed {
    /// Keeps a file, and of those before it as many as there is room for.
    fn keep(&mut self, resource: Digest, (records, now): (Vec<Record>, Instant)) {
        drop(self.take(resource));
        self.0.push((resource, records, now));
        let blocks = |(_, records, _): &(_, Vec<Record>, _)| {
            records.iter().map(|it| it.statement.blocks.len()).sum::<usize>()
        };
        let bytes = |filed: &Self| filed.0.iter().map(blocks).sum::<usize>() * size_of::<Digest>();
        while self.0.len() > 1 && bytes(self) > limits::record::RECORDS_READ {
            self.0.remove(0);
        }
    }

    fn take(&mut self, resource: Digest) -> Option<Vec<Record>> {
        let place = self.0.iter().position(|(of, ..)| *of == resource)?;
        Some(self.0.remove(place).1)
    }

    /// Lets go of what nobody has used for a while.
    pub(super) fn expire(&mut self, now: Instant) {
        self.0.retain(|(.., used)| now - *used < limits::record::UNSIGNED_REST);
    }
}

const OTHER: &str = "they bear another name: 'neap sign' had another --origin or --base than the \
                     devices have, or wrote a name otherwise than the playlist";
