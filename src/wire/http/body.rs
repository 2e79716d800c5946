//! The body of a message as it comes in (RFC 9112, 6 and 7): which of the next bytes are
//! content, and whether the end was a true one.

use core::fmt;

use super::head::Framing;

/// What the reader of a connection has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many of the following bytes at most are content: take them and say so by
    /// [`Body::took`].
    Content(u64),
    /// A line of the framing follows: hand bytes to [`Body::line`].
    Line,
    /// The body is complete.
    End,
}

/// Why a body is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A chunk's size is no hexadecimal number of at most 16 digits.
    ChunkSize,
    /// A chunk does not end in CR LF, or a framing line is too long.
    ChunkEnd,
    /// The connection ended before the body did.
    Truncated,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChunkSize => "a chunk has no valid size",
            Self::ChunkEnd => "a chunk does not end where it should",
            Self::Truncated => "the connection ended in the middle of the body",
        })
    }
}

/// A body on its way in.
#[derive(Clone, Debug)]
pub struct Body {
    state: State,
    /// Whether chunks are read as players read them.
    lenient: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Counted(u64),
    ToClose,
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer(usize),
    Done,
}

impl Body {
    /// A body that ends as `framing` says.
    pub const fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Counted(length),
            Framing::Chunked => State::ChunkSize,
            Framing::Close => State::ToClose,
        };
        Self { state, lenient: false }
    }

    /// The body of an origin's answer: sizes of chunks may be padded, lines end in LF alone.
    pub const fn of_answer(framing: Framing) -> Self {
        Self { lenient: true, ..Self::new(framing) }
    }

    /// What comes next.
    pub const fn step(&self) -> Step {
        match self.state {
            State::Counted(left) | State::Chunk(left) => Step::Content(left),
            State::ToClose => Step::Content(u64::MAX),
            State::ChunkSize | State::ChunkEnd | State::Trailer(_) => Step::Line,
            State::Done => Step::End,
        }
    }

    /// Content bytes that are known to follow, where the framing says so.
    pub const fn left(&self) -> Option<u64> {
        match self.state {
            State::Counted(left) => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// Whether only the end of the connection ends it, so that a cut cannot be told.
    pub const fn ends_by_close(&self) -> bool {
        matches!(self.state, State::ToClose)
    }

    /// Notes that `count` content bytes were taken, no more than [`Step::Content`] allowed.
    pub const fn took(&mut self, count: u64) {
        self.state = match self.state {
            State::Counted(left) if left <= count => State::Done,
            State::Counted(left) => State::Counted(left - count),
            State::Chunk(left) if left <= count => State::ChunkEnd,
            State::Chunk(left) => State::Chunk(left - count),
            other => other,
        };
    }

    /// Reads the framing line that `bytes` begin with; answers how many bytes it took, or none
    /// when the line is not complete yet.
    pub fn line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let found = if self.lenient {
            let end = bytes.iter().position(|&b| b == b'\n');
            end.map(|end| (bytes[..end].strip_suffix(b"\r").map_or(end, <[u8]>::len), end + 1))
        } else {
            bytes.windows(2).position(|two| two == b"\r\n").map(|end| (end, end + 2))
        };
        let Some((end, used)) = found else {
            let bare = bytes.iter().rev().skip(1).any(|&b| b == b'\r') || bytes.contains(&b'\n');
            return if bare || bytes.len() > LINE { Err(Fault::ChunkEnd) } else { Ok(None) };
        };
        let line = &bytes[..end];
        if end > LINE || line.contains(&b'\n') || line.contains(&b'\r') {
            return Err(Fault::ChunkEnd);
        }
        self.state = match self.state {
            State::ChunkSize => match size(line, self.lenient)? {
                0 => State::Trailer(0),
                size => State::Chunk(size),
            },
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::ChunkEnd => return Err(Fault::ChunkEnd),
            State::Trailer(_) if line.is_empty() => State::Done,
            State::Trailer(lines) if lines < TRAILERS => State::Trailer(lines + 1),
            State::Trailer(_) => return Err(Fault::ChunkEnd),
            other => other,
        };
        Ok(Some(used))
    }

    /// Whether the end of the connection here ends the body as well.
    pub const fn closed(&mut self) -> Result<(), Fault> {
        match self.state {
            State::ToClose | State::Done => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(Fault::Truncated),
        }
    }
}

/// The size line of a chunk of `length` bytes as it goes out (RFC 9112, 7.1).
pub fn chunk_size(length: usize) -> String {
    format!("{length:x}\r\n")
}

/// What ends a chunked body without trailers.
pub const LAST_CHUNK: &str = "0\r\n\r\n";

/// Longest framing line; a size with extensions, or a trailer field that nobody reads.
const LINE: usize = 4096;

/// Most trailer fields; they are read and dropped.
const TRAILERS: usize = 32;

fn size(line: &[u8], padded: bool) -> Result<u64, Fault> {
    let digits = line.split(|&b| b == b';').next().unwrap_or_default();
    // Blanks before an extension are bad whitespace that RFC 9112, 7.1.1 lets pass.
    let padded = padded || digits.len() < line.len();
    let digits = if padded { digits.trim_ascii_end() } else { digits };
    let hexadecimal = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    if !hexadecimal || digits.len() > 16 {
        return Err(Fault::ChunkSize);
    }
    let text = core::str::from_utf8(digits).map_err(|_| Fault::ChunkSize)?;
    let size = u64::from_str_radix(text, 16).map_err(|_| Fault::ChunkSize)?;
    if size >= 1 << 62 { Err(Fault::ChunkSize) } else { Ok(size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `step` bytes, as a connection would.
    fn read(framing: Framing, input: &[u8], step: usize) -> Result<(Vec<u8>, usize), Fault> {
        read_as(Body::new(framing), input, step)
    }

    fn read_as(mut body: Body, input: &[u8], step: usize) -> Result<(Vec<u8>, usize), Fault> {
        let (mut content, mut here, mut used) = (vec![], step, 0);
        loop {
            let ahead = &input[used..here.clamp(used, input.len())];
            let took = match body.step() {
                Step::End => return Ok((content, used)),
                Step::Content(left) => {
                    let count = ahead.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    content.extend_from_slice(&ahead[..count]);
                    body.took(count as u64);
                    count
                }
                Step::Line => body.line(ahead)?.unwrap_or(0),
            };
            used += took;
            if took == 0 && here >= input.len() {
                body.closed()?;
            }
            here += step;
        }
    }

    #[test]
    fn rfc_9112_7_1_chunks_in_any_cut() {
        let input = b"4\r\nWiki\r\n6;name=\"v\"\r\npedia \r\n\
            E \t;x\r\nin \r\n\r\nchunks.\r\n0\r\nT: 1\r\n\r\nrest";
        for step in 1..input.len() {
            let (content, used) = read(Framing::Chunked, input, step).expect("a body");
            assert_eq!(content, b"Wikipedia in \r\n\r\nchunks.");
            assert_eq!(&input[used..], b"rest");
        }
    }

    #[test]
    fn bad_chunks_are_refused() {
        for (input, fault) in [
            (b"g\r\n".as_slice(), Fault::ChunkSize),
            (b"\r\n", Fault::ChunkSize),
            (b"-1\r\n", Fault::ChunkSize),
            (b"0x1\r\n", Fault::ChunkSize),
            (b"1 \r\na\r\n", Fault::ChunkSize),
            (b"11111111111111111\r\n", Fault::ChunkSize),
            (b"7fffffffffffffff\r\n", Fault::ChunkSize),
            (b"1\r\nab\r\n", Fault::ChunkEnd),
            (b"1\na\r\n", Fault::ChunkEnd),
            (b"1\r\na\n0\r\n\r\n", Fault::ChunkEnd),
            (b"2\r\na", Fault::Truncated),
            (b"1\r\na\r\n", Fault::Truncated),
            (b"1\r\na\r\n0\r\n", Fault::Truncated),
        ] {
            for step in [1, 2, 64] {
                let read = read(Framing::Chunked, input, step);
                assert_eq!(read, Err(fault), "{:?}", String::from_utf8_lossy(input));
            }
        }
    }

    #[test]
    fn an_origins_chunks_are_read_as_players_read_them() {
        let answer = |input, step| read_as(Body::of_answer(Framing::Chunked), input, step);
        for input in [
            b"5  \r\nhello\r\n0\r\n\r\nrest".as_slice(),
            b"5\nhello\n0\n\nrest",
            b"5 ;x\r\nhello\r\n0 \r\nT: 1\n\r\nrest",
        ] {
            for step in 1..input.len() {
                assert_eq!(answer(input, step), Ok((b"hello".into(), input.len() - 4)));
            }
        }
        for (input, fault) in [
            (b" \r\n".as_slice(), Fault::ChunkSize),
            (b"1 2\r\n", Fault::ChunkSize),
            (b"1\rx\n", Fault::ChunkEnd),
            (b"1\r\nab\r\n", Fault::ChunkEnd),
            (b"1\na\n", Fault::Truncated),
        ] {
            assert_eq!(answer(input, 1), Err(fault), "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn a_counted_body_ends_at_its_count_and_no_sooner() {
        assert_eq!(read(Framing::Length(3), b"abcd", 2), Ok((b"abc".into(), 3)));
        assert_eq!(read(Framing::Length(5), b"abcd", 2), Err(Fault::Truncated));
        assert_eq!(read(Framing::Close, b"abcd", 3), Ok((b"abcd".into(), 4)));
    }
}
