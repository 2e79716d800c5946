//! The files of the configuration and what they name.

/// Bytes of one configuration file; a long one with hundreds of origins is 100 KiB.
pub const CONFIG: u64 = 1024 * 1024;

/// Drop-in files in one folder; a package or two and the owner write a handful.
pub const DROP_INS: usize = 256;

/// Configured origins; each request and playlist line is compared with all of them.
pub const ORIGINS: usize = 256;

/// Origins that one run may have had one after the other: a change keeps the places of those that
/// are gone, at a few hundred bytes each.
pub const PLACES: usize = 1024;

/// Errors of the configuration that are listed in one run; more than this is not read.
pub const PROBLEMS: usize = 100;

/// Characters of an origin's name: it is a part of every URL that players see.
pub const NAME: usize = 64;

/// Bytes of a network's secret at least: 128 bits cannot be guessed.
pub const SECRET_LEAST: usize = 16;

/// Bytes of a network's secret at most; more adds nothing, and points to the wrong file.
pub const SECRET_MOST: u64 = 4096;

/// Keys or addresses in one list of `[network]`: an operator names a handful.
pub const NAMED_NODES: usize = 64;

/// Bytes of a file that holds a key, a secret or an admission.
pub const KEY_FILE: u64 = 64 * 1024;

/// Trackers in the configuration: a first choice and spares.
pub const TRACKERS: usize = 8;

/// Prefixes of the provider, and of one group: the largest networks announce a few thousand.
pub const NEAR_PREFIXES: usize = 4_096;

/// Bytes of a tracker's path in the configuration.
pub const TRACKER_TARGET: usize = 512;

/// The largest audience that may be asked for before a stream is shared widely.
pub const AUDIENCE: usize = 1_000_000;
