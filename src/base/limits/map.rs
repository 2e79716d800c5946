//! Bounds of sorted maps.

/// Entries in one run of a map: what is moved at most when one comes or goes, while thirty
/// thousand entries are still only five hundred runs.
pub const RUN: usize = 64;
