//! When a segment is due: from what the player says (CTA-5004), or from what its requests tell.

use core::time::Duration;

use crate::base::time::Instant;

/// What one player's requests of a stream tell about its buffer.
#[derive(Clone, Debug, Default)]
pub struct Playhead {
    /// How much play the player had in hand, and when.
    buffer: Option<(Instant, Duration)>,
    /// Whether the player said so itself.
    said: bool,
    /// It starts, seeks or has run dry: what it asks for is due at once.
    starving: bool,
}

/// What a player says with a request (CTA-5004, 3): each part is optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// `bl`: how much play it has in its buffer.
    pub buffer: Option<Duration>,
    /// `dl`: how soon what it asks for must be there so that it does not run dry.
    pub deadline: Option<Duration>,
    /// `su`: it starts, seeks or recovers, and needs it at once.
    pub startup: bool,
}

impl Playhead {
    /// A player asked for a media segment that plays for `duration`; answers when the segment is
    /// due.
    pub fn on_request(&mut self, duration: Duration, said: Said, now: Instant) -> Instant {
        let before = self.at(now);
        let starts = self.buffer.is_none() || said.startup;
        let inferred = if starts { Duration::ZERO } else { before };
        let told = said.buffer.or(said.deadline);
        self.said = told.is_some();
        let buffer = told.unwrap_or(inferred);
        self.starving = starts || (self.said && buffer.is_zero());
        // What is asked for comes on top once it is there; nobody fills more than a minute ahead.
        self.buffer = Some((now, buffer.saturating_add(duration).min(MOST)));
        if said.startup {
            return now;
        }
        let due = said.deadline.unwrap_or(buffer);
        now + if said.deadline.is_some() { due } else { with_care(due, self.said) }
    }

    /// The player paused, sought or left: what was known of its buffer counts no more.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// How much play the player has in hand, as far as its requests tell: what came grows it,
    /// and it plays on since.
    pub fn at(&self, now: Instant) -> Duration {
        self.buffer.map_or(Duration::ZERO, |(at, buffer)| buffer.saturating_sub(now - at))
    }

    /// When the `ahead`-th segment after the last requested one is due (1 for the next): the play
    /// in hand, and that of the segments before it.
    pub fn due(&self, ahead: u32, duration: Duration, now: Instant) -> Instant {
        let between = duration.saturating_mul(ahead.saturating_sub(1));
        now + with_care(self.at(now), self.said) + between
    }

    /// Whether the last request was for something that the player cannot wait for.
    pub const fn is_urgent(&self) -> bool {
        self.starving
    }
}

/// A guess at a buffer is believed by three quarters: a player that began with less in hand than
/// it asked for is not seen.
fn with_care(buffer: Duration, said: bool) -> Duration {
    if said { buffer } else { buffer / 4 * 3 }
}

/// The longest buffer that is believed.
const MOST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Instant {
        Instant::from_micros((1_000_000 + millis) * 1000)
    }

    /// In each line the moment of a request in milliseconds, what is said with it (`bl`, `dl` or
    /// `su` and milliseconds), and in how many milliseconds it is due, and the next but one.
    #[track_caller]
    fn check(script: &str) {
        let mut playhead = Playhead::default();
        for line in script.lines().map(str::trim) {
            let words: Vec<_> = line.split(' ').collect();
            let number = |word: &str| word.parse::<u64>().expect("a number");
            let now = at(number(words[0]));
            let mut said = Said::default();
            for pair in words[1..words.len() - 3].chunks(2) {
                let span = Duration::from_millis(number(pair[1]));
                match pair[0] {
                    "bl" => said.buffer = Some(span),
                    "dl" => said.deadline = Some(span),
                    _ => said.startup = true,
                }
            }
            let due = playhead.on_request(SECOND * 4, said, now) - now;
            let next = playhead.due(2, SECOND * 4, now) - now;
            let found = format!("due {} {}", due.as_millis(), next.as_millis());
            assert_eq!(words[words.len() - 3..].join(" "), found, "{line}");
        }
    }

    #[test]
    fn what_the_player_says_counts() {
        check(
            "0 su 1 due 0 7000
             100 bl 4000 due 4000 12000
             200 bl 8000 dl 6000 due 6000 16000
             300 dl 500 due 500 8500",
        );
    }

    #[test]
    fn requests_faster_than_play_fill_the_buffer() {
        check(
            "0 due 0 7000
             500 due 2625 9625
             1000 due 5250 12250
             5000 due 5250 12250
             9000 due 5250 12250",
        );
    }

    #[test]
    fn who_asks_late_has_nothing_in_hand() {
        let mut playhead = Playhead::default();
        playhead.on_request(SECOND * 4, Said::default(), at(0));
        assert!(playhead.is_urgent());
        assert_eq!(playhead.at(at(60_000)), Duration::ZERO);
        let due = playhead.on_request(SECOND * 4, Said::default(), at(60_000));
        assert_eq!(due, at(60_000));
        (0..100).for_each(|_| {
            playhead.on_request(SECOND * 4, Said::default(), at(60_000));
        });
        assert_eq!(playhead.at(at(60_000)), SECOND * 60, "the guess is bounded");
        playhead.restart();
        assert_eq!(playhead.due(1, SECOND * 4, at(60_000)), at(60_000));
    }
}
