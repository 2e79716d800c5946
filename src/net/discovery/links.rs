//! The local networks that this device is in, and the moments when they change or it wakes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use smol::{Async, Timer, future};

/// One address of this device, with the network that it lies in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The interface's name.
    pub interface: String,
    /// This device's address there.
    pub address: IpAddr,
    /// The network's mask.
    pub mask: IpAddr,
}

/// Watches for changes without asking for them again and again.
pub struct Changes {
    /// The kernel's news of interfaces and addresses (rtnetlink(7)).
    news: Async<OwnedFd>,
    /// A timer that only ever ends early, when the clock jumps: so it does at each wake
    /// (timerfd_create(2), `TFD_TIMER_CANCEL_ON_SET`).
    wake: Async<TimerFd>,
    known: Vec<Link>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There are other addresses now.
    Addresses,
    /// The device slept, or its clock was set.
    Woke,
}

impl Changes {
    /// Begins to watch.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let route = SockProtocol::NetlinkRoute;
        let news = socket(AddressFamily::Netlink, SockType::Raw, flags, route)?;
        bind(news.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let wake = TimerFd::new(ClockId::CLOCK_REALTIME, flags)?;
        let known = links();
        Ok(Self { news: Async::new(news)?, wake: Async::new(wake)?, known })
    }

    /// Waits for the next change; several in one second are one.
    pub async fn next(&mut self) -> io::Result<Change> {
        loop {
            // Where a wait was given up halfway, what it heard is heard again.
            let change = if self.arm()? { Change::Woke } else { self.heard().await? };
            Timer::after(SETTLING).await;
            self.drain()?;
            let now = links();
            if change == Change::Woke || now != self.known {
                self.known = now;
                return Ok(change);
            }
        }
    }

    async fn heard(&self) -> io::Result<Change> {
        let wake = async { self.wake.readable().await.map(|()| Change::Woke) };
        let news = async { self.news.readable().await.map(|()| Change::Addresses) };
        future::or(wake, news).await
    }

    /// Sets the timer to a moment that never comes; answers whether the clock has jumped since.
    fn arm(&self) -> io::Result<bool> {
        let never = Expiration::OneShot(TimeSpec::from_duration(FAR));
        let cancel =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        match self.wake.get_ref().set(never, cancel) {
            Ok(()) => Ok(false),
            Err(Errno::ECANCELED) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the news off the socket; what they say is looked up instead, since some may be lost.
    fn drain(&self) -> io::Result<()> {
        // The jump, too, is told once.
        let _ = self.wake.get_ref().wait();
        let mut buffer = [0; 8192];
        loop {
            match recv(self.news.get_ref().as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The addresses of this device on networks that others may be in: no loopback, no tunnel.
pub fn links() -> Vec<Link> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let usable = interfaces.filter(|interface| {
        let needed = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
        let alien = InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_POINTOPOINT;
        interface.flags.contains(needed) && !interface.flags.intersects(alien)
    });
    let mut links: Vec<_> = usable
        .filter_map(|interface| {
            let ip = |address: Option<nix::sys::socket::SockaddrStorage>| {
                let address = address?;
                let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
                v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
            };
            let (address, mask) = (ip(interface.address)?, ip(interface.netmask)?);
            Some(Link { interface: interface.interface_name, address, mask })
        })
        .collect();
    links.sort_unstable();
    links.dedup();
    links
}

/// Whether an address lies in one of these networks: others are reached over a router, and are
/// no nodes of this home.
pub fn on_link(address: IpAddr, links: &[Link]) -> bool {
    let within = |link: &Link| match (address, link.address, link.mask) {
        (IpAddr::V4(other), IpAddr::V4(own), IpAddr::V4(mask)) => {
            let cut = |address: Ipv4Addr| address.to_bits() & mask.to_bits();
            mask.to_bits() != 0 && cut(other) == cut(own)
        }
        (IpAddr::V6(other), IpAddr::V6(own), IpAddr::V6(mask)) => {
            let cut = |address: Ipv6Addr| address.to_bits() & mask.to_bits();
            mask.to_bits() != 0 && cut(other) == cut(own)
        }
        _ => false,
    };
    let unusable = address.is_unspecified() || address.is_multicast() || address.is_loopback();
    !unusable && links.iter().any(within)
}

/// Changes that come together, as when an interface goes up, are one.
const SETTLING: Duration = Duration::from_secs(1);

/// What lies behind every clock, since 1970: the year 2500, or where the C library's seconds have
/// 32 bits, their end.
const FAR: Duration =
    Duration::from_secs(if size_of::<TimeSpec>() < 16 { 0x7fff_ffff } else { 16_725_225_600 });

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR` (rtnetlink(7)).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_neighbours_are_of_this_home() {
        let link = |address: &str, mask: &str| Link {
            interface: "eth0".into(),
            address: address.parse().expect("an address"),
            mask: mask.parse().expect("an address"),
        };
        let links = [
            link("192.168.1.7", "255.255.255.0"),
            link("2001:db8:1::7", "ffff:ffff:ffff:ffff::"),
            link("fe80::7", "ffff:ffff:ffff:ffff::"),
            link("10.0.0.1", "0.0.0.0"),
        ];
        for (address, near) in [
            ("192.168.1.200", true),
            ("192.168.2.1", false),
            ("8.8.8.8", false),
            ("127.0.0.1", false),
            ("224.0.0.251", false),
            ("2001:db8:1::200", true),
            ("2001:db8:2::1", false),
            ("fe80::200", true),
            ("::1", false),
            ("::", false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(on_link(address, &links), near, "{address}");
        }
    }

    #[test]
    fn the_watch_is_quiet_until_something_happens() {
        let mut changes = Changes::open().expect("the kernel tells its news");
        smol::block_on(async {
            let change = async { Some(changes.next().await) };
            let quiet = async {
                Timer::after(Duration::from_millis(50)).await;
                None
            };
            assert!(future::or(change, quiet).await.is_none());
        });
    }
}
