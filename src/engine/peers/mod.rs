//! Other nodes: whom to link with, who is trusted, and who is given how much.

pub mod slots;
