//! What goes out over a link's socket: sealed together, written together, within a bound.

use core::future::poll_fn;
use core::time::Duration;
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;

use bytes::Bytes;

use super::inlet::Buffers;
use super::seal::{Content, Fault, PLAIN, Seal};
use crate::base::time::Instant;
use crate::net::ground::patience::Patience;
use crate::net::ground::reactor::Source;
use crate::node::peering::Parting;

/// The writing half of a link.
pub struct Outlet {
    source: Rc<Source<TcpStream>>,
    buffers: Rc<Buffers>,
    seal: Seal,
    patience: Patience,
}

impl Outlet {
    /// Writes to a socket what it seals.
    pub fn new(
        source: Rc<Source<TcpStream>>,
        buffers: Rc<Buffers>,
        seal: Seal,
        now: fn() -> Instant,
    ) -> Self {
        Self { source, buffers, seal, patience: Patience::new(now) }
    }

    /// The bound on waiting, for whoever waits for something to say.
    pub const fn patience(&mut self) -> &mut Patience {
        &mut self.patience
    }

    /// Seals a head and the pieces, one after the other, and writes them; the other side must
    /// take some of it within each `limit`.
    pub async fn send(
        &mut self,
        head: &[u8],
        pieces: &[Bytes],
        limit: Duration,
    ) -> Result<(), Parting> {
        let mut out = self.buffers.outlet();
        let parts: Vec<&[u8]> =
            core::iter::once(head).chain(pieces.iter().map(|piece| &piece[..])).collect();
        let sealed = seal_all(&mut self.seal, &parts, &mut out);
        let sent = match sealed {
            Ok(()) => write(&self.source, &out, (&mut self.patience, limit)).await,
            // The other side is to come anew, with a fresh key.
            Err(_) => Err(Parting::Closed),
        };
        self.buffers.outlet_back(out);
        sent
    }

    /// Says something as the last of this link, with TLS's own end behind it (RFC 8446, 6.1).
    pub async fn end(&mut self, last: &[u8], limit: Duration) {
        let mut out = Vec::new();
        let said = seal_all(&mut self.seal, &[last], &mut out);
        let closed = self.seal.seal(Content::Alert, &[&super::seal::CLOSE_NOTIFY], &mut out);
        if said.and(closed).is_ok() {
            // It may have gone already: then nobody misses it.
            let _ = write(&self.source, &out, (&mut self.patience, limit)).await;
        }
        let _ = self.source.get().shutdown(std::net::Shutdown::Write);
    }
}

/// Writes all bytes, some of them within each `limit`.
pub async fn write(
    source: &Source<TcpStream>,
    mut bytes: &[u8],
    (patience, limit): (&mut Patience, Duration),
) -> Result<(), Parting> {
    while !bytes.is_empty() {
        let some = poll_fn(|context| source.poll_write_with(context, |mut io| io.write(bytes)));
        match patience.bound(limit, some).await {
            Ok(Ok(0) | Err(_)) => return Err(Parting::Closed),
            Ok(Ok(count)) => bytes = &bytes[count..],
            Err(_) => return Err(Parting::Silent),
        }
    }
    Ok(())
}

/// Seals pieces as records that are as full as they may be.
fn seal_all(seal: &mut Seal, pieces: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Fault> {
    let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
    out.reserve(bytes + bytes.div_ceil(PLAIN) * super::seal::ADDED);
    let (mut parts, mut room) = (Vec::with_capacity(pieces.len() + 1), PLAIN);
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (part, left) = rest.split_at(room.min(rest.len()));
            parts.push(part);
            (rest, room) = (left, room - part.len());
            if room == 0 {
                seal.seal(Content::Data, &parts, out)?;
                parts.clear();
                room = PLAIN;
            }
        }
    }
    if parts.is_empty() { Ok(()) } else { seal.seal(Content::Data, &parts, out) }
}
