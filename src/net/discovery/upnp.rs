//! The home's router as UPnP knows it, for routers that do neither PCP nor NAT-PMP.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;

use smol::{Async, Timer, future};

use super::web;
use crate::base::limits;
use crate::wire::igd::{self, Action, Place, Said, Service};
use crate::wire::pcp::Want;

/// A router that maps ports.
pub(super) struct Gateway {
    router: Ipv4Addr,
    /// This node's address towards it.
    own: Ipv4Addr,
    service: Service,
}

impl Gateway {
    /// Asks whether the router is one, in the group and by itself: some answer to one only.
    pub(super) async fn find(router: Ipv4Addr, own: Ipv4Addr) -> io::Result<Self> {
        let socket = UdpSocket::bind((own, 0))?;
        socket.set_multicast_ttl_v4(2)?;
        let socket = Async::new(socket)?;
        let search = igd::search();
        socket.send_to(search.as_bytes(), SocketAddr::from(igd::GROUP)).await?;
        socket.send_to(search.as_bytes(), SocketAddr::from((router, igd::GROUP.1))).await?;
        let at = within(async {
            let mut bytes = [0; 2048];
            loop {
                let (length, from) = socket.recv_from(&mut bytes).await?;
                let place = igd::location(&bytes[..length], router);
                if let (true, Ok(place)) = (from.ip() == router, place) {
                    return Ok(place);
                }
            }
        })
        .await?;
        let (status, document) = talk(router, &at, &igd::describe(router, &at)).await?;
        let service = igd::service(&document, (router, &at)).ok().filter(|_| status == 200);
        let service =
            service.ok_or_else(|| odd("its description names nothing that maps ports"))?;
        Ok(Self { router, own, service })
    }

    /// Has a port mapped; answers which outside, at which address, for how long. `chance` gives
    /// the ports that are tried where others have the suggested one.
    pub(super) async fn map(
        &self,
        mut want: Want,
        chance: impl Fn() -> u16,
    ) -> io::Result<(u16, Option<IpAddr>, Duration)> {
        let address = match self.ask(Action::Address).await? {
            Said::Address(address) => Some(IpAddr::V4(address)),
            _ => None,
        };
        let lifetime = want.lifetime;
        for _ in 0..TRIES {
            match self.ask(Action::Add(want, self.own)).await? {
                Said::Done => return Ok((want.suggested, address, lifetime)),
                Said::Refused(igd::PERMANENT_ONLY) => want.lifetime = igd::PERMANENT,
                Said::Refused(igd::TAKEN) => want.suggested = igd::other_port(chance()),
                Said::Refused(code) => return Err(odd(&format!("it refuses, code {code}"))),
                Said::Address(_) => return Err(odd("it answers something else")),
            }
        }
        Err(odd("others have every port that was tried"))
    }

    /// Has a port no longer mapped.
    pub(super) async fn unmap(&self, want: Want) -> io::Result<()> {
        self.ask(Action::Delete(want)).await.map(drop)
    }

    async fn ask(&self, action: Action) -> io::Result<Said> {
        let request = self.service.request(self.router, action);
        let (status, body) = talk(self.router, &self.service.place, &request).await?;
        igd::answer(status, &body).map_err(|_| odd("its answer is none of a gateway"))
    }
}

async fn talk(router: Ipv4Addr, at: &Place, request: &str) -> io::Result<(u16, Vec<u8>)> {
    let address = SocketAddr::from((router, at.port));
    within(web::talk(address, request, limits::meeting::UPNP_BODY)).await
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = async {
        Timer::after(limits::meeting::UPNP_ANSWER).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    future::or(work, late).await
}

fn odd(words: &str) -> io::Error {
    io::Error::other(words.to_owned())
}

/// Requests for one mapping before the router counts as full.
const TRIES: u32 = 5;
