//! One UDP socket: datagrams in and out in batches, marked as of the least importance (LE,
//! RFC 8622), so that routers that know it let a household's own traffic pass.

use core::cell::{Cell, RefCell};
use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use bytes::BytesMut;
use nix::libc;
use nix::sys::socket::sockopt::{RcvBuf, SndBuf};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg, setsockopt};
use quinn_proto::{EcnCodepoint, Transmit};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};

use crate::base::limits;
use crate::net::ground::reactor::{Reactor, Source};

/// A bound UDP socket.
pub struct Socket {
    source: Source<UdpSocket>,
    state: UdpSocketState,
    /// Datagrams that may go out as one (UDP GSO); one where the system cannot.
    segments: Cell<usize>,
    buffers: RefCell<Buffers>,
}

/// Where datagrams are read into.
struct Buffers {
    bytes: Vec<u8>,
    /// Bytes for one read: many datagrams where the system joins them (UDP GRO), else one.
    each: usize,
}

/// Datagrams of one length that came together; the last may be shorter.
pub struct Came {
    /// From where.
    pub from: SocketAddr,
    /// To which of our addresses.
    pub to: Option<IpAddr>,
    /// What routers said of congestion.
    pub ecn: Option<EcnCodepoint>,
    /// Their bytes.
    pub bytes: BytesMut,
    /// Bytes of each.
    pub stride: usize,
}

impl Socket {
    /// Binds an address; IPv6 alone where it is one of IPv6.
    pub fn bind(address: SocketAddr, reactor: &Rc<Reactor>) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => UdpSocket::bind(address)?,
            SocketAddr::V6(_) => six(address)?,
        };
        socket.set_nonblocking(true)?;
        setsockopt(&socket, RcvBuf, &limits::link::UDP_BUFFER)?;
        setsockopt(&socket, SndBuf, &limits::link::UDP_BUFFER)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let segments = Cell::new(state.max_gso_segments().clamp(1, limits::link::UDP_SEGMENTS));
        let (each, count) = if state.gro_segments() > 1 { (JOINED, 2) } else { (SINGLE, 32) };
        let buffers = RefCell::new(Buffers { bytes: vec![0; each * count], each });
        Ok(Self { source: reactor.source(socket)?, state, segments, buffers })
    }

    /// Where it is bound.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.source.get().local_addr()
    }

    /// Datagrams that may go out as one.
    pub fn segments(&self) -> usize {
        self.segments.get()
    }

    /// Whether the system may cut datagrams in pieces, so that their size says nothing.
    pub fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    /// Reads what has come, a batch at most, or waits for more.
    pub fn poll_receive(&self, context: &mut Context<'_>) -> Poll<io::Result<Vec<Came>>> {
        let mut buffers = self.buffers.borrow_mut();
        let Buffers { bytes, each } = &mut *buffers;
        let mut slices: Vec<_> = bytes.chunks_mut(*each).map(IoSliceMut::new).collect();
        let mut heads = vec![RecvMeta::default(); slices.len()];
        let read = self.source.poll_read_with(context, heads.len(), |socket| {
            self.state.recv(UdpSockRef::from(socket), &mut slices, &mut heads)
        });
        read.map_ok(|count| {
            let came = |(head, bytes): (&RecvMeta, &[u8])| Came {
                from: head.addr,
                to: head.dst_ip,
                ecn: head.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8)),
                bytes: BytesMut::from(&bytes[..head.len]),
                stride: head.stride.max(1),
            };
            heads[..count].iter().zip(bytes.chunks(*each)).map(came).collect()
        })
    }

    /// Sends datagrams, or waits until there is room. What the system refuses is lost, as
    /// anything may be.
    pub fn poll_send(
        &self,
        context: &mut Context<'_>,
        transmit: &Transmit,
        bytes: &[u8],
    ) -> Poll<()> {
        let sent = self.source.poll_write_with(context, |socket| send(socket, transmit, bytes));
        match sent {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => {
                let cut = [libc::EIO, libc::EINVAL].map(Some).contains(&error.raw_os_error());
                if transmit.segment_size.is_some() && cut {
                    // The device cannot cut; quinn-udp looks for the same errors.
                    self.segments.set(1);
                }
                log::trace!("{} bytes are not sent: {error}", bytes.len());
            }
        }
        Poll::Ready(())
    }
}

/// quinn-udp sends each packet with a traffic class of ECN alone, which would undo LE.
fn send(socket: &UdpSocket, transmit: &Transmit, bytes: &[u8]) -> io::Result<usize> {
    let to = SockaddrStorage::from(transmit.destination);
    let class = LE | transmit.ecn.map_or(0, |ecn| ecn as u8);
    let wide = i32::from(class);
    let is_four = transmit.destination.is_ipv4();
    let mut control = Vec::with_capacity(3);
    control.push(match is_four {
        true => ControlMessage::Ipv4Tos(&class),
        false => ControlMessage::Ipv6TClass(&wide),
    });
    let size = transmit.segment_size.and_then(|size| u16::try_from(size).ok());
    if let Some(size) = &size {
        control.push(ControlMessage::UdpGsoSegments(size));
    }
    let (mut four, mut six) = (None, None);
    match transmit.src_ip {
        Some(IpAddr::V4(own)) if is_four => {
            let own = libc::in_addr { s_addr: u32::from(own).to_be() };
            let any = libc::in_addr { s_addr: 0 };
            four = Some(libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: own, ipi_addr: any });
        }
        Some(IpAddr::V6(own)) if !is_four => {
            let own = libc::in6_addr { s6_addr: own.octets() };
            six = Some(libc::in6_pktinfo { ipi6_addr: own, ipi6_ifindex: 0 });
        }
        _ => {}
    }
    control.extend(four.as_ref().map(ControlMessage::Ipv4PacketInfo));
    control.extend(six.as_ref().map(ControlMessage::Ipv6PacketInfo));
    let parts = [IoSlice::new(bytes)];
    let sent = sendmsg(socket.as_raw_fd(), &parts, &control, MsgFlags::empty(), Some(&to));
    sent.map_err(io::Error::from)
}

/// IPv6 alone, so that the same port may be bound for IPv4 as well.
fn six(address: SocketAddr) -> io::Result<UdpSocket> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, bind, socket, sockopt};
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet6, SockType::Datagram, flags, None)?;
    setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket.into())
}

/// The lower-effort code point 000001 (RFC 8622, 3) in front of the two bits of ECN.
const LE: u8 = 0b0000_0100;

/// Bytes of datagrams that the system has joined: what one IP packet could hold.
const JOINED: usize = 65_536;

/// Bytes of one datagram, more than any path carries.
const SINGLE: usize = 2048;
