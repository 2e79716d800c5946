//! A player that speaks plain HTTP/1.1 and notices everything.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::origin::PATIENCE;

/// What a player got.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Whether the body came to its stated end.
    pub whole: bool,
    pub took: Duration,
}

impl Got {
    pub fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.split("\r\n").filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What `Cache-Status` says.
    pub fn note(&self) -> &str {
        self.field("cache-status").unwrap_or_default()
    }

    pub fn is_hit(&self) -> bool {
        self.note().contains("; hit")
    }

    /// Asserts a whole 200 with this body.
    pub fn is(&self, body: impl AsRef<[u8]>) {
        self.is_status(200, body);
    }

    pub fn is_status(&self, status: u16, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        assert_eq!(self.status, status, "{}{}", self.head, self.text());
        assert!(self.whole, "cut after {} of {} bytes", self.body.len(), body.len());
        assert_eq!(self.body.len(), body.len(), "{}", self.head);
        let differs = self.body.iter().zip(body).position(|(one, other)| one != other);
        assert_eq!(differs, None, "the first byte that differs");
    }

    /// Asserts an error with a plain sentence, and when it came.
    pub fn is_trouble(&self, status: u16, words: &str) {
        let text = self.text();
        assert_eq!(self.status, status, "{}{text}", self.head);
        assert!(self.whole && text.contains(words), "{text}");
        assert!(text.ends_with(".\n") && text.is_ascii(), "no plain sentence: {text}");
        assert!(self.took < Duration::from_secs(8), "it took {:?}", self.took);
    }
}

/// A reply that is read bit by bit.
pub struct Coming {
    stream: TcpStream,
    begin: Instant,
    pub head: String,
    ahead: Vec<u8>,
}

pub fn get(port: u16, path: &str, fields: &str) -> Got {
    request(port, ("GET", path), fields, b"")
}

/// A request with a body, or none.
pub fn request(port: u16, (method, path): (&str, &str), fields: &str, body: &[u8]) -> Got {
    open(port, (method, path), fields, body).rest()
}

/// Like [`get`] where nobody may listen yet.
pub fn try_get(port: u16, path: &str) -> Option<Got> {
    TcpStream::connect(("127.0.0.1", port)).ok()?;
    Some(get(port, path, ""))
}

/// Asks and takes what comes, as far as it comes: the node may be killed meanwhile.
pub fn glance(port: u16, path: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    std::io::copy(&mut stream, &mut std::io::sink())?;
    Ok(())
}

/// Sends a request and reads the head of the reply.
pub fn open(port: u16, (method, path): (&str, &str), fields: &str, body: &[u8]) -> Coming {
    let begin = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{length}{fields}\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(body).expect("sent");
    let mut coming = Coming { stream, begin, head: String::new(), ahead: Vec::new() };
    let end = loop {
        let found = coming.ahead.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(at) = found {
            break at + 4;
        }
        assert!(coming.more(), "no head, only {:?}", String::from_utf8_lossy(&coming.ahead));
    };
    coming.head = String::from_utf8(coming.ahead.drain(..end).collect()).expect("text");
    coming
}

impl Coming {
    /// Reads at least so many bytes of the body as they come over the wire.
    pub fn at_least(&mut self, count: usize) {
        while self.ahead.len() < count {
            assert!(self.more(), "cut after {} bytes", self.ahead.len());
        }
    }

    /// Reads to the end.
    pub fn rest(mut self) -> Got {
        while self.more() {}
        let field = |name: &str| {
            let lines = self.head.split("\r\n").filter_map(|line| line.split_once(": "));
            let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.to_owned())
        };
        let status = self.head[9..12].parse().expect("a status");
        let bodiless = matches!(status, 204 | 304);
        let (body, whole) = if field("transfer-encoding").is_some() {
            unchunked(&self.ahead)
        } else {
            let length = field("content-length").and_then(|length| length.parse().ok());
            let whole = bodiless || length.is_none_or(|length: usize| self.ahead.len() == length);
            (self.ahead, whole)
        };
        Got { status, head: self.head, body, whole, took: self.begin.elapsed() }
    }

    fn more(&mut self) -> bool {
        let mut room = vec![0; 64 * 1024];
        match self.stream.read(&mut room) {
            Ok(count) => {
                self.ahead.extend_from_slice(&room[..count]);
                count > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("after {} bytes: {error}", self.ahead.len()),
        }
    }
}

/// The content of chunks, and whether the last one came.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = core::str::from_utf8(&rest[..at]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).expect("a size");
        rest = &rest[at + 2..];
        if size == 0 {
            return (body, rest.ends_with(b"\r\n"));
        }
        let here = size.min(rest.len());
        body.extend_from_slice(&rest[..here]);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
