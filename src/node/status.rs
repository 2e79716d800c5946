//! How it stands now: plain data that page, JSON, metrics and `neap status` show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of this shape. It rises when a field goes or changes its meaning; readers skip
/// fields that they do not know.
pub const SCHEMA: u32 = 1;

/// Everything that an operator sees, taken at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The program's version.
    pub version: String,
    /// Seconds since the start, standby included.
    pub uptime_seconds: u64,
    /// What it does in one word.
    pub state: State,
    /// Streams that a player asked for in the last half minute.
    pub playing: Vec<Stream>,
    /// The origins in the order of the configuration.
    pub origins: Vec<Origin>,
    /// The cache's memory.
    pub memory: Usage,
    /// Why that may hold less than is configured; none while it may hold all of it.
    #[serde(default)]
    pub memory_held: Option<String>,
    /// The disk tier.
    pub disk: Usage,
    /// What is wrong with the disk tier, in plain words.
    pub disk_fault: Option<String>,
    /// The network and its peers; none where no network is configured or sharing is off.
    #[serde(default)]
    pub network: Option<Network>,
    /// What holds sharing back most, in words; none while nothing does.
    #[serde(default)]
    pub sharing: Option<String>,
    /// The caps that are set or hold something back.
    #[serde(default)]
    pub caps: Vec<Cap>,
    /// What was given to peers and taken from them, by origin and tier, until it is forgotten.
    #[serde(default)]
    pub ledger: Vec<Account>,
    /// Player connections: open now, and the most that may be.
    pub connections: Usage,
    /// Share of content bytes that the cache gave since the start, in thousandths; none before
    /// the first byte.
    pub hit_permille: Option<u16>,
    /// Bytes a second to players over the last minute, what runs of it included, by source.
    pub rates: BTreeMap<String, u64>,
    /// Bytes to players over the last ten minutes, by source.
    pub history: History,
    /// Counters since the start, by the names of the one table.
    pub counters: BTreeMap<String, u64>,
    /// The last faults, the newest first.
    pub faults: Vec<Fault>,
}

/// What the daemon does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Doors are being opened.
    #[default]
    Starting,
    /// Nobody plays.
    Idle,
    /// Somebody plays.
    Playing,
    /// It serves, but something needs a look: an origin fails, or the disk does.
    Impaired,
    /// It sends nothing until a player asks or it is woken.
    Standby,
    /// It finishes what runs.
    Stopping,
}

/// A stream that somebody plays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The path at its origin, without the query.
    pub path: String,
    /// The origin's name.
    pub origin: String,
    /// Whether it is broadcast as it happens.
    pub kind: Kind,
    /// Bits a second of the rendition in use, as the playlist states or bytes show.
    pub bitrate: Option<u64>,
    /// Seconds since a player last asked for a part of it.
    pub last_request_seconds_ago: u64,
    /// Why peers have no part in it; none where they may, or where nothing at all is shared.
    #[serde(default)]
    pub not_shared: Option<String>,
}

/// How a stream comes into being.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// As it happens.
    Live,
    /// From a complete playlist or manifest.
    OnDemand,
    /// One large file.
    File,
    /// Not known yet.
    #[default]
    Unknown,
}

impl Status {
    /// What is to be said of sharing where nothing holds it back.
    pub const fn unheld(&self) -> &'static str {
        match (&self.network, self.state) {
            (Some(_), _) => "nothing is held back",
            (None, State::Standby) => "nothing is shared in standby",
            (None, _) => "nothing is shared: no network is configured",
        }
    }
}

/// One origin's health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its name in the configuration.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// The last failure in plain words, also when it is over.
    pub last_error: Option<String>,
    /// Seconds since it began to fail; none while it works.
    pub failing_seconds: Option<u64>,
}

/// How an origin is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Nothing was asked of it yet.
    #[default]
    Untried,
    /// Its last answer was good.
    Good,
    /// A base URL fails and another one serves.
    Degraded,
    /// It answers, but one request after the other with an error of the 4xx kind, or with nothing
    /// that could be played.
    Denying,
    /// It answers, but a live playlist that players ask for stands still.
    Still,
    /// It works, but segment after segment comes slower than it plays.
    Slow,
    /// None of its base URLs answers.
    Failing,
}

/// The network and who of it is linked now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its name in the configuration.
    pub name: String,
    /// This node's key, as `neap key` prints it.
    pub key: String,
    /// What this node is there for: `device`, `gateway` or `witness`.
    pub role: String,
    /// Whether the operator's switch keeps this node from sharing.
    #[serde(default)]
    pub muted: bool,
    /// How nodes elsewhere can link to this one.
    #[serde(default)]
    pub reached: Reached,
    /// Links to peers: open now, and the most that may be.
    pub links: Usage,
    /// The peers, those linked longest first.
    pub peers: Vec<Peer>,
}

/// How nodes elsewhere can link to this one, as far as the links that stand tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// Too few peers elsewhere have said what they see.
    #[default]
    Unknown,
    /// Nodes elsewhere have come by themselves.
    Open,
    /// The router has mapped a port by PCP, NAT-PMP or UPnP.
    Mapped,
    /// A router shows this node to all at one address (RFC 4787, 4.1: endpoint-independent).
    ConeNat,
    /// A router shows this node to each at another address (endpoint-dependent).
    SymmetricNat,
    /// Links elsewhere go out over TCP alone.
    NoUdp,
}

/// A peer that is linked now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The first eight digits of its key.
    pub key: String,
    /// What it is there for.
    pub role: String,
    /// How near it is: `home`, `isp` or `wan`.
    pub tier: String,
    /// Seconds since it was linked.
    pub linked_seconds: u64,
    /// Bytes of blocks that it gave us.
    pub taken_bytes: u64,
    /// Bytes of blocks that we gave it.
    pub given_bytes: u64,
}

/// A cap in plain words; what there is not to say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// Its name, as its key begins.
    pub name: String,
    /// What may be used.
    pub limit: String,
    /// What is used now.
    pub now: String,
    /// What was used in the period that it is about.
    pub period: String,
    /// What it holds back, and why; empty while it holds nothing back.
    pub holds: String,
}

/// What peers of one tier were given and gave of one origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The origin's name in the configuration.
    pub origin: String,
    /// How near the peers were: `home`, `isp` or `wan`.
    pub tier: String,
    /// Bytes of blocks that they were given.
    pub given_bytes: u64,
    /// Bytes of blocks that they gave.
    pub taken_bytes: u64,
}

/// How much of something bounded is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// In use now.
    pub used: u64,
    /// The bound; zero means that it is switched off.
    pub limit: u64,
}

/// Bytes to players over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Seconds of one bucket.
    pub bucket_seconds: u64,
    /// By source: bytes in each bucket, the oldest first, the current one last.
    pub bytes: BTreeMap<String, Vec<u64>>,
}

/// A fault in plain words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What it concerns: `origin`, `disk`, `player`, `peer`, `configuration` or `neap`.
    pub kind: String,
    /// One sentence.
    pub text: String,
    /// How often it came.
    pub times: u64,
    /// Seconds since it came first.
    pub first_seconds_ago: u64,
    /// Seconds since it came last.
    pub last_seconds_ago: u64,
}

impl State {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Playing => "playing",
            Self::Impaired => "impaired",
            Self::Standby => "standby",
            Self::Stopping => "stopping",
        }
    }
}

impl Kind {
    /// The words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::OnDemand => "on demand",
            Self::File => "file",
            Self::Unknown => "stream",
        }
    }
}

impl Reached {
    /// The words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unknown => "not known: too few peers elsewhere have told",
            Self::Open => "yes, by anybody: it is open",
            Self::Mapped => "yes, by anybody: the router maps a port",
            Self::ConeNat => "yes, where a peer helps (cone NAT)",
            Self::SymmetricNat => "only where the other is open (symmetric NAT)",
            Self::NoUdp => "no, it dials over TCP: UDP is blocked",
        }
    }
}

impl Health {
    /// The words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Untried => "not asked yet",
            Self::Good => "works",
            Self::Degraded => "works, on a spare URL",
            Self::Denying => "answers, but denies what players ask",
            Self::Still => "answers, but its live playlist stands still",
            Self::Slow => "works, but slower than the picture plays",
            Self::Failing => "fails",
        }
    }
}
