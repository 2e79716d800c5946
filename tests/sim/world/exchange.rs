//! One request of a player as the port follows it: answered, read from its row, left.

use std::time::Duration;

use neap::base::id::{ExchangeId, OriginId, RowId};
use neap::base::limits;
use neap::base::range::ByteRange;
use neap::base::url::Locator;
use neap::node::event::{Answer, Content, Input, Request};
use neap::wire::http::fields::Fields;

use super::calendar::Event;
use super::library::{Access, ContentId, Thing};
use super::store::moved;
use super::turn::World;

/// A request under way.
#[derive(Debug)]
pub struct Exchange {
    pub player: usize,
    pub thing: Thing,
    /// The bytes of the resource that were asked for.
    pub range: Option<ByteRange>,
    pub began: neap::base::time::Instant,
    answer: Option<Answer>,
    pub row: Option<RowId>,
    position: u64,
    start: u64,
    end: Option<u64>,
    /// It told of a hole and waits.
    waits: bool,
    cut: bool,
    /// What came: contents with their bytes, in order.
    pub got: Vec<(ContentId, ByteRange)>,
    pub sent: u64,
}

/// How a request ended for the player.
#[derive(Debug)]
pub struct Outcome {
    pub thing: Thing,
    pub range: Option<ByteRange>,
    pub status: u16,
    /// Whether all that was promised came.
    pub whole: bool,
    pub got: Vec<(ContentId, ByteRange)>,
    pub bytes: u64,
    pub took: Duration,
}

impl World {
    /// A player asks its node.
    pub fn ask(
        &mut self,
        node: usize,
        player: usize,
        (thing, range): (Thing, Option<ByteRange>),
    ) -> ExchangeId {
        let now = self.now();
        let access = self.library.shows[thing.show()].access;
        let seat = &mut self.nodes[node];
        seat.last_exchange += 1;
        let exchange = ExchangeId(seat.last_exchange);
        let mut fields: Fields =
            [("Host", "127.0.0.1"), ("User-Agent", "sim")].into_iter().collect();
        if let Some(range) = range {
            fields.push("Range", format!("bytes={}-{}", range.start, range.end - 1));
        }
        if access == Access::Authorized && thing.is_media() {
            fields.push("Authorization", "Bearer x");
        }
        let locator = Locator { origin: OriginId(0), target: format!("{}?t={node}", thing.path()) };
        let under_way = Exchange {
            player,
            thing,
            range,
            began: now,
            answer: None,
            row: None,
            position: 0,
            start: 0,
            end: None,
            waits: false,
            cut: false,
            got: Vec::new(),
            sent: 0,
        };
        seat.exchanges.insert(exchange, under_way);
        self.checks.answers.asked(node, exchange, now);
        let request = Request { exchange, method: "GET".into(), locator, fields, body: None };
        self.submit(node, Input::Request(request));
        exchange
    }

    /// The machine answers; the exchange hears of it when the turn is over.
    pub fn on_answer(&mut self, node: usize, id: ExchangeId, answer: Answer) {
        let known = self.nodes[node].exchanges.contains_key(&id);
        let anew = self.nodes[node].exchanges.get(&id).is_some_and(|it| it.waits && it.sent == 0);
        self.checks.answers.answered((node, id), known, anew);
        if anew {
            self.begin_anew(node, id);
        }
        if let Content::Row { row, start, end } = answer.content {
            let open = self.nodes[node].store.rows.get_mut(&row);
            self.checks.assert(open.is_some(), || format!("node {node}: {id} gets a closed row"));
            if let (Some(open), true) = (open, known) {
                open.readers.insert(id, start);
                open.had_reader = true;
            }
            if let Some(exchange) = self.nodes[node].exchanges.get_mut(&id) {
                (exchange.row, exchange.position, exchange.start) = (Some(row), start, start);
                exchange.end = end;
            }
        }
        if let Some(exchange) = self.nodes[node].exchanges.get_mut(&id) {
            exchange.answer = Some(answer);
            self.nodes[node].stirred.insert(id);
        }
    }

    /// Another answer comes before anything of the first one went out.
    fn begin_anew(&mut self, node: usize, id: ExchangeId) {
        let Some(exchange) = self.nodes[node].exchanges.get_mut(&id) else { return };
        exchange.waits = false;
        let row = exchange.row.take();
        if let Some(open) = row.and_then(|row| self.nodes[node].store.rows.get_mut(&row)) {
            open.readers.remove(&id);
            open.let_pass();
        }
    }

    pub fn on_resume(&mut self, node: usize, id: ExchangeId) {
        if let Some(exchange) = self.nodes[node].exchanges.get_mut(&id) {
            exchange.waits = false;
            self.nodes[node].stirred.insert(id);
        }
    }

    pub fn on_cut(&mut self, node: usize, id: ExchangeId) {
        self.checks.answers.cut(node, id);
        if let Some(exchange) = self.nodes[node].exchanges.get_mut(&id) {
            exchange.cut = true;
            self.nodes[node].stirred.insert(id);
        }
    }

    /// An exchange goes on as far as it can.
    pub fn follow(&mut self, node: usize, id: ExchangeId) {
        loop {
            let seat = &mut self.nodes[node];
            let Some(exchange) = seat.exchanges.get_mut(&id) else { return };
            if exchange.cut {
                return self.finish(node, id, false);
            }
            let Some(answer) = &exchange.answer else { return };
            if exchange.waits {
                return;
            }
            let Content::Row { row, .. } = answer.content else {
                return self.finish(node, id, true);
            };
            let Some(open) = seat.store.rows.get_mut(&row) else {
                let range = ByteRange::new(exchange.position, exchange.end.unwrap_or(u64::MAX));
                exchange.waits = true;
                let begun = exchange.sent > 0;
                return self.submit(node, Input::Missing { exchange: id, range, begun });
            };
            let (at, stop) = (exchange.position, open.stop(exchange.end));
            if at >= stop {
                let promised = exchange.end.map(|end| end - exchange.start);
                let whole = promised.is_none_or(|promised| promised == exchange.sent);
                return self.finish(node, id, whole);
            }
            let run = open.present.run_end(at).min(stop);
            if run > at {
                for (range, stuff) in open.read(ByteRange::new(at, run)) {
                    let range = moved(range, stuff);
                    match exchange.got.last_mut() {
                        Some((content, last))
                            if *content == stuff.content && last.end == range.start =>
                        {
                            last.end = range.end;
                        }
                        _ => exchange.got.push((stuff.content, range)),
                    }
                }
                (exchange.position, exchange.sent) = (run, exchange.sent + run - at);
                open.readers.insert(id, run);
                open.let_pass();
                if at / limits::block::SLICE != run / limits::block::SLICE {
                    self.submit(node, Input::Passed { exchange: id, upto: run });
                }
                continue;
            }
            let slice = u32::try_from(at / limits::block::SLICE).unwrap_or(u32::MAX);
            if open.disk.contains_key(&slice) {
                if !open.loading {
                    open.loading = true;
                    let life = self.nodes[node].life;
                    let event = Event::Loaded { node, life, row: row.0, at };
                    self.calendar.after(LOAD, event);
                }
                return;
            }
            if open.coming(at) {
                return;
            }
            let range = open.missing(at, stop);
            exchange.waits = true;
            let begun = exchange.sent > 0;
            return self.submit(node, Input::Missing { exchange: id, range, begun });
        }
    }

    /// Brings up from the disk what of a range is only there.
    pub fn bring_up(&mut self, node: usize, row: RowId, range: ByteRange) {
        let Some(open) = self.nodes[node].store.rows.get_mut(&row) else { return };
        let before = open.present.len();
        let slice = open.present.first_gap(range).and_then(|gap| open.load(gap.start));
        if let Some(slice) = slice {
            let present = open.present.clone();
            let came = present.len() - before;
            *self.nodes[node].unheard.entry(row).or_insert(0) += came;
            let disk = neap::node::disk::Disk::Loaded { row, slice, present };
            self.later(node, Duration::ZERO, Input::Disk(disk));
        }
    }

    /// Blocks have come up from the disk.
    pub fn on_loaded(&mut self, node: usize, row: RowId, at: u64) {
        let Some(open) = self.nodes[node].store.rows.get_mut(&row) else { return };
        open.loading = false;
        let slice = open.load(at);
        let present = open.present.clone();
        self.nodes[node].wakes.insert(row);
        if let Some(slice) = slice {
            let disk = neap::node::disk::Disk::Loaded { row, slice, present };
            self.submit(node, Input::Disk(disk));
        } else {
            self.stir(node);
        }
    }

    /// The exchange ends; its player learns how.
    fn finish(&mut self, node: usize, id: ExchangeId, whole: bool) {
        let Some(exchange) = self.leave(node, id) else { return };
        let status = exchange.answer.as_ref().map_or(0, |answer| answer.status);
        let outcome = Outcome {
            thing: exchange.thing,
            range: exchange.range,
            status,
            whole: whole && !exchange.cut,
            bytes: exchange.sent,
            took: self.now() - exchange.began,
            got: exchange.got,
        };
        self.check_played(node, &outcome);
        self.on_outcome(node, (exchange.player, id), outcome);
    }

    /// The player goes, or has all.
    pub fn leave(&mut self, node: usize, id: ExchangeId) -> Option<Exchange> {
        let exchange = self.nodes[node].exchanges.remove(&id)?;
        if let Some(open) = exchange.row.and_then(|row| self.nodes[node].store.rows.get_mut(&row)) {
            open.readers.remove(&id);
            open.let_pass();
        }
        let now = self.calendar.now;
        self.checks.answers.left(node, id, now);
        self.submit(node, Input::Left { exchange: id, sent: exchange.sent });
        Some(exchange)
    }

    /// What came must be the origin's own bytes, and the ones that were asked for.
    fn check_played(&mut self, node: usize, outcome: &Outcome) {
        if !matches!(outcome.status, 200 | 206) {
            return;
        }
        let mut at = outcome.range.map_or(0, |range| range.start);
        if outcome.status == 200 {
            at = 0;
        }
        let mut contents = outcome.got.iter().map(|(content, _)| *content);
        let first = contents.next();
        let one = contents.all(|content| Some(content) == first);
        for (content, range) in &outcome.got {
            let good = self.library.is_true(outcome.thing, *content) && range.start == at && one;
            at = range.end;
            self.checks.verified.played(node, (outcome.thing, *range), good);
        }
    }
}

/// How long the disk takes to bring up a few blocks.
const LOAD: Duration = Duration::from_millis(5);
