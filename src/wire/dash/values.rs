//! Values as XML Schema writes them: durations, dates; and the byte ranges of DASH.

use core::time::Duration;

use crate::base::range::ByteRange;

/// Reads an `xs:duration` such as `PT1H2M3.5S`; a year counts 365 days and a month 30
/// (ISO/IEC 23009-1 advises against both). At most ten years; never negative.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim().strip_prefix('P')?;
    let (days, clock) = text.split_once('T').unwrap_or((text, ""));
    let far = fields(days, &[('Y', 31_536_000.0), ('M', 2_592_000.0), ('D', 86_400.0)])?;
    let near = fields(clock, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)])?;
    let seconds = Some(far + near).filter(|seconds| (0.0..=315_360_000.0).contains(seconds))?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn fields(mut text: &str, units: &[(char, f64)]) -> Option<f64> {
    let mut sum = 0.0;
    for (unit, factor) in units {
        if let Some((value, rest)) = text.split_once(*unit) {
            let digits = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            sum += value.parse::<f64>().ok().filter(|_| digits)? * factor;
            text = rest;
        }
    }
    text.is_empty().then_some(sum)
}

/// Reads an `xs:dateTime` as milliseconds since 1970; without a zone it is UTC.
pub fn date_ms(text: &str) -> Option<i64> {
    let (day, time) = text.trim().split_once('T')?;
    let mut parts = day.splitn(3, '-').map(|part| number(part, 4));
    let (year, month, of_month) = (parts.next()??, parts.next()??, parts.next()??);
    let zone = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(zone);
    let mut parts = time.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next()?;
    let (second, part) = second.split_once('.').unwrap_or((second, ""));
    let second = number(second, 2)?;
    let millis = number(format!("{part:0<3}").get(..3)?, 3)?;
    let dated = (1970..=9999).contains(&year) && (1..=12).contains(&month);
    if !dated || !(1..=31).contains(&of_month) || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = (days(year, month, of_month) * 24 + hour) * 3600 + minute * 60 + second;
    Some((seconds - offset(zone)?) * 1000 + millis)
}

/// Seconds that a zone runs ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first() {
        None | Some(b'Z') => return Some(0),
        Some(b'-') => -1,
        Some(_) => 1,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (number(hours, 2)? * 3600 + number(minutes, 2)? * 60))
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= digits;
    text.parse().ok().filter(|_| plain && text.bytes().all(|b| b.is_ascii_digit()))
}

/// Days since 1970 of a Gregorian date: years begin in March so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    before + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// Reads a byte range `first-last`, both included (ISO/IEC 23009-1, 5.3.9.2.2).
pub fn range(text: &str) -> Option<ByteRange> {
    let (first, last) = text.trim().split_once('-')?;
    let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    let end = last.checked_add(1)?;
    (first <= last).then(|| ByteRange::new(first, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_xml_schema_writes_them() {
        for (text, millis) in [
            ("PT2S", Some(2000)),
            ("PT1H2M3.5S", Some(3_723_500)),
            ("P1DT1M", Some(86_460_000)),
            ("PT0S", Some(0)),
            ("PT", Some(0)),
            ("-PT2S", None),
            ("PT-2S", None),
            ("PT2", None),
            ("2S", None),
            ("PT1e3S", None),
            ("PT2S1M", None),
            ("P99999Y", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn dates_are_read_with_their_zone() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:30:15.25Z", Some(951_827_415_250)),
            ("2024-05-01T02:00:00+02:00", Some(1_714_521_600_000)),
            ("2024-04-30T19:00:00.0000-05:00", Some(1_714_521_600_000)),
            ("2024-05-01T00:00:00", Some(1_714_521_600_000)),
            ("2024-05-01", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-05-01T00:00Z", None),
            ("2024-05-01T00:00:0é", None),
            ("2024-05-01T00:00:00+é", None),
        ] {
            assert_eq!(date_ms(text), millis, "{text}");
        }
    }

    #[test]
    fn a_byte_range_includes_its_last_byte() {
        assert_eq!(range("0-822"), Some(ByteRange::new(0, 823)));
        assert_eq!(range("5-4"), None);
        assert_eq!(range("0-18446744073709551615"), None);
    }
}
