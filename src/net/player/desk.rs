//! The desk between exchanges and the loop: where each exchange finds its answer.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};

use crate::base::id::{ExchangeId, RowId};
use crate::base::map::Map;
use crate::node::event::Answer;

/// The exchanges that wait or are being answered.
#[derive(Default)]
pub struct Desk(RefCell<Map<ExchangeId, Slot>>);

/// What an exchange is told.
#[derive(Debug)]
pub enum Word {
    /// How to answer.
    Answer(Answer),
    /// Where the request's body goes.
    Upload(RowId),
    /// The hole that it reported is being filled.
    Resume,
    /// The row that it follows will not be completed.
    Cut,
}

#[derive(Default)]
struct Slot {
    words: Vec<Word>,
    waker: Option<Waker>,
}

impl Desk {
    /// Opens a place for an exchange.
    pub fn open(&self, exchange: ExchangeId) {
        self.0.borrow_mut().insert(exchange, Slot::default());
    }

    /// Closes it.
    pub fn close(&self, exchange: ExchangeId) {
        self.0.borrow_mut().remove(&exchange);
    }

    /// Leaves a word for an exchange; one that is gone hears nothing.
    pub fn tell(&self, exchange: ExchangeId, word: Word) {
        if let Some(slot) = self.0.borrow_mut().get_mut(&exchange) {
            slot.words.push(word);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }

    /// The next word that is here already.
    pub fn heard(&self, exchange: ExchangeId) -> Option<Word> {
        let mut slots = self.0.borrow_mut();
        let slot = slots.get_mut(&exchange)?;
        (!slot.words.is_empty()).then(|| slot.words.remove(0))
    }

    /// Waits for the next word.
    pub async fn hear(&self, exchange: ExchangeId) -> Word {
        poll_fn(|context| {
            let mut slots = self.0.borrow_mut();
            let slot = slots.entry(exchange).or_default();
            if slot.words.is_empty() {
                slot.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(slot.words.remove(0))
        })
        .await
    }

    /// How many exchanges are open.
    pub fn open_count(&self) -> usize {
        self.0.borrow().len()
    }
}
