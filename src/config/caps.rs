//! `[caps]` as meant: what sharing may use; what is not capped is none.

use core::fmt;
use core::time::Duration;
use std::path::PathBuf;

use crate::base::units::{Celsius, DailyEnergy, PerByte, PerDay, Power, Rate, Share, Size};

use super::hours::Window;

/// Everything that caps what this node does for others, and what wears the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Share of one core for all that is no serving of the own player.
    pub cpu: Option<Share>,
    /// Bits a second to and from peers.
    pub rates: Rates,
    /// What goes beyond the home in a day and in thirty.
    pub volume: Volume,
    /// Hours at which other values hold.
    pub schedule: Vec<Window>,
    /// What is done over interfaces that cost.
    pub interfaces: Interfaces,
    /// Bytes that the process may hold, everything counted.
    pub memory: Option<Size>,
    /// Bytes a day that may be written to the disk tier.
    pub flash_writes: Option<PerDay>,
    /// Used life of the storage above which nothing is written.
    pub flash_wear: Share,
    /// What may be drawn.
    pub power: Option<Power>,
    /// What may be used in a day.
    pub energy: Option<DailyEnergy>,
    /// What is reckoned with where no sensor tells.
    pub model: Model,
    /// Above this nothing is shared.
    pub temperature: Option<Celsius>,
    /// How far below it must be until sharing is whole again.
    pub hysteresis: Celsius,
    /// What is done on battery.
    pub battery: Battery,
    /// With no player for so long the node goes to standby.
    pub standby_after: Option<Duration>,
    /// Share of the kernel's table of connections that links may take.
    pub conntrack: Share,
    /// Where the kernel shows its devices.
    pub sysfs: PathBuf,
    /// Where the kernel shows processes and itself.
    pub procfs: PathBuf,
}

/// Bits a second; none for no cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// To all peers.
    pub upload: Option<Rate>,
    /// To peers in the home.
    pub upload_home: Option<Rate>,
    /// To peers at the same provider.
    pub upload_isp: Option<Rate>,
    /// To all other peers.
    pub upload_wan: WanUpload,
    /// To each peer.
    pub upload_peer: Option<Rate>,
    /// From all peers.
    pub download: Option<Rate>,
    /// From peers in the home.
    pub download_home: Option<Rate>,
    /// From peers at the same provider.
    pub download_isp: Option<Rate>,
    /// From all other peers.
    pub download_wan: Option<Rate>,
}

/// What may go to peers anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WanUpload {
    /// A quarter of what the uplink was measured to carry, and 2 Mbit/s at most.
    #[default]
    Auto,
    /// So much.
    Rate(Rate),
    /// All that the caps above it leave.
    Free,
}

/// Bytes beyond the home; a month is the last thirty days, which needs no calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Up, in a day.
    pub day_up: Option<Size>,
    /// Up, in thirty days.
    pub month_up: Option<Size>,
    /// Down from peers, in a day.
    pub day_down: Option<Size>,
    /// Down from peers, in thirty days.
    pub month_down: Option<Size>,
}

/// Interfaces that cost, and what is done over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interfaces {
    /// Over those that are paid by volume.
    pub metered: Policy,
    /// Over tunnels.
    pub vpn: Policy,
    /// While roaming.
    pub roaming: Policy,
    /// Names of metered ones beside those that the system knows; `*` ends a beginning.
    pub metered_names: Vec<String>,
    /// Names of tunnels beside those that the system knows.
    pub vpn_names: Vec<String>,
}

/// What is done with peers beyond the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// As over any other.
    Share,
    /// Nothing is given.
    Take,
    /// Nothing is given or taken.
    Off,
}

/// What is done on battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Battery {
    /// Nothing is shared.
    Never,
    /// It is shared while there is more than this.
    Above(Share),
    /// As on mains.
    Ignore,
}

/// A model of what sharing draws (docs/caps.md says whence the figures are).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// While anything is shared at all.
    pub idle: Power,
    /// While one core is busy: joules for each second of CPU time.
    pub cpu: Power,
    /// For each byte that is sent.
    pub sent: PerByte,
    /// For each byte that is received.
    pub received: PerByte,
    /// For each byte that is written to the disk tier.
    pub written: PerByte,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            cpu: Some(Share(150)),
            rates: Rates::default(),
            volume: Volume { month_up: Some(Size(20_000_000_000)), ..Volume::default() },
            schedule: Vec::new(),
            interfaces: Interfaces {
                metered: Policy::Take,
                vpn: Policy::Take,
                roaming: Policy::Take,
                metered_names: Vec::new(),
                vpn_names: Vec::new(),
            },
            memory: None,
            flash_writes: Some(PerDay(Size(512 << 20))),
            flash_wear: Share(900),
            power: None,
            energy: None,
            model: Model {
                idle: Power(100),
                cpu: Power(1500),
                sent: PerByte(15_000),
                received: PerByte(15_000),
                written: PerByte(60_000),
            },
            temperature: Some(Celsius(80_000)),
            hysteresis: Celsius(5_000),
            battery: Battery::Never,
            standby_after: None,
            conntrack: Share(100),
            sysfs: "/sys".into(),
            procfs: "/proc".into(),
        }
    }
}

/// What may go to peers anywhere.
pub fn wan_upload(text: &str) -> Result<WanUpload, &'static str> {
    match text {
        "auto" => Ok(WanUpload::Auto),
        "" => Ok(WanUpload::Free),
        _ => text
            .parse()
            .map(WanUpload::Rate)
            .map_err(|_| "\"auto\", a rate such as \"2 Mbit/s\", or \"\""),
    }
}

/// What is done over an interface that costs.
pub fn policy(text: &str) -> Result<Policy, &'static str> {
    let all = [Policy::Share, Policy::Take, Policy::Off];
    let named = all.into_iter().find(|policy| policy.to_string() == text);
    named.ok_or("\"share\", \"take\" or \"off\"")
}

/// What is done on battery.
pub fn battery(text: &str) -> Result<Battery, &'static str> {
    match text {
        "never" => Ok(Battery::Never),
        "ignore" => Ok(Battery::Ignore),
        _ => text
            .parse()
            .map(Battery::Above)
            .map_err(|_| "\"never\", \"ignore\", or a level such as \"50 %\""),
    }
}

/// An interface's name (IFNAMSIZ is 16), or the beginning of some with `*` behind it.
pub fn interface(text: &str) -> Result<String, &'static str> {
    let bare = text.strip_suffix('*').unwrap_or(text);
    let fits = bare.len() < 16 && bare.bytes().all(|b| b > b' ' && b != b'/' && b != b'*');
    let fits = fits && !text.is_empty();
    fits.then(|| text.into()).ok_or("an interface, such as \"wwan0\" or \"wg*\"")
}

/// Whether one of `names` is meant by an interface's name.
pub fn is_named(names: &[String], interface: &str) -> bool {
    names.iter().any(|name| match name.strip_suffix('*') {
        Some(beginning) => interface.starts_with(beginning),
        None => name == interface,
    })
}

impl fmt::Display for WanUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Rate(rate) => rate.fmt(f),
            Self::Free => Ok(()),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Share => "share",
            Self::Take => "take",
            Self::Off => "off",
        })
    }
}

impl fmt::Display for Battery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Ignore => f.write_str("ignore"),
            Self::Above(level) => level.fmt(f),
        }
    }
}
