//! What the device tells of itself: files below `/proc` and `/sys`, read when somebody asks.

pub mod bus;
pub mod device;
pub mod heat;
pub mod memory;
pub mod power;
pub mod process;
pub mod route;
pub mod tree;
pub mod wall;
pub mod wear;
