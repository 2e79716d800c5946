//! Asking a router for a port: PCP's MAP (RFC 6887) and, where the router is older, NAT-PMP
//! (RFC 6886).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

/// A port that others may be let in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Of which protocol.
    pub protocol: Protocol,
    /// This node's own port.
    pub port: u16,
    /// The router's port that would be best: the one that it gave before.
    pub suggested: u16,
    /// For how long; zero ends it.
    pub lifetime: Duration,
}

/// What is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// UDP, which QUIC goes over.
    Udp,
    /// TCP.
    Tcp,
}

/// What a router says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A port is mapped.
    Mapped {
        /// Of which protocol.
        protocol: Protocol,
        /// This node's port.
        port: u16,
        /// The router's.
        outside: u16,
        /// The router's address, where the answer states it.
        address: Option<IpAddr>,
        /// For how long.
        lifetime: Duration,
    },
    /// The router's address (NAT-PMP says it by itself).
    Address(Ipv4Addr),
    /// It speaks NAT-PMP alone.
    Older,
    /// It refuses, with its result code.
    Refused(u8),
}

/// A datagram that is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// A PCP request of the node with that address (RFC 6887, 7.1 and 11.1); the nonce is the same
/// for as long as the mapping lives.
pub fn map(want: Want, own: IpAddr, nonce: [u8; 12]) -> [u8; 60] {
    let mut out = [0; 60];
    out[0] = PCP;
    out[1] = MAP;
    out[4..8].copy_from_slice(&seconds(want.lifetime));
    out[8..24].copy_from_slice(&wide(own).octets());
    out[24..36].copy_from_slice(&nonce);
    out[36] = want.protocol.number();
    out[40..42].copy_from_slice(&want.port.to_be_bytes());
    out[42..44].copy_from_slice(&want.suggested.to_be_bytes());
    // No address is preferred; its family says which one is meant (11.1).
    let any =
        if own.is_ipv4() { wide(Ipv4Addr::UNSPECIFIED.into()) } else { Ipv6Addr::UNSPECIFIED };
    out[44..60].copy_from_slice(&any.octets());
    out
}

/// The same as a NAT-PMP request (RFC 6886, 3.3).
pub fn map_older(want: Want) -> [u8; 12] {
    let mut out = [0; 12];
    out[1] = want.protocol.older();
    out[4..6].copy_from_slice(&want.port.to_be_bytes());
    out[6..8].copy_from_slice(&want.suggested.to_be_bytes());
    out[8..12].copy_from_slice(&seconds(want.lifetime));
    out
}

/// A NAT-PMP request for the router's address (3.2).
pub const ADDRESS: [u8; 2] = [0, 0];

/// Reads an answer; `nonce` is that of the request.
pub fn parse(datagram: &[u8], nonce: [u8; 12]) -> Result<Said, Unfit> {
    match datagram {
        [PCP, ..] => parse_pcp(datagram, nonce),
        [OLDER, ..] => parse_older(datagram),
        _ => Err(Unfit),
    }
}

fn parse_pcp(datagram: &[u8], nonce: [u8; 12]) -> Result<Said, Unfit> {
    let body: &[u8; 60] = datagram.first_chunk().ok_or(Unfit)?;
    if body[1] != MAP | ANSWER || body[24..36] != nonce {
        return Err(Unfit);
    }
    if body[3] != 0 {
        return Ok(Said::Refused(body[3]));
    }
    let protocol = match body[36] {
        17 => Protocol::Udp,
        6 => Protocol::Tcp,
        _ => return Err(Unfit),
    };
    let mut address = [0; 16];
    address.copy_from_slice(&body[44..60]);
    Ok(Said::Mapped {
        protocol,
        port: u16::from_be_bytes([body[40], body[41]]),
        outside: u16::from_be_bytes([body[42], body[43]]),
        address: Some(IpAddr::V6(Ipv6Addr::from(address)).to_canonical()),
        lifetime: lifetime(body[4..8].try_into().map_err(|_| Unfit)?),
    })
}

fn parse_older(datagram: &[u8]) -> Result<Said, Unfit> {
    let [_, kind, high, low, ..] = datagram else { return Err(Unfit) };
    let result = u16::from_be_bytes([*high, *low]);
    if kind & ANSWER == 0 {
        return Err(Unfit);
    }
    if result != 0 {
        // To a request of PCP it says "unsupported version" (RFC 6887, appendix A).
        let code = u8::try_from(result).unwrap_or(u8::MAX);
        return Ok(if code == 1 && *kind != ANSWER { Said::Older } else { Said::Refused(code) });
    }
    let protocol = match kind & !ANSWER {
        0 => {
            let ip: [u8; 4] = datagram.get(8..12).ok_or(Unfit)?.try_into().map_err(|_| Unfit)?;
            return Ok(Said::Address(Ipv4Addr::from(ip)));
        }
        1 => Protocol::Udp,
        2 => Protocol::Tcp,
        _ => return Err(Unfit),
    };
    let body: &[u8; 16] = datagram.first_chunk().ok_or(Unfit)?;
    Ok(Said::Mapped {
        protocol,
        port: u16::from_be_bytes([body[8], body[9]]),
        outside: u16::from_be_bytes([body[10], body[11]]),
        address: None,
        lifetime: lifetime([body[12], body[13], body[14], body[15]]),
    })
}

impl Protocol {
    /// Its number at IANA.
    const fn number(self) -> u8 {
        match self {
            Self::Udp => 17,
            Self::Tcp => 6,
        }
    }

    const fn older(self) -> u8 {
        match self {
            Self::Udp => 1,
            Self::Tcp => 2,
        }
    }
}

const fn wide(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

fn seconds(lifetime: Duration) -> [u8; 4] {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX).to_be_bytes()
}

fn lifetime(bytes: [u8; 4]) -> Duration {
    Duration::from_secs(u32::from_be_bytes(bytes).into())
}

const PCP: u8 = 2;
const OLDER: u8 = 0;
const MAP: u8 = 1;
const ANSWER: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    const WANT: Want = Want {
        protocol: Protocol::Udp,
        port: 8644,
        suggested: 8644,
        lifetime: Duration::from_secs(7200),
    };

    const NONCE: [u8; 12] = *b"twelve bytes";

    #[test]
    fn rfc_6887_7_and_11_a_request_and_its_answer() {
        let own = IpAddr::from([192, 168, 1, 5]);
        let mut bytes = map(WANT, own, NONCE);
        assert_eq!(bytes[..8], [2, 1, 0, 0, 0, 0, 0x1c, 0x20]);
        assert_eq!(bytes[18..24], [0xff, 0xff, 192, 168, 1, 5]);
        assert_eq!(bytes[36..44], [17, 0, 0, 0, 0x21, 0xc4, 0x21, 0xc4]);
        assert_eq!(parse(&bytes, NONCE), Err(Unfit), "a request is no answer");
        bytes[1] |= ANSWER;
        bytes[42..44].copy_from_slice(&4000_u16.to_be_bytes());
        bytes[44..60].copy_from_slice(&Ipv4Addr::new(203, 0, 113, 7).to_ipv6_mapped().octets());
        let said = Said::Mapped {
            protocol: Protocol::Udp,
            port: 8644,
            outside: 4000,
            address: Some(IpAddr::from([203, 0, 113, 7])),
            lifetime: WANT.lifetime,
        };
        assert_eq!(parse(&bytes, NONCE), Ok(said));
        assert_eq!(parse(&bytes, *b"another one!"), Err(Unfit));
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end], NONCE), Err(Unfit), "{end} bytes");
        }
        bytes[3] = 2;
        assert_eq!(parse(&bytes, NONCE), Ok(Said::Refused(2)));
    }

    #[test]
    fn rfc_6886_3_3_the_older_form() {
        let bytes = map_older(WANT);
        assert_eq!(bytes, [0, 1, 0, 0, 0x21, 0xc4, 0x21, 0xc4, 0, 0, 0x1c, 0x20]);
        assert_eq!(parse(&bytes, NONCE), Err(Unfit));
        let answer = [0, 129, 0, 0, 0, 0, 0, 9, 0x21, 0xc4, 0x0f, 0xa0, 0, 0, 0x1c, 0x20];
        let said = Said::Mapped {
            protocol: Protocol::Udp,
            port: 8644,
            outside: 4000,
            address: None,
            lifetime: WANT.lifetime,
        };
        assert_eq!(parse(&answer, NONCE), Ok(said));
        for end in 0..answer.len() {
            assert_eq!(parse(&answer[..end], NONCE), Err(Unfit), "{end} bytes");
        }
        let address = [0, 128, 0, 0, 0, 0, 0, 9, 203, 0, 113, 7];
        assert_eq!(parse(&address, NONCE), Ok(Said::Address(Ipv4Addr::new(203, 0, 113, 7))));
        assert_eq!(parse(&[0, 129, 0, 1, 0, 0, 0, 9], NONCE), Ok(Said::Older));
        assert_eq!(parse(&[0, 129, 0, 2, 0, 0, 0, 9], NONCE), Ok(Said::Refused(2)));
    }
}
