//! The machine: every input changes it once, then its outputs are drained.
//!
//! The law: `handle` one input, then `poll_output` until it is empty, then nothing happens
//! before the next input or the moment that `poll_timeout` names. No I/O, no clock, no dice.

use std::collections::VecDeque;

use bytes::Bytes;

use super::account::Books;
use super::circle::Mark;
use super::consent::Consent;
use super::disk::Disk;
use super::event::{Input, Output};
use super::exchange::Exchange;
use super::fetch::Fetch;
use super::governor::Rule;
use super::health::Health;
use super::late::Lates;
use super::pace::Paces;
use super::reload::ignored;
use super::report::{Counter, FaultKind, Report, Source};
use super::swarm::Swarm;
use crate::base::id::{ExchangeId, FetchId, OriginId, RowId};
use crate::base::map::Map;
use crate::base::peer::NodeKey;
use crate::base::rng::Rng;
use crate::base::set::Set;
use crate::base::time::{Date, Instant};
use crate::base::url::Places;
use crate::config::model::Config;
use crate::engine::cache::evict::Evict;
use crate::engine::cache::index::{Bounds, Index};
use crate::engine::caps::work::Work;
use crate::engine::timeline::answer::Life;
use crate::engine::timeline::follow::Timeline;
use crate::wire::http::fields::Fields;

/// The engines of one node, joined.
pub struct Machine {
    pub(super) config: Config,
    pub(super) places: Places,
    pub(super) now: Instant,
    /// A moment and what date it was, where the clock was set.
    pub(super) dated: Option<(Instant, Date)>,
    pub(super) index: Index,
    /// The field lines of stored responses, ready to send.
    pub(super) lines: Map<RowId, Bytes>,
    /// Stored responses that were fetched ahead and that no player has asked for yet.
    pub(super) unasked: Set<RowId>,
    pub(super) memory: Evict,
    /// Bytes that the store may hold, as it was told.
    pub(super) limit: u64,
    pub(super) disk: Evict,
    pub(super) rows: Map<RowId, Row>,
    /// Rows that peers may have, where a network is configured.
    pub(super) listed: Map<RowId, super::listed::Row>,
    pub(super) exchanges: Map<ExchangeId, Exchange>,
    /// How a player last asked each origin for media that others may have as well.
    pub(super) manners: Map<OriginId, Fields>,
    pub(super) fetches: Map<FetchId, Fetch>,
    pub(super) health: Vec<Health>,
    pub(super) timeline: Timeline,
    /// Query parameters that do not count for what a resource is.
    pub(super) ignored: Map<OriginId, Vec<String>>,
    pub(super) report: Report,
    /// What has to do with peers; none while sharing is off.
    pub(super) swarm: Option<Swarm>,
    pub(super) books: Books,
    pub(super) consent: Consent,
    pub(super) rng: Rng,
    pub(super) mark: Mark,
    pub(super) paces: Paces,
    pub(super) lates: Lates,
    pub(super) own: Option<(NodeKey, NodeKey)>,
    /// Why this node cannot meet peers at all.
    pub(super) network_fault: Option<String>,
    /// Whether a player waited for the origin at the last input.
    pub(super) awaited: bool,
    /// When something may be fetched ahead again.
    pub(super) ahead_from: Instant,
    /// Bytes that came from all origins.
    pub(super) came: u64,
    pub(super) started: Instant,
    /// Whether the node is in standby.
    pub(super) resting: bool,
    /// The caps.
    pub(super) rule: Rule,
    pub(super) connections: usize,
    pub(super) disk_fault: Option<String>,
    /// Whether what the disk tier holds is memory.
    pub(super) disk_in_memory: bool,
    outputs: VecDeque<Output>,
    last_row: u64,
    last_fetch: u64,
}

/// Who has to do with a row in the store; it is closed when nobody has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    pub(super) readers: u32,
    pub(super) writers: u32,
    /// Bytes that came into it of peers and of the origin.
    pub(super) peers: u64,
    pub(super) origin: u64,
    /// When the last of them came.
    pub(super) came: Instant,
    /// Whether the index knows it.
    pub(super) stored: bool,
    /// Whether a record's head began it: what is in it is as records say.
    pub(super) vouched: bool,
    /// Whether it goes with the last who has to do with it, whatever the index knows.
    pub(super) passes: bool,
}

impl Row {
    /// Whether somebody reads or writes it.
    pub(super) const fn is_busy(&self) -> bool {
        self.readers > 0 || self.writers > 0
    }
}

/// Why the machine wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A stream's playlist or segments leave their time.
    Timeline,
    /// Something of a peer, or of what is wanted of peers, is due.
    Peers,
    /// What was used is to be noted, readings end, or standby begins.
    Caps,
}

impl Machine {
    /// A machine for this configuration; `seed` is a number that strangers cannot guess.
    pub fn new(config: Config, seed: u64, now: Instant) -> Self {
        let health = config.origins.iter().map(|origin| Health::new(origin.urls.len()));
        Self {
            places: config.places(),
            now,
            dated: None,
            index: Index::new(Bounds::default(), seed),
            lines: Map::new(),
            unasked: Set::new(),
            memory: Evict::new(config.cache.memory.0),
            limit: config.cache.memory.0,
            disk: Evict::new(config.cache.disk.0),
            rows: Map::new(),
            listed: Map::new(),
            exchanges: Map::new(),
            manners: Map::new(),
            fetches: Map::new(),
            health: health.collect(),
            timeline: Timeline::new(ignored(&config)),
            paces: Paces::default(),
            lates: Lates::default(),
            ignored: ignored(&config),
            report: Report::new(now),
            swarm: None,
            books: Books::default(),
            consent: Consent::default(),
            rng: Rng::new(seed),
            mark: Mark::new(seed),
            own: None,
            network_fault: None,
            awaited: false,
            ahead_from: Instant::default(),
            came: 0,
            started: now,
            resting: false,
            rule: Rule::new(&config, now),
            connections: 0,
            disk_fault: None,
            disk_in_memory: false,
            outputs: VecDeque::new(),
            last_row: 0,
            last_fetch: 0,
            config,
        }
    }

    /// Takes one input in.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.now = now;
        match input {
            Input::Request(request) => self.on_request(request),
            Input::Missing { exchange, range, begun } => self.on_missing(exchange, range, begun),
            Input::Passed { exchange, upto } => self.on_passed(exchange, upto),
            Input::Left { exchange, sent } => self.on_left(exchange, sent),
            Input::Connections { count } => self.on_connections(count),
            Input::Refused(refusal) => self.on_refused(refusal),
            Input::Head(arrival) => self.on_head(&arrival),
            Input::Received { fetch, upto, waited } => {
                if waited {
                    self.note_held_up(fetch);
                }
                self.on_received(fetch, upto);
            }
            Input::Held { fetch, range, digest } => self.on_held(fetch, (range, digest)),
            Input::Ended { fetch, end } => self.on_ended(fetch, end),
            Input::Disk(disk) => self.on_disk(disk),
            Input::Peer(peering) => self.on_peering(*peering),
            Input::Control(control) => self.on_control(&control),
            Input::Dated(date) => self.dated = Some((now, date)),
            Input::Reading(readings) => self.on_reading(&readings),
            Input::Noted { page, text } => self.on_noted(page, text.as_deref()),
            Input::Stopping => self.on_stopping(),
            Input::Tick => {}
        }
        if !self.resting {
            self.fetch_ahead();
            self.let_go();
        }
        self.swarm_turn();
        self.govern();
    }

    /// Gives the node its key, and the one that it signs records with: only then can it have
    /// peers.
    pub fn know(&mut self, own: NodeKey, signer: NodeKey, now: Instant) {
        self.now = now;
        self.own = Some((own, signer));
        self.configure_swarm();
    }

    /// Notes why this node can have no peers before it is started anew, if that is so.
    pub fn note_network_fault(&mut self, why: Option<String>) {
        self.network_fault = why;
    }

    /// What is to be done, in this order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        if self.resting {
            return None;
        }
        let timeline = self.ahead_timeout().map(|at| (at, Reason::Timeline));
        let (date, has_room) = (self.date(), self.has_link_room());
        let peers = self.swarm.as_ref().and_then(|s| s.poll_timeout(date, has_room, self.now));
        let peers = peers.map(|at| (at, Reason::Peers));
        let caps = self.rule.poll_timeout(self.config.caps.standby_after);
        let caps = caps.map(|at| (at, Reason::Caps));
        timeline.into_iter().chain(peers).chain(caps).min_by_key(|(at, _)| *at)
    }

    fn on_connections(&mut self, count: usize) {
        if count > self.connections {
            self.report.add(Counter::Connections, 1);
        }
        self.connections = count;
    }

    fn on_left(&mut self, id: ExchangeId, sent: u64) {
        let Some(exchange) = self.exchanges.remove(&id) else { return };
        self.leave_holes(id);
        self.note_hung_up(&exchange, sent);
        self.note_sent(&exchange, sent);
        self.note_in_time(&exchange, sent);
        self.note_work(Work { played: sent, ..Work::default() });
        if let Some(fetch) = exchange.fetch {
            self.leave_fetch(fetch, id);
        }
        if let Some(row) = exchange.row {
            self.change_row(row, |row| row.readers = row.readers.saturating_sub(1));
        }
    }

    /// Counts what a player got by who brought it; what came into a row by several sources is
    /// shared out as they brought it.
    fn note_sent(&mut self, exchange: &Exchange, sent: u64) {
        let row = exchange.row.and_then(|row| self.rows.get(&row)).copied().unwrap_or_default();
        let is_hit = exchange.source == Source::Cache;
        let cache = if is_hit { sent } else { exchange.here.min(sent) };
        let came = u128::from(row.peers) + u128::from(row.origin);
        let share = u128::from(sent - cache) * u128::from(row.peers) / came.max(1);
        let peers = u64::try_from(share).unwrap_or(0);
        for (source, bytes) in
            [(Source::Cache, cache), (Source::Peers, peers), (Source::Origin, sent - cache - peers)]
        {
            self.report.bytes(source, bytes, self.now);
        }
    }

    fn on_disk(&mut self, disk: Disk) {
        match disk {
            Disk::Found { token, slice, bytes, header } => {
                self.on_found((token, slice, bytes), &header);
            }
            Disk::Loaded { row, slice, present } => self.on_loaded(row, slice, &present),
            Disk::Persisted { row, slice, bytes } => self.on_persisted(row, slice, bytes),
            Disk::Wrote { ordered, bytes } => self.on_wrote(ordered, bytes),
            Disk::Lost { row, slice } => self.on_lost(row, slice),
            Disk::InMemory => self.disk_in_memory = true,
            Disk::Fault(fault) => {
                if let Some(text) = &fault {
                    self.report.add(Counter::DiskFaults, 1);
                    self.fault(FaultKind::Disk, &text.clone());
                }
                self.disk_fault = fault;
            }
        }
    }

    /// Notes a fault for the status.
    pub(super) fn fault(&mut self, kind: FaultKind, text: &str) {
        self.report.fault(kind, text, self.now);
    }

    /// Orders something done.
    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Says something in the log.
    pub(super) fn say(&mut self, level: log::Level, line: String) {
        self.put(Output::Say(level, line));
    }

    /// A row that nobody has used before.
    pub(super) fn new_row(&mut self, keep: bool) -> RowId {
        self.last_row += 1;
        let row = RowId(self.last_row);
        self.rows.insert(row, Row::default());
        self.put(Output::Open { row, keep });
        row
    }

    /// A number for a fetch.
    pub(super) fn new_fetch(&mut self) -> FetchId {
        self.last_fetch += 1;
        FetchId(self.last_fetch)
    }

    /// Changes who has to do with a row, and closes it when nobody has.
    pub(super) fn change_row(&mut self, id: RowId, change: impl FnOnce(&mut Row)) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        change(row);
        if row.is_busy() || (row.stored && !row.passes) {
            return;
        }
        if row.stored {
            return self.drop_entry(id);
        }
        self.rows.remove(&id);
        self.put(Output::Close { row: id });
    }

    /// The date now, as far as it is known.
    pub(super) fn date(&self) -> Option<Date> {
        let (when, date) = self.dated?;
        let passed = i64::try_from((self.now - when).as_secs()).ok()?;
        Some(Date(date.0.saturating_add(passed)))
    }

    /// Segments that left a live window can't be asked for again: they make room first.
    fn let_go(&mut self) {
        while let Some(gone) = self.timeline.poll_gone(self.now) {
            let identity = self.identity(&gone);
            for row in self.index.invalidate(gone.origin, &identity) {
                self.unstore(row);
            }
        }
    }

    /// Whether the stream says that a resource is live.
    pub(super) fn is_live(&self, locator: &crate::base::url::Locator) -> bool {
        match self.timeline.lifetime(locator) {
            Some(Life::Playlist { live, .. } | Life::Segment { live, .. }) => live,
            Some(Life::Key) | None => false,
        }
    }

    /// Notes where an exchange's bytes come from.
    pub(super) fn set_source(&mut self, id: ExchangeId, source: Source) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.source = source;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::url::Locator;
    use crate::engine::cache::index::Key;
    use crate::node::event::Request;

    #[test]
    fn bytes_count_for_whoever_brought_them() {
        let mut machine = Machine::new(Config::default(), 1, Instant::default());
        let locator = Locator { origin: OriginId(0), target: "/a".into() };
        let key = Key { origin: OriginId(0), identity: "/a".into() };
        let (method, fields) = ("GET".into(), Fields::new());
        let request = Request { exchange: ExchangeId(1), method, locator, fields, body: None };
        let mut exchange = Exchange::new(request, key, Instant::default());
        machine.note_sent(&exchange, 7);
        let row = RowId(1);
        machine.rows.insert(row, Row { peers: 300, origin: 100, ..Row::default() });
        (exchange.row, exchange.here) = (Some(row), 50);
        machine.note_sent(&exchange, 450);
        exchange.source = Source::Cache;
        machine.note_sent(&exchange, 1000);
        let of = |counter| machine.report.value(counter);
        assert_eq!(of(Counter::CacheBytes), 1050);
        assert_eq!(of(Counter::SwarmBytes), 300);
        assert_eq!(of(Counter::PassedBytes), 107);
        assert_eq!(of(Counter::PlayerBytes), 1457);
    }
}
