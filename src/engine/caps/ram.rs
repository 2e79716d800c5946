//! How much of its memory the cache may use: less while memory is short, and what a strict total
//! leaves beside all else.

use core::time::Duration;

use super::readings::Memory;
use crate::base::time::Instant;

/// The bound of the RAM tier.
#[derive(Debug)]
pub struct Ram {
    /// Thousandths of the configured size.
    permille: u64,
    /// Bytes of the process beside the tier, as many as were seen lately.
    overhead: Option<u64>,
    /// The least of the totals that hold.
    total: Option<u64>,
    high_events: Option<u64>,
    /// When memory was short last, and when the bound last changed.
    short: Option<Instant>,
    changed: Option<Instant>,
    pressure: u16,
}

impl Ram {
    /// Nothing is known yet: the tier is as large as it is configured.
    pub const fn new() -> Self {
        Self {
            permille: 1000,
            overhead: None,
            total: None,
            high_events: None,
            short: None,
            changed: None,
            pressure: 0,
        }
    }

    /// The process holds `resident` bytes, of which the tier has `held`.
    pub fn on_resident(&mut self, resident: u64, held: u64) {
        let seen = resident.saturating_sub(held);
        // What was needed once is needed again soon: it is forgotten slowly.
        let remembered = self.overhead.map_or(0, |overhead| overhead - overhead / 32);
        self.overhead = Some(seen.max(remembered));
    }

    /// Memory as the kernel tells it; `cap` is the configured total.
    pub fn on_memory(&mut self, memory: &Memory, cap: Option<u64>, now: Instant) {
        // The kernel counts pages and sockets of the group beside the process: a sixteenth.
        let group = [memory.max, memory.high].into_iter().flatten().map(|most| most / 16 * 15);
        self.total = group.chain(cap).min();
        self.pressure = memory.pressure_permille.unwrap_or(0);
        let events = self.high_events.replace(memory.high_events.unwrap_or(0));
        let went_over = events.is_some_and(|before| memory.high_events > Some(before));
        if self.pressure >= SHORT || went_over {
            self.permille = (self.permille * 3 / 4).max(LEAST);
            (self.short, self.changed) = (Some(now), Some(now));
            return;
        }
        let calm = self.short.is_none_or(|at| now - at >= CALM);
        let rested = self.changed.is_none_or(|at| now - at >= STEP);
        if calm && rested && self.pressure < SHORT / 4 && self.permille < 1000 {
            self.permille = (self.permille + 100).min(1000);
            self.changed = Some(now);
        }
    }

    /// Another total is configured.
    pub fn set_cap(&mut self, cap: Option<u64>) {
        self.total = cap;
    }

    /// Bytes that the tier may hold of those that are configured.
    pub fn bound(&self, configured: u64) -> u64 {
        let eased = configured / 1000 * self.permille + configured % 1000;
        let left = self.total.map(|total| {
            let overhead = self.overhead.unwrap_or(GUESS);
            total.saturating_sub(overhead).saturating_sub(RESERVE).max(FLOOR)
        });
        left.map_or(eased, |left| eased.min(left)).min(configured)
    }

    /// Thousandths of time in which something waited for memory.
    pub const fn pressure(&self) -> u16 {
        self.pressure
    }

    /// The total that holds, and what the process has beside the tier.
    pub const fn total(&self) -> (Option<u64>, Option<u64>) {
        (self.total, self.overhead)
    }

    /// Whether memory is short now.
    pub const fn is_short(&self) -> bool {
        self.permille < 1000
    }
}

impl Default for Ram {
    fn default() -> Self {
        Self::new()
    }
}

/// Waiting in a tenth of the time is felt in a menu.
const SHORT: u16 = 100;

/// An eighth is left: what live streams need between fetch and player.
const LEAST: u64 = 125;

/// How long memory must not be short before the tier grows again, and how fast.
const CALM: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_secs(10);

/// What a process takes beside its cache, until it was seen (docs/performance.md).
const GUESS: u64 = 10 << 20;

/// Kept free of a strict total: what comes between two readings.
const RESERVE: u64 = 2 << 20;

/// What a player needs whatever the total says.
const FLOOR: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn pressure_shrinks_the_tier_and_calm_lets_it_grow() {
        let mut ram = Ram::new();
        let short = Memory { pressure_permille: Some(200), ..Memory::default() };
        for step in 0..4 {
            ram.on_memory(&short, None, at(step * 5));
        }
        let small = ram.bound(48 * MIB);
        assert!(small < 17 * MIB && small > 6 * MIB, "{small}");
        let calm = Memory::default();
        let mut last = small;
        for step in 4..40 {
            ram.on_memory(&calm, None, at(step * 5));
            let bound = ram.bound(48 * MIB);
            assert!(bound >= last, "it only grows");
            assert!(step * 5 >= 45 || bound == small, "and not at once");
            last = bound;
        }
        assert_eq!(last, 48 * MIB);
    }

    #[test]
    fn going_over_high_counts_once_for_each_time() {
        let mut ram = Ram::new();
        let events = |n| Memory { high_events: Some(n), ..Memory::default() };
        ram.on_memory(&events(7), None, at(0));
        assert_eq!(ram.bound(1000), 1000, "what was before this run does not count");
        ram.on_memory(&events(8), None, at(5));
        let once = ram.bound(1_000_000);
        ram.on_memory(&events(8), None, at(10));
        assert_eq!((once, ram.bound(1_000_000)), (750_000, 750_000));
    }

    #[test]
    fn a_total_leaves_what_the_process_does_not_need() {
        let mut ram = Ram::new();
        ram.on_resident(30 * MIB, 20 * MIB);
        ram.on_memory(&Memory { max: Some(32 * MIB), ..Memory::default() }, None, at(0));
        assert_eq!(ram.bound(48 * MIB), 18 * MIB);
        ram.on_memory(&Memory::default(), Some(24 * MIB), at(5));
        assert_eq!(ram.bound(48 * MIB), 12 * MIB);
        ram.on_resident(50 * MIB, 10 * MIB);
        assert_eq!(ram.bound(48 * MIB), MIB, "a player always has a little");
    }
}
