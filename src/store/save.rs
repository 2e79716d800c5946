//! A slice becomes a file: digests counted, written aside, renamed.

use std::io;

use bytes::Bytes;

use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::range::ByteRange;

use super::files::{Fault, Files};
use super::sheet::{Head, SheetName};

/// A slice that is to become a file.
pub(super) struct Unwritten {
    pub(super) name: SheetName,
    /// Its head, the block digests still to be counted.
    pub(super) head: Head,
    pub(super) parts: Vec<Bytes>,
    /// The digest of each block, as far as it is known.
    pub(super) sums: Vec<Option<Digest>>,
}

/// Bytes that reached the disk, and the head's length or the fault.
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) result: Result<u32, Fault>,
}

/// Writes a slice file: under a temporary name, then renamed (on the blocking pool). Nothing is
/// synced: a power cut may lose the file or parts of it, and the digests will tell.
pub(super) fn write(files: &dyn Files, sheet: &Unwritten, again: bool) -> Written {
    if let Some(Err(fault)) = again.then(|| files.prepare()) {
        return Written { bytes: 0, result: Err(fault) };
    }
    let head =
        Head { digests: digests(&sheet.parts, &sheet.sums), ..sheet.head.clone() }.to_bytes();
    let (name, temporary) = (sheet.name.to_string(), sheet.name.temporary());
    let mut bytes = 0;
    let mut fill = || -> io::Result<()> {
        let mut file = files.create(&temporary)?;
        for part in std::iter::once(&head[..]).chain(sheet.parts.iter().map(|part| &part[..])) {
            file.write_all(part)?;
            bytes += part.len() as u64;
        }
        file.flush()?;
        drop(file);
        files.rename(&temporary, &name)
    };
    let result = fill().map_err(|error| {
        // What is left of it is found and removed by the next scan at the latest.
        let _gone = files.remove(&temporary);
        Fault::of(&error)
    });
    let head = u32::try_from(head.len()).expect("a head has at most 65 KiB");
    Written { bytes, result: result.map(|()| head) }
}

/// The digest of each block of the parts, which never cross a block border; a wrong one among the
/// known would have the block taken for damaged when it is read.
fn digests(parts: &[Bytes], known: &[Option<Digest>]) -> Vec<Digest> {
    let (mut out, mut from, mut range) = (Vec::new(), 0, ByteRange::new(0, 0));
    for (index, part) in parts.iter().enumerate() {
        range.end += part.len() as u64;
        let last = index + 1 == parts.len();
        if range.len() == limits::block::BLOCK || last {
            let parts = || parts[from..=index].iter().map(|part| &part[..]);
            let known = known.get(out.len()).copied().flatten();
            out.push(known.unwrap_or_else(|| Digest::of_parts(parts())));
            (from, range.start) = (index + 1, range.end);
        }
    }
    out
}
