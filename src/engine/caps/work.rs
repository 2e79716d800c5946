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
    /// Messages to peers and from them.
    pub words: u64,
}

/// CPU time for sharing.
#[derive(Debug)]
pub struct Cpu {
    bucket: Option<Bucket>,
    /// What of it words on what is here may take.
    news: Option<Bucket>,
    /// What a microsecond of the expected cost really takes where it is for peers, in thousandths.
    scale: u64,
    /// The same for what the own players take and for what they have fetched, once it was seen
    /// without peers.
    own: [Option<u64>; 2],
    /// What was measured and expected for peers and for both of these, and not learnt from yet.
    seen: [Seen; 3],
    done: Work,
    /// Microseconds that were granted since the last reading.
    granted: u64,
    /// The process's CPU time at the last reading, and when that was.
    last: Option<(u64, Instant)>,
    /// Share of one core that sharing took, in thousandths, over the last readings.
    used: u64,
}

/// Microseconds that some work took, and that it was expected to take.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    measured: u64,
    expected: u64,
}

impl Seen {
    /// Takes in more; answers thousandths of the expected once enough was seen for a judgement. A
    /// slow processor does little between two readings, and so shows its price in several.
    fn add(&mut self, measured: u64, expected: u64) -> Option<u64> {
        self.measured = self.measured.saturating_add(measured);
        self.expected = self.expected.saturating_add(expected);
        if self.expected < ENOUGH {
            return None;
        }
        let seen = core::mem::take(self);
        Some(seen.measured.saturating_mul(1000) / seen.expected)
    }
}

impl Cpu {
    /// So much of one core; none for no cap.
    pub fn new(share: Option<Share>, now: Instant) -> Self {
        Self {
            bucket: share.map(|share| bucket(share, now)),
            news: share.map(|share| bucket(news(share), now)),
            scale: FIRST_SCALE,
            own: [None; 2],
            seen: [Seen::default(); 3],
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
        let parts = [(&mut self.bucket, scaled), (&mut self.news, scaled.map(news))];
        for (place, share) in parts {
            match (place, share) {
                (Some(bucket), Some(share)) => bucket.set_rate(rate(share), burst(share), now),
                (place, share) => *place = share.map(|share| bucket(share, now)),
            }
        }
    }

    /// When there is CPU time for a block's work; none when there never will be.
    pub fn when(&self, work: Work, now: Instant) -> Option<Instant> {
        match &self.bucket {
            Some(bucket) => bucket.when(self.cost(work), now),
            None => Some(now),
        }
    }

    /// When there is CPU time to tell a peer what is here; none when there never will be.
    pub fn news(&self, now: Instant) -> Option<Instant> {
        let cost = self.cost(Work { words: NEWS, ..Work::default() });
        let both = [&self.bucket, &self.news].into_iter().flatten();
        let mut moments = both.map(|bucket| bucket.when(cost, now));
        moments.try_fold(now, |latest, at| Some(latest.max(at?)))
    }

    /// A peer is told what is here.
    pub fn on_news(&mut self, now: Instant) {
        let cost = self.cost(Work { words: NEWS, ..Work::default() });
        self.news.as_mut().into_iter().for_each(|bucket| bucket.charge(cost, now));
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
        self.done.words = self.done.words.saturating_add(work.words);
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
        let shared = self.apart(measured, done);
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

    /// What of the measured time sharing took: all that the own players are not known to cost.
    fn apart(&mut self, measured: u64, done: Work) -> u64 {
        let sharing = nominal(sharing(done));
        let own = [
            nominal(Work { played: done.played, ..Work::default() }),
            nominal(Work { fetched: done.fetched, ..Work::default() }),
        ];
        let all = sharing + own[0] + own[1];
        let prices = self.own;
        let cost = |kind: usize| match prices[kind] {
            Some(scale) => own[kind].saturating_mul(scale) / 1000,
            None => measured.saturating_mul(own[kind]) / all.max(1),
        };
        if sharing == 0 && all > 0 {
            let kind = usize::from(own[1] > 0);
            let took = if kind == 1 { measured.saturating_sub(cost(0)) } else { measured };
            self.learn_own(kind, took, own[kind]);
            return 0;
        }
        // Some of it sharing did take, however dear the players' part was when they were alone.
        let least = measured.saturating_mul(sharing) / all.max(1) / 4;
        let shared = measured.saturating_sub(cost(0).saturating_add(cost(1))).max(least);
        if let Some(seen) = self.seen[0].add(shared, sharing) {
            let seen = seen.clamp(LEAST_SCALE, MOST_SCALE);
            // What is dearer than was thought is believed at once, what is cheaper slowly.
            self.scale = if seen > self.scale { seen } else { (self.scale * 3 + seen) / 4 };
        }
        shared
    }

    /// The own players alone took so much for what was expected to take so much. Here the cheaper
    /// is believed at once: what they are not known to cost counts as sharing.
    fn learn_own(&mut self, kind: usize, measured: u64, expected: u64) {
        if let Some(seen) = self.seen[1 + kind].add(measured, expected) {
            self.own[kind] = Some(match self.own[kind] {
                Some(known) if seen > known => (known * 3 + seen) / 4,
                _ => seen,
            });
        }
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

/// Microseconds by the figures of docs/performance.md: CPU seconds a GB of x86-64; how another
/// machine differs is learnt.
const fn nominal(work: Work) -> u64 {
    let nanos = work.given.saturating_mul(9) / 10
        + work.taken.saturating_mul(12) / 10
        + work.played.saturating_mul(2) / 10
        + work.fetched.saturating_mul(7) / 10;
    nanos / 1000 + work.words.saturating_mul(WORD)
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

/// Words may take a quarter of the share: the processor that counts them is the peers' as well.
const fn news(share: Share) -> Share {
    Share(share.0.div_ceil(4))
}

fn bucket(share: Share, now: Instant) -> Bucket {
    Bucket::new(rate(share), burst(share), now)
}

/// Nominal microseconds of a message, to be sealed and written, or read and understood.
const WORD: u64 = 10;

/// A record and what is here, of one segment.
const NEWS: u64 = 2;

/// Nominal microseconds of work below which nothing is learnt.
const ENOUGH: u64 = 500;

/// Sharing is believed to cost so much less or more than on the machine of the figures. What the
/// players cost is believed as it was seen: where that were cut, their rest counted as sharing.
const LEAST_SCALE: u64 = 200;
/// Until it was seen, a slower processor than any set-top box has is assumed: too little is shared
/// for some seconds.
const FIRST_SCALE: u64 = 64_000;
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

    /// A processor so slow that readings hold less than can be judged by, which plays as well,
    /// and a swarm in which a share of the work is words. Answers what sharing took in each
    /// second, beside the players.
    fn slow(cap: u16, (nanos_a_byte, word): (u64, u64)) -> Vec<u64> {
        let mut now = Instant::from_micros(1_000_000);
        let mut cpu = Cpu::new(Some(Share(cap)), now);
        let (mut shared, mut played, mut seconds, mut before) = (0_u64, 0, Vec::new(), 0);
        let block = Work { given: 65_536, ..Work::default() };
        let spoken = Work { words: 1, ..Work::default() };
        for tick in 0..70_000_u64 {
            // The player is alone at first.
            if tick >= 10_000 {
                while cpu.when(block, now).is_some_and(|at| at <= now) {
                    cpu.take(block, now);
                    cpu.note(block);
                    shared += 65_536 * nanos_a_byte / 1000;
                }
                if tick % 100 == 0 {
                    cpu.take(spoken, now);
                    cpu.note(spoken);
                    shared += word;
                }
            }
            cpu.note(Work { played: 3_000, ..Work::default() });
            // A player's bytes are cheaper beside those of peers than where it was learnt.
            played += 12;
            now += Duration::from_millis(1);
            if tick % 250 == 249 {
                cpu.on_reading(shared + played, now);
            }
            if tick % 1000 == 999 {
                seconds.push(shared - before);
                before = shared;
            }
        }
        seconds
    }

    #[test]
    fn a_slow_processor_keeps_its_cap_from_the_first_window_on() {
        for cap in [50, 150] {
            for price in [(30, 300), (60, 500), (100, 1000)] {
                let seconds = slow(cap, price);
                let most = u64::from(cap) * 1000;
                let windows = seconds.windows(10).map(|w| w.iter().sum::<u64>() / 10);
                let windows: Vec<_> = windows.collect();
                assert!(
                    windows.iter().all(|w| *w <= most * 11 / 10),
                    "{cap} {price:?}: {windows:?}"
                );
                let learnt = &windows[25..];
                assert!(learnt.iter().all(|w| *w >= most * 8 / 10), "{cap} {price:?}: {windows:?}");
                let one = seconds.iter().max();
                assert!(one.is_some_and(|w| *w <= most * 3 / 2), "{cap} {price:?}: {seconds:?}");
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
    fn players_of_a_machine_however_slow_are_told_from_sharing() {
        let mut now = Instant::from_micros(1_000_000);
        let mut cpu = Cpu::new(Some(Share(800)), now);
        let mut used = 0;
        cpu.on_reading(used, now);
        // A thousand times what the figures say, as an emulated machine has it.
        let mut read = |cpu: &mut Cpu, work: Work| {
            cpu.note(work);
            used += nominal(work) * 1000;
            now += Duration::from_millis(250);
            (cpu.on_reading(used, now), nominal(sharing(work)) * 1000)
        };
        let played = Work { played: 60_000, ..Work::default() };
        let fetched = Work { fetched: 60_000, ..played };
        (0..600).for_each(|_| assert_eq!(read(&mut cpu, played).0, 0));
        (0..200).for_each(|_| assert_eq!(read(&mut cpu, fetched).0, 0));
        let (shared, really) = read(&mut cpu, Work { given: 20_000, ..fetched });
        assert!(shared <= really * 11 / 10 && shared >= really * 9 / 10, "{shared} of {really}");
    }

    #[test]
    fn what_was_done_for_peers_is_never_held_to_cost_nothing() {
        let mut now = Instant::from_micros(1_000_000);
        let mut cpu = Cpu::new(Some(Share(150)), now);
        cpu.on_reading(0, now);
        now += Duration::from_millis(250);
        // Dear while it was alone.
        cpu.note(Work { played: 6_000_000, ..Work::default() });
        assert_eq!(cpu.on_reading(240_000, now), 0);
        now += Duration::from_millis(250);
        cpu.note(Work { played: 6_000_000, given: 6_000_000, ..Work::default() });
        let shared = cpu.on_reading(240_000 + 24_000, now);
        assert!(shared >= 24_000 / 5, "{shared}");
    }

    #[test]
    fn what_was_fetched_says_nothing_of_what_playing_costs() {
        let mut now = Instant::from_micros(1_000_000);
        let mut cpu = Cpu::new(Some(Share(50)), now);
        let mut used = 0;
        cpu.on_reading(used, now);
        let mut read = |cpu: &mut Cpu, work: Work, micros: u64| {
            cpu.note(work);
            (used, now) = (used + micros, now + Duration::from_millis(250));
            cpu.on_reading(used, now)
        };
        let fetched = Work { fetched: 6_000_000, played: 6_000_000, ..Work::default() };
        let played = Work { played: 6_000_000, ..Work::default() };
        (0..4).for_each(|_| assert_eq!(read(&mut cpu, fetched, 240_000), 0));
        (0..4).for_each(|_| assert_eq!(read(&mut cpu, played, 12_000), 0));
        assert_eq!(read(&mut cpu, Work { words: 20, ..played }, 22_000), 10_000);
    }

    #[test]
    fn words_alone_are_sharing_as_well() {
        let now = Instant::from_micros(1_000_000);
        let mut cpu = Cpu::new(Some(Share(50)), now);
        cpu.on_reading(0, now);
        let spoken = Work { words: 20, ..Work::default() };
        cpu.take(spoken, now);
        cpu.note(spoken);
        let later = now + Duration::from_millis(250);
        assert_eq!(cpu.on_reading(40_000, later), 40_000);
        let block = Work { given: 65_536, ..Work::default() };
        let from = cpu.when(block, later).expect("it comes");
        assert!(from - later >= Duration::from_millis(250), "{from:?}: it is paid back");
        assert!(cpu.news(later).is_some_and(|at| at > later));
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
