//! Peers in the home: who this node is, links in TLS 1.3 over TCP, and the port to them.

pub mod greeting;
pub mod hearing;
pub mod identity;
pub mod inlet;
pub mod link;
pub mod outlet;
pub mod port;
pub mod proving;
pub mod seal;
pub mod secure;
pub mod settings;
pub mod tcp;
pub mod vendor;
