//! How much a player holds ahead of its playhead, as far as its requests tell: they come faster
//! than it plays while its buffer fills, and at the rate of play when it is full.

use core::time::Duration;

use crate::base::time::Instant;

/// The buffer of one rendition's player.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Playhead {
    /// The media that was asked for and not played yet, at `at`.
    held: Duration,
    at: Option<Instant>,
    /// The last position that was asked for.
    last: Option<u64>,
}

impl Playhead {
    /// The player asks for the segment at `position`, which plays so long.
    ///
    /// A segment that is asked for again adds nothing, nor one before the last: that is another
    /// player of the same stream. One that is not near the last one is a seek, and the buffer is
    /// empty then.
    pub(super) fn on_request(
        &mut self,
        (position, next): (u64, bool),
        long: Duration,
        now: Instant,
    ) {
        let behind = self.last.is_some_and(|last| position == last || (next && position < last));
        // Who holds nothing begins anew, wherever that is.
        let again = behind && !self.held(now).is_zero();
        let held = if again || next { self.held(now) } else { Duration::ZERO };
        self.held = if again { held } else { held.saturating_add(long) };
        let last = self.last.filter(|_| again).unwrap_or(position);
        (self.at, self.last) = (Some(now), Some(last));
    }

    /// What it holds, the segment that was asked for last included.
    pub(super) fn held(&self, now: Instant) -> Duration {
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
        assert_eq!(head.held(at(1000)), Duration::from_secs(11));
        assert_eq!(head.held(at(5000)), Duration::from_secs(7));
        head.on_request((12, true), four, at(5000));
        assert_eq!(head.held(at(5000)), Duration::from_secs(7));
        // Another player, one segment behind.
        head.on_request((11, true), four, at(5000));
        head.on_request((12, true), four, at(5000));
        assert_eq!(head.held(at(5000)), Duration::from_secs(7));
        head.on_request((90, false), four, at(6000));
        assert_eq!(head.held(at(6000)), four);
        assert_eq!(head.held(at(60_000)), Duration::ZERO);
        head.on_request((12, true), four, at(60_000));
        assert_eq!(head.held(at(60_000)), four);
    }
}
