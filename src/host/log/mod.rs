//! The log: lines masked, repeats counted, written without ever holding up the caller.

pub mod logger;
pub mod queue;
pub mod repeats;
pub mod sink;
