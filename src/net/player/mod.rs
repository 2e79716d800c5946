//! The player's port: HTTP/1.1 in, the store followed out.

pub mod connection;
pub mod desk;
pub mod exchange;
pub mod gate;
pub mod idle;
pub mod listener;
pub mod pace;
pub mod refusal;
pub mod respond;
mod upload;
