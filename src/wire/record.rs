//! Records: the signed statement that a segment has this length and these block digests.

use core::time::Duration;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::frame::{Body, Breach, write_segment, write_text};
use super::http::conditions::EntityTag;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::peer::NodeKey;
use crate::base::segment::SegmentId;
use crate::base::time::Date;

/// What a signer says of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What is said.
    pub statement: Statement,
    /// Who says so.
    pub signer: NodeKey,
    /// Ed25519 over [`Statement`] as it is written (RFC 8032), after a line that names the use.
    pub signature: [u8; 64],
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Of which segment.
    pub segment: SegmentId,
    /// Bytes of the whole resource.
    pub length: u64,
    /// The resource's media type; empty where its origin states none.
    pub content_type: String,
    /// Its entity tag with quotes, weak or strong; empty where its origin states none.
    pub etag: String,
    /// Its `Last-Modified`, as written; empty where its origin states none.
    pub last_modified: String,
    /// How long the response was still fresh when this was signed, in whole seconds.
    pub lifetime: Duration,
    /// SHA-256 of each block of the segment, in order.
    pub blocks: Vec<Digest>,
    /// When it stops being valid.
    pub expires: Date,
}

impl Record {
    /// Signs a statement. A text that nobody would read, such as an entity tag without quotes, is
    /// left out: a record without it is better than none. Other faults are breaches of ours.
    pub fn sign(mut statement: Statement, signer: &Ed25519KeyPair) -> Result<Self, Breach> {
        statement.leave_out_odd_texts();
        statement.check()?;
        let mut key = NodeKey([0; 32]);
        key.0.copy_from_slice(signer.public_key().as_ref());
        let mut signature = [0; 64];
        signature.copy_from_slice(signer.sign(&statement.signed()).as_ref());
        Ok(Self { statement, signer: key, signature })
    }

    /// Whether the signature is the signer's. By far the dearest thing to do with a record: once
    /// for each is enough.
    pub fn holds(&self) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.signer.0);
        key.verify(&self.statement.signed(), &self.signature).is_ok()
    }

    /// Reads a record; whether it [`Record::holds`] is another question. What stands behind it was
    /// added by a newer version and is ignored.
    pub fn parse(bytes: &[u8]) -> Result<Self, Breach> {
        Self::read(&mut Body(bytes))
    }

    /// Adds the record as it is written: signer, signature, statement.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.signer.0);
        out.extend_from_slice(&self.signature);
        self.statement.write(out);
    }

    pub(super) fn read(body: &mut Body<'_>) -> Result<Self, Breach> {
        let (signer, signature) = (NodeKey(body.array()?), body.array()?);
        Ok(Self { statement: Statement::read(body)?, signer, signature })
    }
}

impl Statement {
    /// Whether it keeps to the bounds; every statement that was read does.
    pub fn check(&self) -> Result<(), Breach> {
        let texts = [
            (&self.content_type, limits::record::CONTENT_TYPE),
            (&self.etag, limits::record::ETAG),
            (&self.last_modified, limits::record::LAST_MODIFIED),
        ];
        if !texts.into_iter().all(|(text, longest)| is_plain(text, longest)) {
            return Err(Breach::Text);
        }
        if !is_tag(&self.etag) {
            return Err(Breach::EntityTag);
        }
        let blocks = self.segment.blocks(self.length).len();
        let said = u32::try_from(self.blocks.len()).ok();
        if blocks == 0 || said != Some(blocks) { Err(Breach::Digests) } else { Ok(()) }
    }

    fn leave_out_odd_texts(&mut self) {
        for (text, longest) in [
            (&mut self.content_type, limits::record::CONTENT_TYPE),
            (&mut self.etag, limits::record::ETAG),
            (&mut self.last_modified, limits::record::LAST_MODIFIED),
        ] {
            if !is_plain(text, longest) {
                text.clear();
            }
        }
        if !is_tag(&self.etag) {
            self.etag.clear();
        }
    }

    /// What is signed: the line that names the use, then the statement as it is written.
    fn signed(&self) -> Vec<u8> {
        let mut out = USE.to_vec();
        self.write(&mut out);
        out
    }

    /// The canonical bytes. A text beyond its bound is cut there: no frame is ever too long,
    /// and nobody signs or takes such a statement.
    fn write(&self, out: &mut Vec<u8>) {
        write_segment(self.segment, out);
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&self.expires.0.to_be_bytes());
        let lifetime = u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX);
        out.extend_from_slice(&lifetime.to_be_bytes());
        write_text(&self.content_type, limits::record::CONTENT_TYPE, out);
        write_text(&self.etag, limits::record::ETAG, out);
        write_text(&self.last_modified, limits::record::LAST_MODIFIED, out);
        let count = self.segment.blocks(self.length).len();
        let count = u8::try_from(count).expect("a segment has at most 64 blocks");
        out.push(count);
        let digests = self.blocks.iter().take(count.into());
        digests.for_each(|digest| out.extend_from_slice(&digest.0));
    }

    fn read(body: &mut Body<'_>) -> Result<Self, Breach> {
        let mut statement = Self {
            segment: body.segment()?,
            length: body.long()?,
            expires: Date(body.array().map(i64::from_be_bytes)?),
            lifetime: Duration::from_secs(body.word()?.into()),
            content_type: body.text(limits::record::CONTENT_TYPE)?,
            etag: body.text(limits::record::ETAG)?,
            last_modified: body.text(limits::record::LAST_MODIFIED)?,
            blocks: Vec::new(),
        };
        let count = u32::from(body.byte()?);
        if count != statement.segment.blocks(statement.length).len() {
            return Err(Breach::Digests);
        }
        let digests = (0..count).map(|_| body.digest());
        statement.blocks = digests.collect::<Result<_, _>>()?;
        statement.check()?;
        Ok(statement)
    }
}

fn is_plain(text: &str, longest: usize) -> bool {
    text.len() <= longest && !text.contains(char::is_control)
}

/// Whether it is an entity tag, or none is stated.
fn is_tag(text: &str) -> bool {
    text.is_empty() || EntityTag::parse(text).is_some()
}

/// The line in front of what is signed: a signature for one use holds for no other.
const USE: &[u8] = b"neap/1 record\n";

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    fn signer(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("any seed is a key")
    }

    fn statement(blocks: u32) -> Statement {
        Statement {
            segment: SegmentId { resource: Digest::of(b"r"), number: 0 },
            length: u64::from(blocks - 1) * limits::block::BLOCK + 5,
            content_type: "video/mp2t".into(),
            etag: "W/\"5f-1\"".into(),
            last_modified: "Sun, 22 Nov 2026 20:35:00 GMT".into(),
            lifetime: Duration::from_secs(3600),
            blocks: (0..blocks).map(|block| Digest::of(&block.to_be_bytes())).collect(),
            expires: Date(1_800_000_000),
        }
    }

    fn record(blocks: u32) -> Record {
        Record::sign(statement(blocks), &signer(1)).expect("a good statement")
    }

    fn bytes(record: &Record) -> Vec<u8> {
        let mut out = Vec::new();
        record.write(&mut out);
        out
    }

    #[test]
    fn a_record_is_read_as_it_is_written_and_holds() {
        for blocks in [1, 2, 64] {
            let record = record(blocks);
            let written = bytes(&record);
            assert_eq!(Record::parse(&written), Ok(record.clone()));
            assert!(record.holds());
            for end in 0..written.len() {
                assert_eq!(Record::parse(&written[..end]), Err(Breach::Short), "{end} bytes");
            }
        }
    }

    #[test]
    fn no_changed_bit_holds() {
        let written = bytes(&record(2));
        for bit in 0..written.len() * 8 {
            let mut changed = written.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let holds = Record::parse(&changed).is_ok_and(|record| record.holds());
            assert!(!holds, "bit {bit}");
        }
    }

    #[test]
    fn a_signature_for_another_use_does_not_hold() {
        let mut record = record(1);
        let mut other = b"neap/1 admission\n".to_vec();
        record.statement.write(&mut other);
        record.signature.copy_from_slice(signer(1).sign(&other).as_ref());
        assert!(!record.holds());
    }

    #[test]
    fn a_key_as_neap_key_writes_it_signs() {
        let file = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let signer = Ed25519KeyPair::from_pkcs8(file.as_ref()).expect("a key");
        let record = Record::sign(statement(3), &signer).expect("what can be signed");
        assert_eq!(record.signer.0, signer.public_key().as_ref());
        assert!(record.holds());
    }

    #[test]
    fn nothing_beyond_the_bounds_is_signed_or_read() {
        let change = |change: fn(&mut Statement)| {
            let mut statement = statement(2);
            change(&mut statement);
            statement
        };
        for (statement, breach) in [
            (change(|s| s.content_type = "x".repeat(129)), Breach::Text),
            (change(|s| s.content_type = "video/mp4\r\nX: y".into()), Breach::Text),
            (change(|s| s.etag = format!("\"{}\"", "x".repeat(255))), Breach::Text),
            (change(|s| s.etag = "bare".into()), Breach::EntityTag),
            (change(|s| s.etag = "\"a\", \"b\"".into()), Breach::EntityTag),
            (change(|s| s.last_modified = "\u{85}".into()), Breach::Text),
            (change(|s| s.blocks.truncate(1)), Breach::Digests),
            (change(|s| s.blocks.push(Digest::of(b""))), Breach::Digests),
            (change(|s| s.segment.number = 1), Breach::Digests),
            (change(|s| (s.length, s.blocks) = (0, Vec::new())), Breach::Digests),
        ] {
            assert_eq!(statement.check(), Err(breach), "{statement:?}");
            let signed = Record::sign(statement.clone(), &signer(1));
            if breach == Breach::Digests {
                assert_eq!(signed, Err(breach));
            } else {
                let record = signed.expect("it is signed without the odd text");
                let said = &record.statement;
                let texts = [&said.content_type, &said.etag, &said.last_modified];
                assert_eq!(texts.iter().filter(|text| text.is_empty()).count(), 1);
                assert_eq!(Record::parse(&bytes(&record)), Ok(record.clone()));
                assert!(record.holds());
            }
            let written = bytes(&Record { statement, ..record(1) });
            assert!(written.len() <= limits::link::MESSAGE);
            assert!(!Record::parse(&written).is_ok_and(|record| record.holds()));
        }
    }

    #[test]
    fn the_longest_record_fits_a_message() {
        let mut statement = statement(64);
        statement.content_type = "x".repeat(limits::record::CONTENT_TYPE);
        statement.etag = format!("\"{}\"", "x".repeat(limits::record::ETAG - 2));
        statement.last_modified = "x".repeat(limits::record::LAST_MODIFIED);
        let record = Record::sign(statement, &signer(1)).expect("what can be signed");
        assert_eq!(bytes(&record).len(), 2655);
        assert!(bytes(&record).len() <= limits::link::MESSAGE);
    }

    #[test]
    fn the_bytes_are_the_ones_that_docs_protocol_shows() {
        let statement = Statement {
            segment: SegmentId { resource: Digest([0xab; 32]), number: 1 },
            length: limits::block::SEGMENT + 5,
            content_type: "video/mp4".into(),
            etag: "\"x\"".into(),
            last_modified: String::new(),
            lifetime: Duration::from_secs(60),
            blocks: vec![Digest([0xcd; 32])],
            expires: Date(1_800_000_000),
        };
        let mut out = Vec::new();
        statement.write(&mut out);
        let shown: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = format!("\n    {shown}\n");
        assert!(include_str!("../../docs/protocol.md").contains(&line), "{shown}");
        let signed = [b"neap/1 record\n".as_slice(), &out].concat();
        assert_eq!(statement.signed(), signed);
    }
}
