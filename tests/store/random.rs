//! Any script of writes, reads, seeks, evictions and ends serves only right bytes, in bounds.

use std::task::Poll;

use neap::base::id::RowId;
use neap::base::limits::block::{BLOCK, SLICE};
use neap::base::rng::Rng;
use neap::store::reader::{Next, Reader};
use neap::store::row::Keep;
use neap::store::rows::Store;
use neap::store::writer::Writer;
use smol::future::{block_on, poll_once};

use crate::{check, in_memory, receive};

const LENGTH: u64 = 3 * SLICE + 12_345;
const LIMIT: u64 = 2 * SLICE;
const ROWS: u64 = 3;

struct World {
    store: Store,
    rng: Rng,
    writers: Vec<(u64, Writer)>,
    readers: Vec<(u64, Reader)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let store = in_memory(LIMIT);
        for row in 0..ROWS {
            let keep = if row == 0 { Keep::Passing } else { Keep::Cached };
            store.open(RowId(row), keep);
            store.end(RowId(row), LENGTH);
        }
        Self { store, rng: Rng::new(seed), writers: Vec::new(), readers: Vec::new() }
    }

    fn step(&mut self) {
        let (row, at) = (self.rng.below(ROWS), self.rng.below(LENGTH));
        let until = Some(at + self.rng.below(SLICE)).filter(|_| at % 2 == 0);
        match self.rng.below(40) {
            0 if self.writers.len() < 6 => {
                self.writers.push((row, self.store.writer(RowId(row), at, until)));
            }
            1 if self.readers.len() < 6 => {
                self.readers.push((row, self.store.reader(RowId(row), at, until)));
            }
            2 if !self.writers.is_empty() => drop(self.writers.swap_remove(0)),
            3 if !self.readers.is_empty() => drop(self.readers.swap_remove(0)),
            4 => {
                let before = self.store.memory();
                let freed = self.store.evict(RowId(row), u32::try_from(at / SLICE).unwrap());
                assert_eq!(before - freed, self.store.memory());
            }
            5 => self.store.set_keep(RowId(row), Keep::Cached),
            6 => self.readers.iter_mut().take(1).for_each(|(_, reader)| reader.seek(at)),
            _ => self.flow(),
        }
    }

    /// Every writer receives once, every reader reads once.
    fn flow(&mut self) {
        let chunk = usize::try_from(1 + self.rng.below(90_000)).unwrap();
        for (seed, writer) in &mut self.writers {
            let _waits = block_on(poll_once(receive(writer, *seed, chunk)));
        }
        for (seed, reader) in &mut self.readers {
            let at = reader.position();
            match reader.try_next(1 + chunk as u64) {
                Poll::Ready(next @ Next::Bytes(_)) => drop(check(&next, *seed, at)),
                Poll::Ready(Next::Missing(gap)) => {
                    assert!(gap.start == at && !gap.is_empty() && gap.end <= LENGTH);
                    assert_eq!(self.store.taken(RowId(*seed)).len_in(gap), 0);
                }
                Poll::Ready(Next::End) | Poll::Pending => {}
            }
        }
        // Two blocks a reader, a buffer a writer, one run that is being merged.
        let slack = (2 * 6 + 6 + 4) * BLOCK;
        assert!(self.store.memory() <= LIMIT + slack, "{}", self.store.memory());
        let held: u64 = (0..ROWS).map(|row| self.store.taken(RowId(row)).len()).sum();
        assert!(held <= self.store.memory(), "what is here is counted");
    }
}

#[test]
fn any_script_serves_only_right_bytes_within_the_bounds() {
    for seed in 0..30 {
        let mut world = World::new(seed);
        (0..300).for_each(|_| world.step());
        world.writers.clear();
        world.readers.clear();
        for row in 0..ROWS {
            world.store.close(RowId(row));
        }
        assert_eq!(world.store.memory(), 0, "seed {seed}");
    }
}
