//! Frames of a link: one byte kind, three bytes length, then the body; docs/protocol.md.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::segment::{BlockSet, SegmentId};

/// What a frame holds. Kinds below [`Kind::CARRIER`] belong to the link itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

/// What stands in front of a frame's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the body is.
    pub kind: Kind,
    /// Bytes of the body.
    pub length: usize,
}

/// How the other side broke the language; the link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A frame longer than its kind may be.
    Long,
    /// A body that ends before all of its message is said.
    Short,
    /// A block that no segment has, or of a length that no block has.
    Block,
    /// A text that is too long, not UTF-8, or holds control characters.
    Text,
    /// An entity tag that is none (RFC 9110, 8.8.3).
    EntityTag,
    /// More addresses than one message names.
    Addresses,
    /// A record with another number of digests than its segment has blocks.
    Digests,
}

impl Kind {
    /// The first kind that does not belong to the link itself.
    pub const CARRIER: Self = Self(0x10);
    /// [`super::message::Message::Seek`].
    pub const SEEK: Self = Self(0x10);
    /// [`super::message::Message::Done`].
    pub const DONE: Self = Self(0x11);
    /// [`super::message::Message::Have`].
    pub const HAVE: Self = Self(0x12);
    /// [`super::message::Message::Record`].
    pub const RECORD: Self = Self(0x13);
    /// [`super::message::Message::Want`].
    pub const WANT: Self = Self(0x14);
    /// [`super::message::Message::Block`].
    pub const BLOCK: Self = Self(0x15);
    /// [`super::message::Message::Cancel`].
    pub const CANCEL: Self = Self(0x16);
    /// [`super::message::Message::Deny`].
    pub const DENY: Self = Self(0x17);
    /// [`super::message::Message::Choke`].
    pub const CHOKE: Self = Self(0x18);
    /// [`super::message::Message::Unchoke`].
    pub const UNCHOKE: Self = Self(0x19);
    /// [`super::message::Message::Watch`].
    pub const WATCH: Self = Self(0x1a);
    /// [`super::message::Message::Peers`].
    pub const PEERS: Self = Self(0x1b);
    /// [`super::message::Message::Switch`].
    pub const SWITCH: Self = Self(0x1c);
    /// [`super::message::Message::Whole`].
    pub const WHOLE: Self = Self(0x20);
    /// [`super::message::Message::Observed`].
    pub const OBSERVED: Self = Self(0x28);
    /// [`super::message::Message::Punch`].
    pub const PUNCH: Self = Self(0x29);

    /// The longest body. Unknown kinds are skipped without being held, so they may be as long
    /// as the longest known one.
    pub const fn longest(self) -> usize {
        let far = matches!(self, Self::OBSERVED | Self::PUNCH | Self::WHOLE);
        let known = self.0 <= Self::SWITCH.0 || far;
        let held = known && self.0 != Self::BLOCK.0;
        if held { limits::link::MESSAGE } else { limits::link::FRAME }
    }
}

impl Header {
    /// Bytes of a header.
    pub const SIZE: usize = 4;

    /// Reads a header; from here on `length` is bounded.
    pub fn parse(bytes: &[u8; Self::SIZE]) -> Result<Self, Breach> {
        let [kind, high, middle, low] = *bytes;
        let kind = Kind(kind);
        let length = u32::from_be_bytes([0, high, middle, low]);
        let length = usize::try_from(length).map_err(|_| Breach::Long)?;
        if length > kind.longest() { Err(Breach::Long) } else { Ok(Self { kind, length }) }
    }

    /// The header as it is written.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        debug_assert!(self.length <= self.kind.longest(), "nobody would read {self:?}");
        let length = u32::try_from(self.length).unwrap_or(u32::MAX);
        let [_, high, middle, low] = length.to_be_bytes();
        [self.kind.0, high, middle, low]
    }
}

impl Breach {
    /// A plain sentence for the log and the status.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Long => "it sent a frame that is longer than any may be",
            Self::Short => "it sent a message that ends too early",
            Self::Block => "it sent a block that no segment has",
            Self::Text => "it sent a text that is too long or not plain",
            Self::EntityTag => "it sent a malformed entity tag",
            Self::Addresses => "it named more addresses than a message may",
            Self::Digests => "it sent a record with a wrong number of digests",
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Breach {}

/// A body while it is being read, front to back; numbers are in network byte order.
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl<'a> Body<'a> {
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Breach> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Breach::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Breach> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Breach::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Breach> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn word(&mut self) -> Result<u32, Breach> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Result<u64, Breach> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn digest(&mut self) -> Result<Digest, Breach> {
        self.array().map(Digest)
    }

    pub(super) fn blocks(&mut self) -> Result<BlockSet, Breach> {
        self.long().map(BlockSet)
    }

    pub(super) fn segment(&mut self) -> Result<SegmentId, Breach> {
        Ok(SegmentId { resource: self.digest()?, number: self.word()? })
    }

    /// An address of sixteen bytes, IPv4 as IPv6 writes it (RFC 4291, 2.5.5.2), and a port.
    pub(super) fn address(&mut self) -> Result<SocketAddr, Breach> {
        let ip = Ipv6Addr::from(self.array::<16>()?).to_canonical();
        Ok(SocketAddr::new(ip, u16::from_be_bytes(self.array()?)))
    }

    /// A text of at most `longest` bytes, without control characters, behind its length in two
    /// bytes.
    pub(super) fn text(&mut self, longest: usize) -> Result<String, Breach> {
        let length = usize::from(self.array().map(u16::from_be_bytes)?);
        if length > longest {
            return Err(Breach::Text);
        }
        let text = core::str::from_utf8(self.bytes(length)?).map_err(|_| Breach::Text)?;
        if text.contains(char::is_control) { Err(Breach::Text) } else { Ok(text.to_owned()) }
    }
}

/// Adds a text of at most `longest` bytes behind its length in two bytes.
pub(super) fn write_text(text: &str, longest: usize, out: &mut Vec<u8>) {
    let text = &text.as_bytes()[..text.len().min(longest)];
    let length = u16::try_from(text.len()).expect("texts are bounded far below 64 KiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text);
}

/// Adds an address as [`Body::address`] reads it.
pub(super) fn write_packed(address: SocketAddr, out: &mut Vec<u8>) {
    let six = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    out.extend_from_slice(&six.octets());
    out.extend_from_slice(&address.port().to_be_bytes());
}

pub(super) fn write_segment(segment: SegmentId, out: &mut Vec<u8>) {
    out.extend_from_slice(&segment.resource.0);
    out.extend_from_slice(&segment.number.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_bounded_and_plain() {
        let read = |text: &[u8]| {
            let mut body =
                u16::try_from(text.len()).expect("a small number").to_be_bytes().to_vec();
            body.extend_from_slice(text);
            Body(&body).text(5)
        };
        assert_eq!(read("/\u{fc} a".as_bytes()), Ok("/\u{fc} a".into()));
        assert_eq!(read(b""), Ok(String::new()));
        for wrong in [b"123456".as_slice(), b"a\r\nb", b"a\0", b"\x7f", b"\xff", b"\xc2\x85"] {
            assert_eq!(read(wrong), Err(Breach::Text), "{wrong:?}");
        }
    }

    #[test]
    fn a_header_is_read_as_it_is_written() {
        for (kind, length) in
            [(Kind::SEEK, 68), (Kind::BLOCK, limits::link::FRAME), (Kind(0xff), 0), (Kind(0), 4096)]
        {
            let header = Header { kind, length };
            assert_eq!(Header::parse(&header.to_bytes()), Ok(header));
        }
        assert_eq!(Header { kind: Kind::WANT, length: 48 }.to_bytes(), [0x14, 0, 0, 48]);
    }

    #[test]
    fn no_length_above_its_bound_is_taken() {
        for kind in 0..=u8::MAX {
            let longest = Kind(kind).longest();
            let over = u32::try_from(longest + 1).expect("a small number").to_be_bytes();
            for [high, middle, low] in [[over[1], over[2], over[3]], [0xff; 3]] {
                assert_eq!(Header::parse(&[kind, high, middle, low]), Err(Breach::Long));
            }
        }
        assert_eq!(Kind::RECORD.longest(), limits::link::MESSAGE);
        assert_eq!(Kind(0x80).longest(), limits::link::FRAME);
    }
}
