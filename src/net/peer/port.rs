//! The port to peers: links made and ended, and what the machine orders over them.

use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::rc::Rc;

use bytes::BytesMut;
use smol::{Task, Timer};

use super::carrier::Carrier;
use super::dial::Wish;
use super::greeting::{Greeted, Host};
use super::identity::Identity;
use super::link::{Give, Link, Listening, hear, write};
use super::lobby::Lobby;
use super::proving::{Job, Proving};
use super::quic::endpoint::Quic;
use super::quic::terms::Terms;
use super::secure::Secure;
use super::settings::Settings;
use super::tcp;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{NodeKey, PeerId, Role};
use crate::base::time::Instant;
use crate::net::ground::door::Door;
use crate::node::peering::{Parting, PeerOrder, Peering};
use crate::wire::membership::Side;

/// The port to every peer.
pub struct Port {
    pub(super) door: Door,
    pub(super) identity: Identity,
    pub(super) proving: Proving,
    pub(super) host: Host,
    /// What QUIC is spoken with, and over which sockets.
    pub(super) terms: Rc<Terms>,
    pub(super) quics: RefCell<Vec<Rc<Quic>>>,
    pub(super) settings: Settings,
    links: RefCell<Map<PeerId, Rc<Link>>>,
    /// How many write to them: each until its last word is said.
    writers: Cell<usize>,
    last: Cell<u64>,
    /// Those who are making links to this node.
    pub(super) lobby: RefCell<Lobby>,
    /// The block that is being handed in, while it is, and its digest.
    hand: RefCell<Option<(BytesMut, Digest)>>,
    doors: RefCell<Vec<Task<()>>>,
    /// When the log last heard of strangers, by its sentence.
    lines: RefCell<Map<&'static str, Instant>>,
    stopping: Cell<bool>,
}

impl Port {
    /// A port with the node's key, which is made where there is none.
    pub fn new(door: Door, settings: Settings) -> io::Result<Rc<Self>> {
        let identity = match &settings.state {
            Some(folder) => Identity::start(folder)?,
            None => Identity::passing()?,
        };
        let secure = match &settings.vendor {
            Some(vendor) => {
                let (secure, doubt) = Secure::vendor(vendor, door.date)?;
                doubt.into_iter().for_each(|doubt| log::warn!("{doubt}"));
                secure
            }
            None => Secure::raw(&identity)?,
        };
        let terms = Rc::new(Terms::new(&secure)?);
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
            terms,
            quics: RefCell::default(),
            settings,
            links: RefCell::default(),
            writers: Cell::new(0),
            last: Cell::new(0),
            lobby: RefCell::default(),
            hand: RefCell::default(),
            doors: RefCell::default(),
            lines: RefCell::default(),
            stopping: Cell::new(false),
        };
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

    /// How many of them go over one carrier.
    pub fn links_over(&self, carrier: Carrier) -> usize {
        self.links.borrow().values().filter(|link| link.carrier == carrier).count()
    }

    /// Whether a network is configured, and something that keeps others out of it.
    pub fn is_open(&self) -> bool {
        let is_closed = self.host.membership.is_closed() || self.settings.vendor.is_some();
        !self.settings.name.is_empty() && is_closed
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
            let at = listener.local_addr()?;
            bound.push(at);
            self.listen_over_quic(at);
            let task = self.door.spawn(Rc::clone(self).accept(listener)?);
            self.doors.borrow_mut().push(task);
        }
        Ok(bound)
    }

    /// Lets peers connect over QUIC at the same port; where that is taken TCP must do.
    fn listen_over_quic(self: &Rc<Self>, at: SocketAddr) {
        let is_there = |quic: &&Rc<Quic>| quic.address().is_ok_and(|own| own == at);
        let here = self.quics.borrow().iter().find(is_there).cloned();
        let quic = match here.map_or_else(|| Quic::bind(at, &self.terms, &self.door), Ok) {
            Ok(quic) => quic,
            Err(error) => return log::info!("no peers over QUIC at {at}: {error}"),
        };
        quic.open(true);
        let task = self.door.spawn(Rc::clone(self).accept_over_quic(Rc::clone(&quic)));
        self.doors.borrow_mut().push(task);
        self.quics.borrow_mut().retain(|other| !Rc::ptr_eq(other, &quic));
        self.quics.borrow_mut().push(quic);
    }

    /// Carries out an order; the outcome comes back through the door.
    pub fn order(self: &Rc<Self>, order: PeerOrder) {
        match order {
            PeerOrder::Dial { address, strange: true, .. } if self.is_beside(address) => {
                let (dialled, why) = (Some(address), Parting::Unreachable);
                self.submit(Peering::Failed { dialled, why });
            }
            PeerOrder::Dial { address, key, tier, .. } => self.dial(address, key, tier),
            PeerOrder::Hangup { peer, why } => {
                if matches!(why, Parting::Crowd) {
                    self.doubt();
                }
                self.part(peer, why);
            }
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
                let hand = self.hand.borrow_mut().take();
                let fits = |(data, _): &(BytesMut, Digest)| data.len() as u64 == range.len();
                if let Some(block) = hand.filter(fits) {
                    self.door.store.place(row, range.start, block);
                }
            }
            PeerOrder::Prove { row, range } => self.prove(Job::Block(row, range)),
            PeerOrder::Sum { row, length, algorithm } => {
                self.prove(Job::Whole(row, length, algorithm));
            }
            PeerOrder::Sign(statement) => self.sign(*statement),
        }
    }

    /// Lets nobody connect any more; links that stand are the machine's to end.
    pub fn close(&self) {
        self.doors.borrow_mut().clear();
        self.quics.borrow().iter().for_each(|quic| quic.open(false));
    }

    /// Ends every link in order; none begins any more.
    pub fn stop(&self) {
        self.stopping.set(true);
        self.doors.borrow_mut().clear();
        let all: Vec<_> = self.links.borrow().keys().copied().collect();
        all.into_iter().for_each(|peer| self.part(peer, Parting::Closing));
        self.quics.borrow_mut().drain(..).for_each(|quic| quic.stop());
    }

    /// Waits until every link's last word is said, or can be said no more.
    pub async fn ended(&self) {
        let late = (self.door.now)() + limits::link::LINK_GOODBYE;
        while self.writers.get() > 0 && (self.door.now)() < late {
            Timer::after(LOOK).await;
        }
    }

    /// Hands in a block; what is not placed meanwhile is dropped.
    pub(super) fn hand_in(&self, block: Peering, data: (BytesMut, Digest)) {
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

    /// Somebody was turned away: who was silent longest must show that it is there.
    fn doubt(&self) {
        let now = (self.door.now)();
        let links = self.links.borrow();
        let longest = links.values().max_by_key(|link| link.pulse.silence(now));
        let doubted = |link: &&Rc<Link>| link.pulse.silence(now) >= limits::link::LINK_DOUBT;
        if let Some(link) = longest.filter(doubted) {
            link.ping(now);
        }
    }

    /// Whether links may be made now.
    pub(super) fn may_link(&self) -> bool {
        self.is_open() && !self.stopping.get()
    }

    /// A link stands, or it does not.
    pub(super) fn made(self: &Rc<Self>, made: Result<Greeted, Parting>, wish: Wish) {
        let dialled = (wish.side == Side::Dialler).then_some(wish.address);
        let most = self.settings.max_peers.saturating_add(limits::link::HANDSHAKES);
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
        let Greeted { key, member, inbound, early, outbound } = greeted;
        self.last.set(self.last.get() + 1);
        let peer = PeerId(self.last.get());
        let known = self.settings.witnesses.contains(&key);
        let role = if member.role == Role::Witness && !known { Role::Device } else { member.role };
        let now = (self.door.now)();
        let link = Link::new((peer, key, member.until), inbound.carrier(), now);
        // A box that lost its power and is back: its old link must show that it is dead.
        let others: Vec<_> = self.links.borrow().values().cloned().collect();
        others.iter().filter(|other| other.key == key).for_each(|other| other.ping(now));
        self.links.borrow_mut().insert(peer, Rc::clone(&link));
        let (port, writing) = (Rc::clone(self), Rc::clone(&link));
        let writer = self.door.spawn(async move {
            if let Some(why) = write(&port, &writing, outbound).await {
                port.part(writing.id, why);
            }
            port.writers.set(port.writers.get() - 1);
        });
        self.writers.set(self.writers.get() + 1);
        writer.detach();
        let (port, reading) = (Rc::clone(self), Rc::clone(&link));
        let listening = Listening { inbound, early };
        let reader = self.door.spawn(async move {
            let why = hear(&port, &reading, listening).await;
            port.part(reading.id, why);
        });
        *link.reader.borrow_mut() = Some(reader);
        log::debug!("a link to {} stands over {:?}", key.short(), link.carrier);
        let dialled = (wish.side == Side::Dialler).then_some(wish.address);
        let is_udp = link.carrier == Carrier::Quic;
        let (tier, address) = (wish.tier, wish.address.ip());
        self.submit(Peering::Joined { peer, key, role, tier, dialled, address });
        self.submit(Peering::Seen { peer, at: wish.address, is_udp });
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
        let due =
            lines.get(sentence).is_none_or(|last| now.since(*last) >= limits::link::STRANGER_LINE);
        if matters && due {
            lines.insert(sentence, now);
            let whence = if wish.side == Side::Dialler { "the peer at" } else { "a peer from" };
            log::info!("no link with {whence} {address}: {sentence}");
        } else {
            log::debug!("no link with {address}: {sentence}");
        }
    }

    /// Why others turn this node away, as far as its own admission tells.
    pub fn admission_fault(&self) -> Option<String> {
        let what = self.settings.admission_fault(self.key(), (self.door.date)())?;
        Some(format!("{what}: make one with 'neap admit {}'", self.key()))
    }
}

/// How often it is looked at the end whether all last words are said.
const LOOK: Duration = Duration::from_millis(10);

/// Words for a peer that lets too much wait.
const DEAF: &str = "it does not take what it is told";
