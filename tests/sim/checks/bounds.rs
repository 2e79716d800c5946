//! Memory is bounded: rows, bytes, fetches, exchanges, blocks on order, words.

use std::collections::BTreeMap;

use neap::base::limits;
use neap::base::time::Instant;

use super::all::Breaches;
use crate::world::node::Node;

#[derive(Default)]
pub struct Bounds {
    pub breaches: Breaches,
    /// The most that any node held at once.
    pub rows: usize,
    pub fetches: usize,
    pub bytes: u64,
    /// Words that each node said.
    told: BTreeMap<usize, u64>,
    turns: BTreeMap<usize, u64>,
    /// When each node's alarm last rang, and how often at that moment.
    ticks: BTreeMap<usize, (Instant, u32)>,
}

impl Bounds {
    /// After each turn: what a node's ports hold for its machine.
    pub fn look(&mut self, index: usize, node: &Node, bytes: u64) {
        let turns = self.turns.entry(index).or_default();
        *turns += 1;
        let (rows, fetches) = (node.store.rows.len(), node.downloads.len());
        self.rows = self.rows.max(rows);
        self.fetches = self.fetches.max(fetches);
        // Bytes are counted now and then: it is the dearest thing to look at.
        if *turns % 16 == 0 {
            let held = node.store.held();
            self.bytes = self.bytes.max(held);
            if held > bytes {
                self.breaches.add(format!("node {index} keeps {held} bytes of {bytes}"));
            }
        }
        let asked = node.exchanges.len();
        if fetches > asked + FETCHES {
            self.breaches.add(format!("node {index} runs {fetches} fetches for {asked} players"));
        }
        if rows > limits::cache::ENTRIES {
            self.breaches.add(format!("node {index} has {rows} rows open"));
        }
    }

    /// A node's alarm rings; whether it may.
    pub fn ticked(&mut self, node: usize, now: Instant) -> bool {
        let ticks = self.ticks.entry(node).or_default();
        *ticks = if ticks.0 == now { (now, ticks.1 + 1) } else { (now, 1) };
        let calm = ticks.1 < TICKS;
        if !calm {
            self.breaches.add(format!("node {node} is awake without end: it ticks at one moment"));
        }
        calm
    }

    pub fn told(&mut self, node: usize) {
        *self.told.entry(node).or_default() += 1;
    }
}

/// Fetches beside those of players: ahead, and the tail of those that players left.
const FETCHES: usize = 24;

/// Alarms at one and the same moment: the steps of a swarm are bounded in each turn.
const TICKS: u32 = 200;
