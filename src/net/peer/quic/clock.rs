//! The house's clock as quinn-proto knows time, and what counts handshakes.

use core::cell::Cell;
use std::rc::Rc;

use crate::base::time::Instant;

/// The house's clock, which counts through standby, told as quinn-proto wants it.
pub struct Clock {
    pub(super) house: fn() -> Instant,
    began: (Instant, std::time::Instant),
}

/// A handshake that is under way.
pub struct Making(Rc<Cell<usize>>);

impl Clock {
    /// A clock that goes by the house's.
    #[allow(clippy::disallowed_methods, reason = "quinn-proto counts from one such moment on")]
    pub fn new(house: fn() -> Instant) -> Self {
        Self { house, began: (house(), std::time::Instant::now()) }
    }

    /// The moment now.
    pub fn now(&self) -> std::time::Instant {
        self.began.1 + (self.house)().since(self.began.0)
    }
}

impl Making {
    /// Counts one more.
    pub fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
