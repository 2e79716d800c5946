//! Decisions, pure: columns that do not know each other and are joined in `node`.

pub mod cache;
pub mod caps;
pub mod peers;
pub mod schedule;
pub mod timeline;
pub mod verify;
