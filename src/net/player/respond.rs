//! An answer, written: the head and the first bytes in one call, then the row as it fills.

use std::io;

use bytes::Bytes;

use crate::base::id::ExchangeId;
use crate::base::limits;
use crate::base::number::{decimal, hexadecimal};
use crate::node::event::{Answer, Content};
use crate::wire::http::body::{LAST_CHUNK, chunk_size};
use crate::wire::http::head::{Version, phrase};

/// How the content of an answer is told apart from what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// By `Content-Length`, or because there is no content.
    Length,
    /// By chunks.
    Chunks,
    /// By the end of the connection: HTTP/1.0 clients.
    Close,
}

/// What of the request and its port counts for the answer's head.
pub struct Setting<'a> {
    /// Whose answer.
    pub exchange: ExchangeId,
    /// The client's version.
    pub version: Version,
    /// Whether the request was HEAD.
    pub head_only: bool,
    /// Whether the connection may stay.
    pub keep: bool,
    /// Field lines for web pages.
    pub cors: &'a str,
}

/// The head of an answer, how its content is delimited, and whether the connection stays.
pub fn head(answer: &Answer, setting: &Setting<'_>) -> (Vec<u8>, Delimiter, bool) {
    let length = match &answer.content {
        Content::Text(text) => Some(text.len() as u64),
        Content::Row { start, end, .. } => end.map(|end| end - start),
        Content::None => None,
    };
    let bodiless = answer.status < 200 || matches!(answer.status, 204 | 304);
    let delimiter = match (&answer.content, length, setting.version) {
        (Content::None, ..) | (_, Some(_), _) => Delimiter::Length,
        (_, None, Version::Http11) => Delimiter::Chunks,
        (_, None, Version::Http10) => Delimiter::Close,
    };
    let keep = setting.keep && delimiter != Delimiter::Close;
    let mut lines = String::with_capacity(256 + answer.own.len() + answer.stored.len());
    lines.push_str("HTTP/1.1 ");
    decimal(&mut lines, answer.status.into());
    lines.push(' ');
    lines.push_str(phrase(answer.status));
    lines.push_str("\r\n");
    lines.push_str(core::str::from_utf8(&answer.stored).unwrap_or_default());
    lines.push_str(&answer.own);
    lines.push_str(setting.cors);
    if let Content::Text(_) = answer.content {
        lines.push_str("Content-Type: text/plain; charset=utf-8\r\n");
    }
    match (delimiter, length) {
        (Delimiter::Chunks, _) => lines.push_str("Transfer-Encoding: chunked\r\n"),
        (_, Some(length)) => {
            lines.push_str("Content-Length: ");
            decimal(&mut lines, length);
            lines.push_str("\r\n");
        }
        // The length of what HEAD does not bring stands among the machine's fields.
        (_, None) if !setting.head_only && !bodiless && delimiter == Delimiter::Length => {
            lines.push_str("Content-Length: 0\r\n");
        }
        _ => {}
    }
    if !keep {
        lines.push_str("Connection: close\r\n");
    } else if setting.version == Version::Http10 {
        lines.push_str("Connection: keep-alive\r\n");
    }
    lines.push_str("Via: 1.1 neap\r\nX-Request-Id: ");
    hexadecimal(&mut lines, setting.exchange.0);
    lines.push_str("\r\n\r\n");
    (lines.into_bytes(), delimiter, keep)
}

/// Pieces of content as one chunk, and how many bytes of content that is.
pub fn framed(pieces: Vec<Bytes>) -> (Vec<Bytes>, u64) {
    let length = pieces.iter().map(Bytes::len).sum();
    let mut framed = Vec::with_capacity(pieces.len() + 2);
    framed.push(Bytes::from(chunk_size(length)));
    framed.extend(pieces);
    framed.push(Bytes::from_static(b"\r\n"));
    (framed, length as u64)
}

/// Content of one write at most: a chunk must go whole, and is held until it is taken.
pub const fn batch(delimiter: Delimiter) -> u64 {
    match delimiter {
        Delimiter::Chunks => limits::cache::BATCH,
        Delimiter::Length | Delimiter::Close => limits::http::BATCH,
    }
}

/// What ends the content.
pub const fn tail(delimiter: Delimiter) -> &'static [u8] {
    match delimiter {
        Delimiter::Chunks => LAST_CHUNK.as_bytes(),
        Delimiter::Length | Delimiter::Close => b"",
    }
}

/// A sentence of the port's own.
pub fn sentence(status: u16, text: &str) -> Answer {
    Answer {
        status,
        stored: Bytes::new(),
        own: "Cache-Control: no-store\r\n".into(),
        content: Content::Text(format!("{text}\n")),
        pace: None,
    }
}

/// Why an answer ended before its content did.
pub fn cut(cause: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RowId;

    fn written(content: Content, version: Version, status: u16) -> (String, Delimiter, bool) {
        let own = "Age: 0\r\n".into();
        let answer =
            Answer { status, stored: Bytes::from_static(b"ETag: 1\r\n"), own, content, pace: None };
        let exchange = ExchangeId(7);
        let setting = Setting { exchange, version, head_only: false, keep: true, cors: "" };
        let (head, delimiter, keep) = head(&answer, &setting);
        (String::from_utf8(head).expect("text"), delimiter, keep)
    }

    fn row(end: Option<u64>) -> Content {
        Content::Row { row: RowId(1), start: 2, end }
    }

    #[test]
    fn rfc_9112_6_content_is_delimited_as_the_client_understands() {
        let (head, delimiter, keep) = written(row(Some(5)), Version::Http11, 206);
        assert!(head.starts_with("HTTP/1.1 206 Partial Content\r\nETag: 1\r\nAge: 0\r\n"));
        assert!(head.contains("Content-Length: 3\r\n") && keep);
        assert_eq!(delimiter, Delimiter::Length);
        let (head, delimiter, _) = written(row(None), Version::Http11, 200);
        assert!(head.contains("Transfer-Encoding: chunked\r\n"));
        assert_eq!(delimiter, Delimiter::Chunks);
        let (head, delimiter, keep) = written(row(None), Version::Http10, 200);
        assert!(head.contains("Connection: close\r\n") && !head.contains("Length") && !keep);
        assert_eq!(delimiter, Delimiter::Close);
    }

    #[test]
    fn an_answer_without_content_has_no_length_where_none_may_stand() {
        let (head, ..) = written(Content::None, Version::Http11, 304);
        assert!(!head.contains("Content-Length"));
        let (head, ..) = written(Content::None, Version::Http11, 200);
        assert!(head.contains("Content-Length: 0\r\n"));
    }

    #[test]
    fn a_chunk_is_its_size_its_bytes_and_a_line_end() {
        let pieces = vec![Bytes::from_static(b"ab"), Bytes::from_static(b"cde")];
        let (framed, length) = framed(pieces);
        assert_eq!((framed.concat().as_slice(), length), (b"5\r\nabcde\r\n".as_slice(), 5));
    }
}
