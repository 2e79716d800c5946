//! What work costs, learnt from readings, and the CPU time that is granted ahead of it.

use core::time::Duration;

use super::bucket::Bucket;
use crate::base::time::Instant;
use crate::base::units::Share;

/// Bytes of each kind of work since the last reading, or costs of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Bytes given to peers.
    pub given: u64,
    /// Bytes taken from peers.
    pub taken: u64,
    /// Bytes that the own players were sent.
    pub played: u64,
    /// Bytes that came from origins.
    pub fetched: u64,
}

/// CPU time for sharing.
#[derive(Debug)]
pub struct Cpu {
    bucket: Option<Bucket>,
    /// What a microsecond of the expected cost really takes, in thousandths.
    scale: u64,
    done: Work,
    /// Microseconds that were granted since the last reading.
    granted: u64,
    /// The process's CPU time at the last reading, and when that was.
    last: Option<(u64, Instant)>,
    /// Share of one core that sharing took, in thousandths, over the last readings.
    used: u64,
}

impl Cpu {
    /// So much of one core; none for no cap.
    pub fn new(share: Option<Share>, now: Instant) -> Self {
        Self {
            bucket: share.map(|share| bucket(share, now)),
            scale: FIRST_SCALE,
            done: Work::default(),
            granted: 0,
            last: None,
            used: 0,
        }
    }

    /// Another share; `level` thousandths of it are granted.
    pub fn set(&mut self, share: Option<Share>, level: u16, now: Instant) {
        // Heat holds back work that no share of CPU time caps: a whole core is what it scales.
        let share = share.or((level < 1000).then_some(Share(1000)));
        let scaled = share.map(|s| Share(scale(s.0, level)));
        match (&mut self.bucket, scaled) {
            (Some(bucket), Some(share)) => bucket.set_rate(rate(share), burst(share), now),
            (place, share) => *place = share.map(|share| bucket(share, now)),
        }
    }

    /// When there is CPU time for a block's work; none when there never will be.
    pub fn when(&self, work: Work, now: Instant) -> Option<Instant> {
        match &self.bucket {
            Some(bucket) => bucket.when(self.cost(work), now),
            None => Some(now),
        }
    }

    /// Takes the CPU time of work that is about to be done.
    pub fn take(&mut self, work: Work, now: Instant) {
        let cost = self.cost(work);
        self.granted = self.granted.saturating_add(cost);
        if let Some(bucket) = &mut self.bucket {
            bucket.charge(cost, now);
        }
    }

    /// Notes work that was done, whoever it was for.
    pub const fn note(&mut self, work: Work) {
        self.done.given = self.done.given.saturating_add(work.given);
        self.done.taken = self.done.taken.saturating_add(work.taken);
        self.done.played = self.done.played.saturating_add(work.played);
        self.done.fetched = self.done.fetched.saturating_add(work.fetched);
    }

    /// The process has used so much CPU time since it began: what was granted is set right.
    /// Answers microseconds that sharing took since the last reading.
    pub fn on_reading(&mut self, cpu_micros: u64, now: Instant) -> u64 {
        let Some((before, at)) = self.last.replace((cpu_micros, now)) else {
            (self.done, self.granted) = (Work::default(), 0);
            return 0;
        };
        let passed = u64::try_from((now - at).as_micros()).unwrap_or(u64::MAX);
        if passed > LONG {
            // What was done in a pause is nobody's measure.
            (self.done, self.granted) = (Work::default(), 0);
            return 0;
        }
        let measured = cpu_micros.saturating_sub(before);
        let done = core::mem::take(&mut self.done);
        let granted = core::mem::take(&mut self.granted);
        let (sharing, own) = (nominal(sharing(done)), nominal(owned(done)));
        let all = sharing + own;
        let share = u128::from(measured) * u128::from(sharing) / u128::from(all.max(1));
        let shared = u64::try_from(share).unwrap_or(measured);
        if all >= ENOUGH {
            let seen = measured.saturating_mul(1000) / all;
            self.scale = ((self.scale * 3 + seen) / 4).clamp(LEAST_SCALE, MOST_SCALE);
        }
        if let Some(bucket) = &mut self.bucket {
            if shared >= granted {
                bucket.charge(shared - granted, now);
            } else {
                bucket.give_back(granted - shared, now);
            }
        }
        self.used = (self.used * 3 + shared.saturating_mul(1000) / passed.max(1)) / 4;
        shared
    }

    /// The rhythm ended: the next reading begins anew.
    pub const fn pause(&mut self) {
        (self.last, self.used) = (None, 0);
    }

    /// Share of one core that sharing takes, in thousandths.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Microseconds that work is expected to take.
    pub fn cost(&self, work: Work) -> u64 {
        (nominal(work).saturating_mul(self.scale) / 1000).max(1)
    }
}

const fn sharing(work: Work) -> Work {
    Work { played: 0, fetched: 0, ..work }
}

const fn owned(work: Work) -> Work {
    Work { given: 0, taken: 0, ..work }
}

/// Microseconds by the figures of docs/performance.md: CPU seconds a GB of x86-64; how another
/// machine differs is learnt.
const fn nominal(work: Work) -> u64 {
    let nanos = work.given.saturating_mul(9) / 10
        + work.taken.saturating_mul(12) / 10
        + work.played.saturating_mul(2) / 10
        + work.fetched.saturating_mul(7) / 10;
    nanos / 1000
}

fn scale(permille: u16, level: u16) -> u16 {
    u16::try_from(u32::from(permille) * u32::from(level.min(1000)) / 1000).unwrap_or(permille)
}

const fn rate(share: Share) -> u64 {
    share.0 as u64 * 1000
}

/// A quarter of a second of it: what ten seconds may hold beyond the cap is 2.5 %.
const fn burst(share: Share) -> u64 {
    rate(share) / 4
}

fn bucket(share: Share, now: Instant) -> Bucket {
    Bucket::new(rate(share), burst(share), now)
}

/// Nominal microseconds in a reading below which nothing is learnt.
const ENOUGH: u64 = 500;

/// Machines are believed to be so much faster or slower than the one of the figures.
const LEAST_SCALE: u64 = 200;
/// Until it was seen, the slowest set-top box is assumed: too little is shared for two seconds.
const FIRST_SCALE: u64 = 16_000;
const MOST_SCALE: u64 = 100_000;

/// Readings farther apart than this are not compared.
const LONG: u64 = Duration::from_secs(20).as_micros() as u64;

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine on which giving costs this many nanoseconds a byte, asked as fast as it grants.
    fn plant(cap: u16, seconds: u64, nanos_a_byte: impl Fn(u64) -> u64) -> Vec<u64> {
        let mut now = Instant::from_micros(1_000_000);
        let mut cpu = Cpu::new(Some(Share(cap)), now);
        let (mut used, mut windows, mut window) = (0_u64, Vec::new(), 0);
        let block = Work { given: 65_536, ..Work::default() };
        for tick in 0..seconds * 1000 {
            let dear = nanos_a_byte(tick / 1000);
            while cpu.when(block, now).is_some_and(|at| at <= now) {
                cpu.take(block, now);
                cpu.note(block);
                used += 65_536 * dear / 1000;
            }
            // Messages and refusals cost as well and are nowhere foreseen.
            used += 5;
            now += Duration::from_millis(1);
            if tick % 250 == 249 {
                cpu.on_reading(used, now);
            }
            if tick % 10_000 == 9_999 {
                windows.push(used - window);
                window = used;
            }
        }
        windows
    }

    #[test]
    fn ten_seconds_never_take_a_tenth_more_than_the_cap() {
        for cap in [50, 150, 500] {
            for dear in [1, 4, 30] {
                let windows = plant(cap, 60, |_| dear);
                let most = u64::from(cap) * 10_000;
                let learnt = &windows[1..];
                assert!(learnt.iter().all(|w| *w <= most * 11 / 10), "{cap} {dear}: {windows:?}");
                assert!(learnt.iter().all(|w| *w >= most * 9 / 10), "{cap} {dear}: {windows:?}");
                assert!(windows[0] <= most * 11 / 10, "{cap} {dear}: {windows:?}");
            }
        }
    }

    #[test]
    fn a_cost_that_changes_is_learnt_within_seconds() {
        let windows = plant(150, 100, |second| if (30..60).contains(&second) { 40 } else { 2 });
        let most = 150 * 10_000;
        assert!(windows.iter().all(|w| *w <= most * 13 / 10), "{windows:?}");
        assert!(windows[4..6].iter().chain(&windows[8..]).all(|w| *w <= most * 11 / 10));
        assert!(windows.iter().skip(7).all(|w| *w >= most * 8 / 10), "it recovers: {windows:?}");
    }

    #[test]
    fn what_the_own_player_costs_is_not_held_against_sharing() {
        let now = Instant::from_micros(1_000_000);
        let mut cpu = Cpu::new(Some(Share(150)), now);
        cpu.on_reading(0, now);
        cpu.note(Work { played: 1 << 30, ..Work::default() });
        let shared = cpu.on_reading(900_000, now + Duration::from_secs(1));
        assert_eq!((shared, cpu.used()), (0, 0));
        let block = Work { given: 65_536, ..Work::default() };
        let later = now + Duration::from_secs(1);
        assert_eq!(cpu.when(block, later), Some(later));
    }

    #[test]
    fn no_share_is_no_work_and_no_cap_is_free() {
        let now = Instant::from_micros(0);
        let block = Work { given: 65_536, ..Work::default() };
        assert_eq!(Cpu::new(Some(Share(0)), now).when(block, now), None);
        let mut free = Cpu::new(None, now);
        assert_eq!(free.when(block, now), Some(now));
        free.set(None, 0, now);
        assert_eq!(free.when(block, now), None, "heat stops what nothing else caps");
    }
}
