//! Connections between two requests, which standby ends: a timer each would wake the box.

use core::cell::{Cell, RefCell};
use core::task::{Context, Waker};

use crate::base::map::Map;

/// Connections that wait for a request.
#[derive(Default)]
pub struct Idle {
    last: Cell<u64>,
    /// Whether those who were answered once are not waited for any more.
    resting: Cell<bool>,
    waiting: RefCell<Map<u64, Waker>>,
}

/// One connection among them.
pub struct Place<'a> {
    idle: &'a Idle,
    number: u64,
    /// Whether something was asked before.
    answered: Cell<bool>,
}

impl Idle {
    /// A place for a connection as long as it lives.
    pub fn place(&self) -> Place<'_> {
        self.last.set(self.last.get() + 1);
        Place { idle: self, number: self.last.get(), answered: Cell::new(false) }
    }

    /// Ends every connection that was answered and waits, now and until this is taken back.
    pub fn rest(&self, resting: bool) {
        self.resting.set(resting);
        if !resting {
            return;
        }
        for waker in core::mem::take(&mut *self.waiting.borrow_mut()).into_values() {
            waker.wake();
        }
    }
}

impl Place<'_> {
    /// Notes that something is asked: who connects while the node rests wakes it first.
    pub fn asked(&self) {
        self.answered.set(true);
    }

    /// Whether it is waited for no more; else the task is woken when that changes.
    pub fn is_ended(&self, context: &Context<'_>) -> bool {
        if self.answered.get() && self.idle.resting.get() {
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
