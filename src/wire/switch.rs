//! The operator's switch: a signed statement on how many of a network's nodes share, passed on
//! from node to node.

use core::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::frame::{Body, Breach};
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::peer::NodeKey;
use crate::base::time::Date;

/// What an operator says of sharing in a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Who says so.
    pub operator: NodeKey,
    /// Which network is meant.
    pub network: Digest,
    /// The higher one counts: the date at which it was made, in seconds since 1970.
    pub sequence: u64,
    /// How many of a hundred nodes share; 0 for none.
    pub percent: u8,
    /// Until when it holds; then the configuration alone does.
    pub expires: Date,
    /// Ed25519 over [`Switch::content`] (RFC 8032).
    pub signature: [u8; 64],
}

impl Switch {
    /// Bytes of a statement.
    pub const SIZE: usize = 32 + 32 + 8 + 1 + 8 + 64;

    /// Signs a statement for the network of this name.
    pub fn sign(
        pair: &Ed25519KeyPair,
        network: &str,
        (sequence, percent, expires): (u64, u8, Date),
    ) -> Self {
        let mut key = [0; 32];
        key.copy_from_slice(pair.public_key().as_ref());
        let mut switch = Self {
            operator: NodeKey(key),
            network: network_of(network),
            sequence,
            percent: percent.min(100),
            expires,
            signature: [0; 64],
        };
        let signature = pair.sign(&switch.content());
        switch.signature.copy_from_slice(signature.as_ref());
        switch
    }

    /// What is signed.
    pub fn content(&self) -> Vec<u8> {
        let mut content = b"neap/1 switch\n".to_vec();
        self.write_said(&mut content);
        content
    }

    /// Whether one of these operators said it of the network of this name.
    pub fn holds(&self, operators: &[NodeKey], network: &str) -> bool {
        self.concerns(operators, network) && self.is_signed()
    }

    /// Whether it is said to be one of these operators' word on the network of this name.
    pub fn concerns(&self, operators: &[NodeKey], network: &str) -> bool {
        self.percent <= 100
            && operators.contains(&self.operator)
            && self.network == network_of(network)
    }

    /// Whether its operator signed it.
    pub fn is_signed(&self) -> bool {
        let signer = UnparsedPublicKey::new(&ED25519, self.operator.0);
        signer.verify(&self.content(), &self.signature).is_ok()
    }

    /// Whether a node with this key shares by it. The more of a hundred, the more nodes beside
    /// those that did before.
    pub fn lets_share(&self, node: NodeKey) -> bool {
        let place = Digest::of_parts([b"neap/1 switch place\0".as_slice(), &node.0]);
        let bytes = place.0.first_chunk::<4>().copied().unwrap_or_default();
        u64::from(u32::from_be_bytes(bytes)) * 100 < u64::from(self.percent) << 32
    }

    /// Reads what [`Switch::write`] writes.
    pub(super) fn read(body: &mut Body<'_>) -> Result<Self, Breach> {
        Ok(Self {
            operator: NodeKey(body.array()?),
            network: body.digest()?,
            sequence: body.long()?,
            percent: body.byte()?,
            expires: Date(i64::from_be_bytes(body.array()?)),
            signature: body.array()?,
        })
    }

    /// Adds it as it stands in a message.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.write_said(out);
        out.extend_from_slice(&self.signature);
    }

    fn write_said(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.operator.0);
        out.extend_from_slice(&self.network.0);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.push(self.percent);
        out.extend_from_slice(&self.expires.0.to_be_bytes());
    }

    /// Reads the line that a statement is written as; blanks around it are of no account.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix(LINE)?.as_bytes();
        if digits.len() != 2 * Self::SIZE || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        Self::read(&mut Body(&bytes?)).ok()
    }
}

/// One line: `switch:` and 290 hex digits.
impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(Self::SIZE);
        self.write(&mut bytes);
        f.write_str(LINE)?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn network_of(name: &str) -> Digest {
    let name = &name.as_bytes()[..name.len().min(limits::config::NAME)];
    Digest::of_parts([b"neap/1 switch network\0".as_slice(), name])
}

const LINE: &str = "switch:";

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed")
    }

    fn switch(percent: u8) -> Switch {
        Switch::sign(&pair(1), "net", (7, percent, Date(1_900_000_000)))
    }

    #[test]
    fn an_operators_word_counts_and_nobody_elses() {
        let said = switch(40);
        let operators = [said.operator];
        assert!(said.holds(&operators, "net"));
        assert!(!said.holds(&operators, "ten"));
        assert!(!said.holds(&[NodeKey([9; 32])], "net"));
        let forged = Switch::sign(&pair(2), "net", (8, 0, Date(1_900_000_000)));
        assert!(!forged.holds(&operators, "net"));
        for change in 0..4 {
            let mut other = said.clone();
            match change {
                0 => other.sequence += 1,
                1 => other.percent = 0,
                2 => other.expires.0 += 1,
                _ => other.signature[0] ^= 1,
            }
            assert!(!other.holds(&operators, "net"), "{change}");
        }
    }

    #[test]
    fn stages_add_nodes_and_take_none_away() {
        let node = |number: u32| NodeKey(Digest::of(&number.to_be_bytes()).0);
        let shares = |percent: u8| {
            (0..2000).filter(|number| switch(percent).lets_share(node(*number))).count()
        };
        assert_eq!((shares(0), shares(100)), (0, 2000));
        assert!((140..260).contains(&shares(10)), "{}", shares(10));
        for number in 0..200 {
            let stages: Vec<bool> =
                (0..=100).map(|percent| switch(percent).lets_share(node(number))).collect();
            assert!(stages.is_sorted(), "{number}");
        }
    }

    #[test]
    fn a_line_is_read_as_it_is_written() {
        let said = switch(40);
        let line = said.to_string();
        assert_eq!(Switch::parse(&format!(" {line}\n")), Some(said));
        for end in 0..line.len() {
            assert_eq!(Switch::parse(&line[..end]), None, "{end}");
        }
    }
}
