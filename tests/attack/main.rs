//! The real daemon under attack over loopback: floods, holders, garbage and crowds. Through all of
//! it the player plays on, and memory and log stay within bounds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside the node: they have a clock and threads"
)]
#![allow(unreachable_pub, reason = "the modules of one test program")]

#[path = "../daemon/daemon.rs"]
#[allow(dead_code, reason = "made for tests of players; attackers need a part of it")]
mod daemon;
#[path = "../daemon/origin.rs"]
#[allow(dead_code, reason = "made for tests of players; attackers need a part of it")]
mod origin;
#[path = "../daemon/player.rs"]
#[allow(dead_code, reason = "made for tests of players; attackers need a part of it")]
mod player;
#[path = "../daemon/wait.rs"]
#[allow(dead_code, reason = "made for tests of players; attackers need a part of it")]
mod wait;

#[path = "../peers/node.rs"]
#[allow(dead_code, reason = "made for tests of links; attackers need a part of it")]
mod node;

mod crowds;
mod datagrams;
mod floods;
mod member;
mod replaced;
mod strangers;
mod theatre;
