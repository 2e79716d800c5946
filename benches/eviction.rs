//! Hit ratios of the eviction against LRU, SIEVE and W-TinyLFU on made traces.
//!
//! `cargo bench --bench eviction`; the same seed gives the same table.

#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;

use neap::base::id::RowId;
use neap::base::rng::Rng;
use neap::engine::cache::evict::{Evict, Slice};

fn main() {
    let candidates: [(&str, Make); 8] = [
        ("LRU", |cap| Box::new(Lru::new(cap))),
        ("SIEVE", |cap| Box::new(Sieve::new(cap))),
        ("TinyLFU 5%", |cap| Box::new(TinyLfu::new(cap, 5))),
        ("TinyLFU 20%", |cap| Box::new(TinyLfu::new(cap, 20))),
        ("S3 10%", |cap| Box::new(S3::new(cap, 10))),
        ("S3 20%", |cap| Box::new(S3::new(cap, 20))),
        ("S3 50%", |cap| Box::new(S3::new(cap, 50))),
        ("neap", |cap| Box::new(S3 { evict: Evict::new(cap), capacity: cap })),
    ];
    print_table("traces that the choice was made on", &chosen_on(), &candidates);
    print_table("traces that it was not made on", &held_out(), &candidates);
    print_cost();
}

/// Prints percent of requests and of bytes that hit, one line a trace, one column a candidate.
fn print_table(title: &str, traces: &[Trace], candidates: &[(&str, Make)]) {
    let run = |trace: &Trace| -> Vec<Ratio> {
        candidates.iter().map(|(_, make)| replay(trace, make(trace.capacity))).collect()
    };
    let rows: Vec<Vec<Ratio>> = traces.iter().map(run).collect();
    for (what, is_bytes) in [("requests", false), ("bytes", true)] {
        let part = |ratio: &Ratio| if is_bytes { ratio.bytes } else { ratio.requests };
        println!("{title}: percent of {what} that hit");
        print_row("", candidates.iter().map(|(name, _)| (*name).into()));
        for (trace, row) in traces.iter().zip(&rows) {
            print_row(trace.name, row.iter().map(|ratio| format!("{:.1}", part(ratio))));
        }
        let mean =
            |at: usize| rows.iter().map(|row| part(&row[at])).sum::<f64>() / rows.len() as f64;
        print_row("mean", (0..candidates.len()).map(|at| format!("{:.1}", mean(at))));
        println!();
    }
}

type Make = fn(u64) -> Box<dyn Cache>;

trait Cache {
    /// A player asks: whether it is here; it is afterwards.
    fn ask(&mut self, key: u64, weight: u64) -> bool;
    /// It is fetched before a player asks.
    fn ahead(&mut self, key: u64, weight: u64);
}

#[derive(Clone, Copy)]
enum Step {
    Ask(u64),
    Ahead(u64),
}

struct Trace {
    name: &'static str,
    capacity: u64,
    steps: Vec<Step>,
}

struct Ratio {
    requests: f64,
    bytes: f64,
}

fn replay(trace: &Trace, mut cache: Box<dyn Cache>) -> Ratio {
    let (mut asked, mut hits, mut bytes, mut hit_bytes) = (0_u64, 0_u64, 0_u64, 0_u64);
    // The first fifth fills the cache and is not counted.
    for (index, step) in trace.steps.iter().enumerate() {
        match *step {
            Step::Ahead(key) => cache.ahead(key, weight(key)),
            Step::Ask(key) => {
                let hit = u64::from(cache.ask(key, weight(key)));
                if index >= trace.steps.len() / 5 {
                    (asked, hits) = (asked + 1, hits + hit);
                    (bytes, hit_bytes) = (bytes + weight(key), hit_bytes + hit * weight(key));
                }
            }
        }
    }
    let percent = |part: u64, whole: u64| part as f64 * 100.0 / whole as f64;
    Ratio { requests: percent(hits, asked), bytes: percent(hit_bytes, bytes) }
}

/// Mixed sizes: six in eight are whole slices of 1 MiB, the rest 16 to 512 KiB.
fn weight(key: u64) -> u64 {
    let mut rng = Rng::new(key);
    if rng.below(8) < 6 { MIB } else { (16 * 1024) << rng.below(6) }
}

fn print_row(name: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.map(|cell| format!("{cell:>12}")).collect();
    println!("{name:<28}{}", cells.concat());
}

fn print_cost() {
    let count = 50_000_u64;
    let mut evict = Evict::new(count * MIB);
    (0..count).for_each(|key| evict.insert(slice(key), MIB));
    let mut rng = Rng::new(9);
    let keys: Vec<u64> = (0..2_000_000).map(|_| rng.below(count)).collect();
    let start = now();
    keys.iter().for_each(|key| evict.hit(black_box(slice(*key))));
    let hit = now() - start;
    let start = now();
    for key in 0..1_000_000 {
        evict.insert(slice(count + key), MIB);
        black_box(evict.victim(|_| false));
    }
    let turn = now() - start;
    println!("hit {:.0} ns, insert and victim {:.0} ns", hit * 1e9 / 2e6, turn * 1e9 / 1e6);
}

#[expect(clippy::disallowed_methods, reason = "a bench measures by the process's own clock")]
fn now() -> f64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

fn chosen_on() -> Vec<Trace> {
    vec![
        zipf("zipf 0.7", 0.7, 0),
        zipf("zipf 0.9", 0.9, 0),
        zipf("zipf 1.1", 1.1, 0),
        zipf("zipf 0.7 + scans", 0.7, 30),
        zipf("zipf 0.9 + scans", 0.9, 30),
        zipf("zipf 1.1 + scans", 1.1, 30),
        cycle("loop, 1.1x the cache", 110),
        cycle("loop, 2x the cache", 200),
        live("live, 3 players", 3, 0),
        live("live, 3 players, ahead", 3, 3),
        live("live, 1 player, ahead", 1, 3),
        household("household, 64 MiB", 64),
        household("household, 512 MiB", 512),
        zipf("zipf 0.8", 0.8, 0),
        zipf("zipf 1.0", 1.0, 0),
        zipf("zipf 0.8 + half scans", 0.8, 50),
        zipf("zipf 1.0 + half scans", 1.0, 50),
        cycle("loop, 1.5x the cache", 150),
        live("live, 2 players", 2, 0),
        live("live, 2 players, ahead", 2, 4),
        household("household, 48 MiB", 48),
        household("household, 128 MiB", 128),
        household("household, 256 MiB", 256),
    ]
}

/// Other exponents, shares, players and sizes, hence other draws; run after the choice.
fn held_out() -> Vec<Trace> {
    vec![
        zipf("zipf 0.75", 0.75, 0),
        zipf("zipf 0.95", 0.95, 0),
        zipf("zipf 0.75 + scans", 0.75, 20),
        zipf("zipf 0.95 + scans", 0.95, 20),
        cycle("loop, 1.3x the cache", 130),
        live("live, 4 players", 4, 0),
        live("live, 2 players, ahead 2", 2, 2),
        live("live, 4 players, ahead 4", 4, 4),
        household("household, 40 MiB", 40),
        household("household, 96 MiB", 96),
        household("household, 192 MiB", 192),
        household("household, 384 MiB", 384),
    ]
}

/// Independent requests by popularity, a share of them in scans of things asked for once.
fn zipf(name: &'static str, exponent: f64, scans: u64) -> Trace {
    let mut rng = Rng::new(exponent.to_bits() ^ scans);
    let popular = Popular::new(20_000, exponent);
    let (mut steps, mut fresh) = (Vec::new(), FRESH);
    while steps.len() < 400_000 {
        steps.extend((0..2000).map(|_| Step::Ask(popular.draw(&mut rng))));
        let length = 2000 * scans / (100 - scans);
        steps.extend((fresh..fresh + length).map(Step::Ask));
        fresh += length;
    }
    Trace { name, capacity: 1000 * MIB, steps }
}

fn cycle(name: &'static str, percent: u64) -> Trace {
    let (mut total, mut length) = (0, 0);
    while total < 256 * MIB * percent / 100 {
        total += weight(length);
        length += 1;
    }
    Trace { name, capacity: 256 * MIB, steps: (0..60_000).map(|i| Step::Ask(i % length)).collect() }
}

/// Four channels; each segment is asked for by every player within some steps, then never.
/// With `ahead` it is fetched that many segments before the first player asks.
fn live(name: &'static str, players: u64, ahead: u64) -> Trace {
    let mut steps = Vec::new();
    for time in 20..6000 {
        for channel in 0..4 {
            let segment = |time: u64| FRESH + channel * 100_000 + time;
            if ahead > 0 {
                steps.push(Step::Ahead(segment(time + ahead)));
            }
            steps.extend((0..players).map(|lag| Step::Ask(segment(time - lag * 3))));
        }
    }
    Trace { name, capacity: 64 * MIB, steps }
}

/// What neap sees: two live channels fetched ahead, one film fetched ahead that nobody watches
/// again, rewinds in it, and popular things (intros, advertisements, init segments, menus).
fn household(name: &'static str, mebibytes: u64) -> Trace {
    let mut rng = Rng::new(mebibytes);
    let popular = Popular::new(3_000, 0.9);
    let mut steps = Vec::new();
    for time in 20..20_000_u64 {
        for channel in 0..2 {
            let segment = |time: u64| FRESH + channel * 100_000 + time;
            steps.push(Step::Ahead(segment(time + 3)));
            steps.extend([Step::Ask(segment(time)), Step::Ask(segment(time - 5))]);
        }
        let film = |time: u64| 3 * FRESH + time;
        steps.extend([Step::Ahead(film(time + 5)), Step::Ask(film(time))]);
        if rng.below(50) == 0 {
            steps.extend((0..10).map(|back| Step::Ask(film(time - back))));
        }
        steps.extend((0..3).map(|_| Step::Ask(popular.draw(&mut rng))));
    }
    Trace { name, capacity: mebibytes * MIB, steps }
}

/// Draws keys so that the k-th most popular comes with weight 1 / k^exponent.
struct Popular(Vec<f64>);

impl Popular {
    fn new(count: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let up_to = |k: u32| {
            sum += f64::from(k).powf(-exponent);
            sum
        };
        Self((1..=count).map(up_to).collect())
    }

    fn draw(&self, rng: &mut Rng) -> u64 {
        let whole = self.0.last().copied().unwrap_or_default();
        let point = rng.below(1 << 53) as f64 / (1_u64 << 53) as f64 * whole;
        self.0.partition_point(|up_to| *up_to <= point) as u64
    }
}

const fn slice(key: u64) -> Slice {
    Slice { row: RowId(key), number: 0 }
}

/// neap's own.
struct S3 {
    evict: Evict,
    capacity: u64,
}

impl S3 {
    fn new(capacity: u64, small: u64) -> Self {
        Self { evict: Evict::with_small(capacity * small / 100), capacity }
    }
}

impl Cache for S3 {
    fn ask(&mut self, key: u64, weight: u64) -> bool {
        let hit = self.evict.has(slice(key));
        if hit {
            self.evict.hit(slice(key));
        } else {
            self.ahead(key, weight);
        }
        hit
    }

    fn ahead(&mut self, key: u64, weight: u64) {
        self.evict.insert(slice(key), weight);
        while self.evict.used() > self.capacity {
            self.evict.victim(|_| false);
        }
    }
}

/// Least recently used, by a stamp for each entry.
struct Lru {
    stamps: BTreeMap<u64, u64>,
    order: BTreeMap<u64, u64>,
    clock: u64,
    used: u64,
    capacity: u64,
}

impl Lru {
    fn new(capacity: u64) -> Self {
        Self { stamps: BTreeMap::new(), order: BTreeMap::new(), clock: 0, used: 0, capacity }
    }

    fn touch(&mut self, key: u64, weight: u64) -> bool {
        self.clock += 1;
        let old = self.stamps.insert(key, self.clock);
        self.order.insert(self.clock, key);
        match old {
            Some(stamp) => drop(self.order.remove(&stamp)),
            None => self.used += weight,
        }
        old.is_some()
    }

    fn pop(&mut self) -> Option<u64> {
        let (_, key) = self.order.pop_first()?;
        self.stamps.remove(&key);
        self.used -= weight(key);
        Some(key)
    }

    fn remove(&mut self, key: u64) -> bool {
        let Some(stamp) = self.stamps.remove(&key) else { return false };
        self.order.remove(&stamp);
        self.used -= weight(key);
        true
    }

    fn oldest(&self) -> Option<u64> {
        self.order.first_key_value().map(|(_, key)| *key)
    }
}

impl Cache for Lru {
    fn ask(&mut self, key: u64, weight: u64) -> bool {
        let hit = self.touch(key, weight);
        while self.used > self.capacity {
            self.pop();
        }
        hit
    }

    fn ahead(&mut self, key: u64, weight: u64) {
        self.ask(key, weight);
    }
}

/// SIEVE (Zhang and others, NSDI 2024): a queue whose hand spares what was hit.
struct Sieve {
    queue: BTreeMap<u64, (u64, bool)>,
    places: BTreeMap<u64, u64>,
    clock: u64,
    hand: u64,
    used: u64,
    capacity: u64,
}

impl Sieve {
    fn new(capacity: u64) -> Self {
        let (queue, places) = (BTreeMap::new(), BTreeMap::new());
        Self { queue, places, clock: 0, hand: 0, used: 0, capacity }
    }

    fn evict(&mut self) {
        loop {
            let next = self.queue.range_mut(self.hand..).next();
            let Some((place, (key, hit))) = next else {
                self.hand = 0;
                continue;
            };
            let (place, key, spared) = (*place, *key, core::mem::take(hit));
            // Past the newest the hand starts again at the oldest, also when others come meanwhile.
            let newest = self.queue.range(place + 1..).next().is_none();
            self.hand = if newest { 0 } else { place + 1 };
            if !spared {
                self.queue.remove(&place);
                self.places.remove(&key);
                self.used -= weight(key);
                return;
            }
        }
    }
}

impl Cache for Sieve {
    fn ask(&mut self, key: u64, weight: u64) -> bool {
        if let Some(place) = self.places.get(&key) {
            self.queue.entry(*place).and_modify(|(_, hit)| *hit = true);
            return true;
        }
        self.ahead(key, weight);
        false
    }

    fn ahead(&mut self, key: u64, weight: u64) {
        if self.places.contains_key(&key) {
            return;
        }
        while self.used + weight > self.capacity {
            self.evict();
        }
        self.clock += 1;
        self.queue.insert(self.clock, (key, false));
        self.places.insert(key, self.clock);
        self.used += weight;
    }
}

/// W-TinyLFU (Einziger and others, 2017): an LRU window, a segmented LRU behind it, and
/// admission by how often both were asked for among the last requests, counted exactly.
struct TinyLfu {
    window: Lru,
    probation: Lru,
    protected: Lru,
    counts: BTreeMap<u64, u64>,
    last: VecDeque<u64>,
}

impl TinyLfu {
    fn new(capacity: u64, window: u64) -> Self {
        let part = capacity * window / 100;
        let rest = capacity - part;
        Self {
            window: Lru::new(part),
            probation: Lru::new(rest),
            protected: Lru::new(rest / 5 * 4),
            counts: BTreeMap::new(),
            last: VecDeque::new(),
        }
    }

    fn count(&mut self, key: u64) {
        *self.counts.entry(key).or_default() += 1;
        self.last.push_back(key);
        let held = [&self.window, &self.probation, &self.protected];
        // The sample of the paper: ten times as many requests as the cache holds entries.
        let sample = 10 * held.iter().map(|part| part.stamps.len()).sum::<usize>().max(64);
        while self.last.len() > sample {
            let old = self.last.pop_front().unwrap_or_default();
            let count = self.counts.entry(old).or_default();
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&old);
            }
        }
    }

    fn frequency(&self, key: u64) -> u64 {
        self.counts.get(&key).copied().unwrap_or_default()
    }

    fn promote(&mut self, key: u64) {
        self.probation.remove(key);
        self.protected.touch(key, weight(key));
        while self.protected.used > self.protected.capacity {
            let Some(down) = self.protected.pop() else { break };
            self.probation.touch(down, weight(down));
        }
    }

    fn settle(&mut self) {
        while self.window.used > self.window.capacity {
            let Some(new) = self.window.pop() else { return };
            self.probation.touch(new, weight(new));
            while self.probation.used + self.protected.used > self.probation.capacity {
                let old = self.probation.oldest().filter(|old| *old != new);
                let Some(old) = old.filter(|old| self.frequency(new) > self.frequency(*old)) else {
                    self.probation.remove(new);
                    break;
                };
                self.probation.remove(old);
            }
        }
    }
}

impl Cache for TinyLfu {
    fn ask(&mut self, key: u64, weight: u64) -> bool {
        self.count(key);
        if self.window.stamps.contains_key(&key) {
            return self.window.touch(key, weight);
        }
        if self.protected.stamps.contains_key(&key) {
            return self.protected.touch(key, weight);
        }
        if self.probation.stamps.contains_key(&key) {
            self.promote(key);
            return true;
        }
        self.ahead(key, weight);
        false
    }

    fn ahead(&mut self, key: u64, weight: u64) {
        let held = [&self.window, &self.probation, &self.protected];
        if !held.iter().any(|part| part.stamps.contains_key(&key)) {
            self.window.touch(key, weight);
            self.settle();
        }
    }
}

const MIB: u64 = 1024 * 1024;

/// Keys from here on are drawn by no popularity.
const FRESH: u64 = 1 << 40;
