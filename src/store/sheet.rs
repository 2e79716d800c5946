//! The format of a slice on disk: one file, a head that proves itself, block digests, the bytes.

use core::fmt;

use crate::base::digest::Digest;
use crate::base::limits;

/// The head of a slice file: everything in front of its bytes. See docs/store.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The slice's number in its row.
    pub slice: u32,
    /// The caller's name for the representation.
    pub key: Digest,
    /// The caller's words, opaque here; at most [`limits::cache::SHEET_HEADER`] bytes.
    pub header: Vec<u8>,
    /// Bytes of the payload: 1 ..= [`limits::block::SLICE`].
    pub payload: u32,
    /// SHA-256 of each block of the payload.
    pub digests: Vec<Digest>,
}

/// Why a file is not a slice of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSheet {
    /// It ends too early or is longer than it says.
    Length,
    /// It does not begin as our files do.
    Magic,
    /// Another version of the format.
    Version(u16),
    /// The head is not the one that was written.
    Digest,
}

impl fmt::Display for BadSheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("the file has a wrong length"),
            Self::Magic => f.write_str("the file does not begin as a slice does"),
            Self::Version(version) => write!(f, "the file has format version {version}"),
            Self::Digest => f.write_str("the head of the file is damaged"),
        }
    }
}

impl std::error::Error for BadSheet {}

impl Head {
    /// The head as it is written, in network byte order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = u32::try_from(self.header.len()).expect("headers are bounded by 64 KiB");
        let mut out = Vec::with_capacity(FIXED + self.header.len() + 32 * self.digests.len() + 32);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.slice.to_be_bytes());
        out.extend_from_slice(&self.key.0);
        out.extend_from_slice(&header.to_be_bytes());
        out.extend_from_slice(&self.payload.to_be_bytes());
        out.extend_from_slice(&self.header);
        self.digests.iter().for_each(|digest| out.extend_from_slice(&digest.0));
        let seal = Digest::of(&out);
        out.extend_from_slice(&seal.0);
        out
    }

    /// Bytes of the whole head, as its first [`FIXED`] bytes say.
    pub fn length(fixed: &[u8; FIXED]) -> Result<usize, BadSheet> {
        if &fixed[..8] != MAGIC {
            return Err(BadSheet::Magic);
        }
        let version = u16::from_be_bytes([fixed[8], fixed[9]]);
        if version != VERSION {
            return Err(BadSheet::Version(version));
        }
        let (header, payload) = (word(fixed, 48), word(fixed, 52));
        let header = usize::try_from(header).map_err(|_| BadSheet::Length)?;
        let whole = 1..=limits::block::SLICE;
        if header > limits::cache::SHEET_HEADER || !whole.contains(&u64::from(payload)) {
            return Err(BadSheet::Length);
        }
        Ok(FIXED + header + 32 * blocks(payload) + 32)
    }

    /// Reads a whole head back; `bytes` must be as long as [`Head::length`] says.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadSheet> {
        let fixed = bytes.first_chunk::<FIXED>().ok_or(BadSheet::Length)?;
        if bytes.len() != Self::length(fixed)? {
            return Err(BadSheet::Length);
        }
        let (sealed, seal) = bytes.split_last_chunk::<32>().ok_or(BadSheet::Length)?;
        if Digest::of(sealed).0 != *seal {
            return Err(BadSheet::Digest);
        }
        let payload = word(fixed, 52);
        let (header, digests) =
            sealed[FIXED..].split_at(sealed.len() - FIXED - 32 * blocks(payload));
        let mut key = Digest([0; 32]);
        key.0.copy_from_slice(&fixed[16..48]);
        let digests = digests.chunks_exact(32).map(|chunk| {
            let mut digest = Digest([0; 32]);
            digest.0.copy_from_slice(chunk);
            digest
        });
        let (header, digests) = (header.to_vec(), digests.collect());
        Ok(Self { slice: word(fixed, 12), key, header, payload, digests })
    }
}

/// A slice file's name: the key's first 16 bytes, the slice, and a serial number that no two
/// files of a folder share, so that dropping an old file never drops its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SheetName {
    pub(super) key: [u8; 16],
    pub(super) slice: u32,
    pub(super) serial: u64,
}

impl SheetName {
    pub(super) fn new(key: Digest, slice: u32, serial: u64) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&key.0[..16]);
        Self { key: short, slice, serial }
    }

    /// Reads the last part of a path, which must be exactly as it is written.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let (key, slice, serial) = (parts.next()?, parts.next()?, parts.next()?);
        let key = u128::from_str_radix(key, 16).ok()?.to_be_bytes();
        let slice = u32::from_str_radix(slice, 16).ok()?;
        let read = Self { key, slice, serial: u64::from_str_radix(serial, 16).ok()? };
        (read.to_string().get(3..) == Some(name)).then_some(read)
    }

    /// Where the file is made before it gets its name.
    pub(super) fn temporary(self) -> String {
        format!("{self}{TEMPORARY}")
    }

    /// Whether `key` and `slice` are the ones that this name stands for.
    pub(super) fn fits(self, head: &Head) -> bool {
        self.key == head.key.0[..16] && self.slice == head.slice
    }
}

impl fmt::Display for SheetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}/", self.key[0])?;
        self.key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:08x}-{:016x}", self.slice, self.serial)
    }
}

/// Blocks that a payload of `bytes` has.
pub(super) fn blocks(bytes: u32) -> usize {
    usize::try_from(u64::from(bytes).div_ceil(limits::block::BLOCK)).unwrap_or(usize::MAX)
}

fn word(bytes: &[u8; FIXED], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Bytes of the part of the head that has a fixed length.
pub const FIXED: usize = 56;

/// What a file has at the end of its name while it is being written.
pub(super) const TEMPORARY: &str = ".part";

const MAGIC: &[u8; 8] = b"neap.slc";

/// Version of the format; files of any other are removed at the start.
pub const VERSION: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let payload = u32::try_from(limits::block::BLOCK + 5).expect("a small number");
        let digests = vec![Digest::of(b"1"), Digest::of(b"2")];
        Head { slice: 7, key: Digest::of(b"k"), header: b"words".to_vec(), payload, digests }
    }

    #[test]
    fn what_is_written_reads_back() {
        let bytes = head().to_bytes();
        let fixed = bytes.first_chunk().expect("a whole head");
        assert_eq!(Head::length(fixed), Ok(bytes.len()));
        assert_eq!(Head::parse(&bytes), Ok(head()));
    }

    #[test]
    fn every_prefix_and_every_flipped_bit_is_refused() {
        let bytes = head().to_bytes();
        for end in 0..bytes.len() {
            assert!(Head::parse(&bytes[..end]).is_err(), "prefix of {end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Head::parse(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = head().to_bytes();
        bytes[9] = 9;
        assert_eq!(Head::parse(&bytes), Err(BadSheet::Version(9)));
    }

    #[test]
    fn a_name_reads_back_and_no_other_does() {
        let name = SheetName::new(Digest::of(b"k"), 3, 0x1_0000_0000);
        let text = name.to_string();
        assert_eq!(SheetName::parse(&text[3..]), Some(name));
        assert_eq!(SheetName::parse(&text), None);
        assert_eq!(SheetName::parse(&text[3..].to_uppercase()), None);
        assert_eq!(SheetName::parse(&format!("{}{TEMPORARY}", &text[3..])), None);
        assert_eq!(SheetName::parse("lock"), None);
    }
}
