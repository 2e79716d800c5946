//! A player's connection: request heads and bodies in, bounded in size and time.

use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;
use std::io::{self, IoSlice, Write};
use std::net::TcpStream;

use bytes::Bytes;

use super::idle::Place;
use crate::base::limits;
use crate::base::time::Instant;
use crate::net::ground::patience::{Elapsed, Patience};
use crate::net::ground::reactor::Source;
use crate::wire::http::body::{Body, Step};
use crate::wire::http::head::{self, Fault, RequestHead};

/// A connection from a player.
pub struct Connection {
    source: Source<TcpStream>,
    ahead: Vec<u8>,
    patience: Patience,
}

/// What came of waiting for a request.
#[derive(Debug)]
pub enum Asked {
    /// A request.
    Head(RequestHead),
    /// What came is none; the client is told and the connection ends.
    Bad(Fault),
    /// A head was begun and not finished in time.
    Slow,
    /// The client has closed, or said nothing for too long.
    Gone,
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(source: Source<TcpStream>, now: fn() -> Instant) -> Self {
        Self { source, ahead: Vec::new(), patience: Patience::new(now) }
    }

    /// Waits for the next request, or until those who wait are to end.
    pub async fn head(&mut self, place: &Place<'_>) -> Asked {
        let mut seen = 0;
        let mut due = None;
        loop {
            // An empty line in front of a request is a leftover of old clients (RFC 9112, 2.2).
            if seen == 0 && self.ahead.starts_with(b"\r\n") {
                self.ahead.drain(..2);
            }
            match head::end(&self.ahead, seen) {
                Ok(Some(end)) => {
                    place.asked();
                    let head = RequestHead::parse(&self.ahead[..end]);
                    self.ahead.drain(..end);
                    return head.map_or_else(Asked::Bad, Asked::Head);
                }
                Ok(None) => seen = self.ahead.len(),
                Err(fault) => return Asked::Bad(fault),
            }
            let idle = self.ahead.is_empty();
            // The bound is for the whole head: one byte now and then does not win time.
            let limit = if idle {
                limits::http::KEEP_ALIVE
            } else {
                let now = self.patience.now();
                due.get_or_insert(now + limits::http::HEAD_TIME).since(now)
            };
            let more = if idle { self.begun(place, limit).await } else { self.more(limit).await };
            match more {
                Ok(Ok(0)) | Ok(Err(_)) => return Asked::Gone,
                Ok(Ok(_)) => {}
                Err(Elapsed) => return if idle { Asked::Gone } else { Asked::Slow },
            }
        }
    }

    /// Reads content of a request into `into`; zero at its end.
    pub async fn content(&mut self, body: &mut Body, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match body.step() {
                Step::End => return Ok(0),
                Step::Line => match body.line(&self.ahead).map_err(invalid)? {
                    Some(used) => drop(self.ahead.drain(..used)),
                    None => self.need_more().await?,
                },
                Step::Content(left) => {
                    if self.ahead.is_empty() {
                        self.need_more().await?;
                    }
                    let left = usize::try_from(left).unwrap_or(usize::MAX);
                    let count = into.len().min(left).min(self.ahead.len());
                    into[..count].copy_from_slice(&self.ahead[..count]);
                    self.ahead.drain(..count);
                    body.took(count as u64);
                    return Ok(count);
                }
            }
        }
    }

    /// Writes `head` and then `pieces`, in as few calls as the socket allows.
    pub async fn send(&mut self, head: &[u8], pieces: &[Bytes]) -> io::Result<()> {
        let mut slices = gathered(head, pieces);
        let mut left = &mut slices[..];
        IoSlice::advance_slices(&mut left, 0);
        let Self { source, patience, .. } = self;
        while !left.is_empty() {
            let write = poll_fn(|context| {
                source.poll_write_with(context, |mut io| io.write_vectored(left))
            });
            match patience.bound(limits::http::WRITE_TIME, write).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(Ok(count)) => IoSlice::advance_slices(&mut left, count),
                Ok(Err(error)) => return Err(error),
                Err(Elapsed) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        Ok(())
    }

    /// Writes what goes at once of `head`, which is shortened by it, and of `pieces` behind it;
    /// answers how many bytes of the pieces went, none when the socket is full.
    pub fn push(&mut self, head: &mut Vec<u8>, pieces: &[Bytes]) -> io::Result<u64> {
        let slices = gathered(head, pieces);
        let wanted = slices.iter().map(|slice| slice.len()).sum();
        let count = self.source.try_write_with(wanted, |mut io| io.write_vectored(&slices))?;
        let heads = count.min(head.len());
        head.drain(..heads);
        Ok((count - heads) as u64)
    }

    /// Waits until the socket takes bytes again.
    pub async fn writable(&mut self) -> io::Result<()> {
        let Self { source, patience, .. } = self;
        let writable = poll_fn(|context| source.poll_writable(context));
        let done = patience.bound(limits::http::WRITE_TIME, writable).await;
        done.map_err(|Elapsed| io::ErrorKind::TimedOut.into())
    }

    /// Waits until the player has closed the connection.
    pub async fn closed(&self) {
        poll_fn(|context| self.source.poll_closed(context)).await;
    }

    /// Ends the connection so that what was sent still arrives: the write half first, then
    /// what the client still sends is read for a moment (RFC 9112, 9.6).
    pub async fn end(mut self) {
        if self.source.get().shutdown(std::net::Shutdown::Write).is_err() {
            return;
        }
        let mut left = LINGER_BYTES;
        let due = self.patience.now() + LINGER;
        while left > 0 {
            self.ahead.clear();
            match self.more(due.since(self.patience.now())).await {
                Ok(Ok(0)) | Ok(Err(_)) | Err(Elapsed) => return,
                Ok(Ok(count)) => left = left.saturating_sub(count),
            }
        }
    }

    async fn need_more(&mut self) -> io::Result<()> {
        match self.more(limits::http::BODY_TIME).await {
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(done) => done.map(drop),
            Err(Elapsed) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The first bytes of a request; none when those who wait are ended.
    async fn begun(
        &mut self,
        place: &Place<'_>,
        limit: Duration,
    ) -> Result<io::Result<usize>, Elapsed> {
        let Self { source, ahead, patience, .. } = self;
        let fill = poll_fn(|context| match source.poll_fill(context, ahead) {
            Poll::Pending if place.is_ended(context) => Poll::Ready(Ok(0)),
            other => other,
        });
        patience.bound(limit, fill).await
    }

    async fn more(&mut self, limit: Duration) -> Result<io::Result<usize>, Elapsed> {
        let Self { source, ahead, patience, .. } = self;
        patience.bound(limit, poll_fn(|context| source.poll_fill(context, ahead))).await
    }
}

/// What one call writes: a head, and content behind it.
fn gathered<'a>(head: &'a [u8], pieces: &'a [Bytes]) -> Vec<IoSlice<'a>> {
    let mut slices = Vec::with_capacity(pieces.len() + 1);
    slices.push(IoSlice::new(head));
    slices.extend(pieces.iter().map(|piece| IoSlice::new(piece)));
    slices
}

fn invalid(fault: crate::wire::http::body::Fault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault.to_string())
}

/// How long a client may go on sending after it was told that the connection ends.
const LINGER: Duration = Duration::from_secs(2);

/// How much of that is read.
const LINGER_BYTES: usize = 256 * 1024;
