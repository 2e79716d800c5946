//! Which cap holds something back, and when it last did.

use crate::base::map::Map;
use crate::base::time::Instant;

/// A cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Share of a core.
    Cpu,
    /// Rates to peers.
    Upload,
    /// Rates from peers.
    Download,
    /// Bytes in a day or in thirty.
    Volume,
    /// The default route's interface.
    Interface,
    /// The total of memory, or memory that is short.
    Memory,
    /// Writes to flash, or its wear.
    FlashWrites,
    /// What is drawn.
    Power,
    /// What was used today.
    Energy,
    /// Heat.
    Temperature,
    /// The battery.
    Battery,
    /// The kernel's table of connections.
    Conntrack,
}

impl Cause {
    /// The cap's name, as its key begins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Volume => "volume",
            Self::Interface => "interface",
            Self::Memory => "memory",
            Self::FlashWrites => "flash-writes",
            Self::Power => "power",
            Self::Energy => "energy",
            Self::Temperature => "temperature",
            Self::Battery => "battery",
            Self::Conntrack => "conntrack",
        }
    }
}

/// When each cap last held something back.
#[derive(Clone, Debug, Default)]
pub struct Held(Map<Cause, Instant>);

impl Held {
    /// It does now.
    pub fn note(&mut self, cause: Cause, now: Instant) {
        self.0.insert(cause, now);
    }

    /// When it last did.
    pub fn last(&self, cause: Cause) -> Option<Instant> {
        self.0.get(&cause).copied()
    }
}
