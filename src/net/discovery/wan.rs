//! Trackers asked and told: over HTTP (BEP 3) and over UDP (BEP 15), in both families of
//! addresses. Which of them and when is the machine's to say.

use core::cell::{Cell, RefCell};
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::rc::Rc;

use smol::{Async, Timer, future};

use super::web;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::rng::Rng;
use crate::base::time::Instant;
use crate::config::tracker::{Tracker, Way};
use crate::net::ground::door::Door;
use crate::node::event::Input;
use crate::node::peering::Peering;
use crate::wire::tracker::announce::{Announce, Answer, Call, Event, Fault, InfoHash};
use crate::wire::tracker::datagram::{self, Connection, Transaction};

/// The port to trackers.
pub struct Wan {
    door: Door,
    trackers: Vec<Tracker>,
    /// Where this node awaits others; none yet, none announced.
    port: Cell<Option<u16>>,
    /// Connections of BEP 15 that still hold, and since when.
    connections: RefCell<Map<SocketAddr, (Connection, Instant)>>,
    /// What trackers believe of this node, so that it can be taken back when the program ends.
    told: RefCell<Map<(usize, InfoHash), Announce>>,
    rng: RefCell<Rng>,
}

impl Wan {
    /// The port to these trackers.
    pub fn new(door: Door, trackers: Vec<Tracker>) -> Self {
        let mut seed = [0; 8];
        // Guessing a transaction's number lets a stranger answer in a tracker's place.
        let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut seed);
        let seed = filled.map_or_else(|_| (door.now)().as_micros(), |()| u64::from_le_bytes(seed));
        Self {
            door,
            trackers,
            port: Cell::new(None),
            connections: RefCell::default(),
            told: RefCell::default(),
            rng: RefCell::new(Rng::new(seed)),
        }
    }

    /// This node awaits others on `port` from now on.
    pub fn open(&self, port: u16) {
        self.port.set(Some(port));
    }

    /// Tells a tracker something; what it answers comes back through the door.
    pub fn order(self: &Rc<Self>, call: Call) {
        let wan = Rc::clone(self);
        let task = self.door.spawn(async move {
            let answer = wan.call(&call).await;
            if call.announce.event != Event::Stopped {
                let said = Peering::Announced { call, answer };
                (wan.door.submit)(Input::Peer(Box::new(said)));
            }
        });
        task.detach();
    }

    /// Takes back what trackers believe of this node, within a moment: side by side, since one
    /// that does not answer would keep the others from hearing it.
    pub async fn leave(self: &Rc<Self>) {
        let told = core::mem::take(&mut *self.told.borrow_mut());
        let goodbyes = told.into_iter().map(|((tracker, _), announce)| {
            let announce = Announce { event: Event::Stopped, wanted: 0, ..announce };
            let (wan, call) = (Rc::clone(self), Call { tracker, announce });
            self.door.spawn(async move { drop(wan.call(&call).await) })
        });
        let goodbyes: Vec<_> = goodbyes.collect();
        let goodbyes = async {
            for goodbye in goodbyes {
                goodbye.await;
            }
        };
        let late = async {
            Timer::after(limits::meeting::TRACKER_GOODBYE).await;
        };
        future::or(goodbyes, late).await;
    }

    /// Asks a tracker in each family in which it has an address; what they say is one answer.
    async fn call(&self, call: &Call) -> Option<Answer> {
        let tracker = self.trackers.get(call.tracker)?;
        let announce = Announce { port: self.port.get()?, ..call.announce };
        let addresses = match addresses(tracker).await {
            Ok(addresses) => addresses,
            Err(error) => {
                log::warn!("tracker {}: {error}", tracker.authority());
                return None;
            }
        };
        let mut answers = Vec::new();
        for at in addresses {
            let answer = match tracker.way {
                Way::Http => web::ask(tracker, at, &announce).await,
                Way::Udp => self.ask(tracker, at, &announce).await,
            };
            match answer {
                Ok(answer) => answers.push(answer),
                Err(error) => log::warn!("tracker {}: {error}", tracker.authority()),
            }
        }
        let key = (call.tracker, announce.hash);
        if announce.event == Event::Stopped {
            self.told.borrow_mut().remove(&key);
        } else if !answers.is_empty() && self.told.borrow().len() < TOLD {
            self.told.borrow_mut().insert(key, announce);
        }
        answers.into_iter().reduce(merged)
    }

    /// One announcement over UDP, with the questions asked again as BEP 15 says.
    async fn ask(
        &self,
        tracker: &Tracker,
        at: SocketAddr,
        announce: &Announce,
    ) -> io::Result<Answer> {
        let any: SocketAddr = match at {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = Async::<UdpSocket>::bind(any)?;
        // Connected, so that only the tracker is heard, and a dead one says so at once.
        socket.get_ref().connect(at)?;
        for asked in 0..limits::meeting::TRACKER_ASKED {
            let patience = datagram::patience(asked);
            let Some(connection) = self.connect(&socket, at, patience).await? else { continue };
            let transaction = self.transaction();
            let said = datagram::announce(announce, (connection, transaction), &tracker.target);
            let read = |heard: &[u8]| datagram::announced(heard, transaction, at.is_ipv6());
            let answer = exchange(&socket, &said, (patience, read)).await.inspect_err(|_| {
                // It may have forgotten the connection.
                self.connections.borrow_mut().remove(&at);
            })?;
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// A connection that still holds, or a new one; none where no answer came in time.
    async fn connect(
        &self,
        socket: &Async<UdpSocket>,
        at: SocketAddr,
        patience: Duration,
    ) -> io::Result<Option<Connection>> {
        let now = (self.door.now)();
        self.connections.borrow_mut().retain(|_, (_, since)| now.since(*since) < HOLDS);
        let known = self.connections.borrow().get(&at).copied();
        if let Some((connection, _)) = known {
            return Ok(Some(connection));
        }
        let transaction = self.transaction();
        let read = |heard: &[u8]| datagram::connected(heard, transaction);
        let said = datagram::connect(transaction);
        let connection = exchange(socket, &said, (patience, read)).await?;
        if let Some(connection) = connection {
            self.connections.borrow_mut().insert(at, (connection, now));
        }
        Ok(connection)
    }

    fn transaction(&self) -> Transaction {
        Transaction(u32::try_from(self.rng.borrow_mut().next() >> 32).unwrap_or(0))
    }
}

/// Says something and waits for what answers it; none where nothing did in time.
async fn exchange<T>(
    socket: &Async<UdpSocket>,
    said: &[u8],
    (patience, read): (Duration, impl Fn(&[u8]) -> Result<T, Fault>),
) -> io::Result<Option<T>> {
    socket.send(said).await?;
    let late = async {
        Timer::after(patience).await;
        Ok(None)
    };
    let heard = async {
        // One byte more than may be: what is too long is seen and not cut to fit.
        let mut buffer = [0; limits::meeting::TRACKER_DATAGRAM + 1];
        loop {
            let length = socket.recv(&mut buffer).await?;
            match read(&buffer[..length]) {
                Ok(heard) => return Ok(Some(heard)),
                // An answer that came late, or somebody who guesses.
                Err(Fault::Foreign) => {}
                Err(fault) => return Err(io::Error::other(fault.to_string())),
            }
        }
    };
    future::or(heard, late).await
}

/// The first address of each family.
async fn addresses(tracker: &Tracker) -> io::Result<Vec<SocketAddr>> {
    let all = async_net::resolve((&*tracker.host, tracker.port)).await?;
    let first = |six: bool| all.iter().find(|at| at.is_ipv6() == six).copied();
    let both: Vec<_> = [first(false), first(true)].into_iter().flatten().collect();
    if both.is_empty() { Err(io::Error::other("its name has no address")) } else { Ok(both) }
}

/// What a tracker says in both families: the longer wait, the larger audience, all addresses.
fn merged(mut one: Answer, other: Answer) -> Answer {
    one.interval = one.interval.max(other.interval);
    one.least = one.least.max(other.least);
    one.audience = one.audience.max(other.audience);
    one.peers.extend(other.peers);
    one
}

/// How long a connection holds (BEP 15: a minute).
const HOLDS: Duration = Duration::from_secs(60);

/// Announcements that can be taken back: each stream by two names at each tracker.
const TOLD: usize = 2 * limits::meeting::STREAMS_MET * limits::config::TRACKERS;
