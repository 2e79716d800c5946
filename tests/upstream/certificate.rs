//! Certificates made at the time of the test, in DER by hand: RFC 5280 with ECDSA on P-256.

use std::path::Path;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};

/// Who signs: a root that a test may trust.
pub struct Authority {
    key: EcdsaKeyPair,
    name: &'static str,
    certificate: Vec<u8>,
}

/// How a server's certificate is, each fault on its own.
pub struct Wanted {
    pub host: &'static str,
    pub from: &'static str,
    pub until: &'static str,
    /// What it may serve for alone, as an extended key usage says it.
    pub purpose: Option<&'static [u8]>,
}

impl Wanted {
    pub const fn good(host: &'static str) -> Self {
        Self { host, from: "20200101000000Z", until: "20991231235959Z", purpose: None }
    }

    pub const fn expired(host: &'static str) -> Self {
        Self { until: "20210101000000Z", ..Self::good(host) }
    }
}

impl Authority {
    pub fn new(name: &'static str) -> Self {
        let (key, _) = new_key();
        let wanted = Wanted::good(name);
        let own = Body { subject: name, issuer: name, wanted: &wanted, is_authority: true };
        let certificate = signed(&key, &own, key.public_key().as_ref());
        Self { key, name, certificate }
    }

    /// Writes the root as PEM, as `ca` wants it.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, pem(&self.certificate)).expect("a file in the temp folder");
    }

    pub fn pem(&self) -> String {
        pem(&self.certificate)
    }

    /// A device's certificate and its key, both in PEM.
    #[allow(dead_code, reason = "servers have no need of it")]
    pub fn device(&self, wanted: &Wanted) -> (String, String) {
        let (key, secret) = new_key();
        let body = Body { subject: "device", issuer: self.name, wanted, is_authority: false };
        let leaf = signed(&self.key, &body, key.public_key().as_ref());
        (pem(&leaf), pem(&secret).replace("CERTIFICATE", "PRIVATE KEY"))
    }

    /// What a server needs that speaks with the root's own certificate.
    #[allow(dead_code, reason = "nodes have no need of it")]
    pub fn itself(&self) -> Server {
        let (key, secret) = new_key();
        let wanted = Wanted::good(self.name);
        let own =
            Body { subject: self.name, issuer: self.name, wanted: &wanted, is_authority: true };
        config(vec![signed(&key, &own, key.public_key().as_ref())], secret, rustls::ALL_VERSIONS)
    }

    /// What a server needs to speak as `wanted` says.
    pub fn server(&self, wanted: &Wanted, only: &[&'static SupportedProtocolVersion]) -> Server {
        let (key, secret) = new_key();
        let body = Body { subject: "server", issuer: self.name, wanted, is_authority: false };
        let leaf = signed(&self.key, &body, key.public_key().as_ref());
        config(vec![leaf], secret, only)
    }
}

pub type Server = Arc<ServerConfig>;

/// A server that signed its own certificate.
pub fn self_signed(host: &'static str) -> Server {
    let (key, secret) = new_key();
    let wanted = Wanted::good(host);
    let body = Body { subject: "alone", issuer: "alone", wanted: &wanted, is_authority: false };
    let leaf = signed(&key, &body, key.public_key().as_ref());
    config(vec![leaf], secret, rustls::ALL_VERSIONS)
}

fn config(
    chain: Vec<Vec<u8>>,
    secret: Vec<u8>,
    only: &[&'static SupportedProtocolVersion],
) -> Server {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(secret));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(only)
        .expect("versions that ring has")
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .expect("a key that fits its certificate");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

struct Body<'a> {
    subject: &'a str,
    issuer: &'a str,
    wanted: &'a Wanted,
    is_authority: bool,
}

fn new_key() -> (EcdsaKeyPair, Vec<u8>) {
    let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
    let secret = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("randomness");
    let key = EcdsaKeyPair::from_pkcs8(algorithm, secret.as_ref(), &random).expect("just made");
    (key, secret.as_ref().to_vec())
}

/// Certificate and TBSCertificate (RFC 5280, 4.1).
fn signed(by: &EcdsaKeyPair, body: &Body<'_>, public_key: &[u8]) -> Vec<u8> {
    let algorithm = der(SEQUENCE, &[&der(OBJECT, &[ECDSA_WITH_SHA256])]);
    let validity = [body.wanted.from, body.wanted.until].map(|t| der(TIME, &[t.as_bytes()]));
    let curve = der(SEQUENCE, &[&der(OBJECT, &[EC_KEY]), &der(OBJECT, &[P256])]);
    let tbs = der(
        SEQUENCE,
        &[
            &der(0xa0, &[&der(INTEGER, &[&[2]])]),
            &der(INTEGER, &[&[7]]),
            &algorithm,
            &name(body.issuer),
            &der(SEQUENCE, &[&validity[0], &validity[1]]),
            &name(body.subject),
            &der(SEQUENCE, &[&curve, &der(BITS, &[&[0], public_key])]),
            &der(0xa3, &[&der(SEQUENCE, &[&extension(body), &purpose(body)])]),
        ],
    );
    let signature = by.sign(&SystemRandom::new(), &tbs).expect("randomness");
    der(SEQUENCE, &[&tbs, &algorithm, &der(BITS, &[&[0], signature.as_ref()])])
}

/// basicConstraints for an authority, subjectAltName for a server (RFC 5280, 4.2.1).
fn extension(body: &Body<'_>) -> Vec<u8> {
    if body.is_authority {
        let value = der(SEQUENCE, &[&der(BOOLEAN, &[&[0xff]])]);
        let critical = der(BOOLEAN, &[&[0xff]]);
        return der(
            SEQUENCE,
            &[&der(OBJECT, &[BASIC_CONSTRAINTS]), &critical, &der(OCTETS, &[&value])],
        );
    }
    let host = body.wanted.host;
    let general = match host.parse::<core::net::Ipv4Addr>() {
        Ok(address) => der(0x87, &[&address.octets()]),
        Err(_) => der(0x82, &[host.as_bytes()]),
    };
    let value = der(SEQUENCE, &[&general]);
    der(SEQUENCE, &[&der(OBJECT, &[ALTERNATIVE_NAME]), &der(OCTETS, &[&value])])
}

/// extKeyUsage (RFC 5280, 4.2.1.12).
fn purpose(body: &Body<'_>) -> Vec<u8> {
    body.wanted.purpose.map_or_else(Vec::new, |purpose| {
        let value = der(SEQUENCE, &[&der(OBJECT, &[purpose])]);
        der(SEQUENCE, &[&der(OBJECT, &[KEY_USAGE]), &der(OCTETS, &[&value])])
    })
}

fn name(common: &str) -> Vec<u8> {
    let pair = der(SEQUENCE, &[&der(OBJECT, &[COMMON_NAME]), &der(TEXT, &[common.as_bytes()])]);
    der(SEQUENCE, &[&der(SET, &[&pair])])
}

/// Tag, length and content (X.690, 8.1).
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        Ok(byte) => out.extend([0x81, byte]),
        Err(_) => {
            let [high, low] = u16::try_from(length).expect("a small certificate").to_be_bytes();
            out.extend([0x82, high, low]);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

fn pem(der: &[u8]) -> String {
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for (index, three) in der.chunks(3).enumerate() {
        let mut bytes = [0; 3];
        bytes[..three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 63;
            let sign = char::from(BASE64[usize::try_from(six).expect("six bits")]);
            out.push(if place <= three.len() { sign } else { '=' });
        }
        if index % 16 == 15 {
            out.push('\n');
        }
    }
    out + "\n-----END CERTIFICATE-----\n"
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const TEXT: u8 = 0x0c;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

/// serverAuth and clientAuth (RFC 5280, 4.2.1.12).
#[allow(dead_code, reason = "not every test program has use for it")]
pub const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
#[allow(dead_code, reason = "not every test program has use for it")]
pub const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
