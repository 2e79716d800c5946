//! Nodes of the same network in the same home, by DNS-SD over mDNS (RFC 6762, RFC 6763).
//!
//! Strangers in the home see that there is a neap, and a part of its key; of the network they
//! see a number that says nothing without its secret. Nothing is trusted that is found here: it
//! is an address to try, and whoever answers there proves itself.

use core::cell::{Cell, RefCell};
use core::net::{SocketAddr, SocketAddrV6};
use core::time::Duration;
use std::io;

use mdns_sd::{
    HostnameResolutionEvent, IfKind, Receiver, ResolvedService, ScopedIp, ServiceDaemon,
    ServiceEvent, ServiceInfo,
};
use ring::hmac;
use smol::{Timer, future};

use super::links::{Change, Changes, links, on_link};
use super::sightings::{Announcement, Sightings};
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::NodeKey;
use crate::config::model::Network;
use crate::node::peering::Peering;

/// The search in the local network, and this node's announcement there.
pub struct Lan {
    about: About,
    daemon: RefCell<Option<ServiceDaemon>>,
    leaving: Cell<bool>,
}

/// What this node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The network, as [`tag`] names it to those who know its secret.
    network: String,
    /// The beginning of this node's key.
    key: String,
    /// Where it awaits others; none to search only.
    port: Option<u16>,
}

impl About {
    /// What is said of a node with this key in this network.
    pub fn new(network: &Network, key: NodeKey, port: Option<u16>) -> Self {
        let key = hex(key.0.get(..SHOWN).unwrap_or_default());
        Self { network: tag(network), key, port }
    }
}

impl Lan {
    /// A search that has not begun.
    pub const fn new(about: About) -> Self {
        Self { about, daemon: RefCell::new(None), leaving: Cell::new(false) }
    }

    /// Searches and announces until [`Lan::leave`]; tells what is found and lost.
    pub async fn run(&self, mut tell: impl FnMut(Peering)) {
        while !self.leaving.get() {
            let mut seen = Sightings::default();
            let end = self.search(&mut seen, &mut tell).await;
            seen.clear().into_iter().for_each(&mut tell);
            match end {
                Ok(End::Left) => return,
                Ok(End::Woke) => self.close().await,
                Err(error) => {
                    log::warn!("the search in the local network failed: {error}");
                    self.close().await;
                    Timer::after(limits::meeting::LAN_RETRY).await;
                }
            }
        }
    }

    /// Says goodbye to those around, and ends the search.
    pub async fn leave(&self) {
        self.leaving.set(true);
        self.close().await;
    }

    async fn close(&self) {
        let Some(daemon) = self.daemon.borrow_mut().take() else { return };
        let Ok(done) = daemon.shutdown() else { return };
        let late = async {
            Timer::after(limits::meeting::LAN_GOODBYE).await;
        };
        future::or(async { drop(done.recv_async().await) }, late).await;
    }

    /// Searches until there is a fault, or until [`Lan::leave`] ends it.
    async fn search(
        &self,
        seen: &mut Sightings,
        tell: &mut impl FnMut(Peering),
    ) -> io::Result<End> {
        let daemon = self.open()?;
        *self.daemon.borrow_mut() = Some(daemon.clone());
        let mut changes = Changes::open().inspect_err(|error| {
            log::debug!("changes of the local network are looked for every minute: {error}");
            let _ = daemon.set_ip_check_interval(LOOK);
        });
        let mut events = daemon.browse(SERVICE).map_err(io::Error::other)?;
        let mut halves = Halves::default();
        let mut heard = 0;
        loop {
            let event = async { Ok(Step::Event(events.recv_async().await.ok())) };
            let change = async {
                match &mut changes {
                    Ok(changes) => changes.next().await.map(Step::Change),
                    Err(_) => future::pending().await,
                }
            };
            match future::or(event, change).await? {
                Step::Event(None | Some(ServiceEvent::SearchStopped(_))) => {
                    let fault = || io::Error::other("it ended by itself");
                    return self.leaving.get().then_some(End::Left).ok_or_else(fault);
                }
                Step::Event(Some(event)) => {
                    halves.on_event(&event, &daemon);
                    self.on_event(event, seen).into_iter().for_each(&mut *tell);
                    heard += 1;
                    if heard % LOOKED_AFTER == 0 {
                        bounded(&daemon).await?;
                    }
                }
                Step::Change(Change::Addresses) => events = self.renew(&daemon).await?,
                // Others have forgotten this node meanwhile, and some of them are gone.
                Step::Change(Change::Woke) => return Ok(End::Woke),
            }
        }
    }

    /// Opens the sockets and announces this node.
    fn open(&self) -> io::Result<ServiceDaemon> {
        let daemon = ServiceDaemon::new().map_err(io::Error::other)?;
        // It would look every five seconds; the kernel says when there is something to see.
        let quiet = daemon.set_ip_check_interval(0);
        // This device alone is no neighbourhood.
        let near = daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6]);
        quiet.and(near).and_then(|()| self.announce(&daemon)).map_err(io::Error::other)?;
        Ok(daemon)
    }

    fn announce(&self, daemon: &ServiceDaemon) -> mdns_sd::Result<()> {
        let About { network, key, port } = &self.about;
        let Some(port) = *port else { return Ok(()) };
        let host = format!("neap-{key}.local.");
        let said = [("n", &**network), ("v", VERSION), ("k", key)];
        let info = ServiceInfo::new(SERVICE, key, &host, "", port, &said[..])?.enable_addr_auto();
        daemon.register(info)
    }

    /// Looks at the interfaces again: on those that are new the library is announced. The search
    /// begins anew, since the one question that it asks there may be too soon to be answered
    /// (RFC 6762, 6: once a second), and the next one hours away.
    async fn renew(&self, daemon: &ServiceDaemon) -> io::Result<Receiver<ServiceEvent>> {
        let look = |seconds| daemon.set_ip_check_interval(seconds).map_err(io::Error::other);
        // The check has no other handle than its interval.
        look(1)?;
        Timer::after(Duration::from_millis(1500)).await;
        look(0)?;
        daemon.browse(SERVICE).map_err(io::Error::other)
    }

    fn on_event(&self, event: ServiceEvent, seen: &mut Sightings) -> Vec<Peering> {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let said = announcement(&service);
                let ours = said.network == self.about.network && said.version == VERSION;
                if !ours || said.key == self.about.key {
                    return Vec::new();
                }
                log::debug!("{} is announced at {:?}", said.key, said.addresses);
                seen.on_announced(said)
            }
            ServiceEvent::ServiceRemoved(_, name) => seen.on_gone(&name),
            _ => Vec::new(),
        }
    }
}

/// Nodes of whose addresses those of one IP version alone were heard, and what is still asked
/// about them.
///
/// What was said within the last second is not said again (RFC 6762, 6), for each version alone,
/// and an interface that just came up loses what is said: of devices that begin together one in
/// ten hears a half. The library asks for the other when the first grows old, a minute and a half
/// later.
#[derive(Default)]
struct Halves(Map<String, Receiver<HostnameResolutionEvent>>);

impl Halves {
    /// Asks twice for all addresses of a node that is new and came by halves.
    fn on_event(&mut self, event: &ServiceEvent, daemon: &ServiceDaemon) {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let Self(known) = self;
                let fours = service.addresses.iter().filter(|address| address.is_ipv4()).count();
                let half = fours == 0 || fours == service.addresses.len();
                let room = known.len() < limits::meeting::LAN_NODES;
                if half && room && !known.contains_key(&service.fullname) {
                    // Its answer comes as news of the node.
                    let asked = daemon.resolve_hostname(&service.host, Some(ASKED)).ok();
                    known.extend(asked.map(|asked| (service.fullname.clone(), asked)));
                }
            }
            ServiceEvent::ServiceRemoved(_, name) => drop(self.0.remove(name)),
            _ => {}
        }
    }
}

/// Why a search ended without a fault.
enum End {
    /// This node said goodbye.
    Left,
    /// The device slept: all begins anew.
    Woke,
}

enum Step {
    Event(Option<ServiceEvent>),
    Change(Change),
}

/// What an announcement says, with those of its addresses that are in this home.
fn announcement(service: &ResolvedService) -> Announcement {
    let links = links();
    let port = service.port;
    let near = service.addresses.iter().filter(|address| on_link(address.to_ip_addr(), &links));
    let address = |address: &ScopedIp| match address {
        // A link-local address is one only together with its link (RFC 4007).
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into()
        }
        other => SocketAddr::new(other.to_ip_addr(), port),
    };
    let word = |key| {
        let word = service.txt_properties.get_property_val_str(key).unwrap_or_default();
        word.get(..WORD).unwrap_or(word).to_owned()
    };
    Announcement {
        name: service.fullname.clone(),
        network: word("n"),
        key: word("k"),
        version: word("v"),
        addresses: near.map(address).filter(|address| address.port() != 0).collect(),
    }
}

/// The library remembers all that is announced for as long as it says; more than a home has is
/// an attack, and forgotten by beginning anew.
async fn bounded(daemon: &ServiceDaemon) -> io::Result<()> {
    let Ok(asked) = daemon.get_metrics() else { return Ok(()) };
    let late = async {
        Timer::after(limits::meeting::LAN_GOODBYE).await;
        None
    };
    let metrics = future::or(async { asked.recv_async().await.ok() }, late).await;
    let cached = metrics.iter().flatten().filter(|(name, _)| name.starts_with("cached-"));
    let records: i64 = cached.map(|(_, count)| *count).sum();
    if records > limits::meeting::LAN_RECORDS {
        return Err(io::Error::other("somebody floods it with announcements"));
    }
    Ok(())
}

/// A network's name for its own nodes: the first eight bytes of an HMAC of it under the secret
/// (RFC 2104), which tells a stranger nothing.
fn tag(network: &Network) -> String {
    let secret = network.secret.as_ref().map_or(&[][..], |secret| secret.bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(b"neap/1 lan\0");
    context.update(network.name.as_bytes());
    hex(context.sign().as_ref().get(..SHOWN).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The service (RFC 6763, 7): other carriers would have `_udp`.
const SERVICE: &str = "_neap._tcp.local.";

/// The version of the protocol that is spoken.
const VERSION: &str = "1";

/// Bytes of a digest or key that are said: enough to tell nodes apart, and to sort out others.
const SHOWN: usize = 8;

/// Characters of a property that are looked at.
const WORD: usize = 32;

/// Milliseconds in which the addresses of a node are asked for: at once, and a second later.
const ASKED: u64 = 2500;

/// Events after which the library's memory is looked at.
const LOOKED_AFTER: u32 = 64;

/// Seconds between two looks at the interfaces where the kernel tells no news.
const LOOK: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;

    fn network(name: &str, secret: u8) -> Network {
        let secret = Secret::new(vec![secret; 16]).ok();
        Network { name: name.into(), secret, ..Network::default() }
    }

    #[test]
    fn a_network_is_named_for_those_alone_who_know_its_secret() {
        let own = About::new(&network("home", 1), NodeKey([0xa5; 32]), Some(8644));
        assert_eq!((own.network.len(), &*own.key), (16, "a5a5a5a5a5a5a5a5"));
        assert_eq!(tag(&network("home", 1)), own.network);
        assert_ne!(tag(&network("home", 2)), own.network);
        assert_ne!(tag(&network("other", 1)), own.network);
        assert!(!own.network.contains("home"));
    }
}
