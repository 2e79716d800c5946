//! What is written with a slice on disk, so that it is understood after a restart.
//!
//! Version 3, all numbers little-endian: version (1 byte), flags (1), length (8), date in
//! seconds (8), then four texts, each with its length in front (4): origin, identity, policy
//! record, and the fields as `name: value` lines. Then, where a playlist lists the response as a
//! segment (bit 1 of the flags), its rendition and its stream as peers name them (32 each). Then
//! how many base URLs the origin had (1), and the first bytes of the digest of each (8 each). Last,
//! on whose word blocks of the slice were taken from peers: which of its 16 (2 bytes), and the keys
//! (32 each) of those whose word it was. Version 2 has no URLs, version 1 ends behind the texts.

use core::time::Duration;

use crate::base::digest::Digest;
use crate::base::peer::NodeKey;
use crate::base::time::{Date, Instant};
use crate::base::url::Url;
use crate::engine::cache::freshness::Policy;
use crate::wire::http::fields::Fields;

/// A stored response without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Memo {
    /// The origin's name: its number changes with the configuration.
    pub(super) origin: String,
    /// Path and query without tokens.
    pub(super) identity: String,
    /// Bytes of the representation.
    pub(super) length: u64,
    /// The stored fields.
    pub(super) fields: Fields,
    /// The policy, as ages and lengths.
    pub(super) policy: Vec<u8>,
    /// The date of writing, where the clock was set.
    pub(super) written: Option<Date>,
    /// Whether request fields chose it; such responses are not written.
    pub(super) selective: bool,
    /// The rendition and the stream that it is a segment of, if a playlist lists it: then peers
    /// may have it.
    pub(super) listed: Option<(Digest, Digest)>,
    /// The origin's base URLs, as [`mark`] has them; none where an earlier version wrote it.
    pub(super) urls: Vec<Mark>,
    /// What of the slice rests on somebody's word.
    pub(super) rests: Rests,
}

/// A base URL: enough to tell it from another, without saying it to who reads the disk.
pub(super) type Mark = [u8; 8];

/// How a base URL is written.
pub(super) fn mark(url: &Url) -> Mark {
    let digest = Digest::of(url.to_string().as_bytes()).0;
    core::array::from_fn(|place| digest[place])
}

/// Which blocks of one slice rest on whose word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rests {
    /// Bit n stands for the n-th block of the slice.
    pub(super) blocks: u16,
    /// The signer of a record, or the nodes of a quorum.
    pub(super) by: Vec<NodeKey>,
}

impl Rests {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.blocks.to_le_bytes());
        self.by.iter().for_each(|key| out.extend_from_slice(&key.0));
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (blocks, keys) = bytes.split_first_chunk::<2>()?;
        let keys = keys.chunks(32).map(|key| key.try_into().ok().map(NodeKey));
        Some(Self { blocks: u16::from_le_bytes(*blocks), by: keys.collect::<Option<_>>()? })
    }
}

impl Memo {
    /// The name under which its slices lie.
    pub(super) fn key(&self) -> Digest {
        super::keep::file_key(&self.origin, &self.identity)
    }

    /// As it is written.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let dated = if self.written.is_some() { DATED } else { 0 };
        let listed = if self.listed.is_some() { LISTED } else { 0 };
        let mut out = vec![VERSION, dated | listed];
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.written.map_or(0, |date| date.0).to_le_bytes());
        let lines = self.fields.iter().map(|(name, value)| format!("{name}: {value}\n"));
        let lines: String = lines.collect();
        for part in
            [self.origin.as_bytes(), self.identity.as_bytes(), &self.policy, lines.as_bytes()]
        {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(0).to_le_bytes());
            out.extend_from_slice(part);
        }
        if let Some((rendition, stream)) = &self.listed {
            out.extend_from_slice(&rendition.0);
            out.extend_from_slice(&stream.0);
        }
        out.push(u8::try_from(self.urls.len()).unwrap_or(u8::MAX));
        self.urls.iter().take(usize::from(u8::MAX)).for_each(|url| out.extend_from_slice(url));
        self.rests.write(&mut out);
        out
    }

    /// As it was written; none where that was not by this version.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_at_checked(18)?;
        let (&[version, flags], numbers) = head.split_first_chunk::<2>()?;
        if !(FIRST..=VERSION).contains(&version) || flags & !(DATED | LISTED) != 0 {
            return None;
        }
        let length = u64::from_le_bytes(numbers[..8].try_into().ok()?);
        let date = i64::from_le_bytes(numbers[8..].try_into().ok()?);
        let mut part = || {
            let (size, behind) = rest.split_first_chunk::<4>()?;
            let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
            let (part, behind) = behind.split_at_checked(size)?;
            rest = behind;
            Some(part)
        };
        let text = |part: &[u8]| core::str::from_utf8(part).ok().map(str::to_owned);
        let (origin, identity) = (text(part()?)?, text(part()?)?);
        let (policy, lines) = (part()?.to_vec(), text(part()?)?);
        let mut fields = Fields::new();
        for line in lines.lines() {
            let (name, value) = line.split_once(": ")?;
            fields.push(name, value);
        }
        let written = (flags & DATED != 0).then_some(Date(date));
        let selective = false;
        // The first version did not say on whose word: what it wrote is purged by no key.
        let mut listed = None;
        if flags & LISTED != 0 {
            let (digests, behind) = rest.split_first_chunk::<64>()?;
            let (rendition, stream) = digests.split_at(32);
            listed = Some((Digest(rendition.try_into().ok()?), Digest(stream.try_into().ok()?)));
            rest = behind;
        }
        let mut urls = Vec::new();
        if version > SECOND {
            let (count, behind) = rest.split_first()?;
            let (marks, behind) = behind.split_at_checked(usize::from(*count) * 8)?;
            urls = marks.chunks_exact(8).filter_map(|mark| mark.try_into().ok()).collect();
            rest = behind;
        }
        let rests = match version {
            FIRST if rest.is_empty() && listed.is_none() => Rests::default(),
            FIRST => return None,
            _ => Rests::read(rest)?,
        };
        Some(Self {
            origin,
            identity,
            length,
            fields,
            policy,
            written,
            selective,
            listed,
            urls,
            rests,
        })
    }

    /// Whether it came from one of these base URLs, as far as it says.
    pub(super) fn is_of(&self, urls: &[Url]) -> bool {
        self.urls.is_empty() || urls.iter().any(|url| self.urls.contains(&mark(url)))
    }
}

/// The policy that holds now; `down_time` is how long the program was away, if that is known.
pub(super) fn policy(memo: &Memo, down_time: Option<Duration>, now: Instant) -> Option<Policy> {
    Policy::from_record(&memo.policy, down_time, now)
}

const VERSION: u8 = 3;

/// The flag of a response with the date of its writing.
const DATED: u8 = 1;

/// The flag of a response that a playlist lists.
const LISTED: u8 = 2;

/// That of 0.1.0, which is still read: an update must not empty a cache.
const FIRST: u8 = 1;

/// That of builds behind it.
const SECOND: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn what_is_written_reads_back_and_nothing_else_does() {
        let memo = Memo {
            origin: "cdn".into(),
            identity: "/a?b".into(),
            length: 7,
            fields: [("ETag", "\"x\""), ("Empty", "")].into_iter().collect(),
            policy: vec![1, 2, 3],
            written: Some(Date(1_700_000_000)),
            selective: false,
            listed: Some((Digest::of(b"rendition"), Digest::of(b"stream"))),
            urls: vec![mark(&url("http://cdn.example/")), mark(&url("http://b.example/"))],
            rests: Rests { blocks: 0x8001, by: vec![NodeKey([1; 32]), NodeKey([2; 32])] },
        };
        let bytes = memo.to_bytes();
        assert_eq!(Memo::from_bytes(&bytes), Some(memo.clone()));
        for cut in (0..bytes.len()).filter(|cut| ![64, 32].contains(&(bytes.len() - cut))) {
            assert_eq!(Memo::from_bytes(&bytes[..cut]), None, "{cut}");
        }
        assert!(memo.is_of(&[url("http://new.example/"), url("http://b.example/")]));
        assert!(!memo.is_of(&[url("http://new.example/"), url("https://b.example/")]));
        let alone = Memo { listed: None, urls: Vec::new(), rests: Rests::default(), ..memo };
        assert_eq!(Memo::from_bytes(&alone.to_bytes()).as_ref(), Some(&alone));
        assert!(alone.is_of(&[url("http://new.example/")]), "it does not say");
        for version in [0, 1, 4] {
            let mut other = bytes.clone();
            other[0] = version;
            assert_eq!(Memo::from_bytes(&other), None, "{version}");
        }
        let mut first = alone.to_bytes();
        first[0] = 2;
        first.remove(first.len() - 3);
        assert_eq!(Memo::from_bytes(&first).as_ref(), Some(&alone));
        first[0] = 1;
        first.truncate(first.len() - 2);
        assert_eq!(Memo::from_bytes(&first), Some(alone));
    }

    /// `memo.samples` has one of each version that builds wrote since 0.1.0, from the
    /// second on: never made anew, but for a line more when there is a new version.
    #[test]
    fn what_each_version_wrote_is_read_as_it_was_meant() {
        let samples = include_str!("memo.samples");
        for (version, digits) in samples.lines().filter_map(|line| line.split_once(' ')) {
            let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits");
            let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
            assert_eq!(bytes[0].to_string(), version);
            let memo = Memo::from_bytes(&bytes).expect("a version of ours");
            assert_eq!((&*memo.origin, &*memo.identity, memo.length), ("o", "/show/2.ts", 400_000));
            assert_eq!(memo.fields.first("etag"), Some("\"179bc5c0a1d8bd99\""));
            let now = Instant::from_micros(1);
            assert!(policy(&memo, Some(Duration::ZERO), now).expect("a policy").is_fresh(now));
            let (rendition, _) = memo.listed.expect("a playlist lists it");
            assert_eq!(rendition.0[..4], [0x08, 0x6a, 0x94, 0x95], "{version}");
            assert_eq!((memo.rests.blocks, memo.rests.by.len()), (0x7f, 1), "{version}");
            assert_eq!(memo.urls.len(), usize::from(bytes[0] > SECOND));
            assert_eq!(memo.to_bytes() == bytes, bytes[0] == VERSION, "{version}");
        }
    }
}
