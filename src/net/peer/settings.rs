//! What the port to peers is configured with.

use core::net::SocketAddr;
use std::path::PathBuf;

use crate::base::peer::{NodeKey, Role};
use crate::wire::membership::{Admission, Membership};

/// What the port to peers must know of the configuration.
#[derive(Clone, Default)]
pub struct Settings {
    /// The network's name.
    pub name: String,
    /// The network's secret.
    pub secret: Option<Vec<u8>>,
    /// Whose admissions count.
    pub operators: Vec<NodeKey>,
    /// This node's admission.
    pub admission: Option<Admission>,
    /// Whose role as a witness is believed.
    pub witnesses: Vec<NodeKey>,
    /// What this node is there for.
    pub role: Role,
    /// Where peers may connect.
    pub listen: Vec<SocketAddr>,
    /// Links at once; the machine chooses among them, the port only never makes more.
    pub max_peers: usize,
    /// Where the node's key lies; in memory only where there is none.
    pub state: Option<PathBuf>,
    /// A vendor's certificates in place of the key.
    pub vendor: Option<Vendor>,
}

/// A vendor's X.509 device certificates (RFC 5280), each file in PEM.
#[derive(Clone, Debug)]
pub struct Vendor {
    /// Whose signature makes a device one of the vendor's.
    pub ca: PathBuf,
    /// The device's certificate, with those between it and the authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
}

impl Settings {
    /// What is proven to others and asked of them.
    pub fn membership(&self) -> Membership {
        Membership {
            name: self.name.clone(),
            secret: self.secret.clone(),
            operators: self.operators.clone(),
            admission: self.admission.clone(),
            role: self.role,
        }
    }
}
