//! Peers: whom to dial, whom to believe, whom to give to.

pub mod roster;
pub mod slots;
pub mod trust;
