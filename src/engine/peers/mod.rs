//! Other nodes: whom to link with, who is trusted, and who is given how much.

mod dials;
pub mod gossip;
mod guest;
pub mod hold;
pub mod ledger;
pub mod meeting;
mod memory;
pub mod reach;
mod room;
pub mod roster;
pub mod slots;
mod strangers;
pub mod trust;
