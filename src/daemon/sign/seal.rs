//! One file's records: its blocks' digests taken, signed, and laid beside it.

use core::time::Duration;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ring::signature::{Ed25519KeyPair, KeyPair};

use super::fault::Fault;
use super::listing::{Item, media_type};
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::peer::NodeKey;
use crate::base::segment::{SegmentId, resource};
use crate::base::time::Date;
use crate::wire::record::{Record, Statement};
use crate::wire::record_file::{self, ENDING};

/// Who signs, for which origin and for how long.
pub(super) struct Sealer<'a> {
    pub(super) pair: Ed25519KeyPair,
    pub(super) origin: &'a str,
    pub(super) date: Date,
    pub(super) valid: Duration,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// It has new records, so many.
    New(u32),
    /// Its records are as good as new ones.
    Kept,
}

impl Sealer<'_> {
    /// Reads the key that signs: as `neap key` writes it, or without its public half, as
    /// `openssl genpkey` does.
    pub(super) fn key(path: &Path) -> Result<Ed25519KeyPair, Fault> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(KEY).read_to_end(&mut bytes));
        read.map_err(|error| Fault::system(path, "the key cannot be read", &error))?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes).map_err(|_| {
            Fault::at(path, "holds no Ed25519 key in PKCS#8 DER: make one with 'neap key'")
        })
    }

    /// Whose name stands in the records.
    pub(super) fn signer(&self) -> NodeKey {
        let mut key = NodeKey([0; 32]);
        key.0.copy_from_slice(self.pair.public_key().as_ref());
        key
    }

    /// Makes the record file of one file, unless it has a good one; `tell` hears of bytes read.
    pub(super) fn seal(
        &self,
        path: &Path,
        item: &Item,
        tell: &mut impl FnMut(u64),
    ) -> Result<Sealed, Fault> {
        let name = resource(self.origin, &item.resource.target);
        if self.is_sealed(path, item, name) {
            tell(item.length);
            return Ok(Sealed::Kept);
        }
        let segments = item.length.div_ceil(limits::block::SEGMENT);
        let Some(segments) =
            u32::try_from(segments).ok().filter(|n| *n <= limits::record::RECORD_FILE)
        else {
            return Err(Fault::at(path, "is too large: 24 GiB is the most"));
        };
        let unread = |error: io::Error| Fault::system(path, "cannot be read", &error);
        let before = fs::metadata(path).and_then(|about| about.modified()).map_err(unread)?;
        let mut file = File::open(path).map_err(unread)?;
        let mut records = Vec::new();
        for number in 0..segments {
            let segment = SegmentId { resource: name, number };
            let blocks = blocks(&mut file, segment, item.length, tell).map_err(|error| {
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    changed(path)
                } else {
                    unread(error)
                }
            })?;
            let statement = self.statement(path, segment, (item.length, blocks));
            let record = Record::sign(statement, &self.pair);
            records.push(record.map_err(|breach| Fault::at(path, breach.to_string()))?);
        }
        let after = fs::metadata(path).map_err(unread)?;
        if after.len() != item.length || after.modified().map_err(unread)? != before {
            return Err(changed(path));
        }
        let target = beside(path);
        lay(&target, &record_file::write(&records))
            .map_err(|error| Fault::system(&target, "cannot be written", &error))?;
        Ok(Sealed::New(segments))
    }

    fn statement(
        &self,
        path: &Path,
        segment: SegmentId,
        (length, blocks): (u64, Vec<Digest>),
    ) -> Statement {
        let valid = i64::try_from(self.valid.as_secs()).unwrap_or(i64::MAX);
        Statement {
            segment,
            length,
            content_type: media_type(path).unwrap_or_default().into(),
            etag: String::new(),
            last_modified: String::new(),
            lifetime: self.valid.min(limits::cache::HEURISTIC),
            blocks,
            expires: Date(self.date.0.saturating_add(valid)),
        }
    }

    /// Whether the file beside it is newer than any change of this one, of the same signer and
    /// name, and valid for more than half of the time that a new one would be.
    fn is_sealed(&self, path: &Path, item: &Item, name: Digest) -> bool {
        let beside = beside(path);
        let newer = fs::metadata(&beside).and_then(|record| {
            let (media, now) = (fs::metadata(path)?, self.date.0);
            let made = (record.mtime(), record.mtime_nsec());
            // What is copied or moved here may bear an old date: it was changed now all the same.
            let changed = (media.mtime(), media.mtime_nsec());
            let changed = changed.max((media.ctime(), media.ctime_nsec()));
            // A record of tomorrow is newer than anything, whatever its file became meanwhile.
            Ok(made > changed && made.0 <= now)
        });
        let bytes =
            if newer.unwrap_or(false) { bounded(&beside).unwrap_or_default() } else { Vec::new() };
        let Ok(records) = record_file::parse(&bytes) else { return false };
        let enough = |said: &Statement| said.expires.since(self.date) > self.valid / 2;
        let good = |record: &Record| {
            let said = &record.statement;
            let same = said.segment.resource == name && said.length == item.length;
            same && record.signer == self.signer() && enough(said) && record.holds()
        };
        let segments = item.length.div_ceil(limits::block::SEGMENT);
        records.len() as u64 == segments && records.iter().all(good)
    }
}

/// The digests of a segment's blocks, read from where the file stands.
fn blocks(
    file: &mut File,
    segment: SegmentId,
    length: u64,
    tell: &mut impl FnMut(u64),
) -> io::Result<Vec<Digest>> {
    let mut buffer = vec![0; usize::try_from(limits::block::BLOCK).expect("a block is 64 KiB")];
    let blocks = segment.blocks(length).iter().map(|block| {
        let bytes = segment.block(block, length).len();
        let part = &mut buffer[..usize::try_from(bytes).expect("a block is 64 KiB")];
        file.read_exact(part)?;
        tell(bytes);
        Ok(Digest::of(part))
    });
    blocks.collect()
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::from(limits::record::RECORD_FILE) * limits::link::MESSAGE as u64;
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file under another name first, so that a web server never shows half of it.
fn lay(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let part = path.with_file_name(format!(".{name}.part"));
    // What a killed run left is of no use, and a link that lies there is not followed.
    let _ = fs::remove_file(&part);
    let make = || OpenOptions::new().write(true).create_new(true).open(&part);
    let written = make().and_then(|mut file| file.write_all(bytes));
    let written = written.and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // Nothing is left over; what went wrong is told anyway.
        let _ = fs::remove_file(&part);
    }
    written
}

/// Where the record file of a file lies.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ENDING);
    name.into()
}

fn changed(path: &Path) -> Fault {
    Fault::at(path, "changed while it was read: sign it once it is written to its end")
}

/// Bytes of a key file that are read; PKCS#8 of an Ed25519 key has 83.
const KEY: u64 = 4096;
