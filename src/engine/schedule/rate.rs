//! How fast a source is: a moving mean, its deviation and a low quantile of the last samples.

use core::time::Duration;

use crate::base::limits;

/// What was seen of one source's rate, in bytes a second.
#[derive(Clone, Debug)]
pub struct Rate {
    mean: u64,
    samples: [u64; SAMPLES],
    seen: usize,
    low: u64,
}

/// What was seen of one source's delays: a moving mean and deviation (RFC 6298, 2).
#[derive(Clone, Debug)]
pub struct Delay {
    mean: Duration,
    deviation: Duration,
    seen: bool,
}

/// The samples that the quantile looks back on.
const SAMPLES: usize = 16;

/// The slowest rate that is reckoned with, so that no time is endless.
const SLOWEST: u64 = 4 * 1024;

impl Rate {
    /// A source of which nothing was seen yet: `guess` bytes a second stand until then.
    pub fn new(guess: u64) -> Self {
        let guess = guess.max(SLOWEST);
        Self { mean: guess, samples: [0; SAMPLES], seen: 0, low: guess }
    }

    /// Takes in that `bytes` came in `took`; nothing is learnt from no time.
    pub fn sample(&mut self, bytes: u64, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if micros == 0 || bytes == 0 {
            return;
        }
        let rate = (bytes.saturating_mul(1_000_000) / micros).max(SLOWEST);
        self.mean = match self.seen {
            0 => rate,
            _ => (self.mean / 4).saturating_mul(3).saturating_add(rate / 4),
        };
        self.samples[self.seen % SAMPLES] = rate;
        self.seen += 1;
        self.low = self.quantile().min(self.mean).max(SLOWEST);
    }

    /// The 20 % quantile of the last samples.
    fn quantile(&self) -> u64 {
        let count = self.seen.min(SAMPLES);
        let mut sorted = self.samples;
        let sorted = &mut sorted[..count];
        sorted.sort_unstable();
        sorted[count / 5]
    }

    /// Bytes a second on the average.
    pub const fn mean(&self) -> u64 {
        self.mean
    }

    /// Bytes a second that four of five samples reached.
    pub const fn low(&self) -> u64 {
        self.low
    }

    /// Whether anything was seen at all.
    pub const fn is_known(&self) -> bool {
        self.seen > 0
    }

    /// How long `bytes` take on the average.
    pub fn time(&self, bytes: u64) -> Duration {
        time(bytes, self.mean)
    }

    /// How long `bytes` take when it goes badly.
    pub fn slow_time(&self, bytes: u64) -> Duration {
        time(bytes, self.low)
    }

    /// Blocks that come in `span` on the average.
    pub fn blocks_in(&self, span: Duration) -> u64 {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.mean.saturating_mul(millis) / 1000 / limits::block::BLOCK
    }
}

fn time(bytes: u64, rate: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1))
}

impl Delay {
    /// A source of which nothing was seen yet: `guess` stands until then.
    pub const fn new(guess: Duration) -> Self {
        Self { mean: guess, deviation: Duration::ZERO, seen: false }
    }

    /// Takes in one delay.
    pub fn sample(&mut self, delay: Duration) {
        if self.seen {
            let off = delay.abs_diff(self.mean);
            self.deviation = (self.deviation * 3 + off) / 4;
            self.mean = (self.mean * 7 + delay) / 8;
        } else {
            (self.mean, self.deviation, self.seen) = (delay, delay / 2, true);
        }
    }

    /// The moving mean.
    pub const fn mean(&self) -> Duration {
        self.mean
    }

    /// The mean and two deviations: what takes longer is late.
    pub fn late(&self) -> Duration {
        self.mean + self.deviation * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn a_guess_stands_until_something_is_seen() {
        let mut rate = Rate::new(1_000_000);
        assert_eq!((rate.mean(), rate.low(), rate.is_known()), (1_000_000, 1_000_000, false));
        rate.sample(65_536, Duration::ZERO);
        assert!(!rate.is_known());
        rate.sample(4_000, MILLI);
        assert_eq!((rate.mean(), rate.low(), rate.is_known()), (4_000_000, 4_000_000, true));
    }

    #[test]
    fn the_low_quantile_stays_low_while_one_in_five_is_slow() {
        let mut rate = Rate::new(1);
        for round in 0..50 {
            rate.sample(if round % 4 == 0 { 1_000 } else { 10_000 }, MILLI);
        }
        assert_eq!(rate.low(), 1_000_000);
        assert!(rate.mean() > 5_000_000, "{}", rate.mean());
        for _ in 0..SAMPLES {
            rate.sample(10_000, MILLI);
        }
        assert!(rate.low() > 9_000_000, "what was slow long ago is forgotten");
    }

    #[test]
    fn a_collapse_is_believed_within_a_few_samples() {
        let mut rate = Rate::new(1);
        (0..20).for_each(|_| rate.sample(10_000, MILLI));
        (0..5).for_each(|_| rate.sample(100, MILLI));
        assert!(rate.low() <= 100_000 && rate.mean() < 3_000_000, "{rate:?}");
    }

    #[test]
    fn no_time_is_endless() {
        let rate = Rate::new(0);
        assert!(rate.slow_time(limits::block::SEGMENT) < Duration::from_secs(1100));
    }

    #[test]
    fn a_delay_is_late_beyond_two_deviations() {
        let mut delay = Delay::new(MILLI * 80);
        assert_eq!(delay.late(), MILLI * 80);
        (0..40).for_each(|round| delay.sample(MILLI * if round % 2 == 0 { 90 } else { 110 }));
        assert!(delay.late() > MILLI * 112 && delay.late() < MILLI * 130, "{delay:?}");
    }
}
