//! How much a player holds ahead of its playhead, as far as its requests tell: they come faster
//! than it plays while its buffer fills, and at the rate of play when it is full.

use core::time::Duration;

use crate::base::time::Instant;

/// The buffers of one rendition's players: of the one that is ahead, and of one behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Playhead {
    lead: Head,
    behind: Head,
}

/// The buffer of one player.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head {
    /// The media that was asked for and not played yet, at `at`.
    held: Duration,
    at: Option<Instant>,
    /// The last position that was asked for.
    last: Option<u64>,
}

impl Playhead {
    /// The player asks for the segment at `position`, which plays so long.
    ///
    /// One that is not near the last one is a seek, and the buffer is empty then. One before the
    /// last, while that player holds something, is another player's of the same stream.
    pub(super) fn on_request(
        &mut self,
        (position, next): (u64, bool),
        long: Duration,
        now: Instant,
    ) {
        if next && self.is_behind(position, now) {
            let step = self.behind.last.and_then(|last| position.checked_sub(last));
            let goes_on = step.is_some_and(|step| step <= 1);
            return self.behind.on_request((position, goes_on), long, now);
        }
        self.lead.on_request((position, next), long, now);
    }

    fn is_behind(&self, position: u64, now: Instant) -> bool {
        self.lead.last.is_some_and(|last| position < last) && !self.lead.held(now).is_zero()
    }

    /// What the player holds that asked for the segment at `position` last, that one included.
    pub(super) fn held(&self, position: u64, now: Instant) -> Duration {
        if self.is_behind(position, now) { self.behind.held(now) } else { self.lead.held(now) }
    }
}

impl Head {
    /// A segment that is asked for again adds nothing.
    fn on_request(&mut self, (position, next): (u64, bool), long: Duration, now: Instant) {
        let before = self.held(now);
        // Who holds nothing begins anew, wherever that is.
        let again = self.last == Some(position) && !before.is_zero();
        let held = if again || next { before } else { Duration::ZERO };
        self.held = if again { held } else { held.saturating_add(long) };
        (self.at, self.last) = (Some(now), Some(position));
    }

    fn held(&self, now: Instant) -> Duration {
        self.at.map_or(Duration::ZERO, |at| self.held.saturating_sub(now - at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn a_buffer_fills_empties_and_is_lost_by_a_seek() {
        let (mut head, four) = (Playhead::default(), Duration::from_secs(4));
        head.on_request((10, false), four, at(0));
        head.on_request((11, true), four, at(500));
        head.on_request((12, true), four, at(1000));
        assert_eq!(head.held(12, at(1000)), Duration::from_secs(11));
        assert_eq!(head.held(12, at(5000)), Duration::from_secs(7));
        head.on_request((12, true), four, at(5000));
        assert_eq!(head.held(12, at(5000)), Duration::from_secs(7));
        // Another player, one segment behind, comes to where the first one is.
        head.on_request((11, true), four, at(5000));
        head.on_request((12, true), four, at(5000));
        assert_eq!(head.held(12, at(5000)), Duration::from_secs(7));
        head.on_request((90, false), four, at(6000));
        assert_eq!(head.held(90, at(6000)), four);
        assert_eq!(head.held(90, at(60_000)), Duration::ZERO);
        head.on_request((12, true), four, at(60_000));
        assert_eq!(head.held(12, at(60_000)), four);
    }

    #[test]
    fn another_player_behind_the_first_has_a_buffer_of_its_own() {
        let (mut head, four) = (Playhead::default(), Duration::from_secs(4));
        for position in 10..14 {
            head.on_request((position, position > 10), four, at(0));
        }
        assert_eq!(head.held(13, at(1000)), Duration::from_secs(15));
        head.on_request((11, true), four, at(1000));
        assert_eq!(head.held(11, at(1000)), four, "it begins, whatever the first one holds");
        head.on_request((12, true), four, at(2000));
        assert_eq!(head.held(12, at(2000)), Duration::from_secs(7));
        assert_eq!(head.held(13, at(2000)), Duration::from_secs(14), "the first one plays on");
        head.on_request((14, true), four, at(3000));
        head.on_request((11, true), four, at(3000));
        assert_eq!(head.held(11, at(3000)), four, "a third begins");
        head.on_request((u64::MAX, false), four, at(3000));
        head.on_request((u64::MAX - 1, true), four, at(3000));
        head.on_request((u64::MAX - 1, true), four, at(3000));
        assert_eq!(head.held(u64::MAX - 1, at(3000)), four, "at the last number that there is");
    }
}
