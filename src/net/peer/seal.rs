//! TLS 1.3 records of a link (RFC 8446, 5) once rustls has made the handshake: sealed into the
//! buffer that is sent, opened in the buffer that was read.
//!
//! rustls hands the keys over as it does for the kernel's TLS. Its own record layer takes the
//! bytes through two more buffers each way and at most 4 KiB from the socket at once; what that
//! costs is in docs/performance.md. A link never updates its keys: it ends before it would have to.

use core::ops::Range;

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::ConnectionTrafficSecrets;

use crate::base::limits;

/// One direction of a link: a key, and the number of the next record.
pub struct Seal {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes of messages.
    Data,
    /// An alert (RFC 8446, 6): the end, by whatever word.
    Alert,
    /// The handshake goes on; neap has nothing to say there.
    Handshake,
}

/// Why a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its head is not that of a sealed record.
    Head,
    /// It was not sealed by the other side, or not as the next one.
    Forged,
    /// It has no content type.
    Bare,
    /// The key has sealed as much as it may.
    Spent,
}

impl Seal {
    /// A direction that goes on at record `sequence` with what rustls extracted.
    pub fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Option<Self> {
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return None,
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).ok()?);
        Some(Self { key, iv: iv.as_ref().try_into().ok()?, sequence })
    }

    /// Seals `parts`, together at most [`PLAIN`] bytes, as one record behind what `out` holds.
    pub fn seal(
        &mut self,
        content: Content,
        parts: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        debug_assert!(length <= PLAIN, "a record holds 2^14 bytes");
        let nonce = self.next()?;
        let sealed = u16::try_from(length + 1 + TAG).map_err(|_| Fault::Head)?.to_be_bytes();
        let head = [SEALED, LEGACY[0], LEGACY[1], sealed[0], sealed[1]];
        out.extend_from_slice(&head);
        let start = out.len();
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out.push(content.byte());
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(head), &mut out[start..]);
        out.extend_from_slice(tag.map_err(|_| Fault::Spent)?.as_ref());
        Ok(())
    }

    /// Opens a whole record in its place; answers where in it the content lies.
    pub fn open(&mut self, record: &mut [u8]) -> Result<(Content, Range<usize>), Fault> {
        let head: [u8; HEAD] =
            record.get(..HEAD).and_then(|head| head.try_into().ok()).ok_or(Fault::Head)?;
        if length(head)? != record.len() {
            return Err(Fault::Head);
        }
        let nonce = self.next()?;
        let opened = self.key.open_in_place(nonce, Aad::from(head), &mut record[HEAD..]);
        let plain = opened.map_err(|_| Fault::Forged)?;
        // Behind the content stands its type, and behind that any number of zeros (5.4).
        let at = plain.iter().rposition(|byte| *byte != 0).ok_or(Fault::Bare)?;
        if at > PLAIN {
            return Err(Fault::Head);
        }
        Ok((Content::of(plain[at]).ok_or(Fault::Bare)?, HEAD..HEAD + at))
    }

    /// The nonce of the next record (5.3).
    fn next(&mut self) -> Result<Nonce, Fault> {
        if self.sequence >= limits::link::LINK_RECORDS {
            return Err(Fault::Spent);
        }
        let mut nonce = self.iv;
        for (byte, part) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= part;
        }
        self.sequence += 1;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// The length of a whole sealed record by its first five bytes.
pub fn length(head: [u8; HEAD]) -> Result<usize, Fault> {
    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
    let fits = (1 + TAG..=PLAIN + 256).contains(&length);
    if head[0] == SEALED && head[1..3] == LEGACY && fits {
        Ok(HEAD + length)
    } else {
        Err(Fault::Head)
    }
}

/// The alert that ends a direction in order (RFC 8446, 6.1).
pub const CLOSE_NOTIFY: [u8; 2] = [1, 0];

impl Content {
    const fn byte(self) -> u8 {
        match self {
            Self::Data => 23,
            Self::Alert => 21,
            Self::Handshake => 22,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            23 => Some(Self::Data),
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            _ => None,
        }
    }
}

impl Fault {
    /// The words of a breach.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Head => "it sent what is no TLS record",
            Self::Forged => "it sent a TLS record that it did not seal",
            Self::Bare => "it sent a TLS record of no known type",
            Self::Spent => "the link's key has sealed as much as it may",
        }
    }
}

/// Bytes of content in one record (RFC 8446, 5.1).
pub const PLAIN: usize = 1 << 14;

/// Bytes in front of a record.
pub const HEAD: usize = 5;

/// Bytes that sealing adds to a record's content: head, type and tag.
pub const ADDED: usize = HEAD + 1 + TAG;

const TAG: usize = 16;

/// What stands outside of every sealed record: application data, TLS 1.2.
const SEALED: u8 = 23;
const LEGACY: [u8; 2] = [3, 3];

#[cfg(test)]
mod tests {
    use ring::aead::Algorithm;

    use super::*;

    fn seal(algorithm: &'static Algorithm) -> Seal {
        let key = vec![5; algorithm.key_len()];
        let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).expect("a key"));
        Seal { key, iv: [9; 12], sequence: 0 }
    }

    fn sealed(by: &mut Seal, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let (one, two) = content.split_at(content.len() / 2);
        by.seal(Content::Data, &[one, two], &mut out).expect("sealed");
        out
    }

    #[test]
    fn what_is_sealed_is_opened_in_order() {
        for algorithm in [&AES_128_GCM, &AES_256_GCM, &CHACHA20_POLY1305] {
            let (mut near, mut far) = (seal(algorithm), seal(algorithm));
            for size in [0, 1, 100, PLAIN] {
                let content = vec![size as u8; size];
                let mut record = sealed(&mut near, &content);
                assert_eq!(record.len(), size + ADDED);
                let (kind, at) = far.open(&mut record).expect("opened");
                assert_eq!((kind, &record[at]), (Content::Data, &content[..]));
            }
        }
    }

    #[test]
    fn a_changed_replayed_or_left_out_record_is_forged() {
        let (mut near, mut far) = (seal(&AES_128_GCM), seal(&AES_128_GCM));
        let first = sealed(&mut near, b"first");
        let second = sealed(&mut near, b"second");
        for at in HEAD..first.len() {
            let mut changed = first.clone();
            changed[at] ^= 1;
            let mut reader = seal(&AES_128_GCM);
            assert_eq!(reader.open(&mut changed), Err(Fault::Forged), "byte {at}");
        }
        assert_eq!(seal(&AES_128_GCM).open(&mut second.clone()), Err(Fault::Forged));
        assert!(far.open(&mut first.clone()).is_ok());
        assert_eq!(far.open(&mut first.clone()), Err(Fault::Forged));
    }

    #[test]
    fn rfc_8446_5_2_and_5_4_heads_and_padding() {
        let head = |kind, length: u16| {
            let length = length.to_be_bytes();
            super::length([kind, 3, 3, length[0], length[1]])
        };
        assert_eq!(head(23, 17), Ok(22));
        assert_eq!(head(23, 16_640), Ok(16_645));
        for (kind, long) in [(23, 16), (23, 16_641), (23, 0), (22, 100), (0, 100)] {
            assert_eq!(head(kind, long), Err(Fault::Head), "{kind} {long}");
        }
        assert_eq!(seal(&AES_128_GCM).open(&mut [23, 3, 3]), Err(Fault::Head));
        let (mut near, mut far) = (seal(&AES_128_GCM), seal(&AES_128_GCM));
        let mut record = Vec::new();
        // An alert in front of zeros that look like data: the type is the last byte but zeros.
        near.seal(Content::Alert, &[&[1, 0]], &mut record).expect("sealed");
        assert_eq!(far.open(&mut record), Ok((Content::Alert, HEAD..HEAD + 2)));
    }

    #[test]
    fn rfc_8446_5_5_a_key_is_not_used_for_ever() {
        let mut near = seal(&AES_128_GCM);
        near.sequence = limits::link::LINK_RECORDS;
        assert_eq!(near.seal(Content::Data, &[b"x"], &mut Vec::new()), Err(Fault::Spent));
    }
}
