//! What is let go when memory is short, and what waits until there is room.

use super::event::Output;
use super::exchange::Exchange;
use super::keep::{range_of, window};
use super::machine::{Machine, Row};
use super::report::Counter;
use super::serve::if_range;
use crate::base::id::RowId;
use crate::base::limits;
use crate::engine::cache::evict::Slice;
use crate::engine::cache::index::Index;

impl Machine {
    /// Lets slices go until both tiers are within their bounds.
    pub(super) fn make_room(&mut self) {
        let limit = self.rule.governor.ram(self.config.cache.memory.0);
        if core::mem::replace(&mut self.limit, limit) != limit {
            self.put(Output::Limit { bytes: limit });
        }
        let metadata = usize::try_from(limit / 2).unwrap_or(usize::MAX);
        self.index.bound(metadata.clamp(LEAST_METADATA, limits::cache::METADATA));
        loop {
            let rows = &self.rows;
            let busy = |row| rows.get(&row).is_some_and(Row::is_busy);
            let Some(row) = self.index.shed(busy) else { break };
            self.unstore(row);
        }
        let bound = self.memory_bound(limit);
        while self.memory.used() > bound {
            let rows = &self.rows;
            let busy = |slice: Slice| rows.get(&slice.row).is_some_and(Row::is_busy);
            let (index, exchanges) = (&self.index, &self.exchanges);
            let needed = |slice: Slice| is_needed(slice, index, exchanges.values());
            // What players come to next stays, and what is fetched waits until they have. What
            // peers give waits for nobody, and what can be asked for again may go.
            let lasts = |slice: Slice| needed(slice) && !comes_again(slice.row, index);
            let least = self.exchanges.len() as u64 * OWED;
            let over = self.memory.used().saturating_sub(limit);
            let mut victim = self.memory.victim(busy).or_else(|| self.memory.victim(needed));
            if victim.is_none() && over > least.min(MOST_OWED).saturating_sub(limit) {
                victim = self.memory.victim(lasts);
            }
            if victim.is_none() && over > least.saturating_sub(limit) {
                victim = self.memory.victim(|_| false);
            }
            let Some(victim) = victim else { break };
            let Slice { row, number } = victim.slice;
            self.report.add(Counter::Evictions, 1);
            if victim.wanted {
                self.rescue(victim.slice);
            }
            self.index.change(row, |entry| entry.present.remove(window(victim.slice)));
            self.put(Output::Evict { row, slice: number });
            self.drop_if_empty(row);
        }
        while self.disk.used() > self.config.cache.disk.0 {
            let Some(victim) = self.disk.victim(|_| false) else { break };
            let Slice { row, number } = victim.slice;
            self.index.change(row, |entry| entry.on_disk.remove(window(victim.slice)));
            self.put(Output::Unlink { row, slice: number });
            self.drop_if_empty(row);
        }
    }

    /// A slice that was asked for again leaves memory: it is kept on disk if it is not there.
    fn rescue(&mut self, slice: Slice) {
        let whole = self.index.entry(slice.row).and_then(|entry| {
            let whole = range_of(slice, entry.length?);
            let here = entry.present.covers(whole) && !entry.on_disk.covers(whole);
            (here && !whole.is_empty()).then_some(whole)
        });
        if whole.is_some() && self.config.cache.disk.0 > 0 {
            self.persist(slice.row, slice);
        }
    }

    /// Bytes that finished parts may take: the cap less the metadata and what is under way.
    fn memory_bound(&self, cap: u64) -> u64 {
        // The store takes room for a run of blocks at once, where memory is not scarce.
        let ahead = limits::block::RUN.min(cap / 64).max(2 * limits::block::BLOCK);
        let passing = self.fetches.values().filter_map(|fetch| fetch.stream);
        let under_way: u64 =
            passing.map(|stream| if stream.keep { ahead } else { limits::http::PASS }).sum();
        let apart = self.swarm.as_ref().map_or(0, super::swarm::Swarm::pending_bytes);
        let metadata = self.index.metadata_bytes() as u64 + apart;
        cap.saturating_sub(metadata + under_way + limits::block::RUN).max(cap / 4)
    }
}

/// Whether a player reads a slice or comes to it soon. Of what cannot be asked for in parts, that
/// is all that lies before it.
fn is_needed<'a>(
    slice: Slice,
    index: &Index,
    mut exchanges: impl Iterator<Item = &'a Exchange>,
) -> bool {
    let soon = limits::cache::AHEAD / limits::block::SLICE + 1;
    let soon = if comes_again(slice.row, index) { soon } else { u64::MAX };
    exchanges.any(|exchange| {
        let first = exchange.at / limits::block::SLICE;
        let ahead = u64::from(slice.number).checked_sub(first);
        exchange.row == Some(slice.row) && ahead.is_some_and(|ahead| ahead <= soon)
    })
}

/// Whether parts of a row can be asked for again.
fn comes_again(row: RowId, index: &Index) -> bool {
    index.entry(row).is_some_and(|entry| if_range(entry).is_some())
}

/// Metadata that there may be however little memory there is.
const LEAST_METADATA: usize = 512 * 1024;

/// What a reader may have in memory by our count however little there is: the store lets go of
/// what it has passed, and says so later. All readers together, where what they lose can be asked
/// for again.
const OWED: u64 = limits::block::SLICE;
const MOST_OWED: u64 = 2 * OWED;
