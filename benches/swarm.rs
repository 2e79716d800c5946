//! Swarms in virtual time: copies that the origin sends, what peers add to the wait, stalls.
//!
//! `cargo bench --bench swarm`; `cargo bench --bench swarm -- 4 10` for these numbers of devices.

#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]
#![allow(dead_code, unreachable_pub, reason = "the world is shared with the test program")]

use std::collections::BTreeMap;
use std::time::Duration;

#[path = "../tests/sim/checks/mod.rs"]
mod checks;
#[path = "../tests/sim/world/mod.rs"]
mod world;

use checks::stalls;
use world::library::Thing;
use world::stage::Stage;
use world::turn::World;

fn main() {
    let named: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let counts = if named.is_empty() { COUNTS.to_vec() } else { named.clone() };
    println!("live, {} Mbit/s, each device on its own line, one witness", RATE / 1_000_000);
    println!(
        "| devices | uplink | segment | origin copies | added p50 | added p95 | stalls | direct |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for devices in counts {
        for uplink_tenths in [5, 10, 15] {
            for seconds in [2, 4, 6] {
                live(devices, uplink_tenths, seconds);
            }
        }
    }
    if named.is_empty() {
        on_demand();
        liars();
    }
}

/// One line of the table.
fn live(devices: usize, uplink_tenths: u64, seconds: u64) {
    let lasts = if devices >= 100 { 40 } else { 90 };
    let stage = Stage {
        devices,
        bitrate: RATE,
        uplink_tenths,
        segment: Duration::from_secs(seconds),
        lasts: Duration::from_secs(lasts),
        ..Stage::default()
    };
    let (shared, direct) = both(stage);
    let (copies, (half, most)) = (copies(&shared), added(&shared, &direct, stage.segment));
    let uplink = format!("{}.{}x", uplink_tenths / 10, uplink_tenths % 10);
    let (stalls, without) = (stalls_of(&shared), stalls_of(&direct));
    println!(
        "| {devices} | {uplink} | {seconds} s | {copies:.2} | {half} % | {most} % | {stalls} | {without} |"
    );
    tell_breaches(&shared, &direct);
}

/// Four devices of one home start the same film within a minute.
fn on_demand() {
    let stage = Stage {
        live: false,
        one_home: true,
        within: Duration::from_secs(60),
        lasts: Duration::from_secs(240),
        ..Stage::default()
    };
    let (shared, direct) = both(stage);
    let (one, other) = (copies(&shared), copies(&direct));
    println!(
        "on demand, four devices of a home within a minute: {one:.2} copies, alone {other:.2}"
    );
    tell_breaches(&shared, &direct);
}

/// Three devices in ten give wrong blocks.
fn liars() {
    let stage = Stage { devices: 20, liars: 30, ..Stage::default() };
    let (shared, direct) = both(stage);
    let (bad, worst) = (shared.checks.bans.blocks, shared.checks.bans.worst);
    let copies = copies(&shared);
    println!(
        "20 devices, 30 % liars: {bad} bad blocks taken in, at most {worst} of one liar by one \
         victim, {} breaches, {copies:.2} copies, {} stalls",
        shared.checks.breaches().len(),
        stalls_of(&shared)
    );
    tell_breaches(&shared, &direct);
}

fn both(stage: Stage) -> (World, World) {
    let mut scene = stage.scene();
    scene.quantum = if stage.devices >= 100 { 64 * 1024 } else { 16 * 1024 };
    let run = |scene| {
        let mut world = World::new(scene);
        world.run();
        world
    };
    (run(scene.clone()), run(scene.alone()))
}

fn tell_breaches(shared: &World, direct: &World) {
    let mut breaches = shared.checks.breaches();
    breaches.extend(stalls::worse(&shared.sessions, &direct.sessions));
    for breach in breaches.iter().take(3) {
        println!("    {breach}");
    }
}

/// Bytes that the origin sent for each byte that somebody had of it.
fn copies(world: &World) -> f64 {
    let mut lengths: BTreeMap<Thing, u64> = BTreeMap::new();
    for (_, thing) in world.complete.keys() {
        lengths.insert(*thing, world.library.length(*thing));
    }
    let once: u64 = lengths.values().sum();
    world.origin_bytes as f64 / once.max(1) as f64
}

/// How much later nodes had segments than without peers, in percent of a segment's duration:
/// the median, and the 95th percentile.
fn added(shared: &World, direct: &World, segment: Duration) -> (i64, i64) {
    let percent = |(of, alone): (&(usize, Thing), &_)| {
        let with = shared.complete.get(of).copied();
        let with = with.unwrap_or(shared.scene.ends);
        let micros = with.as_micros().cast_signed() - alone_micros(alone);
        micros * 100 / i64::try_from(segment.as_micros()).unwrap_or(i64::MAX)
    };
    let mut all: Vec<i64> = direct.complete.iter().map(percent).collect();
    all.sort_unstable();
    let at = |part: usize| all.get(all.len() * part / 100).copied().unwrap_or(0);
    (at(50), at(95))
}

fn alone_micros(at: &neap::base::time::Instant) -> i64 {
    at.as_micros().cast_signed()
}

fn stalls_of(world: &World) -> u32 {
    world.sessions.iter().map(|session| session.stalls).sum()
}

/// Bits a second of the show.
const RATE: u64 = 4_000_000;

/// Devices.
const COUNTS: [usize; 6] = [2, 4, 8, 10, 100, 1000];
