//! What is hashed and signed for the machine, at most one block a turn of the loop.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use smol::future;

use super::link::read;
use super::port::Port;
use crate::base::digest::Digest;
use crate::base::id::RowId;
use crate::base::range::ByteRange;
use crate::net::ground::patience::Patience;
use crate::node::peering::Peering;
use crate::wire::record::{Record, Statement};

/// Blocks that wait for their digest to be taken.
#[derive(Default)]
pub struct Proving {
    waiting: RefCell<VecDeque<(RowId, ByteRange)>>,
    running: Cell<bool>,
}

impl Port {
    /// Takes a row's bytes' digest when its turn comes.
    pub(super) fn prove(self: &Rc<Self>, row: RowId, range: ByteRange) {
        self.proving.waiting.borrow_mut().push_back((row, range));
        if self.proving.running.replace(true) {
            return;
        }
        let port = Rc::clone(self);
        // It ends when nothing waits, so that an idle node has no task for it.
        let task = self.door.executor.spawn(async move {
            let mut patience = Patience::new(port.door.now);
            loop {
                let next = port.proving.waiting.borrow_mut().pop_front();
                let Some((row, range)) = next else { break };
                let pieces = read(&port, &mut patience, row, range).await;
                let digest = (!pieces.is_empty())
                    .then(|| Digest::of_parts(pieces.iter().map(Bytes::as_ref)));
                port.submit(Peering::Proven { row, range, digest });
                future::yield_now().await;
            }
            port.proving.running.set(false);
        });
        task.detach();
    }

    /// Signs a statement with the node's key.
    pub(super) fn sign(&self, statement: Statement) {
        match Record::sign(statement, self.identity.pair()) {
            Ok(record) => self.submit(Peering::Signed(Box::new(record))),
            Err(breach) => log::error!("a record of ours cannot be signed: {breach}"),
        }
    }
}
