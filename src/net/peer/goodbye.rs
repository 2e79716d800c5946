//! The last word on a link: why it ends, as one byte.

use crate::node::peering::Parting;

/// The byte of a goodbye.
pub(super) const fn code(why: &Parting) -> u8 {
    match why {
        Parting::Double => 1,
        Parting::Crowd => 2,
        Parting::Closing => 3,
        Parting::Breach(_) => 4,
        Parting::Liar(_) => 5,
        _ => 0,
    }
}

/// Why the peer ended the link, by its own account.
pub(super) fn meaning(code: u8) -> Parting {
    match code {
        1 => Parting::Double,
        2 => Parting::Crowd,
        3 => Parting::Closing,
        4 => {
            log::debug!("a peer says that this node broke the protocol");
            Parting::Closed
        }
        _ => Parting::Closed,
    }
}
