//! The port to peers: links made and ended, and what the machine orders over them.

use core::cell::{Cell, RefCell};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;

use bytes::BytesMut;
use smol::{Async, Task, Timer};

use super::greeting::{Greeted, Host, greet};
use super::identity::Identity;
use super::link::{Give, Link, Listening, hear, write};
use super::proving::Proving;
use super::secure::Secure;
use super::settings::Settings;
use super::tcp;
use crate::base::limits;
use crate::base::peer::{NodeKey, PeerId, Role, Tier};
use crate::base::time::Instant;
use crate::net::ground::door::Door;
use crate::net::ground::patience::Patience;
use crate::net::ground::reactor;
use crate::node::peering::{Parting, PeerOrder, Peering};
use crate::wire::membership::{Denial, Side};

/// The port to every peer.
pub struct Port {
    pub(super) door: Door,
    pub(super) identity: Identity,
    pub(super) proving: Proving,
    host: Host,
    settings: Settings,
    links: RefCell<BTreeMap<PeerId, Rc<Link>>>,
    last: Cell<u64>,
    /// Links that others are making, by their address.
    guests: RefCell<BTreeMap<IpAddr, usize>>,
    /// The block that is being handed in, while it is.
    hand: RefCell<Option<BytesMut>>,
    doors: RefCell<Vec<Task<()>>>,
    /// When the log last heard of strangers, by its sentence.
    lines: RefCell<BTreeMap<&'static str, Instant>>,
    stopping: Cell<bool>,
}

/// What is known of a link before it stands.
#[derive(Clone, Copy)]
struct Wish {
    side: Side,
    address: SocketAddr,
    key: Option<NodeKey>,
    tier: Tier,
}

impl Port {
    /// A port with the node's key, which is made where there is none.
    pub fn new(door: Door, settings: Settings) -> io::Result<Rc<Self>> {
        let identity = match &settings.state {
            Some(folder) => Identity::open(folder)?,
            None => Identity::passing()?,
        };
        let secure = match &settings.vendor {
            Some(vendor) => Secure::vendor(vendor, door.date)?,
            None => Secure::raw(&identity)?,
        };
        let host = Host {
            secure,
            membership: settings.membership(),
            buffers: Rc::default(),
            now: door.now,
            date: door.date,
        };
        let port = Self {
            door,
            identity,
            proving: Proving::default(),
            host,
            settings,
            links: RefCell::default(),
            last: Cell::new(0),
            guests: RefCell::default(),
            hand: RefCell::default(),
            doors: RefCell::default(),
            lines: RefCell::default(),
            stopping: Cell::new(false),
        };
        port.look_at_admission();
        Ok(Rc::new(port))
    }

    /// This node's key as others see it.
    pub const fn key(&self) -> NodeKey {
        self.host.secure.own
    }

    /// The key with which this node signs records; another than [`Port::key`] where that is the
    /// digest of a vendor's certificate.
    pub const fn signer(&self) -> NodeKey {
        self.identity.key
    }

    /// How many links stand.
    pub fn links(&self) -> usize {
        self.links.borrow().len()
    }

    /// Whether a network is configured, and something that keeps others out of it.
    pub fn is_open(&self) -> bool {
        !self.settings.name.is_empty() && self.host.membership.is_closed()
    }

    /// Lets peers connect, where a network is configured and they cannot yet; answers where.
    pub fn listen(self: &Rc<Self>) -> io::Result<Vec<SocketAddr>> {
        if !self.is_open() || !self.doors.borrow().is_empty() {
            return Ok(Vec::new());
        }
        let mut bound = Vec::new();
        for address in &self.settings.listen {
            let listener = match tcp::bind(*address) {
                // Some kernels are built without IPv6.
                Err(error) if address.is_ipv6() && error.kind() != io::ErrorKind::AddrInUse => {
                    log::info!("no peers over IPv6: {error}");
                    continue;
                }
                listener => listener?,
            };
            bound.push(listener.local_addr()?);
            let task = self.door.executor.spawn(Rc::clone(self).accept(listener)?);
            self.doors.borrow_mut().push(task);
        }
        Ok(bound)
    }

    /// Carries out an order; the outcome comes back through the door.
    pub fn order(self: &Rc<Self>, order: PeerOrder) {
        match order {
            PeerOrder::Dial { address, key, tier } => self.dial(address, key, tier),
            PeerOrder::Hangup { peer, why } => self.part(peer, why),
            PeerOrder::Tell { peer, message } => {
                if self.link(peer).is_some_and(|link| !link.tell(&message)) {
                    self.part(peer, Parting::Breach(DEAF));
                }
            }
            PeerOrder::Give { peer, segment, block, row, range } => {
                let give = Give { segment, block, row, range };
                if self.link(peer).is_some_and(|link| !link.give(give)) {
                    self.part(peer, Parting::Breach(DEAF));
                }
            }
            PeerOrder::Place { row, range } => {
                let data = self.hand.borrow_mut().take();
                if let Some(data) = data.filter(|data| data.len() as u64 == range.len()) {
                    self.door.store.place(row, range.start, data);
                }
            }
            PeerOrder::Prove { row, range } => self.prove(row, range),
            PeerOrder::Sign(statement) => self.sign(*statement),
        }
    }

    /// Lets nobody connect any more; links that stand are the machine's to end.
    pub fn close(&self) {
        self.doors.borrow_mut().clear();
    }

    /// Ends every link in order; none begins any more.
    pub fn stop(&self) {
        self.stopping.set(true);
        self.doors.borrow_mut().clear();
        let all: Vec<_> = self.links.borrow().keys().copied().collect();
        all.into_iter().for_each(|peer| self.part(peer, Parting::Closing));
    }

    /// Hands in a block; what is not placed meanwhile is dropped.
    pub(super) fn hand_in(&self, block: Peering, data: BytesMut) {
        *self.hand.borrow_mut() = Some(data);
        self.submit(block);
        let left = self.hand.borrow_mut().take();
        drop(left);
    }

    fn link(&self, peer: PeerId) -> Option<Rc<Link>> {
        self.links.borrow().get(&peer).cloned()
    }

    /// Ends a link; the machine hears of it once.
    fn part(&self, peer: PeerId, why: Parting) {
        let link = self.links.borrow_mut().remove(&peer);
        if let Some(link) = link {
            log::debug!("the link to {} ends: {}", link.key.short(), why.sentence());
            link.end(&why);
            self.submit(Peering::Gone { peer, why });
        }
    }

    fn accept(self: Rc<Self>, listener: TcpListener) -> io::Result<impl Future<Output = ()>> {
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
        let wish = Wish { side: Side::Listener, address, key: None, tier: tcp::tier(ip, own) };
        let port = Rc::clone(self);
        let task = self.door.executor.spawn(async move {
            let made = port.make(stream, wish).await;
            drop(guest);
            port.made(made, wish);
        });
        task.detach();
    }

    fn dial(self: &Rc<Self>, address: SocketAddr, key: Option<NodeKey>, tier: Tier) {
        let wish = Wish { side: Side::Dialler, address, key, tier };
        let port = Rc::clone(self);
        let task = self.door.executor.spawn(async move {
            let made = match tcp::connect(address, limits::LINK_TIME).await {
                Ok(stream) => port.make(stream, wish).await,
                Err(why) => Err(why),
            };
            port.made(made, wish);
        });
        task.detach();
    }

    async fn make(self: &Rc<Self>, stream: TcpStream, wish: Wish) -> Result<Greeted, Parting> {
        if !self.is_open() || self.stopping.get() {
            return Err(Parting::Closing);
        }
        let source = self.door.reactor.source(stream).map_err(|_| Parting::Closed)?;
        let greeting = Box::pin(greet(&self.host, source, wish.side, wish.key));
        let greeted = Patience::new(self.door.now).bound(limits::LINK_TIME, greeting).await;
        greeted.unwrap_or(Err(Parting::Silent))
    }

    /// A link stands, or it does not.
    fn made(self: &Rc<Self>, made: Result<Greeted, Parting>, wish: Wish) {
        let dialled = (wish.side == Side::Dialler).then_some(wish.address);
        let most = self.settings.max_peers.saturating_add(limits::HANDSHAKES);
        let made = match made {
            Ok(_) if self.stopping.get() => Err(Parting::Closing),
            Ok(_) if self.links() >= most => Err(Parting::Crowd),
            made => made,
        };
        match made {
            Ok(greeted) => self.join(greeted, wish),
            Err(why) => {
                self.note(&why, wish);
                self.submit(Peering::Failed { dialled, why });
            }
        }
    }

    fn join(self: &Rc<Self>, greeted: Greeted, wish: Wish) {
        let Greeted { key, member, inlet, seal, early, outlet } = greeted;
        self.last.set(self.last.get() + 1);
        let peer = PeerId(self.last.get());
        let known = self.settings.witnesses.contains(&key);
        let role = if member.role == Role::Witness && !known { Role::Device } else { member.role };
        let link = Link::new(peer, key, (self.door.now)());
        // A box that lost its power and is back: its old link must show that it is dead.
        let others: Vec<_> = self.links.borrow().values().cloned().collect();
        others.iter().filter(|other| other.key == key).for_each(|other| other.ping());
        self.links.borrow_mut().insert(peer, Rc::clone(&link));
        let (port, writing) = (Rc::clone(self), Rc::clone(&link));
        let writer = self.door.executor.spawn(async move {
            if let Some(why) = write(&port, &writing, outlet).await {
                port.part(writing.id, why);
            }
        });
        writer.detach();
        let (port, reading) = (Rc::clone(self), Rc::clone(&link));
        let listening = Listening { inlet, seal, early };
        let reader = self.door.executor.spawn(async move {
            let why = hear(&port, &reading, listening).await;
            port.part(reading.id, why);
        });
        *link.reader.borrow_mut() = Some(reader);
        log::debug!("a link to {} stands", key.short());
        let dialled = (wish.side == Side::Dialler).then_some(wish.address);
        self.submit(Peering::Joined { peer, key, role, tier: wish.tier, dialled });
    }

    /// Tells the owner of strangers, each kind once in a while: a scanner must not fill the log.
    fn note(&self, why: &Parting, wish: Wish) {
        let (address, sentence) = (wish.address, why.sentence());
        let matters = matches!(
            why,
            Parting::Stranger(_) | Parting::Refused(_) | Parting::OtherKey | Parting::Breach(_)
        );
        let now = (self.door.now)();
        let mut lines = self.lines.borrow_mut();
        let due = lines.get(sentence).is_none_or(|last| now.since(*last) >= limits::STRANGER_LINE);
        if matters && due {
            lines.insert(sentence, now);
            let whence = if wish.side == Side::Dialler { "the peer at" } else { "a peer from" };
            log::info!("no link with {whence} {address}: {sentence}");
        } else {
            log::debug!("no link with {address}: {sentence}");
        }
    }

    /// An admission that cannot help is said at the start, not by others.
    fn look_at_admission(&self) {
        let Some(admission) = &self.settings.admission else { return };
        let by = [admission.operator];
        let what = match admission.check(self.key(), &by, (self.door.date)()) {
            Ok(()) => return,
            Err(Denial::ExpiredAdmission) => "is over",
            Err(_) => "was made for another key or is damaged",
        };
        let key = self.key();
        log::warn!("this node's admission {what}: make one with 'neap admit {key}'");
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

/// Words for a peer that lets too much wait.
const DEAF: &str = "it does not take what it is told";

/// How long accepting rests when the system has nothing left to give.
const PAUSE: Duration = Duration::from_millis(200);
