//! Peers as sources: how fast each is, what it still owes, whether it may be asked.

use core::time::Duration;
use std::collections::VecDeque;

use super::promise::Promises;
use super::rank::Member;
use super::rate::{Delay, Rate};
use super::rest::back_off;
use super::want::{Have, Link};
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::Tier;
use crate::base::segment::SegmentId;
use crate::base::set::Set;
use crate::base::time::Instant;

/// A linked peer.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) link: Link,
    pub(super) rate: Rate,
    /// The way there and back, as short as it was seen.
    pub(super) rtt: Duration,
    /// Time from question to block.
    pub(super) delay: Delay,
    /// Blocks that were asked of it and are not here.
    pub(super) owed: u64,
    /// When it last gave something, or was first asked after it owed nothing.
    pub(super) moved: Instant,
    /// When late blocks were last asked of another in its place, while it gives nothing.
    pub(super) left: Option<Instant>,
    /// It owed nothing when it was last asked.
    idle: bool,
    /// Bytes that came since `measured`, while it owed more.
    burst: u64,
    measured: Instant,
    pub(super) choked: bool,
    /// It gave a bad block: it is not asked any more.
    pub(super) liar: bool,
    /// Until when it is left alone, and how often in a row.
    pub(super) rest: (Instant, u32),
    /// Until when a cap lets nothing be asked of it.
    pub(super) held: Option<Instant>,
    /// What it makes of its own fetches.
    pub(super) promises: Promises,
    topics: Map<Digest, Instant>,
    /// What it has of segments that are not wanted yet.
    early: VecDeque<Have>,
    /// Wanted segments of which it has something, by deadline, for when it may be asked more.
    pub(super) useful: Set<(Instant, SegmentId)>,
}

impl Source {
    pub(super) fn new(link: Link, now: Instant) -> Self {
        let (rtt, rate) = guess(link.tier);
        Self {
            link,
            rate: Rate::new(rate),
            rtt,
            delay: Delay::new(rtt * 2),
            owed: 0,
            moved: now,
            left: None,
            idle: true,
            burst: 0,
            measured: now,
            choked: false,
            liar: false,
            rest: (now, 0),
            held: None,
            promises: Promises::default(),
            topics: Map::new(),
            early: VecDeque::new(),
            useful: Set::new(),
        }
    }

    /// It is the same peer as another one, over another link.
    pub(super) fn inherit(&mut self, other: &Self) {
        self.topics.clone_from(&other.topics);
        self.early.clone_from(&other.early);
        self.promises.clone_from(&other.promises);
    }

    /// It as a member of its topics.
    pub(super) const fn member(&self) -> Member {
        Member { key: self.link.key, role: self.link.role }
    }

    /// Whether it shares the work of a topic.
    pub(super) fn shares(&self, topic: Digest, now: Instant) -> bool {
        let sought = self.topics.get(&topic);
        !self.liar && sought.is_some_and(|at| now - *at <= limits::swarm::TOPIC_FRESH)
    }

    /// Whether another one sought something of the same topic.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.topics.keys().any(|topic| other.seeks(*topic))
    }

    /// Whether it sought something of a topic, as far as that is remembered.
    pub(super) fn seeks(&self, topic: Digest) -> bool {
        self.topics.contains_key(&topic)
    }

    pub(super) fn on_seek(&mut self, topic: Digest, now: Instant) {
        self.topics.insert(topic, now);
        if self.topics.len() > limits::swarm::TOPICS {
            let oldest = self.topics.iter().min_by_key(|(_, at)| **at).map(|(topic, _)| *topic);
            oldest.map(|topic| self.topics.remove(&topic));
        }
    }

    /// Remembers what it has of a segment that is not wanted yet.
    pub(super) fn on_early(&mut self, have: Have) {
        self.early.retain(|early| early.segment != have.segment);
        self.early.push_back(have);
        if self.early.len() > limits::swarm::EARLY {
            self.early.pop_front();
        }
    }

    /// What it said of a segment before that was wanted.
    pub(super) fn early(&mut self, segment: SegmentId) -> Option<Have> {
        let place = self.early.iter().position(|early| early.segment == segment)?;
        self.early.remove(place)
    }

    /// Whether it may be asked at all now.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        let held = self.held.is_some_and(|until| until > now);
        !self.choked && !self.liar && !held && self.rest.0 <= now
    }

    /// How many blocks more may be asked of it.
    pub(super) fn room(&self) -> u64 {
        let depth = self.rate.blocks_in(limits::swarm::PIPE_TIME);
        let near = self.link.tier == Tier::Home;
        let least = if near { limits::swarm::PIPE_LEAST } else { limits::swarm::PIPE_FAR };
        depth.clamp(least, limits::swarm::PIPE_MOST).saturating_sub(self.owed)
    }

    /// How long a block takes that is asked of it now, when `more` are asked before.
    pub(super) fn queue_time(&self, more: u64) -> Duration {
        self.rtt + self.rate.time((self.owed + more + 1) * limits::block::BLOCK)
    }

    /// A block is asked of it.
    pub(super) fn on_asked(&mut self, now: Instant) {
        if self.owed == 0 {
            (self.moved, self.idle, self.burst) = (now, true, 0);
        }
        self.owed += 1;
    }

    /// It gave a block that was asked at `asked`.
    pub(super) fn on_given(&mut self, asked: Instant, bytes: u32, now: Instant) {
        self.delay.sample(now - asked);
        if self.idle {
            // What the first block after a rest took beyond the way there and back is the rate
            // that this node has a share of, a queue at the peer with it.
            let took = now - asked;
            self.rtt = self.rtt.min(took).max(LEAST_RTT);
            self.rate.sample(u64::from(bytes), took.saturating_sub(self.rtt).max(LEAST_RTT));
            (self.idle, self.measured, self.burst) = (false, now, 0);
        } else {
            self.burst += u64::from(bytes);
            let enough = self.burst >= 4 * limits::block::BLOCK || now - self.measured >= SAMPLE;
            if now > self.measured && (enough || self.owed <= 1) {
                self.rate.sample(self.burst, now - self.measured);
                (self.measured, self.burst) = (now, 0);
            }
        }
        self.moved = now;
        (self.rest.1, self.left) = (0, None);
        self.on_settled();
    }

    /// A block that was asked of it is owed no more.
    pub(super) const fn on_settled(&mut self) {
        self.owed = self.owed.saturating_sub(1);
    }

    /// When it is better left alone, if it gives nothing until then.
    pub(super) fn stalls(&self) -> Instant {
        self.moved + limits::swarm::STALLED.max(self.queue_time(0) * 4)
    }

    /// It is left alone for a while, each time longer.
    pub(super) fn on_stalled(&mut self, now: Instant) {
        let (until, times) = self.rest;
        if until <= now {
            self.rest = (now + back_off(times), times.saturating_add(1));
            self.rate.sample(limits::block::BLOCK, (now - self.moved).max(limits::swarm::STALLED));
        }
    }
}

/// Round trip and bytes a second of a peer that has given nothing yet.
const fn guess(tier: Tier) -> (Duration, u64) {
    match tier {
        Tier::Home => (Duration::from_millis(5), 8 * 1024 * 1024),
        Tier::Isp => (Duration::from_millis(30), 1024 * 1024),
        Tier::Wan => (Duration::from_millis(80), 512 * 1024),
    }
}

/// The shortest round trip that is reckoned with.
const LEAST_RTT: Duration = Duration::from_millis(1);

/// A rate is measured over at least four blocks or this long.
const SAMPLE: Duration = Duration::from_millis(100);
