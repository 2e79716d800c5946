//! The operator's port: status page, JSON, metrics and the control socket.

pub mod call;
pub mod caps;
pub mod chart;
pub mod client;
mod escape;
pub mod exchange;
pub mod ledger;
pub mod listener;
pub mod metrics;
pub mod page;
pub mod table;
pub mod window;
pub mod words;
