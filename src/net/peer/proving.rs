//! What is hashed and signed for the machine, at most one block a turn of the loop.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use smol::future;

use super::link::read;
use super::port::Port;
use crate::base::digest::{Algorithm, Digest, Summing};
use crate::base::id::RowId;
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::net::ground::patience::Patience;
use crate::node::peering::Peering;
use crate::wire::record::{Record, Statement};

/// Hashes one block, or all of a row with a turn for others after each block.
async fn hash(port: &Port, patience: &mut Patience, job: Job) -> Peering {
    let (row, length, algorithm) = match job {
        Job::Block(row, range) => {
            let pieces = read(port, patience, row, range).await;
            let found = !pieces.is_empty();
            let digest = found.then(|| Digest::of_parts(pieces.iter().map(Bytes::as_ref)));
            if let Some(digest) = digest {
                port.door.store.note_sum(row, range, digest);
            }
            return Peering::Proven { row, range, digest };
        }
        Job::Whole(row, length, algorithm) => (row, length, algorithm),
    };
    let (mut summing, mut at) = (Summing::new(algorithm), 0);
    while at < length {
        let range = ByteRange::new(at, length.min(at + limits::block::BLOCK));
        let pieces = read(port, patience, row, range).await;
        if pieces.is_empty() {
            return Peering::Summed { row, sum: None };
        }
        pieces.iter().for_each(|piece| summing.add(piece));
        at = range.end;
        future::yield_now().await;
    }
    Peering::Summed { row, sum: Some(summing.finish()) }
}

/// Blocks that wait for their digest to be taken.
#[derive(Default)]
pub struct Proving {
    waiting: RefCell<VecDeque<Job>>,
    running: Cell<bool>,
}

/// What is to be hashed.
pub(super) enum Job {
    /// One block of a row.
    Block(RowId, ByteRange),
    /// All of a row.
    Whole(RowId, u64, Algorithm),
}

impl Port {
    /// Hashes when its turn comes.
    pub(super) fn prove(self: &Rc<Self>, job: Job) {
        self.proving.waiting.borrow_mut().push_back(job);
        if self.proving.running.replace(true) {
            return;
        }
        let port = Rc::clone(self);
        // It ends when nothing waits, so that an idle node has no task for it.
        let task = self.door.spawn(async move {
            let mut patience = Patience::new(port.door.now);
            loop {
                let next = port.proving.waiting.borrow_mut().pop_front();
                let Some(job) = next else { break };
                let found = hash(&port, &mut patience, job).await;
                port.submit(found);
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
