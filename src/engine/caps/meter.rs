//! How much goes by now: bytes in the current and the last span of ten seconds.

use crate::base::time::Instant;

/// A meter.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    since: Instant,
    now: u64,
    before: u64,
}

impl Meter {
    /// A meter that has seen nothing.
    pub const fn new(now: Instant) -> Self {
        Self { since: now, now: 0, before: 0 }
    }

    /// Counts bytes.
    pub fn add(&mut self, bytes: u64, now: Instant) {
        self.turn(now);
        self.now = self.now.saturating_add(bytes);
    }

    /// Bits a second over the last ten to twenty seconds.
    pub fn rate(&self, now: Instant) -> u64 {
        let mut meter = *self;
        meter.turn(now);
        let micros = SPAN + u64::try_from((now - meter.since).as_micros()).unwrap_or(u64::MAX / 2);
        let bits = u128::from(meter.now.saturating_add(meter.before)) * 8_000_000;
        u64::try_from(bits / u128::from(micros)).unwrap_or(u64::MAX)
    }

    fn turn(&mut self, now: Instant) {
        let passed = u64::try_from((now - self.since).as_micros()).unwrap_or(u64::MAX);
        if passed >= SPAN {
            self.before = if passed < 2 * SPAN { self.now } else { 0 };
            (self.now, self.since) = (0, now);
        }
    }
}

/// Microseconds of a span.
const SPAN: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_what_goes_by_and_forgets_it() {
        let at = |millis: u64| Instant::from_micros(millis * 1000);
        let mut meter = Meter::new(at(0));
        for step in 0..600 {
            meter.add(12_500, at(step * 100));
        }
        let rate = meter.rate(at(60_000));
        assert!((900_000..=1_100_000).contains(&rate), "{rate}");
        assert_eq!(meter.rate(at(100_000)), 0);
    }
}
