//! One scheduler in virtual time: what happens is a script, what it does is compared line by line.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use neap::base::digest::Digest;
use neap::base::peer::{NodeKey, PeerId, Role, Tier};
use neap::base::rng::Rng;
use neap::base::segment::{BlockSet, SegmentId, resource};
use neap::base::time::Instant;
use neap::engine::schedule::rank::{Member, place};
use neap::engine::schedule::scheduler::{Arrival, Scheduler};
use neap::engine::schedule::want::{Have, Link, Step, Want};

/// A moment, in milliseconds after the start of a script.
pub(crate) fn at(millis: u64) -> Instant {
    Instant::from_micros((1_000_000 + millis) * 1000)
}

/// A segment of the topic whose record is known; how long it plays is not.
pub(crate) fn want(deadline: Instant, blocks: BlockSet) -> Want {
    let (plays, urgent, known) = (Duration::ZERO, false, true);
    Want { topic: topic(), deadline, dry: deadline, plays, urgent, blocks, known }
}

pub(crate) fn topic() -> Digest {
    Digest::of(b"channel")
}

/// The key of the node with this name.
pub(crate) fn key(name: &str) -> NodeKey {
    NodeKey(Digest::of(name.as_bytes()).0)
}

/// Plays `script` and compares the steps with `expected`: in each line two bounds in
/// milliseconds and the step, in order.
#[track_caller]
pub(crate) fn check(script: &str, expected: &str) {
    let bench = Bench::play(script);
    let shown = || {
        bench.log.iter().fold(String::new(), |mut shown, (when, step)| {
            writeln!(shown, "{when} {step}").expect("a String");
            shown
        })
    };
    let mut log = bench.log.iter();
    for line in lines(expected) {
        let (bounds, step) = line.split_once(' ').expect("bounds and a step");
        let (from, to) = bounds.split_once("..").unwrap_or((bounds, bounds));
        let bounds = from.parse().expect("milliseconds")..=to.parse().expect("milliseconds");
        let fits = log.next().is_some_and(|(when, did)| bounds.contains(when) && did == step);
        assert!(fits, "expected {line} in\n{}", shown());
    }
    assert!(log.next().is_none(), "more than expected:\n{}", shown());
}

/// Plays `script` and answers what is asked of the origin: when, of which segment, which blocks, why.
pub(crate) fn origin(script: &str) -> Vec<String> {
    let steps = Bench::play(script).log.into_iter();
    steps
        .filter_map(|(when, step)| Some(format!("{when} {}", step.strip_prefix("origin ")?)))
        .collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

struct Bench {
    scheduler: Scheduler,
    now: u64,
    names: BTreeMap<PeerId, String>,
    order: Vec<String>,
    log: Vec<(u64, String)>,
}

impl Bench {
    fn play(script: &str) -> Self {
        let mut bench = Self::new(script);
        for line in lines(script).filter(|line| !line.starts_with("order")) {
            let (when, event) = line.split_once(' ').expect("a time and an event");
            bench.run_until(when.parse().expect("milliseconds"));
            let words: Vec<_> = event.split(' ').collect();
            bench.happen(&words);
            bench.drain();
        }
        bench
    }

    fn new(script: &str) -> Self {
        let order = lines(script).find_map(|line| line.strip_prefix("order "));
        let order = order.unwrap_or("own").split(' ').map(String::from).collect();
        Self {
            scheduler: Scheduler::new(Rng::new(7), key("own"), Role::Device),
            now: 0,
            names: BTreeMap::new(),
            order,
            log: Vec::new(),
        }
    }

    /// A segment with this number for whose first group the nodes rank as `order` says.
    fn segment(&self, number: u32) -> SegmentId {
        let member = |name: &String| Member { key: key(name), role: Role::Device };
        let members: Vec<_> = self.order.iter().map(member).collect();
        let fits = |segment: &SegmentId| {
            let rank = |own: &Member| {
                let others = members.iter().copied().filter(|other| other != own);
                place(*own, others, (*segment, 0)).rank
            };
            members.iter().map(rank).eq(0..u32::try_from(members.len()).expect("few"))
        };
        let name = |salt| resource("tv", &format!("/{number}-{salt}.ts"));
        let mut found = (0..).map(|salt| SegmentId { resource: name(salt), number });
        found.find(fits).expect("some segment ranks so")
    }

    fn peer(&self, name: &str) -> PeerId {
        let found = self.names.iter().find(|(_, other)| *other == name);
        *found.expect("a peer that joined").0
    }

    fn run_until(&mut self, until: u64) {
        while let Some(next) = self.scheduler.poll_timeout().filter(|next| *next <= at(until)) {
            let millis = (next.as_micros() / 1000 + 1).saturating_sub(1_000_000);
            self.now = self.now.max(millis).min(until.max(self.now));
            let before = (self.log.len(), self.scheduler.poll_timeout());
            self.drain();
            let after = (self.log.len(), self.scheduler.poll_timeout());
            if before == after && self.now >= until {
                break;
            }
        }
        self.now = until;
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(step) = self.scheduler.poll(at(self.now)) {
            let step = self.show(step);
            self.log.push((self.now, step));
        }
    }

    fn show(&self, step: Step) -> String {
        match step {
            Step::Ask { peer, segment, blocks, within: _ } => {
                format!("ask {} {} {}", self.names[&peer], segment.number, ranges(blocks))
            }
            Step::Cancel { peer, segment, blocks } => {
                format!("cancel {} {} {}", self.names[&peer], segment.number, ranges(blocks))
            }
            Step::Origin { segment, blocks, why } => {
                let blocks = blocks.map_or_else(|| "whole".into(), ranges);
                format!("origin {} {blocks} {why:?}", segment.number).to_lowercase()
            }
        }
    }

    fn happen(&mut self, words: &[&str]) {
        let now = at(self.now);
        match words {
            ["join", name, tier, rest @ ..] => self.join(name, tier, rest.contains(&"witness")),
            ["gone", name] => {
                let peer = self.peer(name);
                self.scheduler.on_gone(peer, now);
            }
            ["replaces", old, new] => self.scheduler.on_replaced(self.peer(old), self.peer(new)),
            ["choke", name] => self.scheduler.on_choke(self.peer(name), true, now),
            ["unchoke", name] => self.scheduler.on_choke(self.peer(name), false, now),
            ["seek", name] => self.scheduler.on_seek(self.peer(name), topic(), now),
            ["want", number, "in", millis, count, rest @ ..] => {
                let deadline = at(self.now + millis.parse::<u64>().expect("milliseconds"));
                let (urgent, known) = (rest.contains(&"urgent"), !rest.contains(&"unknown"));
                let blocks = BlockSet::first(count.parse().expect("a count"));
                let dry = rest.iter().skip_while(|word| **word != "dry").nth(1);
                let dry = dry.map(|millis| at(self.now + millis.parse::<u64>().expect("a time")));
                let dry = dry.unwrap_or(deadline);
                let want = Want { dry, urgent, known, ..want(deadline, blocks) };
                assert!(self.scheduler.want(self.number(number), want, now));
            }
            ["known", number, count] => {
                let all = BlockSet::first(count.parse().expect("a count"));
                self.scheduler.on_known(self.number(number), all, now);
            }
            ["have", name, number, here, coming, hops] => {
                let have = Have {
                    segment: self.number(number),
                    here: blocks(here),
                    coming: blocks(coming),
                    hops: hops.parse().expect("hops"),
                };
                self.scheduler.on_have(self.peer(name), have, now);
            }
            ["block", number, which, from] => {
                let from = (*from != "origin").then(|| self.peer(from));
                for block in blocks(which).iter() {
                    let arrival = Arrival { block, from, bytes: 65_536 };
                    self.scheduler.on_block(self.number(number), arrival, now);
                }
            }
            ["passed", number, block] => {
                let block = block.parse().expect("a block");
                self.scheduler.on_passed(self.number(number), block, now);
            }
            ["bad", name] => self.scheduler.on_bad(self.peer(name), now),
            ["deny", name, number, which] => {
                let what = (self.number(number), blocks(which));
                self.scheduler.on_deny(self.peer(name), what, now);
            }
            ["ended", number, how] => {
                self.scheduler.on_origin_ended(self.number(number), *how == "good", now);
            }
            ["rate", bytes] => {
                let bytes = bytes.parse().expect("bytes a second");
                (0..20).for_each(|_| self.scheduler.on_origin_rate(bytes, Duration::from_secs(1)));
            }
            ["playlists", bytes] => {
                let (bytes, trip) = (bytes.parse().expect("bytes"), Duration::from_millis(50));
                (0..20).for_each(|_| self.scheduler.on_origin_rate(bytes, trip));
            }
            ["drop", number] => self.scheduler.drop(self.number(number), now),
            ["end"] => {}
            other => panic!("no such event: {other:?}"),
        }
    }

    fn number(&self, number: &str) -> SegmentId {
        self.segment(number.parse().expect("a number"))
    }

    fn join(&mut self, name: &str, tier: &str, is_witness: bool) {
        let peer = PeerId(self.names.len() as u64);
        let tier = match tier {
            "home" => Tier::Home,
            "isp" => Tier::Isp,
            _ => Tier::Wan,
        };
        let role = if is_witness { Role::Witness } else { Role::Device };
        self.names.insert(peer, name.into());
        self.scheduler.on_joined(peer, Link { key: key(name), tier, role }, at(self.now));
    }
}

/// Reads `0-3,7`, or `-` for none.
fn blocks(text: &str) -> BlockSet {
    let mut set = BlockSet::NONE;
    for run in text.split(',').filter(|run| *run != "-") {
        let (from, to) = run.split_once('-').unwrap_or((run, run));
        let (from, to) = (from.parse::<u8>().expect("a block"), to.parse().expect("a block"));
        set = (from..=to).fold(set, |set, block| set.or(BlockSet::one(block)));
    }
    set
}

fn ranges(set: BlockSet) -> String {
    let runs = set.runs().map(|(first, count)| match count {
        1 => first.to_string(),
        _ => format!("{first}-{}", u32::from(first) + count - 1),
    });
    runs.collect::<Vec<_>>().join(",")
}
