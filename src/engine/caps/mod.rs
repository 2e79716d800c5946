//! Caps: what is used of each, what is left, and what may be done next.

pub mod account;
pub mod bandwidth;
pub mod bucket;
pub mod cause;
pub mod energy;
pub mod governor;
pub mod keeping;
pub mod level;
pub mod meter;
pub mod quota;
pub mod ram;
pub mod rates;
pub mod readings;
pub mod uplink;
pub mod work;
