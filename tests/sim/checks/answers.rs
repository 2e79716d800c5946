//! Every exchange is answered once, and none is left waiting.

use std::collections::BTreeMap;

use neap::base::id::ExchangeId;

use super::all::Breaches;

#[derive(Default)]
pub struct Answers {
    pub breaches: Breaches,
    /// Answers and cuts of each exchange that is open.
    open: BTreeMap<(usize, ExchangeId), (u32, u32)>,
    pub asked: u64,
}

impl Answers {
    pub fn asked(&mut self, node: usize, exchange: ExchangeId) {
        self.asked += 1;
        self.open.insert((node, exchange), (0, 0));
    }

    /// An answer comes; `known`: its player is still there.
    pub fn answered(&mut self, node: usize, exchange: ExchangeId, known: bool) {
        match self.open.get_mut(&(node, exchange)) {
            Some((answers, _)) => {
                *answers += 1;
                if *answers > 1 {
                    self.breaches.add(format!("node {node} answers {exchange} again"));
                }
            }
            None if known => self.breaches.add(format!("node {node} answers nobody: {exchange}")),
            None => {}
        }
    }

    pub fn cut(&mut self, node: usize, exchange: ExchangeId) {
        if let Some((_, cuts)) = self.open.get_mut(&(node, exchange)) {
            *cuts += 1;
        }
    }

    pub fn left(&mut self, node: usize, exchange: ExchangeId) {
        self.open.remove(&(node, exchange));
    }

    /// A node fell; its exchanges with it.
    pub fn fallen(&mut self, node: usize) {
        self.open.retain(|(of, _), _| *of != node);
    }

    /// Nothing happens any more: who still waits waits for ever.
    pub fn at_rest(&mut self) {
        for ((node, exchange), (answers, cuts)) in &self.open {
            if answers + cuts == 0 {
                self.breaches.add(format!("node {node} never answers {exchange}"));
            }
        }
    }
}
