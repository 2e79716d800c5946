//! Membership: the first words of two nodes, by which each proves that it is of the network.

use core::fmt;

use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::frame::{Header, Kind};
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::peer::{NodeKey, Role};
use crate::base::time::Date;

/// The versions of the protocol that this node speaks, lowest and highest.
pub const VERSIONS: (u8, u8) = (1, 1);

/// Who made the connection. It goes into each proof, so that none can be sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that connected; it proves first, so that a listener tells strangers nothing.
    Dialler,
    /// The one that was connected to.
    Listener,
}

/// What binds first words to one connection and one side of it.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// What TLS exports for [`EXPORTER`] (RFC 8446, 7.5).
    pub exporter: [u8; 32],
    /// Whose words they are.
    pub side: Side,
    /// The speaker's node key, which TLS has proven.
    pub key: NodeKey,
}

/// What a node brings to prove that it belongs, and what it asks of others.
pub struct Membership {
    /// The network's name.
    pub name: String,
    /// The network's secret: who has one asks others to know it.
    pub secret: Option<Vec<u8>>,
    /// Whose admissions count: who names operators asks others for an admission.
    pub operators: Vec<NodeKey>,
    /// This node's own admission.
    pub admission: Option<Admission>,
    /// What this node is there for.
    pub role: Role,
}

/// The operator's signed word that a node belongs to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Who says so.
    pub operator: NodeKey,
    /// Of whom.
    pub node: NodeKey,
    /// Until when.
    pub expires: Date,
    /// Ed25519 over [`Admission::content`] (RFC 8032).
    pub signature: [u8; 64],
}

/// Why a node is no member; the numbers are those of the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    /// It bears another network's name.
    OtherNetwork = 1,
    /// It does not know the secret.
    WrongSecret = 2,
    /// It brings no admission.
    NoAdmission = 3,
    /// Its admission is over.
    ExpiredAdmission = 4,
    /// Its admission is another node's or not by an operator.
    ForgedAdmission = 5,
    /// It speaks no version that we speak.
    Version = 6,
}

/// What a proven node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it is there for, by its own account.
    pub role: Role,
    /// What it can do beyond version 1: bits without a meaning yet.
    pub capabilities: u32,
    /// Until when it is one, where an admission says so.
    pub until: Option<Date>,
}

/// A frame before the proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// First words.
    Hello,
    /// The dialler is content with the listener's proof: messages may follow.
    Welcome,
    /// The other is no member; one byte follows.
    Refusal,
}

/// First words that are none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

impl Membership {
    /// Whether others have to prove anything; who asks for nothing must not open a door.
    pub fn is_closed(&self) -> bool {
        self.secret.is_some() || !self.operators.is_empty()
    }

    /// This node's first words, with their frame.
    pub fn hello(&self, binding: &Binding) -> Vec<u8> {
        let role = ROLES.iter().position(|role| *role == self.role).unwrap_or(0);
        let mut body = Vec::with_capacity(FIXED + ADMISSION);
        let flags = u8::from(self.secret.is_some()) * HAS_PROOF
            + u8::from(self.admission.is_some()) * HAS_ADMISSION;
        body.extend([VERSIONS.0, VERSIONS.1, u8::try_from(role).unwrap_or(0), flags]);
        body.extend([0; 4]);
        body.extend(network(&self.name, binding).0);
        let proof = self.secret.as_ref().map(|secret| {
            let tag = hmac::sign(&hmac_key(secret), &proven(binding, &body));
            <[u8; 32]>::try_from(tag.as_ref()).unwrap_or_default()
        });
        body.extend(proof.unwrap_or_default());
        if let Some(admission) = &self.admission {
            body.extend(admission.bytes());
        }
        let header = Header { kind: HELLO, length: body.len() };
        [&header.to_bytes(), &body[..]].concat()
    }

    /// Whether the first words of another prove that it belongs.
    pub fn check(&self, body: &[u8], by: &Binding, date: Date) -> Result<Member, Denial> {
        let (Some(lowest), Some(highest)) = (body.first(), body.get(1)) else {
            return Err(Denial::Version);
        };
        if *lowest > VERSIONS.1 || *highest < VERSIONS.0 || body.len() < FIXED {
            return Err(Denial::Version);
        }
        let (said, proof) = (&body[..SAID], &body[SAID..FIXED]);
        if said[8..] != network(&self.name, by).0 {
            return Err(Denial::OtherNetwork);
        }
        if let Some(secret) = &self.secret {
            let known = said[3] & HAS_PROOF != 0
                && hmac::verify(&hmac_key(secret), &proven(by, said), proof).is_ok();
            if !known {
                return Err(Denial::WrongSecret);
            }
        }
        let mut until = None;
        if !self.operators.is_empty() {
            let here = said[3] & HAS_ADMISSION != 0;
            let bytes = here.then(|| body.get(FIXED..FIXED + ADMISSION)).flatten();
            let admission = bytes.and_then(Admission::read).ok_or(Denial::NoAdmission)?;
            admission.check(by.key, &self.operators, date)?;
            until = Some(admission.expires);
        }
        let role = ROLES.get(usize::from(said[2])).copied().unwrap_or_default();
        let capabilities = u32::from_be_bytes([said[4], said[5], said[6], said[7]]);
        Ok(Member { role, capabilities, until })
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.secret.as_ref().map(|_| "(hidden)");
        f.debug_struct("Membership").field("name", &self.name).field("secret", &secret).finish()
    }
}

impl Frame {
    /// What a frame is by its header; nothing else may be said before the proofs.
    pub fn of(header: Header) -> Result<Self, Garbled> {
        match header {
            Header { kind: HELLO, length: 2..=limits::link::HELLO } => Ok(Self::Hello),
            Header { kind: WELCOME, length: 0 } => Ok(Self::Welcome),
            Header { kind: REFUSAL, length: 1 } => Ok(Self::Refusal),
            _ => Err(Garbled),
        }
    }

    /// The frame that says that the other's proof is good.
    pub fn welcome() -> [u8; Header::SIZE] {
        Header { kind: WELCOME, length: 0 }.to_bytes()
    }

    /// The frame that says that the other is no member.
    pub fn refusal(code: u8) -> [u8; Header::SIZE + 1] {
        let [a, b, c, d] = Header { kind: REFUSAL, length: 1 }.to_bytes();
        [a, b, c, d, code]
    }
}

impl Denial {
    /// The number that stands in a refusal.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The denial with a number; none for numbers of later versions.
    pub fn of(code: u8) -> Option<Self> {
        DENIALS.into_iter().find(|denial| denial.code() == code)
    }
}

impl Admission {
    /// What is signed.
    pub fn content(operator: NodeKey, node: NodeKey, expires: Date) -> Vec<u8> {
        let mut content = b"neap/1 admission\n".to_vec();
        content.extend(operator.0);
        content.extend(node.0);
        content.extend(expires.0.to_be_bytes());
        content
    }

    /// Whether it admits `node` on `date`, by one of the operators.
    pub fn check(&self, node: NodeKey, operators: &[NodeKey], date: Date) -> Result<(), Denial> {
        let content = Self::content(self.operator, self.node, self.expires);
        let signer = UnparsedPublicKey::new(&ED25519, self.operator.0);
        let signed = signer.verify(&content, &self.signature).is_ok();
        if self.node != node || !operators.contains(&self.operator) || !signed {
            return Err(Denial::ForgedAdmission);
        }
        if self.expires <= date { Err(Denial::ExpiredAdmission) } else { Ok(()) }
    }

    fn bytes(&self) -> [u8; ADMISSION] {
        let mut bytes = [0; ADMISSION];
        bytes[..32].copy_from_slice(&self.operator.0);
        bytes[32..64].copy_from_slice(&self.node.0);
        bytes[64..72].copy_from_slice(&self.expires.0.to_be_bytes());
        bytes[72..].copy_from_slice(&self.signature);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let key = |at: usize| Some(NodeKey(bytes.get(at..at + 32)?.try_into().ok()?));
        Some(Self {
            operator: key(0)?,
            node: key(32)?,
            expires: Date(i64::from_be_bytes(bytes.get(64..72)?.try_into().ok()?)),
            signature: bytes.get(72..ADMISSION)?.try_into().ok()?,
        })
    }

    /// Reads the line that [`Admission`] is written as; blanks around it are of no account.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix(LINE)?.as_bytes();
        if digits.len() != 2 * ADMISSION || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        Self::read(&bytes?)
    }
}

/// One line: `admission:` and 272 hex digits.
impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LINE)?;
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The network's name as it is sent: another digest on each connection, so that nobody can tell
/// from it that two nodes are of one network.
fn network(name: &str, binding: &Binding) -> Digest {
    let parts = [b"neap/1 network\n", binding.side.letter(), &binding.exporter, name.as_bytes()];
    Digest::of_parts(parts)
}

/// What the proof is made over: the connection, the side, the key, and the words before it.
fn proven(binding: &Binding, said: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 5] =
        [b"neap/1 proof\n", binding.side.letter(), &binding.exporter, &binding.key.0, said];
    parts.concat()
}

impl Side {
    const fn letter(self) -> &'static [u8] {
        match self {
            Self::Dialler => b"D",
            Self::Listener => b"L",
        }
    }
}

fn hmac_key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// The label under which TLS exports what binds the proofs to it (RFC 5705, 4; RFC 8446, 7.5).
pub const EXPORTER: &[u8] = b"EXPORTER-neap-1";

/// The protocol's name in TLS (RFC 7301).
pub const ALPN: &[u8] = b"neap/1";

/// Bytes of first words that the proof covers: versions, role, flags, capabilities, network.
const SAID: usize = 40;

/// Bytes of first words without an admission.
const FIXED: usize = SAID + 32;

/// Bytes of an admission: two keys, a date, a signature.
const ADMISSION: usize = 32 + 32 + 8 + 64;

const HELLO: Kind = Kind(1);
const WELCOME: Kind = Kind(2);
const REFUSAL: Kind = Kind(3);

/// Asks for a sign of life; its body is empty.
pub const PING: Kind = Kind(4);

/// A sign of life; its body is empty.
pub const PONG: Kind = Kind(5);

/// The last frame of a link: one byte says why it ends.
pub const GOODBYE: Kind = Kind(6);

const HAS_PROOF: u8 = 1;
const HAS_ADMISSION: u8 = 2;

/// What an admission's line begins with.
const LINE: &str = "admission:";

/// Roles by their number.
const ROLES: [Role; 3] = [Role::Device, Role::Gateway, Role::Witness];

const DENIALS: [Denial; 6] = [
    Denial::OtherNetwork,
    Denial::WrongSecret,
    Denial::NoAdmission,
    Denial::ExpiredAdmission,
    Denial::ForgedAdmission,
    Denial::Version,
];

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    const NOW: Date = Date(1_800_000_000);
    const FRAME: usize = Header::SIZE;

    fn pair(seed: u8) -> (Ed25519KeyPair, NodeKey) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed");
        let key = NodeKey(pair.public_key().as_ref().try_into().expect("32 bytes"));
        (pair, key)
    }

    fn admitted(by: u8, node: NodeKey, expires: Date) -> Admission {
        let (pair, operator) = pair(by);
        let signature = pair.sign(&Admission::content(operator, node, expires));
        let signature = signature.as_ref().try_into().expect("64 bytes");
        Admission { operator, node, expires, signature }
    }

    fn member(secret: Option<&[u8]>) -> Membership {
        Membership {
            name: "home".into(),
            secret: secret.map(Into::into),
            operators: Vec::new(),
            admission: None,
            role: Role::Gateway,
        }
    }

    fn binding() -> Binding {
        Binding { exporter: [7; 32], side: Side::Dialler, key: NodeKey([1; 32]) }
    }

    /// What `of` says when it is checked as `by`.
    fn checked(of: &Membership, said: &Binding, by: &Binding) -> Result<Member, Denial> {
        let hello = of.hello(said);
        let header = Header::parse(hello.first_chunk().expect("four bytes")).expect("a header");
        assert_eq!((Frame::of(header), header.length), (Ok(Frame::Hello), hello.len() - FRAME));
        member(Some(b"secret")).check(&hello[FRAME..], by, NOW)
    }

    #[test]
    fn who_knows_the_secret_belongs() {
        let told = checked(&member(Some(b"secret")), &binding(), &binding());
        assert_eq!(told, Ok(Member { role: Role::Gateway, capabilities: 0, until: None }));
        let wrong = checked(&member(Some(b"guess")), &binding(), &binding());
        assert_eq!(wrong, Err(Denial::WrongSecret));
        assert_eq!(checked(&member(None), &binding(), &binding()), Err(Denial::WrongSecret));
        let other = Membership { name: "hotel".into(), ..member(Some(b"secret")) };
        assert_eq!(checked(&other, &binding(), &binding()), Err(Denial::OtherNetwork));
    }

    #[test]
    fn a_proof_counts_on_its_connection_side_and_key_alone() {
        let said = binding();
        for (by, denial) in [
            (Binding { exporter: [8; 32], ..said }, Denial::OtherNetwork),
            (Binding { side: Side::Listener, ..said }, Denial::OtherNetwork),
            (Binding { key: NodeKey([2; 32]), ..said }, Denial::WrongSecret),
        ] {
            assert_eq!(checked(&member(Some(b"secret")), &said, &by), Err(denial));
        }
    }

    #[test]
    fn every_changed_byte_of_the_first_words_is_noticed() {
        let ours = member(Some(b"secret"));
        let hello = ours.hello(&binding());
        for at in FRAME..hello.len() {
            let mut changed = hello.clone();
            changed[at] ^= 0x80;
            assert!(ours.check(&changed[FRAME..], &binding(), NOW).is_err(), "byte {at}");
        }
        for end in FRAME..hello.len() {
            assert!(ours.check(&hello[FRAME..end], &binding(), NOW).is_err(), "{end} bytes");
        }
        let longer = [&hello[FRAME..], b"what later versions say"].concat();
        assert!(ours.check(&longer, &binding(), NOW).is_ok());
    }

    #[test]
    fn an_admission_counts_for_its_node_until_its_end() {
        let (_, operator) = pair(9);
        let node = binding().key;
        let ours = Membership { operators: vec![operator], ..member(None) };
        let later = Date(NOW.0 + 1);
        for (admission, outcome) in [
            (None, Some(Denial::NoAdmission)),
            (Some(admitted(9, node, later)), None),
            (Some(admitted(9, node, NOW)), Some(Denial::ExpiredAdmission)),
            (Some(admitted(9, NodeKey([2; 32]), later)), Some(Denial::ForgedAdmission)),
            (Some(admitted(8, node, later)), Some(Denial::ForgedAdmission)),
            (
                Some(Admission { expires: Date(i64::MAX), ..admitted(9, node, NOW) }),
                Some(Denial::ForgedAdmission),
            ),
        ] {
            let other = Membership { admission, ..member(None) };
            let hello = other.hello(&binding());
            let told = ours.check(&hello[FRAME..], &binding(), NOW);
            assert_eq!(told.err(), outcome, "{:?}", other.admission);
        }
    }

    #[test]
    fn an_admission_is_read_as_it_is_printed() {
        let admission = admitted(9, NodeKey([1; 32]), NOW);
        let line = admission.to_string();
        assert_eq!(Admission::parse(&format!(" {line}\n")), Some(admission));
        for wrong in ["", "admission:", &line[..line.len() - 1], &line.replace(':', ";")] {
            assert_eq!(Admission::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn frames_before_the_proofs_are_short() {
        let of = |bytes: &[u8; 4]| Frame::of(Header::parse(bytes).expect("a header"));
        assert_eq!(of(&Frame::welcome()), Ok(Frame::Welcome));
        let refusal = Frame::refusal(Denial::Version.code());
        assert_eq!(of(refusal.first_chunk().expect("four")), Ok(Frame::Refusal));
        assert_eq!(Denial::of(refusal[4]), Some(Denial::Version));
        assert_eq!(Denial::of(200), None);
        for (kind, length) in [(0, 0), (1, 1), (1, 1025), (2, 1), (3, 0), (3, 2), (4, 0), (16, 2)] {
            let header = Header { kind: Kind(kind), length };
            assert_eq!(Frame::of(header), Err(Garbled), "{header:?}");
        }
    }
}
