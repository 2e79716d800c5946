//! Records: the signed statement that a segment has this length and these block digests.

use core::time::Duration;

use crate::base::digest::Digest;
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
