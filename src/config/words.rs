//! Values that are one word of a few: how each is written and read.

use core::fmt;

use crate::base::peer::Role;

use super::model::{LogTarget, Pacing, Rung, Share};

/// Where log lines go.
pub fn target(text: &str) -> Result<LogTarget, &'static str> {
    let all = [LogTarget::Auto, LogTarget::Syslog, LogTarget::Stderr];
    let named = all.into_iter().find(|target| target.to_string() == text);
    named.ok_or("\"auto\", \"syslog\" or \"stderr\"")
}

/// The least important level that is written.
pub fn level(text: &str) -> Result<log::LevelFilter, &'static str> {
    let expected = "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"";
    // `log` would take "INFO" and "off" as well: one way to write it is enough.
    let lower = !text.contains(|c: char| c.is_ascii_uppercase()) && text != "off";
    text.parse().ok().filter(|_| lower).ok_or(expected)
}

/// What a node is there for.
pub fn role(text: &str) -> Result<Role, &'static str> {
    let all = [Role::Device, Role::Gateway, Role::Witness];
    let named = all.into_iter().find(|role| role.name() == text);
    named.ok_or("\"device\", \"gateway\" or \"witness\"")
}

/// With whom an origin's content is shared.
pub fn share(text: &str) -> Result<Share, &'static str> {
    let all = [Share::None, Share::Home, Share::Isp, Share::Any];
    let named = all.into_iter().find(|share| share.name() == text);
    named.ok_or("\"none\", \"home\", \"isp\" or \"any\"")
}

/// Whose records are trusted.
pub fn rung(text: &str) -> Result<Rung, &'static str> {
    let all = [Rung::Publisher, Rung::Witness, Rung::OriginDigest, Rung::Quorum];
    let named = all.into_iter().find(|rung| rung.to_string() == text);
    named.ok_or("\"publisher\", \"witness\", \"origin-digest\" or \"quorum\"")
}

/// How fast hits go out: `2.5x` is two and a half times what they play at.
pub fn pacing(text: &str) -> Result<Pacing, &'static str> {
    let expected = "\"auto\", \"off\", or a factor from \"1.5x\" to \"100x\"";
    let factor = || {
        let (whole, part) =
            text.strip_suffix('x').map(|n| n.split_once('.').unwrap_or((n, "0")))?;
        let digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        };
        let permille = format!("{whole}{part:0<3}").parse().ok()?;
        let fits = digits(whole, 3) && digits(part, 3) && (1500..=100_000).contains(&permille);
        fits.then_some(Pacing::Times(permille))
    };
    match text {
        "auto" => Ok(Pacing::Auto),
        "off" => Ok(Pacing::Off),
        _ => factor().ok_or(expected),
    }
}

impl fmt::Display for Pacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Times(permille) => match (permille / 1000, permille % 1000) {
                (whole, 0) => write!(f, "{whole}x"),
                (whole, part) => {
                    let part = format!("{part:03}");
                    write!(f, "{whole}.{}x", part.trim_end_matches('0'))
                }
            },
        }
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Syslog => "syslog",
            Self::Stderr => "stderr",
        })
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publisher => "publisher",
            Self::Witness => "witness",
            Self::OriginDigest => "origin-digest",
            Self::Quorum => "quorum",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_reads_as_it_is_shown() {
        for text in ["auto", "off", "1.5x", "2x", "2.25x", "10.005x", "100x"] {
            assert_eq!(pacing(text).map(|pace| pace.to_string()), Ok(text.into()));
        }
        assert_eq!(pacing("2.50x"), Ok(Pacing::Times(2500)));
        for text in ["", "x", "2", "1.4x", "101x", "2.x", ".5x", "-2x", "2.0001x", "Auto", "2 x"] {
            assert!(pacing(text).is_err(), "{text}");
        }
    }
}
