//! Bytes and their meaning: formats as pure functions, nothing of the network itself.

pub mod http;
