//! What a node says to a tracker and what it hears, whichever way it goes (BEP 3, BEP 15).

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use crate::base::limits;

/// What a tracker knows a stream by: 20 bytes that say nothing to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; 20]);

/// One announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// Of which stream.
    pub hash: InfoHash,
    /// What this node is called there; another name for each stream and day.
    pub name: [u8; 20],
    /// A number that proves to the tracker that it is the same node at a new address (BEP 15).
    pub key: u32,
    /// Where this node awaits others.
    pub port: u16,
    /// How many addresses are of use.
    pub wanted: u16,
    /// What it is about.
    pub event: Event,
}

/// One announcement to one tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The tracker's place in the configuration.
    pub tracker: usize,
    /// What it is told; the port is for whoever sends it to fill in.
    pub announce: Announce,
}

/// What an announcement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// This node comes.
    Started,
    /// It is still there.
    Going,
    /// It leaves.
    Stopped,
}

/// What a tracker answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// After how long it wants to hear again.
    pub interval: Duration,
    /// The least time between two announcements, where it names one.
    pub least: Option<Duration>,
    /// How many are on the stream, this node included, where it says so.
    pub audience: Option<u32>,
    /// Where others are; as they were said, nothing of it is trusted.
    pub peers: Vec<SocketAddr>,
}

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends too early, or is no answer of a tracker at all.
    Malformed,
    /// It is longer than any may be.
    Long,
    /// It belongs to another question.
    Foreign,
    /// The tracker refuses, in these words.
    Refused(String),
}

impl Event {
    /// The number of BEP 15.
    pub const fn number(self) -> u32 {
        match self {
            Self::Going => 0,
            Self::Started => 2,
            Self::Stopped => 3,
        }
    }

    /// The word of BEP 3; none for a regular announcement.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Going => None,
            Self::Started => Some("started"),
            Self::Stopped => Some("stopped"),
        }
    }
}

impl Answer {
    /// Takes addresses of six bytes each (BEP 23); more than may be are left out.
    pub(super) fn take_v4(&mut self, compact: &[u8]) -> Result<(), Fault> {
        self.take::<6>(compact, |bytes| {
            let [a, b, c, d, high, low] = bytes;
            let address = Ipv4Addr::new(a, b, c, d);
            SocketAddr::new(address.into(), u16::from_be_bytes([high, low]))
        })
    }

    /// Takes addresses of eighteen bytes each (BEP 7).
    pub(super) fn take_v6(&mut self, compact: &[u8]) -> Result<(), Fault> {
        self.take::<18>(compact, |bytes| {
            let mut address = [0; 16];
            address.copy_from_slice(&bytes[..16]);
            let port = u16::from_be_bytes([bytes[16], bytes[17]]);
            SocketAddr::new(Ipv6Addr::from(address).to_canonical(), port)
        })
    }

    fn take<const N: usize>(
        &mut self,
        compact: &[u8],
        read: fn([u8; N]) -> SocketAddr,
    ) -> Result<(), Fault> {
        if compact.len() % N != 0 {
            return Err(Fault::Malformed);
        }
        let room = limits::meeting::TRACKER_PEERS.saturating_sub(self.peers.len());
        let whole = compact.chunks_exact(N).filter_map(|bytes| bytes.first_chunk::<N>());
        self.peers.extend(whole.take(room).map(|bytes| read(*bytes)));
        Ok(())
    }
}

impl Fault {
    /// What a tracker said, fit for a log line.
    pub(super) fn refused(words: &[u8]) -> Self {
        let text = String::from_utf8_lossy(words);
        let clean = text.chars().take(WORDS).map(|c| if c.is_control() { ' ' } else { c });
        Self::Refused(clean.collect())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("its answer is none of a tracker"),
            Self::Long => f.write_str("its answer is longer than any may be"),
            Self::Foreign => f.write_str("its answer belongs to another question"),
            Self::Refused(words) => write!(f, "it refuses: {words}"),
        }
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Characters of a tracker's words that are shown.
const WORDS: usize = 120;
