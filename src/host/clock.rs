//! The only clock: moments that count through standby, and the date when the box knows it.

use nix::time::{ClockId, clock_gettime};

use crate::base::time::{Date, Instant};

/// The moment now on CLOCK_BOOTTIME, which goes on in standby and never jumps.
pub fn now() -> Instant {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has CLOCK_BOOTTIME since 2.6");
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let micros = u64::try_from(time.tv_nsec() / 1000).unwrap_or(0);
    Instant::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros))
}

/// The system's date, or none while it lies before the build: such a clock was never set.
pub fn date() -> Option<Date> {
    plausible(system_date())
}

/// A date for checking certificates: the system's, but never before the build.
///
/// A box without a battery boots in 1970 and would refuse every certificate as not yet valid.
pub fn trusted_date() -> Date {
    system_date().max(BUILD_DATE)
}

/// When this program was built: `SOURCE_DATE_EPOCH` (reproducible-builds.org), else the release.
pub const BUILD_DATE: Date = Date(match option_env!("SOURCE_DATE_EPOCH") {
    Some(text) => seconds(text),
    None => RELEASED,
});

/// 2026-11-22, the day on which this version's sources were closed; moved with each release.
const RELEASED: i64 = 1_795_305_600;

/// A C library whose seconds have 32 bits cannot tell the time after 2038: that clock counts as
/// one that was never set.
fn system_date() -> Date {
    #[allow(clippy::useless_conversion, reason = "seconds have 32 bits on some 32-bit systems")]
    let date = |time: nix::sys::time::TimeSpec| Date(time.tv_sec().into());
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(Date(0), date)
}

fn plausible(date: Date) -> Option<Date> {
    (date >= BUILD_DATE).then_some(date)
}

/// Reads a positive decimal number; anything else counts as not stated.
const fn seconds(text: &str) -> i64 {
    let digits = text.as_bytes();
    let (mut value, mut at) = (0_i64, 0);
    while at < digits.len() && at < 18 && digits[at].is_ascii_digit() {
        value = value * 10 + (digits[at] - b'0') as i64;
        at += 1;
    }
    if at == digits.len() && at > 0 { value } else { RELEASED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_does_not_run_backwards() {
        let first = now();
        assert!(first > Instant::default());
        assert!(now() >= first);
    }

    #[test]
    fn a_box_that_boots_in_1970_has_no_date() {
        assert_eq!(plausible(Date(12)), None);
        assert_eq!(plausible(BUILD_DATE), Some(BUILD_DATE));
        assert!(trusted_date() >= BUILD_DATE);
    }

    #[test]
    fn a_stated_build_date_is_read_and_nonsense_is_not() {
        assert_eq!(seconds("1700000000"), 1_700_000_000);
        for text in ["", "-5", "1e9", "99999999999999999999"] {
            assert_eq!(seconds(text), RELEASED, "{text}");
        }
    }
}
