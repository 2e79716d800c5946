//! Fuzzes what players say about themselves: see kept.rs.

#![no_main]

#[path = "../kept.rs"]
#[allow(dead_code, reason = "each target uses its own entry")]
mod kept;

libfuzzer_sys::fuzz_target!(|data: &[u8]| kept::cmcd(data));
