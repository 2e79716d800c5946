//! How other nodes are found: in the same home by DNS-SD, elsewhere by way of trackers.

pub mod lan;
pub mod links;
pub mod nat;
pub mod sightings;
mod upnp;
pub mod wan;
mod web;
