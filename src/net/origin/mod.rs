//! The origin's port: HTTP/1.1 out, the store filled.
