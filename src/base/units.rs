//! Sizes, rates and shares with their units, as the configuration writes them.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::time::Plain;

/// Why a value with a unit could not be read: what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected(pub &'static str);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

/// A number of bytes; written `"48 MiB"`, `"700 kB"`, `"0"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Bits a second; written `"2 Mbit/s"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

/// A share in thousandths; written `"15 %"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u16);

/// A volume in bytes a day; written `"512 MiB/day"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerDay(pub Size);

/// Thousandths of a watt; written `"1.5 W"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Power(pub u64);

/// Thousandths of a watt-hour a day; written `"10 Wh/day"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DailyEnergy(pub u64);

/// Picojoules a byte; written `"12 nJ/B"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerByte(pub u64);

/// Thousandths of a degree Celsius; written `"80 °C"` or `"80 C"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Celsius(pub u64);

const SIZES: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];
const RATES: [(&str, u64); 4] =
    [("Gbit/s", 1_000_000_000), ("Mbit/s", 1_000_000), ("kbit/s", 1_000), ("bit/s", 1)];
const TIMES: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a decimal number with at most three places and a unit; answers thousandths of it.
fn number(text: &str) -> Option<(u128, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || whole.len() > 18 || part.len() > 3 || part.contains('.') {
        return None;
    }
    let part = format!("{part:0<3}");
    let milli = whole.parse::<u128>().ok()? * 1000 + part.parse::<u128>().ok()?;
    Some((milli, unit.trim()))
}

fn scaled(text: &str, table: &[(&str, u64)]) -> Option<u64> {
    let (milli, unit) = number(text)?;
    if unit.is_empty() {
        return (milli == 0).then_some(0);
    }
    let (_, factor) = table.iter().find(|(name, _)| *name == unit)?;
    u64::try_from(milli * u128::from(*factor) / 1000).ok()
}

fn largest(value: u64, table: &[(&'static str, u64)]) -> (u64, &'static str) {
    let fits = table.iter().filter(|(_, factor)| value % factor == 0 && value >= *factor);
    fits.max_by_key(|(_, factor)| *factor)
        .map_or((value, table[table.len() - 1].0), |(name, factor)| (value / factor, *name))
}

impl FromStr for Size {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        scaled(text, &SIZES).map(Self).ok_or(Expected("a size with its unit, such as \"48 MiB\""))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0");
        }
        let (value, unit) = largest(self.0, &SIZES);
        write!(f, "{value} {unit}")
    }
}

impl FromStr for Rate {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        scaled(text, &RATES).map(Self).ok_or(Expected("a rate with its unit, such as \"2 Mbit/s\""))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = largest(self.0, &RATES);
        write!(f, "{value} {unit}")
    }
}

impl FromStr for Share {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let expected = Expected("a share between \"0 %\" and \"100 %\"");
        let (milli, unit) = number(text).ok_or(expected)?;
        let share = u16::try_from(milli / 100).map_err(|_| expected)?;
        if unit == "%" && share <= 1000 { Ok(Self(share)) } else { Err(expected) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole} %"),
            (whole, part) => write!(f, "{whole}.{part} %"),
        }
    }
}

impl FromStr for PerDay {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let size = text.trim().strip_suffix("/day").map_or(text, str::trim_end);
        let daily = text.trim_end().ends_with("/day") || size.trim() == "0";
        match size.parse() {
            Ok(size) if daily => Ok(Self(size)),
            _ => Err(Expected("a daily volume, such as \"512 MiB/day\"")),
        }
    }
}

impl fmt::Display for PerDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/day", self.0)
    }
}

/// A type that is a number of thousandths of one unit.
macro_rules! in_thousandths {
    ($type:ident, $table:expr, $unit:literal, $expected:literal) => {
        impl FromStr for $type {
            type Err = Expected;

            fn from_str(text: &str) -> Result<Self, Expected> {
                scaled(text, $table).map(Self).ok_or(Expected($expected))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let part = format!("{:03}", self.0 % 1000);
                match part.trim_end_matches('0') {
                    "" => write!(f, concat!("{} ", $unit), self.0 / 1000),
                    part => write!(f, concat!("{}.{} ", $unit), self.0 / 1000, part),
                }
            }
        }
    };
}

in_thousandths!(Power, &[("W", 1000), ("mW", 1)], "W", "a power with its unit, such as \"1.5 W\"");
in_thousandths!(
    DailyEnergy,
    &[("Wh/day", 1000), ("mWh/day", 1)],
    "Wh/day",
    "a daily energy, such as \"10 Wh/day\""
);
in_thousandths!(
    PerByte,
    &[("nJ/B", 1000), ("pJ/B", 1)],
    "nJ/B",
    "an energy for each byte, such as \"12 nJ/B\""
);
in_thousandths!(
    Celsius,
    &[("°C", 1000), ("C", 1000)],
    "°C",
    "a temperature with its unit, such as \"80 °C\""
);

/// Reads a duration such as `"30 s"`, `"250 ms"`, `"5 min"`, `"2 h"`, `"7 d"`.
pub fn duration(text: &str) -> Result<Duration, Expected> {
    scaled(text, &TIMES)
        .map(Duration::from_millis)
        .ok_or(Expected("a duration with its unit, such as \"30 s\""))
}

/// Writes a duration so that [`duration`] reads it back.
pub const fn plain(duration: Duration) -> Plain {
    Plain(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for bytes in [0, 1, 1000, 1 << 10, 48 << 20, 700_000, 3 << 40, 12_345] {
            assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }
        assert_eq!("1.5 GiB".parse(), Ok(Size(3 << 29)));
        assert_eq!("2 Mbit/s".parse::<Rate>().map(|r| r.to_string()), Ok("2 Mbit/s".into()));
        assert_eq!("12.5 %".parse::<Share>().map(|s| s.to_string()), Ok("12.5 %".into()));
        assert_eq!("512 MiB/day".parse(), Ok(PerDay(Size(512 << 20))));
        for text in ["1.5 W", "0 W", "0.25 W", "12 W"] {
            assert_eq!(text.parse::<Power>().map(|p| p.to_string()), Ok(text.into()));
        }
        assert_eq!("500 mW".parse(), Ok(Power(500)));
        assert_eq!(
            "10 Wh/day".parse::<DailyEnergy>().map(|e| e.to_string()),
            Ok("10 Wh/day".into())
        );
        assert_eq!("12.5 nJ/B".parse(), Ok(PerByte(12_500)));
        assert_eq!("80 C".parse::<Celsius>().map(|c| c.to_string()), Ok("80 °C".into()));
        assert_eq!(duration("1.5 s"), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn a_number_without_its_unit_is_refused() {
        assert!("48".parse::<Size>().is_err());
        assert!("48 megs".parse::<Size>().is_err());
        assert!("2 MB".parse::<Rate>().is_err());
        assert!("101 %".parse::<Share>().is_err());
        assert!("512 MiB".parse::<PerDay>().is_err());
        assert!(duration("30").is_err());
        assert!("1.2.3 MiB".parse::<Size>().is_err());
    }
}
