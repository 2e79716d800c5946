//! Sockets: ports to players, origins and operators that do not know each other.

pub mod admin;
pub mod origin;
pub mod player;
