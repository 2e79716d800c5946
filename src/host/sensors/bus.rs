//! What NetworkManager and ModemManager know of the way into the network, asked over the system's
//! bus (D-Bus specification, "Message Protocol"), without a library for it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Where the system's bus is (D-Bus specification, "Well-known Message Bus Instances").
pub const SYSTEM: &str = "/run/dbus/system_bus_socket";

/// Whether NetworkManager holds the network for metered; none where there is no bus at `path`, no
/// NetworkManager, or it does not know.
pub fn metered(path: &Path, user: u32) -> Option<bool> {
    Bus::open(path, user).and_then(|mut bus| bus.metered()).ok().flatten()
}

/// Whether a modem is registered in a network that is not its own; none where there is no bus at
/// `path`, no ModemManager, or no modem.
pub fn roaming(path: &Path, user: u32) -> Option<bool> {
    Bus::open(path, user).and_then(|mut bus| bus.roaming()).ok().flatten()
}

/// The bus, greeted.
struct Bus<S> {
    stream: S,
    serial: u32,
}

impl Bus<UnixStream> {
    fn open(path: &Path, user: u32) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Self::greet(stream, user)
    }
}

impl<S: Read + Write> Bus<S> {
    fn greet(mut stream: S, user: u32) -> io::Result<Self> {
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
        let mut bus = Self { stream, serial: 0 };
        let name = "org.freedesktop.DBus";
        bus.ask(["/org/freedesktop/DBus", name, name, "Hello"], &[])?;
        Ok(bus)
    }

    /// `NMMetered`: 1 yes, 2 no, 3 and 4 the same by guess, 0 unknown.
    fn metered(&mut self) -> io::Result<Option<bool>> {
        let name = "org.freedesktop.NetworkManager";
        Ok(match self.property(["/org/freedesktop/NetworkManager", name], [name, "Metered"])? {
            1 | 3 => Some(true),
            2 | 4 => Some(false),
            _ => None,
        })
    }

    /// `MMModem3gppRegistrationState`: 5, 7 and 10 are roaming, whatever else can be done there.
    fn roaming(&mut self) -> io::Result<Option<bool>> {
        let name = "org.freedesktop.ModemManager1";
        let modems = "/org/freedesktop/ModemManager1/Modem";
        let introspectable = "org.freedesktop.DBus.Introspectable";
        let told = text(&self.ask([modems, name, introspectable, "Introspect"], &[])?);
        let told = told.ok_or(io::ErrorKind::InvalidData)?;
        let mut roaming = None;
        for modem in nodes(&told).take(MODEMS) {
            let modem = format!("{modems}/{modem}");
            let interface = format!("{name}.Modem.Modem3gpp");
            let state = self.property([&modem, name], [&interface, "RegistrationState"]);
            let is = state.is_ok_and(|state| matches!(state, 5 | 7 | 10));
            roaming = Some(is || roaming == Some(true));
        }
        Ok(roaming)
    }

    fn property(&mut self, [path, to]: [&str; 2], what: [&str; 2]) -> io::Result<u32> {
        let body = self.ask([path, to, "org.freedesktop.DBus.Properties", "Get"], &what)?;
        number(&body).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Calls, and waits for the answer: there is one call at a time.
    fn ask(&mut self, what: [&str; 4], texts: &[&str]) -> io::Result<Body> {
        self.serial += 1;
        self.stream.write_all(&call(self.serial, what, texts))?;
        for _ in 0..MESSAGES {
            match message(&mut self.stream)? {
                (RETURN, body) => return Ok(body),
                (ERROR, _) => return Err(io::ErrorKind::NotFound.into()),
                _ => {}
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
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

/// The text that a body begins with.
fn text(body: &Body) -> Option<String> {
    let (length, rest) = body.bytes.split_first_chunk::<4>()?;
    let length =
        if body.little { u32::from_le_bytes(*length) } else { u32::from_be_bytes(*length) };
    let text = rest.get(..usize::try_from(length).ok()?)?;
    String::from_utf8(text.to_vec()).ok()
}

/// The names of the objects below one, of what it tells of itself ("Introspection Data Format"):
/// ModemManager's are numbers.
fn nodes(told: &str) -> impl Iterator<Item = &str> {
    let named = told.split("<node name=\"").skip(1).filter_map(|rest| rest.split('"').next());
    named.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()))
}

/// How long the bus may say nothing: it is on this device.
const PATIENCE: Duration = Duration::from_millis(200);

/// Messages that are read for an answer: a reply, and signals before it.
const MESSAGES: usize = 8;

/// Modems that are asked.
const MODEMS: usize = 8;

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

    fn bus(answers: &[&[u8]]) -> Vec<u8> {
        let hello = told(RETURN, b"\x05\0\0\0:1.42\0");
        [b"OK 0123\r\n", &*hello, &told(4, b"a signal"), &answers.concat()].concat()
    }

    type Asked = fn(&mut Bus<Said>) -> io::Result<Option<bool>>;

    /// What is understood of this, and what was said for it.
    fn heard(said: &[u8], ask: Asked) -> (io::Result<Option<bool>>, Vec<u8>) {
        match Bus::greet(Said(Cursor::new(said.to_vec()), Vec::new()), 997) {
            Ok(mut bus) => (ask(&mut bus), bus.stream.1),
            Err(error) => (Err(error), Vec::new()),
        }
    }

    fn property(value: u8) -> Vec<u8> {
        told(RETURN, &[1, b'u', 0, 0, value, 0, 0, 0])
    }

    fn xml(text: &str) -> Vec<u8> {
        let mut body = Vec::new();
        put_text(&mut body, text);
        told(RETURN, &body)
    }

    #[test]
    fn the_property_is_asked_for_and_read() {
        let (is, said) = heard(&bus(&[&property(3)]), Bus::metered);
        assert_eq!(is.ok(), Some(Some(true)));
        assert!(said.starts_with(b"\0AUTH EXTERNAL 393937\r\nBEGIN\r\nl\x01\x02\x01"));
        let text = String::from_utf8_lossy(&said).into_owned();
        assert!(text.ends_with("\x07\0\0\0Metered\0"), "{text:?}");
        for (value, meaning) in
            [(0, None), (1, Some(true)), (2, Some(false)), (4, Some(false)), (9, None)]
        {
            assert_eq!(heard(&bus(&[&property(value)]), Bus::metered).0.ok(), Some(meaning));
        }
    }

    #[test]
    fn any_modem_that_roams_is_roaming() {
        let two = xml("<node>\n  <node name=\"0\"/>\n  <node name=\"12\"/>\n</node>");
        let roams = |answers: &[&[u8]]| heard(&bus(answers), Bus::roaming);
        let (is, said) = roams(&[&two, &property(1), &property(5)]);
        assert_eq!(is.ok(), Some(Some(true)));
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains("ModemManager1/Modem/12"), "{said:?}");
        assert!(said.ends_with("\x11\0\0\0RegistrationState\0"), "{said:?}");
        let unread = told(ERROR, b"no such interface");
        assert_eq!(roams(&[&two, &property(10), &unread]).0.ok(), Some(Some(true)));
        assert_eq!(roams(&[&two, &unread, &property(1)]).0.ok(), Some(Some(false)));
        let others = xml("<node><node name=\"..\"/><node name=\"a/b\"/><node name=\"\"/></node>");
        assert_eq!(roams(&[&others]).0.ok(), Some(None), "a name that is no modem's");
        assert!(roams(&[&unread]).0.is_err());
    }

    #[test]
    fn a_bus_that_says_anything_else_is_no_answer() {
        let good = bus(&[&property(1)]);
        for end in 0..good.len() {
            assert!(heard(&good[..end], Bus::metered).0.is_err(), "{end}");
        }
        let long = told(RETURN, &[0xff; 12]);
        let few = told(RETURN, &[9]);
        for bad in [told(ERROR, b"no such name"), told(RETURN, &[1, b's', 0, 0]), vec![0xff; 64]] {
            assert!(heard(&bus(&[&bad]), Bus::metered).0.is_err());
        }
        for bad in [long, few] {
            assert!(heard(&bus(&[&bad]), Bus::roaming).0.is_err());
        }
        assert!(heard(b"REJECTED EXTERNAL\r\n", Bus::metered).0.is_err());
        let nowhere = "/nowhere/bus".as_ref();
        assert_eq!((metered(nowhere, 0), roaming(nowhere, 0)), (None, None));
    }
}
