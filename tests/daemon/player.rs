//! A player that speaks raw HTTP over one connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

use super::wait::PATIENCE;

/// A connection of a player.
pub struct Player {
    stream: TcpStream,
    ahead: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The whole head.
    pub head: String,
    /// The content, as far as it came.
    pub body: Vec<u8>,
    /// Whether the framing says that this is all of it.
    pub whole: bool,
}

impl Player {
    /// Connects.
    pub fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, ahead: Vec::new() }
    }

    /// Sends bytes; a connection that was closed meanwhile is no failure.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends a GET with further field lines, each ended by CR LF.
    pub fn ask(&mut self, path: &str, lines: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"));
    }

    /// Asks by GET and reads the answer.
    pub fn get(&mut self, path: &str, lines: &str) -> Reply {
        self.ask(path, lines);
        self.reply("GET")
    }

    /// Reads a head, without its content.
    pub fn head(&mut self) -> Reply {
        let end = loop {
            match self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => assert!(self.more(), "no head, but {:?}", self.text()),
            }
        };
        let head: Vec<u8> = self.ahead.drain(..end).collect();
        let head = String::from_utf8(head).expect("a head is text");
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {head:?}"));
        Reply { status, head, body: Vec::new(), whole: true }
    }

    /// Reads the answer to a request of `method`, as its framing says (RFC 9112, 6.3).
    pub fn reply(&mut self, method: &str) -> Reply {
        let head = self.head();
        self.rest_of(head, method)
    }

    /// Reads the rest of an answer of which nothing but the head was read.
    pub fn rest_of(&mut self, mut reply: Reply, method: &str) -> Reply {
        if method == "HEAD" || matches!(reply.status, 100..200 | 204 | 304) {
            return reply;
        }
        if reply.field("transfer-encoding").is_some() {
            assert_eq!(reply.field("transfer-encoding"), Some("chunked"));
            assert_eq!(reply.field("content-length"), None);
            loop {
                match self.chunk() {
                    Some(chunk) if chunk.is_empty() => return reply,
                    Some(chunk) => reply.body.extend(chunk),
                    None => {
                        reply.whole = false;
                        return reply;
                    }
                }
            }
        }
        let length = reply.field("content-length").map(|length| length.parse().unwrap());
        while length.is_none_or(|length| self.ahead.len() < length) {
            if !self.more() {
                break;
            }
        }
        let here = self.ahead.len();
        reply.whole = length.is_none_or(|length| length <= here);
        reply.body = self.ahead.drain(..length.unwrap_or(here).min(here)).collect();
        reply
    }

    /// Reads one chunk; the last one is empty, and none comes when the connection ends before.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = loop {
            match self.ahead.windows(2).position(|two| two == b"\r\n") {
                Some(at) => break self.exactly(at + 2)?,
                None if self.more() => {}
                None => return None,
            }
        };
        let size = String::from_utf8(line).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a chunk's size");
        let mut chunk = self.exactly(size + 2)?;
        assert_eq!(chunk.split_off(size), b"\r\n", "a chunk ends in CR LF");
        Some(chunk)
    }

    /// Reads so many bytes; none when the connection ends before.
    pub fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < count {
            if !self.more() {
                return None;
            }
        }
        Some(self.ahead.drain(..count).collect())
    }

    /// Waits for the end of the connection; what came before it.
    pub fn end(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.ahead)
    }

    /// Resets the connection.
    pub fn reset(self) {
        let at_once = linger { l_onoff: 1, l_linger: 0 };
        setsockopt(&self.stream, sockopt::Linger, &at_once).unwrap();
    }

    fn more(&mut self) -> bool {
        let mut part = [0; 64 * 1024];
        match self.stream.read(&mut part) {
            Ok(0) => false,
            Ok(count) => {
                self.ahead.extend_from_slice(&part[..count]);
                true
            }
            Err(error) => {
                let late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(!late, "nothing came in time after {:?}", self.text());
                false
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.ahead[..self.ahead.len().min(500)]).into()
    }
}

impl Reply {
    /// The value of a field that stands at most once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = fields(&self.head, name);
        assert!(found.len() < 2, "{name} stands {} times in {}", found.len(), self.head);
        found.first().copied()
    }

    /// The field of RFC 9211, empty where it is missing.
    pub fn cache(&self) -> &str {
        self.field("cache-status").unwrap_or_default()
    }

    /// Whether the cache alone answered.
    pub fn is_hit(&self) -> bool {
        self.cache().contains("; hit")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into()
    }

    /// The same answer, proven to be whole and of this status.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}{}", self.head, self.text());
        assert!(self.whole, "{} bytes of {}", self.body.len(), self.head);
        self
    }
}

/// The first value of a field in a head.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    fields(head, name).first().copied()
}

fn fields<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let named = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.trim()).collect()
}
