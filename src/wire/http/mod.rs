//! HTTP/1.1 as bytes (RFC 9110, RFC 9112): heads, bodies, ranges, cache directives.

pub mod body;
pub mod conditions;
pub mod cookie;
pub mod directives;
pub mod fields;
pub mod head;
pub mod integrity;
pub mod range;
mod structured;
