//! The doors for players: sockets that listen, and how many may come in.

use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::SndBuf;
use smol::{Async, Task};

use super::connection::Connection;
use super::desk::Desk;
use super::exchange;
use super::gate::Gate;
use super::idle::Idle;
use crate::base::id::ExchangeId;
use crate::base::limits;
use crate::config::model::Config;
use crate::net::ground::door::Door;
use crate::net::ground::reactor;
use crate::node::event::{Input, Refusal};

/// The port to every player.
pub struct Port {
    /// The way to the loop.
    pub door: Door,
    /// Where exchanges find their answers.
    pub desk: Rc<Desk>,
    /// Connections between two requests.
    pub idle: Idle,
    gate: RefCell<Rc<Gate>>,
    exchanges: Cell<u64>,
    connections: Cell<usize>,
    stopping: Cell<bool>,
}

impl Port {
    /// A port behind the gate that the configuration describes.
    pub fn new(door: Door, config: &Config) -> Rc<Self> {
        Rc::new(Self {
            door,
            desk: Rc::default(),
            idle: Idle::default(),
            gate: RefCell::new(Rc::new(Gate::new(config))),
            exchanges: Cell::new(0),
            connections: Cell::new(0),
            stopping: Cell::new(false),
        })
    }

    /// Takes over a changed gate; exchanges that run go on.
    pub fn configure(&self, config: &Config) {
        *self.gate.borrow_mut() = Rc::new(Gate::new(config));
    }

    /// The gate as it stands.
    pub fn gate(&self) -> Rc<Gate> {
        Rc::clone(&self.gate.borrow())
    }

    /// A number for the next exchange.
    pub fn next_exchange(&self) -> ExchangeId {
        self.exchanges.set(self.exchanges.get() + 1);
        ExchangeId(self.exchanges.get())
    }

    /// Notes a refusal.
    pub fn refused(&self, refusal: Refusal) {
        (self.door.submit)(Input::Refused(refusal));
    }

    /// Whether connections end after the exchange that they are at.
    pub fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Ends the connections on which nothing is asked any more, until the node wakes.
    pub fn rest(&self, resting: bool) {
        self.idle.rest(resting);
    }

    /// Lets connections end after the exchange that they are at.
    pub fn stop(&self) {
        self.stopping.set(true);
    }

    /// Accepts players on a listening socket until the task is dropped.
    pub fn listen(self: &Rc<Self>, listener: TcpListener) -> io::Result<Task<()>> {
        let listener = async_net::TcpListener::from(Async::new(listener)?);
        let port = Rc::clone(self);
        Ok(self.door.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => port.welcome(stream, peer),
                    Err(error) => {
                        // Out of descriptors: those in use must end before another begins.
                        log::warn!("cannot accept players: {error}");
                        smol::Timer::after(PAUSE).await;
                    }
                }
            }
        }))
    }

    fn welcome(self: &Rc<Self>, stream: async_net::TcpStream, peer: SocketAddr) {
        if !self.gate().admits(peer.ip()) {
            return self.refused(Refusal::Network);
        }
        if self.connections.get() >= limits::http::CONNECTIONS {
            return self.refused(Refusal::Crowd);
        }
        let source = reactor::plain(stream).and_then(|stream| {
            setsockopt(&stream, SndBuf, &limits::http::SEND_BUFFER)?;
            self.door.reactor.source(stream)
        });
        let source = match source {
            Ok(source) => source,
            Err(error) => return log::debug!("a player's connection failed at once: {error}"),
        };
        let connection = Connection::new(source, self.door.now);
        let port = Rc::clone(self);
        let guest = Guest::new(&port);
        let task = self.door.spawn(async move {
            let _guest = guest;
            exchange::serve(&port, connection).await;
        });
        task.detach();
    }
}

/// A connection's place among the others.
struct Guest(Rc<Port>);

impl Guest {
    fn new(port: &Rc<Port>) -> Self {
        let guest = Self(Rc::clone(port));
        guest.count(port.connections.get() + 1);
        guest
    }

    fn count(&self, count: usize) {
        self.0.connections.set(count);
        (self.0.door.submit)(Input::Connections { count });
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.count(self.0.connections.get() - 1);
    }
}

/// How long accepting rests when the system has nothing left to give.
const PAUSE: core::time::Duration = core::time::Duration::from_millis(200);
