//! The player's port: HTTP/1.1 in, the store followed out.
