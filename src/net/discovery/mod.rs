//! How other nodes are found: in the same home by DNS-SD.

pub mod lan;
pub mod links;
pub mod nat;
pub mod sightings;
