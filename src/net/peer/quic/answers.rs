//! Answers to STUN's Binding over the socket of QUIC, so many a second.

use core::net::SocketAddr;
use core::time::Duration;

use crate::base::limits;
use crate::base::time::Instant;
use crate::wire::stun::Binding;

/// What is answered to those who ask at what address they are seen.
#[derive(Default)]
pub struct Answers {
    since: Instant,
    count: u32,
}

impl Answers {
    /// The answer to a datagram, hardly longer than the question; none where it asks nothing, or
    /// enough were answered in this second.
    pub fn to(&mut self, datagram: &[u8], from: SocketAddr, now: Instant) -> Option<Vec<u8>> {
        let Ok(Binding::Request(transaction)) = Binding::parse(datagram) else { return None };
        if now.since(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        let fits = self.count <= limits::meeting::STUN_RATE;
        fits.then(|| Binding::Response(transaction, from).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stun::Transaction;

    #[test]
    fn a_flood_is_answered_in_part() {
        let (mut answers, request) = (Answers::default(), Binding::Request(Transaction([1; 12])));
        let from = SocketAddr::from(([192, 0, 2, 1], 9));
        let mut ask = |millis: u64| {
            let now = Instant::from_micros(5_000_000 + millis * 1000);
            answers.to(&request.to_bytes(), from, now).is_some()
        };
        let count = (0..500).filter(|_| ask(10)).count();
        assert_eq!(u32::try_from(count), Ok(limits::meeting::STUN_RATE));
        assert!(!ask(900) && ask(1010));
    }
}
