//! Signals as a stream of what the operator wants.

use std::io;

use async_signal::Signals;
use smol::stream::StreamExt;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: finish what runs and leave.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals that were asked for since the start.
#[derive(Debug)]
pub struct Watch(Signals);

impl Watch {
    /// Takes the three signals over; before this call they end the process.
    ///
    /// # Errors
    /// When the system refuses a handler or its pipe.
    pub fn new() -> io::Result<Self> {
        use async_signal::Signal::{Hup, Int, Term};
        Signals::new([Hup, Int, Term]).map(Self)
    }

    /// Waits for the next signal.
    ///
    /// # Errors
    /// When the pipe from the handler breaks.
    pub async fn next(&mut self) -> io::Result<Signal> {
        match self.0.next().await {
            Some(Ok(async_signal::Signal::Hup)) => Ok(Signal::Reload),
            Some(Ok(_)) => Ok(Signal::Stop),
            Some(Err(error)) => Err(error),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_arrives_as_what_it_asks_for() {
        smol::block_on(async {
            let mut watch = Watch::new().expect("signals can be watched");
            for (sent, meant) in [
                (nix::sys::signal::Signal::SIGHUP, Signal::Reload),
                (nix::sys::signal::Signal::SIGTERM, Signal::Stop),
                (nix::sys::signal::Signal::SIGINT, Signal::Stop),
            ] {
                nix::sys::signal::raise(sent).expect("a signal to ourselves");
                assert_eq!(watch.next().await.expect("a signal"), meant);
            }
        });
    }
}
