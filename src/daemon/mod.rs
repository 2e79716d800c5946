//! The running node: doors opened, the one loop, the order of shutdown.

pub mod arguments;
pub mod check;
pub mod status;
