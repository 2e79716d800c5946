//! Fuzzes schedule: see caps.rs.

#![no_main]

#[path = "../caps.rs"]
#[allow(dead_code, reason = "each target uses its own entry")]
mod caps;

libfuzzer_sys::fuzz_target!(|data: &[u8]| caps::schedule(data));
