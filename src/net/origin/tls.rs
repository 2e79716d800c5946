//! Trust in an origin: TLS 1.2 and 1.3 with the system's or built-in roots, an own CA, and a
//! clock that never lies before the build.

use core::fmt;
use core::time::Duration;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use futures_rustls::{TlsConnector, client::TlsStream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use smol::io::{AsyncRead, AsyncWrite};

use crate::base::time::Date;
use crate::config::file::open;
use crate::node::trouble::{Trouble, TroubleKind};
use crate::wire::http::conditions::format_date;

/// How an origin is trusted; built once for each `ca`.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
    wall: fn() -> Option<Date>,
}

impl Trust {
    /// Trust in the system's roots (or the built-in ones where it has none) and in `ca`, by the
    /// date for certificates; `wall` is the system's, where its clock is set.
    pub fn new(
        ca: Option<&Path>,
        date: fn() -> Date,
        wall: fn() -> Option<Date>,
    ) -> io::Result<Self> {
        let mut roots = system_roots();
        if let Some(path) = ca {
            let mut pem = Vec::new();
            open(path)?.read_to_end(&mut pem)?;
            if add_pem(&mut roots, &pem) == 0 {
                let cause = format!("{} holds no certificate", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Clock(date)))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), wall })
    }

    /// The handshake over a connected stream.
    pub async fn secure<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let trouble = |cause: String| Trouble { kind: TroubleKind::Certificate, cause };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| trouble(format!("{host} is no name that a certificate can bear")))?;
        TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await.map_err(|error| {
            let (kind, cause) = match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                    (TroubleKind::Broken, error.to_string())
                }
                _ => refusal(&error, host, (self.wall)().is_some()),
            };
            Trouble { kind, cause: format!("TLS with {host}: {cause}") }
        })
    }
}

/// Why a handshake failed, and what to do about it: where not for a date alone, that of the
/// certificate or of this machine, it is the certificate's fault.
fn refusal(error: &io::Error, host: &str, is_set: bool) -> (TroubleKind, String) {
    use CertificateError as Fault;
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    let Some(rustls::Error::InvalidCertificate(fault)) = cause else {
        let says = error.to_string();
        return match cause {
            Some(rustls::Error::InvalidMessage(_)) => {
                (TroubleKind::Protocol, format!("{says}: is it TLS that is spoken at this port?"))
            }
            _ => (TroubleKind::Certificate, says),
        };
    };
    let dated = |what: &str, at: &UnixTime, now: &UnixTime, then: &str| {
        let now = day(*now);
        let now = match is_set {
            true => format!("says {now}"),
            false => format!("is not set: neap takes the day it was built, {now}, instead"),
        };
        let at = day(*at);
        let cause = format!("the certificate {what} on {at} and this device's clock {now}: {then}");
        (TroubleKind::Clock, cause)
    };
    let cause = match fault {
        Fault::ExpiredContext { time, not_after } => {
            return dated("ended", not_after, time, "renew it, or set the clock");
        }
        Fault::NotValidYetContext { time, not_before } => {
            return dated("begins", not_before, time, "set the clock");
        }
        Fault::UnknownIssuer => "nobody that this device trusts signed the certificate: name its \
                                 issuer in 'ca' of this origin"
            .into(),
        Fault::NotValidForNameContext { presented, .. } => {
            // Each is written as `DnsName("a.example")` or `IpAddress(127.0.0.1)`.
            let bare = |name: &String| {
                let mut parts = name.split(['(', ')', '"']);
                parts.rfind(|part| !part.is_empty()).map(String::from)
            };
            let named: Vec<_> = presented.iter().filter_map(bare).take(NAMED).collect();
            let named = if named.is_empty() { "no name".into() } else { named.join(", ") };
            format!("the certificate is for {named}, not for {host}")
        }
        // It comes from a crate behind rustls, without a name of its own.
        Fault::Other(other) => match other.0.to_string() {
            text if text.contains("CaUsedAsEndEntity") => {
                "it is the certificate of a CA itself: the server needs one that a CA signed".into()
            }
            text => format!("invalid peer certificate: {text}"),
        },
        _ => error.to_string(),
    };
    (TroubleKind::Certificate, cause)
}

/// The day of a time, as HTTP writes it.
fn day(time: UnixTime) -> String {
    let date = format_date(Date(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)));
    date.get(5..16).unwrap_or_default().into()
}

/// The date for certificates: the box may have booted in 1970.
struct Clock(fn() -> Date);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from((self.0)().0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The system's bundle, which its maker keeps, before the one that was built in.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for bundle in BUNDLES {
        if let Ok(pem) = std::fs::read(bundle) {
            if add_pem(&mut roots, &pem) > 0 {
                return roots;
            }
        }
    }
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots
}

fn add_pem(roots: &mut RootCertStore, pem: &[u8]) -> usize {
    let certificates = CertificateDer::pem_slice_iter(pem).flatten();
    certificates.filter(|certificate| roots.add(certificate.clone()).is_ok()).count()
}

/// Names of a certificate that are told: those of a CDN has a hundred.
const NAMED: usize = 3;

/// Where systems keep their bundle: Debian and OpenWrt, Fedora, Alpine, Android does without.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];
