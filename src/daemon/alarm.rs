//! The machine's next deadline, moved lazily: a busy machine never touches the timer.

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Poll, Waker};

use smol::Timer;

use crate::base::time::Instant;
use crate::host::clock;

/// When the machine wants to be called.
#[derive(Default)]
pub struct Alarm {
    pub(super) due: Cell<Option<Instant>>,
    armed: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

impl Alarm {
    /// Sets the next deadline; none lets the alarm rest.
    pub fn set(&self, due: Option<Instant>) {
        self.due.set(due);
        let earlier = match (due, self.armed.get()) {
            (Some(due), Some(armed)) => due < armed,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let waker = if earlier { self.waker.borrow_mut().take() } else { None };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for the deadline, wherever it moves meanwhile.
    pub async fn ring(&self) {
        let mut timer = Timer::never();
        poll_fn(|context| {
            loop {
                *self.waker.borrow_mut() = Some(context.waker().clone());
                let Some(due) = self.due.get() else {
                    self.armed.set(None);
                    return Poll::Pending;
                };
                let now = clock::now();
                if due <= now {
                    self.due.set(None);
                    self.armed.set(None);
                    return Poll::Ready(());
                }
                if self.armed.get() != Some(due) {
                    timer.set_after(due - now);
                    self.armed.set(Some(due));
                }
                if Pin::new(&mut timer).poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.armed.set(None);
            }
        })
        .await;
    }
}
