//! Those who connect: taken in, at most so many at once, and greeted.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;

use smol::{Async, Timer};

use super::dial::Wish;
use super::port::Port;
use super::quic::endpoint::{Arrival, Quic};
use super::tcp;
use crate::base::limits;
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
        let Some(guest) = Guest::admit(self, ip) else {
            return log::debug!("a link is refused: too many are being made");
        };
        let own = stream.local_addr().map_or(ip, |own| own.ip());
        let stream = reactor::plain(stream).and_then(|stream| {
            tcp::fit(&stream)?;
            Ok(stream)
        });
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => return log::debug!("a peer's connection failed at once: {error}"),
        };
        let tier = self.settings.near.tier(ip, &[own]);
        let wish = Wish { side: Side::Listener, address, key: None, tier };
        let port = Rc::clone(self);
        let task = self.door.executor.spawn(async move {
            let made = port.make(stream, wish).await;
            drop(guest);
            port.made(made, wish);
        });
        task.detach();
    }

    fn welcome_over_quic(self: &Rc<Self>, arrival: Arrival) {
        let Arrival { hold, from, making } = arrival;
        let ip = from.ip().to_canonical();
        let Some(guest) = Guest::admit(self, ip) else {
            return log::debug!("a link is refused: too many are being made");
        };
        let own = hold.own().unwrap_or(ip);
        let tier = self.settings.near.tier(ip, &[own]);
        let wish = Wish { side: Side::Listener, address: from, key: None, tier };
        let port = Rc::clone(self);
        let task = self.door.executor.spawn(async move {
            let made = port.make_over_quic(hold, wish).await;
            drop((guest, making));
            port.made(made, wish);
        });
        task.detach();
    }
}

/// Somebody who is being greeted.
struct Guest(Rc<Port>, IpAddr);

impl Guest {
    fn admit(port: &Rc<Port>, ip: IpAddr) -> Option<Self> {
        let mut guests = port.guests.borrow_mut();
        let (all, here) = (guests.values().sum::<usize>(), guests.get(&ip).copied());
        let here = here.unwrap_or_default();
        if all >= limits::HANDSHAKES || here >= limits::HANDSHAKES_EACH {
            return None;
        }
        guests.insert(ip, here + 1);
        Some(Self(Rc::clone(port), ip))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.0.guests.borrow_mut();
        match guests.get_mut(&self.1) {
            Some(here) if *here > 1 => *here -= 1,
            _ => drop(guests.remove(&self.1)),
        }
    }
}

/// How long accepting rests when the system has nothing left to give.
const PAUSE: Duration = Duration::from_millis(200);
