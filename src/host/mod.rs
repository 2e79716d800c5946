//! What the system gives and takes: clock, signals, service manager, log.

pub mod clock;
pub mod log;
pub mod notebook;
pub mod notify;
pub mod sensors;
pub mod signals;
