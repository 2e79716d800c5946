//! The ground that the ports stand on: the door to the loop, the reactor, tasks, patience.

pub mod door;
pub mod patience;
pub mod reactor;
pub mod tasks;
