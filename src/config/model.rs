//! The configuration as meant: every value present, units in types, nothing left to interpret.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::PathBuf;

use crate::base::id::OriginId;
use crate::base::peer::{NodeKey, Role, Tier};
use crate::base::units::Size;
use crate::base::url::{Place, Places, Scheme, Url};

use super::caps::Caps;
use super::near::Near;
use super::secret::Secret;
use super::subnet::Subnet;
use super::tracker::Tracker;

/// Everything that the file, its neighbours and the flags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The endpoint for players.
    pub player: Player,
    /// The status page and the control socket.
    pub admin: Admin,
    /// The origins, in the order of their ids.
    pub origins: Vec<Origin>,
    /// The cache in memory and on disk.
    pub cache: Cache,
    /// The nodes that this one belongs to.
    pub network: Network,
    /// Whether anything is taken from them and given to them.
    pub sharing: Sharing,
    /// What it may use.
    pub caps: Caps,
    /// The log.
    pub log: Log,
}

/// `[player]`: where players connect and who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Networks whose clients are answered; loopback always is.
    pub allow: Vec<Subnet>,
    /// Names beside addresses and `localhost` that the `Host` field may bear (DNS rebinding).
    pub host_names: Vec<String>,
    /// Web origins that may read replies: `*`, or a list such as `https://tv.example`.
    pub cors: Vec<String>,
    /// How fast hits of media segments go out.
    pub pacing: Pacing,
}

/// How fast hits of media segments go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pacing {
    /// At what origin and peers sustain, as far as that was seen.
    Auto,
    /// As fast as the player takes them.
    Off,
    /// At so many thousandths of what they play at.
    Times(u32),
}

/// `[admin]`: where the operator looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The status page's address; none when it is switched off (`listen = ""`).
    pub listen: Option<SocketAddr>,
    /// The control socket's path; none when it is switched off (`control = ""`).
    pub control: Option<PathBuf>,
}

/// `[[origin]]`: one CDN or media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name in our URLs: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Base URLs, tried in order; each target ends in `/`. None of an origin that is gone since the
    /// start.
    pub urls: Vec<Url>,
    /// Further hosts whose absolute URLs in playlists are this origin's.
    pub hosts: Vec<String>,
    /// A PEM file with certificates that are trusted beside the built-in or system roots.
    pub ca: Option<PathBuf>,
    /// Fields added to every request to the origin.
    pub headers: Vec<(String, String)>,
    /// Query parameters that do not count for a resource's identity (`*`: the whole query).
    pub ignore_query: Vec<String>,
    /// Whether redirects are followed inside neap rather than handed to the player.
    pub follow_redirects: bool,
    /// Whether the digests count that it states over plain HTTP.
    pub plain_digests: bool,
    /// How long the origin may say nothing: to connect, before the first byte, between bytes.
    pub timeout: Duration,
    /// With whom what comes from it is shared.
    pub share: Share,
}

/// With whom what comes from an origin is shared: given to, asked of, and said to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// With nobody.
    None,
    /// With nodes in the same home.
    Home,
    /// With nodes of the same provider as well.
    Isp,
    /// With every node of the network.
    Any,
}

/// `[cache]`: how much is kept and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Bytes in memory, strictly.
    pub memory: Size,
    /// Bytes on disk, strictly; zero keeps nothing there.
    pub disk: Size,
    /// The folder of the disk tier.
    pub path: PathBuf,
    /// Objects larger than this are passed on and not kept.
    pub max_object: Size,
}

/// `[network]`: the operator's group of nodes, and this node's place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// What the group is called; without a name there are no peers at all.
    pub name: String,
    /// The file with the secret that all nodes of the network know.
    pub secret_file: Option<PathBuf>,
    /// What that file holds; read where a network is named.
    pub secret: Option<Secret>,
    /// Why it cannot be used: then nothing is shared.
    pub fault: Option<String>,
    /// The file with this node's admission, signed by an operator.
    pub admission: Option<PathBuf>,
    /// Those whose admissions count.
    pub operators: Vec<NodeKey>,
    /// Addresses on which other nodes are awaited; opened only where a network is named.
    pub listen: Vec<SocketAddr>,
    /// Nodes that are asked without having been found.
    pub peers: Vec<SocketAddr>,
    /// Links to other nodes at once.
    pub max_peers: usize,
    /// What this node is there for.
    pub role: Role,
    /// Nodes whose records are trusted.
    pub witnesses: Vec<NodeKey>,
    /// Publishers whose records are trusted.
    pub publishers: Vec<NodeKey>,
    /// Whose records are relied on, best first.
    pub verify: Vec<Rung>,
    /// Nodes in different places that must say the same by [`Rung::Quorum`].
    pub quorum: usize,
    /// The folder with what must outlive a start, such as the node's key.
    pub state: PathBuf,
    /// Whether nodes in the same local network are looked for, and this one is announced.
    pub discovery: bool,
    /// Whether the home's router is asked to let others in by a port of its own.
    pub port_mapping: bool,
    /// Where nodes beyond the home are found, first choice first.
    pub trackers: Vec<Tracker>,
    /// Which addresses are nearer than the rest of the world.
    pub near: Near,
    /// Whether this node's address is known to none but the operator's witnesses and gateways.
    pub relay_only: bool,
    /// A PEM file with the vendor's roots, where nodes show certificates (X.509).
    pub ca: Option<PathBuf>,
    /// A PEM file with this node's certificate.
    pub certificate: Option<PathBuf>,
    /// A PEM file with its private key.
    pub private_key: Option<PathBuf>,
}

/// One way to know that a block is what the origin sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// The publisher signed a record of it.
    Publisher,
    /// A witness took it from the origin itself and signed a record of it.
    Witness,
    /// The origin states a digest of the whole, over TLS.
    OriginDigest,
    /// Several nodes in different places took it from the origin and signed the same.
    Quorum,
}

/// `[sharing]`: whether peers are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Whether anything is taken and given; without a network there is nobody to share with.
    pub enabled: bool,
    /// Nodes that must be on a stream before it is shared with those of the tier `wan`.
    pub min_audience: usize,
}

/// `[log]`: where to and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Where lines go.
    pub target: LogTarget,
    /// The least important level that is written.
    pub level: log::LevelFilter,
}

/// Where log lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard error at a terminal or under systemd's journal, else syslog.
    Auto,
    /// The local syslog socket.
    Syslog,
    /// Standard error.
    Stderr,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            player: Player {
                listen: vec![loopback(8642)],
                allow: Vec::new(),
                host_names: Vec::new(),
                cors: vec!["*".into()],
                pacing: Pacing::Auto,
            },
            admin: Admin {
                listen: Some(loopback(8643)),
                control: Some("/run/neap/control.sock".into()),
            },
            origins: Vec::new(),
            cache: Cache {
                memory: Size(48 << 20),
                disk: Size(0),
                path: "/var/cache/neap".into(),
                max_object: Size(16 << 30),
            },
            network: Network::default(),
            sharing: Sharing { enabled: true, min_audience: 5 },
            caps: Caps::default(),
            log: Log { target: LogTarget::Auto, level: log::LevelFilter::Info },
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            name: String::new(),
            secret_file: None,
            secret: None,
            fault: None,
            admission: None,
            operators: Vec::new(),
            listen: vec![([0; 4], PEER_PORT).into(), ([0_u16; 8], PEER_PORT).into()],
            peers: Vec::new(),
            max_peers: 24,
            role: Role::Device,
            witnesses: Vec::new(),
            publishers: Vec::new(),
            verify: vec![Rung::Publisher, Rung::Witness, Rung::OriginDigest],
            quorum: 3,
            state: "/var/lib/neap".into(),
            discovery: true,
            port_mapping: false,
            trackers: Vec::new(),
            near: Near::default(),
            relay_only: false,
            ca: None,
            certificate: None,
            private_key: None,
        }
    }
}

impl Network {
    /// Whether there is a network at all.
    pub fn exists(&self) -> bool {
        !self.name.is_empty()
    }

    /// The keys whose records count by one rung; none where `verify` leaves it out.
    pub fn trusted(&self, rung: Rung) -> &[NodeKey] {
        match rung {
            _ if !self.verify.contains(&rung) => &[],
            Rung::Publisher => &self.publishers,
            Rung::Witness => &self.witnesses,
            Rung::OriginDigest | Rung::Quorum => &[],
        }
    }
}

impl Origin {
    /// An origin of which only name and URL are stated.
    pub fn new(name: String, url: Url) -> Self {
        Self { urls: vec![url], ..Self::named(name) }
    }

    /// Whether it goes by the name that another did, and by one of its URLs: then it is that one.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.urls.iter().any(|url| other.urls.contains(url))
    }

    /// Whether the digests that it states are its own: nobody on the way can have changed them.
    pub fn states_digests(&self) -> bool {
        let secure = self.urls.iter().all(|url| url.scheme == Scheme::Https);
        (secure && !self.urls.is_empty()) || self.plain_digests
    }

    /// An origin whose URL is yet to be read.
    pub(crate) fn named(name: String) -> Self {
        Self {
            name,
            urls: Vec::new(),
            hosts: Vec::new(),
            ca: None,
            headers: Vec::new(),
            ignore_query: Vec::new(),
            follow_redirects: true,
            plain_digests: false,
            timeout: Duration::from_secs(10),
            share: Share::Home,
        }
    }
}

impl Share {
    /// The farthest tier that it is shared with.
    pub const fn reach(self) -> Option<Tier> {
        match self {
            Self::None => None,
            Self::Home => Some(Tier::Home),
            Self::Isp => Some(Tier::Isp),
            Self::Any => Some(Tier::Wan),
        }
    }

    /// The word of the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Home => "home",
            Self::Isp => "isp",
            Self::Any => "any",
        }
    }
}

impl Config {
    /// The origin of a name, with its number.
    pub fn origin_named(&self, name: &str) -> Option<(OriginId, &Origin)> {
        let is_it = |origin: &Origin| origin.name == name && !origin.urls.is_empty();
        let place = self.origins.iter().position(is_it)?;
        Some((OriginId(u16::try_from(place).ok()?), &self.origins[place]))
    }

    /// The origins as playlists and requests name them.
    pub fn places(&self) -> Places {
        let place = |origin: &Origin| Place {
            name: origin.name.clone(),
            bases: origin.urls.clone(),
            hosts: origin.hosts.clone(),
        };
        Places(self.origins.iter().map(place).collect())
    }
}

/// The port on which nodes await each other, next to the player's and the status page's.
const PEER_PORT: u16 = 8644;
