//! Links between nodes: dialled, spoken over, blocks given, broken; and the lies on them.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use neap::base::digest::{Algorithm, Digest, Sum};
use neap::base::id::RowId;
use neap::base::peer::{FoundBy, NodeKey, PeerId, Tier};
use neap::base::range::ByteRange;
use neap::base::segment::{BlockSet, SegmentId};
use neap::base::time::Instant;
use neap::config::model::Rung;
use neap::node::event::Input;
use neap::node::peering::{Parting, PeerOrder, Peering};
use neap::wire::message::Message;
use neap::wire::record::Record;

use super::calendar::Event;
use super::library::{ContentId, digest};
use super::node::Offer;
use super::pipes::{Cargo, FlowId, Given, Sink};
use super::store::{Stuff, moved};
use super::turn::World;
use crate::checks::caps::Whose;

/// A link between two nodes.
#[derive(Debug)]
pub struct Link {
    pub ends: [End; 2],
    /// What each side has yet to send.
    queues: [Queue; 2],
}

/// One side of a link.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub node: usize,
    pub life: u32,
    pub peer: PeerId,
    /// The flow that this side hears.
    pub hears: FlowId,
    /// Whether this side knows the link.
    pub open: bool,
}

/// What one side has yet to say and to give.
#[derive(Debug, Default)]
pub struct Queue {
    words: VecDeque<Message>,
    gives: VecDeque<Give>,
    /// The block that is on the wire of a wide way, and is told of when it has left.
    leaving: Option<(PeerId, SegmentId, u8, u32)>,
}

/// A block that is to be given.
#[derive(Clone, Copy, Debug)]
struct Give {
    segment: SegmentId,
    block: u8,
    row: RowId,
    range: ByteRange,
}

/// A dial under way.
#[derive(Clone, Copy, Debug)]
pub struct Dialled {
    node: usize,
    life: u32,
    address: SocketAddr,
    key: Option<NodeKey>,
    tier: Tier,
}

/// Where a node listens.
pub fn address(node: usize) -> SocketAddr {
    let [_, _, high, low] = u32::try_from(node).unwrap_or(0).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, high, low)), 8644)
}

fn node_at(address: SocketAddr) -> Option<usize> {
    let IpAddr::V4(address) = address.ip() else { return None };
    let [ten, _, high, low] = address.octets();
    (ten == 10).then_some(usize::from(high) * 256 + usize::from(low))
}

impl World {
    /// The local network and the configuration tell of other nodes.
    pub fn discover(&mut self, node: usize) {
        let mut rng = self.rng.fork();
        let count = self.nodes.len();
        let few = self.scene.friends.min(count);
        let mut others: Vec<usize> = (0..count).filter(|other| *other != node).collect();
        if count > few + 1 {
            for place in 0..few {
                let other = place + super::scene::pick(&mut rng, others.len() - place);
                others.swap(place, other);
            }
            others.truncate(few);
            if node != 0 && !others.contains(&0) {
                others.push(0);
            }
        }
        for other in others {
            let tier = self.tier(node, other);
            let by = if tier == Tier::Home { FoundBy::Lan } else { FoundBy::Config };
            let key = (by == FoundBy::Lan && rng.below(2) == 0).then(|| self.nodes[other].key);
            let found = Peering::Found { address: address(other), key, tier, by };
            let after = Duration::from_millis(10 + rng.below(2000));
            self.later(node, after, Input::Peer(Box::new(found)));
        }
    }

    fn tier(&self, one: usize, other: usize) -> Tier {
        let home = |node: usize| self.scene.seats[node].home;
        let isp = |node: usize| self.scene.homes[home(node)].isp;
        match home(one) == home(other) {
            true => Tier::Home,
            false if isp(one).is_some() && isp(one) == isp(other) => Tier::Isp,
            false => Tier::Wan,
        }
    }

    /// The pipes and the latency from one node to another.
    fn way(&self, from: usize, to: usize) -> (Vec<usize>, Duration) {
        let (here, there) = (self.scene.seats[from].home, self.scene.seats[to].home);
        let mut route = vec![self.nodes[from].up_pipe];
        let mut delay = Duration::from_micros(300);
        if here != there {
            route.extend([self.home_pipes[here].1, self.home_pipes[there].0]);
            delay = self.scene.homes[here].delay + self.scene.homes[there].delay;
        }
        route.push(self.nodes[to].down);
        (route.into_iter().flatten().collect(), delay)
    }

    /// Until when two nodes do not reach each other.
    fn parted_until(&self, one: usize, other: usize) -> Instant {
        let (one, other) = (self.scene.seats[one].home, self.scene.seats[other].home);
        let meets = |homes: (usize, usize)| {
            one != other && (homes == (one, other) || homes == (other, one))
        };
        let until = self.parted.iter().filter(|(homes, _)| meets(*homes)).map(|(_, until)| *until);
        until.max().unwrap_or_default()
    }

    /// Whom a node's peer is, for the checkers.
    fn whose(&self, node: usize, peer: PeerId) -> Option<Whose> {
        let (link, side) = self.link_of(node, peer)?;
        let far = self.other_end(link, side)?;
        let (life, tier) = (self.nodes[node].life, self.tier(node, far.node));
        Some(Whose { node, life, peer, tier })
    }

    /// A machine wants something done with its peers.
    pub fn on_peer_order(&mut self, node: usize, order: PeerOrder) {
        match order {
            PeerOrder::Dial { address, key, tier, .. } => {
                let life = self.nodes[node].life;
                let dialled = Dialled { node, life, address, key, tier };
                let way = node_at(address).filter(|other| *other < self.nodes.len());
                let way = way.map_or(Duration::ZERO, |other| self.way(node, other).1);
                self.calendar.after(way * 4, Event::Dialled(Box::new(dialled)));
            }
            PeerOrder::Hangup { peer, why } => self.hang_up((node, peer), why),
            PeerOrder::Tell { peer, message } => self.tell(node, peer, message),
            PeerOrder::Give { peer, segment, block, row, range } => {
                if let Some(whose) = self.whose(node, peer) {
                    let rates = super::node::rates(&self.scene.seats[node]);
                    self.checks.caps.given(whose, range.len(), (&rates, self.now()));
                }
                self.give((node, peer), Give { segment, block, row, range });
            }
            PeerOrder::Place { row, range } => self.place(node, row, range),
            PeerOrder::Prove { row, range } => self.prove(node, row, range),
            PeerOrder::Sum { row, length, algorithm } => {
                assert_eq!(algorithm, Algorithm::Sha256, "what the origin states");
                let row_here = self.nodes[node].store.rows.get(&row);
                let digest = row_here.and_then(|row| row.sum(ByteRange::new(0, length)));
                let sum = digest.map(|digest| Sum::Sha256(digest.0));
                let summed = Peering::Summed { row, sum };
                self.later(node, Duration::from_millis(10), Input::Peer(Box::new(summed)));
            }
            PeerOrder::Sign(statement) => match Record::sign(*statement, &self.nodes[node].pair) {
                Ok(record) => {
                    let signed = Peering::Signed(Box::new(record));
                    self.later(node, Duration::from_millis(1), Input::Peer(Box::new(signed)));
                }
                Err(breach) => {
                    self.checks.assert(false, || format!("node {node} signs a {breach:?}"));
                }
            },
        }
    }

    pub fn on_dialled(&mut self, dialled: Dialled) {
        let Dialled { node, life, address, key, tier } = dialled;
        if !self.is_life(node, life) {
            return;
        }
        let now = self.now();
        let there = node_at(address).filter(|other| {
            let reached = self.nodes.get(*other).is_some_and(|seat| seat.up && !seat.asleep);
            let (here, home) = (self.scene.seats[node].home, self.scene.seats[*other].home);
            let hidden = here != home && self.scene.homes[home].hidden;
            reached && !hidden && self.parted_until(node, *other) <= now
        });
        let fail = |why| Peering::Failed { dialled: Some(address), why };
        let input = match there {
            None => fail(Parting::Unreachable),
            Some(other) if other == node => fail(Parting::Own),
            Some(other) if key.is_some_and(|key| key != self.nodes[other].key) => {
                fail(Parting::OtherKey)
            }
            Some(other) => return self.join((node, other), (address, tier)),
        };
        let after = if there.is_none() { Duration::from_secs(3) } else { Duration::ZERO };
        self.later(node, after, Input::Peer(Box::new(input)));
    }

    fn join(&mut self, (node, other): (usize, usize), (address, tier): (SocketAddr, Tier)) {
        self.last_link += 1;
        let link = self.last_link;
        let end = |world: &mut Self, (from, to), side| {
            let (route, delay) = world.way(from, to);
            let hears = world.pipes.flow(Sink::Link { link, side }, route, delay);
            if let Some(flow) = world.pipes.flows.get_mut(&hears) {
                let home = world.scene.seats[from].home == world.scene.seats[to].home;
                flow.loss = if home { 0 } else { world.scene.loss };
            }
            let seat = &mut world.nodes[to];
            seat.last_peer += 1;
            let peer = PeerId(seat.last_peer);
            seat.links.insert(peer, (link, side));
            End { node: to, life: seat.life, peer, hears, open: true }
        };
        let ends = [end(self, (other, node), 0), end(self, (node, other), 1)];
        self.links.insert(link, Link { ends, queues: Default::default() });
        let delay = self.way(node, other).1;
        let joined = |world: &Self, of: usize, peer, (tier, dialled)| {
            let (key, role) = (world.nodes[of].key, world.scene.seats[of].role);
            // Each home is behind an address of its own, in a network of its own.
            let home = world.scene.seats[of].home;
            let home = if world.scene.homes[home].crowded { 0xffff } else { home };
            let home = u32::try_from(home).unwrap_or(0);
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x6440_0001 + (home << 8)));
            Input::Peer(Box::new(Peering::Joined { peer, key, role, tier, dialled, address }))
        };
        let there = joined(self, node, ends[1].peer, (self.tier(node, other), None));
        let here = joined(self, other, ends[0].peer, (tier, Some(address)));
        self.later(other, delay, there);
        self.later(node, Duration::ZERO, here);
    }

    /// Nothing is said to whom the origin's section leaves out.
    fn look_at_policy(&mut self, (node, peer): (usize, PeerId), message: &Message) {
        let Some((link, side)) = self.link_of(node, peer) else { return };
        let Some(far) = self.other_end(link, side) else { return };
        let tier = self.tier(node, far.node);
        let role = self.scene.seats[far.node].role;
        self.checks.policy.told((node, tier), (self.scene.share, role), message);
    }

    fn link_of(&self, node: usize, peer: PeerId) -> Option<(u64, usize)> {
        self.nodes[node].links.get(&peer).copied()
    }

    /// The other end of a link.
    fn other_end(&self, link: u64, side: usize) -> Option<End> {
        self.links.get(&link).map(|link| link.ends[1 - side])
    }

    fn hang_up(&mut self, (node, peer): (usize, PeerId), why: Parting) {
        let Some((link, side)) = self.link_of(node, peer) else { return };
        if let (Parting::Liar(_), Some(end)) = (&why, self.other_end(link, side)) {
            let key = self.nodes[end.node].key;
            self.checks.bans.banned(node, key);
        }
        let Some(far) = self.other_end(link, side) else { return };
        let delay = self.way(node, far.node).1;
        self.close_side(link, side);
        self.calendar.after(delay, Event::Broken { link, side: 1 - side });
        // One `Gone` follows each `Joined`, also where the node itself ended the link.
        self.submit(node, Input::Peer(Box::new(Peering::Gone { peer, why })));
    }

    /// One side knows the link no more.
    fn close_side(&mut self, link: u64, side: usize) -> Option<End> {
        let known = self.links.get_mut(&link)?;
        let end = known.ends[side];
        if !end.open {
            return None;
        }
        known.ends[side].open = false;
        let over = known.ends.iter().all(|end| !end.open);
        self.nodes[end.node].links.remove(&end.peer);
        self.cut_flow(end.hears);
        if over {
            self.links.remove(&link);
        }
        Some(end)
    }

    /// A side learns that its link is no more.
    pub fn on_link_broken(&mut self, link: u64, side: usize) {
        let Some(end) = self.close_side(link, side) else { return };
        if self.is_life(end.node, end.life) {
            let gone = Peering::Gone { peer: end.peer, why: Parting::Closed };
            self.submit(end.node, Input::Peer(Box::new(gone)));
        }
    }

    /// A node's links end with it: at once in order, else when its silence is noticed.
    pub fn lose_links(&mut self, node: usize, orderly: bool) {
        let all: Vec<(u64, usize)> = self.nodes[node].links.values().copied().collect();
        for (link, side) in all {
            self.close_side(link, side);
            let reset = orderly || self.rng.below(2) == 0;
            let after = if reset { Duration::from_millis(5) } else { SILENCE };
            self.calendar.after(after, Event::Broken { link, side: 1 - side });
        }
    }

    /// Nothing arrives at or from a node for a while; long silence breaks its links.
    pub fn hold_links(&mut self, node: usize, lasts: Duration) {
        let links: Vec<u64> = self.nodes[node].links.values().map(|(link, _)| *link).collect();
        links.into_iter().for_each(|link| self.hold(link, lasts));
    }

    fn hold(&mut self, link: u64, lasts: Duration) {
        let until = self.now() + lasts;
        let Some(known) = self.links.get(&link) else { return };
        for end in known.ends {
            if let Some(flow) = self.pipes.flows.get_mut(&end.hears) {
                flow.held = flow.held.max(until);
            }
        }
        if lasts >= SILENCE {
            for side in 0..2 {
                self.calendar.after(SILENCE, Event::Broken { link, side });
            }
        }
    }

    /// Two homes do not reach each other for a while.
    pub fn part(&mut self, homes: (usize, usize), lasts: Duration) {
        if homes.0 == homes.1 {
            return;
        }
        let until = self.now() + lasts;
        self.parted.push((homes, until));
        let all: Vec<u64> = self.links.keys().copied().collect();
        for link in all {
            let [one, other] = self.links[&link].ends.map(|end| end.node);
            if self.parted_until(one, other) >= until {
                self.hold(link, lasts);
            }
        }
    }

    fn tell(&mut self, node: usize, peer: PeerId, message: Message) {
        self.checks.privacy.told(node, &self.library, &message);
        self.look_at_policy((node, peer), &message);
        let Some((link, side)) = self.link_of(node, peer) else { return };
        let Some(far) = self.other_end(link, side) else { return };
        if let Message::Want { segment, blocks, .. } = &message {
            let key = self.nodes[far.node].key;
            self.checks.bans.asked((node, key), *segment, *blocks);
            if let Some(whose) = self.whose(node, peer) {
                let rates = super::node::rates(&self.scene.seats[node]);
                let now = self.now();
                for _ in blocks.iter() {
                    self.checks.caps.asked(whose, 65_536, (&rates, now));
                }
            }
        }
        self.checks.bounds.told(node);
        let Some(message) = self.lie_in_words(node, message) else { return };
        if let Some(known) = self.links.get_mut(&link) {
            known.queues[side].words.push_back(message);
            let waiting = known.queues[side].words.len();
            self.checks
                .assert(waiting <= WORDS, || format!("node {node} lets {waiting} words wait"));
        }
        self.refill(link, side);
    }

    /// Hands as much to a side's kernel as that takes: words first, then blocks.
    pub fn refill(&mut self, link: u64, side: usize) {
        loop {
            let Some(known) = self.links.get_mut(&link) else { return };
            let (own, far) = (known.ends[side], known.ends[1 - side]);
            let flow = self.pipes.flows.get(&far.hears);
            let is_wide = self.scene.seats[own.node].home != self.scene.seats[far.node].home;
            let most = if is_wide { WIDE_SOCKET } else { SOCKET };
            if !own.open || flow.is_none_or(|flow| flow.backlog >= most) {
                return;
            }
            if let Some((peer, segment, block, bytes)) = known.queues[side].leaving.take() {
                let given = Peering::Given { peer, segment, block, bytes };
                self.later(own.node, Duration::ZERO, Input::Peer(Box::new(given)));
                continue;
            }
            if let Some(message) = known.queues[side].words.pop_front() {
                if is_wide {
                    let said = self.words.entry(message.kind().0).or_default();
                    *said = (said.0 + 1, said.1 + size(&message));
                }
                self.send(far.hears, size(&message), Cargo::Message(Box::new(message)));
            } else if let Some(give) = known.queues[side].gives.pop_front() {
                self.give_now(
                    (own.node, own.peer),
                    (far.hears, is_wide.then_some((link, side))),
                    give,
                );
            } else {
                return;
            }
        }
    }

    /// What a liar says in place of what its machine wanted to say.
    fn lie_in_words(&mut self, node: usize, message: Message) -> Option<Message> {
        let lie = self.scene.seats[node].lie;
        Some(match message {
            Message::Have { segment, here, coming, hops } if lie.haves => {
                Message::Have { segment, here: here.or(BlockSet::first(64)), coming, hops }
            }
            Message::Record(record) if lie.colludes => {
                let mut statement = record.statement.clone();
                let thing = self.library.names.get(&statement.segment.resource).copied();
                let content = thing.and_then(|thing| self.library.content_of(thing));
                // Whoever told it: it says that this is what it took itself.
                if let Some(content) = content {
                    let wrong = ContentId(content.0 ^ POISON);
                    let (segment, length) = (statement.segment, statement.length);
                    for (block, said) in (0..).zip(&mut statement.blocks) {
                        *said = digest(wrong, segment.block(block, length));
                    }
                }
                let own = Record::sign(statement, &self.nodes[node].pair);
                Message::Record(Box::new(own.unwrap_or(*record)))
            }
            Message::Record(record) if lie.records => {
                let mut record = *record;
                for digest in &mut record.statement.blocks {
                    *digest = Digest::of(&digest.0);
                }
                if self.rng.below(2) == 0 {
                    let own = Record::sign(record.statement.clone(), &self.nodes[node].pair);
                    record = own.unwrap_or(record);
                }
                Message::Record(Box::new(record))
            }
            Message::Deny { .. } if lie.silent => return None,
            message => message,
        })
    }

    fn give(&mut self, (node, peer): (usize, PeerId), give: Give) {
        self.checks.privacy.gave(node, &self.library, give.segment);
        let Some((link, side)) = self.link_of(node, peer) else { return };
        if let Some(known) = self.links.get_mut(&link) {
            known.queues[side].gives.push_back(give);
            let waiting = known.queues[side].gives.len();
            self.checks
                .assert(waiting <= GIVES, || format!("node {node} lets {waiting} blocks wait"));
        }
        self.refill(link, side);
    }

    /// A block's turn has come: its bytes are read and sent, if they are still here.
    fn give_now(
        &mut self,
        (node, peer): (usize, PeerId),
        (flow, leaves): (FlowId, Option<(u64, usize)>),
        give: Give,
    ) {
        let Give { segment, block, row, range } = give;
        self.bring_up(node, row, range);
        let stuff = self.nodes[node].store.rows.get(&row).and_then(|row| row.stuff(range));
        let lie = self.scene.seats[node].lie;
        let bytes = stuff.map_or(0, |_| u32::try_from(range.len()).unwrap_or(u32::MAX));
        if let Some(mut stuff) = stuff.filter(|_| !lie.silent) {
            if lie.bytes == 0 {
                let good = self.library.truth(stuff.content).is_some();
                self.checks.verified.gave(node, segment, good);
            } else if self.rng.below(1000) < lie.bytes {
                stuff = Stuff { content: ContentId(stuff.content.0 ^ POISON), ..stuff };
            }
            let good = self.library.truth(stuff.content).is_some();
            let start = moved(range, stuff).start;
            let near = self.whose(node, peer).is_some_and(|whose| whose.tier < Tier::Wan);
            let offer = Offer { content: stuff.content, start, length: bytes, good, near };
            if lie.slow > Duration::ZERO {
                let until = self.now() + lie.slow;
                if let Some(flow) = self.pipes.flows.get_mut(&flow) {
                    flow.held = flow.held.max(until);
                }
            }
            let cargo = Cargo::Block(Box::new(Given { segment, block, offer }));
            self.send(flow, u64::from(bytes) + FRAME, cargo);
        }
        if let Some((link, side)) = leaves.filter(|_| bytes > 0 && !lie.silent) {
            if let Some(known) = self.links.get_mut(&link) {
                known.queues[side].leaving = Some((peer, segment, block, bytes));
            }
            return;
        }
        let given = Peering::Given { peer, segment, block, bytes };
        self.later(node, Duration::ZERO, Input::Peer(Box::new(given)));
    }

    /// Something came over a link.
    pub fn on_heard(&mut self, link: u64, side: usize, cargo: Cargo) {
        let Some(known) = self.links.get(&link) else { return };
        let (end, far) = (known.ends[side], known.ends[1 - side]);
        if !end.open || !self.is_life(end.node, end.life) {
            return;
        }
        let peer = end.peer;
        match cargo {
            Cargo::Message(message) => {
                let said = Peering::Said { peer, message: *message };
                self.submit(end.node, Input::Peer(Box::new(said)));
            }
            Cargo::Block(given) => {
                let Given { segment, block, offer } = *given;
                // Only a witness's word tells at once who lies.
                if !offer.good && self.scene.rung == Rung::Witness {
                    let key = self.nodes[far.node].key;
                    self.checks.bans.bad_block(end.node, key);
                }
                let bytes = ByteRange::new(offer.start, offer.start + u64::from(offer.length));
                let digest = digest(offer.content, bytes);
                let length = offer.length;
                self.came_bytes += u64::from(length);
                let block = Peering::Block { peer, segment, block, digest, length };
                self.submit_with(end.node, (Input::Peer(Box::new(block)), Some(offer)));
            }
            Cargo::Body => {}
        }
    }

    /// The block that is handed in goes into a row.
    fn place(&mut self, node: usize, row: RowId, range: ByteRange) {
        let offer = self.nodes[node].offer;
        let open = self.nodes[node].store.rows.get_mut(&row);
        let (Some(offer), Some(open)) = (offer, open) else {
            return self.checks.assert(false, || format!("node {node}: no block or no {row:?}"));
        };
        let shift = offer.start as i64 - range.start as i64;
        let stuff = Stuff { content: offer.content, shift };
        // Where enough lie together some of it is placed; how much is what a test counts.
        let together = self.scene.seats.iter().any(|seat| seat.lie.colludes);
        let apart = self.scene.rung == Rung::OriginDigest || together;
        self.checks.verified.placed(node, (range, offer), apart);
        self.fresh_bytes += open.lacks(range);
        open.insert(range, stuff);
        self.peer_bytes += range.len();
        self.near_bytes += if offer.near { range.len() } else { 0 };
        *self.took.entry(node).or_default() += range.len();
        self.nodes[node].wakes.insert(row);
        self.note_complete(node, row);
    }

    fn prove(&mut self, node: usize, row: RowId, range: ByteRange) {
        self.bring_up(node, row, range);
        let digest = self.nodes[node].store.rows.get(&row).and_then(|row| row.digest(range));
        let proven = Peering::Proven { row, range, digest };
        self.later(node, Duration::from_millis(2), Input::Peer(Box::new(proven)));
    }
}

/// Bytes of a message on the wire, about.
fn size(message: &Message) -> u64 {
    match message {
        Message::Record(record) => 240 + 32 * record.statement.blocks.len() as u64,
        Message::Seek { .. } => 90,
        _ => 64,
    }
}

/// What a liar's bytes are told by.
const POISON: u64 = 0xbad0_bad0_bad0_bad0;

/// Bytes around a block on the wire.
const FRAME: u64 = 60;

/// A link that says nothing for so long is dead: the real port waits up to forty seconds.
const SILENCE: Duration = Duration::from_secs(20);

/// Bytes that a sender's kernel takes ahead of the wire.
const SOCKET: u64 = 128 * 1024;

/// The same on a wide way, where a delay-based controller (LEDBAT++) keeps the queue short.
const WIDE_SOCKET: u64 = 16 * 1024;

/// Words and blocks that may wait for one link: the real port ends it above that.
const WORDS: usize = 3000;
const GIVES: usize = 256;
