//! Request and response heads (RFC 9112, 2 to 6). A request that could be read in two ways is
//! refused; an origin's answer is read as every player would, and what goes on is framed anew.

use core::fmt;
use core::mem::MaybeUninit;

use super::fields::Fields;
use crate::base::limits;

/// HTTP/1.0 or HTTP/1.1; nothing else is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: no chunks, closed after the answer unless asked.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A request's first line and fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method as sent; methods are case-sensitive.
    pub method: String,
    /// The request target as sent.
    pub target: String,
    /// The version.
    pub version: Version,
    /// The header fields.
    pub fields: Fields,
}

/// A response's first line and fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The version.
    pub version: Version,
    /// The header fields.
    pub fields: Fields,
}

/// How a message's body ends (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes; zero where there is no body.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection: responses only.
    Close,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is larger than [`limits::http::HEAD`].
    TooLarge,
    /// The request target is larger than [`limits::http::TARGET`].
    TargetTooLong,
    /// More fields than [`limits::http::FIELDS`] in a request, [`limits::http::ANSWER_FIELDS`] in
    /// an answer.
    TooManyFields,
    /// A line ends in a bare CR or LF.
    BareLineEnd,
    /// The grammar of RFC 9112 does not hold (folded lines included).
    Malformed,
    /// A version other than 1.0 and 1.1.
    Version,
    /// `Content-Length` and `Transfer-Encoding` together in a request.
    BothLengths,
    /// `Content-Length` stands more than once in a request, says two things, or is no plain number.
    ContentLength,
    /// A transfer coding other than one `chunked`.
    TransferCoding,
    /// No `Host` field, or several.
    Host,
}

impl Fault {
    /// The status that a client is told.
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge | Self::TooManyFields => 431,
            Self::TargetTooLong => 414,
            Self::Version => 505,
            Self::TransferCoding => 501,
            _ => 400,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the head is larger than 32 KiB",
            Self::TargetTooLong => "the target is longer than 8 KiB",
            Self::TooManyFields => "there are too many header fields",
            Self::BareLineEnd => "a line ends without CR LF",
            Self::Malformed => "the head is not HTTP/1.1",
            Self::Version => "only HTTP/1.0 and HTTP/1.1 are spoken here",
            Self::BothLengths => "Content-Length and Transfer-Encoding stand together",
            Self::ContentLength => "Content-Length is no single plain number",
            Self::TransferCoding => "the transfer coding is not chunked alone",
            Self::Host => "there must be one Host field",
        })
    }
}

/// Where the head that `bytes` begin with ends, once it is complete.
///
/// `from` is how many bytes an earlier call has seen already.
pub fn end(bytes: &[u8], from: usize) -> Result<Option<usize>, Fault> {
    let from = from.saturating_sub(3);
    let found = bytes[from..].windows(4).position(|four| four == b"\r\n\r\n");
    match found {
        Some(at) if from + at + 4 <= limits::http::HEAD => Ok(Some(from + at + 4)),
        Some(_) => Err(Fault::TooLarge),
        None if bytes.len() >= limits::http::HEAD => Err(Fault::TooLarge),
        // A client that ends its lines with LF alone would otherwise wait for ever.
        None if bytes.windows(2).any(|two| two == b"\n\n") => Err(Fault::BareLineEnd),
        None => Ok(None),
    }
}

/// Where the head of an answer ends; its lines may end in LF alone (RFC 9112, 2.2).
pub fn end_of_answer(bytes: &[u8], from: usize) -> Result<Option<usize>, Fault> {
    let blank = |at: usize| match &bytes[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    };
    match (from.saturating_sub(2)..bytes.len()).find_map(blank) {
        Some(end) if end <= limits::http::HEAD => Ok(Some(end)),
        None if bytes.len() < limits::http::HEAD => Ok(None),
        _ => Err(Fault::TooLarge),
    }
}

impl RequestHead {
    /// Reads a complete head, the empty line included.
    pub fn parse(head: &[u8]) -> Result<Self, Fault> {
        whole_lines(head)?;
        // A hundred empty fields would be 3 KiB to write for the few that come.
        let mut slots = [const { MaybeUninit::uninit() }; limits::http::FIELDS];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(head, &mut slots) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(Fault::Malformed),
            Err(error) => return Err(fault(error)),
        }
        let target = request.path.unwrap_or_default();
        if target.len() > limits::http::TARGET {
            return Err(Fault::TargetTooLong);
        }
        let version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
        let fields = fields(request.headers)?;
        let hosts = fields.all("host").count();
        if hosts > 1 || (hosts == 0 && version == Version::Http11) {
            return Err(Fault::Host);
        }
        let method = request.method.unwrap_or_default().into();
        Ok(Self { method, target: target.into(), version, fields })
    }

    /// How the request's body ends (RFC 9112, 6.3; stricter where a reader could be misled).
    pub fn framing(&self) -> Result<Framing, Fault> {
        let coded = self.fields.has("transfer-encoding");
        if coded && (self.version == Version::Http10 || self.fields.has("content-length")) {
            return Err(Fault::BothLengths);
        }
        if coded {
            return chunked_alone(&self.fields).map(|()| Framing::Chunked);
        }
        Ok(Framing::Length(content_length(&self.fields)?.unwrap_or(0)))
    }

    /// Whether the connection stays open for another request (RFC 9112, 9.3).
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(self.version, &self.fields)
    }
}

impl ResponseHead {
    /// Reads a complete head, the empty line included, as leniently as players do: a line that is
    /// no field is left out, folded ones are joined (RFC 9112, 5.2).
    ///
    /// Chunks go before `Content-Length`, which goes, and the connection with it (RFC 9112, 6.3).
    pub fn parse(head: &[u8]) -> Result<Self, Fault> {
        let head = unfolded(head);
        let lines = head.iter().filter(|byte| **byte == b'\n').count();
        let mut slots = vec![httparse::EMPTY_HEADER; lines.min(limits::http::ANSWER_FIELDS)];
        let mut response = httparse::Response::new(&mut slots);
        let mut parser = httparse::ParserConfig::default();
        parser
            .allow_multiple_spaces_in_response_status_delimiters(true)
            .allow_spaces_after_header_name_in_responses(true)
            .ignore_invalid_headers_in_responses(true);
        match parser.parse_response(&mut response, &head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(Fault::Malformed),
            Err(error) => return Err(fault(error)),
        }
        let version = if response.version == Some(0) { Version::Http10 } else { Version::Http11 };
        let status = response.code.filter(|code| *code >= 100).ok_or(Fault::Malformed)?;
        let mut fields = fields(response.headers)?;
        if is_coded(&fields) && fields.has("content-length") {
            fields.remove("content-length");
            fields.push("Connection", "close");
        }
        Ok(Self { status, version, fields })
    }

    /// How the body of the response to a request of `method` ends (RFC 9112, 6.3).
    pub fn framing(&self, method: &str) -> Result<Framing, Fault> {
        if method == "HEAD" || self.status < 200 || matches!(self.status, 204 | 304) {
            return Ok(Framing::Length(0));
        }
        if is_coded(&self.fields) {
            return chunked_alone(&self.fields).map(|()| Framing::Chunked);
        }
        // The same length several times is one (RFC 9110, 8.6).
        let mut lengths = self.fields.members("content-length");
        let Some(first) = lengths.next() else { return Ok(Framing::Close) };
        if lengths.any(|other| other != first) {
            return Err(Fault::ContentLength);
        }
        plain_number(first).map(Framing::Length)
    }

    /// Whether the connection stays open for another request (RFC 9112, 9.3).
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(self.version, &self.fields)
    }
}

/// The standard phrase of a status code (RFC 9110, 15; RFC 5842, 7.2), empty where there is none.
pub const fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "",
    }
}

fn fault(error: httparse::Error) -> Fault {
    match error {
        httparse::Error::TooManyHeaders => Fault::TooManyFields,
        httparse::Error::Version => Fault::Version,
        _ => Fault::Malformed,
    }
}

/// Every LF follows a CR and every CR is followed by LF: httparse alone lets bare LF pass.
fn whole_lines(head: &[u8]) -> Result<(), Fault> {
    let mut before = 0;
    for &byte in head {
        if (byte == b'\n') != (before == b'\r') {
            return Err(Fault::BareLineEnd);
        }
        before = byte;
    }
    Ok(())
}

fn fields(headers: &[httparse::Header<'_>]) -> Result<Fields, Fault> {
    let mut fields = Fields::new();
    for header in headers {
        let breaks = |byte: &u8| matches!(byte, b'\0' | b'\r' | b'\n');
        if header.name.is_empty() || header.value.iter().any(breaks) {
            return Err(Fault::Malformed);
        }
        match core::str::from_utf8(header.value) {
            Ok(text) => fields.push(header.name, text.trim_ascii()),
            // Old servers send Latin-1; a byte beyond ASCII is kept as the character it meant.
            Err(_) => {
                let text: String = header.value.iter().map(|&byte| char::from(byte)).collect();
                fields.push(header.name, text);
            }
        }
    }
    Ok(fields)
}

/// The head with each folded line joined to the one before it.
fn unfolded(head: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    for at in 2..head.len() {
        if head[at - 1] == b'\n' && matches!(head[at], b' ' | b'\t') {
            head[at - 1] = b' ';
            if head[at - 2] == b'\r' {
                head[at - 2] = b' ';
            }
        }
    }
    head
}

/// Whether an answer comes in a transfer coding; `identity`, which RFC 2616 had, is none.
fn is_coded(fields: &Fields) -> bool {
    fields.members("transfer-encoding").any(|coding| !coding.eq_ignore_ascii_case("identity"))
}

fn chunked_alone(fields: &Fields) -> Result<(), Fault> {
    let mut codings = fields.members("transfer-encoding");
    match (codings.next(), codings.next()) {
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(()),
        _ => Err(Fault::TransferCoding),
    }
}

fn content_length(fields: &Fields) -> Result<Option<u64>, Fault> {
    let mut values = fields.all("content-length");
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Fault::ContentLength);
    }
    plain_number(value).map(Some)
}

fn plain_number(value: &str) -> Result<u64, Fault> {
    let plain = value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|_| plain).ok_or(Fault::ContentLength)
}

fn keeps_alive(version: Version, fields: &Fields) -> bool {
    let has = |option: &str| fields.members("connection").any(|m| m.eq_ignore_ascii_case(option));
    !has("close") && (version == Version::Http11 || has("keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<RequestHead, Fault> {
        RequestHead::parse(text.as_bytes())
    }

    fn body_of(lines: &str) -> Result<Framing, Fault> {
        request(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).and_then(|r| r.framing())
    }

    #[test]
    fn rfc_9112_6_3_a_request_that_could_be_read_in_two_ways_is_refused() {
        let chunked = "Transfer-Encoding: chunked\r\n";
        assert_eq!(body_of(chunked), Ok(Framing::Chunked));
        assert_eq!(body_of("Content-Length: 3\r\n"), Ok(Framing::Length(3)));
        assert_eq!(body_of(""), Ok(Framing::Length(0)));
        for (lines, fault) in [
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", Fault::BothLengths),
            ("Content-Length: 3\r\nContent-Length: 3\r\n", Fault::ContentLength),
            ("Content-Length: 3, 3\r\n", Fault::ContentLength),
            ("Content-Length: +3\r\n", Fault::ContentLength),
            ("Content-Length: 0x3\r\n", Fault::ContentLength),
            ("Content-Length:\r\n", Fault::ContentLength),
            ("Content-Length: 99999999999999999999\r\n", Fault::ContentLength),
            ("Transfer-Encoding: gzip, chunked\r\n", Fault::TransferCoding),
            ("Transfer-Encoding: xchunked\r\n", Fault::TransferCoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Fault::TransferCoding),
        ] {
            assert_eq!(body_of(lines), Err(fault), "{lines:?}");
        }
        let old = request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(old.and_then(|r| r.framing()), Err(Fault::BothLengths));
    }

    #[test]
    fn rfc_9112_2_2_lines_end_in_cr_lf_and_are_not_folded() {
        for text in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n",
        ] {
            assert_eq!(request(text), Err(Fault::BareLineEnd), "{text:?}");
        }
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\0: 1\r\n\r\n",
            "\0\r\n\r\n",
        ] {
            assert_eq!(request(text), Err(Fault::Malformed), "{text:?}");
        }
        assert_eq!(request("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), Err(Fault::Version));
    }

    #[test]
    fn rfc_9112_3_2_one_host_field() {
        assert_eq!(request("GET / HTTP/1.1\r\n\r\n"), Err(Fault::Host));
        assert_eq!(request("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), Err(Fault::Host));
        assert!(request("GET / HTTP/1.0\r\n\r\n").is_ok());
    }

    #[test]
    fn heads_are_bounded() {
        assert_eq!(end(&vec![b'a'; limits::http::HEAD], 0), Err(Fault::TooLarge));
        assert_eq!(end(b"GET / HTTP/1.1\n\n", 0), Err(Fault::BareLineEnd));
        assert_eq!(end(b"GET / HTTP/1.1\r\nHost: a\r\n\r", 0), Ok(None));
        let whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
        for seen in 0..=whole.len() {
            assert_eq!(end(whole, seen.min(26)), Ok(Some(27)));
        }
        let many = "X: 1\r\n".repeat(limits::http::FIELDS);
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n");
        assert_eq!(request(&text), Err(Fault::TooManyFields));
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(limits::http::TARGET));
        assert_eq!(request(&long), Err(Fault::TargetTooLong));
    }

    #[test]
    fn rfc_9112_6_3_how_a_response_ends() {
        let response = |lines: &str, method: &str| {
            let head = ResponseHead::parse(format!("HTTP/1.1 {lines}\r\n\r\n").as_bytes());
            head.and_then(|head| head.framing(method))
        };
        assert_eq!(response("200 OK", "GET"), Ok(Framing::Close));
        assert_eq!(response("200 OK\r\nContent-Length: 5", "GET"), Ok(Framing::Length(5)));
        assert_eq!(response("200 OK\r\nContent-Length: 5", "HEAD"), Ok(Framing::Length(0)));
        assert_eq!(response("304 x\r\nContent-Length: 5", "GET"), Ok(Framing::Length(0)));
        assert_eq!(response("200\r\nTransfer-Encoding: chunked", "GET"), Ok(Framing::Chunked));
        let both = "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5";
        assert_eq!(response(both, "GET"), Ok(Framing::Chunked));
        for (lengths, framing) in [
            ("5\r\nContent-Length: 5", Ok(Framing::Length(5))),
            ("5, 5", Ok(Framing::Length(5))),
            ("", Ok(Framing::Close)),
            ("5, 6", Err(Fault::ContentLength)),
            ("5\r\nContent-Length: 6", Err(Fault::ContentLength)),
            ("+5", Err(Fault::ContentLength)),
            ("5\r\nTransfer-Encoding: identity", Ok(Framing::Length(5))),
            ("5\r\nTransfer-Encoding: gzip, chunked", Err(Fault::TransferCoding)),
        ] {
            let read = response(&format!("200 OK\r\nContent-Length: {lengths}"), "GET");
            assert_eq!(read, framing, "{lengths:?}");
        }
    }

    #[test]
    fn rfc_9112_6_3_after_two_lengths_a_connection_is_not_used_again() {
        let head =
            |lines: &str| ResponseHead::parse(format!("HTTP/1.1 200\r\n{lines}\r\n").as_bytes());
        let both = head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n").expect("a head");
        assert!(!both.keeps_alive() && !both.fields.has("content-length"));
        assert!(head("Content-Length: 5\r\n").is_ok_and(|head| head.keeps_alive()));
    }

    #[test]
    fn an_answer_is_read_as_players_read_it() {
        for (text, fields) in [
            ("HTTP/1.1 200 OK\nA: b\nC: d\n\n", &[("A", "b"), ("C", "d")][..]),
            ("HTTP/1.1 200 OK\r\nA: b\nC: d\n\r\n", &[("A", "b"), ("C", "d")]),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", &[("A", "b")]),
            ("HTTP/1.1  200 OK\r\nA: b\r\n\tc\r\nD: e\r\n\r\n", &[("A", "b  \tc"), ("D", "e")]),
            ("HTTP/1.1 200 OK\r\nA B: c\r\nnonsense\r\nD: e\r\n\r\n", &[("D", "e")]),
            ("HTTP/1.1 200 OK\r\nA: b\u{1}\r\nD: e\r\n\r\n", &[("D", "e")]),
        ] {
            let end = end_of_answer(text.as_bytes(), 0);
            assert_eq!(end, Ok(Some(text.len())), "{text:?}");
            for seen in 0..text.len() {
                assert_eq!(end_of_answer(&text.as_bytes()[..seen], 0), Ok(None), "{text:?}");
                assert_eq!(end_of_answer(text.as_bytes(), seen), end, "{text:?}");
            }
            let head = ResponseHead::parse(text.as_bytes()).expect("a head");
            assert_eq!(head.fields.iter().collect::<Vec<_>>(), fields, "{text:?}");
        }
        let of = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
        let read = |count| ResponseHead::parse(of(count).as_bytes()).map(|head| head.fields.len());
        assert_eq!(read(limits::http::ANSWER_FIELDS), Ok(limits::http::ANSWER_FIELDS));
        assert_eq!(read(limits::http::ANSWER_FIELDS + 2), Err(Fault::TooManyFields));
        assert_eq!(end_of_answer(&vec![b'a'; limits::http::HEAD], 0), Err(Fault::TooLarge));
    }

    #[test]
    fn rfc_9112_9_3_when_a_connection_stays() {
        let stays = |version: &str, lines: &str| {
            request(&format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n"))
                .is_ok_and(|head| head.keeps_alive())
        };
        assert!(stays("1.1", ""));
        assert!(!stays("1.1", "Connection: Close\r\n"));
        assert!(!stays("1.0", ""));
        assert!(stays("1.0", "Connection: keep-alive\r\n"));
    }

    #[test]
    fn no_prefix_of_a_head_panics() {
        let whole =
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/2\r\n\xe9: \xe9\r\n\r\n";
        for cut in 0..whole.len() {
            let _ = ResponseHead::parse(&whole[..cut]);
            let _ = RequestHead::parse(&whole[..cut]);
        }
    }
}
