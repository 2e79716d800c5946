//! What a world is made of, all of it from one seed: homes, nodes, shows, players, mishaps.

use std::time::Duration;

use neap::base::peer::Role;
use neap::base::rng::Rng;
use neap::base::time::Instant;
use neap::base::units::Rate;
use neap::config::caps::{Rates, WanUpload};
use neap::config::model::{Rung, Share};

use super::library::{Access, Show, Validator};

/// Everything that does not depend on what the nodes do.
#[derive(Clone, Debug)]
pub struct Scene {
    pub seed: u64,
    /// Whether the nodes know each other.
    pub sharing: bool,
    /// Whose word counts.
    pub rung: Rung,
    /// What the origin's section says, and the audience that wide sharing needs.
    pub share: Share,
    pub min_audience: usize,
    pub homes: Vec<Home>,
    pub seats: Vec<Seat>,
    pub shows: Vec<Show>,
    pub audience: Vec<Audience>,
    pub origin: Origin,
    pub troubles: Vec<Trouble>,
    /// In order of time.
    pub happenings: Vec<(Instant, Happening)>,
    pub ends: Instant,
    /// Bytes that go over a wire as one.
    pub quantum: u64,
    /// Nodes that one node is told of in a large world.
    pub friends: usize,
    /// Parcels in a thousand that are lost on wide ways.
    pub loss: u64,
}

/// A line to the provider; bits a second, none where it is never narrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Home {
    pub down: Option<u64>,
    pub up: Option<u64>,
    pub delay: Duration,
    /// Whose customer it is; those of one provider are near to each other.
    pub isp: Option<usize>,
    /// Nobody outside can link to it: it dials, and is linked to who can be dialled.
    pub hidden: bool,
    /// All such homes are in one network, so that they count as one place.
    pub crowded: bool,
}

/// A place for a node.
#[derive(Clone, Debug)]
pub struct Seat {
    pub home: usize,
    /// Its own interface.
    pub down: Option<u64>,
    pub up: Option<u64>,
    pub role: Role,
    pub lie: Lie,
    pub memory: u64,
    pub disk: u64,
    /// Whether its clock is set.
    pub dated: bool,
    /// What it may give and take; all where nothing is said.
    pub caps: Option<Rates>,
}

/// How a node deceives its peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lie {
    /// Blocks in a thousand that are wrong.
    pub bytes: u64,
    /// It says that it has everything.
    pub haves: bool,
    /// It never gives what it was asked for.
    pub silent: bool,
    /// It gives this late.
    pub slow: Duration,
    /// Its records are forged.
    pub records: bool,
    /// It vouches for the wrong bytes that it gives, as others do who lie with it.
    pub colludes: bool,
}

/// Somebody watches something.
#[derive(Clone, Copy, Debug)]
pub struct Audience {
    pub node: usize,
    pub show: usize,
    pub comes: Instant,
    pub goes: Instant,
    /// Whether it changes renditions; else it stays with the highest.
    pub adapts: bool,
    /// Seconds that it buffers on demand.
    pub goal: Duration,
    /// Segments behind the edge at which it begins.
    pub behind: u64,
}

/// The origin's own line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    pub rate: Option<u64>,
    pub delay: Duration,
}

/// A time in which the origin fails.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub from: Instant,
    pub to: Instant,
    pub kind: Mishap,
    /// Requests in a thousand that it meets.
    pub chance: u64,
    /// Whom it meets; all where none is named.
    pub node: Option<usize>,
}

/// What goes wrong at the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    Refuse,
    Silent,
    Reset,
    /// The body pauses so long in its middle.
    Stall(Duration),
    Status(u16),
}

/// What befalls a node or a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It goes down without a word.
    Crash { node: usize },
    /// It goes down in order.
    Leave { node: usize },
    /// It comes back, with what its disk has or without.
    Back { node: usize, cache: bool },
    /// Its date jumps by so many seconds; without a date it has none any more.
    Clock { node: usize, by: Option<i64> },
    /// It sleeps.
    Standby { node: usize, lasts: Duration },
    /// Two homes do not reach each other.
    Parted { homes: (usize, usize), lasts: Duration },
    /// A player goes elsewhere in a show on demand.
    Seek { audience: usize, to: u64 },
}

/// When every world begins: an hour after boot.
pub const START: Instant = Instant::from_micros(3_600_000_000);

impl Scene {
    /// The world of a seed, as chance has it.
    pub fn chance(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let length = Duration::from_secs(40 + rng.below(60));
        let (ends, show) = (START + length, show(&mut rng));
        let top = *show.renditions.last().expect("a rendition");
        let homes = homes(&mut rng, top);
        let mut scene = Self {
            seed,
            sharing: true,
            rung: [Rung::Witness, Rung::Witness, Rung::OriginDigest, Rung::Quorum]
                [pick(&mut Rng::new(seed ^ 0x7a57), 4)],
            share: share(&mut Rng::new(seed ^ 0x5a4e)),
            min_audience: [0, 0, 3, 5][pick(&mut Rng::new(seed ^ 0xa0d1), 4)],
            seats: seats(&mut rng, (&homes, top)),
            homes,
            shows: vec![show],
            audience: vec![],
            origin: Origin {
                rate: (rng.below(6) == 0).then(|| top * (2 + rng.below(6))),
                delay: Duration::from_millis(3 + rng.below(40)),
            },
            troubles: vec![],
            happenings: vec![],
            ends,
            quantum: 16 * 1024,
            friends: 12,
            loss: [0, 0, 5, 20][pick(&mut rng, 4)],
        };
        if rng.below(4) == 0 {
            scene.shows.push(self::show(&mut rng));
        }
        if scene.rung != Rung::Witness {
            // Whoever stands there is one like others.
            scene.seats[0].role = Role::Device;
        }
        scene.seat_audience(&mut rng);
        for _ in 0..[0, 0, 1, 2][pick(&mut rng, 4)] {
            let trouble = trouble(&mut rng, &scene);
            scene.troubles.push(trouble);
        }
        for _ in 0..[0, 0, 1, 2, 4][pick(&mut rng, 5)] {
            scene.befall(&mut rng);
        }
        scene.happenings.sort_by_key(|(at, _)| *at);
        for (place, seat) in scene.seats.iter_mut().enumerate().skip(1) {
            seat.caps = caps(seed, place);
        }
        scene
    }

    /// The same world without peers.
    pub fn alone(&self) -> Self {
        Self { sharing: false, ..self.clone() }
    }

    fn seat_audience(&mut self, rng: &mut Rng) {
        for node in 0..self.seats.len() {
            if self.seats[node].role != Role::Device && rng.below(3) > 0 {
                continue;
            }
            for _ in 0..1 + rng.below(8) / 7 {
                let comes = START + Duration::from_millis(rng.below(15_000));
                let goes = match rng.below(4) {
                    0 => comes + Duration::from_secs(5 + rng.below(60)),
                    _ => self.ends + Duration::from_secs(600),
                };
                let show = pick(rng, self.shows.len());
                self.audience.push(Audience {
                    node,
                    show,
                    comes,
                    goes,
                    adapts: rng.below(3) > 0,
                    goal: Duration::from_secs(10 + rng.below(30)),
                    behind: 3,
                });
            }
        }
    }

    fn befall(&mut self, rng: &mut Rng) {
        let length = (self.ends - START).as_millis() as u64;
        let at = START + Duration::from_millis(5_000 + rng.below(length - 10_000));
        let node = pick(rng, self.seats.len());
        let lasts = Duration::from_millis(500 + rng.below(30_000));
        let mut put = |after: Duration, what| self.happenings.push((at + after, what));
        match rng.below(8) {
            0 | 1 => {
                put(Duration::ZERO, Happening::Crash { node });
                put(lasts, Happening::Back { node, cache: rng.below(2) == 0 });
            }
            2 => {
                put(Duration::ZERO, Happening::Leave { node });
                if rng.below(2) == 0 {
                    put(lasts, Happening::Back { node, cache: rng.below(2) == 0 });
                }
            }
            3 => {
                let home = self.seats[node].home;
                for (node, seat) in self.seats.iter().enumerate() {
                    if seat.home == home {
                        put(Duration::ZERO, Happening::Crash { node });
                        put(lasts, Happening::Back { node, cache: true });
                    }
                }
            }
            4 => {
                let by = (rng.below(4) > 0).then(|| rng.below(4_000_000) as i64 - 2_000_000);
                put(Duration::ZERO, Happening::Clock { node, by });
            }
            5 => put(Duration::ZERO, Happening::Standby { node, lasts }),
            6 => {
                let homes = (pick(rng, self.homes.len()), pick(rng, self.homes.len()));
                put(Duration::ZERO, Happening::Parted { homes, lasts });
            }
            _ => {
                let audience = pick(rng, self.audience.len().max(1));
                put(Duration::ZERO, Happening::Seek { audience, to: rng.below(20) });
            }
        }
    }
}

fn share(rng: &mut Rng) -> Share {
    [Share::Any, Share::Any, Share::Any, Share::Isp, Share::Home, Share::None][pick(rng, 6)]
}

fn show(rng: &mut Rng) -> Show {
    let lowest = 200_000 + rng.below(600_000);
    let renditions = (0..1 + rng.below(3)).map(|step| lowest << step).collect();
    let live = rng.below(3) > 0;
    let access = match rng.below(20) {
        0 => Access::Private,
        1 => Access::NoStore,
        2 => Access::Cookie,
        3 => Access::Selective,
        4 => Access::Authorized,
        _ => Access::Open,
    };
    let validator = match rng.below(10) {
        0 => Validator::Weak,
        1 => Validator::Date,
        2 => Validator::None,
        _ => Validator::Strong,
    };
    let anew = (rng.below(12) == 0).then(|| START + Duration::from_secs(rng.below(60)));
    Show {
        live,
        segment: Duration::from_secs([2, 2, 4, 6][pick(rng, 4)]),
        renditions,
        window: 5 + rng.below(6),
        count: 12 + rng.below(20),
        began: Instant::from_micros(START.as_micros() - OLD_MICROS - rng.below(6_000_000)),
        init: rng.below(2) == 0,
        keys: rng.below(3) == 0,
        one_file: !live && rng.below(4) == 0,
        access,
        validator,
        anew: anew.filter(|_| !live),
    }
}

fn homes(rng: &mut Rng, top: u64) -> Vec<Home> {
    let count = [1, 1, 2, 3, 5][pick(rng, 5)];
    let home = |_| Home {
        down: (rng.below(4) > 0).then(|| top * (12 + rng.below(80)) / 10),
        up: Some(top * (3 + rng.below(30)) / 10),
        delay: Duration::from_millis(2 + rng.below(30)),
        ..Home::default()
    };
    let delay = Duration::from_millis(5);
    let operators = Home { up: Some(top * 20), delay, ..Home::default() };
    [operators].into_iter().chain((0..count).map(home)).collect()
}

fn seats(rng: &mut Rng, (homes, top): (&[Home], u64)) -> Vec<Seat> {
    let mut seats = Vec::new();
    let crowded = rng.below(3) == 0;
    for home in 0..homes.len() {
        // In the first there is no household but the operator's witness, on a good line.
        let count = match (home, homes.len()) {
            (0, _) => 1,
            (_, 2) => 2 + rng.below(4),
            _ => 1 + rng.below(3),
        };
        for _ in 0..count {
            let wireless = rng.below(3) == 0;
            seats.push(Seat {
                home,
                down: wireless.then(|| top * (20 + rng.below(100)) / 10),
                up: wireless.then(|| top * (20 + rng.below(100)) / 10),
                role: Role::Device,
                lie: Lie::default(),
                memory: [4 << 20, 12 << 20, 48 << 20][pick(rng, 3)],
                disk: [0, 0, 32 << 20][pick(rng, 3)],
                dated: rng.below(5) > 0,
                caps: None,
            });
        }
    }
    if crowded {
        for seat in &mut seats {
            if rng.below(10) < 3 {
                seat.lie = lie(rng);
            }
        }
    }
    let lie = Lie::default();
    let dated = true;
    seats[0] = Seat { down: None, up: None, role: Role::Witness, lie, dated, ..seats[0].clone() };
    seats
}

/// Caps of a node; its own chance, so that they change nothing else of a world.
fn caps(seed: u64, seat: usize) -> Option<Rates> {
    let mut rng = Rng::new(seed ^ 0xca95 ^ ((seat as u64) << 24));
    if rng.below(3) > 0 {
        return None;
    }
    let mut rate = || {
        let rates = [None, None, Some(0), Some(500_000), Some(2_000_000), Some(20_000_000)];
        rates[pick(&mut rng, rates.len())].map(Rate)
    };
    Some(Rates {
        upload: rate(),
        upload_home: rate(),
        upload_isp: None,
        upload_wan: rate().map_or(WanUpload::Auto, WanUpload::Rate),
        upload_peer: rate(),
        download: rate(),
        download_home: rate(),
        download_isp: None,
        download_wan: rate(),
    })
}

fn lie(rng: &mut Rng) -> Lie {
    let mut lie = Lie::default();
    match rng.below(6) {
        0 | 1 => lie.bytes = [1000, 300, 50][pick(rng, 3)],
        2 => (lie.haves, lie.bytes) = (true, 1000),
        3 => lie.silent = true,
        4 => lie.slow = Duration::from_secs(5 + rng.below(40)),
        _ => lie.records = true,
    }
    lie
}

fn trouble(rng: &mut Rng, scene: &Scene) -> Trouble {
    let length = (scene.ends - START).as_millis() as u64;
    let from = START + Duration::from_millis(rng.below(length));
    let kind = match rng.below(7) {
        0 => Mishap::Refuse,
        1 => Mishap::Silent,
        2 => Mishap::Reset,
        3 => Mishap::Stall(Duration::from_millis(200 + rng.below(12_000))),
        4 => Mishap::Status(404),
        5 => Mishap::Status(503),
        _ => Mishap::Reset,
    };
    Trouble {
        from,
        to: from + Duration::from_millis(500 + rng.below(20_000)),
        kind,
        chance: [50, 300, 1000][pick(rng, 3)],
        node: (rng.below(2) == 0).then(|| pick(rng, scene.seats.len())),
    }
}

pub fn pick(rng: &mut Rng, of: usize) -> usize {
    usize::try_from(rng.below(of as u64)).expect("below a usize")
}

/// How long before the start a live show began.
const OLD_MICROS: u64 = 600_000_000;
