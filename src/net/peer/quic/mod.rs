//! The carrier beyond the home, QUIC (RFC 9000): one UDP socket for each address family, driven
//! on the house's own loop.

pub mod answers;
pub mod clock;
pub mod courtesy;
pub mod endpoint;
pub mod gate;
pub mod halves;
pub mod ledbat;
pub mod line;
pub mod socket;
pub mod terms;
pub mod train;
