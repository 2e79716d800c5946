//! One request of an operator, answered: page, JSON, metrics or health.

use core::net::IpAddr;
use std::io;

use smol::Timer;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::window::Window;
use super::{call, metrics, page, table};
use crate::base::control::Told;
use crate::base::limits;
use crate::node::status::{State, Status};

/// Reads one request from `stream`, answers it and closes. The node is asked once, and only for
/// a request that is well-formed and allowed; `calls` says whether it may be told something.
///
/// # Errors
/// When the peer is too slow or goes away; nobody needs to hear of it.
pub async fn answer<S>(stream: S, window: &Window, calls: bool) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let late = async {
        Timer::after(limits::operator::ADMIN_TIME).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    smol::future::or(exchange(stream, window, calls), late).await
}

async fn exchange<S>(mut stream: S, window: &Window, calls: bool) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some((head, mut body)) = read_head(&mut stream).await? else { return Ok(()) };
    let reply = match parse(&head, calls) {
        Ok(Request { call: Some(length), .. }) => {
            if !read_body(&mut stream, &mut body, length).await? {
                return Ok(());
            }
            told(call::parse(&body).and_then(|control| (window.control)(control)))
        }
        Ok(request) => respond(&request, &window.status),
        Err(reply) => reply,
    };
    stream.write_all(&reply.bytes()).await?;
    stream.close().await
}

/// Reads until the blank line; what cannot be a head ends early and fails to parse.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while head.len() < limits::operator::ADMIN_HEAD {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Ok(None);
        }
        let seen = head.len().saturating_sub(3);
        head.extend_from_slice(&chunk[..count]);
        if let Some(end) = head[seen..].windows(4).position(|end| end == b"\r\n\r\n") {
            let body = head.split_off(seen + end + 4);
            return Ok(Some((head, body)));
        }
    }
    Ok(Some((head, Vec::new())))
}

/// Reads on until the content is whole; false where it ends before.
async fn read_body<S>(stream: &mut S, body: &mut Vec<u8>, length: usize) -> io::Result<bool>
where
    S: AsyncRead + Unpin,
{
    let mut chunk = [0; 1024];
    while body.len() < length {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Ok(false);
        }
        body.extend_from_slice(&chunk[..count]);
    }
    body.truncate(length);
    Ok(true)
}

fn told(told: Told) -> Reply {
    match told {
        Ok(words) => Reply::text("200 OK", &words),
        Err(words) => Reply::text("409 Conflict", &words),
    }
}

struct Request {
    path: String,
    /// HEAD rather than GET.
    bare: bool,
    /// A control call, and how long it is.
    call: Option<usize>,
}

struct Reply {
    status: &'static str,
    kind: &'static str,
    /// Further field lines, each ended by CR LF.
    fields: String,
    body: String,
    bare: bool,
}

impl Reply {
    fn new(status: &'static str, kind: &'static str, body: String) -> Self {
        Self { status, kind, fields: String::new(), body, bare: false }
    }

    fn text(status: &'static str, sentence: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{sentence}\n"))
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push_str(&[name, ": ", value, "\r\n"].concat());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n{}\
             Connection: close\r\n\r\n",
            self.status,
            self.kind,
            self.body.len(),
            self.fields
        );
        let body = if self.bare { "" } else { &self.body };
        [head.as_bytes(), body.as_bytes()].concat()
    }
}

fn parse(head: &[u8], calls: bool) -> Result<Request, Reply> {
    let bad = || Reply::text("400 Bad Request", "This is no HTTP request that neap understands.");
    let mut fields = [httparse::EMPTY_HEADER; limits::http::FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    if !request.parse(head).is_ok_and(|parsed| parsed.is_complete()) {
        return Err(bad());
    }
    let mut hosts = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host"));
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(bad()) };
    if !ours(&String::from_utf8_lossy(host.value)) {
        let sentence = "Open this page by its address or as localhost: another name may be a trap.";
        return Err(Reply::text("403 Forbidden", sentence));
    }
    let target = request.path.unwrap_or("/");
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let (bare, call) = match request.method {
        Some("GET") if path != CALLS => (false, None),
        Some("HEAD") if path != CALLS => (true, None),
        Some("POST") if path == CALLS && calls => (false, Some(call_length(request.headers)?)),
        _ if path == CALLS && calls => {
            let reply = Reply::text("405 Method Not Allowed", "Control calls are sent by POST.");
            return Err(reply.with("Allow", "POST"));
        }
        _ if path == CALLS => {
            let sentence = "Control calls go to the control socket, never through this port.";
            return Err(Reply::text("403 Forbidden", sentence));
        }
        _ => {
            let reply = Reply::text("405 Method Not Allowed", "Only GET and HEAD work here.");
            return Err(reply.with("Allow", "GET, HEAD"));
        }
    };
    Ok(Request { path: path.into(), bare, call })
}

/// How long a call is; it is said, or nothing is read.
fn call_length(fields: &[httparse::Header<'_>]) -> Result<usize, Reply> {
    let mut lengths = fields.iter().filter(|f| f.name.eq_ignore_ascii_case("content-length"));
    let (Some(length), None) = (lengths.next(), lengths.next()) else {
        return Err(Reply::text("411 Length Required", "A call says its Content-Length once."));
    };
    let digits = length.value.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(length.value).ok().filter(|_| digits);
    let Some(length) = text.and_then(|text| text.parse::<usize>().ok()) else {
        return Err(Reply::text("400 Bad Request", "The Content-Length is no number."));
    };
    if length > limits::operator::CALL {
        return Err(Reply::text("413 Content Too Large", "No call is as long as this one."));
    }
    Ok(length)
}

/// Whether `Host` is an address or `localhost`. A page in somebody's browser could have its own
/// name resolve to us and read everything (DNS rebinding); an address it cannot forge.
fn ours(host: &str) -> bool {
    let port = |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(digits);
    if let Some((address, rest)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse::<core::net::Ipv6Addr>().is_ok() && port(rest);
    }
    let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
    let known = name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok();
    known && port(rest)
}

fn digits(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|c| c.is_ascii_digit())
}

fn respond(request: &Request, status: &dyn Fn() -> Status) -> Reply {
    let reply = match request.path.as_str() {
        "/" => {
            let reply = Reply::new("200 OK", "text/html; charset=utf-8", page::render(&status()));
            reply.with("Content-Security-Policy", &page::policy())
        }
        "/status.json" => json(&status()),
        "/status.txt" => plain(table::render(&status())),
        "/ledger.txt" => plain(table::ledger(&status().ledger)),
        "/metrics" => Reply::new("200 OK", metrics::MEDIA_TYPE, metrics::render(&status())),
        "/healthz" => health(status().state),
        _ => Reply::text(
            "404 Not Found",
            "There are /, /status.json, /status.txt, /ledger.txt, /metrics and /healthz.",
        ),
    };
    Reply { bare: request.bare, ..reply }
}

fn plain(text: String) -> Reply {
    Reply::new("200 OK", "text/plain; charset=utf-8", text)
}

fn json(status: &Status) -> Reply {
    match serde_json::to_string(status) {
        Ok(text) => Reply::new("200 OK", "application/json", text + "\n"),
        Err(error) => Reply::text("500 Internal Server Error", &error.to_string()),
    }
}

/// Whether players are served: an origin that fails is no reason to restart us.
fn health(state: State) -> Reply {
    match state {
        State::Idle | State::Playing | State::Impaired | State::Standby => {
            Reply::text("200 OK", "ok")
        }
        State::Starting | State::Stopping => Reply::text("503 Service Unavailable", state.word()),
    }
}

/// Where control calls are sent.
const CALLS: &str = "/control";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_our_name() {
        for host in ["localhost", "LocalHost:8643", "127.0.0.1:8643", "192.168.1.9", "[::1]:8643"] {
            assert!(ours(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1:80@evil.example",
            "[::1].evil.example",
            "[evil]",
            "localhost:http",
            "localhost:123456",
            "",
            "::1",
        ] {
            assert!(!ours(host), "{host}");
        }
    }

    #[test]
    fn every_prefix_of_a_request_is_refused_without_harm() {
        let whole = b"GET /metrics?x=1 HTTP/1.1\r\nHost: [::1]:8643\r\nAccept: */*\r\n\r\n";
        for end in 0..whole.len() {
            assert!(parse(&whole[..end], true).is_err(), "{end}");
        }
        let request = parse(whole, true).map_err(|reply| reply.status).expect("a whole request");
        assert_eq!((request.path.as_str(), request.bare), ("/metrics", false));
    }

    #[test]
    fn what_is_not_for_us_gets_a_sentence() {
        let refused = |head: &str| parse(head.as_bytes(), false).err().map(|reply| reply.status);
        let host = "Host: localhost\r\n";
        let post = refused(&format!("POST / HTTP/1.1\r\n{host}\r\n"));
        assert_eq!(post, Some("405 Method Not Allowed"));
        assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), Some("400 Bad Request"));
        let twice = refused(&format!("GET / HTTP/1.1\r\n{host}{host}\r\n"));
        assert_eq!(twice, Some("400 Bad Request"));
        let rebound = refused("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        assert_eq!(rebound, Some("403 Forbidden"));
    }
}
