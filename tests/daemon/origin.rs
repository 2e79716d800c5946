//! A scripted origin: for each path a script that reads and writes on the wire as it likes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::wait::{Gate, PATIENCE};

/// What answers the requests for a path.
pub type Script = Arc<dyn Fn(&mut Wire) + Send + Sync>;

/// An origin on a port of its own.
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

/// A request that reached the origin.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The target as it came.
    pub target: String,
    /// The whole head.
    pub head: String,
    /// Which connection brought it, counted from zero.
    pub connection: usize,
    /// What a script read of its body.
    pub body: Vec<u8>,
    /// Whether the other side was seen to close the connection while it was answered.
    pub left: bool,
}

#[derive(Default)]
struct Shared {
    scripts: Mutex<BTreeMap<String, Script>>,
    seen: Mutex<Vec<Seen>>,
    changed: Condvar,
}

/// A connection while a script answers a request on it.
pub struct Wire {
    stream: TcpStream,
    ahead: Vec<u8>,
    shared: Arc<Shared>,
    number: usize,
    chunked: bool,
    left: usize,
    /// The request that is being answered.
    pub request: Seen,
    /// Whether another request may follow.
    pub keep: bool,
}

impl Origin {
    /// An origin that knows no path yet.
    pub fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serves = Arc::clone(&shared);
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let shared = Arc::clone(&serves);
                thread::spawn(move || serve(stream.unwrap(), connection, &shared));
            }
        });
        Self { address, shared }
    }

    /// An origin with one path.
    pub fn with(path: &str, script: Script) -> Self {
        let origin = Self::new();
        origin.on(path, script);
        origin
    }

    /// Has a path (without its query) answered by a script from now on.
    pub fn on(&self, path: &str, script: Script) {
        self.shared.scripts.lock().unwrap().insert(path.into(), script);
    }

    /// Every request so far.
    pub fn all(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The requests for a path so far.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|seen| seen.path() == path).collect()
    }

    /// How many requests for a path there were.
    pub fn count(&self, path: &str) -> usize {
        self.seen(path).len()
    }

    /// Waits until the requests for a path are as wanted.
    pub fn wait(&self, path: &str, wanted: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let of = |all: &[Seen]| {
            all.iter().filter(|seen| seen.path() == path).cloned().collect::<Vec<_>>()
        };
        let seen = self.shared.seen.lock().unwrap();
        let not_yet = |all: &mut Vec<Seen>| !wanted(&of(all));
        let (seen, time) = self.shared.changed.wait_timeout_while(seen, PATIENCE, not_yet).unwrap();
        assert!(!time.timed_out(), "the origin saw {:?}", of(&seen));
        of(&seen)
    }

    /// Waits until the other side has left the only request for a path.
    pub fn wait_left(&self, path: &str) {
        self.wait(path, |seen| seen.iter().any(|seen| seen.left));
    }
}

impl Seen {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        super::player::field(&self.head, name)
    }
}

impl Wire {
    /// Sends bytes; what the other side no longer takes is lost.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if self.stream.write_all(bytes.as_ref()).is_err() {
            self.keep = false;
        }
    }

    /// Sends one chunk.
    pub fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.send([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat());
    }

    /// The next content of the request's body as it comes; nothing at its end.
    pub fn body(&mut self) -> Option<Vec<u8>> {
        if self.left == 0 && self.chunked {
            let size = self.line()?;
            self.left = usize::from_str_radix(&size, 16).expect("a chunk's size");
            if self.left == 0 {
                self.chunked = false;
                assert_eq!(self.line()?, "", "no trailers");
            }
        }
        if self.left == 0 {
            return None;
        }
        if self.ahead.is_empty() && !self.more() {
            self.keep = false;
            return None;
        }
        let count = self.left.min(self.ahead.len());
        let part: Vec<u8> = self.ahead.drain(..count).collect();
        self.left -= count;
        if self.left == 0 && self.chunked {
            assert_eq!(self.line()?, "");
        }
        self.note(|seen| seen.body.extend_from_slice(&part));
        Some(part)
    }

    /// Reads the rest of the request's body.
    pub fn whole_body(&mut self) {
        while self.body().is_some() {}
    }

    /// Waits until the other side has closed the connection, and notes it.
    pub fn wait_left(&mut self) {
        self.keep = false;
        while self.more() {}
        self.note(|seen| seen.left = true);
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.ahead.windows(2).position(|two| two == b"\r\n") {
                let line = self.ahead.drain(..at + 2).take(at).collect();
                return Some(String::from_utf8(line).expect("text"));
            }
            if !self.more() {
                self.keep = false;
                return None;
            }
        }
    }

    fn more(&mut self) -> bool {
        let mut part = [0; 16 * 1024];
        match self.stream.read(&mut part) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.ahead.extend_from_slice(&part[..count]);
                true
            }
        }
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.shared.seen.lock().unwrap()[self.number]);
        self.shared.changed.notify_all();
    }
}

fn serve(stream: TcpStream, connection: usize, shared: &Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    let (request, number) = (Seen::default(), 0);
    let (ahead, shared) = (Vec::new(), Arc::clone(shared));
    let mut wire =
        Wire { stream, ahead, shared, number, chunked: false, left: 0, request, keep: true };
    while wire.keep {
        let end = loop {
            match wire.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None if wire.more() => {}
                None => return,
            }
        };
        let head: Vec<u8> = wire.ahead.drain(..end).collect();
        let head = String::from_utf8(head).expect("text");
        let mut words = head.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        wire.request = Seen { method, target, head, connection, ..Seen::default() };
        wire.left = wire.request.field("content-length").map_or(0, |n| n.parse().unwrap());
        wire.chunked = wire.request.field("transfer-encoding").is_some();
        let shared = Arc::clone(&wire.shared);
        let mut seen = shared.seen.lock().unwrap();
        wire.number = seen.len();
        seen.push(wire.request.clone());
        drop(seen);
        shared.changed.notify_all();
        let script = shared.scripts.lock().unwrap().get(wire.request.path()).cloned();
        match script {
            Some(script) => script(&mut wire),
            None => reply("404 Not Found", "Cache-Control: no-store", "no such path")(&mut wire),
        }
    }
}

/// Answers every request with this; `lines` are field lines ended by LF.
pub fn reply(status: &str, lines: &str, body: impl Into<Vec<u8>>) -> Script {
    let body = body.into();
    let head = format!("{}Content-Length: {}\r\n\r\n", top(status, lines), body.len());
    Arc::new(move |wire| {
        wire.whole_body();
        if !wire.keep {
            return;
        }
        wire.send(&head);
        if wire.request.method != "HEAD" {
            wire.send(&body);
        }
    })
}

/// The same with status 200.
pub fn ok(lines: &str, body: impl Into<Vec<u8>>) -> Script {
    reply("200 OK", lines, body)
}

/// A file: `ok` with an entity tag, ranges and conditions (RFC 9110, 13 and 14).
pub fn file(lines: &str, body: impl Into<Vec<u8>>) -> Script {
    let body = body.into();
    let lines = format!("{lines}\nETag: \"file\"\nAccept-Ranges: bytes");
    let whole = ok(&lines, body.clone());
    Arc::new(move |wire| {
        if wire.request.field("if-none-match").is_some_and(|tag| tag.contains("\"file\"")) {
            return wire.send(format!("{}\r\n", top("304 Not Modified", &lines)));
        }
        let applies = wire.request.field("if-range").is_none_or(|tag| tag == "\"file\"");
        let range = wire.request.field("range").filter(|_| applies && wire.request.method == "GET");
        let Some((first, last)) = range.map(|range| bounds(range, body.len())) else {
            return whole(wire);
        };
        if first >= body.len() {
            let lines = format!("Content-Range: bytes */{}\nContent-Length: 0", body.len());
            return wire.send(format!("{}\r\n", top("416 Range Not Satisfiable", &lines)));
        }
        let last = last.min(body.len() - 1);
        let part = format!("{lines}\nContent-Range: bytes {first}-{last}/{}", body.len());
        reply("206 Partial Content", &part, &body[first..=last])(wire);
    })
}

fn bounds(range: &str, length: usize) -> (usize, usize) {
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    match (first.parse(), last.parse()) {
        (Ok(first), last) => (first, last.unwrap_or(usize::MAX)),
        (Err(_), last) => (length.saturating_sub(last.unwrap()), usize::MAX),
    }
}

/// Sends `head` and `first`, and when the gate is passed the rest; notes who leaves before.
pub fn held(
    head: &str,
    first: impl Into<Vec<u8>>,
    gate: &Gate,
    rest: impl Into<Vec<u8>>,
) -> Script {
    let (head, gate) = (format!("{}\r\n", top("200 OK", head)), gate.clone());
    let (first, rest) = (first.into(), rest.into());
    Arc::new(move |wire| {
        wire.send(&head);
        wire.send(&first);
        gate.wait_or_give_up();
        wire.send(&rest);
    })
}

/// Sends `head` and `first` and waits until the other side leaves.
pub fn endless(head: &str, first: impl Into<Vec<u8>>) -> Script {
    let (head, first) = (format!("{}\r\n", top("200 OK", head)), first.into());
    Arc::new(move |wire| {
        wire.send(&head);
        wire.send(&first);
        wire.wait_left();
    })
}

/// Sends these bytes, whatever they are, and closes.
pub fn raw(bytes: impl Into<Vec<u8>>) -> Script {
    let bytes = bytes.into();
    Arc::new(move |wire| {
        wire.send(&bytes);
        wire.keep = false;
    })
}

/// The first line and field lines of an answer.
pub fn top(status: &str, lines: &str) -> String {
    let lines = lines.lines().filter(|line| !line.trim().is_empty());
    let lines: String = lines.map(|line| format!("{}\r\n", line.trim())).collect();
    format!("HTTP/1.1 {status}\r\n{lines}")
}

/// Bytes that differ everywhere, so that a wrong offset shows.
pub fn bytes(seed: u32, count: usize) -> Vec<u8> {
    let mut state = u64::from(seed) * 2 + 1;
    let mut out = Vec::with_capacity(count + 8);
    while out.len() < count {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.extend_from_slice(&(state >> 16).to_le_bytes()[..6]);
    }
    out.truncate(count);
    out
}
