//! Caps: what is used of each, what is left, and what may be done next.

pub mod bucket;
pub mod quota;
pub mod readings;
