//! Other nodes: whom to link with, who is trusted, and who is given how much.

mod guest;
pub mod hold;
pub mod reach;
pub mod roster;
pub mod slots;
pub mod trust;
