//! What a run was worth: copies at the origin, the wait that peers add, stalls.

use std::time::Duration;

use neap::base::time::Instant;

use super::library::Thing;
use super::scene::{START, Scene};
use super::turn::World;

/// Figures of one world, beside the same one without peers.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Bytes that the origin sent for each byte of what it sent at all.
    pub copies: f64,
    pub copies_alone: f64,
    /// The same, of live segments that came when every player was there.
    pub steady: f64,
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
            copies: copies(shared, START),
            copies_alone: copies(direct, START),
            steady: copies(shared, last_comes(shared)),
            half,
            most,
            stalls: stalls(shared),
            stalls_alone: stalls(direct),
        }
    }
}

/// Of what came to be after `from`, and of all that is on demand.
fn copies(world: &World, from: Instant) -> f64 {
    let counts = |thing: &Thing| match *thing {
        Thing::Media { show, number, .. } => {
            let show = &world.library.shows[show];
            !show.live || from == START || show.there_at(number) >= from
        }
        _ => true,
    };
    let sent = || world.origin_sent.iter().filter(|(thing, _)| counts(thing));
    let once: u64 = sent().map(|(thing, _)| world.library.length(*thing)).sum();
    let bytes: u64 = sent().map(|(_, bytes)| *bytes).sum();
    bytes as f64 / once.max(1) as f64
}

/// Of each live segment, how often the origin sent it, in tenths; in order.
pub fn by_segment(world: &World) -> Vec<(usize, u64)> {
    let sent = world.origin_sent.iter().filter_map(|(thing, bytes)| match *thing {
        Thing::Media { number, .. } => {
            Some((number as usize, bytes * 10 / world.library.length(*thing).max(1)))
        }
        _ => None,
    });
    let mut all: Vec<_> = sent.collect();
    all.sort_unstable();
    all
}

fn last_comes(world: &World) -> Instant {
    world.scene.audience.iter().map(|audience| audience.comes).max().unwrap_or(START)
}

fn added(shared: &World, direct: &World, segment: Duration) -> (i64, i64) {
    let micros = |at: Instant| at.as_micros() as i64;
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
