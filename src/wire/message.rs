//! The language of links: framed, versioned messages with bounded lengths; docs/protocol.md.

use core::net::SocketAddr;
use core::time::Duration;

use super::frame::{Body, Breach, Header, Kind, write_packed, write_segment, write_text};
use super::punch::{Punch, read_address, write_address};
use super::record::Record;
use super::switch::Switch;
use crate::base::digest::{Digest, Sum};
use crate::base::limits;
use crate::base::segment::{BlockSet, SegmentId};

/// What one node says to another once both have proven who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The sender wants a segment, or will: it asks to be told what the other has of it, now and
    /// until `Done`.
    Seek {
        /// Which.
        segment: SegmentId,
        /// The stream that it belongs to: nodes with the same topic share the work at the origin.
        topic: Digest,
    },
    /// The sender needs to hear no more of a segment.
    Done {
        /// Which.
        segment: SegmentId,
    },
    /// What the sender has of a segment that the other seeks. It replaces what it said before.
    Have {
        /// Which.
        segment: SegmentId,
        /// Blocks that it can give.
        here: BlockSet,
        /// Blocks that are on their way to it: it fetches them, or one that it hears of does.
        coming: BlockSet,
        /// How far away the one is who fetches: 0 for the sender itself.
        hops: u8,
    },
    /// A record of a segment that the other seeks.
    Record(Box<Record>),
    /// The sender asks for blocks, the lowest first.
    Want {
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        blocks: BlockSet,
        /// How soon they are of use, from now.
        within: Duration,
    },
    /// One block; its bytes follow.
    Block {
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        block: u8,
        /// How many bytes follow.
        length: u32,
    },
    /// The sender needs these blocks no more.
    Cancel {
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        blocks: BlockSet,
    },
    /// The sender cannot give these blocks now.
    Deny {
        /// Of which segment.
        segment: SegmentId,
        /// Which.
        blocks: BlockSet,
    },
    /// To a witness: what the sender's player watches, so that the witness follows. Paths without
    /// their queries.
    Watch {
        /// The origin's name in the configuration.
        origin: String,
        /// The path of the media playlist or manifest.
        playlist: String,
        /// The path of the segment that the player has reached.
        segment: String,
    },
    /// The sender has all of a segment, of the representation whose origin states this digest of
    /// the whole. `Have` takes it back.
    Whole {
        /// Which.
        segment: SegmentId,
        /// What the origin states.
        sum: Sum,
    },
    /// Addresses at which the sender reached other nodes.
    Peers {
        /// At most [`limits::meeting::GOSSIP`] of them.
        addresses: Vec<SocketAddr>,
    },
    /// The operator's last word on who shares.
    Switch(Box<Switch>),
    /// The sender gives nothing until `Unchoke`; what was asked of it is forgotten.
    Choke,
    /// The sender gives again.
    Unchoke,
    /// The sender sees the other at this address.
    Observed {
        /// Where.
        address: SocketAddr,
    },
    /// A word of a meeting of two through a third.
    Punch(Punch),
}

/// What stands in front of a block's bytes in its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    /// Of which segment.
    pub segment: SegmentId,
    /// Which.
    pub block: u8,
    /// How many bytes follow.
    pub length: u32,
    /// Bytes behind those that only a newer version understands: they are skipped.
    pub extra: usize,
}

impl Message {
    /// The segment that this tells something of; none where it asks, or is about something else.
    pub fn told(&self) -> Option<SegmentId> {
        match self {
            Self::Have { segment, .. } | Self::Whole { segment, .. } => Some(*segment),
            Self::Record(record) => Some(record.statement.segment),
            _ => None,
        }
    }

    /// Reads the body of a frame; none where its kind is unknown and the frame is to be skipped.
    /// What stands behind a message's end was added by a newer version and is ignored.
    ///
    /// A link reads a block by [`BlockHead::parse`] and its bytes straight into their place; here
    /// `body` must hold them too.
    pub fn parse(kind: Kind, body: &[u8]) -> Result<Option<Self>, Breach> {
        let length = body.len();
        let mut body = Body(body);
        Ok(Some(match kind {
            Kind::SEEK => Self::Seek { segment: body.segment()?, topic: body.digest()? },
            Kind::DONE => Self::Done { segment: body.segment()? },
            Kind::HAVE => Self::Have {
                segment: body.segment()?,
                here: body.blocks()?,
                coming: body.blocks()?,
                hops: body.byte()?,
            },
            Kind::RECORD => Self::Record(Box::new(Record::read(&mut body)?)),
            Kind::WANT => Self::Want {
                segment: body.segment()?,
                blocks: body.blocks()?,
                within: Duration::from_millis(body.word()?.into()),
            },
            Kind::BLOCK => {
                let head = BlockHead::parse(&body.array()?, Header { kind, length })?;
                let BlockHead { segment, block, length, .. } = head;
                Self::Block { segment, block, length }
            }
            Kind::CANCEL => Self::Cancel { segment: body.segment()?, blocks: body.blocks()? },
            Kind::DENY => Self::Deny { segment: body.segment()?, blocks: body.blocks()? },
            Kind::WATCH => Self::Watch {
                origin: body.text(limits::config::NAME)?,
                playlist: body.text(limits::swarm::WATCH_PATH)?,
                segment: body.text(limits::swarm::WATCH_PATH)?,
            },
            Kind::WHOLE => {
                let (segment, algorithm) = (body.segment()?, body.byte()?);
                let sum = match algorithm {
                    SHA_256 => Sum::Sha256(body.array()?),
                    SHA_512 => Sum::Sha512(body.array()?),
                    // One that a newer version knows: the message is of no use here.
                    _ => return Ok(None),
                };
                Self::Whole { segment, sum }
            }
            Kind::PEERS => Self::Peers { addresses: read_addresses(&mut body)? },
            Kind::SWITCH => Self::Switch(Box::new(Switch::read(&mut body)?)),
            Kind::CHOKE => Self::Choke,
            Kind::UNCHOKE => Self::Unchoke,
            Kind::OBSERVED => match read_address(&mut body)? {
                Some(address) => Self::Observed { address },
                None => return Ok(None),
            },
            Kind::PUNCH => return Ok(Punch::read(&mut body)?.map(Self::Punch)),
            Kind(_) => return Ok(None),
        }))
    }

    /// Adds the message as one frame. Of a block only what stands before its bytes: `length` of
    /// them must follow at once.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; Header::SIZE]);
        self.write_body(out);
        let mut length = out.len() - start - Header::SIZE;
        if let Self::Block { length: bytes, .. } = self {
            length += usize::try_from(*bytes).unwrap_or(usize::MAX);
        }
        let header = Header { kind: self.kind(), length };
        out[start..start + Header::SIZE].copy_from_slice(&header.to_bytes());
    }

    /// The kind of its frame.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Seek { .. } => Kind::SEEK,
            Self::Done { .. } => Kind::DONE,
            Self::Have { .. } => Kind::HAVE,
            Self::Record(_) => Kind::RECORD,
            Self::Want { .. } => Kind::WANT,
            Self::Block { .. } => Kind::BLOCK,
            Self::Cancel { .. } => Kind::CANCEL,
            Self::Deny { .. } => Kind::DENY,
            Self::Watch { .. } => Kind::WATCH,
            Self::Whole { .. } => Kind::WHOLE,
            Self::Peers { .. } => Kind::PEERS,
            Self::Switch(_) => Kind::SWITCH,
            Self::Choke => Kind::CHOKE,
            Self::Unchoke => Kind::UNCHOKE,
            Self::Observed { .. } => Kind::OBSERVED,
            Self::Punch(_) => Kind::PUNCH,
        }
    }

    fn write_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Seek { segment, topic } => {
                write_segment(*segment, out);
                out.extend_from_slice(&topic.0);
            }
            Self::Done { segment } => write_segment(*segment, out),
            Self::Have { segment, here, coming, hops } => {
                write_segment(*segment, out);
                out.extend_from_slice(&here.0.to_be_bytes());
                out.extend_from_slice(&coming.0.to_be_bytes());
                out.push(*hops);
            }
            Self::Record(record) => record.write(out),
            Self::Want { segment, blocks, within } => {
                write_segment(*segment, out);
                out.extend_from_slice(&blocks.0.to_be_bytes());
                let within = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
                out.extend_from_slice(&within.to_be_bytes());
            }
            Self::Block { segment, block, length } => {
                write_segment(*segment, out);
                let [_, high, middle, low] = length.to_be_bytes();
                out.extend_from_slice(&[*block, high, middle, low]);
            }
            Self::Cancel { segment, blocks } | Self::Deny { segment, blocks } => {
                write_segment(*segment, out);
                out.extend_from_slice(&blocks.0.to_be_bytes());
            }
            Self::Watch { origin, playlist, segment } => {
                write_text(origin, limits::config::NAME, out);
                write_text(playlist, limits::swarm::WATCH_PATH, out);
                write_text(segment, limits::swarm::WATCH_PATH, out);
            }
            Self::Observed { address } => write_address(*address, out),
            Self::Punch(punch) => punch.write(out),
            Self::Whole { segment, sum } => {
                write_segment(*segment, out);
                out.push(match sum {
                    Sum::Sha256(_) => SHA_256,
                    Sum::Sha512(_) => SHA_512,
                });
                out.extend_from_slice(sum.bytes());
            }
            Self::Peers { addresses } => {
                let addresses = &addresses[..addresses.len().min(limits::meeting::GOSSIP)];
                out.push(u8::try_from(addresses.len()).unwrap_or(0));
                addresses.iter().for_each(|address| write_packed(*address, out));
            }
            Self::Switch(switch) => switch.write(out),
            Self::Choke | Self::Unchoke => {}
        }
    }
}

/// How the sum in a [`Message::Whole`] is made.
const SHA_256: u8 = 1;

/// The same.
const SHA_512: u8 = 2;
/// How many, then each.
fn read_addresses(body: &mut Body<'_>) -> Result<Vec<SocketAddr>, Breach> {
    let count = usize::from(body.byte()?);
    if count > limits::meeting::GOSSIP {
        return Err(Breach::Addresses);
    }
    (0..count).map(|_| body.address()).collect()
}

impl BlockHead {
    /// Bytes of the head.
    pub const SIZE: usize = 40;

    /// Reads the head of the block whose frame `header` announced.
    pub fn parse(bytes: &[u8; Self::SIZE], header: Header) -> Result<Self, Breach> {
        let mut body = Body(bytes);
        let segment = body.segment()?;
        let [block, high, middle, low] = body.array()?;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let whole = 1..=limits::block::BLOCK;
        if u64::from(block) >= limits::block::SEGMENT_BLOCKS || !whole.contains(&u64::from(length))
        {
            return Err(Breach::Block);
        }
        let bytes = Self::SIZE + usize::try_from(length).map_err(|_| Breach::Block)?;
        let extra = header.length.checked_sub(bytes).ok_or(Breach::Short)?;
        Ok(Self { segment, block, length, extra })
    }
}

#[cfg(test)]
mod tests {
    use super::super::punch::Mapping;
    use super::super::record::Statement;
    use super::*;
    use crate::base::peer::NodeKey;
    use crate::base::time::Date;

    fn record(blocks: u32) -> Record {
        let statement = Statement {
            segment: SegmentId { resource: Digest::of(b"r"), number: 0 },
            length: u64::from(blocks) * limits::block::BLOCK,
            content_type: "video/mp2t".into(),
            etag: String::new(),
            last_modified: String::new(),
            lifetime: Duration::from_secs(3600),
            blocks: (0..blocks).map(|block| Digest::of(&block.to_be_bytes())).collect(),
            expires: Date(1_800_000_000),
        };
        Record { statement, signer: NodeKey([1; 32]), signature: [2; 64] }
    }

    fn samples() -> Vec<Message> {
        let segment = SegmentId { resource: Digest::of(b"r"), number: 0x0102_0304 };
        let blocks = BlockSet(0x8000_0000_0000_0005);
        let within = Duration::from_millis(1500);
        vec![
            Message::Seek { segment, topic: Digest::of(b"t") },
            Message::Done { segment },
            Message::Have { segment, here: blocks, coming: BlockSet(u64::MAX), hops: 3 },
            Message::Record(Box::new(record(3))),
            Message::Record(Box::new(record(64))),
            Message::Want { segment, blocks, within },
            Message::Block { segment, block: 63, length: 65_536 },
            Message::Block { segment, block: 0, length: 1 },
            Message::Cancel { segment, blocks },
            Message::Deny { segment, blocks },
            Message::Watch {
                origin: "tv".into(),
                playlist: "/live/index.m3u8".into(),
                segment: "/live/1.ts".into(),
            },
            Message::Whole { segment, sum: Sum::Sha256([7; 32]) },
            Message::Whole { segment, sum: Sum::Sha512([9; 64]) },
            Message::Switch(Box::new(Switch {
                operator: NodeKey([3; 32]),
                network: Digest::of(b"n"),
                sequence: 1_800_000_000,
                percent: 40,
                expires: Date(1_900_000_000),
                signature: [4; 64],
            })),
            Message::Peers { addresses: Vec::new() },
            Message::Peers {
                addresses: vec![
                    "203.0.113.7:8644".parse().expect("an address"),
                    "[::9]:1".parse().expect("an address"),
                ],
            },
            Message::Choke,
            Message::Unchoke,
            Message::Observed { address: at("203.0.113.7:8644") },
            Message::Observed { address: at("[2001:db8::7]:1") },
            Message::Punch(Punch::Ask { address: at("203.0.113.7:1"), mapping: Mapping::Unknown }),
            Message::Punch(Punch::Go {
                address: at("[2001:db8::7]:1"),
                mapping: Mapping::Dependent,
            }),
            Message::Punch(Punch::Cannot { address: at("203.0.113.7:1") }),
        ]
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn families_and_words_of_later_versions_are_no_breach() {
        let later = [5, 0, 1, 9, 9, 9, 9];
        assert_eq!(Message::parse(Kind::OBSERVED, &later), Ok(None));
        assert_eq!(Message::parse(Kind::PUNCH, &[9, 0, 4, 0, 1, 203, 0, 113, 7]), Ok(None));
    }

    /// Header and whole body; a block's bytes are zeros.
    fn frame(message: &Message) -> (Header, Vec<u8>) {
        let mut out = vec![0xee; 3];
        message.write(&mut out);
        let header =
            Header::parse(out[3..].first_chunk().expect("a whole head")).expect("a frame of ours");
        let mut body = out[3 + Header::SIZE..].to_vec();
        if let Message::Block { length, .. } = message {
            assert_eq!(body.len(), BlockHead::SIZE);
            body.resize(body.len() + usize::try_from(*length).expect("a small number"), 0);
        }
        assert_eq!(body.len(), header.length, "{message:?}");
        (header, body)
    }

    #[test]
    fn what_is_written_is_read() {
        for message in samples() {
            let (header, mut body) = frame(&message);
            assert_eq!(header.kind, message.kind());
            assert_eq!(Message::parse(header.kind, &body), Ok(Some(message.clone())));
            body.extend_from_slice(b"what a newer version adds");
            assert_eq!(Message::parse(header.kind, &body), Ok(Some(message)));
        }
    }

    #[test]
    fn every_prefix_is_a_breach() {
        for message in samples() {
            let (header, body) = frame(&message);
            // A block's bytes are all alike.
            for end in (0..body.len()).filter(|end| *end < 3000 || end + 1 == body.len()) {
                let read = Message::parse(header.kind, &body[..end]);
                assert_eq!(read, Err(Breach::Short), "{end} bytes of {message:?}");
            }
        }
    }

    #[test]
    fn no_more_addresses_are_named_than_may_be() {
        let at = "203.0.113.7:8644".parse().expect("an address");
        let many = Message::Peers { addresses: vec![at; limits::meeting::GOSSIP + 1] };
        let (header, mut body) = frame(&many);
        let kept = Message::Peers { addresses: vec![at; limits::meeting::GOSSIP] };
        assert_eq!(Message::parse(header.kind, &body), Ok(Some(kept)));
        body[0] += 1;
        body.extend([0; 18]);
        assert_eq!(Message::parse(header.kind, &body), Err(Breach::Addresses));
    }

    #[test]
    fn unknown_kinds_are_skipped() {
        for kind in (0..=u8::MAX).map(Kind) {
            let known = samples().iter().any(|message| message.kind() == kind);
            assert_eq!(Message::parse(kind, &[]) == Ok(None), !known, "{kind:?}");
        }
    }

    #[test]
    fn a_sum_of_a_later_version_is_no_breach() {
        let segment = SegmentId { resource: Digest::of(b"r"), number: 1 };
        let (_, mut body) = frame(&Message::Whole { segment, sum: Sum::Sha256([7; 32]) });
        body[36] = 3;
        assert_eq!(Message::parse(Kind::WHOLE, &body), Ok(None));
    }

    #[test]
    fn a_block_is_read_by_its_head() {
        let segment = SegmentId { resource: Digest::of(b"r"), number: 7 };
        let (header, body) = frame(&Message::Block { segment, block: 5, length: 100 });
        let head = body.first_chunk().expect("a whole head");
        let longer = Header { length: header.length + 9, ..header };
        let read = BlockHead { segment, block: 5, length: 100, extra: 0 };
        assert_eq!(BlockHead::parse(head, header), Ok(read));
        assert_eq!(BlockHead::parse(head, longer), Ok(BlockHead { extra: 9, ..read }));
        let shorter = Header { length: header.length - 1, ..header };
        assert_eq!(BlockHead::parse(head, shorter), Err(Breach::Short));
    }

    #[test]
    fn no_block_beyond_the_grid_is_taken() {
        let segment = SegmentId { resource: Digest::of(b"r"), number: 7 };
        let header = Header { kind: Kind::BLOCK, length: limits::link::FRAME };
        for (block, length) in [(64, 1), (0xff, 1), (0, 0), (0, 65_537), (0, 0xff_ffff)] {
            let mut head = Vec::new();
            Message::Block { segment, block, length }.write_body(&mut head);
            let read = BlockHead::parse(head.first_chunk().expect("a whole head"), header);
            assert_eq!(read, Err(Breach::Block), "{block} {length}");
        }
    }

    #[test]
    fn the_bytes_are_the_ones_that_docs_protocol_shows() {
        let segment = SegmentId { resource: Digest([0xab; 32]), number: 2 };
        let within = Duration::from_millis(1500);
        for message in [
            Message::Want { segment, blocks: BlockSet(0b101), within },
            Message::Block { segment, block: 2, length: 65_536 },
            Message::Whole { segment, sum: Sum::Sha256([0xcd; 32]) },
            Message::Peers { addresses: vec!["203.0.113.7:8644".parse().expect("an address")] },
            Message::Choke,
            Message::Observed { address: at("203.0.113.7:8644") },
            Message::Punch(Punch::Go {
                address: at("203.0.113.7:8644"),
                mapping: Mapping::Independent,
            }),
        ] {
            let mut out = Vec::new();
            message.write(&mut out);
            let shown: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
            let line = format!("\n    {shown}\n");
            assert!(include_str!("../../docs/protocol.md").contains(&line), "{message:?}: {shown}");
        }
    }
}
