//! A vendor's X.509 device certificates in place of raw keys: whoever has one of the vendor's is
//! let in, and its node key is the digest of its public key.

use core::fmt;
use core::time::Duration;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, ring as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::secure::{Parts, Secure, digest_key};
use super::settings::Vendor;
use crate::base::peer::NodeKey;
use crate::base::time::Date;
use crate::config::file::open;

impl Secure {
    /// TLS with the device's certificate, by the date that certificates are checked against; and
    /// why nodes with the same authorities turn it away, if they do.
    pub fn vendor(vendor: &Vendor, date: fn() -> Date) -> io::Result<(Self, Option<String>)> {
        let wrong = |path: &Path, what: &str| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} {what}", path.display()))
        };
        let mut roots = RootCertStore::empty();
        for authority in certificates(&vendor.ca)? {
            roots.add(authority).map_err(|_| wrong(&vendor.ca, "holds no authority"))?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&vendor.certificate)?;
        let own = chain.first().and_then(node_key);
        let own = own.ok_or_else(|| wrong(&vendor.certificate, "holds no certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&read(&vendor.private_key)?)
            .ok()
            .and_then(|der| provider::sign::any_supported_type(&der).ok())
            .ok_or_else(|| wrong(&vendor.private_key, "holds no private key that neap can use"))?;
        let key = CertifiedKey::new(chain, key);
        key.keys_match()
            .map_err(|_| wrong(&vendor.private_key, "is not the key of the certificate"))?;
        let algorithms = provider::default_provider().signature_verification_algorithms;
        let servers = Chain { roots: Arc::clone(&roots), algorithms };
        let now = Clock(date).current_time().unwrap_or(UnixTime::since_unix_epoch(Duration::ZERO));
        let ring = Arc::new(provider::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), ring)
            .build()
            .map_err(|_| wrong(&vendor.ca, "holds no certificate of an authority"))?;
        // It serves on both ends of links, where other purposes are asked for.
        let is_let_in = key.cert.split_first().map_or(Ok(()), |(own, more)| {
            servers.lets_in((own, more), now)?;
            clients.verify_client_cert(own, more, now).map(|_| ())
        });
        let doubt = is_let_in.err().map(|error| {
            let path = vendor.certificate.display();
            format!("{path}: nodes with the same 'ca' turn this one away: {error}")
        });
        let single = Arc::new(SingleCertAndKey::from(key));
        let secure = Self::new(Parts {
            own,
            shown: node_key,
            servers: Arc::new(servers),
            clients,
            as_client: Arc::<SingleCertAndKey>::clone(&single),
            as_server: single,
            clock: Arc::new(Clock(date)),
        })?;
        Ok((secure, doubt))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map(|_| bytes)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_slice_iter(&read(path)?).flatten().collect())
}

fn node_key(shown: &CertificateDer<'_>) -> Option<NodeKey> {
    let parsed = ParsedCertificate::try_from(shown).ok()?;
    Some(digest_key(&parsed.subject_public_key_info()))
}

/// Devices have no names that a dialler could know: the chain alone counts.
struct Chain {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Chain {
    fn lets_in(
        &self,
        (shown, more): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(shown)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, more, now, algorithms)
    }
}

impl ServerCertVerifier for Chain {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.lets_in((shown, more), now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::InvalidCertificate(CertificateError::BadSignature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, shown, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain")
    }
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
