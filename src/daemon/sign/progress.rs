//! How far signing is, for somebody who watches a terminal.

use core::time::Duration;
use std::io::{IsTerminal, Write, stderr};

use crate::base::time::Instant;
use crate::host::clock;

/// Writes one line over and over, and only where somebody sees it.
pub(super) struct Progress {
    terminal: bool,
    bytes: u64,
    whole: u64,
    shown: Instant,
}

impl Progress {
    pub(super) fn new(whole: u64) -> Self {
        // A short work is over before anybody reads.
        Self { terminal: stderr().is_terminal(), bytes: 0, whole, shown: clock::now() }
    }

    /// So many bytes more are read.
    pub(super) fn tell(&mut self, bytes: u64) {
        self.bytes += bytes;
        if !self.terminal {
            return;
        }
        let now = clock::now();
        if now - self.shown >= EVERY {
            self.shown = now;
            let [done, whole] = [self.bytes, self.whole].map(|bytes| bytes / 1_000_000);
            // Whoever watched may have gone.
            let _ = write!(stderr(), "\r\x1b[Kneap: read {done} of {whole} MB");
        }
    }

    /// Nothing is left of the line.
    pub(super) fn end(&self) {
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(250);
