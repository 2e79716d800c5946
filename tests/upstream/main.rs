//! The real binary towards its origins: a scripted origin on loopback, and what the player gets.

#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside the node: they have a clock and may wait for conditions"
)]
#![allow(unreachable_pub, reason = "the modules of one test program")]

mod certificate;
mod node;
mod origin;
mod player;

mod bodies;
mod connections;
mod disk;
mod entitled;
mod failover;
mod faults;
mod identity;
mod large;
mod live;
mod redirects;
mod secure;
mod stale;
mod suffering;
