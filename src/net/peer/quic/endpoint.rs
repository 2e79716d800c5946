//! All QUIC connections over one socket, and the task that drives them.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use quinn_proto::{
    Connection, ConnectionHandle, DatagramEvent, Endpoint, Incoming, ServerConfig, Transmit, VarInt,
};
use smol::Timer;

use super::answers::Answers;
use super::clock::{Clock, Making};
use super::gate::{Gate, Knock, Verdict};
use super::halves::Hold;
use super::line::Line;
use super::socket::{Came, Socket};
use super::terms::Terms;
use crate::base::limits;
use crate::base::map::Map;
use crate::net::ground::door::Door;
use crate::node::peering::Parting;
use crate::wire::stun;

/// QUIC over one socket.
pub struct Quic {
    socket: Socket,
    endpoint: RefCell<Endpoint>,
    terms: Rc<Terms>,
    lines: RefCell<Map<usize, Rc<Line>>>,
    /// Those with something to send or to tell.
    dirty: RefCell<Vec<Rc<Line>>>,
    driver: RefCell<Option<Waker>>,
    arrivals: RefCell<VecDeque<Arrival>>,
    awaiting: RefCell<Option<Waker>>,
    gate: RefCell<Gate>,
    /// Handshakes of others that are under way.
    making: Rc<Cell<usize>>,
    clock: Clock,
    answers: RefCell<Answers>,
    blocked: RefCell<Option<(Transmit, Vec<u8>)>>,
    scratch: RefCell<Vec<u8>>,
    is_closing: Cell<bool>,
}

/// Somebody who has begun a connection.
pub struct Arrival {
    /// The connection.
    pub hold: Hold,
    /// From where.
    pub from: SocketAddr,
    /// While it lives, it counts as under way.
    pub making: Making,
}

impl Quic {
    /// Binds a socket and begins to drive it; nobody may connect before [`Quic::open`].
    pub fn bind(address: SocketAddr, terms: &Rc<Terms>, door: &Door) -> io::Result<Rc<Self>> {
        let socket = Socket::bind(address, &door.reactor)?;
        let config = Arc::clone(&terms.endpoint);
        let endpoint = Endpoint::new(config, None, !socket.may_fragment(), None);
        let quic = Rc::new(Self {
            socket,
            endpoint: RefCell::new(endpoint),
            terms: Rc::clone(terms),
            lines: RefCell::default(),
            dirty: RefCell::default(),
            driver: RefCell::default(),
            arrivals: RefCell::default(),
            awaiting: RefCell::default(),
            gate: RefCell::default(),
            making: Rc::default(),
            clock: Clock::new(door.now),
            answers: RefCell::default(),
            blocked: RefCell::default(),
            scratch: RefCell::default(),
            is_closing: Cell::default(),
        });
        door.spawn(Rc::clone(&quic).drive()).detach();
        Ok(quic)
    }

    /// Where it is bound.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.address()
    }

    /// Lets others connect, or not.
    pub fn open(&self, is_open: bool) {
        let server: Option<Arc<ServerConfig>> = is_open.then(|| Arc::clone(&self.terms.server));
        self.endpoint.borrow_mut().set_server_config(server);
    }

    /// Lets nobody in any more and ends when the last connection has.
    pub fn stop(&self) {
        self.open(false);
        self.arrivals.borrow_mut().clear();
        self.is_closing.set(true);
        self.wake();
    }

    /// Begins a connection.
    pub fn dial(self: &Rc<Self>, address: SocketAddr) -> Result<Hold, Parting> {
        let client = self.terms.client.clone();
        // No name is sent; one is there because TLS wants one.
        let begun =
            self.endpoint.borrow_mut().connect(self.clock.now(), client, address, "0.0.0.0");
        let (handle, connection) = begun.map_err(|error| {
            log::debug!("no QUIC with a peer: {error}");
            Parting::Unreachable
        })?;
        Ok(Hold { line: self.add(handle, connection), quic: Rc::clone(self) })
    }

    /// Waits for the next connection of others.
    pub async fn arrival(&self) -> Arrival {
        poll_fn(|context| match self.arrivals.borrow_mut().pop_front() {
            Some(arrival) => Poll::Ready(arrival),
            None => {
                *self.awaiting.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// A connection has something to send.
    pub(super) fn mark(&self, line: &Rc<Line>) {
        if !line.is_dirty.replace(true) {
            self.dirty.borrow_mut().push(Rc::clone(line));
            self.wake();
        }
    }

    /// Nobody uses a connection any more.
    pub(super) fn close(&self, line: &Rc<Line>) {
        let now = self.clock.now();
        line.connection.borrow_mut().close(now, VarInt::from_u32(0), Bytes::new());
        self.mark(line);
    }

    fn add(&self, handle: ConnectionHandle, connection: Connection) -> Rc<Line> {
        let line = Rc::new(Line::new(handle, connection));
        self.lines.borrow_mut().insert(handle.0, Rc::clone(&line));
        self.mark(&line);
        line
    }

    fn wake(&self) {
        let waker = self.driver.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Receives, lets time pass and sends, until it is closing and nothing is left.
    async fn drive(self: Rc<Self>) {
        let (mut timer, mut armed) = (Timer::never(), None);
        poll_fn(|context| {
            *self.driver.borrow_mut() = Some(context.waker().clone());
            self.send_blocked(context);
            let more = self.receive(context);
            while Pin::new(&mut timer).poll(context).is_ready() {
                armed = None;
                self.expire();
                self.arm((&mut timer, &mut armed));
            }
            self.send_all(context);
            if self.is_closing.get() && self.lines.borrow().is_empty() {
                return Poll::Ready(());
            }
            if self.arm((&mut timer, &mut armed)) || more {
                // Others have their turn first.
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }

    /// Moves the timer forward where something is due earlier; answers whether it was moved, so
    /// that it must be polled.
    fn arm(&self, (timer, armed): (&mut Timer, &mut Option<std::time::Instant>)) -> bool {
        let lines = self.lines.borrow();
        let Some(due) = lines.values().filter_map(|line| line.due.get()).min() else {
            return false;
        };
        if armed.is_some_and(|armed| armed <= due) {
            return false;
        }
        *armed = Some(due);
        timer.set_after(due.saturating_duration_since(self.clock.now()));
        true
    }

    /// Lets timers do what they are due for.
    fn expire(&self) {
        let now = self.clock.now();
        for line in self.lines.borrow().values() {
            if line.due.get().is_some_and(|due| due <= now) {
                line.connection.borrow_mut().handle_timeout(now);
                line.due.set(None);
                self.mark(line);
            }
        }
    }

    /// Takes in what has come; answers whether more may be here.
    fn receive(self: &Rc<Self>, context: &mut Context<'_>) -> bool {
        for _ in 0..BATCHES {
            match self.socket.poll_receive(context) {
                Poll::Ready(Ok(came)) => came.into_iter().for_each(|came| self.take(came)),
                Poll::Ready(Err(error)) => {
                    log::debug!("a UDP socket fails: {error}");
                    return false;
                }
                Poll::Pending => return false,
            }
        }
        true
    }

    fn take(self: &Rc<Self>, came: Came) {
        let now = self.clock.now();
        let Came { from, to, ecn, mut bytes, stride } = came;
        while !bytes.is_empty() {
            let datagram: BytesMut = bytes.split_to(stride.min(bytes.len()));
            if stun::is_stun(&datagram) {
                self.on_stun(&datagram, from, to);
                continue;
            }
            let mut answer = core::mem::take(&mut *self.scratch.borrow_mut());
            answer.clear();
            let event =
                self.endpoint.borrow_mut().handle(now, from, to, ecn, datagram, &mut answer);
            match event {
                Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                    let line = self.lines.borrow().get(&handle.0).cloned();
                    if let Some(line) = line {
                        line.connection.borrow_mut().handle_event(event);
                        self.mark(&line);
                    }
                }
                Some(DatagramEvent::NewConnection(incoming)) => self.judge(incoming, &mut answer),
                Some(DatagramEvent::Response(transmit)) => self.answer(&transmit, &answer),
                None => {}
            }
            *self.scratch.borrow_mut() = answer;
        }
    }

    /// Somebody asks at what address it is seen.
    fn on_stun(&self, datagram: &[u8], from: SocketAddr, to: Option<IpAddr>) {
        let now = (self.clock.house)();
        let Some(bytes) = self.answers.borrow_mut().to(datagram, from, now) else { return };
        let (size, src_ip) = (bytes.len(), to);
        let segment_size = None;
        let transmit = Transmit { destination: from, ecn: None, size, segment_size, src_ip };
        self.answer(&transmit, &bytes);
    }

    /// Somebody wants a connection.
    fn judge(self: &Rc<Self>, incoming: Incoming, answer: &mut Vec<u8>) {
        let from = incoming.remote_address();
        let knock = Knock {
            from: from.ip(),
            is_validated: incoming.remote_address_validated(),
            under_way: self.making.get(),
        };
        let verdict = self.gate.borrow_mut().judge(knock, (self.clock.house)());
        let mut endpoint = self.endpoint.borrow_mut();
        match verdict {
            Verdict::Ignore => endpoint.ignore(incoming),
            Verdict::Retry => match endpoint.retry(incoming, answer) {
                Ok(transmit) => self.answer(&transmit, answer),
                Err(error) => endpoint.ignore(error.into_incoming()),
            },
            Verdict::Accept => match endpoint.accept(incoming, self.clock.now(), answer, None) {
                Ok((handle, connection)) => {
                    drop(endpoint);
                    let hold = Hold { line: self.add(handle, connection), quic: Rc::clone(self) };
                    let making = Making::new(&self.making);
                    self.arrivals.borrow_mut().push_back(Arrival { hold, from, making });
                    let waker = self.awaiting.borrow_mut().take();
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
                Err(error) => {
                    log::debug!("no QUIC with a peer: {}", error.cause);
                    if let Some(transmit) = error.response {
                        self.answer(&transmit, answer);
                    }
                }
            },
        }
    }

    /// Answers without a connection; what does not fit now is lost.
    fn answer(&self, transmit: &Transmit, bytes: &[u8]) {
        if self.blocked.borrow().is_some() {
            return;
        }
        let mut context = Context::from_waker(Waker::noop());
        let _ = self.socket.poll_send(&mut context, transmit, &bytes[..transmit.size]);
    }

    /// Lets every connection that has something to say say it.
    fn send_all(&self, context: &mut Context<'_>) {
        if self.blocked.borrow().is_some() {
            return;
        }
        let dirty = core::mem::take(&mut *self.dirty.borrow_mut());
        for line in dirty {
            line.is_dirty.set(false);
            if !self.settle(&line, context) {
                self.mark(&line);
            }
        }
    }

    /// Sends what a connection has to send and hears what it has to tell; answers whether that
    /// was all.
    fn settle(&self, line: &Rc<Line>, context: &mut Context<'_>) -> bool {
        let mut connection = line.connection.borrow_mut();
        let mut is_done;
        loop {
            is_done = self.send(&mut connection, context);
            let mut is_quiet = true;
            while let Some(event) = connection.poll_endpoint_events() {
                let is_drained = event.is_drained();
                let back = self.endpoint.borrow_mut().handle_event(line.handle, event);
                if let Some(back) = back {
                    connection.handle_event(back);
                    is_quiet = false;
                }
                if is_drained {
                    self.lines.borrow_mut().remove(&line.handle.0);
                    line.lose(Parting::Closed);
                }
            }
            while let Some(event) = connection.poll() {
                line.on_event(event, &mut connection);
            }
            if is_quiet {
                break;
            }
        }
        line.due.set(connection.poll_timeout());
        is_done
    }

    fn send(&self, connection: &mut Connection, context: &mut Context<'_>) -> bool {
        let mut bytes = self.scratch.borrow_mut();
        for _ in 0..TURNS {
            bytes.clear();
            let now = self.clock.now();
            let segments = self.socket.segments();
            let Some(transmit) = connection.poll_transmit(now, segments, &mut bytes) else {
                return true;
            };
            let sent = self.socket.poll_send(context, &transmit, &bytes[..transmit.size]);
            if sent.is_pending() {
                let rest = core::mem::take(&mut *bytes);
                *self.blocked.borrow_mut() = Some((transmit, rest));
                return false;
            }
        }
        false
    }

    /// Sends what did not fit before.
    fn send_blocked(&self, context: &mut Context<'_>) {
        let mut blocked = self.blocked.borrow_mut();
        if let Some((transmit, bytes)) = &*blocked {
            if self.socket.poll_send(context, transmit, &bytes[..transmit.size]).is_ready() {
                *blocked = None;
            }
        }
    }
}

/// Batches that are read before others have their turn.
const BATCHES: usize = 4;

/// Sends for one connection before others have their turn.
const TURNS: usize = 8;

const _: () = assert!(limits::link::UDP_SEGMENTS * 1500 < 65_507);
