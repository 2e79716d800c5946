//! The `log` crate's end: each record becomes one finished line, or a count.

use core::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use log::{Level, LevelFilter, Metadata, Record};

use super::queue::Queue;
use super::repeats::Repeats;
use super::sink::Target;
use crate::base::limits;
use crate::base::scrub;
use crate::config::model;
use crate::host::clock;

/// A log with its target; the program has one, a test may make its own.
#[derive(Debug)]
pub struct Logger {
    queue: Queue,
    repeats: Mutex<Repeats>,
}

/// Starts the program's log, or changes target and level of the one that runs.
pub fn start(wanted: &model::Log) {
    let target = Target::choose(wanted.target);
    let mut fresh = false;
    let logger = LOGGER.get_or_init(|| {
        fresh = true;
        Logger::new(target.clone())
    });
    if fresh {
        // Another logger can only be a test's own; it stays.
        let _ = log::set_logger(logger);
    } else {
        logger.queue.retarget(target);
    }
    log::set_max_level(wanted.level);
}

/// Writes out what waits, for at most a second; due before the program ends.
pub fn flush() {
    if let Some(logger) = LOGGER.get() {
        log::Log::flush(logger);
    }
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

impl Logger {
    /// A log that writes to `target`.
    pub fn new(target: Target) -> Self {
        Self { queue: Queue::new(target), repeats: Mutex::new(Repeats::default()) }
    }

    /// The way out, to look at.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Other crates' chatter helps nobody who does not debug.
        metadata.level() <= Level::Warn
            || metadata.target().starts_with(env!("CARGO_PKG_NAME"))
            || log::max_level() >= LevelFilter::Trace
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = record.level();
        let text = line(level, record.target(), record.args());
        if level > Level::Info {
            return self.queue.push(level, text);
        }
        // The lock is held over the queue so that a count never stands before its line.
        let mut repeats = self.repeats();
        let (owed, written) = repeats.handle(level, &text, clock::now());
        for (level, text) in owed {
            self.queue.push(level, scrub::plain(&text, limits::operator::LOG_LINE).into_owned());
        }
        if written {
            self.queue.push(level, text);
        }
    }

    fn flush(&self) {
        for (level, text) in self.repeats().drain() {
            self.queue.push(level, scrub::plain(&text, limits::operator::LOG_LINE).into_owned());
        }
        if !self.queue.flush(limits::operator::LOG_FLUSH) {
            // Nobody takes them: better there than nowhere, as a start that fails is told.
            self.queue.retarget(Target::Stderr { marks: true });
            self.queue.flush(limits::operator::LOG_FLUSH);
        }
    }
}

/// A finished line: bounded, from info up without private matter, without control characters.
fn line(level: Level, target: &str, message: &fmt::Arguments<'_>) -> String {
    let mut raw = Bounded(String::new());
    let whole = if level > Level::Info {
        write!(raw, "{target}: {message}")
    } else {
        raw.write_fmt(*message)
    };
    let mut text = raw.0;
    if whole.is_err() {
        // Half an address would not be known as one.
        let last = text.rfind(|c: char| c.is_ascii_whitespace()).unwrap_or(0);
        text.truncate(last);
        text.push_str(" …");
    }
    if level > Level::Info {
        return scrub::plain(&text, limits::operator::LOG_LINE).into_owned();
    }
    scrub::plain(&scrub::scrub(&text), limits::operator::LOG_LINE).into_owned()
}

/// A text that refuses to grow past its bound.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = limits::operator::LOG_RAW.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_from_info_up_are_scrubbed_and_those_below_are_not() {
        let said = format_args!("player 192.168.1.5 asked /a?token=b");
        let clean = "player 192.168.x.x asked /a";
        for level in [Level::Error, Level::Warn, Level::Info] {
            assert_eq!(line(level, "neap::net", &said), clean);
        }
        for level in [Level::Debug, Level::Trace] {
            let whole = "neap::net: player 192.168.1.5 asked /a?token=b";
            assert_eq!(line(level, "neap::net", &said), whole);
        }
    }

    #[test]
    fn an_endless_message_becomes_one_bounded_line() {
        let text = line(Level::Info, "", &format_args!("{}", "lorem ipsum ".repeat(100_000)));
        assert!(text.len() <= limits::operator::LOG_LINE && text.starts_with("lorem"));
    }

    #[test]
    fn an_address_at_the_cut_does_not_survive_in_part() {
        for pad in limits::operator::LOG_RAW - 20..limits::operator::LOG_RAW + 4 {
            // The query is scrubbed away, so that the end of the raw text comes into view.
            let text = format!("/a?{} from 198.51.100.77", "q".repeat(pad - 10));
            let clean = line(Level::Info, "", &format_args!("{text}"));
            assert!(!clean.contains("198.51.1"), "{pad}: {clean}");
        }
    }
}
