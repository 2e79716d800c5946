//! Those who connect: taken in, at most so many at once, and greeted.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;

use smol::{Async, Timer};

use super::dial::Wish;
use super::lobby::Welcome;
use super::port::Port;
use super::quic::endpoint::{Arrival, Quic};
use super::tcp;
use crate::net::ground::reactor;
use crate::wire::membership::Side;

impl Port {
    /// Takes in whoever connects over TCP.
    pub(super) fn accept(
        self: Rc<Self>,
        listener: TcpListener,
    ) -> io::Result<impl Future<Output = ()>> {
        let listener = async_net::TcpListener::from(Async::new(listener)?);
        Ok(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, address)) => self.welcome(stream, address),
                    Err(error) => {
                        // Out of descriptors: those in use must end before another begins.
                        log::warn!("cannot accept peers: {error}");
                        Timer::after(PAUSE).await;
                    }
                }
            }
        })
    }

    /// Takes in whoever connects over QUIC.
    pub(super) async fn accept_over_quic(self: Rc<Self>, quic: Rc<Quic>) {
        loop {
            self.welcome_over_quic(quic.arrival().await);
        }
    }

    /// Greets somebody who connected, unless too many are being greeted.
    fn welcome(self: &Rc<Self>, stream: async_net::TcpStream, address: SocketAddr) {
        let ip = address.ip().to_canonical();
        let Some(number) = self.admit(ip) else { return };
        let own = stream.local_addr().map_or(ip, |own| own.ip());
        let stream = reactor::plain(stream).and_then(|stream| {
            tcp::fit(&stream)?;
            Ok(stream)
        });
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                self.lobby.borrow_mut().end(number);
                return log::debug!("a peer's connection failed at once: {error}");
            }
        };
        let tier = self.settings.near.tier(ip, &[own]);
        let wish = Wish { side: Side::Listener, address, key: None, tier };
        let port = Rc::clone(self);
        let task = self.door.spawn(async move {
            let made = port.make(stream, wish).await;
            port.lobby.borrow_mut().end(number);
            port.made(made, wish);
        });
        self.lobby.borrow_mut().begin(number, task);
    }

    fn welcome_over_quic(self: &Rc<Self>, arrival: Arrival) {
        let Arrival { hold, from, making } = arrival;
        let ip = from.ip().to_canonical();
        let Some(number) = self.admit(ip) else { return };
        let tier = self.settings.near.tier(ip, &[hold.own().unwrap_or(ip)]);
        let wish = Wish { side: Side::Listener, address: from, key: None, tier };
        let port = Rc::clone(self);
        let task = self.door.spawn(async move {
            let made = port.make_over_quic(hold, wish).await;
            drop(making);
            port.lobby.borrow_mut().end(number);
            port.made(made, wish);
        });
        self.lobby.borrow_mut().begin(number, task);
    }

    /// Where somebody who connects waits, if there is a place.
    fn admit(&self, ip: IpAddr) -> Option<u64> {
        match self.lobby.borrow_mut().admit(ip, (self.door.now)()) {
            Welcome::Greet(number) => Some(number),
            Welcome::Full => {
                log::debug!("a link is refused: too many are being made");
                None
            }
            Welcome::TooMany => {
                log::debug!("a link is refused: too many of its network came");
                None
            }
        }
    }
}

/// How long accepting rests when the system has nothing left to give.
const PAUSE: Duration = Duration::from_millis(200);
