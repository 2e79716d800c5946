//! The configuration as meant: every value present, units in types, nothing left to interpret.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::path::PathBuf;

use crate::base::units::Size;
use crate::base::url::{Place, Places, Url};

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
}

/// An address block such as `192.168.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The block's first address.
    pub address: IpAddr,
    /// Leading bits that count.
    pub bits: u8,
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
    /// Base URLs, tried in order; each target ends in `/`.
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
    /// How long the origin may say nothing: to connect, before the first byte, between bytes.
    pub timeout: Duration,
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
            log: Log { target: LogTarget::Auto, level: log::LevelFilter::Info },
        }
    }
}

impl Origin {
    /// An origin of which only name and URL are stated.
    pub fn new(name: String, url: Url) -> Self {
        Self { urls: vec![url], ..Self::named(name) }
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
            timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
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

impl Subnet {
    /// Whether `address` lies in the block; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(block), IpAddr::V4(a)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.bits));
                block.to_bits().checked_shr(shift) == a.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(block), IpAddr::V6(a)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.bits));
                block.to_bits().checked_shr(shift) == a.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}
