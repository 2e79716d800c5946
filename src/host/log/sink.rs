//! Where lines end: standard error or the local syslog socket.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use log::Level;
use syslog::{Facility, Formatter3164, LogFormat, Logger, LoggerBackend};

use crate::config::model::LogTarget;

/// A chosen target, not opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard error, with level words for people or `<4>` marks for a journal.
    Stderr {
        /// Whether lines begin with `<4>`, as journald and other readers of a pipe take them
        /// (sd-daemon(3)).
        marks: bool,
    },
    /// The first of these sockets that takes a connection.
    Syslog(Vec<PathBuf>),
}

/// An opened target.
pub enum Sink {
    /// Standard error.
    Stderr {
        /// See [`Target::Stderr`].
        marks: bool,
    },
    /// A connection to syslogd, of whatever kind its socket is.
    Syslog(Box<Logger<LoggerBackend, Formatter3164>>),
}

impl Target {
    /// Chooses as the configuration says: `auto` is standard error where a person or the journal
    /// reads it, else syslog where there is one.
    pub fn choose(wanted: LogTarget) -> Self {
        let paths: Vec<PathBuf> = SYSLOG.iter().map(PathBuf::from).collect();
        let journal = journal();
        let stderr = Self::Stderr { marks: journal || !io::stderr().is_terminal() };
        match wanted {
            LogTarget::Stderr => stderr,
            LogTarget::Syslog => Self::Syslog(paths),
            LogTarget::Auto if journal || io::stderr().is_terminal() => stderr,
            LogTarget::Auto if paths.iter().any(|path| path.exists()) => Self::Syslog(paths),
            LogTarget::Auto => stderr,
        }
    }

    /// Opens the target.
    ///
    /// # Errors
    /// When no syslog socket takes a connection.
    pub fn open(&self) -> io::Result<Sink> {
        let paths = match self {
            Self::Stderr { marks } => return Ok(Sink::Stderr { marks: *marks }),
            Self::Syslog(paths) => paths,
        };
        let logger = paths.iter().find_map(|path| syslog::unix_custom(formatter(), path).ok());
        logger.map(|logger| Sink::Syslog(Box::new(logger))).ok_or(io::ErrorKind::NotFound.into())
    }
}

impl Sink {
    /// Writes one line; it may wait for as long as syslogd does not read.
    ///
    /// # Errors
    /// When syslogd has gone; the line is then still to be written.
    pub fn write(&mut self, level: Level, text: &str) -> io::Result<()> {
        match self {
            Self::Stderr { marks } => {
                let line = if *marks {
                    format!("<{}>{text}\n", priority(level))
                } else {
                    format!("{:5} {text}\n", level.as_str())
                };
                // With standard error closed there is nobody to tell; a second try helps nobody.
                let _ = io::stderr().write_all(line.as_bytes());
                Ok(())
            }
            Self::Syslog(logger) => {
                let packet = packet(&logger.formatter, level, text)?;
                logger.backend.write(packet.as_bytes()).map(|_| ())
            }
        }
    }
}

/// Where syslog daemons listen; the last two are the BSDs' and old systems'.
const SYSLOG: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

fn formatter() -> Formatter3164 {
    let facility = Facility::LOG_DAEMON;
    Formatter3164 { facility, hostname: None, process: "neap".into(), pid: std::process::id() }
}

fn packet(formatter: &Formatter3164, level: Level, text: &str) -> io::Result<String> {
    use syslog::Severity::{LOG_DEBUG, LOG_ERR, LOG_INFO, LOG_WARNING};
    let severity = match level {
        Level::Error => LOG_ERR,
        Level::Warn => LOG_WARNING,
        Level::Info => LOG_INFO,
        Level::Debug | Level::Trace => LOG_DEBUG,
    };
    let mut bytes = Vec::new();
    formatter.format(&mut bytes, severity, text).map_err(io::Error::other)?;
    String::from_utf8(bytes).map(|packet| unstamped(&packet)).map_err(io::Error::other)
}

/// Takes the time stamp off: the formatter writes UTC where RFC 3164, 4.1.2 wants local time.
/// A syslogd gives lines without a stamp its own time of arrival (RFC 3164, 4.3.2).
fn unstamped(packet: &str) -> String {
    let Some((priority, rest)) = packet.split_once('>') else { return packet.to_owned() };
    let stamp = rest.get(..STAMP.len()).is_some_and(|stamp| {
        let alike = |(a, b): (u8, u8)| match b {
            b'0' => a.is_ascii_digit() || a == b' ',
            b'a' => a.is_ascii_alphabetic(),
            b => a == b,
        };
        stamp.bytes().zip(STAMP.bytes()).all(alike)
    });
    format!("{priority}>{}", if stamp { &rest[STAMP.len()..] } else { rest })
}

/// The shape of RFC 3164's stamp.
const STAMP: &str = "aaa 00 00:00:00 ";

fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Whether standard error is the journal's own pipe: JOURNAL_STREAM names its device and inode
/// (systemd.exec(5)), and a program in between may have replaced it.
fn journal() -> bool {
    let Ok(stated) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stat) = nix::sys::stat::fstat(io::stderr().as_fd()) else { return false };
    stated == format!("{}:{}", stat.st_dev, stat.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_lines_carry_priority_name_and_process_but_no_utc_stamp() {
        let line = packet(&formatter(), Level::Warn, "origin cdn: refused").expect("a line");
        let pid = std::process::id();
        assert_eq!(line, format!("<28>neap[{pid}]: origin cdn: refused"));
    }

    #[test]
    fn only_a_stamp_is_taken_off() {
        assert_eq!(unstamped("<28>Nov 22 17:00:01 neap: a"), "<28>neap: a");
        assert_eq!(unstamped("<28>Nov  2 17:00:01 neap: a"), "<28>neap: a");
        assert_eq!(unstamped("<28>neap[1]: Nov 22 17:00:01 a"), "<28>neap[1]: Nov 22 17:00:01 a");
        assert_eq!(unstamped("<28>ü"), "<28>ü");
    }
}
