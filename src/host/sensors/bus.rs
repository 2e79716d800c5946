//! Whether NetworkManager holds the network for metered: one property, asked over the system's
//! bus (D-Bus specification, "Message Protocol"), without a library for it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Where the system's bus is (D-Bus specification, "Well-known Message Bus Instances").
pub const SYSTEM: &str = "/run/dbus/system_bus_socket";

/// Asks the bus at `path`; none where there is no bus, no NetworkManager, or it does not know.
pub fn metered(path: &Path, user: u32) -> Option<bool> {
    let mut stream = UnixStream::connect(path).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    ask(&mut stream, user).ok().and_then(meaning)
}

/// `NMMetered`: 1 yes, 2 no, 3 and 4 the same by guess, 0 unknown.
const fn meaning(value: u32) -> Option<bool> {
    match value {
        1 | 3 => Some(true),
        2 | 4 => Some(false),
        _ => None,
    }
}

fn ask(stream: &mut (impl Read + Write), user: u32) -> io::Result<u32> {
    // Who this is, in hexadecimal of its decimal digits; the kernel tells the bus the truth.
    let digits: String = user.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
    stream.write_all(format!("\0AUTH EXTERNAL {digits}\r\n").as_bytes())?;
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend(byte);
        if line.len() > LINE {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    if !line.starts_with(b"OK ") {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.write_all(b"BEGIN\r\n")?;
    let bus = ["/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus", "Hello"];
    stream.write_all(&call(1, bus, &[]))?;
    let get = [
        "/org/freedesktop/NetworkManager",
        "org.freedesktop.NetworkManager",
        "org.freedesktop.DBus.Properties",
        "Get",
    ];
    stream.write_all(&call(2, get, &["org.freedesktop.NetworkManager", "Metered"]))?;
    let mut replies = 0;
    for _ in 0..MESSAGES {
        let (kind, body) = message(stream)?;
        replies += u32::from(matches!(kind, RETURN | ERROR));
        if replies == 2 {
            let value = (kind == RETURN).then(|| number(&body)).flatten();
            return value.ok_or_else(|| io::ErrorKind::NotFound.into());
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// A method call with texts for arguments.
fn call(serial: u32, [path, to, interface, member]: [&str; 4], texts: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    texts.iter().for_each(|text| put_text(&mut body, text));
    let mut fields = Vec::new();
    let mut put = |code, kind, text: &str| {
        pad(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        put_text(&mut fields, text);
    };
    put(1, b'o', path);
    put(2, b's', interface);
    put(3, b's', member);
    put(6, b's', to);
    if !texts.is_empty() {
        pad(&mut fields, 8);
        let length = u8::try_from(texts.len()).unwrap_or(u8::MAX);
        fields.extend([8, 1, b'g', 0, length]);
        fields.extend(texts.iter().map(|_| b's'));
        fields.push(0);
    }
    // Little-endian, a call that starts nobody (0x2), version 1.
    let mut whole = vec![b'l', 1, 0x2, 1];
    for number in [body.len(), serial as usize, fields.len()] {
        whole.extend(u32::try_from(number).unwrap_or(0).to_le_bytes());
    }
    whole.extend(fields);
    pad(&mut whole, 8);
    whole.extend(body);
    whole
}

fn put_text(into: &mut Vec<u8>, text: &str) {
    pad(into, 4);
    into.extend(u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
    into.extend(text.bytes());
    into.push(0);
}

fn pad(into: &mut Vec<u8>, to: usize) {
    into.resize(into.len().next_multiple_of(to), 0);
}

/// The next message's kind and body.
fn message(stream: &mut impl Read) -> io::Result<(u8, Body)> {
    let mut head = [0; 16];
    stream.read_exact(&mut head)?;
    let little = head[0] == b'l';
    let number = |at: usize| {
        let four = [head[at], head[at + 1], head[at + 2], head[at + 3]];
        let read = if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) };
        usize::try_from(read).unwrap_or(usize::MAX)
    };
    let (body, fields) = (number(4), number(12));
    if body > MESSAGE || fields > MESSAGE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut rest = vec![0; fields.next_multiple_of(8) + body];
    stream.read_exact(&mut rest)?;
    Ok((head[1], Body { little, bytes: rest.split_off(rest.len() - body) }))
}

struct Body {
    little: bool,
    bytes: Vec<u8>,
}

/// The number in a variant of an unsigned number.
fn number(body: &Body) -> Option<u32> {
    let [1, b'u', 0, _, a, b, c, d] = body.bytes[..] else { return None };
    let four = [a, b, c, d];
    Some(if body.little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
}

/// How long the bus may say nothing: it is on this device.
const PATIENCE: Duration = Duration::from_millis(200);

/// Messages that are read for an answer: two replies and a signal or two.
const MESSAGES: usize = 8;

/// Bytes of a message's fields, and of its body.
const MESSAGE: usize = 4 * 1024;

/// Bytes of a line of the greeting.
const LINE: usize = 256;

const RETURN: u8 = 2;
const ERROR: u8 = 3;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// The other side's bytes, and what was said to it.
    struct Said(Cursor<Vec<u8>>, Vec<u8>);

    impl Read for Said {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(into)
        }
    }

    impl Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut whole = vec![b'l', kind, 1, 1];
        for number in [u32::try_from(body.len()).unwrap_or(0), 9, 5] {
            whole.extend(number.to_le_bytes());
        }
        whole.extend([5, 1, b'u', 0, 2, 0, 0, 0]);
        whole.extend(body);
        whole
    }

    fn bus(answer: &[u8]) -> Vec<u8> {
        let hello = told(RETURN, b"\x05\0\0\0:1.42\0");
        [b"OK 0123\r\n", &*hello, &told(4, b"a signal"), answer].concat()
    }

    #[test]
    fn the_property_is_asked_for_and_read() {
        let answer = told(RETURN, &[1, b'u', 0, 0, 3, 0, 0, 0]);
        let mut said = Said(Cursor::new(bus(&answer)), Vec::new());
        assert_eq!(ask(&mut said, 997).ok(), Some(3));
        assert!(said.1.starts_with(b"\0AUTH EXTERNAL 393937\r\nBEGIN\r\nl\x01\x02\x01"));
        let text = String::from_utf8_lossy(&said.1).into_owned();
        assert!(text.ends_with("\x07\0\0\0Metered\0"), "{text:?}");
        assert_eq!(
            [0, 1, 2, 3, 4, 9].map(meaning).map(|m| m.map(u8::from)),
            [None, Some(1), Some(0), Some(1), Some(0), None]
        );
    }

    #[test]
    fn a_bus_that_says_anything_else_is_no_answer() {
        let good = bus(&told(RETURN, &[1, b'u', 0, 0, 1, 0, 0, 0]));
        for end in 0..good.len() {
            let mut said = Said(Cursor::new(good[..end].to_vec()), Vec::new());
            assert!(ask(&mut said, 0).is_err(), "{end}");
        }
        for bad in [told(ERROR, b"no such name"), told(RETURN, &[1, b's', 0, 0]), vec![0xff; 64]] {
            let mut said = Said(Cursor::new(bus(&bad)), Vec::new());
            assert!(ask(&mut said, 0).is_err());
        }
        let mut said = Said(Cursor::new(b"REJECTED EXTERNAL\r\n".to_vec()), Vec::new());
        assert!(ask(&mut said, 0).is_err());
        assert_eq!(metered("/nowhere/bus".as_ref(), 0), None);
    }
}
