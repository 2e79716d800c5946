//! Words of reaching each other: the address that a peer is seen at, and the meeting of two
//! through a third (the rendezvous, connect and error of BEP 55); docs/protocol.md.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::frame::{Body, Breach};

/// A word of a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Punch {
    /// The sender wants to meet the peer that the other sees there.
    Ask {
        /// Where.
        address: SocketAddr,
        /// What kind of router stands before the sender.
        mapping: Mapping,
    },
    /// The one at this address dials now, and so should the other.
    Go {
        /// Where.
        address: SocketAddr,
        /// What kind of router stands before it.
        mapping: Mapping,
    },
    /// The sender is not linked to anybody there, or arranges no more for now.
    Cannot {
        /// Where.
        address: SocketAddr,
    },
}

/// How a router maps addresses (RFC 4787, 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mapping {
    /// Too few have said what they see.
    #[default]
    Unknown,
    /// All see the same address.
    Independent,
    /// Each sees another.
    Dependent,
}

impl Punch {
    pub(super) fn read(body: &mut Body<'_>) -> Result<Option<Self>, Breach> {
        let (word, mapping) = (body.byte()?, body.byte()?);
        let mapping = match mapping {
            0 => Some(Mapping::Unknown),
            1 => Some(Mapping::Independent),
            2 => Some(Mapping::Dependent),
            _ => None,
        };
        let (Some(address), Some(mapping)) = (read_address(body)?, mapping) else {
            return Ok(None);
        };
        Ok(match (word, mapping) {
            (0, mapping) => Some(Self::Ask { address, mapping }),
            (1, mapping) => Some(Self::Go { address, mapping }),
            (2, Mapping::Unknown) => Some(Self::Cannot { address }),
            // A word of a later version.
            _ => None,
        })
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        let (word, address, mapping) = match self {
            Self::Ask { address, mapping } => (0, address, mapping),
            Self::Go { address, mapping } => (1, address, mapping),
            Self::Cannot { address } => (2, address, Mapping::Unknown),
        };
        out.extend_from_slice(&[word, mapping as u8]);
        write_address(address, out);
    }
}

/// An address with its port; none where its family is one of a later version.
pub(super) fn read_address(body: &mut Body<'_>) -> Result<Option<SocketAddr>, Breach> {
    let family = body.byte()?;
    let port = u16::from_be_bytes(body.array()?);
    Ok(match family {
        4 => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(body.array::<4>()?)), port)),
        6 => {
            let ip = IpAddr::V6(Ipv6Addr::from(body.array::<16>()?));
            // One of IPv4 has one way to be written.
            (ip.to_canonical() == ip).then(|| SocketAddr::new(ip, port))
        }
        _ => None,
    })
}

pub(super) fn write_address(address: SocketAddr, out: &mut Vec<u8>) {
    let ip = address.ip().to_canonical();
    out.push(if ip.is_ipv4() { 4 } else { 6 });
    out.extend_from_slice(&address.port().to_be_bytes());
    match ip {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
}
