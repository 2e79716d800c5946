//! STUN's Binding (RFC 8489): whoever asks is told the address that it is seen at.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a request and its answer have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transaction(pub [u8; 12]);

/// A message of the Binding method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The sender asks what address it is seen at.
    Request(Transaction),
    /// It is seen at this one.
    Response(Transaction, SocketAddr),
}

/// A datagram that is no Binding, or none that neap can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// Whether a datagram that came over a socket which QUIC shares is for STUN (RFC 9443, 3).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEAD && datagram[0] < 4 && datagram[4..8] == COOKIE
}

impl Binding {
    /// Reads a datagram. Attributes that say nothing of an address are skipped; what must be
    /// understood and is not (RFC 8489, 14) makes it unfit where it is a request.
    pub fn parse(datagram: &[u8]) -> Result<Self, Unfit> {
        let head: &[u8; HEAD] = datagram.first_chunk().ok_or(Unfit)?;
        let [a, b, high, low, ..] = *head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !is_stun(datagram) || length % 4 != 0 || datagram.len() != HEAD + length {
            return Err(Unfit);
        }
        let mut transaction = Transaction([0; 12]);
        transaction.0.copy_from_slice(&head[8..]);
        let (mut rest, mut mapped, mut is_odd) = (&datagram[HEAD..], None, false);
        while let [a, b, high, low, tail @ ..] = rest {
            let kind = u16::from_be_bytes([*a, *b]);
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let value = tail.get(..length).ok_or(Unfit)?;
            match kind {
                XOR_MAPPED_ADDRESS => mapped = Some(address(value, transaction)?),
                OPTIONAL.. => {}
                kind => is_odd |= !KNOWN.contains(&kind),
            }
            rest = tail.get(length.next_multiple_of(4)..).ok_or(Unfit)?;
        }
        match (u16::from_be_bytes([a, b]), mapped) {
            (REQUEST, _) if !is_odd => Ok(Self::Request(transaction)),
            (RESPONSE, Some(mapped)) => Ok(Self::Response(transaction, mapped)),
            _ => Err(Unfit),
        }
    }

    /// The datagram.
    pub fn to_bytes(self) -> Vec<u8> {
        let (kind, transaction, value) = match self {
            Self::Request(transaction) => (REQUEST, transaction, Vec::new()),
            Self::Response(transaction, address) => {
                (RESPONSE, transaction, masked(address, transaction))
            }
        };
        let length = if value.is_empty() { 0 } else { 4 + value.len() };
        let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
        let mut out = Vec::with_capacity(HEAD + length);
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&short(length));
        out.extend_from_slice(&COOKIE);
        out.extend_from_slice(&transaction.0);
        if !value.is_empty() {
            out.extend_from_slice(&XOR_MAPPED_ADDRESS.to_be_bytes());
            out.extend_from_slice(&short(value.len()));
            out.extend_from_slice(&value);
        }
        out
    }
}

/// The value of XOR-MAPPED-ADDRESS (14.2): masked, because some routers rewrite what looks like
/// an address of theirs.
fn masked(address: SocketAddr, transaction: Transaction) -> Vec<u8> {
    let mut value = vec![0, 1];
    value.extend_from_slice(&(address.port() ^ COOKIE_PORT).to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => value.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => {
            value[1] = 2;
            value.extend_from_slice(&ip.octets());
        }
    }
    mask(&mut value[4..], transaction);
    value
}

fn address(value: &[u8], transaction: Transaction) -> Result<SocketAddr, Unfit> {
    let [_, family, high, low, rest @ ..] = value else { return Err(Unfit) };
    let port = u16::from_be_bytes([*high, *low]) ^ COOKIE_PORT;
    let mut rest = rest.to_vec();
    mask(&mut rest, transaction);
    let ip = match family {
        1 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(rest).map_err(|_| Unfit)?)),
        2 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(rest).map_err(|_| Unfit)?)),
        _ => return Err(Unfit),
    };
    Ok(SocketAddr::new(ip, port))
}

fn mask(bytes: &mut [u8], transaction: Transaction) {
    let key = COOKIE.iter().chain(&transaction.0);
    bytes.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
}

const HEAD: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const COOKIE_PORT: u16 = 0x2112;
const REQUEST: u16 = 0x0001;
const RESPONSE: u16 = 0x0101;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// Attributes from here on may be skipped by whoever does not know them.
const OPTIONAL: u16 = 0x8000;

/// Attributes of RFC 8489 that change nothing where nobody is asked who he is: MAPPED-ADDRESS,
/// USERNAME, MESSAGE-INTEGRITY, REALM, NONCE, MESSAGE-INTEGRITY-SHA256, and ICE's PRIORITY and
/// USE-CANDIDATE (RFC 8445).
const KNOWN: [u16; 8] = [0x0001, 0x0006, 0x0008, 0x0014, 0x0015, 0x001c, 0x0024, 0x0025];

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: String = hex.split_whitespace().collect();
        let pairs = digits.as_bytes().chunks(2);
        let pair =
            |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).expect("digits"), 16);
        pairs.map(|text| pair(text).expect("hex")).collect()
    }

    /// RFC 5769, 2.2.
    const FOUR: &str = "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b \
        7465737420766563746f7220 00200008 0001a147e112a643 00080014 \
        2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96";

    const TRANSACTION: Transaction =
        Transaction([0xb7, 0xe7, 0xa7, 1, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);

    #[test]
    fn rfc_5769_2_2_the_sample_response() {
        let seen = "192.0.2.1:32853".parse().expect("an address");
        let datagram = bytes(FOUR);
        assert!(is_stun(&datagram));
        assert_eq!(Binding::parse(&datagram), Ok(Binding::Response(TRANSACTION, seen)));
        for end in 0..datagram.len() {
            assert_eq!(Binding::parse(&datagram[..end]), Err(Unfit), "{end} bytes");
        }
    }

    #[test]
    fn rfc_5769_2_3_an_address_of_ipv6() {
        let value = bytes("0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9");
        let seen = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().expect("an address");
        assert_eq!(address(&value, TRANSACTION), Ok(seen));
        assert_eq!(masked(seen, TRANSACTION), value);
    }

    #[test]
    fn what_is_written_is_read() {
        for text in ["203.0.113.9:1", "[2001:db8::9]:65535"] {
            let response = Binding::Response(TRANSACTION, text.parse().expect("an address"));
            assert_eq!(Binding::parse(&response.to_bytes()), Ok(response));
        }
        let request = Binding::Request(TRANSACTION);
        assert_eq!(request.to_bytes().len(), 20);
        assert_eq!(Binding::parse(&request.to_bytes()), Ok(request));
    }

    #[test]
    fn what_must_be_understood_is_asked_for_in_vain() {
        // CHANGE-REQUEST (RFC 5780): an answer from elsewhere would be a lie.
        let mut request = bytes("00010008 2112a442 000000000000000000000000 00030004 00000006");
        assert_eq!(Binding::parse(&request), Err(Unfit));
        request[20] = 0x80;
        assert_eq!(Binding::parse(&request), Ok(Binding::Request(Transaction([0; 12]))));
    }

    #[test]
    fn quic_is_told_apart() {
        for first in [0x40_u8, 0x60, 0xc0, 0xff] {
            let mut datagram = Binding::Request(TRANSACTION).to_bytes();
            datagram[0] = first;
            assert!(!is_stun(&datagram));
        }
        assert!(!is_stun(&[0; 30]));
    }
}
