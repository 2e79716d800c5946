//! Moments and dates: `Instant` counts through standby, `Date` is what HTTP writes.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A moment on the device's clock that never jumps: microseconds on CLOCK_BOOTTIME.
///
/// Only `host::clock` makes one from the system; everything else is handed `now`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment `micros` microseconds after boot.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since boot.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time since `earlier`, or zero when `earlier` lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// A calendar moment in whole seconds since 1970, as HTTP-date gives it (RFC 9110, 5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub i64);

impl Date {
    /// Seconds from `earlier` to this date, zero when `earlier` lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        let seconds = self.0.saturating_sub(earlier.0);
        Duration::from_secs(if seconds > 0 { seconds.unsigned_abs() } else { 0 })
    }
}

/// A duration for people: `250 ms`, `30 s`, `5 min`, `2 h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plain(pub Duration);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match millis {
            0 => f.write_str("0 s"),
            m if m % 3_600_000 == 0 => write!(f, "{} h", m / 3_600_000),
            m if m % 60_000 == 0 => write!(f, "{} min", m / 60_000),
            m if m % 1_000 == 0 => write!(f, "{} s", m / 1_000),
            m => write!(f, "{m} ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_runs_backwards() {
        let early = Instant::from_micros(5);
        let late = early + Duration::from_micros(7);
        assert_eq!(late - early, Duration::from_micros(7));
        assert_eq!(early - late, Duration::ZERO);
    }

    #[test]
    fn durations_read_as_a_person_writes_them() {
        for (millis, words) in [(0, "0 s"), (250, "250 ms"), (30_000, "30 s"), (7_200_000, "2 h")] {
            assert_eq!(Plain(Duration::from_millis(millis)).to_string(), words);
        }
    }
}
