//! Ports of the home's router, by PCP, NAT-PMP or UPnP: asked for while the node runs, renewed at
//! half their life, given back at the end.

use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::rc::Rc;

use ring::rand::{SecureRandom, SystemRandom};
use smol::{Async, Timer, future};

use super::upnp::Gateway;
use crate::base::limits;
use crate::wire::pcp::{self, Protocol, Said, Want};

/// The mappings of one node's port.
pub struct Mappings {
    port: u16,
    nonce: [u8; 12],
    /// What the router has given: its port for each protocol.
    held: RefCell<Vec<(Protocol, u16)>>,
    /// The router, where it does UPnP and nothing better.
    gateway: RefCell<Option<Rc<Gateway>>>,
}

/// How the router is asked.
enum Way {
    /// By PCP or NAT-PMP.
    Pcp(Async<UdpSocket>),
    /// By UPnP.
    Upnp(Rc<Gateway>),
}

impl Mappings {
    /// Mappings of that port, of which there are none yet.
    pub fn new(port: u16) -> Self {
        // Without chance it would be guessable by others in the home, which may map as well.
        let nonce = chance();
        Self { port, nonce, held: RefCell::default(), gateway: RefCell::default() }
    }

    /// Asks for the port and keeps it; tells where others can reach it each time that changes.
    pub async fn run(&self, tell: impl Fn(Option<SocketAddr>)) {
        let (mut told, mut pause) = (None, limits::meeting::NAT_RETRY.0);
        loop {
            let kept = self.keep().await;
            // Where it fails the router may be another one: what the last one gave is worth
            // nothing there.
            let address = kept.as_ref().ok().and_then(|(address, _)| *address);
            if changes(&mut told, address) {
                tell(address);
            }
            match kept {
                Ok((_, lifetime)) => {
                    pause = limits::meeting::NAT_RETRY.0;
                    let half = lifetime / 2;
                    Timer::after(
                        half.clamp(limits::meeting::NAT_RETRY.0, limits::meeting::NAT_LIFE),
                    )
                    .await;
                }
                Err(error) => {
                    log::info!("the router maps no port: {error}");
                    Timer::after(pause).await;
                    pause = (pause * 2).min(limits::meeting::NAT_RETRY.1);
                }
            }
        }
    }

    /// Gives back what the router has given.
    pub async fn leave(&self) {
        let (held, gateway) = (self.held.take(), self.gateway.take());
        for (protocol, suggested) in held {
            let want = Want { protocol, port: self.port, suggested, lifetime: Duration::ZERO };
            if let Some(gateway) = &gateway {
                let _ = gateway.unmap(want).await;
            } else if let Ok(socket) = router() {
                let _ = self.ask(&socket, want, 1).await;
            }
        }
    }

    /// Both protocols' mappings for their whole life, by the way that the router knows; answers
    /// where UDP is reached.
    async fn keep(&self) -> io::Result<(Option<SocketAddr>, Duration)> {
        let known = self.gateway.take();
        if let Some(gateway) = known {
            let kept = self.keep_by(&Way::Upnp(Rc::clone(&gateway))).await;
            if kept.is_ok() {
                *self.gateway.borrow_mut() = Some(gateway);
                return kept;
            }
        }
        let socket = router()?;
        let ends = (socket.get_ref().peer_addr()?.ip(), socket.get_ref().local_addr()?.ip());
        let error = match self.keep_by(&Way::Pcp(socket)).await {
            Ok(kept) => return Ok(kept),
            Err(error) => error,
        };
        let (IpAddr::V4(router), IpAddr::V4(own)) = ends else { return Err(error) };
        let gateway = Gateway::find(router, own).await;
        let gateway = gateway.map_err(|other| both(&error, &other))?;
        let gateway = Rc::new(gateway);
        let kept = self.keep_by(&Way::Upnp(Rc::clone(&gateway))).await;
        let kept = kept.map_err(|other| both(&error, &other))?;
        *self.gateway.borrow_mut() = Some(gateway);
        Ok(kept)
    }

    async fn keep_by(&self, way: &Way) -> io::Result<(Option<SocketAddr>, Duration)> {
        let (mut address, mut least) = (None, limits::meeting::NAT_LIFE);
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            let held = self.held.borrow().iter().find(|held| held.0 == protocol).map(|held| held.1);
            let suggested = held.unwrap_or(self.port);
            let want =
                Want { protocol, port: self.port, suggested, lifetime: limits::meeting::NAT_LIFE };
            let mapped = match way {
                Way::Pcp(socket) => self.ask(socket, want, TRIES).await,
                Way::Upnp(gateway) => gateway.map(want, || u16::from_ne_bytes(chance())).await,
            };
            let (outside, at, lifetime) = match mapped {
                Ok(mapped) => mapped,
                // QUIC is what others come by; TCP is for those who have no UDP.
                Err(_) if protocol == Protocol::Tcp => continue,
                Err(error) => return Err(error),
            };
            self.held.borrow_mut().retain(|held| held.0 != protocol);
            self.held.borrow_mut().push((protocol, outside));
            least = least.min(lifetime);
            if protocol == Protocol::Udp {
                address = at.map(|ip| SocketAddr::new(ip, outside));
            }
        }
        Ok((address, least))
    }

    /// Asks by PCP, and by NAT-PMP where the router says that it is older.
    async fn ask(
        &self,
        socket: &Async<UdpSocket>,
        want: Want,
        tries: u32,
    ) -> io::Result<(u16, Option<IpAddr>, Duration)> {
        let own = socket.get_ref().local_addr()?.ip();
        let mut said = self.exchange(socket, &pcp::map(want, own, self.nonce), tries).await?;
        let mut address = None;
        if said == Said::Older {
            if let Said::Address(ip) = self.exchange(socket, &pcp::ADDRESS, tries).await? {
                address = Some(IpAddr::V4(ip));
            }
            said = self.exchange(socket, &pcp::map_older(want), tries).await?;
        }
        match said {
            Said::Mapped { protocol, port, outside, address: stated, lifetime }
                if (protocol, port) == (want.protocol, want.port) =>
            {
                Ok((outside, stated.or(address), lifetime))
            }
            Said::Refused(code) => Err(io::Error::other(format!("it refuses, code {code}"))),
            _ => Err(io::Error::other("it answers something else")),
        }
    }

    /// Sends a request until an answer comes, each time waiting longer (RFC 6886, 3.1).
    async fn exchange(
        &self,
        socket: &Async<UdpSocket>,
        request: &[u8],
        tries: u32,
    ) -> io::Result<Said> {
        let mut patience = limits::meeting::NAT_ANSWER;
        for _ in 0..tries {
            socket.send(request).await?;
            let late = async {
                Timer::after(patience).await;
                Ok(None)
            };
            let answered = async {
                let mut bytes = [0; 1100];
                loop {
                    let count = socket.recv(&mut bytes).await?;
                    if let Ok(said) = pcp::parse(&bytes[..count], self.nonce) {
                        return Ok::<_, io::Error>(Some(said));
                    }
                }
            };
            if let Some(said) = future::or(answered, late).await? {
                return Ok(said);
            }
            patience *= 2;
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Whether it is another address than was told last, or none where there was one.
fn changes(told: &mut Option<SocketAddr>, now: Option<SocketAddr>) -> bool {
    core::mem::replace(told, now) != now
}

fn both(by_pcp: &io::Error, by_upnp: &io::Error) -> io::Error {
    io::Error::other(format!("by PCP: {by_pcp}; by UPnP: {by_upnp}"))
}

fn chance<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

/// A socket that only the router can send to: whoever else answers is not heard.
fn router() -> io::Result<Async<UdpSocket>> {
    let routes = std::fs::read_to_string("/proc/net/route")?;
    let gateway = gateway(&routes).ok_or_else(|| io::Error::other("no router is known"))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((gateway, PORT))?;
    Async::new(socket)
}

/// The router by which everything goes that has no route of its own.
fn gateway(routes: &str) -> Option<Ipv4Addr> {
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let (to, by) = (fields.nth(1)?, fields.next()?);
        let by = u32::from_str_radix(by, 16).ok().filter(|by| *by != 0)?;
        (to == "00000000").then(|| Ipv4Addr::from(by.to_ne_bytes()))
    })
}

/// Where routers listen for both protocols.
const PORT: u16 = 5351;

/// Requests without an answer before the router counts as one that does not do it.
const TRIES: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_router_is_the_way_to_everywhere() {
        let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
            eth0 0001A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n\
            eth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n";
        assert_eq!(gateway(routes), Some(Ipv4Addr::new(192, 168, 1, 1)));
        assert_eq!(gateway("Iface Destination Gateway\neth0 0001A8C0 00000000\n"), None);
    }
    #[test]
    fn what_a_router_does_not_keep_is_told() {
        let (mut told, ours) = (None, SocketAddr::from(([192, 0, 2, 7], 8644)));
        for (now, is_told) in
            [(None, false), (Some(ours), true), (Some(ours), false), (None, true), (None, false)]
        {
            assert_eq!(changes(&mut told, now), is_told, "{now:?}");
        }
    }
}
