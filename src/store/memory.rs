//! The count of RAM that the store holds, by allocation, and the writers that wait for some.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use crate::base::map::Map;

/// Bytes held now, the hard stop, and who waits.
#[derive(Debug)]
pub(super) struct Memory {
    held: Cell<u64>,
    limit: Cell<u64>,
    readers: Cell<u64>,
    waiting: RefCell<Map<u64, Waker>>,
}

/// One allocation in the count: it leaves the count when the last piece of it is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    memory: Rc<Memory>,
    pub(super) bytes: u64,
}

impl Memory {
    pub(super) fn new(limit: u64) -> Rc<Self> {
        let (held, waiting) = (Cell::new(0), RefCell::default());
        Rc::new(Self { held, limit: Cell::new(limit), readers: Cell::new(0), waiting })
    }

    pub(super) fn held(&self) -> u64 {
        self.held.get()
    }

    /// Counts a reader in, or out.
    pub(super) fn seat(&self, comes: bool) {
        let readers = self.readers.get();
        self.readers.set(if comes { readers + 1 } else { readers.saturating_sub(1) });
    }

    /// What one reader may have fetched ahead: all of them together a quarter of the memory,
    /// so that nothing has to go before it was read.
    pub(super) fn share(&self) -> u64 {
        self.limit.get() / (4 * self.readers.get().max(1))
    }

    pub(super) fn fits(&self, bytes: u64) -> bool {
        self.held.get().saturating_add(bytes) <= self.limit.get()
    }

    pub(super) fn set_limit(&self, limit: u64) {
        self.limit.set(limit);
        self.wake();
    }

    /// Counts an allocation of `bytes`, whether it fits or not: the caller has asked.
    pub(super) fn charge(self: &Rc<Self>, bytes: u64) -> Rc<Charge> {
        self.held.set(self.held.get() + bytes);
        Rc::new(Charge { memory: self.clone(), bytes })
    }

    /// Wakes the writer `id` once when memory becomes free.
    pub(super) fn wait(&self, id: u64, waker: &Waker) {
        self.waiting.borrow_mut().insert(id, waker.clone());
    }

    /// The writer `id` waits no longer.
    pub(super) fn forget(&self, id: u64) {
        self.waiting.borrow_mut().remove(&id);
    }

    fn wake(&self) {
        if self.fits(1) {
            let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
            waiting.into_values().for_each(Waker::wake);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.held.set(self.memory.held.get() - self.bytes);
        self.memory.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_counts_until_its_last_piece_is_gone() {
        let memory = Memory::new(100);
        let first = memory.charge(70);
        let second = first.clone();
        assert!(!memory.fits(31));
        drop(first);
        assert_eq!(memory.held(), 70);
        drop(second);
        assert_eq!(memory.held(), 0);
    }
}
