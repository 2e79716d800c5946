//! What the uplink carries, by what the ways to peers beyond the home were seen to.

use core::time::Duration;
use std::collections::VecDeque;

use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::PeerId;
use crate::base::time::Instant;
use crate::base::units::Rate;

/// The uplink as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Uplink {
    /// The last that the way to each peer was seen to carry: a way may be narrow elsewhere.
    ways: Map<PeerId, VecDeque<u64>>,
    /// Bits a second, and when that was measured.
    known: Option<(u64, Instant)>,
    /// How long before that moment it was measured: in an earlier run.
    before: Duration,
}

impl Uplink {
    /// The way to a peer has carried so many bits a second; `is_full` where it carries no more.
    /// Answers whether that changes what is known.
    pub fn on_carried(&mut self, peer: PeerId, (bits, is_full): (u64, bool), now: Instant) -> bool {
        // What was not filled tells only that the uplink is no narrower.
        if !is_full && self.bits(now).is_none_or(|known| bits <= known) {
            return false;
        }
        if !self.ways.contains_key(&peer) && self.ways.len() >= limits::link::LINKS {
            return false;
        }
        let way = self.ways.entry(peer).or_default();
        way.push_back(bits);
        if way.len() > KEPT {
            way.pop_front();
        }
        let Some(widest) = self.ways.values().filter_map(carried).max() else { return false };
        let differs = self.known.is_none_or(|(known, _)| known.abs_diff(widest) > known / 16);
        (self.known, self.before) = (Some((widest, now)), Duration::ZERO);
        differs
    }

    /// A link is no more; what it told stays known.
    pub fn forget(&mut self, peer: PeerId) {
        self.ways.remove(&peer);
    }

    /// Bits a second that it was seen to carry; none before it was measured, or long after.
    pub fn bits(&self, now: Instant) -> Option<u64> {
        let age = self.age(now)?;
        self.known.filter(|_| age < limits::upload::UPLINK_KNOWN).map(|(bits, _)| bits)
    }

    /// How long ago it was measured.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.known.map(|(_, at)| self.before.saturating_add(now - at))
    }

    /// What may be sent beyond the home by itself: a quarter of it, within the usual bound.
    pub fn quarter(&self, now: Instant) -> Rate {
        let most = limits::upload::WAN_UPLOAD;
        self.bits(now).map_or(most, |bits| Rate(bits / 4).min(most))
    }

    /// As words for the notebook: bits a second and seconds of age; none while nothing is known.
    pub fn to_words(&self, now: Instant) -> Option<String> {
        let age = self.age(now)?;
        self.bits(now).map(|bits| format!("{bits} {}", age.as_secs()))
    }

    /// Takes in what an earlier run has noted `away` ago; none where the words make no sense.
    pub fn restore(&mut self, words: &str, away: Duration, now: Instant) -> Option<()> {
        let (bits, age) = words.split_once(' ')?;
        let (bits, age) = (bits.parse().ok()?, age.parse().ok()?);
        if self.known.is_none() && bits > 0 {
            self.known = Some((bits, now));
            self.before = Duration::from_secs(age).saturating_add(away);
        }
        Some(())
    }
}

/// What a way carries: more than a quarter of what was seen lies above it, since others on the
/// line make it less, and hardly anything makes it more.
fn carried(way: &VecDeque<u64>) -> Option<u64> {
    let mut all: Vec<u64> = way.iter().copied().collect();
    all.sort_unstable();
    (all.len() >= LEAST).then(|| all[all.len() * 3 / 4])
}

/// Blocks that are enough to tell by, and those that are remembered: at 2 Mbit/s one leaves in
/// 280 ms, so that a line that changed is known after five seconds.
const LEAST: usize = 4;
const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId(1);
    const DAY: u64 = 24 * 3600;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn see(uplink: &mut Uplink, peer: u64, megabits: &[u64], now: Instant) {
        for bits in megabits {
            uplink.on_carried(PeerId(peer), (bits * 1_000_000, true), now);
        }
    }

    #[test]
    fn a_quarter_of_what_was_measured_and_two_megabits_at_most() {
        let mut uplink = Uplink::default();
        assert_eq!(uplink.quarter(at(0)), Rate(2_000_000), "nothing is known");
        see(&mut uplink, 1, &[4, 4, 4], at(0));
        assert_eq!(uplink.bits(at(0)), None, "three are not enough");
        see(&mut uplink, 1, &[4], at(1));
        assert_eq!(uplink.quarter(at(1)), Rate(1_000_000));
        see(&mut uplink, 2, &[40, 30, 40, 40], at(2));
        assert_eq!(uplink.quarter(at(2)), Rate(2_000_000), "the first way is narrow elsewhere");
        uplink.forget(PeerId(2));
        see(&mut uplink, 1, &[1; 16], at(3));
        assert_eq!(uplink.quarter(at(3)), Rate(250_000), "the line is another one");
    }

    #[test]
    fn one_odd_figure_changes_little_and_an_unfilled_way_lowers_nothing() {
        let mut uplink = Uplink::default();
        see(&mut uplink, 1, &[4, 4, 4, 4, 900, 4, 1, 4, 4, 4], at(0));
        assert_eq!(uplink.bits(at(0)), Some(4_000_000));
        for _ in 0..20 {
            assert!(!uplink.on_carried(PEER, (1_000_000, false), at(1)));
        }
        assert_eq!(uplink.bits(at(1)), Some(4_000_000));
        for _ in 0..20 {
            uplink.on_carried(PEER, (9_000_000, false), at(2));
        }
        assert_eq!(uplink.bits(at(2)), Some(9_000_000), "it carries that at least");
    }

    #[test]
    fn it_outlives_a_start_and_is_forgotten_when_it_is_old() {
        let mut first = Uplink::default();
        see(&mut first, 1, &[4; 4], at(100));
        let words = first.to_words(at(160)).expect("it is known");
        assert_eq!(words, "4000000 60");
        let mut second = Uplink::default();
        assert_eq!(second.restore(&words, Duration::from_secs(DAY), at(5)), Some(()));
        assert_eq!(second.age(at(6)), Some(Duration::from_secs(DAY + 61)));
        assert_eq!(second.bits(at(29 * DAY)), None);
        assert_eq!(second.to_words(at(29 * DAY)), None);
        assert_eq!(second.bits(at(20 * DAY)), Some(4_000_000));
        see(&mut second, 1, &[8; 4], at(20 * DAY));
        assert_eq!(second.age(at(20 * DAY)), Some(Duration::ZERO));
        for bad in ["", "1", "a 1", "1 b", "1 2 3"] {
            assert_eq!(Uplink::default().restore(bad, Duration::ZERO, at(0)), None, "{bad}");
        }
    }
}
