//! What happens with peers and what is to be done with them: small values, never a block's bytes.

use core::net::{IpAddr, SocketAddr};

use crate::base::digest::{Algorithm, Digest, Sum};
use crate::base::id::RowId;
use crate::base::peer::{FoundBy, NodeKey, PeerId, Role, Tier};
use crate::base::range::ByteRange;
use crate::base::segment::SegmentId;
use crate::wire::message::Message;
use crate::wire::record::{Record, Statement};
use crate::wire::tracker::announce::{Answer, Call};

/// What happened with peers.
#[derive(Debug)]
pub enum Peering {
    /// An address at which a peer may be reached.
    Found {
        /// Where.
        address: SocketAddr,
        /// Whose it is said to be, where that is known.
        key: Option<NodeKey>,
        /// How near.
        tier: Tier,
        /// How it came to be known.
        by: FoundBy,
    },
    /// It said goodbye, or is announced no more.
    Lost {
        /// Where.
        address: SocketAddr,
    },
    /// A link stands: both sides have proven who they are and that they belong to the network.
    Joined {
        /// Its number.
        peer: PeerId,
        /// Whose.
        key: NodeKey,
        /// What it is there for; a witness only where its key is configured as one.
        role: Role,
        /// How near.
        tier: Tier,
        /// The address that was dialled; none when the peer did.
        dialled: Option<SocketAddr>,
        /// The address of its other end.
        address: IpAddr,
    },
    /// Where the other end of a link is; it follows [`Peering::Joined`].
    Seen {
        /// Whose.
        peer: PeerId,
        /// Where it is seen.
        at: SocketAddr,
        /// The link goes over UDP: others can reach the peer there.
        is_udp: bool,
    },
    /// A router has mapped a port of its own to this node, or does no more.
    Mapped {
        /// Where others can reach it.
        address: Option<SocketAddr>,
    },
    /// A link could not be made.
    Failed {
        /// The address that was dialled; none when the peer did.
        dialled: Option<SocketAddr>,
        /// Why not.
        why: Parting,
    },
    /// A link is no more.
    Gone {
        /// Which.
        peer: PeerId,
        /// Why.
        why: Parting,
    },
    /// A peer said something; [`Message::Block`] comes as [`Peering::Block`].
    Said {
        /// Who.
        peer: PeerId,
        /// What.
        message: Message,
    },
    /// A block is here and its digest is taken. While this is handled it may be placed, by
    /// [`PeerOrder::Place`]; if it is not, it is dropped.
    Block {
        /// From whom.
        peer: PeerId,
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        block: u8,
        /// Its bytes' digest.
        digest: Digest,
        /// How many bytes.
        length: u32,
    },
    /// A block that was to be given has been handed to the link's carrier.
    Given {
        /// To whom.
        peer: PeerId,
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        block: u8,
        /// Bytes that left; zero when they were not here any more.
        bytes: u32,
    },
    /// Blocks before it have shown what the way to a peer carries.
    Carried {
        /// To whom.
        peer: PeerId,
        /// Bits a second.
        bits: u64,
        /// Whether it carries no more; else it may.
        is_full: bool,
    },
    /// A block of a row was read and its digest taken.
    Proven {
        /// Which row.
        row: RowId,
        /// Which bytes.
        range: ByteRange,
        /// Their digest; none when they were not here any more.
        digest: Option<Digest>,
    },
    /// A statement of ours is signed.
    Signed(Box<Record>),
    /// A row was summed up.
    Summed {
        /// Which.
        row: RowId,
        /// Its sum; none when not all of it was here any more.
        sum: Option<Sum>,
    },
    /// A tracker answered, or could not be asked.
    Announced {
        /// What it was told.
        call: Call,
        /// What it said.
        answer: Option<Answer>,
    },
}

/// Why a link ended or never began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parting {
    /// Nobody answers there.
    Unreachable,
    /// The connection broke, or ended in order.
    Closed,
    /// It said nothing for too long.
    Silent,
    /// It is this very node.
    Own,
    /// There is a link to the same node already.
    Double,
    /// Its key is not the one that was expected there.
    OtherKey,
    /// It belongs to another network, or cannot prove that it belongs to this one.
    Stranger(Stranger),
    /// It says that this node is none of its network, and why.
    Refused(Stranger),
    /// It broke the protocol, in these words.
    Breach(&'static str),
    /// It gave bad blocks or records, in these words: its key is banned.
    Liar(&'static str),
    /// There are as many links as there may be.
    Crowd,
    /// This node gives and takes nothing now.
    Closing,
}

/// Why a node is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stranger {
    /// It bears another network's name.
    OtherNetwork,
    /// It does not know the network's secret.
    WrongSecret,
    /// It has no admission by the operator.
    NoAdmission,
    /// Its admission is over.
    ExpiredAdmission,
    /// Its admission was made for another node, or by somebody else.
    ForgedAdmission,
    /// It speaks no version of the protocol that we speak.
    Version,
    /// Its TLS handshake failed: it has not the key that it shows.
    Handshake,
}

/// What is to be done with peers.
#[derive(Debug)]
pub enum PeerOrder {
    /// Makes a link.
    Dial {
        /// Where.
        address: SocketAddr,
        /// Who must be there, where that is known.
        key: Option<NodeKey>,
        /// How near.
        tier: Tier,
        /// A stranger named it: not where it lies in a network of this very node.
        strange: bool,
    },
    /// Ends a link.
    Hangup {
        /// Which.
        peer: PeerId,
        /// Why.
        why: Parting,
    },
    /// Says something.
    Tell {
        /// To whom.
        peer: PeerId,
        /// What.
        message: Message,
    },
    /// Gives a block; [`Peering::Given`] follows.
    Give {
        /// To whom.
        peer: PeerId,
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        block: u8,
        /// Where its bytes are.
        row: RowId,
        /// Which bytes of the row.
        range: ByteRange,
    },
    /// The block that is being handed in is good: it goes into a row.
    Place {
        /// Which.
        row: RowId,
        /// Where in the row.
        range: ByteRange,
    },
    /// Takes the digest of a row's bytes; [`Peering::Proven`] follows.
    Prove {
        /// Which row.
        row: RowId,
        /// Which bytes.
        range: ByteRange,
    },
    /// Sums a row up; [`Peering::Summed`] follows.
    Sum {
        /// Which.
        row: RowId,
        /// Its bytes.
        length: u64,
        /// How.
        algorithm: Algorithm,
    },
    /// Signs a statement; [`Peering::Signed`] follows.
    Sign(Box<Statement>),
}

impl Parting {
    /// A plain sentence for the log and the status.
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::Unreachable => "nobody answers there",
            Self::Closed => "the link was closed",
            Self::Silent => "it said nothing for too long",
            Self::Own => "it is this very node",
            Self::Double => "there is a link to it already",
            Self::OtherKey => "another node answers there than was expected",
            Self::Stranger(stranger) => stranger.sentence(),
            Self::Refused(stranger) => stranger.refusal(),
            Self::Breach(what) | Self::Liar(what) => what,
            Self::Crowd => "there are as many links as may be",
            Self::Closing => "it goes down, or its sharing is off",
        }
    }
}

impl Stranger {
    /// A plain sentence for the log and the status: what is wrong and what to do.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::OtherNetwork => "it belongs to another network: compare [network] name",
            Self::WrongSecret => "it does not know the network's secret: compare secret-file",
            Self::NoAdmission => "it has no admission: make one with 'neap admit'",
            Self::ExpiredAdmission => "its admission is over: make a new one with 'neap admit'",
            Self::ForgedAdmission => "its admission was not made for its key by the operator",
            Self::Version => "it speaks another version of the protocol: update the older node",
            Self::Handshake => "it has not the key that it shows",
        }
    }

    /// The same where the other side says it of this node.
    pub const fn refusal(self) -> &'static str {
        match self {
            Self::OtherNetwork => "it says that its network is another: compare [network] name",
            Self::WrongSecret => "it says that its secret is another: compare secret-file",
            Self::NoAdmission => "it asks this node for an admission: see admission-file",
            Self::ExpiredAdmission => "it says that this node's admission is over: make a new one",
            Self::ForgedAdmission => "it says that this node's admission is not by its operator",
            Self::Version => "it says that this node's version is another: update the older one",
            Self::Handshake => "it says that this node's key proves nothing",
        }
    }
}
