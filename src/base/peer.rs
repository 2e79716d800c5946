//! Other nodes as every room names them: their keys, links, tiers and roles.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

/// A link to a peer: a small number that never leaves this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// A node's identity: its Ed25519 public key (RFC 8032), written `ed25519:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey(pub [u8; 32]);

/// How near a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// In the same local network.
    Home,
    /// At the same provider.
    Isp,
    /// Anywhere else.
    Wan,
}

/// How an address came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundBy {
    /// It stands in the configuration: it is tried for ever.
    Config,
    /// It was announced in the local network.
    Lan,
    /// A tracker named it.
    Tracker,
    /// Another peer named it.
    Peer,
}

/// What a node is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A television or box with a player of its own.
    #[default]
    Device,
    /// A home's router: gives without return.
    Gateway,
    /// Takes each segment from the origin itself and signs records of it.
    Witness,
}

/// A text that is no node key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKey;

/// Where a node is, when those in one place count as one: for votes, and for room among links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// In this node's own home.
    Home,
    /// In an IPv4 /24.
    Four([u8; 3]),
    /// In an IPv6 /48: what one customer of a provider gets at most (RFC 6177).
    Six([u8; 6]),
}

impl Ground {
    /// Where the other end of a link is.
    pub fn of(address: IpAddr, tier: Tier) -> Self {
        match (tier, address.to_canonical()) {
            (Tier::Home, _) => Self::Home,
            (_, IpAddr::V4(four)) => {
                let [a, b, c, _] = four.octets();
                Self::Four([a, b, c])
            }
            (_, IpAddr::V6(six)) => {
                let [a, b, c, d, e, f, ..] = six.octets();
                Self::Six([a, b, c, d, e, f])
            }
        }
    }
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 'ed25519:' and 64 hex digits, as 'neap key' prints them")
    }
}

impl FromStr for NodeKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let digits = text.strip_prefix("ed25519:").ok_or(NoKey)?;
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NoKey);
        }
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = core::str::from_utf8(pair).map_err(|_| NoKey)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NoKey)?;
        }
        Ok(Self(key))
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ed25519:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({self})")
    }
}

impl NodeKey {
    /// The key's first eight digits: enough for people to tell nodes apart.
    pub fn short(&self) -> String {
        self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Tier {
    /// The word for people, files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Isp => "isp",
            Self::Wan => "wan",
        }
    }
}

impl FoundBy {
    /// Whether whoever named it could be lying: somebody else may be hit by what is sent there.
    pub const fn is_hearsay(self) -> bool {
        matches!(self, Self::Tracker | Self::Peer)
    }
}

impl Role {
    /// The word for people, files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Gateway => "gateway",
            Self::Witness => "witness",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_printed() {
        let key = NodeKey([0xa5; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.short(), "a5a5a5a5");
        for wrong in ["", "ed25519:", "ed25519:zz", &"a5".repeat(32), &format!("{key}0")] {
            assert_eq!(wrong.parse::<NodeKey>(), Err(NoKey), "{wrong}");
        }
    }

    #[test]
    fn neighbours_of_one_network_are_one_place() {
        let of = |text: &str, tier| Ground::of(text.parse().expect("an address"), tier);
        let wan = |text| of(text, Tier::Wan);
        assert_eq!(wan("203.0.113.7"), wan("203.0.113.200"));
        assert_eq!(wan("203.0.113.7"), wan("::ffff:203.0.113.9"));
        assert_ne!(wan("203.0.113.7"), wan("203.0.114.7"));
        assert_eq!(wan("2001:db8:1:2::3"), wan("2001:db8:1:ffff::9"));
        assert_ne!(wan("2001:db8:1::3"), wan("2001:db8:2::3"));
        assert_eq!(of("192.168.1.2", Tier::Home), of("2001:db8:1::3", Tier::Home));
    }
}
