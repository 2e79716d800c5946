//! What a peer says, out of the bytes of its records as they come: messages, blocks, signs of
//! life. It holds at most one message or one block.

use bytes::BytesMut;
use ring::digest::{Context, SHA256};

use crate::base::digest::Digest;
use crate::base::limits;
use crate::wire::frame::{Header, Kind};
use crate::wire::membership::{GOODBYE, PING, PONG};
use crate::wire::message::{BlockHead, Message};

/// The ear of one link.
#[derive(Default)]
pub struct Hearing {
    state: State,
    /// Bytes that were passed over and not paid for yet.
    passed: usize,
}

/// What was heard.
pub enum Heard {
    /// A message that is no block.
    Said(Message),
    /// A block with its digest.
    Block(BlockHead, BytesMut, Digest),
    /// The peer asks for a sign of life.
    Ping,
    /// The peer says why it ends the link.
    Goodbye(u8),
}

enum State {
    Header([u8; Header::SIZE], usize),
    Body(Header, Vec<u8>),
    BlockHead(Header, [u8; BlockHead::SIZE], usize),
    Block(BlockHead, BytesMut, Box<Context>),
    /// Bytes that only later versions understand.
    Skip(usize),
}

impl Default for State {
    fn default() -> Self {
        Self::Header([0; Header::SIZE], 0)
    }
}

impl Hearing {
    /// What the bytes that nobody here understands cost, in words.
    pub fn skipped(&mut self) -> u32 {
        let words = self.passed / limits::link::WORD_BYTES;
        self.passed %= limits::link::WORD_BYTES;
        u32::try_from(words).unwrap_or(u32::MAX)
    }

    /// Whether a message or block has begun and is not whole.
    pub const fn is_amid(&self) -> bool {
        !matches!(self.state, State::Header(_, 0))
    }

    /// Takes bytes off `plain` until something was heard or none is left.
    pub fn take(&mut self, plain: &mut &[u8]) -> Result<Option<Heard>, &'static str> {
        while !plain.is_empty() {
            if let Some(heard) = self.step(plain)? {
                return Ok(Some(heard));
            }
        }
        Ok(None)
    }

    fn step(&mut self, plain: &mut &[u8]) -> Result<Option<Heard>, &'static str> {
        match &mut self.state {
            State::Header(bytes, have) => {
                *have += fill(&mut bytes[*have..], plain);
                if *have < Header::SIZE {
                    return Ok(None);
                }
                let header = Header::parse(bytes).map_err(|breach| breach.sentence())?;
                return self.begin(header, plain);
            }
            State::Body(header, body) => {
                let some = off(plain, header.length - body.len());
                body.extend_from_slice(some);
                if body.len() == header.length {
                    let heard = said(header.kind, body)?;
                    self.state = State::default();
                    return Ok(heard);
                }
            }
            State::BlockHead(header, bytes, have) => {
                *have += fill(&mut bytes[*have..], plain);
                if *have == BlockHead::SIZE {
                    let head = BlockHead::parse(bytes, *header).map_err(|b| b.sentence())?;
                    let data = BytesMut::with_capacity(size(head.length));
                    self.state = State::Block(head, data, Box::new(Context::new(&SHA256)));
                }
            }
            State::Block(head, data, context) => {
                let some = off(plain, size(head.length) - data.len());
                // While it is still in the processor's cache.
                context.update(some);
                data.extend_from_slice(some);
                if data.len() == size(head.length) {
                    return Ok(self.block());
                }
            }
            State::Skip(left) => {
                let passed = off(plain, *left).len();
                *left -= passed;
                self.passed += passed;
                if *left == 0 {
                    self.state = State::default();
                }
            }
        }
        Ok(None)
    }

    /// A header is here: most messages lie wholly behind it.
    fn begin(&mut self, header: Header, plain: &mut &[u8]) -> Result<Option<Heard>, &'static str> {
        self.state = State::default();
        let Header { kind, length } = header;
        if kind == Kind::BLOCK {
            self.state = State::BlockHead(header, [0; BlockHead::SIZE], 0);
        } else if !is_known(kind) {
            if length > 0 {
                self.state = State::Skip(length);
            }
        } else if plain.len() >= length {
            return said(kind, off(plain, length));
        } else {
            self.state = State::Body(header, Vec::with_capacity(length));
        }
        Ok(None)
    }

    fn block(&mut self) -> Option<Heard> {
        let State::Block(head, data, context) = core::mem::take(&mut self.state) else {
            return None;
        };
        if head.extra > 0 {
            self.state = State::Skip(head.extra);
        }
        let mut digest = Digest([0; 32]);
        digest.0.copy_from_slice(context.finish().as_ref());
        Some(Heard::Block(head, data, digest))
    }
}

/// Kinds whose body is held; of the others nothing is.
const fn is_known(kind: Kind) -> bool {
    let held = kind.0 >= Kind::CARRIER.0 && kind.longest() <= limits::link::MESSAGE;
    held || matches!(kind, PING | PONG | GOODBYE)
}

fn said(kind: Kind, body: &[u8]) -> Result<Option<Heard>, &'static str> {
    match kind {
        PING => Ok(Some(Heard::Ping)),
        PONG => Ok(None),
        GOODBYE => Ok(Some(Heard::Goodbye(body.first().copied().unwrap_or_default()))),
        _ => {
            let message = Message::parse(kind, body).map_err(|breach| breach.sentence())?;
            Ok(message.map(Heard::Said))
        }
    }
}

/// Copies as much as fits; answers how much.
fn fill(into: &mut [u8], plain: &mut &[u8]) -> usize {
    let some = off(plain, into.len());
    into[..some.len()].copy_from_slice(some);
    some.len()
}

/// Takes at most `most` bytes off the front.
fn off<'a>(plain: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (some, rest) = plain.split_at(most.min(plain.len()));
    *plain = rest;
    some
}

fn size(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::base::segment::{BlockSet, SegmentId};

    fn segment() -> SegmentId {
        SegmentId { resource: Digest::of(b"r"), number: 0 }
    }

    /// What is heard in one word each.
    fn words(ear: &mut Hearing, mut plain: &[u8]) -> Result<Vec<String>, &'static str> {
        let mut words = Vec::new();
        while let Some(heard) = ear.take(&mut plain)? {
            words.push(match heard {
                Heard::Said(message) => format!("{:02x}", message.kind().0),
                Heard::Block(head, data, digest) => {
                    assert_eq!(digest, Digest::of(&data));
                    format!("block {} of {}", head.block, data.len())
                }
                Heard::Ping => "ping".into(),
                Heard::Goodbye(code) => format!("goodbye {code}"),
            });
        }
        Ok(words)
    }

    fn speech() -> Vec<u8> {
        let mut out = Vec::new();
        let blocks = BlockSet::first(5);
        Message::Seek { segment: segment(), topic: Digest::of(b"t") }.write(&mut out);
        out.extend(Header { kind: PING, length: 0 }.to_bytes());
        Message::Block { segment: segment(), block: 3, length: 70 }.write(&mut out);
        out.extend([7; 70]);
        out.extend(Header { kind: Kind(0x77), length: 300 }.to_bytes());
        out.extend([8; 300]);
        out.extend(Header { kind: Kind(0x78), length: 0 }.to_bytes());
        Message::Deny { segment: segment(), blocks }.write(&mut out);
        Message::Choke.write(&mut out);
        out.extend(Header { kind: GOODBYE, length: 1 }.to_bytes());
        out.push(2);
        out
    }

    #[test]
    fn it_is_the_same_however_it_is_cut() {
        let all = ["10", "ping", "block 3 of 70", "17", "18", "goodbye 2"];
        let speech = speech();
        for size in [1, 2, 3, 7, 50, 71, speech.len()] {
            let mut ear = Hearing::default();
            let mut heard = Vec::new();
            for piece in speech.chunks(size) {
                heard.extend(words(&mut ear, piece).expect("our language"));
            }
            assert_eq!(heard, all, "in pieces of {size}");
            assert!(!ear.is_amid());
        }
    }

    #[test]
    fn garbage_ends_in_a_breach_or_in_silence() {
        let mut rng = Rng::new(3);
        for _ in 0..2000 {
            let mut ear = Hearing::default();
            let garbage: Vec<u8> = (0..300).map(|_| rng.next() as u8).collect();
            // It must end, and hold no more than it may.
            let _ = words(&mut ear, &garbage);
            if let State::Body(_, body) = &ear.state {
                assert!(body.capacity() <= limits::link::MESSAGE);
            }
        }
        let mut giant = Hearing::default();
        assert!(words(&mut giant, &[0x10, 0xff, 0xff, 0xff]).is_err());
    }
}
