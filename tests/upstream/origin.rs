//! An origin that does what a test says: one thread a connection, every request noted.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::{ServerConnection, StreamOwned};

use crate::certificate::Server;

/// How long anything that must happen may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One request as the origin saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which connection, and which request on it, both from zero.
    pub connection: usize,
    pub turn: usize,
    /// How many requests for this target came before.
    pub before: usize,
    /// What TLS said: name, protocol, version.
    pub tls: Option<String>,
}

impl Asked {
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().expect("never empty")
    }

    /// The bytes that `Range` asks for of `length`.
    pub fn range(&self, length: usize) -> Option<(usize, usize)> {
        let (first, last) = self.field("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let last = last.parse().map_or(length - 1, |last: usize| last.min(length - 1));
        Some((first.parse().ok()?, last))
    }
}

/// The way back to the one who asked.
pub struct Reply<'a> {
    stream: &'a mut dyn Stream,
    sent: &'a AtomicU64,
    gone: bool,
    end: bool,
}

impl Reply<'_> {
    /// Sends bytes as they are; false when the other side is gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        for piece in bytes.as_ref().chunks(16 * 1024) {
            if self.gone || self.stream.write_all(piece).and_then(|()| self.stream.flush()).is_err()
            {
                self.gone = true;
                return false;
            }
            self.sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        true
    }

    /// A whole answer with its length.
    pub fn answer(&mut self, status: &str, fields: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        self.send(format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len()));
        self.send(body);
    }

    /// What a server of files answers, with `Range` and `If-Range` where there is a tag.
    pub fn file(&mut self, asked: &Asked, tag: &str, body: &[u8]) {
        let fields = format!("ETag: {tag}\r\nCache-Control: max-age=600\r\n");
        if asked.field("if-none-match") == Some(tag) {
            self.send(format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n"));
            return;
        }
        let same = asked.field("if-range").is_none_or(|known| known == tag);
        match asked.range(body.len()).filter(|_| same) {
            Some((first, last)) => {
                let range = format!("Content-Range: bytes {first}-{last}/{}\r\n", body.len());
                self.answer("206 Partial Content", &(fields + &range), &body[first..=last]);
            }
            None => self.answer("200 OK", &fields, body),
        }
    }

    /// Ends the connection in order after this answer.
    pub fn close(&mut self) {
        self.end = true;
    }

    /// Ends the connection at once by a reset.
    pub fn reset(&mut self) {
        let hard = linger { l_onoff: 1, l_linger: 0 };
        setsockopt(self.stream.socket(), sockopt::Linger, &hard).expect("a TCP socket");
        self.end = true;
    }

    /// Waits for the other side to leave.
    pub fn wait_for_leaving(&mut self) {
        let mut waste = [0; 64];
        let _ = self.stream.socket().set_read_timeout(Some(PATIENCE));
        while matches!(self.stream.read(&mut waste), Ok(1..)) {}
        self.end = true;
    }
}

type Script = dyn Fn(&Asked, &mut Reply<'_>) + Send + Sync;

/// A scripted origin; it goes with the value.
pub struct Origin {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    asked: Mutex<Vec<Asked>>,
    changed: Condvar,
    sockets: Mutex<BTreeMap<usize, TcpStream>>,
    connections: AtomicU64,
    sent: AtomicU64,
    stopped: AtomicBool,
    secure: Option<Server>,
    /// Milliseconds that a new connection waits before anything is read from it.
    far: AtomicU64,
    script: Box<Script>,
}

impl Origin {
    pub fn new(script: impl Fn(&Asked, &mut Reply<'_>) + Send + Sync + 'static) -> Self {
        Self::start(free(), None, Box::new(script))
    }

    pub fn secure(
        server: Server,
        script: impl Fn(&Asked, &mut Reply<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::start(free(), Some(server), Box::new(script))
    }

    /// One that comes back where another had been.
    pub fn at(port: u16, script: impl Fn(&Asked, &mut Reply<'_>) + Send + Sync + 'static) -> Self {
        let listener = until("the port to be free", || TcpListener::bind(("127.0.0.1", port)).ok());
        Self::start(listener, None, Box::new(script))
    }

    fn start(listener: TcpListener, secure: Option<Server>, script: Box<Script>) -> Self {
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(State {
            asked: Mutex::default(),
            changed: Condvar::new(),
            sockets: Mutex::default(),
            connections: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            secure,
            far: AtomicU64::new(0),
            script,
        });
        let inner = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &inner));
        Self { port, state }
    }

    pub fn url(&self) -> String {
        let scheme = if self.state.secure.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// New connections wait so many milliseconds before anything is read from them.
    pub fn set_far(&self, milliseconds: u64) {
        self.state.far.store(milliseconds, Ordering::SeqCst);
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.state.asked).clone()
    }

    /// The requests whose target begins so.
    pub fn about(&self, target: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.target.starts_with(target)).collect()
    }

    /// Waits until so many requests for targets that begin so have come.
    pub fn wait_for(&self, target: &str, count: usize) {
        let asked = lock(&self.state.asked);
        let few = |asked: &mut Vec<Asked>| {
            asked.iter().filter(|asked| asked.target.starts_with(target)).count() < count
        };
        let (asked, late) =
            self.state.changed.wait_timeout_while(asked, PATIENCE, few).expect("no panic");
        let targets: Vec<_> = asked.iter().map(|asked| &asked.target).collect();
        assert!(!late.timed_out(), "{count} requests for {target}, came: {targets:?}");
    }

    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Bytes that it has sent, heads included.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::SeqCst)
    }

    /// Closes every connection that idles, and those that do not.
    pub fn hang_up(&self) {
        for socket in core::mem::take(&mut *lock(&self.state.sockets)).into_values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Goes away: nobody listens there any more. Answers the port.
    pub fn stop(self) -> u16 {
        let port = self.port;
        drop(self);
        until("the origin to be gone", || TcpStream::connect(("127.0.0.1", port)).err());
        port
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // The accepting thread sees it by one more connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.hang_up();
    }
}

/// A door that a test opens.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    pub fn wait(&self) {
        let shut = lock(&self.0.0);
        let waited = self.0.1.wait_timeout_while(shut, PATIENCE, |open| !*open);
        assert!(!waited.expect("no panic").1.timed_out(), "the gate was never opened");
    }
}

/// Waits until something is there.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Bytes that differ from place to place.
pub fn pattern(length: usize) -> Vec<u8> {
    let word = |at: u64| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at).to_le_bytes();
    let mut bytes: Vec<u8> = (0..length.div_ceil(8) as u64).flat_map(word).collect();
    bytes.truncate(length);
    bytes
}

/// A port of loopback where nobody listens.
pub fn nobody() -> u16 {
    free().local_addr().expect("bound").port()
}

/// A listener on a port below those that the system hands out to outgoing connections, so that
/// nobody takes it by chance once it is closed.
fn free() -> TcpListener {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::SeqCst) + u64::from(std::process::id()) * 131;
        let port = u16::try_from(10_000 + number % 20_000).expect("below 30000");
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener;
        }
    }
}

pub fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

trait Stream: Read + Write {
    fn socket(&self) -> &TcpStream;
    fn tls(&self) -> Option<String> {
        None
    }
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Stream for StreamOwned<ServerConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }

    fn tls(&self) -> Option<String> {
        let name = self.conn.server_name().unwrap_or("no name");
        let protocol = String::from_utf8_lossy(self.conn.alpn_protocol().unwrap_or_default());
        Some(format!("{name} {protocol} {:?}", self.conn.protocol_version()?))
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for socket in listener.incoming().flatten() {
        if state.stopped.load(Ordering::SeqCst) {
            return;
        }
        let number = state.connections.fetch_add(1, Ordering::SeqCst) as usize;
        let _ = socket.set_nodelay(true);
        let Ok(copy) = socket.try_clone() else { continue };
        lock(&state.sockets).insert(number, copy);
        let state = Arc::clone(state);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(state.far.load(Ordering::SeqCst)));
            let _ = match &state.secure {
                None => converse(socket, number, &state),
                Some(server) => ServerConnection::new(Arc::clone(server))
                    .map_err(io::Error::other)
                    .and_then(|tls| converse(StreamOwned::new(tls, socket), number, &state)),
            };
            lock(&state.sockets).remove(&number);
        });
    }
}

fn converse(mut stream: impl Stream, connection: usize, state: &State) -> io::Result<()> {
    let mut ahead = Vec::new();
    for turn in 0.. {
        let Some(mut asked) = read_request(&mut stream, &mut ahead)? else { break };
        (asked.connection, asked.turn, asked.tls) = (connection, turn, stream.tls());
        {
            let mut all = lock(&state.asked);
            asked.before = all.iter().filter(|known| known.target == asked.target).count();
            all.push(asked.clone());
        }
        state.changed.notify_all();
        let mut reply = Reply { stream: &mut stream, sent: &state.sent, gone: false, end: false };
        (state.script)(&asked, &mut reply);
        if reply.gone || reply.end {
            break;
        }
    }
    Ok(())
}

fn read_request(stream: &mut impl Stream, ahead: &mut Vec<u8>) -> io::Result<Option<Asked>> {
    let end = loop {
        if let Some(at) = ahead.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if more(stream, ahead)? == 0 {
            return Ok(None);
        }
    };
    let head: Vec<u8> = ahead.drain(..end).collect();
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let fields = lines.filter_map(|line| line.split_once(": "));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut asked = Asked {
        method,
        target,
        fields,
        body: Vec::new(),
        connection: 0,
        turn: 0,
        before: 0,
        tls: None,
    };
    let length = asked.field("content-length").and_then(|length| length.parse().ok());
    let length: usize = length.unwrap_or(0);
    while ahead.len() < length && more(stream, ahead)? > 0 {}
    asked.body = ahead.drain(..length.min(ahead.len())).collect();
    Ok(Some(asked))
}

fn more(stream: &mut impl Stream, ahead: &mut Vec<u8>) -> io::Result<usize> {
    let mut room = [0; 4096];
    let count = stream.read(&mut room)?;
    ahead.extend_from_slice(&room[..count]);
    Ok(count)
}
