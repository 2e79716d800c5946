//! What peers are given, in which order, and how it is remembered.

use core::time::Duration;

use crate::base::units::Rate;

use super::config;

/// Blocks that one peer may wait for: four pipelines of the greediest.
pub const WAITING: u32 = 64;

/// Blocks that are on their way to one peer: one in the carrier, one behind it.
pub const FLIGHT_PEER: u32 = 2;

/// Blocks that are on their way to all peers who take them, read into memory: 512 KiB, and two of
/// each who does not. While the local player is busy it is half.
pub const FLIGHT: u32 = 8;

/// How much of a slow line's time is on its way to peers.
pub const FLIGHT_TIME: Duration = Duration::from_millis(200);

/// A peer that takes nothing of what is on its way to it for this long keeps nobody waiting: much
/// more than a block takes, and little for a player.
pub const STUCK: Duration = Duration::from_secs(1);

/// How long one peer has the optimistic slot.
pub const OPTIMISTIC: Duration = Duration::from_secs(10);

/// In this time what was given and taken counts half.
pub const FAIR_HALF: Duration = Duration::from_secs(60);

/// Bytes that anyone is given before it counts whether it gives: two segments of a newcomer.
pub const ADVANCE: u64 = 8 * 1024 * 1024;

/// A peer that gives little, and waits this long while others are served, is told so.
pub const CHOKE_AFTER: Duration = Duration::from_secs(2);

/// Blocks of which is known how often they were given, so that all are given once first.
pub const COPIES: usize = 4_096;

/// The most that goes to peers anywhere by itself, where the uplink is fast or not known: two of
/// a usual line's ten to forty upward.
pub const WAN_UPLOAD: Rate = Rate(2_000_000);

/// How long it is believed what the uplink was measured to carry: lines are changed by the month.
pub const UPLINK_KNOWN: Duration = Duration::from_secs(28 * 24 * 3600);

/// Accounts of the ledger: every origin with its three tiers.
pub const ACCOUNTS: usize = 3 * config::ORIGINS;

/// Keys of which it is remembered what they gave and were given, when their link has ended.
pub const REMEMBERED: usize = 1_024;
