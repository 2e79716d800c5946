//! The origin's port: HTTP/1.1 out, the store filled.

mod answered;
mod budget;
pub mod client;
pub mod connection;
pub mod delivery;
pub mod dial;
pub mod pool;
mod redirect;
pub mod request;
mod spare;
pub mod tls;
