//! The real binary on loopback, between a scripted origin and a player that speaks raw HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "the modules of one test target are each other's only readers")]

mod caching;
mod collapsing;
mod daemon;
mod memory;
mod messages;
mod network;
mod operating;
mod origin;
mod pacing;
mod parts;
mod player;
mod ranges;
mod refusals;
mod reloading;
mod standby;
mod streaming;
mod upgrading;
mod wait;
