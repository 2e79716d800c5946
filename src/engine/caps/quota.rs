//! Volume in the last day and in the last thirty days: ages and amounts, so that neither a
//! restart nor a clock that jumps begins it anew.

use core::time::Duration;
use std::collections::VecDeque;

use crate::base::time::{Date, Instant};

/// What was used, by the hour for a day and by the day for thirty.
#[derive(Clone, Debug)]
pub struct Quota {
    hours: Ring,
    days: Ring,
    limits: (Option<u64>, Option<u64>),
}

/// Amounts by spans of one length, the newest last; the newest began at `since`.
#[derive(Clone, Debug)]
struct Ring {
    span: Duration,
    most: usize,
    amounts: VecDeque<u64>,
    since: Instant,
}

/// How much of a quota is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Enough.
    Plenty,
    /// Less than a fifth.
    Little,
    /// Nothing.
    Nothing,
}

impl Quota {
    /// Nothing is used yet; limits are those of a day and of thirty days.
    pub fn new(limits: (Option<u64>, Option<u64>), now: Instant) -> Self {
        Self { hours: Ring::new(HOUR, 25, now), days: Ring::new(DAY, 31, now), limits }
    }

    /// Other limits; what was used stays.
    pub const fn set_limits(&mut self, limits: (Option<u64>, Option<u64>)) {
        self.limits = limits;
    }

    /// Notes what was used.
    pub fn add(&mut self, amount: u64, now: Instant) {
        for ring in [&mut self.hours, &mut self.days] {
            ring.advance(now);
            if let Some(newest) = ring.amounts.back_mut() {
                *newest = newest.saturating_add(amount);
            }
        }
    }

    /// What was used in the last day and in the last thirty days: not less than that, and at most
    /// an hour, or a day, too much, since an oldest span counts whole.
    pub fn used(&self, now: Instant) -> (u64, u64) {
        (self.hours.sum(now), self.days.sum(now))
    }

    /// The limits.
    pub const fn limits(&self) -> (Option<u64>, Option<u64>) {
        self.limits
    }

    /// Whether there is room for so much more.
    pub fn has(&self, amount: u64, now: Instant) -> bool {
        let (day, month) = self.used(now);
        let fits = |used: u64, limit: Option<u64>| {
            limit.is_none_or(|limit| used.saturating_add(amount) <= limit)
        };
        fits(day, self.limits.0) && fits(month, self.limits.1)
    }

    /// How much is left of the tighter one.
    pub fn left(&self, now: Instant) -> Left {
        let (day, month) = self.used(now);
        let left = |used: u64, limit: Option<u64>| match limit {
            Some(limit) if used >= limit => 2,
            Some(limit) if used >= limit - limit / 5 => 1,
            _ => 0,
        };
        match left(day, self.limits.0).max(left(month, self.limits.1)) {
            0 => Left::Plenty,
            1 => Left::Little,
            _ => Left::Nothing,
        }
    }

    /// When some of what is used will be old enough not to count.
    pub fn eases(&self, now: Instant) -> Instant {
        self.hours.turns(now).min(self.days.turns(now))
    }

    /// As one line: the newest first, as ages of spans and amounts.
    pub fn to_line(&self, now: Instant) -> String {
        let mut quota = self.clone();
        quota.hours.advance(now);
        quota.days.advance(now);
        format!("{} {}", quota.hours.to_words(now), quota.days.to_words(now))
    }

    /// Adds what an earlier run has noted `away` ago; none where the line makes no sense. While
    /// nobody knows how long it was away it counts as no time at all: a device without a clock
    /// uses a quota later rather than twice.
    pub fn restore(&mut self, line: &str, away: Duration, now: Instant) -> Option<()> {
        let (hours, days) = line.split_once(' ')?;
        let (hours, days) = (Noted::parse(hours, HOUR)?, Noted::parse(days, DAY)?);
        self.hours.restore(&hours, away, now);
        self.days.restore(&days, away, now);
        Some(())
    }
}

/// How long a node was away by two dates; none when a clock was not set or was set back.
pub fn away(noted: Option<Date>, date: Option<Date>) -> Option<Duration> {
    let (noted, date) = (noted?, date?);
    (date >= noted).then(|| date.since(noted))
}

/// Spans as they were noted.
struct Noted {
    /// How long ago the newest began.
    age: Duration,
    /// The newest first.
    amounts: Vec<u64>,
}

impl Noted {
    fn parse(text: &str, span: Duration) -> Option<Self> {
        let mut parts = text.split(',');
        let age = Duration::from_secs(parts.next()?.parse().ok()?);
        let amounts: Vec<u64> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
        (age <= span && amounts.len() <= 64).then_some(Self { age, amounts })
    }
}

impl Ring {
    fn new(span: Duration, most: usize, now: Instant) -> Self {
        Self { span, most, amounts: VecDeque::from([0]), since: now }
    }

    fn steps(&self, now: Instant) -> u64 {
        u64::try_from((now - self.since).as_micros() / self.span.as_micros()).unwrap_or(0)
    }

    fn advance(&mut self, now: Instant) {
        let steps = self.steps(now);
        for _ in 0..steps.min(self.most as u64) {
            self.amounts.push_back(0);
            if self.amounts.len() > self.most {
                self.amounts.pop_front();
            }
        }
        let passed = u128::from(steps) * self.span.as_micros();
        self.since += Duration::from_micros(u64::try_from(passed).unwrap_or(0));
    }

    fn sum(&self, now: Instant) -> u64 {
        let gone = usize::try_from(self.steps(now)).unwrap_or(usize::MAX);
        let kept = self.most.saturating_sub(gone);
        self.amounts.iter().rev().take(kept).fold(0, |sum, amount| sum.saturating_add(*amount))
    }

    fn turns(&self, now: Instant) -> Instant {
        let steps = u32::try_from(self.steps(now)).unwrap_or(u32::MAX - 1) + 1;
        self.since + self.span.saturating_mul(steps)
    }

    fn to_words(&self, now: Instant) -> String {
        let mut words = (now - self.since).as_secs().to_string();
        for amount in self.amounts.iter().rev() {
            words.push(',');
            words.push_str(&amount.to_string());
        }
        words
    }

    /// What was noted lies behind what is here: the newest noted span may be this one.
    fn restore(&mut self, noted: &Noted, away: Duration, now: Instant) {
        self.advance(now);
        let begun = noted.age + away;
        let shift =
            usize::try_from(begun.as_micros() / self.span.as_micros()).unwrap_or(usize::MAX);
        for (age, amount) in noted.amounts.iter().enumerate() {
            let place = age.saturating_add(shift);
            if place >= self.most {
                break;
            }
            while self.amounts.len() <= place {
                self.amounts.push_front(0);
            }
            let at = self.amounts.len() - 1 - place;
            self.amounts[at] = self.amounts[at].saturating_add(*amount);
        }
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 100_000;

    fn at(hours: u64) -> Instant {
        Instant::from_micros((START + hours * 3600) * 1_000_000)
    }

    #[test]
    fn a_day_and_a_month_roll_on_and_forget() {
        let mut quota = Quota::new((Some(100), Some(250)), at(0));
        quota.add(100, at(0));
        assert!(!quota.has(1, at(0)) && !quota.has(1, at(24)));
        assert_eq!(quota.left(at(3)), Left::Nothing);
        assert!(quota.has(100, at(25)), "an hour beyond the day");
        quota.add(100, at(25));
        quota.add(40, at(60));
        assert_eq!(quota.used(at(60)), (40, 240));
        assert_eq!((quota.left(at(60)), quota.has(11, at(60))), (Left::Little, false));
        assert_eq!(quota.used(at(24 * 31)), (0, 140));
        assert_eq!(quota.used(at(24 * 400)), (0, 0));
        assert!(quota.eases(at(60)) > at(60) && quota.eases(at(60)) <= at(61));
    }

    #[test]
    fn a_restart_forgets_nothing() {
        let mut first = Quota::new((Some(1000), None), at(0));
        for hour in 0..48 {
            first.add(hour, at(hour));
        }
        let line = first.to_line(at(48));
        for away in [0, 1, 5, 24, 100, 24 * 40] {
            // The clock of the next boot begins at zero again.
            let boot = Instant::from_micros(7_000_000);
            let mut second = Quota::new((Some(1000), None), boot);
            let passed = Duration::from_secs(away * 3600);
            assert_eq!(second.restore(&line, passed, boot), Some(()));
            let (day, month) = second.used(boot);
            let (was_day, was_month) = first.used(at(48 + away));
            assert!(day >= was_day && month >= was_month, "after {away} hours");
            assert!(day <= first.used(at(47 + away)).0.max(was_day), "after {away} hours");
        }
    }

    #[test]
    fn a_clock_that_jumps_never_gives_anything_back() {
        let date = |hours: i64| Some(Date(1_800_000_000 + hours * 3600));
        assert_eq!(away(date(0), date(-5)), None, "set back: no time has passed");
        assert_eq!(away(None, date(0)), None);
        assert_eq!(away(date(0), date(2)), Some(Duration::from_secs(7200)));
        let mut quota = Quota::new((Some(10), None), at(50));
        quota.add(10, at(50));
        assert!(!quota.has(1, at(0)), "an earlier moment changes nothing");
        quota.add(5, at(0));
        assert_eq!(quota.used(at(50)), (15, 15));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_refused_and_every_prefix_is_no_panic() {
        let mut quota = Quota::new((None, None), at(0));
        quota.add(u64::MAX, at(0));
        quota.add(7, at(5));
        let line = quota.to_line(at(6));
        for end in 0..line.len() {
            let _ = Quota::new((None, None), at(0)).restore(&line[..end], Duration::ZERO, at(0));
        }
        for bad in ["", "1", "a,1 2,3", "1,-1 2,3", "99999,1 2,3", "0,1, 0,1"] {
            let mut empty = Quota::new((None, None), at(0));
            assert_eq!(empty.restore(bad, Duration::ZERO, at(0)), None, "{bad}");
            assert_eq!(empty.used(at(0)), (0, 0));
        }
    }
}
