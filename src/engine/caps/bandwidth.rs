//! Rates as a tree: all peers, their tier, each peer; what is taken is taken of all three.

use super::bucket::Bucket;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{PeerId, Tier};
use crate::base::time::Instant;
use crate::base::units::Rate;

/// One direction's caps.
#[derive(Debug)]
pub struct Tree {
    all: Option<Bucket>,
    tiers: [Option<Bucket>; 3],
    each: Option<Rate>,
    peers: Map<PeerId, Bucket>,
    /// Bytes that a bucket of a small rate holds.
    least: u64,
}

/// The rates of one direction; none for no cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of all peers together.
    pub all: Option<Rate>,
    /// Of the peers of each tier: home, isp, wan.
    pub tiers: [Option<Rate>; 3],
    /// Of each peer.
    pub each: Option<Rate>,
}

impl Tree {
    /// Full buckets at these rates.
    pub fn new(rates: Rates, now: Instant) -> Self {
        Self::holding(rates, BURST, now)
    }

    /// Full buckets for words, at what these rates leave for them.
    pub fn of_words(rates: Rates, now: Instant) -> Self {
        Self::holding(rates.words(), WORDS_BURST, now)
    }

    fn holding(rates: Rates, least: u64, now: Instant) -> Self {
        let bucket = |rate: Option<Rate>| rate.map(|rate| full(rate, least, now));
        Self {
            all: bucket(rates.all),
            tiers: rates.tiers.map(bucket),
            each: rates.each,
            peers: Map::new(),
            least,
        }
    }

    /// Other rates hold from now on; what was used counts on.
    pub fn set(&mut self, rates: Rates, now: Instant) {
        change((&mut self.all, self.least), rates.all, now);
        for (bucket, rate) in self.tiers.iter_mut().zip(rates.tiers) {
            change((bucket, self.least), rate, now);
        }
        if self.each != rates.each {
            self.each = rates.each;
            self.peers.clear();
        }
    }

    /// Whether nothing is capped.
    pub fn is_free(&self) -> bool {
        self.all.is_none() && self.each.is_none() && self.tiers.iter().all(Option::is_none)
    }

    /// Takes bytes for a peer if there are as many in all of its buckets.
    pub fn take(&mut self, (peer, tier): (PeerId, Tier), bytes: u64, now: Instant) -> bool {
        let has = self.when((peer, tier), bytes, now).is_some_and(|at| at <= now);
        if has {
            self.charge((peer, tier), bytes, now);
        }
        has
    }

    /// Counts bytes that have gone.
    pub fn charge(&mut self, (peer, tier): (PeerId, Tier), bytes: u64, now: Instant) {
        self.add_peer(peer, now);
        let buckets = [self.all.as_mut(), self.tiers[tier as usize].as_mut()];
        let buckets = buckets.into_iter().flatten().chain(self.peers.get_mut(&peer));
        buckets.for_each(|bucket| bucket.charge(bytes, now));
    }

    /// When there are so many bytes for a peer; none when there never will be.
    pub fn when(&self, (peer, tier): (PeerId, Tier), bytes: u64, now: Instant) -> Option<Instant> {
        let buckets = [self.all.as_ref(), self.tiers[tier as usize].as_ref()];
        let mut buckets = buckets.into_iter().flatten().chain(self.peers.get(&peer));
        let new_peer_is_off = self.each.is_some_and(|rate| rate.0 == 0);
        if new_peer_is_off {
            return None;
        }
        buckets.try_fold(now, |latest, bucket| Some(latest.max(bucket.when(bytes, now)?)))
    }

    /// The rate of a tier, as the tightest above it allows.
    pub fn rate(&self, tier: Tier) -> Option<Rate> {
        let own = self.tiers[tier as usize].as_ref().map(Bucket::rate);
        let all = self.all.as_ref().map(Bucket::rate);
        let tightest = own.into_iter().chain(all).min();
        tightest.map(|bytes| Rate(bytes.saturating_mul(8)))
    }

    /// A peer is no more.
    pub fn forget(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    fn add_peer(&mut self, peer: PeerId, now: Instant) {
        if let Some(rate) = self.each.filter(|_| self.peers.len() < limits::link::LINKS) {
            self.peers.entry(peer).or_insert_with(|| full(rate, self.least, now));
        }
    }
}

impl Rates {
    /// The part of each that words on what is here may take, so that they leave most to what they
    /// are about.
    pub fn words(self) -> Self {
        let part = |rate: Option<Rate>| rate.map(|Rate(bits)| Rate(bits / WORDS_PART));
        Self { all: part(self.all), tiers: self.tiers.map(part), each: part(self.each) }
    }
}

/// What a block costs on a link: its frame, TLS records of 16 KiB with 22 bytes around each (RFC
/// 8446, 5.2), and 66 bytes of Ethernet, IP and TCP with timestamps for 1448 of content. QUIC
/// takes 1200 bytes of content at least in 1200 + 70; it is reckoned with for both.
pub const fn on_wire(bytes: u64) -> u64 {
    let records = bytes.div_ceil(16 * 1024) + 1;
    let sealed = bytes + BLOCK_FRAME + records * 22;
    sealed + sealed.div_ceil(1200) * 70
}

/// What a message costs on a link: one TLS record, and the headers of its packets. What is said
/// to the same peer in the same turn shares both and is `joined`.
pub const fn said_on_wire(bytes: u64, joined: bool) -> u64 {
    if joined {
        return bytes + bytes * 70 / 1200;
    }
    let sealed = bytes + 22;
    sealed + sealed.div_ceil(1200) * 70
}

/// What is sent back for so many received bytes: one acknowledgement of 66 bytes for two segments.
pub const fn acknowledged(bytes: u64) -> u64 {
    bytes / 44
}

/// A frame's head, the segment's name and the block's number (docs/protocol.md).
const BLOCK_FRAME: u64 = 41;

/// Two blocks, with what they take on the wire beside their content within.
const BURST: u64 = 2 * limits::block::BLOCK;

/// Words that may be said at once at a small rate: records and news of a few segments.
const WORDS_BURST: u64 = 16 * 1024;

/// The part of a rate that words may take.
const WORDS_PART: u64 = 8;

/// The burst at a rate: two blocks, or an eighth of a second of it, whichever is more.
pub const fn burst(rate: Rate) -> u64 {
    holds(rate, BURST)
}

const fn holds(rate: Rate, least: u64) -> u64 {
    match (rate.0, rate.0 / 64) {
        (0, _) => 0,
        (_, eighth) if eighth > least => eighth,
        _ => least,
    }
}

fn full(rate: Rate, least: u64, now: Instant) -> Bucket {
    Bucket::new(rate.0 / 8, holds(rate, least), now)
}

/// A bucket that is new begins empty: a change of rates gives no burst of its own.
fn change((bucket, least): (&mut Option<Bucket>, u64), rate: Option<Rate>, now: Instant) {
    match (bucket, rate) {
        (Some(bucket), Some(rate)) => bucket.set_rate(rate.0 / 8, holds(rate, least), now),
        (bucket @ None, Some(rate)) => {
            let mut new = full(rate, least, now);
            new.charge(holds(rate, least), now);
            *bucket = Some(new);
        }
        (bucket, None) => *bucket = None,
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::base::rng::Rng;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    const PEERS: [(PeerId, Tier); 4] = [
        (PeerId(1), Tier::Home),
        (PeerId(2), Tier::Wan),
        (PeerId(3), Tier::Wan),
        (PeerId(4), Tier::Isp),
    ];

    #[test]
    fn no_cap_of_the_tree_is_exceeded_and_the_tightest_is_used() {
        for seed in 0..10 {
            let mut rng = Rng::new(seed);
            let mut rate = || Some(Rate(500_000 * (1 + rng.below(60))));
            let rates = Rates { all: rate(), tiers: [rate(), None, rate()], each: rate() };
            let mut tree = Tree::new(rates, at(0));
            let (mut sums, mut now) = ([0_u64; 4], at(0));
            let bytes = on_wire(limits::block::BLOCK);
            while now < at(20_000) {
                for (place, peer) in PEERS.iter().enumerate() {
                    while tree.take(*peer, bytes, now) {
                        sums[place] += bytes;
                    }
                }
                now = PEERS.iter().filter_map(|peer| tree.when(*peer, bytes, now)).min().expect("");
            }
            let most =
                |rate: Option<Rate>| rate.map_or(u64::MAX, |r| r.0 / 8 * 20 + burst(r) + bytes);
            let all: u64 = sums.iter().sum();
            assert!(all <= most(rates.all), "seed {seed}");
            assert!(sums[0] <= most(rates.tiers[0]) && sums[1] + sums[2] <= most(rates.tiers[2]));
            assert!(sums.iter().all(|sum| *sum <= most(rates.each)), "seed {seed}");
            let wanted = (most(rates.each) * 4).min(most(rates.all));
            let wanted = wanted.min(most(rates.tiers[2]).min(2 * most(rates.each)));
            assert!(all * 100 >= wanted * 95, "seed {seed}: {all} of {wanted}");
        }
    }

    #[test]
    fn another_rate_gives_no_burst_and_none_is_none() {
        let wan = |rate| Rates { tiers: [None, None, rate], ..Rates::default() };
        let mut tree = Tree::new(wan(None), at(0));
        assert!(tree.is_free() && tree.take(PEERS[1], 1 << 40, at(0)));
        tree.set(wan(Some(Rate(8_000_000))), at(0));
        assert!(!tree.take(PEERS[1], 100_000, at(0)) && tree.take(PEERS[1], 100_000, at(100)));
        tree.set(wan(Some(Rate(0))), at(200));
        assert_eq!(tree.when(PEERS[1], 1, at(10_000)), None);
        assert!(tree.take(PEERS[0], 1 << 40, at(200)), "another tier");
        let each = Rates { each: Some(Rate(0)), ..Rates::default() };
        assert!(!Tree::new(each, at(0)).take(PEERS[0], 1, at(0)));
    }

    #[test]
    fn a_block_costs_what_goes_over_the_wire() {
        let bytes = on_wire(65_536);
        assert!((65_536 * 104 / 100..65_536 * 108 / 100).contains(&bytes), "{bytes}");
        let _ = Duration::ZERO;
    }
}
