//! Swarms.
