//! Links that this node makes: over TCP in the home; beyond it over QUIC first, and over TCP as
//! well where that does not stand at once.

use core::future::poll_fn;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::pin::pin;
use core::task::Poll;
use std::net::{TcpStream, UdpSocket};
use std::rc::Rc;

use smol::Timer;

use super::greeting::{Greeted, greet, greet_over_quic};
use super::port::Port;
use super::quic::endpoint::Quic;
use super::quic::halves::Hold;
use super::tcp;
use crate::base::limits;
use crate::base::peer::{NodeKey, Tier};
use crate::net::ground::patience::Patience;
use crate::node::peering::Parting;
use crate::wire::membership::Side;

/// What is known of a link before it stands.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) side: Side,
    pub(super) address: SocketAddr,
    pub(super) key: Option<NodeKey>,
    pub(super) tier: Tier,
}

impl Port {
    pub(super) fn dial(self: &Rc<Self>, address: SocketAddr, key: Option<NodeKey>, tier: Tier) {
        let wish = Wish { side: Side::Dialler, address, key, tier };
        let port = Rc::clone(self);
        let task = self.door.spawn(async move {
            let quic = if tier == Tier::Home { None } else { port.quic(address) };
            let made = match quic {
                Some(quic) => port.race(&quic, wish).await,
                None => port.over_tcp(None, wish).await,
            };
            port.made(made, wish);
        });
        task.detach();
    }

    /// Whether an address lies in a network of this very node, by the system's own routes: nothing
    /// is sent.
    pub(super) fn is_beside(&self, address: SocketAddr) -> bool {
        let own = UdpSocket::bind(SocketAddr::new(any(address), 0)).and_then(|socket| {
            socket.connect(address)?;
            socket.local_addr()
        });
        own.is_ok_and(|own| self.settings.near.tier(address.ip(), &[own.ip()]) == Tier::Home)
    }

    /// The first carrier over which the link stands.
    async fn race(self: &Rc<Self>, quic: &Rc<Quic>, wish: Wish) -> Result<Greeted, Parting> {
        let mut over_quic = pin!(self.over_quic(quic, wish));
        let mut over_tcp = pin!(async {
            Timer::after(limits::link::QUIC_LEAD).await;
            self.over_tcp(Some(quic), wish).await
        });
        let (mut missed, mut refused) = (None, None);
        poll_fn(|context| {
            if missed.is_none() {
                match over_quic.as_mut().poll(context) {
                    Poll::Ready(Err(why)) if may_differ(&why) => missed = Some(why),
                    Poll::Ready(made) => return Poll::Ready(made),
                    Poll::Pending => {}
                }
            }
            if refused.is_none() {
                match over_tcp.as_mut().poll(context) {
                    Poll::Ready(Err(why)) if may_differ(&why) => refused = Some(why),
                    Poll::Ready(made) => return Poll::Ready(made),
                    Poll::Pending => {}
                }
            }
            if missed.is_none() {
                return Poll::Pending;
            }
            refused.take().map_or(Poll::Pending, |why| Poll::Ready(Err(why)))
        })
        .await
    }

    async fn over_quic(self: &Rc<Self>, quic: &Rc<Quic>, wish: Wish) -> Result<Greeted, Parting> {
        let hold = quic.dial(wish.address)?;
        self.make_over_quic(hold, wish).await
    }

    /// A link over TCP; where QUIC was tried and has not answered, it gets a second try once
    /// somebody is seen to be there. Who came up only now has missed its first packet, and the
    /// next comes no sooner than TCP's: a link over TCP would stand for hours by that.
    async fn over_tcp(
        self: &Rc<Self>,
        quic: Option<&Rc<Quic>>,
        wish: Wish,
    ) -> Result<Greeted, Parting> {
        let stream = tcp::connect(wish.address, limits::link::LINK_TIME).await?;
        if let Some(quic) = quic {
            let late = async {
                Timer::after(limits::link::QUIC_LEAD).await;
                Err(Parting::Unreachable)
            };
            match smol::future::or(self.over_quic(quic, wish), late).await {
                Err(why) if may_differ(&why) => {}
                made => return made,
            }
        }
        self.make(stream, wish).await
    }

    /// Makes a link over a connected socket.
    pub(super) async fn make(
        self: &Rc<Self>,
        stream: TcpStream,
        wish: Wish,
    ) -> Result<Greeted, Parting> {
        if !self.may_link() {
            return Err(Parting::Closing);
        }
        let source = self.door.reactor.source(stream).map_err(|_| Parting::Closed)?;
        let greeting = Box::pin(greet(&self.host, source, wish.side, wish.key));
        let greeted = Patience::new(self.door.now).bound(limits::link::LINK_TIME, greeting).await;
        greeted.unwrap_or(Err(Parting::Silent))
    }

    /// Makes a link over a connection that has begun.
    pub(super) async fn make_over_quic(
        self: &Rc<Self>,
        hold: Hold,
        wish: Wish,
    ) -> Result<Greeted, Parting> {
        if !self.may_link() {
            return Err(Parting::Closing);
        }
        let greeting = Box::pin(greet_over_quic(&self.host, hold, wish.side, wish.key));
        let greeted = Patience::new(self.door.now).bound(limits::link::LINK_TIME, greeting).await;
        let late = if wish.side == Side::Dialler { Parting::Unreachable } else { Parting::Silent };
        greeted.unwrap_or(Err(late))
    }

    /// The socket of the address's family; where none listens, one that only dials.
    fn quic(&self, to: SocketAddr) -> Option<Rc<Quic>> {
        if !self.may_link() {
            return None;
        }
        let is_same = |quic: &&Rc<Quic>| {
            quic.address().is_ok_and(|own| own.is_ipv4() == to.is_ipv4() && reaches(own, to))
        };
        let here = self.quics.borrow().iter().find(is_same).cloned();
        if here.is_some() {
            return here;
        }
        let bound = Quic::bind(SocketAddr::new(any(to), 0), &self.terms, &self.door);
        let bound = bound.inspect_err(|error| log::debug!("no UDP socket: {error}")).ok()?;
        self.quics.borrow_mut().push(Rc::clone(&bound));
        Some(bound)
    }
}

/// Any address of the same family.
const fn any(to: SocketAddr) -> IpAddr {
    match to {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Whether a socket that is bound there can send there: one of loopback stays on loopback.
const fn reaches(own: SocketAddr, to: SocketAddr) -> bool {
    !own.ip().is_loopback() || to.ip().is_loopback()
}

/// Whether another carrier may fare better.
const fn may_differ(why: &Parting) -> bool {
    matches!(why, Parting::Unreachable | Parting::Silent | Parting::Closed)
}
