//! Bytes and their meaning: formats as pure functions, nothing of the network itself.

pub mod cmcd;
pub mod cmsd;
pub mod dash;
pub mod frame;
pub mod gzip;
pub mod hls;
pub mod http;
pub mod igd;
pub mod membership;
pub mod message;
pub mod pcp;
pub mod plan;
pub mod playlist;
pub mod punch;
pub mod record;
pub mod record_file;
pub mod rewrite;
pub mod stun;
pub mod switch;
mod tags;
pub mod tracker;
mod variables;
