//! The same seed gives the same outputs: all of them in one number.

use core::fmt::{self, Write as _};

use neap::base::digest::Digest;
use neap::base::time::Instant;
use neap::node::event::Output;

#[derive(Default)]
pub struct Trace {
    /// Whether it is worth the time.
    pub on: bool,
    state: u64,
}

impl Trace {
    pub fn add(&mut self, (now, node): (Instant, usize), output: &Output) {
        if self.on {
            let written = write!(self, "{} {node} {output:?}", now.as_micros());
            debug_assert!(written.is_ok(), "a number takes all text");
        }
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.state.to_le_bytes())
    }
}

impl fmt::Write for Trace {
    /// FNV-1a.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.state = (self.state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        Ok(())
    }
}
