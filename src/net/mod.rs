//! Sockets: ports that do not know each other, on a common ground.

pub mod admin;
pub mod discovery;
pub mod ground;
pub mod origin;
pub mod peer;
pub mod player;
