//! Caps: what is used of each, what is left, and what may be done next.

pub mod readings;
