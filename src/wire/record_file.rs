//! Record files: the records of one resource as its publisher lays them beside it; docs/records.md.

use core::fmt;

use super::frame::Breach;
use super::record::Record;
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::base::segment::SegmentId;
use crate::base::url::Locator;

/// What stands in front of the records: enough to find each of them by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of each record but the last one, which may be shorter.
    pub stride: u16,
    /// How many records there are: one for each segment, in order.
    pub count: u32,
}

/// Why a file holds no records for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadFile {
    /// It does not begin as record files do.
    Magic,
    /// Another version of the format.
    Version(u16),
    /// It ends too early, or says that it has no record.
    Length,
    /// A record in it cannot be read.
    Record(Breach),
    /// Its records are not those of one resource in order.
    Order,
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("the file does not begin as record files do"),
            Self::Version(version) => write!(f, "the file has format version {version}"),
            Self::Length => f.write_str("the file ends too early"),
            Self::Record(_) => f.write_str("a record in the file cannot be read"),
            Self::Order => f.write_str("the records are not those of one resource in order"),
        }
    }
}

impl std::error::Error for BadFile {}

impl Head {
    /// Bytes of the head.
    pub const SIZE: usize = 16;

    /// Reads the head of a file.
    pub fn parse(bytes: &[u8; Self::SIZE]) -> Result<Self, BadFile> {
        let [m @ .., v0, v1, s0, s1, c0, c1, c2, c3] = bytes;
        let version = u16::from_be_bytes([*v0, *v1]);
        if m != MAGIC {
            return Err(BadFile::Magic);
        }
        if version != VERSION {
            return Err(BadFile::Version(version));
        }
        let stride = u16::from_be_bytes([*s0, *s1]);
        let count = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
        if usize::from(stride) > limits::link::MESSAGE || stride == 0 || count == 0 {
            return Err(BadFile::Length);
        }
        Ok(Self { stride, count })
    }

    /// The head as it is written.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        out[..8].copy_from_slice(MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_be_bytes());
        out[10..12].copy_from_slice(&self.stride.to_be_bytes());
        out[12..].copy_from_slice(&self.count.to_be_bytes());
        out
    }

    /// The bytes of a file in which the record of a segment lies; the last record may end before
    /// them. None where there is no such segment.
    pub fn place(self, segment: u32) -> Option<ByteRange> {
        let start = Self::SIZE as u64 + u64::from(segment) * u64::from(self.stride);
        let range = ByteRange::new(start, start + u64::from(self.stride));
        (segment < self.count).then_some(range)
    }
}

/// Where the record file of a segment's resource lies at the same origin: its path and
/// [`ENDING`]; the query stays, since a token for a folder counts for both.
pub fn beside(resource: &Locator) -> Locator {
    let (path, query) = match resource.target.find('?') {
        Some(at) => resource.target.split_at(at),
        None => (resource.target.as_str(), ""),
    };
    Locator { origin: resource.origin, target: format!("{path}{ENDING}{query}") }
}

/// Writes the records of one resource, which are in order, of one signer and alike in all but
/// their segments.
pub fn write(records: &[Record]) -> Vec<u8> {
    let mut out = vec![0; Head::SIZE];
    let mut stride = 0;
    for (place, record) in records.iter().enumerate() {
        let start = out.len();
        record.write(&mut out);
        stride = if place == 0 { out.len() - start } else { stride };
    }
    let stride = u16::try_from(stride).expect("a record has at most 2655 bytes");
    let count = u32::try_from(records.len()).expect("segments are numbered in 32 bits");
    out[..Head::SIZE].copy_from_slice(&Head { stride, count }.to_bytes());
    out
}

/// Reads a whole file. Whether each record holds, and whose it is, is another question. What
/// stands behind the last record was added by a newer version and is ignored.
pub fn parse(bytes: &[u8]) -> Result<Vec<Record>, BadFile> {
    let head = Head::parse(bytes.first_chunk().ok_or(BadFile::Length)?)?;
    let stride = usize::from(head.stride);
    let rest = &bytes[Head::SIZE..];
    let count = usize::try_from(head.count).map_err(|_| BadFile::Length)?;
    if rest.len().div_ceil(stride) < count {
        return Err(BadFile::Length);
    }
    let mut records: Vec<Record> = Vec::new();
    for (number, bytes) in (0..head.count).zip(rest.chunks(stride)) {
        let record = Record::parse(bytes).map_err(BadFile::Record)?;
        let first = records.first().map_or(&record.statement, |first| &first.statement);
        let segment = SegmentId { resource: first.segment.resource, number };
        if record.statement.segment != segment || record.statement.length != first.length {
            return Err(BadFile::Order);
        }
        records.push(record);
    }
    Ok(records)
}

/// What the name of a record file has behind that of its resource.
pub const ENDING: &str = ".neap-record";

const MAGIC: &[u8; 8] = b"neap.rec";

/// Version of the format.
pub const VERSION: u16 = 1;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::record::Statement;
    use super::*;
    use crate::base::digest::Digest;
    use crate::base::id::OriginId;
    use crate::base::peer::NodeKey;
    use crate::base::time::Date;

    fn records(count: u32) -> Vec<Record> {
        let length = u64::from(count - 1) * limits::block::SEGMENT + 5;
        let record = |number| {
            let segment = SegmentId { resource: Digest::of(b"r"), number };
            let statement = Statement {
                segment,
                length,
                content_type: "video/mp4".into(),
                etag: String::new(),
                last_modified: String::new(),
                lifetime: Duration::from_secs(60),
                blocks: segment.blocks(length).iter().map(|b| Digest::of(&[b])).collect(),
                expires: Date(9),
            };
            Record { statement, signer: NodeKey([1; 32]), signature: [2; 64] }
        };
        (0..count).map(record).collect()
    }

    #[test]
    fn what_is_written_is_read_and_each_record_is_found_alone() {
        for count in [1, 2, 3] {
            let records = records(count);
            let bytes = write(&records);
            assert_eq!(parse(&bytes), Ok(records.clone()));
            let newer = [&bytes, b"more".as_slice()].concat();
            assert_eq!(parse(&newer), Ok(records.clone()));
            let head =
                Head::parse(bytes.first_chunk().expect("a whole head")).expect("a head of ours");
            for (number, record) in (0..count).zip(&records) {
                let range = head.place(number).expect("a record that is there");
                let [start, end] =
                    [range.start, range.end].map(|at| usize::try_from(at).expect("a small number"));
                let part = &bytes[start..end.min(bytes.len())];
                assert_eq!(Record::parse(part).as_ref(), Ok(record));
            }
            assert_eq!(head.place(count), None);
            for end in 0..bytes.len() {
                assert!(parse(&bytes[..end]).is_err(), "{end} bytes");
            }
        }
    }

    #[test]
    fn records_of_two_resources_or_out_of_order_are_refused() {
        let mut swapped = records(3);
        swapped.swap(0, 1);
        assert_eq!(parse(&write(&swapped)), Err(BadFile::Order));
        let mut two = records(3);
        two[1].statement.segment.resource = Digest::of(b"other");
        assert_eq!(parse(&write(&two)), Err(BadFile::Order));
    }

    #[test]
    fn the_head_is_the_one_that_docs_records_shows() {
        let head = Head { stride: 2232, count: 3 };
        let shown: String = head.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let line = format!("\n    {shown}\n");
        assert!(include_str!("../../docs/records.md").contains(&line), "{shown}");
        for (at, byte, fault) in [
            (0, b'x', BadFile::Magic),
            (9, 2, BadFile::Version(2)),
            (10, 0xff, BadFile::Length),
            (15, 0, BadFile::Length),
        ] {
            let mut bytes = head.to_bytes();
            bytes[at] = byte;
            assert_eq!(Head::parse(&bytes), Err(fault));
        }
    }

    #[test]
    fn a_record_file_lies_beside_its_resource() {
        for (target, file) in [
            ("/a/s1.ts", "/a/s1.ts.neap-record"),
            ("/a/s1.ts?token=x/y", "/a/s1.ts.neap-record?token=x/y"),
            ("/get?id=1", "/get.neap-record?id=1"),
        ] {
            let at = |target: &str| Locator { origin: OriginId(3), target: target.into() };
            assert_eq!(beside(&at(target)), at(file));
        }
    }
}
