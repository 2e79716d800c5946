//! Listening at an address, and why one cannot be listened at, in the words that every port uses.

use core::net::SocketAddr;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::sockopt::{IpFreebind, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind,
    listen as nix_listen, setsockopt, socket,
};

/// Listens at the address that `key` of the file names. One that this device does not have yet,
/// as a router that starts before its network is up, is listened at from when it has it.
///
/// # Errors
/// When the port is taken or not ours to take.
pub fn listen(key: &str, address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).or_else(|error| {
        if error.kind() != io::ErrorKind::AddrNotAvailable {
            return Err(error);
        }
        let early = made(address, |socket| setsockopt(socket, IpFreebind, &true))?;
        log::warn!("{}: it is listened at once it has", refused(key, address, &error));
        Ok(early)
    });
    let listener = listener.map_err(|error| refused(key, address, &error))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A socket that listens, with what is set before it is bound.
pub fn made(
    address: SocketAddr,
    set: impl Fn(&OwnedFd) -> nix::Result<()>,
) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, SockProtocol::Tcp)?;
    setsockopt(&socket, ReuseAddr, &true)?;
    set(&socket)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    nix_listen(&socket, Backlog::new(128)?)?;
    Ok(socket.into())
}

/// The cause of `error` for the log, with the key of the file that names the address.
pub fn refused(key: &str, address: SocketAddr, error: &io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege",
        io::ErrorKind::AddrNotAvailable => "this device has no such address",
        _ => "it cannot be bound",
    };
    io::Error::new(error.kind(), format!("{key} {address}: {hint} ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_comes_later_is_listened_at() {
        // Addresses for documents alone (RFC 5737, RFC 3849).
        for address in ["192.0.2.9:0", "[2001:db8::9]:0"] {
            let address: SocketAddr = address.parse().expect("an address");
            assert!(TcpListener::bind(address).is_err(), "nobody has {address}");
            let Ok(listener) = listen("[player] listen", address) else {
                assert!(address.is_ipv6(), "only IPv6 may be missing");
                continue;
            };
            assert_eq!(listener.local_addr().expect("bound").ip(), address.ip());
        }
    }

    #[test]
    fn a_port_that_is_taken_is_told_with_its_key() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("bound");
        let error = listen("[admin] listen", address).expect_err("taken");
        let said = error.to_string();
        assert!(said.starts_with(&format!("[admin] listen {address}: another program")), "{said}");
    }
}
