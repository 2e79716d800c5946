//! Connections between two requests, which standby ends: a timer each would wake the box.

use core::cell::{Cell, RefCell};
use core::task::{Context, Waker};
use std::collections::BTreeMap;

/// Connections that wait for a request.
#[derive(Default)]
pub struct Idle {
    last: Cell<u64>,
    /// How often all were ended.
    ends: Cell<u64>,
    waiting: RefCell<BTreeMap<u64, Waker>>,
}

/// One connection among them.
pub struct Place<'a> {
    idle: &'a Idle,
    number: u64,
}

impl Idle {
    /// A place for a connection as long as it lives.
    pub fn place(&self) -> Place<'_> {
        self.last.set(self.last.get() + 1);
        Place { idle: self, number: self.last.get() }
    }

    /// Ends every connection that waits now.
    pub fn end(&self) {
        self.ends.set(self.ends.get() + 1);
        for waker in core::mem::take(&mut *self.waiting.borrow_mut()).into_values() {
            waker.wake();
        }
    }
}

impl Place<'_> {
    /// How often all were ended so far: what a wait begins with.
    pub fn begin(&self) -> u64 {
        self.idle.ends.get()
    }

    /// Whether a wait that began then is over; else the task is woken when it is.
    pub fn is_ended(&self, since: u64, context: &Context<'_>) -> bool {
        if self.idle.ends.get() != since {
            return true;
        }
        let mut waiting = self.idle.waiting.borrow_mut();
        let known = waiting.get(&self.number).is_some_and(|old| old.will_wake(context.waker()));
        if !known {
            waiting.insert(self.number, context.waker().clone());
        }
        false
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.idle.waiting.borrow_mut().remove(&self.number);
    }
}
