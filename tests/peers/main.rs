//! Two ports to peers in one process over loopback: greetings, refusals, blocks, garbage.

#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside the node: they have a clock and may wait for conditions"
)]
#![allow(unreachable_pub, reason = "the modules of one test program")]

#[path = "../upstream/certificate.rs"]
#[allow(dead_code, reason = "made for servers; devices need a part of it")]
mod certificate;
mod node;

mod blocks;
mod garbage;
mod joining;
mod later;
mod quic;
mod trackers;
mod vendor;
