//! A node of a network that lies: for tests of what its peers make of it.
//!
//! It proves that it belongs, claims to have every segment that is sought, and then gives wrong
//! bytes (`bytes`), gives nothing (`silent`), or says for ever that it is coming (`coming`); or it
//! names a victim to everybody, as a node that it knows and as one to meet now (`names=ADDRESS`).
//! `liar bytes SECRET-FILE ADDRESS...`; each line on standard output is how often it was asked
//! and how often it gave, and the links that it has.
#![allow(clippy::print_stdout, reason = "a program for a terminal, not a part of the daemon")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use neap::base::digest::Digest;
use neap::base::id::RowId;
use neap::base::limits;
use neap::base::peer::{PeerId, Tier};
use neap::base::range::ByteRange;
use neap::base::segment::{BlockSet, SegmentId};
use neap::host::clock;
use neap::net::ground::door::Door;
use neap::net::ground::reactor::Reactor;
use neap::net::peer::port::Port;
use neap::net::peer::settings::Settings;
use neap::node::event::Input;
use neap::node::peering::{PeerOrder, Peering};
use neap::store::row::Keep;
use neap::store::rows::{Options, Store};
use neap::wire::message::Message;
use neap::wire::punch::{Mapping, Punch};
use neap::wire::record::Record;
use smol::{LocalExecutor, Timer};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let lie = words.first().and_then(|word| Lie::of(word));
    let (Some(lie), [_, secret, addresses @ ..]) = (lie, &words[..]) else {
        println!("usage: liar bytes|silent|coming|names=ADDRESS SECRET-FILE ADDRESS...");
        std::process::exit(2);
    };
    let secret = std::fs::read(secret).expect("a file with the network's secret");
    let addresses = addresses.iter().map(|word| word.parse().expect("ADDRESS:PORT")).collect();
    live(lie, secret, addresses);
}

/// What it does when it is asked for a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// It gives others.
    Bytes,
    /// It gives none.
    Silent,
    /// It never has it, and always soon.
    Coming,
    /// It never has it, and names this address.
    Names(IpAddr),
}

/// What it knows, and how much it lied.
struct Liar {
    lie: Lie,
    /// Each with the address that was dialled.
    links: BTreeMap<PeerId, Option<SocketAddr>>,
    /// Who has had enough of it.
    parted: BTreeSet<SocketAddr>,
    sought: BTreeMap<SegmentId, BTreeSet<PeerId>>,
    records: BTreeMap<SegmentId, Record>,
    asked: u64,
    given: u64,
}

impl Lie {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "bytes" => Self::Bytes,
            "silent" => Self::Silent,
            "coming" => Self::Coming,
            _ => Self::Names(word.strip_prefix("names=")?.parse().ok()?),
        })
    }
}

impl Liar {
    /// What is said and given when something happened.
    fn on(&mut self, what: &Peering) -> Vec<PeerOrder> {
        match what {
            Peering::Joined { peer, dialled, .. } => drop(self.links.insert(*peer, *dialled)),
            Peering::Gone { peer, why } => {
                self.parted.extend(self.links.remove(peer).flatten());
                println!("gone: {}", why.sentence());
            }
            Peering::Said { peer, message } => return self.on_message(*peer, message),
            _ => {}
        }
        Vec::new()
    }

    /// Addresses without a link whose nodes did not end one.
    fn missing(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let linked = |address: &&SocketAddr| self.links.values().flatten().any(|it| it == *address);
        let wanted = addresses.iter().filter(|it| !linked(it) && !self.parted.contains(it));
        wanted.copied().collect()
    }

    fn on_message(&mut self, peer: PeerId, message: &Message) -> Vec<PeerOrder> {
        match message {
            Message::Seek { segment, topic } => self.on_seek(peer, *segment, *topic),
            Message::Record(record) => {
                let segment = record.statement.segment;
                self.records.insert(segment, (**record).clone());
                let seekers = self.sought.get(&segment).cloned().unwrap_or_default();
                seekers.into_iter().flat_map(|seeker| self.claim(seeker, segment)).collect()
            }
            Message::Want { segment, blocks, .. } => self.on_want(peer, *segment, *blocks),
            Message::Done { segment } => {
                self.sought.get_mut(segment).map(|seekers| seekers.remove(&peer));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// It seeks the same from all others, so that it is told the record that it passes on.
    fn on_seek(&mut self, peer: PeerId, segment: SegmentId, topic: Digest) -> Vec<PeerOrder> {
        let fresh = !self.sought.contains_key(&segment);
        self.sought.entry(segment).or_default().insert(peer);
        let mut orders = self.claim(peer, segment);
        if fresh {
            let message = Message::Seek { segment, topic };
            orders.extend(self.links.keys().map(|peer| tell(*peer, message.clone())));
        }
        orders
    }

    /// What it says without being asked: that it is at it still, as who fetches slowly does.
    fn beat(&self) -> Vec<PeerOrder> {
        if let Lie::Names(victim) = self.lie {
            return self.links.keys().flat_map(|peer| names(*peer, victim)).collect();
        }
        let all = self.sought.iter().filter(|_| self.lie == Lie::Coming);
        let claims = |(segment, seekers): (&SegmentId, &BTreeSet<PeerId>)| {
            seekers.iter().flat_map(|seeker| self.claim(*seeker, *segment)).collect::<Vec<_>>()
        };
        all.flat_map(claims).collect()
    }

    fn claim(&self, peer: PeerId, segment: SegmentId) -> Vec<PeerOrder> {
        let record = self.records.get(&segment);
        let all = record.map_or(BlockSet::first(64), |it| segment.blocks(it.statement.length));
        let (here, coming) = if record.is_some() && self.lie != Lie::Coming {
            (all, BlockSet::NONE)
        } else {
            (BlockSet::NONE, all)
        };
        let known = record.map(|record| tell(peer, Message::Record(Box::new(record.clone()))));
        let have = tell(peer, Message::Have { segment, here, coming, hops: 0 });
        known.into_iter().chain([have]).collect()
    }

    fn on_want(&mut self, peer: PeerId, segment: SegmentId, blocks: BlockSet) -> Vec<PeerOrder> {
        self.asked += u64::from(blocks.len());
        let Some(record) = self.records.get(&segment).filter(|_| self.lie == Lie::Bytes) else {
            return Vec::new();
        };
        let length = record.statement.length;
        let give = |block: u8| {
            let range = ByteRange::new(0, segment.block(block, length).len());
            PeerOrder::Give { peer, segment, block, row: ROW, range }
        };
        let orders: Vec<_> = blocks.and(segment.blocks(length)).iter().map(give).collect();
        self.given += orders.len() as u64;
        orders
    }
}

/// Its one victim at many ports.
fn names(peer: PeerId, victim: IpAddr) -> Vec<PeerOrder> {
    let at = |port: u16| SocketAddr::new(victim, 8644 + port);
    let go = |port| Punch::Go { address: at(port), mapping: Mapping::Independent };
    let meet = (0..16).map(|port| tell(peer, Message::Punch(go(port))));
    let addresses = (0..16).map(at).collect();
    meet.chain([tell(peer, Message::Peers { addresses })]).collect()
}

const fn tell(peer: PeerId, message: Message) -> PeerOrder {
    PeerOrder::Tell { peer, message }
}

/// Links to all addresses and lies to whoever is there, until it is ended.
fn live(lie: Lie, secret: Vec<u8>, addresses: Vec<SocketAddr>) {
    let reactor = Reactor::new().expect("a reactor");
    let executor = Rc::new(LocalExecutor::new());
    let store = Store::new(Options { memory: 1 << 20, path: None });
    store.open(ROW, Keep::Cached);
    let wrong: Vec<u8> = (0..limits::block::BLOCK).map(|at| (at % 251) as u8).collect();
    store.place(ROW, 0, (BytesMut::from(&wrong[..]), Digest::of(&wrong)));
    let liar = Rc::new(RefCell::new(Liar {
        lie,
        links: BTreeMap::new(),
        parted: BTreeSet::new(),
        sought: BTreeMap::new(),
        records: BTreeMap::new(),
        asked: 0,
        given: 0,
    }));
    let port: Rc<RefCell<Option<Rc<Port>>>> = Rc::default();
    let door = Door {
        submit: submit(Rc::clone(&liar), Rc::clone(&port)),
        now: clock::now,
        wall: clock::date,
        date: clock::trusted_date,
        store,
        executor: Rc::clone(&executor),
        reactor: Rc::clone(&reactor),
    };
    let settings = Settings {
        name: "home".into(),
        secret: Some(secret),
        listen: vec![SocketAddr::from(([0; 4], 8644))],
        max_peers: 24,
        ..Settings::default()
    };
    let made = Port::new(door, settings).expect("a port");
    *port.borrow_mut() = Some(Rc::clone(&made));
    let _ = made.listen().expect("port 8644");
    reactor.run(&executor, async move {
        loop {
            for address in liar.borrow().missing(&addresses) {
                made.order(PeerOrder::Dial {
                    address,
                    key: None,
                    tier: Tier::Home,
                    strange: false,
                });
            }
            for _ in 0..4 {
                Timer::after(Duration::from_millis(250)).await;
                let beat = liar.borrow().beat();
                beat.into_iter().for_each(|order| made.order(order));
            }
            let liar = liar.borrow();
            println!("asked {} given {} links {}", liar.asked, liar.given, liar.links.len());
        }
    });
}

/// As the daemon's loop: what comes while an order is carried out waits for its turn.
fn submit(liar: Rc<RefCell<Liar>>, port: Rc<RefCell<Option<Rc<Port>>>>) -> Rc<dyn Fn(Input)> {
    let (inbox, turning) = (RefCell::new(Vec::new()), Cell::new(false));
    Rc::new(move |input| {
        let Input::Peer(what) = input else { return };
        inbox.borrow_mut().push(*what);
        if turning.replace(true) {
            return;
        }
        while !inbox.borrow().is_empty() {
            let what = inbox.borrow_mut().remove(0);
            let orders = liar.borrow_mut().on(&what);
            let ours = port.borrow().clone();
            if let Some(ours) = ours {
                orders.into_iter().for_each(|order| ours.order(order));
            }
        }
        turning.set(false);
    })
}

/// The one row of its store: a block of wrong bytes.
const ROW: RowId = RowId(1);
