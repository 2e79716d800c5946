//! Who may begin a QUIC handshake now: address validation and a rate for each prefix.

use core::net::IpAddr;

use crate::base::limits;
use crate::base::map::Map;
use crate::base::time::Instant;

/// The gate in front of the handshakes of one socket.
#[derive(Default)]
pub struct Gate {
    prefixes: Map<Prefix, Bucket>,
}

/// What becomes of a first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The handshake goes on.
    Accept,
    /// It must show first that it hears what is sent to its address (RFC 9000, 8.1.2).
    Retry,
    /// Nothing is answered.
    Ignore,
}

/// A first packet.
#[derive(Clone, Copy, Debug)]
pub struct Knock {
    /// Where it says that it comes from.
    pub from: IpAddr,
    /// It has shown that it hears what is sent there.
    pub is_validated: bool,
    /// Handshakes that are under way.
    pub under_way: usize,
}

/// Addresses that are most likely one subscriber's, or one provider's pool: /24 and /48.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Prefix(bool, [u8; 6]);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    used: u32,
    since: Instant,
}

impl Gate {
    /// Judges a first packet, and counts it where it is accepted.
    pub fn judge(&mut self, knock: Knock, now: Instant) -> Verdict {
        if knock.under_way >= limits::link::HANDSHAKES {
            return Verdict::Ignore;
        }
        let prefix = Prefix::of(knock.from);
        let used = self.prefixes.get(&prefix).map_or(0, |bucket| bucket.used_at(now));
        let is_spent = used >= limits::link::PREFIX_HANDSHAKES;
        if !knock.is_validated && (is_spent || knock.under_way >= limits::link::RETRY_ABOVE) {
            // Not counted: whoever forges addresses must not use up what others have.
            return Verdict::Retry;
        }
        if is_spent {
            return Verdict::Ignore;
        }
        self.count(prefix, used + 1, now);
        Verdict::Accept
    }

    fn count(&mut self, prefix: Prefix, used: u32, now: Instant) {
        if self.prefixes.len() >= limits::link::PREFIXES {
            self.prefixes.retain(|_, bucket| bucket.used_at(now) > 0);
        }
        if self.prefixes.len() >= limits::link::PREFIXES && !self.prefixes.contains_key(&prefix) {
            let oldest = self.prefixes.iter().min_by_key(|(_, bucket)| bucket.since);
            let oldest = oldest.map(|(prefix, _)| *prefix);
            oldest.map(|prefix| self.prefixes.remove(&prefix));
        }
        self.prefixes.insert(prefix, Bucket { used, since: now });
    }
}

impl Bucket {
    fn used_at(&self, now: Instant) -> u32 {
        let back = now.since(self.since).as_millis() / limits::link::PREFIX_PAUSE.as_millis();
        self.used.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX))
    }
}

impl Prefix {
    fn of(address: IpAddr) -> Self {
        let mut bytes = [0; 6];
        match address.to_canonical() {
            IpAddr::V4(address) => {
                bytes[..3].copy_from_slice(&address.octets()[..3]);
                Self(false, bytes)
            }
            IpAddr::V6(address) => {
                bytes.copy_from_slice(&address.octets()[..6]);
                Self(true, bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn knock(from: &str, is_validated: bool, under_way: usize) -> Knock {
        Knock { from: from.parse().expect("an address"), is_validated, under_way }
    }

    #[test]
    fn many_handshakes_at_once_must_show_their_address() {
        let (mut gate, now) = (Gate::default(), Instant::from_micros(1));
        let first = knock("203.0.113.1", false, 0);
        assert_eq!(gate.judge(first, now), Verdict::Accept);
        let busy = limits::link::RETRY_ABOVE;
        assert_eq!(gate.judge(knock("203.0.113.1", false, busy), now), Verdict::Retry);
        assert_eq!(gate.judge(knock("203.0.113.1", true, busy), now), Verdict::Accept);
        let full = limits::link::HANDSHAKES;
        assert_eq!(gate.judge(knock("203.0.113.1", true, full), now), Verdict::Ignore);
    }

    #[test]
    fn a_prefix_has_its_rate_and_others_have_theirs() {
        let (mut gate, mut now) = (Gate::default(), Instant::from_micros(1));
        for host in 0..limits::link::PREFIX_HANDSHAKES {
            let from = format!("203.0.113.{}", host % 250);
            assert_eq!(gate.judge(knock(&from, true, 0), now), Verdict::Accept);
        }
        assert_eq!(gate.judge(knock("203.0.113.9", true, 0), now), Verdict::Ignore);
        assert_eq!(gate.judge(knock("203.0.113.9", false, 0), now), Verdict::Retry);
        assert_eq!(gate.judge(knock("203.0.114.9", true, 0), now), Verdict::Accept);
        assert_eq!(gate.judge(knock("2001:db8:1::1", true, 0), now), Verdict::Accept);
        now += limits::link::PREFIX_PAUSE + Duration::from_millis(1);
        assert_eq!(gate.judge(knock("203.0.113.9", true, 0), now), Verdict::Accept);
        assert_eq!(gate.judge(knock("203.0.113.9", true, 0), now), Verdict::Ignore);
    }

    #[test]
    fn forged_addresses_fill_no_memory() {
        let (mut gate, now) = (Gate::default(), Instant::from_micros(1));
        for number in 0..20_000_u32 {
            let from = IpAddr::from((number << 8).to_be_bytes());
            gate.judge(Knock { from, is_validated: false, under_way: 0 }, now);
        }
        assert!(gate.prefixes.len() <= limits::link::PREFIXES);
    }
}
