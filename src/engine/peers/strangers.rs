//! Addresses that others name: none of them may become a victim of what this node sends there.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use crate::base::limits;
use crate::base::time::Instant;

/// Which addresses are dialled because somebody named them, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Strangers(VecDeque<(SocketAddr, Instant)>);

impl Strangers {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Whether one more dial harms nobody: none to the same address for a while, few to its
    /// network, and no more in all than are remembered. If so, it is counted.
    pub(super) fn admit(&mut self, address: SocketAddr, now: Instant) -> bool {
        self.forget(now);
        let near = self.0.iter().filter(|(other, _)| prefix(other.ip()) == prefix(address.ip()));
        let same = self.0.iter().any(|(other, _)| other.ip() == address.ip());
        let may = !same && near.count() < limits::meeting::STRANGERS_EACH;
        let may = may && self.0.len() < limits::meeting::STRANGERS;
        if may {
            self.0.push_back((address, now));
        }
        may
    }

    /// Whoever is linked was no victim: it may be named again.
    pub(super) fn on_linked(&mut self, address: SocketAddr) {
        self.0.retain(|(other, _)| *other != address);
    }

    fn forget(&mut self, now: Instant) {
        while self.0.front().is_some_and(|(_, at)| now - *at >= limits::meeting::STRANGER_DIAL) {
            self.0.pop_front();
        }
    }
}

/// The network that an address is counted by: /24 and /48, as they are given to one customer of
/// size.
fn prefix(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits() >> 8),
        IpAddr::V6(v6) => (1 << 63) | u64::try_from(v6.to_bits() >> 80).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_victim_is_met_once_and_its_network_a_few_times() {
        let mut strangers = Strangers::new();
        let mut now = Instant::default();
        let mut dialled =
            |address: &str, now| strangers.admit(address.parse().expect("an address"), now);
        assert!(dialled("203.0.113.5:8644", now));
        assert!(!dialled("203.0.113.5:8644", now));
        assert!(!dialled("203.0.113.5:9999", now), "another port is the same machine");
        let others = (10..200).filter(|host| dialled(&format!("203.0.113.{host}:8644"), now));
        assert_eq!(others.count(), limits::meeting::STRANGERS_EACH - 1);
        let six = (1..200).filter(|net| dialled(&format!("[2001:db8:1:{net:x}::1]:8644"), now));
        assert_eq!(six.count(), limits::meeting::STRANGERS_EACH);
        assert!(dialled("198.51.100.5:8644", now));
        now += limits::meeting::STRANGER_DIAL;
        assert!(dialled("203.0.113.5:8644", now));
    }

    #[test]
    fn all_strangers_together_are_few() {
        let mut strangers = Strangers::new();
        let now = Instant::default();
        let dials = (0..4000_u32).filter(|number| {
            strangers.admit((core::net::Ipv4Addr::from(number << 12), 8644).into(), now)
        });
        assert_eq!(dials.count(), limits::meeting::STRANGERS);
    }
}
