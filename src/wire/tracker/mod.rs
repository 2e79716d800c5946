//! The language of BitTorrent trackers, by which nodes of one stream find each other.

pub mod announce;
pub mod bencode;
pub mod datagram;
pub mod request;
