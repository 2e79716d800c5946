//! The RFC 9111 cache: what is fresh, what is kept, what goes.
