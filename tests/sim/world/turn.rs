//! The world: every input goes through a real machine, every output to a modelled port.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use neap::base::digest::Digest;
use neap::base::id::RowId;
use neap::base::limits;
use neap::base::range::ByteRange;
use neap::base::rng::Rng;
use neap::base::time::Instant;
use neap::node::disk::Disk;
use neap::node::event::{Input, Output};
use neap::node::overview::Figures;

use super::calendar::{Calendar, Event};
use super::library::{Library, Thing};
use super::node::{Node, Offer};
use super::peers::Link;
use super::pipes::Pipes;
use super::player::{Play, Player, Session};
use super::scene::{Happening, START, Scene};
use super::store::Row;
use crate::checks::all::Checks;

/// All nodes, the origin and the wires between them.
pub struct World {
    pub scene: Scene,
    pub rng: Rng,
    pub calendar: Calendar,
    pub nodes: Vec<Node>,
    pub pipes: Pipes,
    pub library: Library,
    pub links: BTreeMap<u64, Link>,
    pub last_link: u64,
    /// The wires of homes: down and up; and the origin's own.
    pub home_pipes: Vec<(Option<usize>, Option<usize>)>,
    pub origin_pipe: Option<usize>,
    /// Homes that do not reach each other, until when.
    pub parted: Vec<((usize, usize), Instant)>,
    /// How often a node asked for a thing.
    pub asked: BTreeMap<(usize, Thing), u64>,
    /// Requests that the origin answered with content, and their bytes.
    pub origin_asked: BTreeMap<Thing, (u64, u64)>,
    /// Bytes of bodies that came from the origin, playlists left out.
    pub origin_bytes: u64,
    /// The same for each thing.
    pub origin_sent: BTreeMap<Thing, u64>,
    /// Bytes of blocks that came from peers, and those of them that were not here before.
    pub came_bytes: u64,
    pub fresh_bytes: u64,
    /// Messages between homes that are no blocks, by kind: how many, and their bytes.
    pub words: BTreeMap<u8, (u64, u64)>,
    /// Bytes of blocks that came from peers and were placed.
    pub peer_bytes: u64,
    /// Those of them that came from the home or the same provider.
    pub near_bytes: u64,
    /// Those of them that each node took.
    pub took: BTreeMap<usize, u64>,
    /// When a node had a segment whole.
    pub complete: BTreeMap<(usize, Thing), Instant>,
    pub sessions: Vec<Session>,
    pub checks: Checks,
    pub turns: u64,
    /// What is broken on purpose, to see that it is found.
    pub plant: Option<Plant>,
    /// Whether everything is printed.
    pub tells: bool,
}

/// A fault that is put into the world for a checker to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Bytes change on their way into a row.
    WrongBytes,
    /// An exchange hears its answer twice.
    AnswerTwice,
    /// No exchange hears its answer.
    AnswerNever,
    /// Slices stay that should go.
    Hoard,
}

impl World {
    pub fn new(scene: Scene) -> Self {
        let mut pipes = Pipes::default();
        pipes.quantum = scene.quantum;
        let homes = scene.homes.iter().map(|home| (pipes.pipe(home.down), pipes.pipe(home.up)));
        let home_pipes = homes.collect();
        let origin_pipe = pipes.pipe(scene.origin.rate);
        let mut nodes: Vec<Node> =
            (0..scene.seats.len()).map(|index| Node::new(&scene, index, START)).collect();
        for (node, seat) in nodes.iter_mut().zip(&scene.seats) {
            (node.down, node.up_pipe) = (pipes.pipe(seat.down), pipes.pipe(seat.up));
        }
        let mut world = Self {
            rng: Rng::new(scene.seed ^ 0xc4a2ce),
            calendar: Calendar::new(START),
            library: Library::new(scene.shows.clone(), scene.seed),
            nodes,
            pipes,
            links: BTreeMap::new(),
            last_link: 0,
            home_pipes,
            origin_pipe,
            parted: Vec::new(),
            asked: BTreeMap::new(),
            origin_asked: BTreeMap::new(),
            origin_bytes: 0,
            origin_sent: BTreeMap::new(),
            came_bytes: 0,
            fresh_bytes: 0,
            words: BTreeMap::new(),
            peer_bytes: 0,
            near_bytes: 0,
            took: BTreeMap::new(),
            complete: BTreeMap::new(),
            sessions: Vec::new(),
            checks: Checks::default(),
            turns: 0,
            plant: None,
            tells: false,
            scene,
        };
        for (index, (at, _)) in world.scene.happenings.iter().enumerate() {
            world.calendar.at(*at, Event::Happening(index));
        }
        for node in 0..world.nodes.len() {
            world.begin(node);
        }
        world
    }

    /// A counter of all nodes together.
    pub fn counted(&self, name: &str) -> u64 {
        let of = |node: &Node| {
            let status = node.machine.status(self.now(), Figures::default());
            status.counters.get(name).copied().unwrap_or(0)
        };
        self.nodes.iter().map(of).sum()
    }

    /// A node begins: its date, its players, its peers.
    pub fn begin(&mut self, node: usize) {
        let life = self.nodes[node].life;
        let now = self.now();
        if let Some(date) = self.date_at(node) {
            self.later(node, Duration::from_millis(1), Input::Dated(date));
        }
        for index in 0..self.scene.audience.len() {
            let audience = self.scene.audience[index];
            if audience.node != node || audience.goes <= now {
                continue;
            }
            let player = self.nodes[node].players.len();
            let comes = audience.comes.max(now);
            self.nodes[node].players.push(Player::new(node, index, audience, comes));
            let event = |what| Event::Player { node, life, player, what };
            self.calendar.at(comes, event(Play::Come));
            self.calendar.at(audience.goes, event(Play::Go));
        }
        if self.scene.sharing {
            self.discover(node);
        }
    }

    pub fn now(&self) -> Instant {
        self.calendar.now
    }

    /// Seconds since the world began, for people.
    pub fn clock(&self) -> String {
        format!("{:10.6}", (self.now() - START).as_secs_f64())
    }

    /// Lets time pass until the scene ends.
    pub fn run(&mut self) {
        let ends = self.scene.ends;
        while let Some(event) = self.calendar.next(ends) {
            self.on_event(event);
        }
        self.calendar.now = ends;
        self.checks.answers.at_end(ends);
        for node in 0..self.nodes.len() {
            self.drop_players(node);
        }
        self.sessions.sort_by_key(|session| (session.audience, session.came));
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Tick { node, life } => {
                let due = self.nodes[node].alarm.is_some_and(|at| at <= self.now());
                if self.is_life(node, life) && due {
                    let now = self.now();
                    let calm = self.checks.bounds.ticked(node, now);
                    if !calm {
                        // It would tick for ever: time must go on for the checkers to tell.
                        return;
                    }
                    self.nodes[node].alarm = None;
                    self.submit(node, Input::Tick);
                }
            }
            Event::Later { node, life, input } if self.is_life(node, life) => {
                self.submit(node, *input);
            }
            Event::Carried { pipe } => self.on_carried(pipe),
            Event::Arrived { flow } => self.on_arrived(flow),
            Event::Origin { node, life, fetch, step } if self.is_life(node, life) => {
                self.on_origin(node, fetch, step);
            }
            Event::Player { node, life, player, what } if self.is_life(node, life) => {
                self.on_player(node, player, what);
            }
            Event::Dialled(dialled) => self.on_dialled(*dialled),
            Event::Broken { link, side } => self.on_link_broken(link, side),
            Event::Loaded { node, life, row, at } if self.is_life(node, life) => {
                self.on_loaded(node, RowId(row), at);
            }
            Event::Wake { node, life } if self.is_life(node, life) => self.wake(node),
            Event::Happening(index) => {
                let (_, happening) = self.scene.happenings[index];
                self.happen(happening);
            }
            Event::Later { .. }
            | Event::Origin { .. }
            | Event::Player { .. }
            | Event::Wake { .. }
            | Event::Loaded { .. } => {}
        }
    }

    pub fn is_life(&self, node: usize, life: u32) -> bool {
        self.nodes[node].up && self.nodes[node].life == life
    }

    /// Hands an input in after a while.
    pub fn later(&mut self, node: usize, after: Duration, input: Input) {
        let life = self.nodes[node].life;
        self.calendar.after(after, Event::Later { node, life, input: Box::new(input) });
    }

    /// Hands an input to a node's machine; what follows from it has happened on return.
    pub fn submit(&mut self, node: usize, input: Input) {
        self.submit_with(node, (input, None));
    }

    /// The same with the bytes of a block.
    pub fn submit_with(&mut self, node: usize, input: (Input, Option<Offer>)) {
        self.nodes[node].inbox.push_back(input);
        self.stir(node);
    }

    /// Lets a node do all that it can do now.
    pub fn stir(&mut self, node: usize) {
        if self.nodes[node].asleep || core::mem::replace(&mut self.nodes[node].turning, true) {
            return;
        }
        loop {
            let seat = &mut self.nodes[node];
            if let Some((input, offer)) = seat.inbox.pop_front() {
                self.turn(node, input, offer);
            } else if let Some(exchange) = seat.stirred.pop_first() {
                self.follow(node, exchange);
            } else if let Some(row) = seat.wakes.pop_first() {
                let follows = seat.exchanges.iter().filter(|(_, it)| it.row == Some(row));
                let follows: Vec<_> = follows.map(|(id, _)| *id).collect();
                seat.stirred.extend(follows);
            } else {
                break;
            }
        }
        self.nodes[node].turning = false;
        self.set_alarm(node);
    }

    fn set_alarm(&mut self, node: usize) {
        let seat = &mut self.nodes[node];
        let due = seat.machine.poll_timeout().map(|(at, _)| at);
        if due != seat.alarm {
            seat.alarm = due;
            if let Some(at) = due {
                let life = seat.life;
                self.calendar.at(at, Event::Tick { node, life });
            }
        }
    }

    /// One turn of a machine: an input in, its outputs carried out.
    fn turn(&mut self, node: usize, input: Input, offer: Option<Offer>) {
        let now = self.now();
        self.turns += 1;
        if self.tells {
            println!("{} node {node} < {input:?}", self.clock());
        }
        if let Input::Disk(Disk::Loaded { row, present, .. }) = &input {
            // What came up since is told of by the next.
            let seat = &mut self.nodes[node];
            let open = seat.store.rows.get(row).filter(|open| open.present != *present);
            if open.is_none() {
                seat.unheard.remove(row);
            }
        }
        self.nodes[node].offer = offer;
        self.nodes[node].handed = match &input {
            Input::Held { range, .. } => Some(*range),
            _ => None,
        };
        self.nodes[node].machine.handle(input, now);
        while let Some(output) = self.nodes[node].machine.poll_output() {
            if self.tells {
                println!("{} node {node}   > {output:?}", self.clock());
            }
            self.checks.trace.add((now, node), &output);
            self.carry_out(node, output);
        }
        self.nodes[node].offer = None;
        self.check_bounds(node);
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Answer { exchange, answer } => {
                match self.plant {
                    Some(Plant::AnswerNever) => return,
                    Some(Plant::AnswerTwice) => self.on_answer(node, exchange, answer.clone()),
                    _ => {}
                }
                self.on_answer(node, exchange, answer);
            }
            Output::Resume { exchange } => self.on_resume(node, exchange),
            Output::Cut { exchange } => self.on_cut(node, exchange),
            Output::Upload { .. } => self.checks.assert(false, || "nobody uploads here".into()),
            Output::Fetch(order) => self.on_fetch(node, *order),
            Output::Take { fetch, row, at, held } => self.take((node, fetch), (row, at), held),
            Output::Place { fetch } => self.place_held(node, fetch),
            Output::Cancel { fetch } => {
                // While its head is handed in, the port waits for the turn's end.
                if self.nodes[node].asking != Some(fetch) {
                    self.drop_download(node, fetch);
                }
            }
            Output::Peer(order) => self.on_peer_order(node, *order),
            Output::Say(..) | Output::Share { .. } | Output::Rest | Output::Wake => {}
            Output::Note { .. } | Output::Sense(_) => {}
            Output::Announce(call) => {
                self.checks.assert(false, || format!("node {node} tells a tracker {call:?}"));
            }
            other => self.carry_out_store(node, other),
        }
    }

    fn carry_out_store(&mut self, node: usize, output: Output) {
        let rows = &mut self.nodes[node].store.rows;
        let mut fault = None;
        match output {
            Output::Open { row, keep } => {
                if rows.insert(row, Row::new(keep)).is_some() {
                    fault = Some("a row is opened twice");
                }
            }
            Output::Close { row } => match rows.remove(&row) {
                Some(_) => drop(self.nodes[node].wakes.insert(row)),
                None => fault = Some("a row is closed twice"),
            },
            Output::Pass { row } => match rows.get_mut(&row) {
                Some(open) => {
                    open.keep = false;
                    open.let_pass();
                }
                None => fault = Some("a closed row passes"),
            },
            Output::End { row, length } => match rows.get_mut(&row) {
                Some(open) => {
                    open.length = Some(length);
                    self.nodes[node].wakes.insert(row);
                }
                None => fault = Some("a closed row ends"),
            },
            // Modelled readers take at once: nothing has to wait for them.
            Output::Limit { .. } => {}
            Output::Evict { .. } if self.plant == Some(Plant::Hoard) => {}
            Output::Evict { row, slice } => match rows.get_mut(&row) {
                Some(open) => open.remove(super::store::window(slice)),
                None => fault = Some("a closed row loses a slice"),
            },
            Output::Persist { row, slice, header, bytes, .. } => {
                self.persist(node, (row, slice, bytes), header);
            }
            Output::Unlink { row, slice } => {
                if let Some(open) = rows.get_mut(&row) {
                    open.disk.remove(&slice);
                }
            }
            Output::Adopt { token, row } => self.adopt(node, token, row),
            other => self.checks.assert(false, || format!("no port for {other:?}")),
        }
        if let Some(fault) = fault {
            self.checks.assert(false, || format!("node {node}: {fault}"));
        }
    }

    fn persist(&mut self, node: usize, (row, slice, ordered): (RowId, u32, u64), header: Vec<u8>) {
        let open = self.nodes[node].store.rows.get_mut(&row);
        let sheet = open.and_then(|open| Some((open.slice(slice, header)?, open)));
        let bytes = sheet.as_ref().map_or(0, |(sheet, _)| sheet.bytes);
        if let Some((sheet, open)) = sheet {
            open.disk.insert(slice, sheet);
            let disk = Disk::Persisted { row, slice, bytes };
            self.later(node, Duration::from_millis(20), Input::Disk(disk));
        }
        let wrote = Disk::Wrote { ordered, bytes };
        self.later(node, Duration::from_millis(20), Input::Disk(wrote));
    }

    fn adopt(&mut self, node: usize, token: u64, row: Option<RowId>) {
        let Some((slice, sheet)) = self.nodes[node].found.remove(&token) else { return };
        if let Some(open) = row.and_then(|row| self.nodes[node].store.rows.get_mut(&row)) {
            open.disk.insert(slice, sheet);
        }
    }

    /// A node finds what its disk has of an earlier life.
    pub fn scan(&mut self, node: usize) {
        let shelf = core::mem::take(&mut self.nodes[node].shelf);
        for (token, (slice, sheet)) in (1..).zip(shelf) {
            let (bytes, header) = (sheet.bytes, sheet.header.clone().into());
            self.nodes[node].found.insert(token, (slice, sheet));
            let disk = Disk::Found { token, slice, bytes, header };
            self.later(node, Duration::from_millis(5 + token), Input::Disk(disk));
        }
    }

    /// Notes when a row that belongs to a segment is whole.
    pub fn note_complete(&mut self, node: usize, row: RowId) {
        let Some(open) = self.nodes[node].store.rows.get(&row) else { return };
        let Some(length) = open.length.filter(|_| open.keep) else { return };
        if length > 0 && open.present.covers(ByteRange::new(0, length)) {
            let content = open.read(ByteRange::new(0, 1)).first().map(|(_, stuff)| stuff.content);
            let thing = content.and_then(|content| self.library.truth(content));
            if let Some(thing) = thing.filter(|thing| thing.is_media()) {
                let now = self.calendar.now;
                self.complete.entry((node, thing)).or_insert(now);
            }
        }
    }

    fn check_bounds(&mut self, node: usize) {
        let seat = &self.nodes[node];
        let unheard: u64 = seat.unheard.values().sum();
        let under_way = seat.downloads.len() as u64 * limits::block::BLOCK;
        let slack = under_way + unheard + limits::block::SLICE;
        let bound = self.scene.seats[node].memory + slack;
        self.checks.bounds.look(node, seat, bound);
    }

    /// What happens to a node or a way.
    fn happen(&mut self, happening: Happening) {
        if self.tells {
            println!("{} {happening:?}", self.clock());
        }
        match happening {
            Happening::Crash { node } => self.fall(node, false),
            Happening::Leave { node } => self.fall(node, true),
            Happening::Back { node, cache } => {
                if self.nodes[node].up {
                    return;
                }
                let now = self.now();
                let scene = self.scene.clone();
                self.nodes[node].restart(&scene, (node, now));
                if cache {
                    self.scan(node);
                } else {
                    self.nodes[node].shelf.clear();
                }
                self.begin(node);
            }
            Happening::Clock { node, by } => {
                self.nodes[node].date = by;
                if let (Some(date), true) = (self.date_at(node), self.nodes[node].up) {
                    self.submit(node, Input::Dated(date));
                }
            }
            Happening::Standby { node, lasts } => self.sleep(node, lasts),
            Happening::Parted { homes, lasts } => self.part(homes, lasts),
            Happening::Seek { audience, to } => self.seek_audience(audience, to),
        }
    }

    fn fall(&mut self, node: usize, orderly: bool) {
        if !self.nodes[node].up {
            return;
        }
        if self.nodes[node].asleep {
            self.nodes[node].asleep = false;
            self.nodes[node].players.iter_mut().for_each(|player| player.slept(self.calendar.now));
        }
        self.drop_players(node);
        self.lose_links(node, orderly);
        let fetches: BTreeSet<_> = self.nodes[node].downloads.keys().copied().collect();
        fetches.into_iter().for_each(|fetch| self.drop_download(node, fetch));
        self.checks.answers.fallen(node);
        self.checks.bans.fallen(node);
        self.nodes[node].fall();
    }

    fn sleep(&mut self, node: usize, lasts: Duration) {
        if !self.nodes[node].up || self.nodes[node].asleep {
            return;
        }
        self.pause_players(node);
        self.nodes[node].asleep = true;
        self.hold_links(node, lasts);
        let life = self.nodes[node].life;
        self.calendar.after(lasts, Event::Wake { node, life });
    }

    /// A node wakes: all that came meanwhile comes at once, downloads are dead.
    pub fn wake(&mut self, node: usize) {
        if !self.nodes[node].up || !self.nodes[node].asleep {
            return;
        }
        self.nodes[node].asleep = false;
        self.checks.answers.woke(node, self.calendar.now);
        // First of all: while it slept nothing was played, so that nobody saw a stall.
        self.wake_players(node);
        self.break_downloads(node);
        self.stir(node);
    }

    fn seek_audience(&mut self, audience: usize, to: u64) {
        let Some(wants) = self.scene.audience.get(audience) else { return };
        let node = wants.node;
        let is_it = |player: &Player| player.audience == audience;
        if let Some(player) = self.nodes[node].players.iter().position(is_it) {
            if self.nodes[node].up && !self.nodes[node].asleep {
                self.seek(node, player, to);
            }
        }
    }

    /// The pipes from the origin to a node.
    pub fn route_from_origin(&self, node: usize) -> Vec<usize> {
        let home = self.home_pipes[self.scene.seats[node].home].0;
        [self.origin_pipe, home, self.nodes[node].down].into_iter().flatten().collect()
    }

    /// A number that stands for all that the machines ever wanted done.
    pub fn trace(&self) -> Digest {
        self.checks.trace.digest()
    }
}
