//! Bytes at rest: rows of blocks in memory and on disk, followed by readers as they fill.

pub mod disk;
pub mod files;
pub mod flow;
pub mod forget;
pub mod load;
pub mod memory;
pub mod notice;
pub mod reader;
pub mod row;
pub mod rows;
pub mod save;
pub mod scan;
pub mod sheet;
pub mod writer;
