//! What carries a link, whichever it is: opened bytes come in, bytes go out within a bound.

use core::time::Duration;
use std::io;

use bytes::Bytes;

use super::outlet::Outlet;
use super::quic::halves::{Ear, Mouth};
use super::quic::train::Carried;
use super::records::Records;
use crate::net::ground::patience::Patience;
use crate::node::peering::Parting;

/// What links go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// TLS over TCP.
    Tcp,
    /// QUIC.
    Quic,
}

/// The half that hears.
pub enum Inbound {
    /// TLS over TCP.
    Records(Box<Records>),
    /// QUIC.
    Ear(Ear),
}

/// The half that speaks.
pub enum Outbound {
    /// TLS over TCP.
    Outlet(Box<Outlet>),
    /// QUIC.
    Mouth(Mouth),
}

impl Inbound {
    /// What it comes over.
    pub const fn carrier(&self) -> Carrier {
        match self {
            Self::Records(_) => Carrier::Tcp,
            Self::Ear(_) => Carrier::Quic,
        }
    }

    /// The next opened bytes that are here; none where more must come first.
    pub fn opened(&mut self) -> Result<Option<&[u8]>, Parting> {
        match self {
            Self::Records(records) => records.opened(),
            Self::Ear(ear) => Ok(ear.opened()),
        }
    }

    /// Waits for more bytes; zero when the other side has closed.
    pub async fn more(&mut self) -> io::Result<usize> {
        match self {
            Self::Records(records) => records.more().await,
            Self::Ear(ear) => ear.more().await,
        }
    }

    /// Whether a part of what can only be opened as a whole is here.
    pub const fn has_part(&self) -> bool {
        match self {
            Self::Records(records) => records.has_part(),
            Self::Ear(_) => false,
        }
    }
}

impl Outbound {
    /// The bound on waiting, for whoever waits for something to say.
    pub const fn patience(&mut self) -> &mut Patience {
        match self {
            Self::Outlet(outlet) => outlet.patience(),
            Self::Mouth(mouth) => mouth.patience(),
        }
    }

    /// What the way was seen to carry since it was last asked for; the kernel's TCP does not tell.
    pub fn carried(&self) -> Option<Carried> {
        match self {
            Self::Outlet(_) => None,
            Self::Mouth(mouth) => mouth.carried(),
        }
    }

    /// Says a head and what follows it; the other side must take some of it within each `limit`.
    pub async fn send(
        &mut self,
        head: &[u8],
        pieces: &mut [Bytes],
        limit: Duration,
    ) -> Result<(), Parting> {
        match self {
            Self::Outlet(outlet) => outlet.send(head, pieces, limit).await,
            Self::Mouth(mouth) => mouth.send(head, pieces, limit).await,
        }
    }

    /// Says something as the last of this link.
    pub async fn end(&mut self, last: &[u8], limit: Duration) {
        match self {
            Self::Outlet(outlet) => outlet.end(last, limit).await,
            Self::Mouth(mouth) => mouth.end(last, limit).await,
        }
    }
}
