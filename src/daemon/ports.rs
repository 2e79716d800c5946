//! Each output of the machine to the port that carries it out.

use std::rc::Rc;

use super::disk::Shelf;
use super::network::Network;
use super::notes::Notes;
use super::sensing::Sensing;
use super::settling::Settling;
use super::watchdog::Watchdog;
use crate::base::id::RowId;
use crate::config::model::Config;
use crate::host::clock;
use crate::net::origin::client::Client;
use crate::net::player::desk::Word;
use crate::net::player::listener::Port;
use crate::node::event::Output;
use crate::store::disk::Persist;
use crate::store::row::Keep;
use crate::store::rows::Store;

/// The ports of a node.
pub struct Ports {
    store: Store,
    players: Rc<Port>,
    origins: Client,
    shelf: Rc<Shelf>,
    notes: Rc<Notes>,
    network: Option<Rc<Network>>,
    sensing: Sensing,
    watchdog: Watchdog,
    settling: Settling,
}

impl Ports {
    /// The ports together.
    pub fn new(
        door: (&Store, Rc<Port>),
        origins: Client,
        shelf: &Rc<Shelf>,
        notes: &Rc<Notes>,
    ) -> Self {
        let (store, players) = (door.0.clone(), door.1);
        let (shelf, notes) = (Rc::clone(shelf), Rc::clone(notes));
        let (sensing, watchdog) = (Sensing::default(), Watchdog::default());
        let (network, settling) = (None, Settling::default());
        Self { store, players, origins, shelf, notes, network, sensing, watchdog, settling }
    }

    /// With a network, where one is configured.
    pub fn with_network(self, network: Option<Rc<Network>>) -> Self {
        Self { network, ..self }
    }

    /// The network, where there is one.
    pub const fn network(&self) -> Option<&Rc<Network>> {
        self.network.as_ref()
    }

    /// The bytes.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The players' port.
    pub const fn players(&self) -> &Rc<Port> {
        &self.players
    }

    /// The device's sensors.
    pub const fn sensing(&self) -> &Sensing {
        &self.sensing
    }

    /// What settles when the node goes to standby.
    pub const fn settling(&self) -> &Settling {
        &self.settling
    }

    /// The service manager's watchdog.
    pub const fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }

    /// Takes over a changed configuration.
    pub fn configure(&self, config: &Config) {
        self.players.configure(config);
        self.sensing.configure(config);
        self.origins.configure(config);
    }

    /// Carries out one output.
    pub fn carry_out(&self, output: Output) {
        let desk = &self.players.desk;
        match output {
            Output::Answer { exchange, answer } => desk.tell(exchange, Word::Answer(answer)),
            Output::Upload { exchange, row } => desk.tell(exchange, Word::Upload(row)),
            Output::Resume { exchange } => desk.tell(exchange, Word::Resume),
            Output::Cut { exchange } => desk.tell(exchange, Word::Cut),
            Output::Fetch(order) => self.origins.fetch(*order),
            Output::Take { fetch, row, at, held } => self.origins.take(fetch, (row, at), held),
            Output::Place { fetch } => self.origins.place(fetch),
            Output::Cancel { fetch } => self.origins.cancel(fetch),
            Output::Open { row, keep } => {
                self.store.open(row, if keep { Keep::Cached } else { Keep::Passing });
            }
            Output::Pass { row } => self.store.set_keep(row, Keep::Passing),
            Output::End { row, length } => self.store.end(row, length),
            Output::Close { row } => self.close(row),
            Output::Limit { bytes } => self.store.set_memory_limit(bytes),
            Output::Evict { row, slice } => drop(self.store.evict(row, slice)),
            Output::Persist { row, slice, header, key, bytes } => {
                let what = Persist { row, slice, key, header };
                if let Err(reason) = self.store.persist(what, clock::now()) {
                    log::debug!("a slice is not written: {reason}");
                    self.store.spare(bytes);
                }
            }
            Output::Adopt { token, row } => self.shelf.adopt(&self.store, token, row),
            Output::Unlink { row, slice } => self.store.unlink(row, slice),
            Output::Peer(order) => {
                if let Some(network) = &self.network {
                    network.port().order(*order);
                }
            }
            Output::Note { page, text } => self.notes.write(page, text),
            Output::Sense(rhythm) => self.sensing.ask(rhythm),
            Output::Share { on } => {
                if let Some(network) = &self.network {
                    network.share(on);
                }
            }
            Output::Announce(call) => {
                let trackers = self.network.as_ref().and_then(|network| network.trackers());
                if let Some(trackers) = trackers {
                    trackers.order(*call);
                }
            }
            Output::Rest => self.rest(true),
            Output::Wake => self.rest(false),
            Output::Say(level, line) => log::log!(level, "{line}"),
        }
    }

    /// Lets all that waits for nobody rest, or be used again.
    fn rest(&self, resting: bool) {
        self.origins.rest(resting);
        self.players.rest(resting);
        self.watchdog.rest(resting);
        self.settling.rest(resting);
    }

    /// Lets a row go in both tiers.
    fn close(&self, row: RowId) {
        for slice in self.store.on_disk(row) {
            self.store.unlink(row, slice);
        }
        self.store.close(row);
    }
}
