//! The configuration: as written, then as meant.

pub mod caps;
pub mod change;
pub mod file;
pub mod hours;
pub mod keys;
pub mod layers;
pub mod merge;
pub mod model;
pub mod near;
pub mod nearest;
pub mod odd;
pub mod problem;
pub mod read;
pub mod secret;
pub mod show;
pub mod site;
pub mod subnet;
pub mod tight;
pub mod tracker;
pub mod words;
