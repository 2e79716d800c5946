//! Wires: pipes that many flows share fairly, quantum by quantum, and flows that are in order.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use neap::base::id::FetchId;
use neap::base::segment::SegmentId;
use neap::base::time::Instant;
use neap::wire::message::Message;

use super::calendar::Event;
use super::node::Offer;
use super::turn::World;

/// Names a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowId(pub u64);

/// What is at the end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// A body from the origin.
    Fetch { node: usize, life: u32, fetch: FetchId },
    /// One direction of a link: the side that hears.
    Link { link: u64, side: usize },
}

/// What a parcel completes.
#[derive(Clone, Debug)]
pub enum Cargo {
    /// The body, up to here.
    Body,
    /// Something said.
    Message(Box<Message>),
    /// A block with the digest of its bytes, and what they are.
    Block(Box<Given>),
}

/// A block on its way.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    pub segment: SegmentId,
    pub block: u8,
    pub offer: Offer,
}

/// Bytes on their way.
#[derive(Clone, Debug)]
pub struct Parcel {
    bytes: u64,
    stage: usize,
    /// What ends with these bytes.
    cargo: Option<Cargo>,
}

/// A wire with a rate.
#[derive(Debug, Default)]
pub struct Pipe {
    /// Bytes a second.
    rate: u64,
    ring: VecDeque<FlowId>,
    waiting: BTreeMap<FlowId, VecDeque<Parcel>>,
    serving: Option<(FlowId, Parcel)>,
    /// Bytes that it has carried.
    pub carried: u64,
}

/// A stream of bytes through pipes, in order.
#[derive(Debug)]
pub struct Flow {
    pub sink: Sink,
    /// Which pipes, in order.
    pub route: Vec<usize>,
    /// The way's latency.
    pub delay: Duration,
    /// Parcels in a thousand that come late because they were lost.
    pub loss: u64,
    /// Nothing arrives before this: a partition, a standby.
    pub held: Instant,
    items: VecDeque<(u64, Cargo)>,
    flying: u64,
    /// Bytes that have not left the first pipe: what the sender's kernel holds.
    pub backlog: u64,
    last: Instant,
    /// Parcels behind the last pipe, in order.
    arriving: VecDeque<Parcel>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Pipes {
    pub pipes: Vec<Pipe>,
    pub flows: BTreeMap<FlowId, Flow>,
    /// Bytes that go as one.
    pub quantum: u64,
    next: u64,
}

impl Pipes {
    /// A wire of so many bits a second; none where it never is the narrow place.
    pub fn pipe(&mut self, bits: Option<u64>) -> Option<usize> {
        let rate = (bits? / 8).max(1);
        self.pipes.push(Pipe { rate, ..Pipe::default() });
        Some(self.pipes.len() - 1)
    }

    pub fn flow(&mut self, sink: Sink, route: Vec<usize>, delay: Duration) -> FlowId {
        self.next += 1;
        let flow = Flow {
            sink,
            route,
            delay,
            loss: 0,
            held: Instant::default(),
            items: VecDeque::new(),
            flying: 0,
            backlog: 0,
            last: Instant::default(),
            arriving: VecDeque::new(),
        };
        self.flows.insert(FlowId(self.next), flow);
        FlowId(self.next)
    }
}

impl World {
    /// Puts something at the end of a flow.
    pub fn send(&mut self, id: FlowId, bytes: u64, cargo: Cargo) {
        if let Some(flow) = self.pipes.flows.get_mut(&id) {
            flow.items.push_back((bytes, cargo));
            flow.backlog += bytes;
            self.pump(id);
        }
    }

    /// The flow ends; what is under way is lost.
    pub fn cut_flow(&mut self, id: FlowId) {
        self.pipes.flows.remove(&id);
    }

    /// Lets a flow go on as far as its window allows.
    fn pump(&mut self, id: FlowId) {
        let quantum = self.pipes.quantum;
        loop {
            let Some(flow) = self.pipes.flows.get_mut(&id) else { return };
            if flow.flying >= WINDOW {
                return;
            }
            let Some((left, _)) = flow.items.front_mut() else { return };
            let bytes = quantum.min(*left);
            *left -= bytes;
            let done = *left == 0;
            flow.flying += bytes;
            let cargo = if done { flow.items.pop_front().map(|(_, cargo)| cargo) } else { None };
            self.carry(id, Parcel { bytes, stage: 0, cargo });
        }
    }

    /// A parcel comes to its next pipe, or out of the last.
    fn carry(&mut self, id: FlowId, parcel: Parcel) {
        let now = self.now();
        let Some(flow) = self.pipes.flows.get_mut(&id) else { return };
        let Some(index) = flow.route.get(parcel.stage).copied() else {
            let late = flow.loss > 0 && self.rng.below(1000) < flow.loss;
            let again = if late { flow.delay * 2 + LOST } else { Duration::ZERO };
            let at = (now + flow.delay + again).max(flow.last).max(flow.held);
            flow.last = at;
            let (bytes, unpiped) = (parcel.bytes, parcel.stage == 0);
            flow.arriving.push_back(parcel);
            self.calendar.at(at, Event::Arrived { flow: id });
            if unpiped {
                self.left_first_pipe(id, bytes);
            }
            return;
        };
        let pipe = &mut self.pipes.pipes[index];
        let queue = pipe.waiting.entry(id).or_default();
        if queue.is_empty() && parcel.bytes <= PACKET {
            // Who sends little waits for what is on the wire, not for the others' turns (RFC 8290).
            pipe.ring.push_front(id);
        } else if queue.is_empty() {
            pipe.ring.push_back(id);
        }
        queue.push_back(parcel);
        self.serve_pipe(index);
    }

    /// An idle pipe takes its next parcel.
    fn serve_pipe(&mut self, index: usize) {
        let pipe = &mut self.pipes.pipes[index];
        if pipe.serving.is_some() {
            return;
        }
        while let Some(id) = pipe.ring.pop_front() {
            let Some(queue) = pipe.waiting.get_mut(&id) else { continue };
            let parcel = queue.pop_front();
            if queue.is_empty() || !self.pipes.flows.contains_key(&id) {
                pipe.waiting.remove(&id);
            } else {
                pipe.ring.push_back(id);
            }
            let Some(parcel) = parcel.filter(|_| self.pipes.flows.contains_key(&id)) else {
                continue;
            };
            let took = Duration::from_micros(parcel.bytes * 1_000_000 / pipe.rate + 1);
            pipe.carried += parcel.bytes;
            pipe.serving = Some((id, parcel));
            return self.calendar.after(took, Event::Carried { pipe: index });
        }
    }

    pub fn on_carried(&mut self, index: usize) {
        if let Some((id, mut parcel)) = self.pipes.pipes[index].serving.take() {
            parcel.stage += 1;
            if parcel.stage == 1 {
                self.left_first_pipe(id, parcel.bytes);
            }
            self.carry(id, parcel);
        }
        self.serve_pipe(index);
    }

    /// The sender's kernel has room again.
    fn left_first_pipe(&mut self, id: FlowId, bytes: u64) {
        let Some(flow) = self.pipes.flows.get_mut(&id) else { return };
        flow.backlog -= bytes;
        if let Sink::Link { link, side } = flow.sink {
            self.refill(link, 1 - side);
        }
    }

    pub fn on_arrived(&mut self, id: FlowId) {
        let now = self.now();
        let Some(flow) = self.pipes.flows.get_mut(&id) else { return };
        if flow.held > now {
            let at = flow.held;
            return self.calendar.at(at, Event::Arrived { flow: id });
        }
        let Some(parcel) = flow.arriving.pop_front() else { return };
        flow.flying -= parcel.bytes;
        let sink = flow.sink;
        self.pump(id);
        match (sink, parcel.cargo) {
            (Sink::Fetch { node, life, fetch }, cargo) => {
                if self.nodes[node].life == life {
                    self.on_body(node, fetch, (parcel.bytes, cargo.is_some()));
                }
            }
            (Sink::Link { link, side }, Some(cargo)) => self.on_heard(link, side, cargo),
            (Sink::Link { .. }, None) => {}
        }
    }
}

/// Bytes of a flow under way at once: what TCP would have grown to on these ways.
const WINDOW: u64 = 256 * 1024;

/// What goes over a wire in one packet.
const PACKET: u64 = 1_400;

/// How long it takes until a loss is noticed, beside the way there and back.
const LOST: Duration = Duration::from_millis(10);
