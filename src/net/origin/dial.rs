//! From a host name to a connected socket: DNS off the loop, then happy eyeballs (RFC 8305).

use core::cell::RefCell;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::TcpStream;

use smol::lock::Semaphore;
use smol::{Timer, future};

use crate::base::limits;
use crate::base::map::Map;
use crate::base::time::Instant;
use crate::net::ground::{reactor, tasks};
use crate::node::trouble::{Trouble, TroubleKind};

/// Finds addresses and connects to them.
pub struct Dialer {
    now: fn() -> Instant,
    known: RefCell<Map<String, (Instant, Vec<IpAddr>)>>,
    lookups: Semaphore,
}

impl Dialer {
    /// A dialer by the given clock.
    pub fn new(now: fn() -> Instant) -> Self {
        // getaddrinfo holds a thread while it waits; two at once is as many as a box should pay.
        Self { now, known: RefCell::default(), lookups: Semaphore::new(2) }
    }

    /// A connected socket, within `limit`.
    pub async fn dial(&self, host: &str, port: u16, limit: Duration) -> Result<TcpStream, Trouble> {
        let late = async {
            Timer::after(limit).await;
            let cause = format!("no connection to {host} within {} s", limit.as_secs());
            Err(Trouble { kind: TroubleKind::Silent, cause })
        };
        future::or(self.connect(host, port), late).await
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Trouble> {
        let addresses = self.resolve(host).await.map_err(|error| {
            let cause = format!("cannot resolve {host}: {error}");
            Trouble { kind: TroubleKind::Name, cause }
        })?;
        let targets = interleaved(&addresses).into_iter().map(|ip| SocketAddr::new(ip, port));
        match race(targets.collect()).await {
            Ok(stream) => Ok(stream),
            Err(error) => {
                // An address that stopped answering may have moved.
                self.known.borrow_mut().remove(host);
                let cause = format!("cannot connect to {host} port {port}: {error}");
                Err(Trouble { kind: TroubleKind::Connect, cause })
            }
        }
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let now = (self.now)();
        let known = self.known.borrow().get(host).cloned();
        match known {
            Some((when, addresses)) if now.since(when) < limits::http::NAME_FRESH => Ok(addresses),
            known => {
                let _turn = self.lookups.acquire().await;
                match async_net::resolve((host, 0)).await {
                    Ok(found) if !found.is_empty() => Ok(self.learn(host, &found)),
                    // A resolver that is away must not stop what worked a minute ago.
                    Ok(_) => known.map(|(_, old)| old).ok_or_else(no_address),
                    Err(error) => known.map(|(_, old)| old).ok_or(error),
                }
            }
        }
    }

    fn learn(&self, host: &str, found: &[SocketAddr]) -> Vec<IpAddr> {
        let addresses: Vec<_> = found.iter().map(SocketAddr::ip).take(8).collect();
        let mut known = self.known.borrow_mut();
        if known.len() >= limits::http::NAMES {
            known.clear();
        }
        known.insert(host.to_owned(), ((self.now)(), addresses.clone()));
        addresses
    }
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no address")
}

/// The addresses with the families taking turns, IPv6 first (RFC 8305, 4).
fn interleaved(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut six = addresses.iter().filter(|ip| ip.is_ipv6());
    let mut four = addresses.iter().filter(|ip| ip.is_ipv4());
    let mut row = Vec::with_capacity(addresses.len());
    loop {
        match (six.next(), four.next()) {
            (None, None) => return row,
            (a, b) => row.extend([a, b].into_iter().flatten().copied()),
        }
    }
}

/// Starts an attempt every 250 ms, or as soon as one failed; the first that connects wins.
async fn race(targets: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let executor = smol::LocalExecutor::new();
    let (sender, receiver) = smol::channel::unbounded();
    let attempts = async {
        let (mut running, mut last) = (0_usize, no_address());
        let mut tasks = Vec::new();
        let mut targets = targets.into_iter();
        loop {
            if let Some(target) = targets.next() {
                let sender = sender.clone();
                running += 1;
                tasks.push(tasks::spawn(&executor, async move {
                    let connected = async_net::TcpStream::connect(target).await;
                    let _ = sender.send(connected).await;
                }));
            } else if running == 0 {
                return Err(last);
            }
            let next = async {
                if targets.len() == 0 {
                    future::pending::<()>().await;
                }
                Timer::after(STAGGER).await;
                None
            };
            match future::or(async { receiver.recv().await.ok() }, next).await {
                Some(Ok(stream)) => return reactor::plain(stream),
                Some(Err(error)) => (running, last) = (running - 1, error),
                None => {}
            }
        }
    };
    executor.run(attempts).await
}

/// Time between two attempts (RFC 8305, 5).
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8305_4_families_take_turns() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let row = interleaved(&[ip("1.1.1.1"), ip("2.2.2.2"), ip("::1"), ip("3.3.3.3")]);
        assert_eq!(row, [ip("::1"), ip("1.1.1.1"), ip("2.2.2.2"), ip("3.3.3.3")]);
    }

    #[test]
    fn rfc_8305_5_a_dead_address_does_not_hold_up_a_live_one() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let alive = listener.local_addr().expect("bound");
        let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let closed = dead.local_addr().expect("bound");
        drop(dead);
        let stream = smol::block_on(race(vec![closed, alive])).expect("connected");
        assert_eq!(stream.peer_addr().expect("connected"), alive);
        assert!(smol::block_on(race(vec![closed])).is_err());
    }
}
