//! When a peer was last heard, and whether it was asked for a sign of life.

use core::cell::Cell;
use core::time::Duration;

use crate::base::limits;
use crate::base::time::Instant;
use crate::node::peering::Parting;

/// What is known of one peer's being there.
pub struct Pulse {
    heard: Cell<Instant>,
    asked: Cell<Option<Instant>>,
}

impl Pulse {
    /// Of a peer that is there now.
    pub fn new(now: Instant) -> Self {
        Self { heard: Cell::new(now), asked: Cell::default() }
    }

    /// The peer said something.
    pub fn on_heard(&self, now: Instant) {
        self.heard.set(now);
        self.asked.set(None);
    }

    /// How long the peer has been silent.
    pub fn silence(&self, now: Instant) -> Duration {
        now.since(self.heard.get())
    }

    /// Whether the peer is to be asked for a sign now; not where one is awaited already.
    pub fn ask(&self, now: Instant) -> bool {
        self.asked.replace(self.asked.get().or(Some(now))).is_none()
    }

    /// How long it can be left alone that may be silent for `patience`.
    pub fn left(&self, now: Instant, patience: Duration) -> Duration {
        let answer = |asked| limits::link::LINK_ANSWER.saturating_sub(now.since(asked));
        patience.min(self.asked.get().map_or(Duration::MAX, answer))
    }

    /// Why the link to it is over, if it is.
    pub fn end(&self, now: Instant) -> Option<Parting> {
        let unanswered = |asked| now.since(asked) >= limits::link::LINK_ANSWER;
        if self.asked.get().is_some_and(unanswered) {
            return Some(Parting::Silent);
        }
        (self.silence(now) >= limits::link::LINK_IDLE).then_some(Parting::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn who_is_asked_for_a_sign_and_gives_none_is_gone() {
        let pulse = Pulse::new(at(100));
        assert!(pulse.ask(at(200)));
        assert!(!pulse.ask(at(210)), "the first question counts");
        assert_eq!(pulse.left(at(210), limits::link::LINK_IDLE), Duration::from_secs(15));
        assert_eq!(pulse.end(at(224)), None);
        assert_eq!(pulse.end(at(225)), Some(Parting::Silent));
    }

    #[test]
    fn a_sign_is_an_answer_and_idle_links_end_late() {
        let pulse = Pulse::new(at(100));
        pulse.ask(at(200));
        pulse.on_heard(at(201));
        assert_eq!(pulse.left(at(300), limits::link::LINK_IDLE), limits::link::LINK_IDLE);
        assert_eq!(pulse.end(at(300)), None);
        assert_eq!(pulse.end(at(201) + limits::link::LINK_IDLE), Some(Parting::Closed));
        assert!(pulse.ask(at(400)));
    }
}
