//! The engines joined, pure: one machine with inputs, outputs and a next deadline.

pub mod answer;
pub mod arrive;
pub mod end;
pub mod event;
pub mod exchange;
pub mod fetch;
pub mod health;
pub mod keep;
pub mod machine;
pub mod memo;
pub mod peering;
pub mod report;
pub mod response;
pub mod serve;
pub mod status;
