//! What this process has used, by the kernel's count.

use std::fs;

use nix::time::{ClockId, clock_gettime};

use super::tree::{Tree, field};
use crate::engine::caps::readings::Process;

/// The counters of this process. They are the kernel's in any case: a tree of files that stands
/// in for `/proc` elsewhere cannot know them.
#[derive(Debug)]
pub struct Own {
    proc: Tree,
    page: u64,
}

impl Own {
    /// The counters, with the size of a page as the kernel told it at the start.
    pub fn new() -> Self {
        let proc = Tree::new("/proc/self".as_ref());
        let told = fs::read(proc.path("auxv")).unwrap_or_default();
        Self { page: page_size(&told).unwrap_or(4096), proc }
    }

    /// Reads them, on the thread that turns the loop.
    pub fn read(&self) -> Process {
        let statm = self.proc.text("statm");
        let pages = statm.as_deref().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
        Process {
            cpu_micros: clock(ClockId::CLOCK_PROCESS_CPUTIME_ID),
            loop_micros: clock(ClockId::CLOCK_THREAD_CPUTIME_ID),
            resident: pages.map(|pages| pages.saturating_mul(self.page)),
            written: self.proc.text("io").and_then(|text| field(&text, "write_bytes")),
        }
    }
}

impl Default for Own {
    fn default() -> Self {
        Self::new()
    }
}

fn clock(which: ClockId) -> Option<u64> {
    let time = clock_gettime(which).ok()?;
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    let micros = u64::try_from(time.tv_nsec() / 1000).ok()?;
    Some(seconds.saturating_mul(1_000_000).saturating_add(micros))
}

/// The size of a page in the auxiliary vector: pairs of machine words, `AT_PAGESZ` is 6
/// (getauxval(3)).
fn page_size(vector: &[u8]) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).ok();
    let pairs = vector.chunks_exact(2 * WORD).map(|pair| pair.split_at(WORD));
    let sizes = pairs.filter(|(key, _)| word(key) == Some(6)).filter_map(|(_, size)| word(size));
    sizes.filter(|size| size.is_power_of_two()).map(|size| size as u64).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_counts_what_the_process_does() {
        let own = Own::new();
        let before = own.read();
        let end = before.loop_micros.expect("Linux has the clock") + 5_000;
        let held = vec![1_u8; 8 << 20];
        while own.read().loop_micros < Some(end) {}
        let after = own.read();
        assert!(after.cpu_micros >= before.cpu_micros.map(|micros| micros + 5_000));
        assert!(after.resident > Some(held.len() as u64), "{after:?}");
        assert!(after.written >= before.written);
    }

    #[test]
    fn every_prefix_of_the_vector_is_borne() {
        let told = fs::read("/proc/self/auxv").expect("Linux has it");
        for end in 0..told.len() {
            assert!(page_size(&told[..end]).is_none_or(u64::is_power_of_two));
        }
        assert!(page_size(&told).is_some_and(|page| page >= 4096));
    }
}
