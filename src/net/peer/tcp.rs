//! The carrier in the home, TCP: listening, connecting, and how near the other side is.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::net::{TcpListener, TcpStream};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv6V6Only, SndBuf, TcpUserTimeout};
use smol::{Timer, future};

use crate::base::limits;
use crate::net::ground::{bind, reactor};
use crate::node::peering::Parting;

/// Binds an address where peers may connect.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = match address {
        SocketAddr::V4(_) => TcpListener::bind(address),
        // IPv6 alone, so that the same port may be bound for IPv4 as well.
        SocketAddr::V6(_) => bind::made(address, |socket| setsockopt(socket, Ipv6V6Only, &true)),
    };
    let listener = listener.map_err(|error| bind::refused("[network] listen", address, &error))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Connects within `limit`.
pub async fn connect(address: SocketAddr, limit: Duration) -> Result<TcpStream, Parting> {
    let late = async {
        Timer::after(limit).await;
        Err(Parting::Unreachable)
    };
    let connected = async {
        let stream = async_net::TcpStream::connect(address).await;
        let stream = stream.and_then(reactor::plain).map_err(|error| {
            log::debug!("no peer at {address}: {error}");
            Parting::Unreachable
        })?;
        fit(&stream).map(|()| stream).map_err(|_| Parting::Closed)
    };
    future::or(connected, late).await
}

/// Sets a link's socket up: a bound on what the kernel holds, and on how long it hopes.
pub fn fit(stream: &TcpStream) -> io::Result<()> {
    setsockopt(stream, SndBuf, &limits::http::SEND_BUFFER)?;
    let stall = u32::try_from(limits::link::LINK_STALL.as_millis()).unwrap_or(u32::MAX);
    setsockopt(stream, TcpUserTimeout, &stall)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;

    #[test]
    fn one_port_is_bound_for_both_families() {
        let four = bind("0.0.0.0:0".parse().expect("an address")).expect("bound");
        let port = four.local_addr().expect("bound").port();
        let six = bind(SocketAddr::new(IpAddr::from([0_u16; 8]), port));
        // A machine without IPv6 cannot show it.
        if let Err(error) = six {
            assert_ne!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
        }
    }
}
