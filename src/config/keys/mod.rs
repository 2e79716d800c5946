//! The keys of the file, in tables by what they are about.

pub mod caps;
pub mod device;
pub mod key;
pub mod network;
pub mod origin;
pub mod table;
