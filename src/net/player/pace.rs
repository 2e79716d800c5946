//! An answer's bytes spread over time, at a rate that the machine chose.

use core::time::Duration;

use crate::base::limits;
use crate::base::time::Instant;

/// How far an answer may have gone by now.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bytes a second.
    rate: u64,
    /// When what was sent would have begun at that rate.
    begun: Instant,
    sent: u64,
}

impl Pace {
    /// A pace of `rate` bytes a second that begins now.
    pub const fn new(rate: u64, now: Instant) -> Self {
        Self { rate: if rate == 0 { 1 } else { rate }, begun: now, sent: 0 }
    }

    /// Bytes for one write.
    pub fn piece(&self) -> u64 {
        let pulse = self.rate / PULSES;
        pulse.clamp(LEAST, limits::cache::BATCH)
    }

    /// Notes what goes out; a player that did not take it for a while does not get the rest in
    /// one go.
    pub fn on_sent(&mut self, bytes: u64, now: Instant) {
        self.sent = self.sent.saturating_add(bytes);
        let lag = now - self.due();
        if lag > LAG {
            self.begun += lag - LAG;
        }
    }

    /// How long the next bytes wait; none while that is shorter than a pulse.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.due() - now;
        (wait >= Duration::from_millis(1000 / PULSES)).then_some(wait)
    }

    /// When all that was sent would be there at that rate.
    fn due(&self) -> Instant {
        let micros = u128::from(self.sent) * 1_000_000 / u128::from(self.rate);
        self.begun + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// Writes a second at most: each wakes the processor.
const PULSES: u64 = 20;

/// Bytes of a write at least, so that a slow stream is no rain of packets.
const LEAST: u64 = 8 * 1024;

/// How far behind its pace an answer may catch up.
const LAG: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes sent and pulses waited for until `length` bytes are out, and when that was.
    fn run(rate: u64, length: u64) -> (u32, Duration) {
        let begun = Instant::from_micros(7_000_000);
        let (mut now, mut waits, mut left) = (begun, 0, length);
        let mut pace = Pace::new(rate, now);
        while left > 0 {
            if let Some(wait) = pace.wait(now) {
                now += wait;
                waits += 1;
            }
            let piece = pace.piece().min(left);
            pace.on_sent(piece, now);
            left -= piece;
        }
        (waits, now - begun)
    }

    #[test]
    fn bytes_take_as_long_as_they_should_in_twenty_pulses_a_second() {
        for (rate, length) in [(100_000, 400_000), (1_000_000, 3_000_000), (20_000_000, 60_000_000)]
        {
            let (waits, took) = run(rate, length);
            let should = Duration::from_millis(length * 1000 / rate);
            assert!(took <= should && took + Duration::from_millis(150) >= should, "{took:?}");
            assert!(u128::from(waits) <= took.as_millis() / 50 + 1, "{waits} in {took:?}");
        }
    }

    #[test]
    fn the_first_bytes_never_wait() {
        let now = Instant::from_micros(1);
        assert_eq!(Pace::new(1, now).wait(now), None);
    }

    #[test]
    fn a_player_that_paused_gets_no_flood() {
        let now = Instant::from_micros(0);
        let mut pace = Pace::new(1000, now);
        let later = now + Duration::from_secs(100);
        pace.on_sent(1000, later);
        assert_eq!(pace.wait(later), None);
        pace.on_sent(2000, later);
        assert_eq!(pace.wait(later), Some(Duration::from_secs(1)));
    }
}
