//! All sections and keys, in the order of the shipped file.

use crate::config::model::Config;

use super::key::Key;
use super::{caps, device, network};

/// The sections in the order of the shipped file; `origin` is a list of tables.
pub const SECTIONS: [&str; 8] =
    ["player", "admin", "origin", "cache", "network", "sharing", "caps", "log"];

/// The keys beside the origins', in the order of the shipped file.
pub fn keys() -> impl Iterator<Item = &'static Key<Config>> {
    let tables = [
        device::PLAYER,
        device::ADMIN,
        device::CACHE,
        network::NETWORK,
        network::SHARING,
        caps::CAPS,
        device::LOG,
    ];
    tables.into_iter().flatten()
}
