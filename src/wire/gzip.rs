//! Bodies that an origin packed: gzip (RFC 1952) around deflate (RFC 1951).

use core::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::base::limits;

/// Why a body is not unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no gzip, or not whole.
    Broken,
    /// It becomes longer than it may.
    Long,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "it is no gzip, or not whole",
            Self::Long => "it becomes longer than it may",
        })
    }
}

impl std::error::Error for Fault {}

/// Whether this is what a `Content-Encoding` of one gzip looks like (RFC 9110, 8.4.1.3).
pub fn is_named(coding: &str) -> bool {
    ["gzip", "x-gzip"].iter().any(|name| coding.trim().eq_ignore_ascii_case(name))
}

/// What was packed, if that is all right and no longer than `most` bytes: one member or several,
/// one after the other (RFC 1952, 2.2).
pub fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    let mut inflater = Box::<DecompressorOxide>::default();
    let mut rest = packed;
    for _ in 0..limits::stream::MEMBERS {
        rest = member(rest, &mut text, (most, &mut inflater))?;
        if rest.is_empty() {
            return Ok(text);
        }
    }
    Err(Fault::Broken)
}

/// Unpacks one member to the end of the text; what follows it.
fn member<'a>(
    packed: &'a [u8],
    text: &mut Vec<u8>,
    (most, inflater): (usize, &mut DecompressorOxide),
) -> Result<&'a [u8], Fault> {
    let mut rest = head(packed).and_then(|at| packed.get(at..)).ok_or(Fault::Broken)?;
    let start = text.len();
    let mut end = start;
    inflater.init();
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    loop {
        let own = &mut text[start..];
        let (status, read, written) = decompress(inflater, rest, own, end - start, flags);
        (rest, end) = (rest.get(read..).ok_or(Fault::Broken)?, end + written);
        match status {
            TINFLStatus::Done => break,
            TINFLStatus::HasMoreOutput if text.len() >= most => return Err(Fault::Long),
            // At once as much as most need, and then as much again.
            TINFLStatus::HasMoreOutput => {
                let longer = (text.len() * 2).max(start + packed.len() * 2).min(most);
                text.resize(longer, 0);
            }
            _ => return Err(Fault::Broken),
        }
    }
    text.truncate(end);
    let (trailer, rest) = rest.split_first_chunk::<TRAILER>().ok_or(Fault::Broken)?;
    let [a, b, c, d, e, f, g, h] = *trailer;
    let (sum, length) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let own = &text[start..];
    let is_right = sum == crc32(own) && u32::try_from(own.len()) == Ok(length);
    if is_right { Ok(rest) } else { Err(Fault::Broken) }
}

/// Where the deflated bytes begin (RFC 1952, 2.3).
fn head(packed: &[u8]) -> Option<usize> {
    let [0x1f, 0x8b, DEFLATE, flags, ..] = *packed else { return None };
    let mut at = 10;
    if flags & EXTRA != 0 {
        let [low, high] = *packed.get(at..)?.first_chunk()?;
        at += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    // A name and a comment end with a zero each.
    for _ in 0..(flags & (NAME | COMMENT)).count_ones() {
        at += packed.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
    }
    if flags & HEAD_SUM != 0 {
        at += 2;
    }
    (flags & RESERVED == 0).then_some(at)
}

/// The sum of RFC 1952, 8: four bits at a time, since a table of all bytes is a kilobyte.
fn crc32(bytes: &[u8]) -> u32 {
    let mut table = [0_u32; 16];
    for (entry, sum) in (0..).zip(&mut table) {
        *sum = (0..4).fold(entry, |sum, _| (sum >> 1) ^ (POLYNOMIAL * (sum & 1)));
    }
    let half = |sum: u32, bits: u32| (sum >> 4) ^ table[((sum ^ bits) & 15) as usize];
    let step = |sum, byte: &u8| half(half(sum, u32::from(*byte)), u32::from(*byte >> 4));
    !bytes.iter().fold(u32::MAX, step)
}

const DEFLATE: u8 = 8;

/// The flags of RFC 1952, 2.3.1; text says nothing that matters here.
const HEAD_SUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Bytes of sum and length at the end.
const TRAILER: usize = 8;

/// x^32 + x^26 + x^23 + ... + 1, the lowest power in the highest bit.
const POLYNOMIAL: u32 = 0xedb8_8320;

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream with these flags and fields, its content in one stored block (RFC 1951, 3.2.4).
    fn packed(flags: u8, fields: &[u8], text: &[u8]) -> Vec<u8> {
        let length = u16::try_from(text.len()).expect("one block");
        let mut all = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
        all.extend(fields);
        all.push(1);
        all.extend(length.to_le_bytes());
        all.extend((!length).to_le_bytes());
        all.extend(text);
        all.extend(crc32(text).to_le_bytes());
        all.extend(u32::from(length).to_le_bytes());
        all
    }

    #[test]
    fn rfc_1952_8_the_sum_is_the_known_one() {
        assert_eq!((crc32(b""), crc32(b"123456789")), (0, 0xcbf4_3926));
    }

    #[test]
    fn what_gzip_itself_packed_is_unpacked() {
        // printf '#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4,\nb.ts\n' | gzip -n9
        let by_gzip =
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x53\x76\x8d\x08\xf1\x35\x0e\xe5\x52\x06\
            \xd2\x9e\x7e\x6e\x56\x26\x3a\x5c\x89\x7a\x25\xc5\xc8\xfc\x24\x10\x1f\x00\x4a\x92\
            \xa1\x4e\x28\x00\x00\x00";
        let list = b"#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4,\nb.ts\n";
        for most in [list.len(), 1000] {
            assert_eq!(unpack(by_gzip, most).as_deref(), Ok(&list[..]), "{most}");
        }
        let twice = by_gzip.repeat(2);
        assert_eq!(unpack(&twice, 2 * list.len()), Ok(list.repeat(2)));
        assert_eq!(unpack(&twice, 2 * list.len() - 1), Err(Fault::Long));
    }

    #[test]
    fn rfc_1952_2_2_members_are_one_text_and_as_many_as_there_may_be() {
        let (one, none) = (packed(0, b"", b"one "), packed(NAME, b"a\0", b""));
        let text = unpack(&[&*one, &none, &one].concat(), 8);
        assert_eq!(text.as_deref(), Ok(&b"one one "[..]));
        for broken in [[&*one, b"\0"].concat(), [&*one, &one[..one.len() - 1]].concat()] {
            assert_eq!(unpack(&broken, 100), Err(Fault::Broken));
        }
        let most = limits::stream::MEMBERS;
        assert!(unpack(&none.repeat(most), 0).is_ok());
        assert_eq!(unpack(&none.repeat(most + 1), 0), Err(Fault::Broken));
    }

    #[test]
    fn rfc_1952_2_3_fields_of_the_head_are_passed_over() {
        for (flags, fields) in [
            (0, &b""[..]),
            (1, b""),
            (NAME, b"a.m3u8\0"),
            (NAME | COMMENT, b"a\0b\0"),
            (EXTRA, b"\x03\0abc"),
            (EXTRA | NAME | HEAD_SUM, b"\0\0x\0\x12\x34"),
        ] {
            let text = unpack(&packed(flags, fields, b"text"), 4);
            assert_eq!(text.as_deref(), Ok(&b"text"[..]), "{flags}");
        }
    }

    #[test]
    fn what_is_cut_changed_too_long_or_something_else_is_not_unpacked() {
        let good = packed(NAME, b"a\0", b"text");
        assert_eq!(unpack(&good, 3), Err(Fault::Long));
        for length in 0..good.len() {
            assert_eq!(unpack(&good[..length], 100), Err(Fault::Broken), "cut after {length}");
        }
        // Time, system and name say nothing, nor do the bits behind a stored block's head.
        for place in (0..good.len()).filter(|place| !matches!(place, 4..=10 | 12)) {
            let mut changed = good.clone();
            changed[place] ^= 0x80;
            assert!(unpack(&changed, 100).is_err(), "byte {place}");
        }
        assert_eq!(unpack(b"#EXTM3U\n", 100), Err(Fault::Broken));
        assert_eq!(unpack(&[], 100), Err(Fault::Broken));
    }
}
