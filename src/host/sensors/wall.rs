//! The time on the wall: the date, and what the device's time zone makes of it (RFC 9636, and
//! the rules that POSIX writes into `TZ`).

use std::fs::File;
use std::io::Read;

use crate::base::limits;
use crate::base::time::Date;
use crate::engine::caps::readings::Wall;

/// The time on the wall at this date, by `TZ` or `/etc/localtime`; UTC where there is neither.
pub fn at(date: Date) -> Wall {
    let told = std::env::var("TZ").ok().filter(|zone| !zone.is_empty());
    let offset = match told.as_deref().map(|zone| zone.trim_start_matches(':')) {
        Some(zone) => Rule::parse(zone)
            .map(|rule| rule.offset(date.0))
            .or_else(|| in_file(&format!("/usr/share/zoneinfo/{zone}"), date.0)),
        None => in_file("/etc/localtime", date.0),
    };
    wall(date.0.saturating_add(offset.unwrap_or(0)))
}

fn in_file(path: &str, date: i64) -> Option<i64> {
    if path.split('/').any(|part| part == "..") {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(limits::device::ZONE).read_to_end(&mut bytes).ok()?;
    offset(&bytes, date)
}

fn wall(seconds: i64) -> Wall {
    let (day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // The first day of 1970 was a Thursday.
    let weekday = u8::try_from((day + 3).rem_euclid(7)).unwrap_or(0);
    Wall { weekday, minute: u16::try_from(second / 60).unwrap_or(0) }
}

/// The offset from UTC that a zone's file says for a date (RFC 9636, 3).
fn offset(file: &[u8], date: i64) -> Option<i64> {
    let first = Block::parse(file, 4)?;
    if file.get(4) == Some(&0) {
        return first.offset(date);
    }
    let second = Block::parse(file.get(first.end..)?, 8)?;
    let footer = file.get(first.end + second.end..)?.strip_prefix(b"\n")?;
    let footer = footer.split(|byte| *byte == b'\n').next()?;
    let is_later = second.last().is_none_or(|last| date >= last);
    let rule = core::str::from_utf8(footer).ok().and_then(Rule::parse).filter(|_| is_later);
    rule.map(|rule| rule.offset(date)).or_else(|| second.offset(date))
}

/// A header and what follows it: times, the kind that begins with each, the kinds.
struct Block<'a> {
    width: usize,
    times: &'a [u8],
    begun: &'a [u8],
    kinds: &'a [u8],
    end: usize,
}

impl<'a> Block<'a> {
    fn parse(bytes: &'a [u8], width: usize) -> Option<Self> {
        let head = bytes.strip_prefix(b"TZif")?;
        let count = |at: usize| {
            let four = head.get(16 + 4 * at..20 + 4 * at)?.try_into().ok()?;
            usize::try_from(u32::from_be_bytes(four)).ok().filter(|count| *count < 65_536)
        };
        let (times, kinds) = (count(3)?, count(4)?);
        let others = count(5)? + count(2)? * (width + 4) + count(1)? + count(0)?;
        let begin = 44;
        let begun = begin + times * width;
        let end = begun + times + 6 * kinds + others;
        bytes.get(..end)?;
        Some(Self {
            width,
            times: &bytes[begin..begun],
            begun: &bytes[begun..begun + times],
            kinds: &bytes[begun + times..begun + times + 6 * kinds],
            end,
        })
    }

    fn time(&self, bytes: &[u8]) -> Option<i64> {
        match self.width {
            4 => bytes.try_into().ok().map(i32::from_be_bytes).map(i64::from),
            _ => bytes.try_into().ok().map(i64::from_be_bytes),
        }
    }

    fn last(&self) -> Option<i64> {
        self.times.chunks_exact(self.width).last().and_then(|time| self.time(time))
    }

    fn offset(&self, date: i64) -> Option<i64> {
        let times = self.times.chunks_exact(self.width).filter_map(|time| self.time(time));
        let passed = times.take_while(|time| *time <= date).count();
        let kind = match passed.checked_sub(1) {
            Some(last) => usize::from(*self.begun.get(last)?),
            None => 0,
        };
        let kind = self.kinds.get(6 * kind..6 * kind + 4)?;
        kind.try_into().ok().map(i32::from_be_bytes).map(i64::from)
    }
}

/// The rule that POSIX writes as `CET-1CEST,M3.5.0,M10.5.0/3`: seconds east of UTC, and the
/// time that counts between two days of the year.
struct Rule {
    normal: i64,
    summer: Option<(i64, Turn, Turn)>,
}

/// A day of the year, and the second of it.
struct Turn {
    day: Day,
    second: i64,
}

enum Day {
    /// `M10.5.0`: in that month, the first to fourth or last (5), a Sunday (0).
    Week(i64, i64, i64),
    /// `J60`: the sixtieth day, where no year has a 29th of February.
    Plain(i64),
    /// `59`: the day with that number from 0, where some have.
    Numbered(i64),
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        let rest = skip_name(text)?;
        let (west, rest) = time(rest)?;
        let normal = -west;
        if rest.is_empty() {
            return Some(Self { normal, summer: None });
        }
        let rest = skip_name(rest)?;
        let (west, rest) = if rest.starts_with(',') { (west - HOUR, rest) } else { time(rest)? };
        let (begin, rest) = Turn::parse(rest.strip_prefix(',')?)?;
        let (end, rest) = Turn::parse(rest.strip_prefix(',')?)?;
        rest.is_empty().then_some(Self { normal, summer: Some((-west, begin, end)) })
    }

    fn offset(&self, date: i64) -> i64 {
        let Some((summer, begin, end)) = &self.summer else { return self.normal };
        let date = date.clamp(-FAR, FAR);
        let year = year_of((date.saturating_add(self.normal)).div_euclid(DAY));
        let (begin, end) = (begin.at(year) - self.normal, end.at(year) - summer);
        let is_summer =
            if begin < end { (begin..end).contains(&date) } else { !(end..begin).contains(&date) };
        if is_summer { *summer } else { self.normal }
    }
}

impl Turn {
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (day, rest) = Day::parse(text)?;
        let (second, rest) = match rest.strip_prefix('/') {
            Some(rest) => time(rest)?,
            None => (2 * HOUR, rest),
        };
        Some((Self { day, second }, rest))
    }

    /// When it comes in a year, in seconds of that place's time.
    fn at(&self, year: i64) -> i64 {
        let first = days(year, 1, 1);
        let day = match self.day {
            Day::Numbered(day) => first + day,
            Day::Plain(day) => {
                let leap = days(year, 3, 1) - first > 59;
                first + day - 1 + i64::from(leap && day >= 60)
            }
            Day::Week(month, week, weekday) => {
                let begin = days(year, month, 1);
                let next =
                    if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
                // Sunday is 0 here, and the first day of 1970 was a Thursday.
                let ahead = (weekday - (begin + 4)).rem_euclid(7);
                let day = begin + ahead + 7 * (week - 1);
                if day >= next { day - 7 } else { day }
            }
        };
        day * DAY + self.second
    }
}

impl Day {
    fn parse(text: &str) -> Option<(Self, &str)> {
        if let Some(rest) = text.strip_prefix('M') {
            let (month, rest) = digits(rest, 1..=12)?;
            let (week, rest) = digits(rest.strip_prefix('.')?, 1..=5)?;
            let (weekday, rest) = digits(rest.strip_prefix('.')?, 0..=6)?;
            return Some((Self::Week(month, week, weekday), rest));
        }
        match text.strip_prefix('J') {
            Some(rest) => digits(rest, 1..=365).map(|(day, rest)| (Self::Plain(day), rest)),
            None => digits(text, 0..=365).map(|(day, rest)| (Self::Numbered(day), rest)),
        }
    }
}

/// Past a zone's name: letters, or anything in angle brackets; at least three.
fn skip_name(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('<') {
        return rest.split_once('>').filter(|(name, _)| name.len() >= 3).map(|(_, rest)| rest);
    }
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    (end >= 3).then(|| &text[end..])
}

/// `[+-]hh[:mm[:ss]]` in seconds; RFC 9636, 3.3.1 lets hours go to 167.
fn time(text: &str) -> Option<(i64, &str)> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (hours, mut rest) = digits(rest, 0..=167)?;
    let mut seconds = hours * HOUR;
    for unit in [60, 1] {
        let Some(more) = rest.strip_prefix(':') else { break };
        let (count, behind) = digits(more, 0..=59)?;
        seconds += count * unit;
        rest = behind;
    }
    Some((sign * seconds, rest))
}

fn digits(text: &str, bounds: core::ops::RangeInclusive<i64>) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..end].parse().ok().filter(|number| bounds.contains(number))?;
    Some((number, &text[end..]))
}

/// Days from 1970 to a date of the Gregorian calendar (Hinnant, "chrono-compatible algorithms").
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year of a day.
const fn year_of(day: i64) -> i64 {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day - era * 146_097;
    let of_400 = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_400 + of_400 / 4 - of_400 / 100);
    // Years of this reckoning begin in March: 306 days before the next January.
    of_400 + era * 400 + if of_year >= 306 { 1 } else { 0 }
}

const DAY: i64 = 86_400;
const HOUR: i64 = 3600;

/// No calendar is asked about dates beyond 30,000 years.
const FAR: i64 = 1 << 40;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-29 01:00:00 UTC, when summer begins in Europe.
    const SPRING: i64 = 1_774_746_000;
    /// 2026-10-25 01:00:00 UTC, when it ends.
    const AUTUMN: i64 = 1_792_890_000;

    #[test]
    fn the_rule_turns_at_the_second() {
        let rule = Rule::parse("CET-1CEST,M3.5.0,M10.5.0/3").expect("a rule");
        for (date, hours) in [(SPRING - 1, 1), (SPRING, 2), (AUTUMN - 1, 2), (AUTUMN, 1)] {
            assert_eq!(rule.offset(date), hours * HOUR, "{date}");
        }
        let south = Rule::parse("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0").expect("Lord Howe");
        assert_eq!((south.offset(SPRING), south.offset(SPRING + 90 * DAY)), (39_600, 37_800));
        let plain = Rule::parse("<-03>3").expect("a rule");
        assert_eq!(plain.offset(SPRING), -3 * HOUR);
        assert!(Rule::parse("EST5EDT,J60,J300").is_some());
    }

    #[test]
    fn any_prefix_of_a_rule_is_borne() {
        for text in ["CET-1CEST,M3.5.0,M10.5.0/3", "<+1030>-10:30<+11>-11,J60/-2,366", "é-1"] {
            for (end, _) in text.char_indices() {
                if let Some(rule) = Rule::parse(&text[..end]) {
                    rule.offset(i64::MAX);
                    rule.offset(i64::MIN + DAY);
                }
            }
        }
        for wrong in ["", "CE-1", "CET", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET1:60"] {
            assert!(Rule::parse(wrong).is_none(), "{wrong}");
        }
    }

    /// One time, two kinds: one hour until `SPRING`, two from there; then the rule.
    fn file() -> Vec<u8> {
        let head = |times: u8| {
            let mut head = b"TZif2".to_vec();
            head.extend([0; 15]);
            for count in [0, 0, 0, times, 2, 4] {
                head.extend([0, 0, 0, count]);
            }
            head
        };
        let kinds = |out: &mut Vec<u8>| {
            out.extend([0, 0, 0x0e, 0x10, 0, 0, 0, 0, 0x1c, 0x20, 1, 0]);
            out.extend(b"CET\0");
        };
        let mut out = head(0);
        kinds(&mut out);
        out.extend(head(1));
        out.extend(SPRING.to_be_bytes());
        out.push(1);
        kinds(&mut out);
        out.extend(b"\nCET-1CEST,M3.5.0,M10.5.0/3\n");
        out
    }

    #[test]
    fn a_zones_file_is_read_by_its_times_and_then_by_its_rule() {
        let file = file();
        for (date, hours) in [(0, 1), (SPRING - 1, 1), (SPRING, 2), (AUTUMN, 1)] {
            assert_eq!(offset(&file, date), Some(hours * HOUR), "{date}");
        }
        for end in 0..file.len() {
            offset(&file[..end], AUTUMN);
            let mut odd = file.clone();
            odd[end] ^= 0x81;
            offset(&odd, SPRING);
        }
    }

    #[test]
    fn a_date_is_a_day_of_the_week_and_a_minute() {
        assert_eq!(wall(0), Wall { weekday: 3, minute: 0 });
        assert_eq!(wall(SPRING), Wall { weekday: 6, minute: 60 });
        assert_eq!(wall(-60), Wall { weekday: 2, minute: 1439 });
        for year in [1970, 2000, 2026, 2028, 2100] {
            assert_eq!(year_of(days(year, 1, 1)), year);
            assert_eq!(year_of(days(year, 1, 1) - 1), year - 1);
        }
    }
}
