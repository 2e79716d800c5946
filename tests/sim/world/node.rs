//! One node of the world: the real machine, and what its ports know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use neap::base::id::{ExchangeId, FetchId, RowId};
use neap::base::peer::{NodeKey, PeerId, Role};
use neap::base::range::ByteRange;
use neap::base::rng::Rng;
use neap::base::time::Instant;
use neap::base::units::Size;
use neap::base::url::Url;
use neap::config::caps::{Rates, WanUpload};
use neap::config::model::{Config, Origin};
use neap::node::event::Input;
use neap::node::machine::Machine;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::exchange::Exchange;
use super::library::{ContentId, ORIGIN};
use super::origin::Download;
use super::player::Player;
use super::scene::{Scene, Seat};
use super::store::{Slice, Store};

/// A node and its ports.
pub struct Node {
    pub machine: Machine,
    pub up: bool,
    pub asleep: bool,
    /// How often it began: what was meant for an earlier life is not heard.
    pub life: u32,
    pub inbox: VecDeque<(Input, Option<Offer>)>,
    pub turning: bool,
    /// The block that is being handed in.
    pub offer: Option<Offer>,
    /// The fetch whose head is being handed in.
    pub asking: Option<FetchId>,
    /// The held block that is being handed in at this moment.
    pub handed: Option<ByteRange>,
    pub store: Store,
    pub downloads: BTreeMap<FetchId, Download>,
    pub exchanges: BTreeMap<ExchangeId, Exchange>,
    pub last_exchange: u64,
    pub players: Vec<Player>,
    /// Links by the number that the machine knows, with the side that is ours.
    pub links: BTreeMap<PeerId, (u64, usize)>,
    pub last_peer: u64,
    pub alarm: Option<Instant>,
    /// Seconds between its date and the true one; none where its clock is not set.
    pub date: Option<i64>,
    /// What its disk had when it went down.
    pub shelf: Vec<(u32, Slice)>,
    /// What `Adopt` may name.
    pub found: BTreeMap<u64, (u32, Slice)>,
    /// Rows and exchanges that may go on once the turn is over.
    pub wakes: BTreeSet<RowId>,
    pub stirred: BTreeSet<ExchangeId>,
    /// Bytes of rows that came up from the disk and of which the machine has not heard yet.
    pub unheard: BTreeMap<RowId, u64>,
    pub key: NodeKey,
    pub pair: Ed25519KeyPair,
    /// Its interface.
    pub down: Option<usize>,
    pub up_pipe: Option<usize>,
}

/// A block at the door.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    pub content: ContentId,
    /// Where in the content it begins.
    pub start: u64,
    pub length: u32,
    /// Whether its bytes are the origin's.
    pub good: bool,
    /// Whether its giver is at home or at the same provider.
    pub near: bool,
}

impl Node {
    pub fn new(scene: &Scene, index: usize, now: Instant) -> Self {
        let pair = pair(scene.seed, index);
        let key = key_of(&pair);
        Self {
            machine: machine(scene, index, now),
            up: true,
            asleep: false,
            life: 0,
            inbox: VecDeque::new(),
            turning: false,
            offer: None,
            asking: None,
            handed: None,
            store: Store::default(),
            downloads: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            last_exchange: 0,
            players: Vec::new(),
            links: BTreeMap::new(),
            last_peer: 0,
            alarm: None,
            date: scene.seats[index].dated.then_some(0),
            shelf: Vec::new(),
            found: BTreeMap::new(),
            wakes: BTreeSet::new(),
            stirred: BTreeSet::new(),
            unheard: BTreeMap::new(),
            key,
            pair,
            down: None,
            up_pipe: None,
        }
    }

    /// Begins anew with an empty machine.
    pub fn restart(&mut self, scene: &Scene, (index, now): (usize, Instant)) {
        self.machine = machine(scene, index, now);
        self.life += 1;
        (self.up, self.asleep) = (true, false);
        self.alarm = None;
        self.inbox.clear();
    }

    /// Everything of this life is gone but what lies on disk.
    pub fn fall(&mut self) {
        let rows = core::mem::take(&mut self.store.rows);
        self.shelf = rows.into_values().flat_map(|row| row.disk).collect();
        self.shelf.extend(core::mem::take(&mut self.found).into_values());
        (self.up, self.asleep) = (false, false);
        self.life += 1;
        self.inbox.clear();
        self.downloads.clear();
        self.exchanges.clear();
        self.links.clear();
        self.wakes.clear();
        self.stirred.clear();
        self.unheard.clear();
        self.alarm = None;
    }
}

fn machine(scene: &Scene, index: usize, now: Instant) -> Machine {
    let config = config(scene, &scene.seats[index]);
    let mut rng = Rng::new(scene.seed ^ ((index as u64) << 32));
    let mut machine = Machine::new(config, rng.next(), now);
    let key = key_of(&pair(scene.seed, index));
    machine.know(key, key, now);
    machine
}

fn config(scene: &Scene, seat: &Seat) -> Config {
    let url = Url::parse("https://origin.example/").expect("a URL");
    let mut origin = Origin::new(ORIGIN.into(), url);
    origin.ignore_query = vec!["t".into()];
    origin.share = scene.share;
    let mut config = Config { origins: vec![origin], ..Config::default() };
    config.cache.memory = Size(seat.memory);
    config.cache.disk = Size(seat.disk);
    config.caps.cpu = None;
    config.caps.rates = rates(seat);
    config.sharing.enabled = scene.sharing;
    config.sharing.min_audience = scene.min_audience;
    if scene.sharing {
        let witness = |(index, seat): (usize, &Seat)| {
            (seat.role == Role::Witness).then(|| key_of(&pair(scene.seed, index)))
        };
        config.network.name = "sim".into();
        config.network.verify = vec![scene.rung];
        config.network.role = seat.role;
        config.network.witnesses = scene.seats.iter().enumerate().filter_map(witness).collect();
    }
    config
}

/// What a node of a world may give and take.
pub fn rates(seat: &Seat) -> Rates {
    seat.caps.unwrap_or(Rates { upload_wan: WanUpload::Free, ..Rates::default() })
}

/// The key pair of a node in a world.
pub fn pair(seed: u64, index: usize) -> Ed25519KeyPair {
    let mut rng = Rng::new(seed ^ 0xed25519 ^ ((index as u64) << 40));
    let mut bytes = [0; 32];
    bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next().to_le_bytes()));
    Ed25519KeyPair::from_seed_unchecked(&bytes).expect("32 bytes are a seed")
}

pub fn key_of(pair: &Ed25519KeyPair) -> NodeKey {
    let mut key = [0; 32];
    key.copy_from_slice(pair.public_key().as_ref());
    NodeKey(key)
}
