//! Why an address cannot be listened at, in the words that every port uses.

use core::net::SocketAddr;
use std::io;

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
