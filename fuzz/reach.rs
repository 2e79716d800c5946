//! What is done with fuzzed datagrams of STUN and of routers.

use core::time::Duration;

use neap::wire::pcp::{self, Said};
use neap::wire::stun::{self, Binding};

/// A datagram that came over the socket of QUIC: what is read is read again as it was written.
pub(crate) fn stun(data: &[u8]) {
    let Ok(binding) = Binding::parse(data) else { return };
    assert!(stun::is_stun(data));
    let again = binding.to_bytes();
    assert!(again.len() <= 44, "an answer is hardly longer than its question");
    assert_eq!(Binding::parse(&again), Ok(binding));
}

/// A router's answer: only the one to our own request counts.
pub(crate) fn pcp(data: &[u8]) {
    let said = pcp::parse(data, *b"twelve bytes");
    if let Ok(Said::Mapped { lifetime, .. }) = said {
        assert!(lifetime <= Duration::from_secs(u32::MAX.into()));
    }
    if data.first() == Some(&2) {
        assert!(said.is_err() || data.get(24..36) == Some(b"twelve bytes"));
    }
}
