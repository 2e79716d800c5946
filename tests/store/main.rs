//! The store under test: followers, bounds, the disk, its faults, and kill -9 at any moment.

#![allow(unreachable_pub, reason = "modules of one test binary")]
#![allow(clippy::unwrap_used, reason = "what surprises a test fails it")]

mod disk;
mod faults;
mod folder;
mod kill;
mod random;
mod rows;

use neap::base::limits;
use neap::base::range::ByteRange;
use neap::store::reader::{Next, Reader};
use neap::store::rows::{Options, Store};
use neap::store::writer::{Closed, Progress, Writer};

/// Bytes `range` of the representation that `seed` names: long period, every block differs.
pub fn content(seed: u64, range: ByteRange) -> Vec<u8> {
    let word = |n: u64| n.wrapping_add(seed << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let whole = range.aligned(8);
    let mut bytes = Vec::new();
    (whole.start / 8..whole.end / 8).for_each(|n| bytes.extend(word(n).to_le_bytes()));
    let from = usize::try_from(range.start - whole.start).unwrap();
    bytes.drain(..from);
    bytes.truncate(usize::try_from(range.len()).unwrap());
    bytes
}

/// A store without a disk.
pub fn in_memory(memory: u64) -> Store {
    Store::new(Options { memory, path: None })
}

/// Receives into one buffer at most `chunk` bytes; `None` when the writer has reached its end.
pub async fn receive(
    writer: &mut Writer,
    seed: u64,
    chunk: usize,
) -> Result<Option<Progress>, Closed> {
    let at = writer.position();
    let room = writer.room().await?;
    if room.is_empty() {
        return Ok(None);
    }
    let n = room.len().min(chunk);
    room[..n].copy_from_slice(&content(seed, ByteRange::new(at, at + n as u64)));
    Ok(Some(writer.filled(n)))
}

/// Receives until the writer's end.
pub async fn receive_all(writer: &mut Writer, seed: u64, chunk: usize) -> Result<(), Closed> {
    while receive(writer, seed, chunk).await?.is_some() {}
    Ok(())
}

/// Receives as long as the writer needs not wait.
pub fn receive_now(writer: &mut Writer, seed: u64, chunk: usize) {
    let mut go = true;
    while go {
        let step = smol::future::poll_once(receive(writer, seed, chunk));
        go = matches!(smol::block_on(step), Some(Ok(Some(_))));
    }
}

/// Checks that `next` brought the right bytes of `seed` from `at` on; answers how many.
pub fn check(next: &Next, seed: u64, at: u64) -> u64 {
    let Next::Bytes(parts) = next else { panic!("expected bytes at {at}, got {next:?}") };
    let bytes = parts.concat();
    assert!(!bytes.is_empty() && bytes.len() as u64 <= limits::cache::BATCH);
    let range = ByteRange::new(at, at + bytes.len() as u64);
    assert!(bytes == content(seed, range), "wrong bytes in {range} of {seed}");
    range.len()
}

/// Reads on to the end; answers where it ended or what is missing.
pub async fn read_on(reader: &mut Reader, seed: u64, max: u64) -> Result<u64, ByteRange> {
    loop {
        let at = reader.position();
        match reader.next(max).await {
            Next::End => return Ok(at),
            Next::Missing(range) => return Err(range),
            next => {
                assert_eq!(at + check(&next, seed, at), reader.position());
            }
        }
    }
}
