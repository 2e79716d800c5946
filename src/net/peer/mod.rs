//! Peers: who this node is, links over TLS and TCP in the home and over QUIC beyond it, and the
//! port to them.

pub mod budget;
pub mod carrier;
pub mod dial;
pub mod goodbye;
pub mod greeting;
pub mod guests;
pub mod hearing;
pub mod identity;
pub mod inlet;
pub mod link;
pub mod lobby;
pub mod outlet;
pub mod port;
pub mod proving;
pub mod pulse;
pub mod quic;
pub mod records;
pub mod seal;
pub mod secure;
pub mod settings;
pub mod tcp;
pub mod vendor;
