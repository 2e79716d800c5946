//! The engines joined, pure: one machine with inputs, outputs and a next deadline.

pub mod report;
pub mod status;
