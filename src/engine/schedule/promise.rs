//! What becomes of a peer's word that it fetches a segment: how long it takes until it has it.

use core::time::Duration;
use std::collections::VecDeque;

use super::rest::back_off;
use super::want::Have;
use crate::base::segment::SegmentId;
use crate::base::time::Instant;

/// A peer's fetches from the origin, as it tells of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Promises {
    /// Segments that it said to fetch, and since when.
    open: VecDeque<(SegmentId, Instant)>,
    /// How long the last ones took that it kept, the latest first.
    kept: VecDeque<Duration>,
    /// The last segment that it came to have so, and when.
    done: Option<(SegmentId, Instant)>,
    /// It was waited for in vain: until when it is not, and how often in a row.
    rest: (Instant, u32),
}

impl Promises {
    /// The peer said what it has of a segment and what it fetches itself.
    pub(super) fn on_have(&mut self, have: &Have, now: Instant) {
        let place = self.open.iter().position(|(segment, _)| *segment == have.segment);
        let fetches = have.hops == 0 && !have.coming.is_empty();
        match place {
            None if fetches => {
                self.open.push_front((have.segment, now));
                self.open.truncate(OPEN);
            }
            Some(place) if !fetches => {
                let begun = self.open.remove(place).map_or(now, |(_, begun)| begun);
                if have.here.is_empty() {
                    self.kept.clear();
                } else {
                    self.done = Some((have.segment, now));
                    self.kept.push_front(now - begun);
                    self.kept.truncate(KEPT);
                    if self.kept.len() == KEPT {
                        self.rest.1 = 0;
                    }
                }
            }
            _ => {}
        }
    }

    /// How long its fetches take on the average, where it kept its word lately.
    pub(super) fn usual(&self, now: Instant) -> Option<Duration> {
        let count = u32::try_from(self.kept.len()).unwrap_or(u32::MAX);
        let is_proven = self.kept.len() >= ENOUGH && self.rest.0 <= now;
        is_proven.then(|| self.kept.iter().sum::<Duration>() / count.max(1))
    }

    /// When a segment should have come from it that it fetches, or has since then: after some more
    /// time than that took at most, but not `most`, and what it `needs` on the way.
    pub(super) fn due(
        &self,
        segment: SegmentId,
        (most, needs): (Duration, Duration),
    ) -> Option<Instant> {
        let longest = self.kept.iter().max().copied().unwrap_or_default();
        let is_it = |(other, _): &&(SegmentId, Instant)| *other == segment;
        let has = || self.done.iter().find(is_it).map(|(_, done)| *done);
        let begun = self.open.iter().find(is_it).map(|(_, begun)| *begun);
        let fetched = begun.map(|begun| begun + (longest * 3 / 2).min(most));
        fetched.or_else(has).map(|has| has + needs * 2 + RELAY)
    }

    /// A segment was waited for in vain: it has to prove itself anew, after a longer while each
    /// time.
    pub(super) fn on_broken(&mut self, now: Instant) {
        if self.rest.0 <= now {
            self.rest = (now + back_off(self.rest.1).min(REST), self.rest.1.saturating_add(1));
        }
        self.kept.clear();
    }
}

/// Fetches of one peer that are followed at once.
const OPEN: usize = 4;

/// So many in a row that it kept show that its word is good.
const ENOUGH: usize = 2;

/// Kept ones that are remembered: segments differ in length.
const KEPT: usize = 8;

/// How long its word of what it has, and the record of that, may take beside the bytes.
const RELAY: Duration = Duration::from_millis(100);

/// How long who broke its word is not waited for at most.
const REST: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;
    use crate::base::segment::BlockSet;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn segment(number: u8) -> SegmentId {
        SegmentId { resource: Digest::of(&[number]), number: 0 }
    }

    /// It fetches a segment, or has it then, or has nothing of it.
    fn says(promises: &mut Promises, (number, fetches, has): (u8, bool, bool), now: Instant) {
        let blocks = |some| if some { BlockSet::first(6) } else { BlockSet::NONE };
        let (here, coming) = (blocks(has), blocks(fetches));
        let have = Have { segment: segment(number), here, coming, hops: 0 };
        promises.on_have(&have, now);
    }

    fn keeps(promises: &mut Promises, number: u8, (begun, done): (u64, u64)) {
        says(promises, (number, true, false), at(begun));
        says(promises, (number, false, true), at(done));
    }

    #[test]
    fn two_that_were_kept_show_how_long_it_takes() {
        let mut promises = Promises::default();
        keeps(&mut promises, 1, (0, 2));
        assert_eq!(promises.usual(at(2)), None, "once is chance");
        keeps(&mut promises, 2, (2, 6));
        assert_eq!(promises.usual(at(6)), Some(Duration::from_secs(3)));
        says(&mut promises, (3, true, false), at(10));
        let (most, needs) = (Duration::from_secs(60), Duration::from_secs(1));
        let due = |promises: &Promises, most| promises.due(segment(3), (most, needs));
        // Six seconds, half as much again as the longest; the way; the news.
        assert_eq!(due(&promises, most), Some(at(18) + RELAY));
        assert_eq!(due(&promises, Duration::from_secs(2)), Some(at(14) + RELAY));
        says(&mut promises, (3, false, true), at(13));
        assert_eq!(due(&promises, most), Some(at(15) + RELAY), "it has it: the way alone");
        assert_eq!(promises.due(segment(4), (most, needs)), None, "nobody spoke of it");
    }

    #[test]
    fn who_broke_its_word_proves_itself_anew_and_later_each_time() {
        let mut promises = Promises::default();
        let proves = |promises: &mut Promises, from| {
            keeps(promises, 1, (from, from));
            keeps(promises, 2, (from, from));
        };
        proves(&mut promises, 0);
        for (times, rests) in [500, 1000, 2000, 4000, 4000].into_iter().enumerate() {
            let now = at(100 * (times as u64 + 1));
            assert!(promises.usual(now).is_some());
            promises.on_broken(now);
            proves(&mut promises, 100 * (times as u64 + 1));
            let until = now + Duration::from_millis(rests);
            assert_eq!(promises.usual(now), None);
            assert!(promises.usual(until).is_some(), "after {rests} ms");
        }
        (3..9).for_each(|number| keeps(&mut promises, number, (1000, 1001)));
        promises.on_broken(at(2000));
        proves(&mut promises, 2000);
        assert!(promises.usual(at(2001)).is_some(), "eight in a row make it good");
    }

    #[test]
    fn a_fetch_that_failed_keeps_nothing() {
        let mut promises = Promises::default();
        keeps(&mut promises, 1, (0, 1));
        keeps(&mut promises, 2, (1, 2));
        says(&mut promises, (3, true, false), at(2));
        says(&mut promises, (3, false, false), at(3));
        assert_eq!(promises.usual(at(3)), None);
        for number in 10..20 {
            says(&mut promises, (number, true, false), at(4));
        }
        assert_eq!(promises.open.len(), OPEN, "what never ends is forgotten");
    }
}
