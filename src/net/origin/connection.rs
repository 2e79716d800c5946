//! One connection to a server: heads out, heads and bodies in, each wait bounded.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use futures_rustls::client::TlsStream;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpUserTimeout;
use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::base::limits;
use crate::base::time::{Instant, Plain};
use crate::net::ground::patience::{Elapsed, Patience};
use crate::net::ground::reactor::Source;
use crate::node::trouble::{Trouble, TroubleKind};
use crate::wire::http::body::{Body, Step};
use crate::wire::http::head::{self, ResponseHead};

/// A connection that speaks HTTP/1.1, with what it received beyond what was asked of it.
pub struct Connection {
    stream: Stream,
    ahead: Vec<u8>,
    patience: Patience,
    /// How long the server may say nothing.
    limit: Duration,
    /// How long it took to make.
    pub effort: Duration,
    /// Whether anything of the answer to the last request has come.
    pub heard: bool,
    /// Whether a request was left unfinished: no other can follow.
    pub cut_short: bool,
}

enum Stream {
    Plain(Source<TcpStream>),
    Secure(Box<TlsStream<Source<TcpStream>>>),
}

impl Connection {
    /// A plain connection.
    pub fn plain(stream: Source<TcpStream>, now: fn() -> Instant, limit: Duration) -> Self {
        Self::new(Stream::Plain(stream), now, limit)
    }

    /// A connection in TLS.
    pub fn secure(
        stream: TlsStream<Source<TcpStream>>,
        now: fn() -> Instant,
        limit: Duration,
    ) -> Self {
        Self::new(Stream::Secure(Box::new(stream)), now, limit)
    }

    fn new(stream: Stream, now: fn() -> Instant, limit: Duration) -> Self {
        Self {
            stream,
            ahead: Vec::new(),
            patience: Patience::new(now),
            limit,
            effort: Duration::ZERO,
            heard: false,
            cut_short: false,
        }
    }

    /// The same, which it took so long to make.
    pub fn after(self, effort: Duration) -> Self {
        Self { effort, ..self }
    }

    /// Whether the server has said or closed anything since the last answer: then it is of no
    /// use for another request.
    pub fn is_spent(&self) -> bool {
        // TLS 1.3 servers send session tickets after the handshake; only the end counts there.
        let mut probe = [0; 1];
        let peeked = self.socket().peek(&mut probe);
        let quiet = matches!(&peeked, Err(e) if e.kind() == io::ErrorKind::WouldBlock);
        let ticket = matches!((&self.stream, &peeked), (Stream::Secure(_), Ok(1)));
        !self.ahead.is_empty() || !(quiet || ticket)
    }

    /// Bounds how long the kernel may go without the server's word that a request has come, or no
    /// longer does.
    ///
    /// A connection that idled while the line changed is dead and does not know. A server that is
    /// slow to answer, or holds a blocking reload, has its kernel confirm the request at once: no
    /// patience for an answer could tell the two apart, and asking twice would cost it twice.
    pub fn bound_delivery(&self, bounded: bool) {
        let limit = if bounded { limits::http::DELIVERY } else { Duration::ZERO };
        let limit = u32::try_from(limit.as_millis()).unwrap_or_default();
        let _ = setsockopt(self.socket(), TcpUserTimeout, &limit);
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(source) => source.get(),
            Stream::Secure(stream) => stream.get_ref().0.get(),
        }
    }

    /// Sends bytes, all of them.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let Self { stream, patience, limit, .. } = self;
        let sent = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        within(*limit, patience.bound(*limit, sent).await)
    }

    /// Waits until the server says something; nothing is lost where the wait is given up.
    pub async fn hears(&mut self) {
        let mut begun = [0; 1024];
        let mut stream = Pin::new(&mut self.stream);
        let read = poll_fn(|context| stream.as_mut().poll_read(context, &mut begun)).await;
        self.ahead.extend_from_slice(&begun[..read.unwrap_or(0)]);
        self.heard = true;
    }

    /// Reads the next final head; `hold` is added to the patience for its first byte.
    pub async fn head(&mut self, hold: Duration) -> Result<ResponseHead, Trouble> {
        self.heard = false;
        let mut limit = self.limit + hold;
        let (mut seen, mut interim) = (0, 0);
        loop {
            let end = head::end_of_answer(&self.ahead, seen).map_err(protocol)?;
            if let Some(end) = end {
                let head = ResponseHead::parse(&self.ahead[..end]).map_err(protocol)?;
                self.ahead.drain(..end);
                seen = 0;
                if head.status >= 200 || head.status == 101 {
                    return Ok(head);
                }
                interim += 1;
                if interim > limits::http::INTERIM {
                    return Err(broken("it sends interim answers without end".into()));
                }
                continue;
            }
            seen = self.ahead.len();
            self.more(limit).await?;
            limit = self.limit;
        }
    }

    /// Reads content into `into`; zero when the body is complete.
    pub async fn content(&mut self, body: &mut Body, into: &mut [u8]) -> Result<usize, Trouble> {
        loop {
            match body.step() {
                Step::End => return Ok(0),
                Step::Line => self.line(body).await?,
                Step::Content(left) => {
                    let wanted = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let count = self.take(&mut into[..wanted]).await?;
                    if count == 0 {
                        body.closed().map_err(|fault| broken(fault.to_string()))?;
                        return Ok(0);
                    }
                    body.took(count as u64);
                    return Ok(count);
                }
            }
        }
    }

    /// Content that is here already, without waiting; zero when there is none.
    pub fn content_at_once(&mut self, body: &mut Body, into: &mut [u8]) -> usize {
        let Step::Content(left) = body.step() else { return 0 };
        let wanted = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut idle = Context::from_waker(core::task::Waker::noop());
        let count = if self.ahead.is_empty() {
            match Pin::new(&mut self.stream).poll_read(&mut idle, &mut into[..wanted]) {
                Poll::Ready(Ok(count)) => count,
                _ => 0,
            }
        } else {
            self.buffered(&mut into[..wanted])
        };
        body.took(count as u64);
        count
    }

    /// Reads a body that nobody wants to its end, where that is near.
    pub async fn drain(&mut self, body: &mut Body) -> bool {
        let mut waste = [0; 4096];
        let mut left = limits::http::DRAIN;
        loop {
            match self.content(body, &mut waste).await {
                Ok(0) => return body.step() == Step::End,
                Ok(count) => left = left.saturating_sub(count as u64),
                Err(_) => return false,
            }
            if left == 0 {
                return false;
            }
        }
    }

    async fn line(&mut self, body: &mut Body) -> Result<(), Trouble> {
        loop {
            let line = body.line(&self.ahead).map_err(|fault| broken(fault.to_string()))?;
            if let Some(used) = line {
                self.ahead.drain(..used);
                return Ok(());
            }
            self.more(self.limit).await?;
        }
    }

    /// Reads more into the buffer in front.
    async fn more(&mut self, limit: Duration) -> Result<(), Trouble> {
        let here = self.ahead.len();
        self.ahead.resize(here + AHEAD, 0);
        let Self { stream, ahead, patience, .. } = self;
        let mut stream = Pin::new(stream);
        let read = poll_fn(|context| stream.as_mut().poll_read(context, &mut ahead[here..]));
        let count = within(limit, patience.bound(limit, read).await);
        self.ahead.truncate(here + *count.as_ref().unwrap_or(&0));
        match count? {
            0 => Err(broken("the connection was closed".into())),
            _ => {
                self.heard = true;
                Ok(())
            }
        }
    }

    async fn take(&mut self, into: &mut [u8]) -> Result<usize, Trouble> {
        if !self.ahead.is_empty() {
            return Ok(self.buffered(into));
        }
        let Self { stream, patience, limit, .. } = self;
        let mut stream = Pin::new(stream);
        let read = poll_fn(|context| stream.as_mut().poll_read(context, into));
        within(*limit, patience.bound(*limit, read).await)
    }

    fn buffered(&mut self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.ahead.len());
        into[..count].copy_from_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
        count
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(source) => {
                source.poll_read_with(context, into.len(), |mut io| io.read(into))
            }
            Self::Secure(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(source) => source.poll_write_with(context, |mut io| io.write(from)),
            Self::Secure(stream) => Pin::new(stream).poll_write(context, from),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Secure(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(source) => Pin::new(source).poll_close(context),
            Self::Secure(stream) => Pin::new(stream).poll_close(context),
        }
    }
}

fn within<T>(limit: Duration, done: Result<io::Result<T>, Elapsed>) -> Result<T, Trouble> {
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(broken(error.to_string())),
        Err(Elapsed) => {
            let cause = format!("nothing came within {} (the origin's timeout)", Plain(limit));
            Err(Trouble { kind: TroubleKind::Silent, cause })
        }
    }
}

fn broken(cause: String) -> Trouble {
    Trouble { kind: TroubleKind::Broken, cause }
}

fn protocol(fault: head::Fault) -> Trouble {
    Trouble { kind: TroubleKind::Protocol, cause: fault.to_string() }
}

/// Bytes that are read ahead where a head or a framing line is looked for.
const AHEAD: usize = 4096;
