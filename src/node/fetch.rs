//! Requests to origins: begun, shared by those who wait, given up when nobody needs them.

use core::time::Duration;

use super::event::{Order, Output};
use super::exchange::Exchange;
use super::health::Thing;
use super::machine::Machine;
use super::report::Counter;
use super::serve::if_range;
use super::trouble::{Trouble, TroubleKind};
use crate::base::digest::Digest;
use crate::base::id::{ExchangeId, FetchId, OriginId, RowId};
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::base::set::Set;
use crate::base::time::Instant;
use crate::base::url::Locator;
use crate::engine::cache::index::Key;
use crate::wire::http::conditions;
use crate::wire::http::fields::Fields;
use crate::wire::http::integrity;
use crate::wire::http::range::Spec;

/// What is asked of an origin and why.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) key: Key,
    pub(super) locator: Locator,
    pub(super) method: String,
    /// The player's fields, as they go to the origin.
    pub(super) fields: Fields,
    /// Whose fields they are; none's who waits, where it is fetched before a player asks.
    pub(super) asker: Option<ExchangeId>,
    /// The range that is asked for.
    pub(super) spec: Option<Spec>,
    /// The listed range of which it brings ahead what is missing.
    pub(super) part: Option<ByteRange>,
    /// The row whose hole the answer fills.
    pub(super) fills: Option<RowId>,
    /// The stored response that the origin is to confirm.
    pub(super) validates: Option<RowId>,
    /// Whether other players may share the answer.
    pub(super) shared: bool,
    /// Whether the answer goes to one player as it is.
    pub(super) passes: bool,
    /// Whether it is fetched before a player asks.
    pub(super) ahead: bool,
    /// The topic whose publisher's record file it is.
    pub(super) records: Option<Digest>,
    /// Whether the origin is asked what the whole sums up to.
    pub(super) sums: bool,
    /// A row with all of the content, that the answer's head is for.
    pub(super) adopts: Option<RowId>,
    /// The row of the request's body.
    pub(super) body: Option<(RowId, Option<u64>)>,
    /// Why the cache did not do, in the words of RFC 9211.
    pub(super) why: &'static str,
}

/// A request to an origin under way.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    pub(super) ask: Ask,
    pub(super) base: usize,
    /// Base URLs that were tried, as a bit set.
    pub(super) tried: u32,
    /// The base URL that said it is not there, while others are asked.
    pub(super) absent: Option<usize>,
    /// How often its body was resumed, or it was asked again for the origin's silence.
    pub(super) resumed: u8,
    /// Exchanges without an answer.
    pub(super) waiting: Vec<ExchangeId>,
    /// Exchanges that found a hole which this is to fill.
    pub(super) holes: Vec<ExchangeId>,
    /// Exchanges whose row this fills.
    pub(super) followers: Set<ExchangeId>,
    /// Its body, once the head is here.
    pub(super) stream: Option<Stream>,
    /// Who brings it.
    pub(super) by: By,
    /// When its body began.
    pub(super) begun: Instant,
    /// Bytes that had come from all origins then.
    pub(super) before: u64,
    /// What it is called among peers, where there can be any.
    pub(super) resource: Option<Digest>,
}

impl Fetch {
    /// Whether it may be asked for twice.
    pub(super) fn may_repeat(&self) -> bool {
        self.ask.body.is_none() && matches!(&*self.ask.method, "GET" | "HEAD")
    }
}

/// Who brings what a fetch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The origin was asked.
    Origin,
    /// Nobody was asked yet: those who wait are answered as soon as peers have told its head, or
    /// the origin is asked after all.
    Swarm,
}

/// A body on its way into a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) row: RowId,
    pub(super) at: u64,
    pub(super) upto: u64,
    pub(super) until: Option<u64>,
    pub(super) keep: bool,
    /// Whether nobody may read a block before a record has proven it.
    pub(super) held: bool,
}

impl Ask {
    /// What an exchange asks for.
    pub(super) fn new(exchange: &Exchange, fields: Fields) -> Self {
        Self {
            key: exchange.key.clone(),
            locator: exchange.request.locator.clone(),
            method: exchange.request.method.clone(),
            fields,
            asker: Some(exchange.request.exchange),
            spec: None,
            part: None,
            fills: None,
            validates: None,
            shared: false,
            passes: false,
            ahead: false,
            records: None,
            sums: false,
            adopts: None,
            body: None,
            why: "uri-miss",
        }
    }

    /// Asks for the part that the player wants, on its own condition (RFC 9110, 13.1.5).
    pub(super) fn set_range(&mut self, exchange: &Exchange) {
        self.spec = exchange.spec();
        let condition = exchange.request.fields.first("if-range");
        if let Some(condition) = condition.filter(|_| self.spec.is_some()) {
            self.fields.set("If-Range", condition);
        }
    }

    /// The bytes that are asked for, where they are a single range with both ends.
    pub(super) fn span(&self) -> Option<ByteRange> {
        self.spec.and_then(Spec::span)
    }

    /// Whether an answer to this that is no stored one may serve an exchange: to the origin both
    /// are the same player.
    pub(super) fn speaks_for(&self, exchange: &Exchange) -> bool {
        let cookies = || exchange.request.fields.all("cookie").eq(self.fields.all("cookie"));
        self.asker == Some(exchange.request.exchange) || cookies()
    }

    /// What no player has asked for.
    pub(super) fn alone(key: Key, locator: Locator, fields: Fields) -> Self {
        Self {
            key,
            locator,
            method: "GET".into(),
            fields,
            asker: None,
            spec: None,
            part: None,
            fills: None,
            validates: None,
            shared: true,
            passes: false,
            ahead: true,
            records: None,
            sums: false,
            adopts: None,
            body: None,
            why: "miss",
        }
    }
}

impl Fetch {
    /// Whether a request for `key` and `spec` may wait for this fetch's head.
    pub(super) fn may_be_joined(&self, key: &Key, spec: Option<Spec>) -> bool {
        let first = self.ask.fills.is_none() && self.ask.validates.is_none();
        let open = self.stream.is_none() && self.ask.shared && first;
        open && self.ask.key == *key && (self.ask.spec == spec || self.ask.spec.is_none())
    }

    /// Whether it asks if a stored response still holds.
    pub(super) fn validates(&self, row: RowId) -> bool {
        self.ask.validates == Some(row) && self.ask.shared && self.stream.is_none()
    }
}

impl Machine {
    /// Begins a fetch, for the exchange that waits for it if there is one.
    pub(super) fn begin(&mut self, ask: Ask, waiting: Option<ExchangeId>) -> FetchId {
        let fetch = self.fetch_of(ask, By::Origin);
        let id = self.send(fetch);
        if let Some(exchange) = waiting {
            self.wait_for(exchange, id);
        }
        id
    }

    /// A fetch that nobody waits for yet.
    pub(super) fn fetch_of(&self, ask: Ask, by: By) -> Fetch {
        let origin = usize::from(ask.locator.origin.0);
        let base = self.health.get(origin).map_or(0, |health| health.choose(self.now));
        let resource = self.swarm.as_ref().and_then(|_| self.resource_of(&ask.key));
        Fetch {
            ask,
            base,
            tried: 1 << (base % 32),
            absent: None,
            resumed: 0,
            waiting: Vec::new(),
            holes: Vec::new(),
            followers: Set::new(),
            stream: None,
            by,
            begun: self.now,
            before: self.came,
            resource,
        }
    }

    /// Sends a fetch's order under a new number.
    pub(super) fn send(&mut self, fetch: Fetch) -> FetchId {
        self.report.add(Counter::OriginRequests, 1);
        let id = self.new_fetch();
        let ask = &fetch.ask;
        let mut fields = ask.fields.clone();
        if let Some(entry) = ask.validates.and_then(|row| self.index.entry(row)) {
            conditions::validate(&mut fields, &entry.fields);
        }
        if let Some(spec) = ask.spec {
            fields.set("Range", spec.to_string());
        }
        if self.may_share_whole(ask) {
            let (name, value) = integrity::WANTED[0];
            fields.set(name, value);
        }
        let joins = self.may_be_proven(ask);
        if let Some(condition) =
            ask.fills.filter(|_| !joins).and_then(|row| if_range(self.index.entry(row)?))
        {
            fields.set("If-Range", condition);
        }
        self.mark(&mut fields, (ask.locator.origin, fetch.base));
        let order = Order {
            fetch: id,
            locator: ask.locator.clone(),
            base: fetch.base,
            method: ask.method.clone(),
            fields,
            body: ask.body,
            records: ask.records.is_some(),
            list: self.thing_of(&ask.locator) == Thing::List,
            player: ask.asker.is_some(),
            hold: if ask.locator.target.contains("_HLS_msn=") { HOLD } else { Duration::ZERO },
        };
        for exchange in fetch.waiting.iter().chain(&fetch.followers) {
            if let Some(exchange) = self.exchanges.get_mut(exchange) {
                exchange.fetch = Some(id);
            }
        }
        self.fetches.insert(id, fetch);
        self.put(Output::Fetch(Box::new(order)));
        id
    }

    /// Lets an exchange wait for a fetch's head.
    pub(super) fn wait_for(&mut self, id: ExchangeId, fetch: FetchId) {
        self.join(id, fetch);
        if let Some(fetch) = self.fetches.get_mut(&fetch) {
            fetch.waiting.push(id);
        }
    }

    /// Lets an exchange depend on a fetch.
    pub(super) fn join(&mut self, id: ExchangeId, fetch: FetchId) {
        if let (Some(exchange), Some(under_way)) =
            (self.exchanges.get_mut(&id), self.fetches.get_mut(&fetch))
        {
            exchange.fetch = Some(fetch);
            under_way.followers.insert(id);
        }
    }

    /// An exchange no longer depends on a fetch; one that nobody needs is stopped.
    pub(super) fn leave_fetch(&mut self, id: FetchId, exchange: ExchangeId) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        fetch.followers.remove(&exchange);
        fetch.waiting.retain(|waiting| *waiting != exchange);
        fetch.holes.retain(|waiting| *waiting != exchange);
        if fetch.followers.is_empty() && !fetch.ask.ahead && fetch.by == By::Origin {
            self.stop(id);
        }
    }

    /// Stops a fetch that nobody needs, unless most of it is here.
    pub(super) fn stop(&mut self, id: FetchId) {
        let Some(fetch) = self.fetches.get(&id) else { return };
        let worth_ending = match (&fetch.stream, fetch.ask.validates) {
            (Some(stream), _) => stream.until.is_some_and(|until| {
                let (here, left) = (stream.upto - stream.at, until.saturating_sub(stream.upto));
                stream.keep && left <= here && left <= limits::cache::AHEAD
            }),
            // A confirmation costs a head and serves everybody.
            (None, Some(_)) => fetch.ask.shared,
            (None, None) => false,
        };
        // Nobody waits for those that run on: with memory short they would wait for ever.
        let alone = |fetch: &&Fetch| fetch.followers.is_empty() && fetch.stream.is_some();
        let few = self.fetches.values().filter(alone).count() <= RUN_ON;
        let room = self.memory.used() + limits::cache::AHEAD < self.limit;
        let may_run_on = worth_ending && few && (room || fetch.stream.is_none());
        if !may_run_on {
            self.put(Output::Cancel { fetch: id });
            self.forget(id);
        }
    }

    /// Nothing more is asked of origins that are gone: who waits is told, and a body that comes
    /// may end.
    pub(super) fn end_fetches(&mut self, gone: &[OriginId]) {
        let mut unanswered = Vec::new();
        for (id, fetch) in &mut self.fetches {
            if gone.contains(&fetch.ask.locator.origin) {
                (fetch.tried, fetch.resumed) = (u32::MAX, u8::MAX);
                unanswered.extend(fetch.stream.is_none().then_some(*id));
            }
        }
        for id in unanswered {
            self.put(Output::Cancel { fetch: id });
            let cause = "it is configured no more".into();
            self.on_ended(id, Err(Trouble { kind: TroubleKind::Connect, cause }));
        }
    }

    /// Takes a fetch out of the books.
    pub(super) fn forget(&mut self, id: FetchId) -> Option<Fetch> {
        let fetch = self.fetches.remove(&id)?;
        self.paces.on_fetched(&fetch, self.now);
        if let Some(resource) = fetch.resource {
            let whole = |stream: Stream| {
                let rest = stream.until.map(|until| ByteRange::new(stream.upto, until));
                let entry = self.index.entry(stream.row);
                rest.is_some_and(|rest| {
                    let hole = |entry| super::serve::hole(entry, rest).is_some();
                    rest.is_empty() || entry.is_some_and(|entry| !hole(entry))
                })
            };
            self.on_fetch_over(id, resource, fetch.stream.is_some_and(whole));
        }
        for exchange in &fetch.followers {
            if let Some(exchange) = self.exchanges.get_mut(exchange) {
                exchange.fetch = None;
            }
        }
        if let (Some(stream), Some(swarm)) = (fetch.stream, &mut self.swarm) {
            // Bodies side by side share a line: what it carries is what came of all of them.
            // A few blocks that peers were late with come beside those of other peers, and say
            // nothing.
            let least = if fetch.ask.fills.is_some() { 8 } else { 1 } * limits::block::BLOCK;
            if stream.upto - stream.at >= least {
                let came = self.came - fetch.before;
                swarm.scheduler.on_origin_rate(came, self.now - fetch.begun);
            }
        }
        if let Some((row, _)) = fetch.ask.body {
            self.change_row(row, |row| row.writers = row.writers.saturating_sub(1));
        }
        if let Some(stream) = fetch.stream {
            self.change_row(stream.row, |row| row.writers = row.writers.saturating_sub(1));
            self.drop_if_useless(stream.row);
            if stream.held {
                // What it did not bring is looked for elsewhere.
                let holes = fetch.holes.iter();
                holes.for_each(|exchange| self.put(Output::Resume { exchange: *exchange }));
            }
        }
        Some(fetch)
    }
}

/// Bodies that run on to their end though nobody follows them any more.
const RUN_ON: usize = 8;

/// How long a server may hold a blocking playlist reload: three target durations of six
/// seconds (RFC 8216bis, 6.2.5.2).
const HOLD: Duration = Duration::from_secs(18);
