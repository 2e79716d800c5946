//! The two halves of a link over QUIC: what comes over the connection's one stream, and what goes.

use core::future::poll_fn;
use core::net::IpAddr;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use quinn_proto::crypto::rustls::HandshakeData;
use quinn_proto::{ReadableError, WriteError};
use rustls::pki_types::CertificateDer;

use super::endpoint::Quic;
use super::line::Line;
use super::train::Carried;
use crate::base::limits;
use crate::base::time::Instant;
use crate::net::ground::patience::Patience;
use crate::node::peering::Parting;

/// A connection that somebody uses; it is closed when nobody does any more.
pub struct Hold {
    pub(super) quic: Rc<Quic>,
    pub(super) line: Rc<Line>,
}

/// The half that hears.
pub struct Ear {
    hold: Rc<Hold>,
    came: VecDeque<Bytes>,
    current: Bytes,
}

/// The half that speaks.
pub struct Mouth {
    hold: Rc<Hold>,
    patience: Patience,
}

/// What TLS says of a connection that stands.
pub struct Shown {
    /// The other side's certificates or its raw key.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The protocol that both sides speak.
    pub protocol: Option<Vec<u8>>,
}

impl Hold {
    /// Waits until the handshake is done.
    pub async fn stands(&self) -> Result<(), Parting> {
        poll_fn(|context| {
            let line = &self.line;
            match line.lost() {
                Some(why) => return Poll::Ready(Err(why)),
                None if line.stands.get() => return Poll::Ready(Ok(())),
                None => {}
            }
            line.reader(context);
            Poll::Pending
        })
        .await
    }

    /// Our own address, as the other side reached it.
    pub fn own(&self) -> Option<IpAddr> {
        self.line.connection.borrow().local_ip()
    }

    /// What TLS has proven.
    pub fn shown(&self) -> Shown {
        let connection = self.line.connection.borrow();
        let tls = connection.crypto_session();
        let certificates = tls.peer_identity().and_then(|shown| shown.downcast().ok());
        let data = tls.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
        let certificates = certificates.map(|shown: Box<Vec<_>>| *shown).unwrap_or_default();
        Shown { certificates, protocol: data.and_then(|data| data.protocol) }
    }

    /// A secret of this connection that both sides know (RFC 8446, 7.5).
    pub fn exporter(&self, label: &[u8]) -> Option<[u8; 32]> {
        let mut secret = [0; 32];
        let connection = self.line.connection.borrow();
        connection.crypto_session().export_keying_material(&mut secret, label, b"").ok()?;
        Some(secret)
    }

    /// Both halves.
    pub fn split(self, now: fn() -> Instant) -> (Ear, Mouth) {
        let hold = Rc::new(self);
        let ear = Ear { hold: Rc::clone(&hold), came: VecDeque::new(), current: Bytes::new() };
        (ear, Mouth { hold, patience: Patience::new(now) })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.quic.close(&self.line);
    }
}

impl Ear {
    /// The other side has proven itself: it may send as much as a member may.
    pub fn widen(&self) {
        let Hold { quic, line } = &*self.hold;
        line.connection.borrow_mut().set_receive_window(limits::link::QUIC_RECEIVE.into());
        quic.mark(line);
    }

    /// The next bytes that are here.
    pub fn opened(&mut self) -> Option<&[u8]> {
        self.current = self.came.pop_front()?;
        Some(&self.current)
    }

    /// Waits for more bytes; zero when the other side has closed.
    pub async fn more(&mut self) -> io::Result<usize> {
        self.current = Bytes::new();
        poll_fn(|context| self.poll_more(context)).await
    }

    fn poll_more(&mut self, context: &Context<'_>) -> Poll<io::Result<usize>> {
        let Hold { quic, line } = &*self.hold;
        let Some(stream) = line.stream.get() else { return ended(line, context) };
        let mut connection = line.connection.borrow_mut();
        let mut stream = connection.recv_stream(stream);
        let mut chunks = match stream.read(true) {
            Ok(chunks) => chunks,
            Err(ReadableError::ClosedStream | ReadableError::IllegalOrderedRead) => {
                return Poll::Ready(Ok(0));
            }
        };
        let (mut count, mut is_over) = (0, false);
        while self.came.len() < CHUNKS {
            match chunks.next(usize::MAX) {
                Ok(Some(chunk)) => {
                    count += chunk.bytes.len();
                    self.came.push_back(chunk.bytes);
                }
                Err(quinn_proto::ReadError::Blocked) => break,
                Ok(None) | Err(quinn_proto::ReadError::Reset(_)) => {
                    is_over = true;
                    break;
                }
            }
        }
        let is_news = chunks.finalize().should_transmit();
        drop(connection);
        if is_news {
            quic.mark(line);
        }
        if count > 0 || is_over { Poll::Ready(Ok(count)) } else { ended(line, context) }
    }
}

/// Nothing is here: it will come, or never.
fn ended(line: &Line, context: &Context<'_>) -> Poll<io::Result<usize>> {
    match line.lost() {
        Some(Parting::Silent) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        Some(_) => Poll::Ready(Ok(0)),
        None => {
            line.reader(context);
            Poll::Pending
        }
    }
}

impl Mouth {
    /// What the way was seen to carry since it was last asked for.
    pub fn carried(&self) -> Option<Carried> {
        self.hold.line.seen.take()
    }

    /// The bound on waiting, for whoever waits for something to say.
    pub const fn patience(&mut self) -> &mut Patience {
        &mut self.patience
    }

    /// Says a head and what follows it, without a copy of that; the other side must take some of
    /// it within each `limit`.
    pub async fn send(
        &mut self,
        head: &[u8],
        mut pieces: &mut [Bytes],
        limit: Duration,
    ) -> Result<(), Parting> {
        let mut head = head;
        let Self { hold, patience } = self;
        while !head.is_empty() || !pieces.is_empty() {
            let some = poll_fn(|context| poll_write(hold, context, (head, pieces)));
            match patience.bound(limit, some).await {
                Ok(Ok((bytes, _))) if !head.is_empty() => head = &head[bytes..],
                Ok(Ok((_, whole))) => pieces = &mut pieces[whole..],
                Ok(Err(why)) => return Err(why),
                Err(_) => return Err(Parting::Silent),
            }
        }
        Ok(())
    }

    /// Says something as the last of this link and waits until it has been heard.
    pub async fn end(&mut self, last: &[u8], limit: Duration) {
        if self.send(last, &mut [], limit).await.is_err() {
            return;
        }
        let Hold { quic, line } = &*self.hold;
        let Some(stream) = line.stream.get() else { return };
        if line.connection.borrow_mut().send_stream(stream).finish().is_err() {
            return;
        }
        quic.mark(line);
        let heard = poll_fn(|context| {
            if line.is_finished.get() || line.lost().is_some() {
                return Poll::Ready(());
            }
            line.writer(context);
            Poll::Pending
        });
        let _ = self.patience.bound(limit, heard).await;
    }
}

/// Writes some of the head, or of the pieces where it is empty: bytes, and pieces that are done.
fn poll_write(
    hold: &Hold,
    context: &Context<'_>,
    (head, pieces): (&[u8], &mut [Bytes]),
) -> Poll<Result<(usize, usize), Parting>> {
    let Hold { quic, line } = hold;
    if let Some(why) = line.lost() {
        return Poll::Ready(Err(why));
    }
    let Some(stream) = line.stream.get() else { return Poll::Ready(Err(Parting::Closed)) };
    let mut connection = line.connection.borrow_mut();
    let mut stream = connection.send_stream(stream);
    let written = match head.is_empty() {
        false => stream.write(head).map(|bytes| (bytes, 0)),
        true => stream.write_chunks(pieces).map(|written| (written.bytes, written.chunks)),
    };
    drop(connection);
    match written {
        Ok(written) => {
            quic.mark(line);
            Poll::Ready(Ok(written))
        }
        Err(WriteError::Blocked) => {
            line.writer(context);
            Poll::Pending
        }
        Err(WriteError::Stopped(_) | WriteError::ClosedStream) => Poll::Ready(Err(Parting::Closed)),
    }
}

/// Pieces of the stream that are taken at once: those of some fifty packets.
const CHUNKS: usize = 48;
