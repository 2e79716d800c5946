//! The ground that the ports stand on: binding, the door to the loop, the reactor, tasks, patience.

pub mod bind;
pub mod door;
pub mod patience;
pub mod reactor;
pub mod tasks;
