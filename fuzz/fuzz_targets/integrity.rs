//! Fuzzes integrity: see http.rs.

#![no_main]

#[path = "../http.rs"]
#[allow(dead_code, reason = "each target uses its own entry")]
mod http;

libfuzzer_sys::fuzz_target!(|data: &[u8]| http::integrity(data));
