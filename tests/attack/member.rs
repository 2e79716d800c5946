//! A member of the network that says what it likes: it speaks by rustls alone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use neap::base::segment::SegmentId;
use neap::net::peer::identity::Identity;
use neap::net::peer::secure::Secure;
use neap::net::peer::settings::Settings;
use neap::wire::frame::{Header, Kind};
use neap::wire::membership::{Binding, EXPORTER, Frame, Side};
use neap::wire::message::Message;
use neap::wire::record::{Record, Statement};
use rustls::{ClientConnection, StreamOwned};

/// What all members know.
pub const SECRET: &[u8] = b"sixteen bytes and some more";

/// A link to the daemon.
pub struct Member {
    identity: Identity,
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Member {
    /// Joins, if it is let in.
    pub fn join(address: SocketAddr) -> Option<Self> {
        let identity = Identity::passing().unwrap();
        let secure = Secure::raw(&identity).unwrap();
        let name = std::net::IpAddr::from([127, 0, 0, 1]).into();
        let tls = ClientConnection::new(secure.client(), name).unwrap();
        let socket = TcpStream::connect(address).ok()?;
        let limit = Some(Duration::from_secs(5));
        socket.set_read_timeout(limit).unwrap();
        socket.set_write_timeout(limit).unwrap();
        let mut stream = StreamOwned::new(tls, socket);
        stream.flush().ok()?;
        let exporter = stream.conn.export_keying_material([0; 32], EXPORTER, None).ok()?;
        let settings =
            Settings { name: "home".into(), secret: Some(SECRET.to_vec()), ..Settings::default() };
        let binding = Binding { exporter, side: Side::Dialler, key: identity.key };
        stream.write_all(&settings.membership().hello(&binding)).ok()?;
        let mut head = [0; 4];
        stream.read_exact(&mut head).ok()?;
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
        stream.read_exact(&mut body).ok()?;
        if head[0] != 1 {
            return None;
        }
        stream.write_all(&Frame::welcome()).ok()?;
        Some(Self { identity, stream })
    }

    /// Says bytes as they are; false once the daemon takes no more.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says a message.
    pub fn tell(&mut self, message: &Message) -> bool {
        let mut out = Vec::new();
        message.write(&mut out);
        self.say(&out)
    }

    /// The next message of the daemon; none once it says nothing for five seconds.
    pub fn hear(&mut self) -> Option<Message> {
        loop {
            let mut head = [0; Header::SIZE];
            self.stream.read_exact(&mut head).ok()?;
            let header = Header::parse(&head).unwrap();
            let mut body = vec![0; header.length];
            self.stream.read_exact(&mut body).ok()?;
            let belongs = header.kind >= Kind::CARRIER;
            if let Some(message) = belongs.then(|| Message::parse(header.kind, &body).unwrap()) {
                return message;
            }
        }
    }

    /// Says what it took itself from the origin, or did not.
    pub fn vouch(&mut self, statement: Statement) -> bool {
        let record = Record::sign(statement, self.identity.pair()).unwrap();
        self.tell(&Message::Record(Box::new(record)))
    }

    /// Gives a block.
    pub fn give(&mut self, segment: SegmentId, block: u8, bytes: &[u8]) -> bool {
        let length = u32::try_from(bytes.len()).unwrap();
        self.tell(&Message::Block { segment, block, length }) && self.say(bytes)
    }

    /// Whether the daemon ends the link within five seconds.
    pub fn is_ended(&mut self) -> bool {
        let mut taken = [0; 4096];
        loop {
            match self.stream.read(&mut taken) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    );
                }
            }
        }
    }
}
