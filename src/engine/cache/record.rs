//! A policy as it lies on the disk: ages and lengths, because the box may have no clock.

use core::time::Duration;

use super::freshness::Policy;
use crate::base::time::{Date, Instant};

/// Bytes of a policy on the disk.
pub const LENGTH: usize = 2 + 8 * WORDS;

impl Policy {
    /// The policy at `now` as bytes: version, flags, then little-endian 64-bit words.
    ///
    /// Words: age, time held, lifetime, hold cap, stale-while-revalidate, stale-if-error (all in
    /// milliseconds, all bits set for none) and the origin's date (seconds, lowest for none).
    pub fn to_record(&self, now: Instant) -> [u8; LENGTH] {
        let words = [
            millis(self.age(now)),
            millis(self.held + (now - self.since)),
            millis(self.lifetime),
            self.hold_cap.map_or(NONE, millis),
            self.stale_while_revalidate.map_or(NONE, millis),
            self.stale_if_error.map_or(NONE, millis),
            u64::from_le_bytes(self.date.map_or(NO_DATE, |date| date.0).to_le_bytes()),
        ];
        let mut record = [0; LENGTH];
        record[0] = VERSION;
        record[1] = self.flags();
        for (place, word) in record[2..].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        record
    }

    /// The policy of a record; none where it is of another version or damaged.
    ///
    /// `down_time` is how long nobody counted. Where that is not known, the response counts
    /// as stale until the origin has validated it, and is not used without.
    pub fn from_record(record: &[u8], down_time: Option<Duration>, now: Instant) -> Option<Self> {
        let record: &[u8; LENGTH] = record.try_into().ok()?;
        let mut words = [0; WORDS];
        for (place, word) in record[2..].chunks_exact(8).zip(&mut words) {
            *word = u64::from_le_bytes(place.try_into().ok()?);
        }
        let flags = record[1];
        if record[0] != VERSION || flags > ALL {
            return None;
        }
        let [age, held, lifetime, cap, revalidate, error, date] = words;
        let unseen = down_time.unwrap_or_default();
        let date = i64::from_le_bytes(date.to_le_bytes());
        Some(Self {
            since: now,
            initial_age: some(age)? + unseen,
            untold: Duration::ZERO,
            held: some(held)? + unseen,
            lifetime: some(lifetime)?,
            hold_cap: some(cap),
            stale_while_revalidate: some(revalidate),
            stale_if_error: some(error),
            date: (date != NO_DATE).then_some(Date(date)),
            no_cache: flags & NO_CACHE != 0,
            never_stale: flags & NEVER_STALE != 0,
            immutable: flags & IMMUTABLE != 0,
            age_unknown: flags & AGE_UNKNOWN != 0 || down_time.is_none(),
        })
    }

    fn flags(&self) -> u8 {
        let flag = |set: bool, flag| if set { flag } else { 0 };
        flag(self.no_cache, NO_CACHE)
            | flag(self.never_stale, NEVER_STALE)
            | flag(self.immutable, IMMUTABLE)
            | flag(self.age_unknown, AGE_UNKNOWN)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).map_or(LONGEST, |millis| millis.min(LONGEST))
}

/// What a word says; one that is none, or longer than any that was written, says nothing.
fn some(word: u64) -> Option<Duration> {
    (word <= LONGEST).then(|| Duration::from_millis(word))
}

const VERSION: u8 = 1;
const WORDS: usize = 7;
const NONE: u64 = u64::MAX;
const NO_DATE: i64 = i64::MIN;
/// Longer than any age or lifetime (2^31 s), so that sums never overflow.
const LONGEST: u64 = 1 << 50;
const NO_CACHE: u8 = 1;
const NEVER_STALE: u8 = 2;
const IMMUTABLE: u8 = 4;
const AGE_UNKNOWN: u8 = 8;
const ALL: u8 = NO_CACHE | NEVER_STALE | IMMUTABLE | AGE_UNKNOWN;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn policy() -> Policy {
        Policy {
            since: Instant::from_micros(5_000_000),
            initial_age: seconds(3),
            untold: Duration::ZERO,
            held: Duration::ZERO,
            lifetime: seconds(60),
            hold_cap: Some(seconds(40)),
            stale_while_revalidate: None,
            stale_if_error: Some(Duration::ZERO),
            date: Some(Date(784_111_777)),
            no_cache: false,
            never_stale: true,
            immutable: true,
            age_unknown: false,
        }
    }

    #[test]
    fn a_policy_outlives_a_restart_as_ages() {
        let record = policy().to_record(Instant::from_micros(15_000_000));
        let booted = Instant::from_micros(1_000_000);
        let read = Policy::from_record(&record, Some(seconds(7)), booted).expect("sound");
        assert_eq!(read.age(booted), seconds(3 + 10 + 7));
        assert_eq!(read.fresh_until(), booted + seconds(40 - 17));
        let same =
            Policy { since: booted, initial_age: seconds(20), held: seconds(17), ..policy() };
        assert_eq!(read, same);
    }

    #[test]
    fn an_unknown_down_time_means_stale() {
        let record = policy().to_record(policy().since);
        let read = Policy::from_record(&record, None, Instant::default()).expect("sound");
        assert!(!read.is_fresh(Instant::default()));
        let again = read.to_record(Instant::default());
        let again = Policy::from_record(&again, Some(Duration::ZERO), Instant::default());
        assert!(!again.expect("sound").is_fresh(Instant::default()), "nobody learnt it since");
    }

    #[test]
    fn a_damaged_record_is_no_policy_and_never_a_panic() {
        let record = policy().to_record(policy().since);
        for end in 0..LENGTH {
            assert_eq!(Policy::from_record(&record[..end], None, Instant::default()), None);
        }
        let mut rng = Rng::new(3);
        for _ in 0..20_000 {
            let mut damaged = record;
            for _ in 0..=rng.below(9) {
                damaged[usize::try_from(rng.below(LENGTH as u64)).expect("a small number")] =
                    rng.next() as u8;
            }
            let now = Instant::from_micros(rng.next());
            if let Some(read) = Policy::from_record(&damaged, Some(seconds(9)), now) {
                let _ = (read.age(now + seconds(1)), read.fresh_until(), read.to_record(now));
            }
        }
    }
}
