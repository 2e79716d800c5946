//! The same line again is counted, not written: one line tells how often, without a timer.

use std::collections::VecDeque;

use log::Level;

use crate::base::limits;
use crate::base::time::Instant;

/// The lines of the last minute, each with what was held back of it.
#[derive(Debug, Default)]
pub struct Repeats(VecDeque<Seen>);

#[derive(Debug)]
struct Seen {
    level: Level,
    text: String,
    key: String,
    first: Instant,
    more: u64,
}

impl Repeats {
    /// Decides on one line: what is owed from before, and whether the line itself is written.
    pub fn handle(
        &mut self,
        level: Level,
        text: &str,
        now: Instant,
    ) -> (Vec<(Level, String)>, bool) {
        let mut owed = self.due(now);
        let key = key(text);
        if let Some(seen) = self.0.iter_mut().find(|seen| seen.level == level && seen.key == key) {
            seen.more += 1;
            return (owed, false);
        }
        if self.0.len() == limits::operator::LOG_KINDS {
            owed.extend(self.0.pop_front().and_then(|seen| seen.summary()));
        }
        self.0.push_back(Seen { level, text: text.to_owned(), key, first: now, more: 0 });
        (owed, true)
    }

    /// What is owed for lines whose minute is over.
    pub fn due(&mut self, now: Instant) -> Vec<(Level, String)> {
        let mut owed = Vec::new();
        while self.0.front().is_some_and(|seen| now - seen.first >= limits::operator::LOG_REPEAT) {
            owed.extend(self.0.pop_front().and_then(|seen| seen.summary()));
        }
        owed
    }

    /// What is owed in all, for the end of the program.
    pub fn drain(&mut self) -> Vec<(Level, String)> {
        self.0.drain(..).filter_map(|seen| seen.summary()).collect()
    }
}

impl Seen {
    fn summary(&self) -> Option<(Level, String)> {
        let times = if self.more == 1 { "time" } else { "times" };
        let text = format!("the same {} more {times}: {}", self.more, self.text);
        (self.more > 0).then_some((self.level, text))
    }
}

/// Two lines are the same when they differ in nothing but the request's `id=`.
fn key(text: &str) -> String {
    let words = text.split_ascii_whitespace().filter(|word| !word.starts_with("id="));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn the_same_line_is_counted_and_told_once_its_minute_is_over() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.handle(Level::Warn, "origin cdn: refused", at(0)), (vec![], true));
        for second in 1..=58 {
            let (owed, written) = repeats.handle(Level::Warn, "origin cdn: refused", at(second));
            assert!(owed.is_empty() && !written);
        }
        let (owed, written) = repeats.handle(Level::Info, "ready", at(61));
        assert_eq!(owed, [(Level::Warn, "the same 58 more times: origin cdn: refused".into())]);
        assert!(written);
        assert!(repeats.handle(Level::Warn, "origin cdn: refused", at(62)).1);
    }

    #[test]
    fn two_faults_in_turn_are_both_counted() {
        let mut repeats = Repeats::default();
        let written =
            (0..100).filter(|n| repeats.handle(Level::Warn, ["first", "second"][n % 2], at(5)).1);
        assert_eq!(written.count(), 2);
        let owed = repeats.drain();
        assert_eq!(owed.len(), 2);
        assert!(owed.iter().all(|(_, text)| text.starts_with("the same 49 more times")));
    }

    #[test]
    fn the_request_id_makes_no_difference() {
        let mut repeats = Repeats::default();
        assert!(repeats.handle(Level::Warn, "cut short id=7a", at(0)).1);
        assert!(!repeats.handle(Level::Warn, "cut short id=7b", at(0)).1);
        assert!(repeats.handle(Level::Error, "cut short id=7b", at(0)).1);
    }

    #[test]
    fn many_kinds_take_bounded_room_and_lose_no_count() {
        let mut repeats = Repeats::default();
        let mut told = 0;
        for kind in 0..1000 {
            let text = format!("fault {kind}");
            told += repeats.handle(Level::Warn, &text, at(0)).0.len();
            repeats.handle(Level::Warn, &text, at(0));
        }
        assert!(repeats.0.len() <= limits::operator::LOG_KINDS);
        assert_eq!(told + repeats.drain().len(), 1000);
    }
}
