//! What a node keeps between two starts beside its key and its cache: small pages of text.

/// A page of the notebook in the state folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// What was used of caps that outlive a start: volumes, energy, writes to flash.
    Caps,
    /// What was given and taken, by origin and tier.
    Ledger,
    /// Whether the owner switched sharing off.
    Switch,
}

impl Page {
    /// Every page.
    pub const ALL: [Self; 3] = [Self::Caps, Self::Ledger, Self::Switch];

    /// The name of its file.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Caps => "caps.note",
            Self::Ledger => "ledger.note",
            Self::Switch => "switch.note",
        }
    }

    /// What is lost with it, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Caps => "what was used of the caps",
            Self::Ledger => "what was given and taken",
            Self::Switch => "whether sharing was switched off",
        }
    }
}
