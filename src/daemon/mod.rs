//! The running node: doors opened, the one loop, the order of shutdown.

pub mod status;
