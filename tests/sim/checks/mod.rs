//! What must hold in every world, one thing a file.

pub mod all;
pub mod answers;
pub mod bans;
pub mod bounds;
pub mod caps;
pub mod policy;
pub mod privacy;
pub mod stalls;
pub mod trace;
pub mod verified;
