//! Values that are one word of a few: how each is written and read.

use core::fmt;

use crate::base::peer::Role;

use super::model::{LogTarget, Rung, Subnet};

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

/// Whose records are trusted.
pub fn rung(text: &str) -> Result<Rung, &'static str> {
    let all = [Rung::Publisher, Rung::Witness];
    let named = all.into_iter().find(|rung| rung.to_string() == text);
    named.ok_or("\"publisher\" or \"witness\"")
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
        })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let single = if self.address.is_ipv4() { 32 } else { 128 };
        match self.bits {
            bits if bits == single => write!(f, "{}", self.address),
            bits => write!(f, "{}/{bits}", self.address),
        }
    }
}
