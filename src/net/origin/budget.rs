//! Memory for what is collected before it goes on: so much for all together, given out in the
//! order in which it was asked for.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Poll, Waker};

/// So many bytes for all together.
pub(super) struct Budget {
    free: Cell<usize>,
    last: Cell<u64>,
    /// Those who wait, by their numbers.
    queue: RefCell<Vec<(u64, Option<Waker>)>>,
}

/// A part of it, or a place among those who wait for one; given back when it is dropped.
pub(super) struct Claim<'a> {
    budget: &'a Budget,
    number: u64,
    bytes: usize,
}

impl Budget {
    pub(super) const fn new(bytes: usize) -> Self {
        Self { free: Cell::new(bytes), last: Cell::new(0), queue: RefCell::new(Vec::new()) }
    }

    /// Waits for so many bytes; there must be as many in all.
    pub(super) async fn claim(&self, bytes: usize) -> Claim<'_> {
        let number = self.last.get() + 1;
        self.last.set(number);
        self.queue.borrow_mut().push((number, None));
        let mut claim = Claim { budget: self, number, bytes: 0 };
        poll_fn(|context| {
            let mut queue = self.queue.borrow_mut();
            let is_first = queue.first().is_some_and(|(first, _)| *first == number);
            let left = self.free.get().checked_sub(bytes).filter(|_| is_first);
            if let Some(left) = left {
                self.free.set(left);
                queue.remove(0);
                return Poll::Ready(());
            }
            let own = queue.iter_mut().find(|(waiting, _)| *waiting == number);
            own.into_iter().for_each(|(_, waker)| *waker = Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        claim.bytes = bytes;
        self.call();
        claim
    }

    /// Lets the first one look again.
    fn call(&self) {
        let mut queue = self.queue.borrow_mut();
        if let Some(waker) = queue.first_mut().and_then(|(_, waker)| waker.take()) {
            waker.wake();
        }
    }
}

impl Claim<'_> {
    /// Bytes that it is for.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives back what is beyond so many bytes.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let spare = self.bytes.saturating_sub(bytes);
        self.bytes -= spare;
        self.budget.free.set(self.budget.free.get() + spare);
        self.budget.call();
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.budget.queue.borrow_mut().retain(|(number, _)| *number != self.number);
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use core::future::Future;
    use core::pin::pin;
    use core::task::Context;

    use super::*;

    #[test]
    fn who_asked_first_is_first_and_who_leaves_holds_up_nobody() {
        let budget = Budget::new(10);
        let context = &mut Context::from_waker(Waker::noop());
        let Poll::Ready(mut first) = pin!(budget.claim(8)).poll(context) else {
            panic!("there is room");
        };
        let mut large = Box::pin(budget.claim(10));
        let mut small = pin!(budget.claim(2));
        assert!(large.as_mut().poll(context).is_pending());
        assert!(small.as_mut().poll(context).is_pending(), "nobody is passed");
        first.shrink(5);
        assert_eq!(budget.free.get(), 5);
        assert!(large.as_mut().poll(context).is_pending());
        drop(large);
        let Poll::Ready(small) = small.as_mut().poll(context) else { panic!("there is room") };
        drop((first, small));
        assert_eq!((budget.free.get(), budget.queue.borrow().len()), (10, 0));
    }
}
