//! The engines joined, pure: one machine with inputs, outputs and a next deadline.

pub mod ahead;
pub mod answer;
pub mod arrive;
pub mod download;
pub mod end;
pub mod event;
pub mod exchange;
pub mod fetch;
pub mod health;
pub mod keep;
pub mod machine;
pub mod memo;
pub mod neighbours;
pub mod pace;
pub mod peering;
pub mod proving;
pub mod publisher;
pub mod report;
pub mod response;
pub mod serve;
pub mod shadow;
pub mod share;
pub mod status;
pub mod swarm;
pub mod transfer;
