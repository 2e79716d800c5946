//! TLS between peers: 1.3 alone, both sides with raw public keys (RFC 7250), bound to nothing
//! but the node key; or with a vendor's certificates.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring as provider};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage, ResolvesServerCert,
};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme, version,
};

use super::identity::Identity;
use crate::base::digest::Digest;
use crate::base::peer::NodeKey;
use crate::wire::membership::ALPN;

/// Both sides of TLS, ready for any number of links.
#[derive(Clone)]
pub struct Secure {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    /// The node's own key as others see it.
    pub(super) own: NodeKey,
    /// How a key is read from what the other side shows.
    shown: fn(&CertificateDer<'_>) -> Option<NodeKey>,
}

/// What makes up one way to be trusted.
pub(super) struct Parts {
    pub(super) own: NodeKey,
    pub(super) shown: fn(&CertificateDer<'_>) -> Option<NodeKey>,
    pub(super) servers: Arc<dyn ServerCertVerifier>,
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) as_client: Arc<dyn ResolvesClientCert>,
    pub(super) as_server: Arc<dyn ResolvesServerCert>,
    pub(super) clock: Arc<dyn TimeProvider>,
}

impl Secure {
    /// TLS with the node's raw public key; any Ed25519 key is let in, membership is asked for next.
    pub fn raw(identity: &Identity) -> io::Result<Self> {
        let der = PrivatePkcs8KeyDer::from(identity.der.clone());
        let key = provider::sign::any_eddsa_type(&der).map_err(io::Error::other)?;
        let shown = vec![CertificateDer::from(spki(identity.key).to_vec())];
        let key = Arc::new(CertifiedKey::new(shown, key));
        let verifier =
            Arc::new(Raw(provider::default_provider().signature_verification_algorithms));
        Self::new(Parts {
            own: identity.key,
            shown: |shown| node_key(shown),
            servers: Arc::<Raw>::clone(&verifier),
            clients: verifier,
            as_client: Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::clone(&key))),
            as_server: Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)),
            clock: Arc::new(Timeless),
        })
    }

    pub(super) fn new(parts: Parts) -> io::Result<Self> {
        let provider = Arc::new(provider_for(fast_aes()));
        let wrong = io::Error::other::<Error>;
        let clock = Arc::clone(&parts.clock);
        let mut client = ClientConfig::builder_with_details(Arc::clone(&provider), clock)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(wrong)?
            .dangerous()
            .with_custom_certificate_verifier(parts.servers)
            .with_client_cert_resolver(parts.as_client);
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        client.enable_secret_extraction = true;
        let mut server = ServerConfig::builder_with_details(provider, parts.clock)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(wrong)?
            .with_client_cert_verifier(parts.clients)
            .with_cert_resolver(parts.as_server);
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.enable_secret_extraction = true;
        // The dialler's order holds, unless AES is slow here: then either side's word is enough.
        server.ignore_client_order = !fast_aes();
        let (client, server) = (Arc::new(client), Arc::new(server));
        Ok(Self { client, server, own: parts.own, shown: parts.shown })
    }

    /// What a dialler begins TLS with.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    /// What a listener begins TLS with.
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// Whose certificate or key the other side showed.
    pub fn key(&self, shown: Option<&[CertificateDer<'_>]>) -> Option<NodeKey> {
        (self.shown)(shown?.first()?)
    }
}

/// ring's suites of TLS 1.3, those first that are fast here, and X25519 alone (RFC 7748).
fn provider_for(fast_aes: bool) -> CryptoProvider {
    use provider::cipher_suite::{
        TLS13_AES_128_GCM_SHA256 as AES, TLS13_CHACHA20_POLY1305_SHA256 as CHACHA,
    };
    CryptoProvider {
        cipher_suites: if fast_aes { vec![AES, CHACHA] } else { vec![CHACHA, AES] },
        kx_groups: vec![provider::kx_group::X25519],
        ..provider::default_provider()
    }
}

/// Whether the processor has instructions for AES and for GCM's product.
fn fast_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let fast = is_x86_feature_detected!("aes") && is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    let fast = std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    let fast = false;
    fast
}

/// An Ed25519 key as SubjectPublicKeyInfo (RFC 8410, 4).
fn spki(key: NodeKey) -> [u8; SPKI.len() + 32] {
    let mut info = [0; SPKI.len() + 32];
    info[..SPKI.len()].copy_from_slice(&SPKI);
    info[SPKI.len()..].copy_from_slice(&key.0);
    info
}

fn node_key(shown: &[u8]) -> Option<NodeKey> {
    Some(NodeKey(shown.strip_prefix(&SPKI)?.try_into().ok()?))
}

/// The node key of whoever has a key of another kind: the digest of its SubjectPublicKeyInfo.
pub(super) fn digest_key(info: &SubjectPublicKeyInfoDer<'_>) -> NodeKey {
    NodeKey(Digest::of(info).0)
}

/// Lets in whoever has the Ed25519 key that it shows.
#[derive(Debug)]
struct Raw(WebPkiSupportedAlgorithms);

impl Raw {
    fn known(shown: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        match node_key(shown) {
            Some(_) if more.is_empty() => Ok(()),
            _ => Err(Error::InvalidCertificate(CertificateError::BadEncoding)),
        }
    }

    fn signed(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let info = SubjectPublicKeyInfoDer::from(shown.as_ref());
        rustls::crypto::verify_tls13_signature_with_raw_key(message, &info, signature, &self.0)
    }
}

impl ServerCertVerifier for Raw {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::known(shown, more).map(|()| ServerCertVerified::assertion())
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
        self.signed(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Raw {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::known(shown, more).map(|()| ClientCertVerified::assertion())
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
        self.signed(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Raw keys have no dates, and nothing is resumed: nothing asks for the time.
#[derive(Debug)]
struct Timeless;

impl TimeProvider for Timeless {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(core::time::Duration::ZERO))
    }
}

/// What stands before the 32 bytes of an Ed25519 key (RFC 8410, 4, in DER).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8410_10_1_the_example_key() {
        let key = "ed25519:19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        let key: NodeKey = key.parse().expect("a key");
        let info = spki(key);
        assert_eq!(
            info[..16],
            *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x19\xbf\x44\x09"
        );
        assert_eq!(node_key(&info), Some(key));
        assert_eq!(node_key(&info[..43]), None);
        assert_eq!(node_key(&[&info[..], &[0]].concat()), None);
    }

    #[test]
    fn what_is_fast_here_is_offered_first() {
        let first = |fast| provider_for(fast).cipher_suites[0].suite();
        assert_eq!(first(true), rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(first(false), rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    }
}
