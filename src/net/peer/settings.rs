//! What the port to peers is configured with.

use core::net::SocketAddr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::base::limits;
use crate::base::peer::{NodeKey, Role};
use crate::base::time::Date;
use crate::config::file::open;
use crate::config::model::Network;
use crate::config::near::Near;
use crate::wire::membership::{Admission, Denial, Membership};

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
    /// How near addresses are.
    pub near: Near,
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
    /// What the section `[network]` says, with the admission that its file holds.
    pub fn of(network: &Network) -> io::Result<Self> {
        let vendor = match (&network.ca, &network.certificate, &network.private_key) {
            (Some(ca), Some(certificate), Some(key)) => Some(Vendor {
                ca: ca.clone(),
                certificate: certificate.clone(),
                private_key: key.clone(),
            }),
            _ => None,
        };
        Ok(Self {
            name: network.name.clone(),
            secret: network.secret.as_ref().map(|secret| secret.bytes().to_vec()),
            operators: network.operators.clone(),
            admission: network.admission.as_deref().map(admission).transpose()?,
            witnesses: network.witnesses.clone(),
            role: network.role,
            listen: network.listen.clone(),
            near: network.near.clone(),
            max_peers: network.max_peers,
            state: Some(network.state.clone()),
            vendor,
        })
    }

    /// What is wrong with this node's admission.
    pub fn admission_fault(&self, key: NodeKey, date: Date) -> Option<&'static str> {
        let admission = self.admission.as_ref()?;
        let by = [admission.operator];
        // Without operators of its own a node asks nobody for an admission, and may need one.
        let operators = if self.operators.is_empty() { &by[..] } else { &self.operators };
        Some(match admission.check(key, operators, date).err()? {
            Denial::ExpiredAdmission => "this node's admission is over",
            _ if !operators.contains(&admission.operator) => {
                "this node's admission is signed by none of network.operators"
            }
            _ => "this node's admission was made for another key or is damaged",
        })
    }

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

/// The admission in a file, as 'neap admit' prints it.
fn admission(path: &Path) -> io::Result<Admission> {
    let fault = |kind, what: &str| {
        let text = format!("network.admission-file: {}: {what}", path.display());
        io::Error::new(kind, text)
    };
    let mut text = String::new();
    let read =
        open(path).and_then(|file| file.take(limits::config::KEY_FILE).read_to_string(&mut text));
    read.map_err(|error| fault(error.kind(), &error.to_string()))?;
    Admission::parse(&text).ok_or_else(|| {
        fault(io::ErrorKind::InvalidData, "it holds no admission as 'neap admit' prints it")
    })
}
