//! The ground floor: values that every room speaks in, with no room of ours below.

pub mod control;
pub mod digest;
pub mod id;
pub mod limits;
pub mod map;
pub mod number;
pub mod page;
pub mod peer;
pub mod range;
pub mod rng;
pub mod scrub;
pub mod segment;
pub mod set;
pub mod time;
pub mod units;
pub mod url;
