//! Who is announced in the local network: what is told of it, within bounds.

use core::net::SocketAddr;

use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{FoundBy, Tier};
use crate::node::peering::Peering;

/// The nodes that are announced now, each with the addresses that were told.
#[derive(Debug, Default)]
pub struct Sightings(Map<String, Vec<SocketAddr>>);

/// What one node announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The instance's full name, such as `0f1e….._neap._tcp.local.`.
    pub name: String,
    /// The property `n`: which network.
    pub network: String,
    /// The property `k`: whose key.
    pub key: String,
    /// The property `v`: which version of the protocol.
    pub version: String,
    /// Where it is awaited; those that cannot be meant are left out by whoever makes this.
    pub addresses: Vec<SocketAddr>,
}

impl Sightings {
    /// A node is announced, or announces itself anew: what is new and what is no more.
    pub fn on_announced(&mut self, said: Announcement) -> Vec<Peering> {
        let full = self.0.len() >= limits::meeting::LAN_NODES && !self.0.contains_key(&said.name);
        if full || said.name.len() > limits::meeting::LAN_NAME {
            return Vec::new();
        }
        let mut addresses = said.addresses;
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(limits::meeting::LAN_ADDRESSES);
        let before = self.0.get(&said.name).map_or(&[][..], Vec::as_slice);
        let gone = before.iter().filter(|address| !addresses.contains(address));
        let gone: Vec<_> = gone.copied().collect();
        let new: Vec<_> = addresses.iter().filter(|at| !before.contains(at)).copied().collect();
        // One without an address is remembered by the announcement that brings one.
        if addresses.is_empty() {
            self.0.remove(&said.name);
        } else {
            self.0.insert(said.name, addresses);
        }
        let gone = gone.into_iter().filter(|address| !self.is_seen(*address));
        let mut told: Vec<_> = gone.map(|address| Peering::Lost { address }).collect();
        told.extend(new.into_iter().map(found));
        told
    }

    /// A node said goodbye, or was not heard of for too long.
    pub fn on_gone(&mut self, name: &str) -> Vec<Peering> {
        let gone = self.0.remove(name).unwrap_or_default().into_iter();
        let gone = gone.filter(|address| !self.is_seen(*address));
        gone.map(|address| Peering::Lost { address }).collect()
    }

    /// Nothing is heard any more.
    pub fn clear(&mut self) -> Vec<Peering> {
        let names: Vec<_> = self.0.keys().cloned().collect();
        names.iter().flat_map(|name| self.on_gone(name)).collect()
    }

    /// How many nodes are announced.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no node is announced.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether another name has this address, as when a node was given a new name.
    fn is_seen(&self, address: SocketAddr) -> bool {
        self.0.values().flatten().any(|other| *other == address)
    }
}

const fn found(address: SocketAddr) -> Peering {
    Peering::Found { address, key: None, tier: Tier::Home, by: FoundBy::Lan }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, hosts: &[u8]) -> Announcement {
        let address = |host: &u8| SocketAddr::from(([10, 0, 0, *host], 8644));
        Announcement {
            name: name.into(),
            network: String::new(),
            key: String::new(),
            version: "1".into(),
            addresses: hosts.iter().map(address).collect(),
        }
    }

    /// `+1 -2`: 10.0.0.1 was found, 10.0.0.2 lost.
    fn told(told: Vec<Peering>) -> String {
        let host =
            |address: SocketAddr| address.ip().to_string().rsplit('.').next().map(str::to_owned);
        let word = |peering| match peering {
            Peering::Found { address, key: None, tier: Tier::Home, by: FoundBy::Lan } => {
                format!("+{}", host(address).unwrap_or_default())
            }
            Peering::Lost { address } => format!("-{}", host(address).unwrap_or_default()),
            other => format!("{other:?}"),
        };
        told.into_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_address_is_found_once_and_lost_once() {
        let mut seen = Sightings::default();
        assert_eq!(told(seen.on_announced(said("a", &[1, 2, 1]))), "+1 +2");
        assert_eq!(told(seen.on_announced(said("a", &[2, 1]))), "");
        assert_eq!(told(seen.on_announced(said("a", &[2, 3]))), "-1 +3");
        assert_eq!(told(seen.on_gone("a")), "-2 -3");
        assert_eq!(told(seen.on_gone("a")), "");
        assert!(seen.is_empty());
    }

    #[test]
    fn an_address_that_another_name_has_is_not_lost() {
        let mut seen = Sightings::default();
        seen.on_announced(said("a", &[1]));
        seen.on_announced(said("a (2)", &[1, 2]));
        assert_eq!(told(seen.on_gone("a")), "");
        assert_eq!(told(seen.clear()), "-1 -2");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Sightings::default();
        for number in 0..=limits::meeting::LAN_NODES {
            seen.on_announced(said(&number.to_string(), &[1]));
        }
        assert_eq!(seen.len(), limits::meeting::LAN_NODES);
        assert_eq!(told(seen.on_announced(said("one more", &[9]))), "");
        let many: Vec<u8> = (1..=u8::MAX).collect();
        let found = seen.on_announced(said("0", &many));
        assert!(found.len() <= limits::meeting::LAN_ADDRESSES);
        assert!(
            seen.on_announced(said(&"x".repeat(limits::meeting::LAN_NAME + 1), &[8])).is_empty()
        );
    }
}
