//! The first moments of a link: TLS, then each side's proof that it is of the network. Nothing
//! else is said or heard before.

use std::io;
use std::net::TcpStream;
use std::rc::Rc;

use rustls::pki_types::CertificateDer;
use rustls::{Connection, Error, ProtocolVersion};

use super::carrier::{Inbound, Outbound};
use super::inlet::{Buffers, Inlet};
use super::outlet::{Outlet, write};
use super::quic::halves::Hold;
use super::records::Records;
use super::seal::{self, Fault, Seal};
use super::secure::Secure;
use crate::base::limits;
use crate::base::peer::NodeKey;
use crate::base::time::{Date, Instant};
use crate::net::ground::patience::Patience;
use crate::net::ground::reactor::Source;
use crate::node::peering::{Parting, Stranger};
use crate::wire::frame::Header;
use crate::wire::membership::{ALPN, Binding, Denial, EXPORTER, Frame, Member, Membership, Side};

/// What every greeting needs.
pub struct Host {
    /// Both sides of TLS.
    pub secure: Secure,
    /// What is proven and asked for.
    pub membership: Membership,
    /// Buffers to lend.
    pub buffers: Rc<Buffers>,
    /// The clock.
    pub now: fn() -> Instant,
    /// The date that admissions are checked against.
    pub date: fn() -> Date,
}

/// A peer that has proven who it is.
pub struct Greeted {
    /// Its key.
    pub key: NodeKey,
    /// What it says of itself.
    pub member: Member,
    /// What it says from now on.
    pub inbound: Inbound,
    /// What of its messages came together with its proof.
    pub early: Vec<u8>,
    /// The way to it.
    pub outbound: Outbound,
}

/// A greeting that is under way.
struct Greeting<'a> {
    host: &'a Host,
    side: Side,
    inbound: Inbound,
    outbound: Outbound,
    /// Opened bytes that have not been looked at.
    heard: Vec<u8>,
}

/// Greets over a connected socket; `expected` is who must be there, where that is known.
pub async fn greet(
    host: &Host,
    source: Source<TcpStream>,
    side: Side,
    expected: Option<NodeKey>,
) -> Result<Greeted, Parting> {
    let source = Rc::new(source);
    let mut inlet = Inlet::new(Rc::clone(&source), Rc::clone(&host.buffers));
    let tls = shake_hands(host, &source, &mut inlet, side).await?;
    let is_newest = tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let protocol = tls.alpn_protocol().filter(|_| is_newest);
    let key = known(host, tls.peer_certificates(), (protocol, expected))?;
    let broken = |_| Parting::Stranger(Stranger::Handshake);
    let exporter = tls.export_keying_material([0; 32], EXPORTER, None).map_err(broken)?;
    let secrets = match tls {
        Connection::Client(client) => client.dangerous_extract_secrets(),
        Connection::Server(server) => server.dangerous_extract_secrets(),
    };
    let secrets = secrets.map_err(broken)?;
    let seals = Seal::new(secrets.rx).zip(Seal::new(secrets.tx));
    let (seal, out) = seals.ok_or(Parting::Stranger(Stranger::Handshake))?;
    let outlet = Outlet::new(source, Rc::clone(&host.buffers), out, host.now);
    let inbound = Inbound::Records(Box::new(Records::new(inlet, seal)));
    let outbound = Outbound::Outlet(Box::new(outlet));
    let greeting = Greeting { host, side, inbound, outbound, heard: Vec::new() };
    greeting.prove(key, exporter).await
}

/// The same over QUIC, which makes its own handshake of TLS 1.3.
pub async fn greet_over_quic(
    host: &Host,
    hold: Hold,
    side: Side,
    expected: Option<NodeKey>,
) -> Result<Greeted, Parting> {
    hold.stands().await?;
    let shown = hold.shown();
    let key = known(host, Some(&shown.certificates), (shown.protocol.as_deref(), expected))?;
    let exporter = hold.exporter(EXPORTER).ok_or(Parting::Stranger(Stranger::Handshake))?;
    let (ear, mouth) = hold.split(host.now);
    let (inbound, outbound) = (Inbound::Ear(ear), Outbound::Mouth(mouth));
    let greeting = Greeting { host, side, inbound, outbound, heard: Vec::new() };
    greeting.prove(key, exporter).await
}

/// Whose key TLS has proven, where it is one to speak with.
fn known(
    host: &Host,
    shown: Option<&[CertificateDer<'_>]>,
    (protocol, expected): (Option<&[u8]>, Option<NodeKey>),
) -> Result<NodeKey, Parting> {
    let key = host.secure.key(shown).ok_or(Parting::Stranger(Stranger::Handshake))?;
    if protocol != Some(ALPN) {
        return Err(Parting::Stranger(Stranger::Version));
    }
    if key == host.secure.own {
        return Err(Parting::Own);
    }
    match expected {
        Some(expected) if expected != key => Err(Parting::OtherKey),
        _ => Ok(key),
    }
}

/// The handshake of TLS 1.3, record by record, so that nothing behind it is taken along.
async fn shake_hands(
    host: &Host,
    source: &Source<TcpStream>,
    inlet: &mut Inlet,
    side: Side,
) -> Result<Connection, Parting> {
    let mut tls = begin(host, side).map_err(|_| Parting::Stranger(Stranger::Handshake))?;
    let mut patience = Patience::new(host.now);
    let mut taken = 0;
    loop {
        let mut out = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut out).map_err(|_| Parting::Closed)?;
        }
        write(source, &out, (&mut patience, limits::link::LINK_TIME)).await?;
        if !tls.is_handshaking() {
            return Ok(tls);
        }
        let length = next_record(inlet).await?;
        taken += length;
        if taken > limits::link::HANDSHAKE {
            return Err(Parting::Breach("its TLS handshake is longer than any may be"));
        }
        let mut record: &[u8] = inlet.take(length);
        while !record.is_empty() {
            let read = tls.read_tls(&mut record).map_err(|_| Parting::Breach(NO_TLS))?;
            let done = tls.process_new_packets();
            if let Err(error) = done {
                // The alert says why; whoever is refused should learn it.
                let mut alert = Vec::new();
                let _ = tls.write_tls(&mut alert);
                let _ = write(source, &alert, (&mut patience, limits::link::LINK_GOODBYE)).await;
                return Err(failed(&error));
            }
            if read == 0 {
                return Err(Parting::Breach(NO_TLS));
            }
        }
    }
}

fn begin(host: &Host, side: Side) -> Result<Connection, Error> {
    Ok(match side {
        Side::Dialler => {
            // No name is sent (`enable_sni` is off); the address is there because TLS wants one.
            let name = core::net::IpAddr::from([0, 0, 0, 0]).into();
            rustls::ClientConnection::new(host.secure.client(), name)?.into()
        }
        Side::Listener => rustls::ServerConnection::new(host.secure.server())?.into(),
    })
}

/// Why a handshake failed, as far as it matters to an owner.
fn failed(error: &Error) -> Parting {
    log::debug!("TLS with a peer: {error}");
    match error {
        Error::NoApplicationProtocol => Parting::Stranger(Stranger::Version),
        Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol) => {
            Parting::Refused(Stranger::Version)
        }
        Error::AlertReceived(_) => Parting::Refused(Stranger::Handshake),
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::PeerMisbehaved(_) => Parting::Breach(NO_TLS),
        _ => Parting::Stranger(Stranger::Handshake),
    }
}

impl Greeting<'_> {
    async fn prove(mut self, key: NodeKey, exporter: [u8; 32]) -> Result<Greeted, Parting> {
        let (own, host) = (self.host.secure.own, self.host);
        let theirs = match self.side {
            Side::Dialler => Side::Listener,
            Side::Listener => Side::Dialler,
        };
        let ours = Binding { exporter, side: self.side, key: own };
        let by = Binding { exporter, side: theirs, key };
        let hello = host.membership.hello(&ours);
        if self.side == Side::Dialler {
            self.say(&hello).await?;
        }
        let body = self.frame(Frame::Hello).await?;
        let member = match host.membership.check(&body, &by, (host.date)()) {
            Ok(member) => member,
            Err(denial) => {
                let refusal = Frame::refusal(denial.code());
                self.outbound.end(&refusal, limits::link::LINK_GOODBYE).await;
                return Err(Parting::Stranger(stranger(denial)));
            }
        };
        match self.side {
            Side::Dialler => self.say(&Frame::welcome()).await?,
            Side::Listener => {
                self.say(&hello).await?;
                self.frame(Frame::Welcome).await?;
            }
        }
        let Self { inbound, outbound, heard, .. } = self;
        if let Inbound::Ear(ear) = &inbound {
            ear.widen();
        }
        Ok(Greeted { key, member, inbound, early: heard, outbound })
    }

    async fn say(&mut self, frame: &[u8]) -> Result<(), Parting> {
        self.outbound.send(frame, &mut [], limits::link::LINK_TIME).await
    }

    /// The body of the next frame, which must be of this kind.
    async fn frame(&mut self, wanted: Frame) -> Result<Vec<u8>, Parting> {
        self.hear(Header::SIZE).await?;
        let header = self.heard.first_chunk().ok_or(Parting::Closed)?;
        let header = Header::parse(header).map_err(|breach| Parting::Breach(breach.sentence()))?;
        let frame = Frame::of(header).map_err(|_| Parting::Breach(NO_PROOF))?;
        self.hear(Header::SIZE + header.length).await?;
        let body: Vec<u8> = self.heard.drain(..Header::SIZE + header.length).collect();
        let body = &body[Header::SIZE..];
        match frame {
            Frame::Refusal => {
                let denial = Denial::of(body.first().copied().unwrap_or_default());
                // A reason without a meaning here is one of a later version.
                Err(Parting::Refused(denial.map_or(Stranger::Version, stranger)))
            }
            frame if frame == wanted => Ok(body.to_vec()),
            _ => Err(Parting::Breach(NO_PROOF)),
        }
    }

    /// Waits until that many opened bytes are here.
    async fn hear(&mut self, count: usize) -> Result<(), Parting> {
        while self.heard.len() < count {
            match self.inbound.opened()? {
                Some(plain) => self.heard.extend_from_slice(plain),
                None => match self.inbound.more().await {
                    Ok(0) => return Err(Parting::Closed),
                    Ok(_) => {}
                    Err(error) => return Err(lost(&error)),
                },
            }
        }
        Ok(())
    }
}

/// Bytes of the next record, once it is whole.
async fn next_record(inlet: &mut Inlet) -> Result<usize, Parting> {
    loop {
        let whole =
            inlet.whole(handshake_length).map_err(|fault| Parting::Breach(fault.words()))?;
        if let Some(length) = whole {
            return Ok(length);
        }
        match inlet.more().await {
            Ok(0) => return Err(Parting::Closed),
            Ok(_) => {}
            Err(error) => return Err(lost(&error)),
        }
    }
}

/// A record of the handshake: in clear or sealed (RFC 8446, 5.1).
fn handshake_length(head: [u8; seal::HEAD]) -> Result<usize, Fault> {
    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
    let kinds = 20..=23;
    if kinds.contains(&head[0]) && head[1] == 3 && (1..=seal::PLAIN + 256).contains(&length) {
        Ok(seal::HEAD + length)
    } else {
        Err(Fault::Head)
    }
}

/// What an error of a socket means.
pub(super) fn lost(error: &io::Error) -> Parting {
    match error.kind() {
        io::ErrorKind::TimedOut => Parting::Silent,
        _ => Parting::Closed,
    }
}

const fn stranger(denial: Denial) -> Stranger {
    match denial {
        Denial::OtherNetwork => Stranger::OtherNetwork,
        Denial::WrongSecret => Stranger::WrongSecret,
        Denial::NoAdmission => Stranger::NoAdmission,
        Denial::ExpiredAdmission => Stranger::ExpiredAdmission,
        Denial::ForgedAdmission => Stranger::ForgedAdmission,
        Denial::Version => Stranger::Version,
    }
}

const NO_TLS: &str = "it speaks no TLS 1.3";
const NO_PROOF: &str = "it said something else in place of its proof";
