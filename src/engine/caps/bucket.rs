//! A token bucket: so much a second, and a burst that is stated.

use core::time::Duration;

use crate::base::time::Instant;

/// Tokens that come at a rate. In any window no more are taken than come in it and the burst.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Tokens a second.
    rate: u64,
    /// The most that it holds.
    burst: u64,
    /// Millionths of a token that it holds.
    held: u128,
    at: Instant,
}

impl Bucket {
    /// A bucket that is full.
    pub fn new(rate: u64, burst: u64, now: Instant) -> Self {
        Self { rate, burst, held: u128::from(burst) * MILLION, at: now }
    }

    /// Tokens come at another rate from now on. What it holds stays, up to the new burst; what is
    /// owed is paid at the new rate.
    pub fn set_rate(&mut self, rate: u64, burst: u64, now: Instant) {
        self.fill(now);
        let wait = if now < self.at { self.at - now } else { Duration::ZERO };
        let owed = wait.as_micros() * u128::from(self.rate.max(1));
        (self.rate, self.burst) = (rate, burst);
        if owed > 0 {
            self.at = now;
            self.at = self.later(owed).min(now + LONGEST_DEBT);
        }
        self.held = self.held.min(u128::from(burst) * MILLION);
    }

    /// Tokens a second.
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    /// Whether so many can be taken.
    pub fn has(&self, tokens: u64, now: Instant) -> bool {
        self.held_at(now) >= u128::from(tokens.min(self.burst)) * MILLION && self.burst > 0
    }

    /// Takes tokens if there are as many; what is more than the burst waits for a full bucket
    /// and is owed afterwards.
    pub fn take(&mut self, tokens: u64, now: Instant) -> bool {
        self.fill(now);
        if !self.has(tokens, now) {
            return false;
        }
        let cost = u128::from(tokens) * MILLION;
        if let Some(left) = self.held.checked_sub(cost) {
            self.held = left;
        } else {
            self.at = self.later(cost - self.held);
            self.held = 0;
        }
        true
    }

    /// Takes what was used already, whether it is there or not: what is missing is owed.
    pub fn charge(&mut self, tokens: u64, now: Instant) {
        self.fill(now);
        let cost = u128::from(tokens) * MILLION;
        if let Some(left) = self.held.checked_sub(cost) {
            self.held = left;
        } else {
            self.at = self.later(cost - self.held).min(now + LONGEST_DEBT);
            self.held = 0;
        }
    }

    /// Gives back what was taken and not used.
    pub fn give_back(&mut self, tokens: u64, now: Instant) {
        self.fill(now);
        let held = self.held + u128::from(tokens) * MILLION;
        self.held = held.min(u128::from(self.burst) * MILLION);
    }

    /// When there are as many; none when there never will be.
    pub fn when(&self, tokens: u64, now: Instant) -> Option<Instant> {
        let wanted = u128::from(tokens.min(self.burst)) * MILLION;
        let held = self.held_at(now);
        if self.burst > 0 && held >= wanted {
            return Some(now.max(self.at));
        }
        let missing = wanted.saturating_sub(self.held);
        (self.rate > 0 && self.burst > 0).then(|| self.later(missing).max(now))
    }

    fn held_at(&self, now: Instant) -> u128 {
        if now < self.at {
            return 0;
        }
        let come = (now - self.at).as_micros().saturating_mul(u128::from(self.rate));
        self.held.saturating_add(come).min(u128::from(self.burst) * MILLION)
    }

    fn fill(&mut self, now: Instant) {
        if now >= self.at {
            (self.held, self.at) = (self.held_at(now), now);
        }
    }

    /// The moment at which so many millionths more will have come since `at`.
    fn later(&self, missing: u128) -> Instant {
        let micros = missing.div_ceil(u128::from(self.rate.max(1)));
        self.at + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX / 2))
    }
}

const MILLION: u128 = 1_000_000;

/// A mistaken reading stops sharing no longer than this.
const LONGEST_DEBT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn what_is_owed_without_a_rate_does_not_outlast_the_next_one() {
        let mut bucket = Bucket::new(1000, 500, at(0));
        bucket.set_rate(0, 0, at(0));
        bucket.charge(200, at(10));
        assert_eq!(bucket.when(1, at(10)), None);
        bucket.set_rate(1000, 500, at(20));
        let due = bucket.when(500, at(20)).expect("tokens come again");
        assert!(due <= at(600), "{due:?}");
        bucket.take(500, due);
        bucket.charge(1000, due);
        bucket.set_rate(10_000, 500, due);
        assert_eq!(
            bucket.when(0, due),
            Some(due + Duration::from_millis(100)),
            "paid ten times faster"
        );
    }

    #[test]
    fn no_window_holds_more_than_its_rate_and_the_burst() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let (rate, burst) = (1 + rng.below(1_000_000), 1 + rng.below(200_000));
            let mut bucket = Bucket::new(rate, burst, at(0));
            let (mut now, mut taken) = (at(0), Vec::new());
            for _ in 0..400 {
                now += Duration::from_micros(rng.below(200_000));
                let tokens = 1 + rng.below(burst);
                if bucket.take(tokens, now) {
                    taken.push((now, tokens));
                }
            }
            for (first, (start, _)) in taken.iter().enumerate() {
                let mut sum = 0;
                for (end, tokens) in &taken[first..] {
                    sum += tokens;
                    let span = u64::try_from((*end - *start).as_micros()).expect("short");
                    assert!(sum <= burst + span * rate / 1_000_000 + 1, "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn what_is_said_to_come_has_come_and_all_of_it_is_used() {
        let mut bucket = Bucket::new(62_500, 65_536, at(0));
        let (mut now, mut sum) = (at(0), 0_u64);
        while now < at(60_000) {
            assert!(bucket.take(65_536, now), "at the moment that was named");
            sum += 65_536;
            now = bucket.when(65_536, now).expect("it comes");
        }
        assert!(sum >= 60 * 62_500 * 95 / 100, "{sum}");
    }

    #[test]
    fn more_than_the_burst_is_owed_and_nothing_comes_at_no_rate() {
        let mut bucket = Bucket::new(1000, 100, at(0));
        assert!(bucket.take(300, at(0)));
        assert!(!bucket.has(1, at(200)) && bucket.has(1, at(201)));
        assert_eq!(bucket.when(100, at(0)), Some(at(300)));
        let mut none = Bucket::new(0, 0, at(0));
        assert!(!none.take(1, at(10_000)) && none.when(1, at(0)).is_none());
        bucket.set_rate(0, 0, at(1000));
        assert!(!bucket.take(1, at(9000)));
    }
}
