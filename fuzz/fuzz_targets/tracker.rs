//! Fuzzes tracker: see link.rs.

#![no_main]

#[path = "../link.rs"]
#[allow(dead_code, reason = "each target uses its own entry")]
mod link;

libfuzzer_sys::fuzz_target!(|data: &[u8]| link::tracker(data));
