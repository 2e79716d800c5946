//! Bytes and their meaning: formats as pure functions, nothing of the network itself.

pub mod cmcd;
pub mod cmsd;
pub mod dash;
pub mod frame;
pub mod hls;
pub mod http;
pub mod message;
pub mod plan;
pub mod playlist;
pub mod record;
pub mod rewrite;
