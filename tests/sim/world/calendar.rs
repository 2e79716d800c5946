//! Virtual time: what will happen, in the order in which it will.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use neap::base::id::FetchId;
use neap::base::time::Instant;
use neap::node::event::Input;

use super::origin::Step;
use super::peers::Dialled;
use super::pipes::FlowId;
use super::player::Play;

/// What can happen.
#[derive(Debug)]
pub enum Event {
    /// A machine's alarm.
    Tick { node: usize, life: u32 },
    /// An input that was on its way.
    Later { node: usize, life: u32, input: Box<Input> },
    /// A pipe has carried a parcel.
    Carried { pipe: usize },
    /// A parcel is at the end of its flow.
    Arrived { flow: FlowId },
    /// An origin does its next thing for a fetch.
    Origin { node: usize, life: u32, fetch: FetchId, step: Step },
    /// A player does its next thing.
    Player { node: usize, life: u32, player: usize, what: Play },
    /// A dialled address answers, or not.
    Dialled(Box<Dialled>),
    /// A link breaks on one side.
    Broken { link: u64, side: usize },
    /// Bytes come up from the disk.
    Loaded { node: usize, life: u32, row: u64, at: u64 },
    /// A node wakes from standby.
    Wake { node: usize, life: u32 },
    /// The scene's next turn of fate.
    Happening(usize),
}

struct Dated {
    at: Instant,
    number: u64,
    event: Event,
}

/// The events to come.
#[derive(Default)]
pub struct Calendar {
    pub now: Instant,
    number: u64,
    heap: BinaryHeap<Dated>,
}

impl Calendar {
    pub fn new(now: Instant) -> Self {
        Self { now, ..Self::default() }
    }

    /// Notes an event for later.
    pub fn after(&mut self, delay: Duration, event: Event) {
        self.at(self.now + delay, event);
    }

    /// Notes an event for a moment; one that is over already is now.
    pub fn at(&mut self, at: Instant, event: Event) {
        self.number += 1;
        self.heap.push(Dated { at: at.max(self.now), number: self.number, event });
    }

    /// The next event up to `end`; time moves to it.
    pub fn next(&mut self, end: Instant) -> Option<Event> {
        if self.heap.peek()?.at > end {
            return None;
        }
        let dated = self.heap.pop()?;
        self.now = dated.at;
        Some(dated.event)
    }
}

impl PartialEq for Dated {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Dated {}

impl PartialOrd for Dated {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dated {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}
