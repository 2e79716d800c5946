//! What the device tells of itself, and what outlives a start.

use core::time::Duration;

/// Bytes of a page of the notebook: a month of days for two volumes is 2 KiB, a ledger of a
/// hundred origins 10 KiB.
pub const PAGE: u64 = 64 * 1024;

/// A page is written no more often than this, but at the end: twelve writes of 4 KiB an hour are
/// below half a GiB a year of what an eMMC bears.
pub const NOTE: Duration = Duration::from_secs(300);

/// Bytes of a file of a sensor that are read: a page, but for routing tables and mounts, which
/// have a line each.
pub const SENSOR_FILE: u64 = 32 * 1024;

/// Sensors of one kind, or files of one, that are looked at: a server has forty.
pub const SENSORS: usize = 128;

/// Interfaces that are told of: a router has ten.
pub const INTERFACES: usize = 16;

/// Bytes of a time zone's file; the longest of the database (2026a, "fat") has 3.7 KiB.
pub const ZONE: u64 = 64 * 1024;

/// The managers of network and modem are asked no more often what they know of the line.
pub const LINE_ASKED: Duration = Duration::from_secs(60);
