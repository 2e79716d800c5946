//! The RFC 9111 cache: what is fresh, what is kept, what goes.

pub mod evict;
pub mod freshness;
pub mod ghost;
pub mod hash;
pub mod index;
pub mod merge;
pub mod record;
pub mod reuse;
pub mod vary;
