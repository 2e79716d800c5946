//! Byte ranges as HTTP writes them: `Range` and `Content-Range` (RFC 9110, 14).

use core::fmt;

use super::fields::{Fields, list};
use crate::base::range::ByteRange;

/// What the `Range` field of a GET request asks for (RFC 9110, 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// No range: the field is absent, malformed or of another unit, and thus ignored.
    Whole,
    /// One range.
    One(Spec),
    /// Several ranges; a server may answer them with one 200 (RFC 9110, 14.2).
    Several,
}

/// One range before the length is known (RFC 9110, 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spec {
    /// First and last byte, both asked for.
    Span(u64, u64),
    /// This byte and all behind it.
    From(u64),
    /// That many bytes at the end.
    Suffix(u64),
}

/// What a request gets once the length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// A 200 with every byte.
    Whole,
    /// A 206 with these bytes; never empty.
    Part(ByteRange),
    /// A 416 (RFC 9110, 15.5.17).
    Unsatisfiable,
}

/// The value of `Content-Range` (RFC 9110, 14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// The bytes in the body, and the whole length where it is known.
    Part(ByteRange, Option<u64>),
    /// No byte: the length that a 416 tells.
    Unsatisfied(u64),
}

/// Reads the `Range` field of a request; the caller does so only for GET (RFC 9110, 14.2).
pub fn requested(request: &Fields) -> Requested {
    let mut values = request.all("range");
    let (Some(value), None) = (values.next(), values.next()) else { return Requested::Whole };
    let Some((unit, set)) = value.split_once('=') else { return Requested::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Requested::Whole;
    }
    let mut found = Requested::Whole;
    for member in list(set) {
        let Some(spec) = Spec::parse(member) else { return Requested::Whole };
        found = match found {
            Requested::Whole => Requested::One(spec),
            Requested::One(_) | Requested::Several => Requested::Several,
        };
    }
    found
}

impl Requested {
    /// What the request gets from a representation of `length` bytes.
    pub fn resolve(self, length: u64) -> Resolved {
        match self {
            Self::Whole | Self::Several => Resolved::Whole,
            Self::One(spec) => spec.resolve(length),
        }
    }
}

impl Spec {
    /// Reads `0-9`, `5-` or `-5`; `None` where it is malformed or ends before it begins.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        match (first.is_empty(), last.is_empty()) {
            (true, _) => Some(Self::Suffix(saturated(last)?)),
            (false, true) => Some(Self::From(saturated(first)?)),
            (false, false) => {
                let (first, last) = (saturated(first)?, saturated(last)?);
                (first <= last).then_some(Self::Span(first, last))
            }
        }
    }

    /// The bytes that are meant whatever the length is; none without both ends.
    pub const fn span(self) -> Option<ByteRange> {
        match self {
            Self::Span(first, last) => Some(ByteRange::new(first, last.saturating_add(1))),
            Self::From(_) | Self::Suffix(_) => None,
        }
    }

    /// The bytes of a representation of `length` bytes that the range means.
    pub fn resolve(self, length: u64) -> Resolved {
        let range = match self {
            Self::Span(first, last) => {
                ByteRange::new(first.min(length), last.saturating_add(1).min(length))
            }
            Self::From(first) => ByteRange::new(first.min(length), length),
            // A suffix of nothing is satisfiable, but no 206 can say so (RFC 9110, 14.1.2).
            Self::Suffix(count) if count > 0 && length == 0 => return Resolved::Whole,
            Self::Suffix(count) => ByteRange::new(length.saturating_sub(count), length),
        };
        if range.is_empty() { Resolved::Unsatisfiable } else { Resolved::Part(range) }
    }
}

impl fmt::Display for Spec {
    /// The whole value of a `Range` field with this one range.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(first, last) => write!(f, "bytes={first}-{last}"),
            Self::From(first) => write!(f, "bytes={first}-"),
            Self::Suffix(count) => write!(f, "bytes=-{count}"),
        }
    }
}

impl ContentRange {
    /// Reads the value; `None` where it is invalid (RFC 9110, 14.4), another unit or overflows.
    pub fn parse(value: &str) -> Option<Self> {
        let (unit, rest) = value.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, length) = rest.trim().split_once('/')?;
        let length = if length == "*" { None } else { Some(exact(length)?) };
        if range == "*" {
            return length.map(Self::Unsatisfied);
        }
        let (first, last) = range.split_once('-')?;
        let (first, last) = (exact(first)?, exact(last)?);
        let sound = first <= last && last < length.unwrap_or(u64::MAX);
        sound.then(|| Self::Part(ByteRange::new(first, last + 1), length))
    }

    /// Reads the one field of a head; two of them are no valid range.
    pub fn of(response: &Fields) -> Option<Self> {
        let mut values = response.all("content-range");
        let (value, None) = (values.next()?, values.next()) else { return None };
        Self::parse(value)
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(range, length) => {
                write!(f, "bytes {}-{}/", range.start, range.end.saturating_sub(1))?;
                match length {
                    Some(length) => write!(f, "{length}"),
                    None => f.write_str("*"),
                }
            }
            Self::Unsatisfied(length) => write!(f, "bytes */{length}"),
        }
    }
}

/// Digits as a number; what is too large for one is the largest, which lies behind every end.
fn saturated(digits: &str) -> Option<u64> {
    let sound = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn exact(digits: &str) -> Option<u64> {
    saturated(digits).filter(|number| *number < u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(value: &str) -> Requested {
        requested(&[("Range", value)].into_iter().collect())
    }

    fn part(start: u64, end: u64) -> Resolved {
        Resolved::Part(ByteRange::new(start, end))
    }

    #[test]
    fn rfc_9110_14_1_2_the_examples_of_a_10000_byte_representation() {
        for (value, resolved) in [
            ("bytes=0-499", part(0, 500)),
            ("bytes=500-999", part(500, 1000)),
            ("bytes=-500", part(9500, 10000)),
            ("bytes=9500-", part(9500, 10000)),
            ("bytes=0-0", part(0, 1)),
            ("bytes=-1", part(9999, 10000)),
            ("bytes=-20000", part(0, 10000)),
            ("bytes=9999-99999", part(9999, 10000)),
            ("BYTES=0-", part(0, 10000)),
            ("bytes= 0-1 ,", part(0, 2)),
            ("bytes=10000-", Resolved::Unsatisfiable),
            ("bytes=-0", Resolved::Unsatisfiable),
            ("bytes=99999999999999999999-", Resolved::Unsatisfiable),
            ("bytes=0-99999999999999999999", part(0, 10000)),
        ] {
            assert_eq!(ask(value).resolve(10000), resolved, "{value}");
        }
    }

    #[test]
    fn rfc_9110_14_2_a_malformed_range_is_no_range() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=-",
            "bytes=1",
            "bytes=+1-2",
            "bytes=1-2,x",
            "seconds=1-2",
            "bytes 1-2",
            "bytes=1--2",
            "bytes=1-2-3",
            "bytes=,",
        ] {
            assert_eq!(ask(value), Requested::Whole, "{value}");
        }
        let twice: Fields = [("Range", "bytes=0-1"), ("Range", "bytes=2-3")].into_iter().collect();
        assert_eq!(requested(&twice), Requested::Whole);
    }

    #[test]
    fn rfc_9110_14_2_several_ranges_may_be_one_200() {
        assert_eq!(ask("bytes=0-1,5-6"), Requested::Several);
        assert_eq!(ask("bytes=0-1, -5").resolve(10), Resolved::Whole);
    }

    #[test]
    fn an_empty_representation_has_no_part() {
        assert_eq!(ask("bytes=0-").resolve(0), Resolved::Unsatisfiable);
        assert_eq!(ask("bytes=-5").resolve(0), Resolved::Whole);
    }

    #[test]
    fn rfc_9110_14_4_content_range_reads_what_it_writes() {
        let whole = ContentRange::Part(ByteRange::new(42, 1234), Some(1234));
        assert_eq!(whole.to_string(), "bytes 42-1233/1234");
        for text in ["bytes 42-1233/1234", "bytes 42-1233/*", "bytes */1234"] {
            let read = ContentRange::parse(text).expect("valid");
            assert_eq!(read.to_string(), text);
            for end in 0..text.len() {
                if let Some(cut) = ContentRange::parse(&text[..end]) {
                    assert_eq!(ContentRange::parse(&cut.to_string()), Some(cut));
                }
            }
        }
    }

    #[test]
    fn rfc_9110_14_4_an_invalid_content_range_is_refused() {
        for text in [
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes */*",
            "bytes 0-1",
            "items 0-1/2",
            "bytes 0-18446744073709551615/*",
            "bytes=0-1/2",
            "bytes -1/2",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_is_asked_for_as_it_is_read() {
        for text in ["bytes=0-499", "bytes=9500-", "bytes=-500"] {
            let Requested::One(spec) = ask(text) else { panic!("{text} is one range") };
            assert_eq!(spec.to_string(), text);
        }
    }
}
