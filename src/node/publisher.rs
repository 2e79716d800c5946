//! What publishers say: the record file beside a resource, asked of its origin where a
//! publisher's key is configured.

use super::download::Download;
use super::event::{Arrival, Output};
use super::fetch::Ask;
use super::machine::Machine;
use super::report::{Counter, FaultKind};
use crate::base::digest::Digest;
use crate::base::id::FetchId;
use crate::base::limits;
use crate::config::model::Rung;
use crate::engine::cache::index::Key;
use crate::engine::verify::judge::Verdict;
use crate::wire::record::Record;
use crate::wire::record_file;

impl Machine {
    /// Asks the origin for the record file of a resource that begins to be wanted.
    pub(super) fn ask_publisher(&mut self, resource: Digest) {
        if self.config.network.trusted(Rung::Publisher).is_empty() {
            return;
        }
        let Some(swarm) = &self.swarm else { return };
        let Some(download) = swarm.downloads.get(&resource).filter(|d| d.length.is_none()) else {
            return;
        };
        let locator = record_file::beside(&download.ask.locator);
        let rests =
            |(misses, until): &(u8, _)| *misses >= limits::record::UNSIGNED && self.now < *until;
        if swarm.unsigned.get(&locator.origin).is_some_and(rests) {
            return;
        }
        let fields = download.ask.fields.clone();
        let key = Key { origin: locator.origin, identity: self.identity(&locator) };
        let mut ask = Ask::alone(key, locator, fields);
        (ask.records, ask.shared) = (true, false);
        self.begin(ask, None);
    }

    /// A record file came, or none did.
    pub(super) fn on_record_file(&mut self, id: FetchId, arrival: &Arrival) {
        self.put(Output::Cancel { fetch: id });
        let Some(fetch) = self.forget(id) else { return };
        let date = self.date();
        let Some(swarm) = &mut self.swarm else { return };
        let origin = fetch.ask.locator.origin;
        let asked = |(_, download): &(&Digest, &Download)| {
            record_file::beside(&download.ask.locator) == fetch.ask.locator
        };
        let asked = swarm.downloads.iter().find(asked).map(|(resource, _)| *resource);
        let why = arrival.records.first().map(|record| {
            let is_other = asked.is_some_and(|asked| asked != record.statement.segment.resource);
            if is_other { Some(OTHER) } else { swarm.verifier.why_not(record, date) }
        });
        if why != Some(None) {
            let (misses, until) = swarm.unsigned.entry(origin).or_default();
            (*misses, *until) =
                (misses.saturating_add(1), self.now + limits::record::UNSIGNED_REST);
            if let Some(why) = why.flatten() {
                let name = self.config.origins.get(usize::from(origin.0)).map(|o| &*o.name);
                let text = format!("records of {} do not count: {why}", name.unwrap_or_default());
                self.fault(FaultKind::Peer, &text);
                self.say(log::Level::Warn, text);
            }
            return;
        }
        swarm.unsigned.remove(&origin);
        let wanted = |record: &&Record| {
            let segment = record.statement.segment;
            let download = swarm.downloads.get(&segment.resource);
            download.is_some_and(|d| d.wanted.len_in(segment.window()) > 0)
        };
        // Each costs a signature: those of a film wait until they are wanted.
        let wanted = arrival.records.iter().filter(wanted).take(limits::record::RECORDS_AT_ONCE);
        for record in wanted.collect::<Vec<_>>() {
            let segment = record.statement.segment;
            let Some(swarm) = &mut self.swarm else { return };
            if swarm.verifier.on_record(record.clone(), date, self.now) == Verdict::New {
                self.report.add(Counter::Records, 1);
                self.on_new_record(segment);
            }
        }
    }
}

const OTHER: &str = "they bear another name: 'neap sign' had another --origin or --base than the \
                     devices have, or wrote a name otherwise than the playlist";
