//! One QUIC connection: its state, and who waits for it.

use core::cell::{Cell, RefCell};
use core::task::{Context, Waker};

use quinn_proto::{
    Connection, ConnectionError, ConnectionHandle, Dir, Event, StreamEvent, StreamId,
    TransportError,
};

use super::courtesy::Seen;
use crate::node::peering::{Parting, Stranger};

/// A connection with who waits for it.
pub struct Line {
    pub(super) handle: ConnectionHandle,
    pub(super) connection: RefCell<Connection>,
    /// What its way carries.
    pub(super) seen: Seen,
    /// When its next timer is due.
    pub(super) due: Cell<Option<std::time::Instant>>,
    /// It waits to be driven.
    pub(super) is_dirty: Cell<bool>,
    /// The one stream, once it is open.
    pub(super) stream: Cell<Option<StreamId>>,
    /// The handshake is done.
    pub(super) stands: Cell<bool>,
    /// All that was said is acknowledged.
    pub(super) is_finished: Cell<bool>,
    /// Why it ended, as the link is told.
    lost: RefCell<Option<Parting>>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

impl Line {
    pub(super) fn new(handle: ConnectionHandle, connection: Connection) -> Self {
        Self {
            handle,
            seen: Seen::of(connection.congestion_state()),
            connection: RefCell::new(connection),
            due: Cell::default(),
            is_dirty: Cell::default(),
            stream: Cell::default(),
            stands: Cell::default(),
            is_finished: Cell::default(),
            lost: RefCell::default(),
            reader: RefCell::default(),
            writer: RefCell::default(),
        }
    }

    /// Something happened on the connection; the caller holds it.
    pub(super) fn on_event(&self, event: Event, connection: &mut Connection) {
        match event {
            Event::HandshakeDataReady | Event::DatagramReceived | Event::DatagramsUnblocked => {}
            Event::Connected => {
                if connection.side().is_client() {
                    self.stream.set(connection.streams().open(Dir::Bi));
                }
                self.stands.set(true);
                self.wake();
            }
            Event::ConnectionLost { reason } => self.lose(parting(&reason, self.stands.get())),
            Event::Stream(StreamEvent::Opened { .. }) => {
                if let Some(stream) = connection.streams().accept(Dir::Bi) {
                    self.stream.set(Some(stream));
                }
                wake(&self.reader);
            }
            Event::Stream(StreamEvent::Readable { .. }) => wake(&self.reader),
            Event::Stream(StreamEvent::Writable { .. }) => wake(&self.writer),
            Event::Stream(StreamEvent::Finished { .. } | StreamEvent::Stopped { .. }) => {
                self.is_finished.set(true);
                wake(&self.writer);
            }
            Event::Stream(StreamEvent::Available { .. }) => {}
        }
    }

    pub(super) fn lose(&self, why: Parting) {
        self.lost.borrow_mut().get_or_insert(why);
        self.wake();
    }

    pub(super) fn lost(&self) -> Option<Parting> {
        self.lost.borrow().clone()
    }

    /// The reader waits, or whoever waits for the handshake.
    pub(super) fn reader(&self, context: &Context<'_>) {
        *self.reader.borrow_mut() = Some(context.waker().clone());
    }

    pub(super) fn writer(&self, context: &Context<'_>) {
        *self.writer.borrow_mut() = Some(context.waker().clone());
    }

    fn wake(&self) {
        wake(&self.reader);
        wake(&self.writer);
    }
}

fn wake(waiting: &RefCell<Option<Waker>>) {
    let waker = waiting.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Why a connection ended, as far as it matters to an owner.
fn parting(reason: &ConnectionError, stood: bool) -> Parting {
    log::debug!("QUIC with a peer: {reason}");
    match reason {
        ConnectionError::VersionMismatch => Parting::Stranger(Stranger::Version),
        ConnectionError::TimedOut if stood => Parting::Silent,
        ConnectionError::TimedOut => Parting::Unreachable,
        _ if stood => Parting::Closed,
        ConnectionError::TransportError(error) => failed(error),
        ConnectionError::ConnectionClosed(close) => match alert(u64::from(close.error_code)) {
            Some(NO_PROTOCOL) => Parting::Refused(Stranger::Version),
            Some(_) => Parting::Refused(Stranger::Handshake),
            None => Parting::Closed,
        },
        _ => Parting::Closed,
    }
}

/// Why a handshake failed on this side.
fn failed(error: &TransportError) -> Parting {
    match alert(u64::from(error.code)) {
        Some(NO_PROTOCOL) => Parting::Stranger(Stranger::Version),
        Some(_) => Parting::Stranger(Stranger::Handshake),
        None => Parting::Breach("it broke QUIC in its handshake"),
    }
}

/// The alert of TLS that a QUIC error stands for (RFC 9001, 4.8).
const fn alert(code: u64) -> Option<u64> {
    if code >> 8 == 1 { Some(code & 0xff) } else { None }
}

/// `no_application_protocol` (RFC 7301, 3.2).
const NO_PROTOCOL: u64 = 120;
