//! The network as the daemon opens and closes it: the port to peers, and the search for them.

use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::rc::Rc;

use smol::{LocalExecutor, Task, Timer};

use super::run::Run;
use crate::config::model::{self as config, Config};
use crate::net::discovery::lan::{About, Lan};
use crate::net::discovery::nat::Mappings;
use crate::net::discovery::wan::Wan;
use crate::net::ground::door::Door;
use crate::net::ground::tasks;
use crate::net::peer::port::Port;
use crate::net::peer::settings::Settings;
use crate::node::event::Input;
use crate::node::peering::Peering;

/// The port to peers and the search in the home, while there is a network.
pub struct Network {
    port: Rc<Port>,
    run: Rc<Run>,
    executor: Rc<LocalExecutor<'static>>,
    /// Its configuration, which only a start changes.
    config: config::Network,
    search: RefCell<Option<(Rc<Lan>, Task<()>)>>,
    mappings: RefCell<Option<(Rc<Mappings>, Task<()>)>>,
    trackers: Option<Rc<Wan>>,
    retry: Cell<Option<Task<()>>>,
}

impl Network {
    /// The network of the configuration; none where it names none.
    pub fn open(door: Door, config: &Config, run: &Rc<Run>) -> io::Result<Option<Self>> {
        if !config.network.exists() {
            return Ok(None);
        }
        if let Some(fault) = &config.network.fault {
            return Err(io::Error::other(fault.as_str()));
        }
        let executor = Rc::clone(&door.executor);
        let trackers = &config.network.trackers;
        let trackers =
            (!trackers.is_empty()).then(|| Rc::new(Wan::new(door.clone(), trackers.clone())));
        let port = Port::new(door, Settings::of(&config.network)?)?;
        let (run, network) = (Rc::clone(run), config.network.clone());
        Ok(Some(Self {
            port,
            run,
            executor,
            config: network,
            search: RefCell::default(),
            mappings: RefCell::default(),
            trackers,
            retry: Cell::default(),
        }))
    }

    /// The port.
    pub const fn port(&self) -> &Rc<Port> {
        &self.port
    }

    /// The trackers, where there are any.
    pub const fn trackers(&self) -> Option<&Rc<Wan>> {
        self.trackers.as_ref()
    }

    /// Tells the machine who this node is, and opens what the configuration opens.
    pub fn begin(self: &Rc<Self>, config: &Config) {
        if self.run.may_share() {
            self.share(true);
        } else if config.sharing.enabled {
            log::info!("sharing is switched off by a call: 'neap sharing on' ends that");
        }
        self.run.know(self.port.key(), self.port.signer());
        if let Some(fault) = self.port.admission_fault() {
            log::warn!("{fault}");
            self.run.note_network_fault(Some(fault));
        }
        log::info!("this node is {}", self.port.key());
    }

    /// Lets peers connect and looks for them while sharing is on; neither while it is off. A port
    /// that is taken is tried again.
    pub fn share(self: &Rc<Self>, on: bool) {
        self.retry.take();
        if !on {
            self.port.close();
            if let Some((mappings, task)) = self.mappings.borrow_mut().take() {
                drop(task);
                tasks::spawn(&self.executor, async move { mappings.leave().await }).detach();
            }
            if let Some((lan, task)) = self.search.borrow_mut().take() {
                let goodbye = async move {
                    lan.leave().await;
                    drop(task);
                };
                tasks::spawn(&self.executor, goodbye).detach();
            }
            return;
        }
        let bound = match self.port.listen() {
            Ok(bound) => bound,
            Err(error) => return self.listen_later(&error),
        };
        bound.iter().for_each(|address| log::info!("peers connect to {address}"));
        if let (Some(trackers), Some(address)) = (&self.trackers, bound.first()) {
            trackers.open(address.port());
        }
        if self.mappings.borrow().is_none() {
            self.map(&bound);
        }
        if self.config.discovery && self.search.borrow().is_none() {
            let port = bound.first().map(|address| address.port());
            let lan = Rc::new(Lan::new(About::new(&self.config, self.port.key(), port)));
            let (run, search) = (Rc::clone(&self.run), Rc::clone(&lan));
            let task = tasks::spawn(&self.executor, async move {
                search.run(|peering| run.submit(Input::Peer(Box::new(peering)))).await;
            });
            *self.search.borrow_mut() = Some((lan, task));
        }
    }

    fn listen_later(self: &Rc<Self>, error: &io::Error) {
        log::error!("peers cannot connect: {error}");
        // Of several addresses those that were free are opened with the others.
        self.port.close();
        let network = Rc::clone(self);
        let retry = tasks::spawn(&self.executor, async move {
            Timer::after(RETRY).await;
            network.share(true);
        });
        self.retry.set(Some(retry));
    }

    /// Asks the home's router for the port on which others connect.
    fn map(&self, bound: &[SocketAddr]) {
        let port = bound.iter().find(|address| address.is_ipv4()).map(SocketAddr::port);
        let Some(port) = port.filter(|_| self.config.port_mapping) else { return };
        let mappings = Rc::new(Mappings::new(port));
        let (run, mapped) = (Rc::clone(&self.run), Rc::clone(&mappings));
        let task = tasks::spawn(&self.executor, async move {
            let tell = |address: Option<SocketAddr>| {
                match address.map(|address| address.port()) {
                    None => log::info!("the router lets nobody in any more"),
                    Some(port) => log::info!("the router lets others in at port {port}"),
                }
                run.submit(Input::Peer(Box::new(Peering::Mapped { address })));
            };
            mapped.run(tell).await;
        });
        *self.mappings.borrow_mut() = Some((mappings, task));
    }

    /// Ends every link, gives the router's port back and says goodbye to the home.
    pub async fn leave(&self) {
        self.port.stop();
        let mappings = self.mappings.borrow_mut().take();
        if let Some((mappings, task)) = mappings {
            drop(task);
            mappings.leave().await;
        }
        let search = self.search.borrow_mut().take();
        let lan = async {
            if let Some((lan, task)) = search {
                lan.leave().await;
                drop(task);
            }
        };
        let trackers = async {
            if let Some(trackers) = &self.trackers {
                trackers.leave().await;
            }
        };
        smol::future::zip(self.port.ended(), smol::future::zip(lan, trackers)).await;
    }
}

/// How long a port that is taken is left alone.
const RETRY: Duration = Duration::from_secs(60);
