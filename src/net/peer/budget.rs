//! How much may come in a time: so many at once, and then so many each second.

use core::time::Duration;

use crate::base::time::Instant;

/// What is left of an allowance.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    most: u32,
    each_second: u32,
    /// Thousandths of what is left.
    left: u64,
    at: Instant,
}

impl Budget {
    /// Nothing is spent yet.
    pub const fn new((most, each_second): (u32, u32), now: Instant) -> Self {
        Self { most, each_second, left: most as u64 * 1000, at: now }
    }

    /// When something came last.
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// Spends so much, if it is left.
    pub fn take(&mut self, cost: u32, now: Instant) -> bool {
        self.wait(cost, now).is_none()
    }

    /// Spends so much, or answers how long it takes until it is there, and spends nothing.
    pub fn wait(&mut self, cost: u32, now: Instant) -> Option<Duration> {
        let passed = u64::try_from((now - self.at).as_millis()).unwrap_or(u64::MAX);
        let most = u64::from(self.most) * 1000;
        let came = passed.saturating_mul(u64::from(self.each_second));
        if came > 0 {
            self.left = self.left.saturating_add(came).min(most);
            self.at = now;
        }
        // What is dearer than all is paid by all.
        let cost = (u64::from(cost) * 1000).min(most);
        if cost <= self.left {
            self.left -= cost;
            return None;
        }
        let missing = (cost - self.left).div_ceil(u64::from(self.each_second.max(1)));
        Some(Duration::from_millis(missing.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_with_time_and_not_beyond_the_most() {
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        let mut budget = Budget::new((10, 4), at(0));
        assert_eq!(budget.wait(10, at(0)), None);
        assert_eq!(budget.wait(1, at(0)), Some(Duration::from_millis(250)));
        assert!(!budget.take(1, at(249)) && budget.take(1, at(250)));
        assert!(budget.take(10, at(100_000)) && !budget.take(1, at(100_000)));
        assert_eq!(budget.wait(99, at(100_000)), Some(Duration::from_millis(2500)));
        assert!(budget.take(99, at(102_500)));
    }
}
