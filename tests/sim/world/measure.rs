//! What a run was worth: copies at the origin, the wait that peers add, stalls.

use std::collections::BTreeMap;
use std::time::Duration;

use neap::base::time::Instant;

use super::library::Thing;
use super::scene::Scene;
use super::turn::World;

/// Figures of one world, beside the same one without peers.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Bytes that the origin sent for each byte that somebody had of it.
    pub copies: f64,
    pub copies_alone: f64,
    /// How much later nodes had segments than without peers, in percent of a segment's duration:
    /// the median, and the 95th percentile.
    pub half: i64,
    pub most: i64,
    pub stalls: u32,
    pub stalls_alone: u32,
}

/// Runs a scene with peers and without.
pub fn both(scene: &Scene) -> (World, World) {
    let run = |scene| {
        let mut world = World::new(scene);
        world.run();
        world
    };
    (run(scene.clone()), run(scene.alone()))
}

impl Measure {
    /// What the two worlds show.
    pub fn of(shared: &World, direct: &World) -> Self {
        let segment = shared.library.shows[0].segment;
        let (half, most) = added(shared, direct, segment);
        Self {
            copies: copies(shared),
            copies_alone: copies(direct),
            half,
            most,
            stalls: stalls(shared),
            stalls_alone: stalls(direct),
        }
    }
}

fn copies(world: &World) -> f64 {
    let mut lengths: BTreeMap<Thing, u64> = BTreeMap::new();
    for (_, thing) in world.complete.keys() {
        lengths.insert(*thing, world.library.length(*thing));
    }
    let once: u64 = lengths.values().sum();
    world.origin_bytes as f64 / once.max(1) as f64
}

fn added(shared: &World, direct: &World, segment: Duration) -> (i64, i64) {
    let micros = |at: Instant| at.as_micros().cast_signed();
    let whole = i64::try_from(segment.as_micros()).unwrap_or(i64::MAX);
    let percent = |(of, alone): (&(usize, Thing), &Instant)| {
        let with = shared.complete.get(of).copied().unwrap_or(shared.scene.ends);
        (micros(with) - micros(*alone)) * 100 / whole
    };
    // What only the witness had, nobody waited for.
    let of_players = direct.complete.iter().filter(|((node, _), _)| *node != 0);
    let mut all: Vec<i64> = of_players.map(percent).collect();
    all.sort_unstable();
    let at = |part: usize| all.get(all.len() * part / 100).copied().unwrap_or(0);
    (at(50), at(95))
}

fn stalls(world: &World) -> u32 {
    world.sessions.iter().map(|session| session.stalls).sum()
}
