//! Whole swarms of schedulers around one origin: how often a segment leaves it, and how much later
//! than directly the nodes have it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use neap::base::digest::Digest;
use neap::base::limits;
use neap::base::peer::{NodeKey, PeerId, Role, Tier};
use neap::base::rng::Rng;
use neap::base::segment::{BlockSet, SegmentId, resource};
use neap::base::time::Instant;
use neap::engine::peers::slots::{Slots, Upload};
use neap::engine::schedule::scheduler::{Arrival, Scheduler};
use neap::engine::schedule::want::{Have, Link, Step, Why};

use super::script::{topic, want};

/// One swarm and its lines; rates in bytes a second.
#[derive(Clone)]
struct World {
    name: &'static str,
    nodes: usize,
    /// Links that a node has; all others where that is as many.
    degree: usize,
    tier: Tier,
    latency: Duration,
    up: u64,
    /// What a node takes from the origin.
    origin: u64,
    blocks: u32,
    segments: u32,
    every: Duration,
    /// Within which time of a segment's publication the nodes learn of it.
    skew: Duration,
    deadline: Duration,
    /// Nodes that announce what they fetch and never fetch it.
    silent: usize,
}

struct Outcome {
    copies: f64,
    /// Of the first segment alone.
    first: f64,
    /// Of them those that peers would have made late.
    pressed: f64,
    late: usize,
    median: Duration,
    p95: Duration,
    worst: Duration,
    asked: u64,
}

const BLOCK: u64 = limits::block::BLOCK;
const FIRST_BYTE: Duration = Duration::from_millis(60);
const BATCH: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Learn(usize, u32),
    Poll(usize),
    Have(usize, usize, u32, (u64, u64, u8)),
    Ask(usize, usize, u32, (u64, Duration)),
    Cancel(usize, usize, u32, u64),
    Choke(usize, usize, bool),
    Deny(usize, usize, u32, u64),
    Upload(usize),
    Sent(usize),
    Block(usize, usize, u32, u8),
    Fetched(usize, u32),
    Tell(usize),
}

struct Node {
    scheduler: Scheduler,
    peers: BTreeSet<usize>,
    here: BTreeMap<u32, BlockSet>,
    learnt: BTreeMap<u32, Instant>,
    done: BTreeMap<u32, Instant>,
    slots: Slots,
    /// Blocks that are in the carrier; one leaves at a time.
    leaving: VecDeque<(usize, u32, u8)>,
    /// Blocks to take from the origin.
    fetching: VecDeque<(u32, u8)>,
    fetches: bool,
    told: BTreeMap<u32, (u64, u64, u8)>,
    changed: BTreeSet<u32>,
    tells: bool,
    wakes: Option<Instant>,
    uploads: Option<Instant>,
    silent: bool,
}

struct Swarm {
    world: World,
    nodes: Vec<Node>,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    count: u64,
    now: Instant,
    fetched: u64,
    /// Of them those of the first segment, when nobody knows yet who shares the work.
    first: u64,
    /// Blocks that were taken from the origin because peers would have made them late.
    pressed: u64,
    asked: u64,
    rng: Rng,
}

fn id(number: u32) -> SegmentId {
    SegmentId { resource: resource("tv", &format!("/{number}.m4s")), number: 0 }
}

impl Swarm {
    fn new(world: World, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let node = |rng: &mut Rng, number: usize| Node {
            scheduler: Scheduler::new(rng.fork(), key(number), Role::Device),
            peers: BTreeSet::new(),
            here: BTreeMap::new(),
            learnt: BTreeMap::new(),
            done: BTreeMap::new(),
            slots: Slots::new(rng.fork(), Role::Device),
            leaving: VecDeque::new(),
            fetching: VecDeque::new(),
            fetches: false,
            told: BTreeMap::new(),
            changed: BTreeSet::new(),
            tells: false,
            wakes: None,
            uploads: None,
            silent: number < world.silent,
        };
        let nodes = (0..world.nodes).map(|number| node(&mut rng, number)).collect();
        let start = Instant::from_micros(1_000_000);
        let mut swarm = Self {
            world,
            nodes,
            events: BinaryHeap::new(),
            count: 0,
            now: start,
            fetched: 0,
            first: 0,
            pressed: 0,
            asked: 0,
            rng,
        };
        swarm.link();
        swarm
    }

    fn link(&mut self) {
        let count = self.world.nodes;
        let most = self.world.degree.min(count - 1);
        let mut tries = 0;
        while tries < 200_000 && self.nodes.iter().any(|node| node.peers.len() < most) {
            tries += 1;
            let least = (0..count).min_by_key(|place| self.nodes[*place].peers.len()).expect("one");
            let other = usize::try_from(self.rng.below(count as u64)).expect("small");
            let is_full = self.nodes[other].peers.len() >= most + 2;
            if other != least && !is_full {
                self.nodes[least].peers.insert(other);
                self.nodes[other].peers.insert(least);
            }
        }
        for number in 0..count {
            for peer in self.nodes[number].peers.clone() {
                let link = Link { key: key(peer), tier: self.world.tier, role: Role::Device };
                let id = PeerId(peer as u64);
                self.nodes[number].scheduler.on_joined(id, link, self.now);
            }
        }
    }

    fn after(&mut self, wait: Duration, event: Event) {
        self.count += 1;
        self.events.push(Reverse((self.now + wait, self.count, event)));
    }

    fn run(mut self) -> Outcome {
        let start = self.now;
        for number in 0..self.world.segments {
            for node in 0..self.world.nodes {
                let skew = u64::try_from(self.world.skew.as_micros()).expect("small").max(1);
                let skew = Duration::from_micros(self.rng.below(skew));
                self.after(self.world.every * number + skew, Event::Learn(node, number));
            }
        }
        let end = start + self.world.every * self.world.segments + self.world.deadline * 2;
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at > end {
                break;
            }
            self.now = at;
            self.handle(event);
        }
        self.outcome()
    }

    fn outcome(&self) -> Outcome {
        let bytes = u64::from(self.world.blocks) * BLOCK;
        let direct = FIRST_BYTE + Duration::from_micros(bytes * 1_000_000 / self.world.origin);
        let mut added = Vec::new();
        let mut late = 0;
        for node in self.nodes.iter().filter(|node| !node.silent) {
            for (number, learnt) in &node.learnt {
                let done = node.done.get(number).copied();
                let took = done.map_or(Duration::from_secs(99), |done| done - *learnt);
                late += usize::from(took > self.world.deadline);
                added.push(took.saturating_sub(direct));
            }
        }
        added.sort_unstable();
        let part = |percent| added[(added.len() - 1) * percent / 100];
        let total = u64::from(self.world.blocks) * u64::from(self.world.segments);
        let copies = self.fetched as f64 / total as f64;
        let pressed = self.pressed as f64 / total as f64;
        let (median, p95, worst) = (part(50), part(95), part(100));
        let first = self.first as f64 / f64::from(self.world.blocks);
        Outcome { copies, first, pressed, late, median, p95, worst, asked: self.asked }
    }

    fn handle(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Learn(node, number) => self.learn(node, number),
            Event::Poll(node) => {
                if self.nodes[node].wakes == Some(now) {
                    self.nodes[node].wakes = None;
                    self.drain(node);
                }
            }
            Event::Have(to, from, number, (here, coming, hops)) => {
                let (here, coming) = (BlockSet(here), BlockSet(coming));
                let have = Have { segment: id(number), here, coming, hops };
                let scheduler = &mut self.nodes[to].scheduler;
                scheduler.on_seek(PeerId(from as u64), topic(), now);
                scheduler.on_have(PeerId(from as u64), have, now);
                self.changed(to, number);
                self.drain(to);
            }
            Event::Ask(to, from, number, (blocks, within)) => {
                let want = (id(number), BlockSet(blocks), within);
                self.nodes[to].slots.on_want(PeerId(from as u64), want, now);
                self.give(to);
            }
            Event::Cancel(to, from, number, blocks) => {
                let peer = PeerId(from as u64);
                self.nodes[to].slots.on_cancel(peer, id(number), BlockSet(blocks));
            }
            Event::Choke(to, from, choked) => {
                self.nodes[to].scheduler.on_choke(PeerId(from as u64), choked, now);
                self.drain(to);
            }
            Event::Deny(to, from, number, blocks) => {
                let what = (id(number), BlockSet(blocks));
                self.nodes[to].scheduler.on_deny(PeerId(from as u64), what, now);
                self.drain(to);
            }
            Event::Sent(node) => {
                let (to, number, block) = self.nodes[node].leaving.pop_front().expect("it left");
                let what = (id(number), block, u32::try_from(BLOCK).expect("small"));
                self.nodes[node].slots.on_given(PeerId(to as u64), what, now);
                self.after(self.world.latency, Event::Block(to, node, number, block));
                if !self.nodes[node].leaving.is_empty() {
                    self.leave(node);
                }
                self.give(node);
            }
            Event::Block(to, from, number, block) => self.arrive(to, Some(from), (number, block)),
            Event::Fetched(node, number) => {
                let (_, block) = self.nodes[node].fetching.pop_front().expect("it was begun");
                self.fetched += 1;
                self.first += u64::from(number == 0);
                self.nodes[node].fetches = false;
                let took = Duration::from_micros(BLOCK * 1_000_000 / self.world.origin);
                self.nodes[node].scheduler.on_origin_rate(BLOCK, took);
                self.arrive(node, None, (number, block));
                let more = self.nodes[node].fetching.iter().any(|(n, _)| *n == number);
                if !more {
                    self.nodes[node].scheduler.on_origin_ended(id(number), true, now);
                }
                self.fetch(node, !more);
            }
            Event::Tell(node) => self.tell(node),
            Event::Upload(node) => self.give(node),
        }
    }

    fn learn(&mut self, node: usize, number: u32) {
        let (now, deadline) = (self.now, self.now + self.world.deadline);
        let blocks = BlockSet::first(self.world.blocks);
        self.nodes[node].learnt.insert(number, now);
        self.nodes[node].scheduler.want(id(number), want(deadline, blocks), now);
        // To seek it is to be told of it, as an empty `Have` in this world.
        for peer in self.nodes[node].peers.clone() {
            let told = self.nodes[peer].told.get(&number).copied();
            let latency = self.world.latency;
            self.after(latency, Event::Have(peer, node, number, (0, 0, 0)));
            if let Some(told) = told {
                self.after(latency * 2, Event::Have(node, peer, number, told));
            }
        }
        self.changed(node, number);
        self.drain(node);
    }

    fn arrive(&mut self, node: usize, from: Option<usize>, (number, block): (u32, u8)) {
        let now = self.now;
        let bytes = u32::try_from(BLOCK).expect("small");
        let peer = from.map(|from| PeerId(from as u64));
        let arrival = Arrival { block, from: peer, bytes };
        let all = BlockSet::first(self.world.blocks);
        let state = &mut self.nodes[node];
        state.scheduler.on_block(id(number), arrival, now);
        let here = state.here.entry(number).or_default();
        *here = here.or(BlockSet::one(block));
        if here.covers(all) {
            state.done.entry(number).or_insert(now);
        }
        self.changed(node, number);
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        let now = self.now;
        while let Some(step) = self.nodes[node].scheduler.poll(now) {
            self.step(node, step);
        }
        let next = self.nodes[node].scheduler.poll_timeout().map(|at| at.max(now));
        if let Some(at) = next.filter(|at| self.nodes[node].wakes.is_none_or(|wakes| *at < wakes)) {
            self.nodes[node].wakes = Some(at);
            self.after(at - now, Event::Poll(node));
        }
    }

    fn step(&mut self, node: usize, step: Step) {
        let latency = self.world.latency;
        match step {
            Step::Ask { peer, segment, blocks, within } => {
                self.asked += 1;
                let peer = usize::try_from(peer.0).expect("small");
                let number = self.number(node, segment);
                self.after(latency, Event::Ask(peer, node, number, (blocks.0, within)));
            }
            Step::Cancel { peer, segment, blocks } => {
                let peer = usize::try_from(peer.0).expect("small");
                let number = self.number(node, segment);
                self.after(latency, Event::Cancel(peer, node, number, blocks.0));
            }
            Step::Origin { segment, blocks, why } => {
                let number = self.number(node, segment);
                self.changed(node, number);
                if !self.nodes[node].silent {
                    let blocks = blocks.expect("records are known");
                    if why == Why::Late {
                        self.pressed += u64::from(blocks.len());
                    }
                    let queue = &mut self.nodes[node].fetching;
                    queue.extend(blocks.iter().map(|block| (number, block)));
                    self.fetch(node, true);
                }
            }
        }
    }

    fn fetch(&mut self, node: usize, fresh: bool) {
        let state = &mut self.nodes[node];
        if state.fetches {
            return;
        }
        if let Some((number, _)) = state.fetching.front().copied() {
            state.fetches = true;
            let took = Duration::from_micros(BLOCK * 1_000_000 / self.world.origin);
            let took = if fresh { took + FIRST_BYTE } else { took };
            self.after(took, Event::Fetched(node, number));
        }
    }

    fn give(&mut self, node: usize) {
        let (now, latency) = (self.now, self.world.latency);
        while let Some(upload) = self.nodes[node].slots.poll(now) {
            let to = usize::try_from(upload.peer().0).expect("small");
            match upload {
                Upload::Give { segment, block, .. } => {
                    let number = self.number(node, segment);
                    self.nodes[node].leaving.push_back((to, number, block));
                    if self.nodes[node].leaving.len() == 1 {
                        self.leave(node);
                    }
                }
                Upload::Deny { segment, blocks, .. } => {
                    let number = self.number(node, segment);
                    self.after(latency, Event::Deny(to, node, number, blocks.0));
                }
                Upload::Choke(_) => self.after(latency, Event::Choke(to, node, true)),
                Upload::Unchoke(_) => self.after(latency, Event::Choke(to, node, false)),
            }
        }
        if let Some(next) = self.nodes[node].slots.poll_timeout().filter(|next| *next > now) {
            if self.nodes[node].uploads.is_none_or(|at| at <= now || next < at) {
                self.nodes[node].uploads = Some(next);
                self.after(next - now, Event::Upload(node));
            }
        }
    }

    fn leave(&mut self, node: usize) {
        if !self.nodes[node].silent {
            let took = Duration::from_micros(BLOCK * 1_000_000 / self.world.up);
            self.after(took, Event::Sent(node));
        }
    }

    fn number(&self, node: usize, segment: SegmentId) -> u32 {
        let known = self.nodes[node].learnt.keys();
        *known.rev().find(|number| id(**number) == segment).expect("it is wanted")
    }

    fn changed(&mut self, node: usize, number: u32) {
        let state = &mut self.nodes[node];
        state.changed.insert(number);
        if !state.tells {
            state.tells = true;
            self.after(BATCH, Event::Tell(node));
        }
    }

    fn tell(&mut self, node: usize) {
        let at = self.now;
        self.nodes[node].tells = false;
        for number in core::mem::take(&mut self.nodes[node].changed) {
            let state = &mut self.nodes[node];
            if !state.learnt.contains_key(&number) {
                continue;
            }
            let here = state.here.get(&number).copied().unwrap_or_default();
            let (coming, hops) = state.scheduler.coming(id(number), at);
            let now = (here.0, coming.0, hops);
            if state.told.insert(number, now) == Some(now) {
                continue;
            }
            for peer in self.nodes[node].peers.clone() {
                let seeks = self.nodes[peer].learnt.contains_key(&number)
                    && !self.nodes[peer].done.contains_key(&number);
                if seeks {
                    self.after(self.world.latency, Event::Have(peer, node, number, now));
                }
            }
        }
    }
}

fn key(number: usize) -> NodeKey {
    NodeKey(Digest::of(&number.to_be_bytes()).0)
}

/// 4 Mbit/s in segments of 4 s, and televisions on one network of 100 Mbit/s.
fn home(nodes: usize) -> World {
    World {
        name: "home",
        nodes,
        degree: 64,
        tier: Tier::Home,
        latency: Duration::from_millis(2),
        up: 12_500_000,
        origin: 2_500_000,
        blocks: 32,
        segments: 8,
        every: Duration::from_secs(4),
        skew: Duration::from_secs(1),
        deadline: Duration::from_secs(8),
        silent: 0,
    }
}

/// The same between homes, each with an uplink of one and a half times the stream.
fn wan(nodes: usize, degree: usize) -> World {
    World {
        name: "wan",
        degree,
        tier: Tier::Wan,
        latency: Duration::from_millis(25),
        up: 786_432,
        ..home(nodes)
    }
}

#[expect(clippy::print_stdout, reason = "the table is what a reader wants to see")]
fn run(worlds: &[World], seed: u64) -> Vec<Outcome> {
    println!(
        "| swarm | nodes | links | copies | first | late ones | added median | p95 | worst | late \
         | asks |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let one = |world: &World| {
        let (name, nodes, degree) = (world.name, world.nodes, world.degree.min(world.nodes - 1));
        let out = Swarm::new(world.clone(), seed).run();
        println!(
            "| {name} | {nodes} | {degree} | {:.2} | {:.2} | {:.2} | {} ms | {} ms | {} ms | {} | {} |",
            out.copies,
            out.first,
            out.pressed,
            out.median.as_millis(),
            out.p95.as_millis(),
            out.worst.as_millis(),
            out.late,
            out.asked,
        );
        out
    };
    worlds.iter().map(one).collect()
}

fn check(worlds: &[World], seed: u64) {
    for (out, world) in run(worlds, seed).iter().zip(worlds) {
        assert!(out.copies <= 1.5, "{} of {}: {} copies", world.name, world.nodes, out.copies);
        assert_eq!(out.late, 0, "{} of {}: late segments", world.name, world.nodes);
    }
}

#[test]
fn a_home_takes_a_segment_from_the_origin_about_once() {
    let short = |nodes| World { segments: 4, ..home(nodes) };
    let silent = World { name: "home, 2 silent", silent: 2, ..short(8) };
    check(&[short(2), short(4), short(8), short(24), silent], 7);
}

#[test]
fn homes_elsewhere_do_so_too() {
    let few = World { segments: 2, ..wan(24, 64) };
    // Segments of two seconds.
    let half = Duration::from_secs(2);
    let many = World { segments: 2, blocks: 16, every: half, ..wan(100, 24) };
    check(&[few, many], 7);
}

#[test]
#[ignore = "the long table; in a release build it takes seconds"]
fn the_table() {
    let silent = World { name: "home, 2 silent", silent: 2, ..home(8) };
    let worlds = [home(2), home(4), home(8), home(24), silent, wan(24, 64), wan(100, 24)];
    (1..=3).for_each(|seed| check(&worlds, seed));
}
