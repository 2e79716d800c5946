//! One question over HTTP, to a tracker or to the home's router: a connection, a request, an
//! answer of a few KiB.

use core::net::SocketAddr;
use std::io;

use async_net::TcpStream;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Timer, future};

use crate::base::limits;
use crate::config::tracker::Tracker;
use crate::wire::http::body::{Body, Step};
use crate::wire::http::head::{self, ResponseHead};
use crate::wire::tracker::announce::{Announce, Answer};

/// Announces to a tracker at one of its addresses.
pub(super) async fn ask(
    tracker: &Tracker,
    at: SocketAddr,
    announce: &Announce,
) -> io::Result<Answer> {
    let late = async {
        Timer::after(limits::meeting::TRACKER_TIME).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let (target, host) = (announce.target(&tracker.target), tracker.authority());
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: neap\r\n\
         Accept: */*\r\nConnection: close\r\n\r\n"
    );
    let answer = talk(at, &request, limits::meeting::TRACKER_BODY);
    let (status, body) = future::or(answer, late).await?;
    if status != 200 {
        return Err(odd(&format!("it answers with status {status}")));
    }
    Answer::parse(&body).map_err(|fault| io::Error::other(fault.to_string()))
}

/// Sends a request and hears its answer, of whose content there may be `most` bytes; answers with
/// its status and content.
pub(super) async fn talk(at: SocketAddr, request: &str, most: usize) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut heard = Vec::new();
    let end = loop {
        if let Some(end) = head::end(&heard, 0).map_err(|fault| odd(&fault.to_string()))? {
            break end;
        }
        if more(&mut stream, &mut heard).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = ResponseHead::parse(&heard[..end]).map_err(|fault| odd(&fault.to_string()))?;
    let framing = head.framing("GET").map_err(|fault| odd(&fault.to_string()))?;
    heard.drain(..end);
    Ok((head.status, content((&mut stream, heard), Body::new(framing), most).await?))
}

/// The content of an answer, out of what came with its head and what follows.
async fn content(
    (stream, mut heard): (&mut TcpStream, Vec<u8>),
    mut body: Body,
    most: usize,
) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let needs_more = match body.step() {
            Step::End => return Ok(content),
            Step::Content(left) => {
                let some = usize::try_from(left).unwrap_or(usize::MAX).min(heard.len());
                content.extend(heard.drain(..some));
                body.took(some as u64);
                some == 0
            }
            Step::Line => match body.line(&heard).map_err(|fault| odd(&fault.to_string()))? {
                Some(line) => {
                    heard.drain(..line);
                    false
                }
                None => true,
            },
        };
        if content.len() > most {
            return Err(odd("its answer is longer than any may be"));
        }
        if needs_more && more(stream, &mut heard).await? == 0 {
            let is_whole = body.ends_by_close();
            return if is_whole { Ok(content) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

async fn more(stream: &mut TcpStream, heard: &mut Vec<u8>) -> io::Result<usize> {
    let mut piece = [0; 2048];
    let length = stream.read(&mut piece).await?;
    heard.extend_from_slice(&piece[..length]);
    Ok(length)
}

fn odd(words: &str) -> io::Error {
    io::Error::other(words.to_owned())
}
