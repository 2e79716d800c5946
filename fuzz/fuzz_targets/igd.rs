//! Fuzzes igd: see reach.rs.

#![no_main]

#[path = "../reach.rs"]
#[allow(dead_code, reason = "each target uses its own entry")]
mod reach;

libfuzzer_sys::fuzz_target!(|data: &[u8]| reach::igd(data));
