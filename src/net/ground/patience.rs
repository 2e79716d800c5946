//! Patience: a bound on waiting whose timer is moved lazily, so that a busy connection never
//! touches it.

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;

use smol::Timer;

use crate::base::time::Instant;

/// One connection's bound on waiting.
pub struct Patience {
    now: fn() -> Instant,
    timer: Timer,
    /// When the timer fires; what is waited for may be due later, never earlier.
    armed: Option<Instant>,
}

/// The wait was longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl Patience {
    /// Patience by the given clock.
    pub fn new(now: fn() -> Instant) -> Self {
        Self { now, timer: Timer::never(), armed: None }
    }

    /// The clock's time.
    pub fn now(&self) -> Instant {
        (self.now)()
    }

    /// Waits for `what`, but no longer than `limit`.
    pub async fn bound<F: Future>(
        &mut self,
        limit: Duration,
        what: F,
    ) -> Result<F::Output, Elapsed> {
        let mut what = pin!(what);
        let mut due = None;
        poll_fn(|context| {
            if let Poll::Ready(done) = what.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            let now = (self.now)();
            let due = *due.get_or_insert(now + limit);
            if self.armed.is_none_or(|armed| due < armed) {
                self.arm(due, now);
            }
            while Pin::new(&mut self.timer).poll(context).is_ready() {
                let now = (self.now)();
                if now >= due {
                    self.armed = None;
                    return Poll::Ready(Err(Elapsed));
                }
                self.arm(due, now);
            }
            Poll::Pending
        })
        .await
    }

    fn arm(&mut self, due: Instant, now: Instant) {
        self.timer.set_after(due.since(now));
        self.armed = Some(due);
    }
}
