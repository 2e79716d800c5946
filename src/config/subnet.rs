//! Address blocks: whom players and near peers are told by.

use core::fmt;
use core::net::IpAddr;

/// An address block such as `192.168.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The block's first address.
    pub address: IpAddr,
    /// Leading bits that count.
    pub bits: u8,
}

impl Subnet {
    /// Whether `address` lies in the block; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(block), IpAddr::V4(a)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.bits));
                block.to_bits().checked_shr(shift) == a.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(block), IpAddr::V6(a)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.bits));
                block.to_bits().checked_shr(shift) == a.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let single = if self.address.is_ipv4() { 32 } else { 128 };
        match self.bits {
            bits if bits == single => write!(f, "{}", self.address),
            bits => write!(f, "{}/{bits}", self.address),
        }
    }
}
