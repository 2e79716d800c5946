//! Why an origin could not be asked, or did not finish: in words for the log, in sentences for the
//! player.

use core::fmt;

/// Why an origin could not be asked, or did not finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which kind.
    pub kind: TroubleKind,
    /// The cause in words, for the log.
    pub cause: String,
}

/// Kinds of trouble with an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TroubleKind {
    /// The name has no address.
    Name,
    /// Nobody answers there.
    Connect,
    /// The certificate or the handshake does not hold.
    Certificate,
    /// The certificate does not hold yet or any more, by the clock of this machine.
    Clock,
    /// It said nothing in time.
    Silent,
    /// The connection broke.
    Broken,
    /// What it said is no HTTP/1.1.
    Protocol,
    /// Too many redirects, or to somewhere that neap does not speak to.
    Redirect,
}

impl TroubleKind {
    /// The status that the player gets: 504 for silence, 502 for all else.
    pub const fn status(self) -> u16 {
        match self {
            Self::Silent => 504,
            _ => 502,
        }
    }

    /// A plain sentence for the player and the page.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Name => "The origin's name has no address: check the network and the name.",
            Self::Connect => "The origin does not accept connections.",
            Self::Certificate => "The origin's certificate is refused: neap's log says why.",
            Self::Clock => "The certificate is not valid by this device's clock.",
            Self::Silent => "The origin did not answer in time.",
            Self::Broken => "The origin broke the connection.",
            Self::Protocol => "The origin's answer is not valid HTTP.",
            Self::Redirect => "The origin redirects too often or to an unusable place.",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}
