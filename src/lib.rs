//! neap: a small daemon that fetches each video segment once for every player around it.
//!
//! The rooms stand in the order in which they may use each other; see ARCHITECTURE.md.

pub mod base;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod host;
pub mod net;
pub mod node;
pub mod store;
pub mod wire;
