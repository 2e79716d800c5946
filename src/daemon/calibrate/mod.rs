//! `neap calibrate`: what this device draws for what neap does, by a meter that somebody reads.

pub mod command;
pub mod fit;
pub mod sample;
