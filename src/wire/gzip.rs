//! Bodies that an origin packed: gzip (RFC 1952) around deflate (RFC 1951).

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// Whether this is what a `Content-Encoding` of one gzip looks like (RFC 9110, 8.4.1.3).
pub fn is_named(coding: &str) -> bool {
    ["gzip", "x-gzip"].iter().any(|name| coding.trim().eq_ignore_ascii_case(name))
}

/// What was packed, if that is all right and no longer than `most` bytes.
///
/// Of a stream of several members (RFC 1952, 2.2) nothing is told: servers send one.
pub fn unpack(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let deflated = packed.get(head(packed)?..packed.len().checked_sub(TRAILER)?)?;
    let text = decompress_to_vec_with_limit(deflated, most).ok()?;
    let (_, trailer) = packed.split_last_chunk::<TRAILER>()?;
    let [a, b, c, d, e, f, g, h] = *trailer;
    let (sum, length) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    (sum == crc32(&text) && u32::try_from(text.len()) == Ok(length)).then_some(text)
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
        let text = unpack(by_gzip, 1000).expect("a list");
        assert_eq!(text, b"#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4,\nb.ts\n");
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
            assert_eq!(text.as_deref(), Some(&b"text"[..]), "{flags}");
        }
    }

    #[test]
    fn what_is_cut_changed_too_long_or_something_else_is_not_unpacked() {
        let good = packed(NAME, b"a\0", b"text");
        assert_eq!(unpack(&good, 3), None, "longer than it may be");
        for length in 0..good.len() {
            assert_eq!(unpack(&good[..length], 100), None, "cut after {length}");
        }
        // Time, system and name say nothing, nor do the bits behind a stored block's head.
        for place in (0..good.len()).filter(|place| !matches!(place, 4..=10 | 12)) {
            let mut changed = good.clone();
            changed[place] ^= 0x80;
            assert_eq!(unpack(&changed, 100), None, "byte {place}");
        }
        assert_eq!(unpack(b"#EXTM3U\n", 100), None);
        assert_eq!(unpack(&[], 100), None);
    }
}
