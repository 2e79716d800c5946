//! Addresses that others name: none of them may become a victim of what this node sends there.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use crate::base::limits;
use crate::base::peer::Ground;
use crate::base::time::Instant;

/// Which addresses are dialled because somebody named them, and where whoever did is: the oldest
/// first. All trackers are one.
#[derive(Debug, Default)]
pub(super) struct Strangers(VecDeque<(SocketAddr, Option<Ground>, Instant)>);

impl Strangers {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Whether one more dial harms nobody: none to the same address for a while, few to its
    /// network, no more in all than are remembered, and of no one place more than its share of
    /// them. If so, it is counted.
    pub(super) fn admit(&mut self, address: SocketAddr, by: Option<Ground>, now: Instant) -> bool {
        self.forget(now);
        let near = self.0.iter().filter(|(other, ..)| prefix(other.ip()) == prefix(address.ip()));
        let same = self.0.iter().any(|(other, ..)| other.ip() == address.ip());
        let may = !same && near.count() < limits::meeting::STRANGERS_EACH;
        let share = limits::meeting::STRANGERS / if by.is_some() { 4 } else { 2 };
        let may = may && self.0.iter().filter(|(_, other, _)| *other == by).count() < share;
        let may = may && self.0.len() < limits::meeting::STRANGERS;
        if may {
            self.0.push_back((address, by, now));
        }
        may
    }

    /// Whoever is linked was no victim: it may be named again.
    pub(super) fn on_linked(&mut self, address: SocketAddr) {
        self.0.retain(|(other, ..)| *other != address);
    }

    fn forget(&mut self, now: Instant) {
        while self.0.front().is_some_and(|(.., at)| now - *at >= limits::meeting::STRANGER_DIAL) {
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
            |address: &str, now| strangers.admit(address.parse().expect("an address"), None, now);
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
    fn all_strangers_together_are_few_and_nobody_alone_names_them_all() {
        let mut strangers = Strangers::new();
        let mut number = 0_u32;
        let mut dials = |by: Option<Ground>| {
            let named = (0..1000).filter(|_| {
                number += 1;
                let address = core::net::Ipv4Addr::from(number << 12);
                strangers.admit((address, 8644).into(), by, Instant::default())
            });
            named.count()
        };
        let of = |net: u8| dials(Some(Ground::Four([198, 51, net])));
        let named: Vec<_> = [1, 1, 2].into_iter().map(of).collect();
        let most = limits::meeting::STRANGERS;
        assert_eq!(named, [most / 4, 0, most / 4]);
        assert_eq!((dials(None), dials(Some(Ground::Home))), (most / 2, 0));
    }
}
