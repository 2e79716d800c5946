//! What is done with fuzzed answers of STUN and of routers.

use core::net::Ipv4Addr;
use core::time::Duration;

use neap::wire::igd::{self, Action, Place};
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

/// What comes as a router's answer to a search, its description, or its answer to a request: no
/// place but the router's own is ever named, and none that could end a request line.
pub(crate) fn igd(data: &[u8]) {
    let router = Ipv4Addr::new(192, 168, 1, 1);
    let is_clean = |place: &Place| {
        assert!(place.path.starts_with('/') && place.path.bytes().all(|b| b.is_ascii_graphic()));
    };
    if let Ok(place) = igd::location(data, router) {
        is_clean(&place);
    }
    let at = Place { port: 5000, path: "/root.xml".into() };
    if let Ok(service) = igd::service(data, (router, &at)) {
        is_clean(&service.place);
        let request = service.request(router, Action::Address);
        assert!(request.split("\r\n\r\n").count() == 2, "one head and one body");
    }
    let _ = igd::answer(200, data);
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
