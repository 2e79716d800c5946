//! Every exchange is answered once, and none is left waiting.

use std::collections::BTreeMap;
use std::time::Duration;

use neap::base::id::ExchangeId;
use neap::base::time::Instant;

use super::all::Breaches;

#[derive(Default)]
pub struct Answers {
    pub breaches: Breaches,
    /// What is known of each exchange that is open.
    open: BTreeMap<(usize, ExchangeId), Open>,
    pub asked: u64,
}

struct Open {
    asked: Instant,
    answers: u32,
    cut: bool,
    /// Whether it was answered twice, which may be once.
    anew: bool,
}

impl Answers {
    pub fn asked(&mut self, node: usize, exchange: ExchangeId, now: Instant) {
        self.asked += 1;
        self.open
            .insert((node, exchange), Open { asked: now, answers: 0, cut: false, anew: false });
    }

    /// An answer comes; `known`: its player is still there; `anew`: it waits, and nothing of the
    /// answer before went out.
    pub fn answered(&mut self, (node, exchange): (usize, ExchangeId), known: bool, anew: bool) {
        match self.open.get_mut(&(node, exchange)) {
            Some(open) if anew && !open.anew => open.anew = true,
            Some(open) => {
                open.answers += 1;
                if open.answers > 1 {
                    self.breaches.add(format!("node {node} answers {exchange} again"));
                }
            }
            None if known => self.breaches.add(format!("node {node} answers nobody: {exchange}")),
            None => {}
        }
    }

    pub fn cut(&mut self, node: usize, exchange: ExchangeId) {
        if let Some(open) = self.open.get_mut(&(node, exchange)) {
            open.cut = true;
        }
    }

    pub fn left(&mut self, node: usize, exchange: ExchangeId, now: Instant) {
        let Some(open) = self.open.remove(&(node, exchange)) else { return };
        if open.answers == 0 && !open.cut && now - open.asked > PATIENCE {
            let waited = now - open.asked;
            self.breaches.add(format!("node {node} leaves {exchange} waiting for {waited:?}"));
        }
    }

    /// A node slept: what its players waited does not count.
    pub fn woke(&mut self, node: usize, now: Instant) {
        let of_node = self.open.iter_mut().filter(|((of, _), _)| *of == node);
        of_node.for_each(|(_, open)| open.asked = now);
    }

    /// A node fell; its exchanges with it.
    pub fn fallen(&mut self, node: usize) {
        self.open.retain(|(of, _), _| *of != node);
    }

    /// The world ends: who waits too long waits for ever.
    pub fn at_end(&mut self, now: Instant) {
        let all: Vec<_> = self.open.keys().copied().collect();
        all.into_iter().for_each(|(node, exchange)| self.left(node, exchange, now));
    }
}

/// An origin may say nothing for ten seconds, be asked once more, and then take its time.
const PATIENCE: Duration = Duration::from_secs(45);
