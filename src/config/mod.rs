//! The configuration: as written, then as meant.

pub mod model;
