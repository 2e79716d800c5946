//! Fuzzes sheet: see kept.rs.

#![no_main]

#[path = "../kept.rs"]
#[allow(dead_code, reason = "each target uses its own entry")]
mod kept;

libfuzzer_sys::fuzz_target!(|data: &[u8]| kept::sheet(data));
