//! The TLS records of a link over TCP, opened one after the other.

use std::io;

use super::inlet::Inlet;
use super::seal::{self, Content, Fault, Seal};
use crate::base::limits;
use crate::node::peering::{Parting, Stranger};

/// What comes over TCP, with what opens it.
pub struct Records {
    inlet: Inlet,
    seal: Seal,
    /// Records without content, in a row.
    empty: u8,
}

impl Records {
    /// Opens what comes in by that key.
    pub const fn new(inlet: Inlet, seal: Seal) -> Self {
        Self { inlet, seal, empty: 0 }
    }

    /// The content of the next record, opened in its place; none while it is not whole. An alert
    /// says that the other side has ended, or that it refuses this node's key.
    pub fn opened(&mut self) -> Result<Option<&[u8]>, Parting> {
        let whole = self.inlet.whole(seal::length);
        let whole = whole.map_err(|fault| Parting::Breach(fault.words()))?;
        let Some(length) = whole else { return Ok(None) };
        let record = self.inlet.take(length);
        let (content, at) = match self.seal.open(record) {
            Ok(opened) => opened,
            Err(Fault::Spent) => return Err(Parting::Closed),
            Err(fault) => return Err(Parting::Breach(fault.words())),
        };
        self.empty = if at.is_empty() { self.empty + 1 } else { 0 };
        match content {
            Content::Data if self.empty > limits::link::LINK_EMPTY => Err(Parting::Breach(EMPTY)),
            Content::Data => Ok(Some(&record[at])),
            Content::Alert => match record[at] {
                [_, 0] => Err(Parting::Closed),
                _ => Err(Parting::Refused(Stranger::Handshake)),
            },
            Content::Handshake => Err(Parting::Breach(HANDSHAKE_AGAIN)),
        }
    }

    /// Waits for more bytes; zero when the other side has closed.
    pub async fn more(&mut self) -> io::Result<usize> {
        self.inlet.more().await
    }

    /// Whether a part of a record is here.
    pub const fn has_part(&self) -> bool {
        self.inlet.has_part()
    }
}

/// Words for a TLS message that no node sends once the link stands.
const HANDSHAKE_AGAIN: &str = "it began another TLS handshake";

/// Words for records without content.
const EMPTY: &str = "it sent one empty TLS record after the other";
