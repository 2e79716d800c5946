//! Sockets: ports to players, origins and operators that do not know each other, on a common
//! ground of three files: the reactor, the door to the loop, and patience.

pub mod admin;
pub mod door;
pub mod origin;
pub mod patience;
pub mod player;
pub mod reactor;
