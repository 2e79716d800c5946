//! Where lines end: standard error or the local syslog socket.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;

use log::Level;
use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};

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
    Syslog(Box<Logger<LoggerBackend, Unstamped>>),
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
            LogTarget::Auto if paths.iter().any(is_socket) => Self::Syslog(paths),
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
        let logger = paths.iter().find_map(|path| syslog::unix_custom(Unstamped, path).ok());
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
                    format!("<{}>{text}\n", severity(level) as u8)
                } else {
                    format!("{:5} {text}\n", level.as_str())
                };
                // With standard error closed there is nobody to tell; a second try helps nobody.
                let _ = io::stderr().write_all(line.as_bytes());
                Ok(())
            }
            Self::Syslog(logger) => {
                let Logger { formatter, backend } = &mut **logger;
                formatter.format(backend, severity(level), text).map_err(|error| match error {
                    syslog::Error::Write(error) => error,
                    other => io::Error::other(other),
                })
            }
        }
    }
}

/// `/run/log` is a folder where journald keeps its files.
fn is_socket(path: &PathBuf) -> bool {
    fs::metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

/// Where syslog daemons listen; the last two are the BSDs' and old systems'.
const SYSLOG: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/// One line as syslogd takes it: priority, name and process (RFC 3164, 4.1), but no stamp.
/// `Formatter3164` writes UTC where 4.1.2 wants local time, and brings all of the crate time along;
/// lines without a stamp get syslogd's own time of arrival (RFC 3164, 4.3.2).
#[derive(Clone, Copy)]
pub struct Unstamped;

impl LogFormat<&str> for Unstamped {
    fn format<W: Write>(
        &self,
        to: &mut W,
        severity: Severity,
        text: &str,
    ) -> Result<(), syslog::Error> {
        let priority = Facility::LOG_DAEMON as u8 | severity as u8;
        let line = format!("<{priority}>neap[{}]: {text}", std::process::id());
        // Where each line is a datagram, two writes would be two lines.
        to.write_all(line.as_bytes()).map_err(syslog::Error::Write)
    }
}

const fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::LOG_ERR,
        Level::Warn => Severity::LOG_WARNING,
        Level::Info => Severity::LOG_INFO,
        Level::Debug | Level::Trace => Severity::LOG_DEBUG,
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
    fn syslog_lines_carry_priority_name_and_process_but_no_stamp() {
        let pid = std::process::id();
        for (level, priority) in
            [(Level::Error, 27), (Level::Warn, 28), (Level::Info, 30), (Level::Debug, 31)]
        {
            let mut line = Vec::new();
            let written = Unstamped.format(&mut line, severity(level), "origin cdn: refused");
            assert!(written.is_ok());
            let expected = format!("<{priority}>neap[{pid}]: origin cdn: refused");
            assert_eq!(String::from_utf8_lossy(&line), expected);
        }
    }
}
