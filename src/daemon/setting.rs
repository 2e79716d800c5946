//! A value that one task sets and another one follows.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Poll, Waker};

/// A value with one follower.
#[derive(Default)]
pub struct Setting<T> {
    value: Cell<T>,
    waker: RefCell<Option<Waker>>,
}

impl<T: Copy + PartialEq> Setting<T> {
    /// The value as it is now.
    pub fn value(&self) -> T {
        self.value.get()
    }

    /// Sets it; the follower wakes where it is another one.
    pub fn set(&self, value: T) {
        let other = self.value.replace(value) != value;
        let waker = if other { self.waker.borrow_mut().take() } else { None };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until it is another one than `old`, and answers it.
    pub async fn after(&self, old: T) -> T {
        poll_fn(|context| {
            let value = self.value.get();
            if value != old {
                return Poll::Ready(value);
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
