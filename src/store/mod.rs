//! Bytes at rest: rows of blocks in memory and on disk, followed by readers as they fill.
