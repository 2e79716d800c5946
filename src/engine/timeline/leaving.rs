//! Segments that left a live window, until no player may ask for them (RFC 8216, 6.2.2).

use crate::base::limits;
use crate::base::map::Map;
use crate::base::set::Set;
use crate::base::time::Instant;
use crate::base::url::Locator;

/// When which segment is gone; bounded by `limits::stream::LEAVING`, the first to go leaving first.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    queue: Set<(Instant, Locator)>,
    /// With the number that each had.
    moments: Map<Locator, (Instant, u64)>,
}

impl Leaving {
    /// Notes that a segment can't be asked for from `at` on; a later note replaces an earlier one.
    pub(super) fn insert(&mut self, locator: Locator, number: u64, at: Instant) {
        if let Some((before, _)) = self.moments.insert(locator.clone(), (at, number)) {
            self.queue.remove(&(before, locator.clone()));
        }
        self.queue.insert((at, locator));
        if self.queue.len() > limits::stream::LEAVING {
            if let Some((_, locator)) = self.queue.pop_first() {
                self.moments.remove(&locator);
            }
        }
    }

    /// When a segment is gone, if it is leaving.
    pub(super) fn moment(&self, locator: &Locator) -> Option<Instant> {
        self.moments.get(locator).map(|(at, _)| *at)
    }

    /// A segment that is listed again stays; gives the number that it had.
    pub(super) fn stay(&mut self, locator: &Locator) -> Option<u64> {
        let (at, number) = self.moments.remove(locator)?;
        self.queue.remove(&(at, locator.clone()));
        Some(number)
    }

    /// From here on no number is one of these segments' own.
    pub(super) fn renumber(&mut self) {
        self.moments.values_mut().for_each(|(_, number)| *number = NONE);
    }

    /// The next segment that is gone by now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Locator> {
        if self.queue.first()?.0 > now {
            return None;
        }
        let (_, locator) = self.queue.pop_first()?;
        self.moments.remove(&locator);
        Some(locator)
    }
}

/// A number that no segment has.
pub(super) const NONE: u64 = u64::MAX;
