//! Every bound of the program with its reason; nothing in neap grows without one.

pub mod block;
pub mod cache;
pub mod config;
pub mod device;
pub mod http;
pub mod link;
pub mod map;
pub mod meeting;
pub mod operator;
pub mod record;
pub mod stream;
pub mod swarm;
pub mod upload;
