//! The ground that the ports stand on: the door to the loop, the reactor, patience.

pub mod door;
pub mod patience;
pub mod reactor;
