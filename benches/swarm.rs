//! Swarms in virtual time: copies that the origin sends, what peers add to the wait, stalls.
//!
//! `cargo bench --bench swarm`; `cargo bench --bench swarm -- 4 10` for these numbers of devices.

#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]
#![allow(dead_code, unreachable_pub, reason = "the world is shared with the test program")]

use std::time::Duration;

#[path = "../tests/sim/checks/mod.rs"]
mod checks;
#[path = "../tests/sim/world/mod.rs"]
mod world;

use checks::stalls;
use world::measure::{Measure, both};
use world::scene::Scene;
use world::stage::Stage;

fn main() {
    let named: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let counts = if named.is_empty() { COUNTS.to_vec() } else { named.clone() };
    println!("live, {} Mbit/s, each device on its own line, one witness", RATE / 1_000_000);
    println!(
        "| devices | uplink | segment | copies | after the start | added p50 | added p95 | stalls | \
         stalls without |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for devices in counts {
        for uplink_tenths in [5, 10, 15] {
            for seconds in [2, 4, 6] {
                // A thousand nodes take minutes: one cell shows what becomes of them.
                if devices >= 1000 && (uplink_tenths, seconds) != (15, 4) {
                    continue;
                }
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
    let lasts = if devices >= 100 { 60 } else { 120 };
    let stage = Stage {
        devices,
        bitrate: RATE,
        uplink_tenths,
        segment: Duration::from_secs(seconds),
        lasts: Duration::from_secs(lasts),
        ..Stage::default()
    };
    let (measure, breaches) = run(stage);
    let Measure { copies, steady, half, most, stalls, stalls_alone, .. } = measure;
    let uplink = format!("{}.{}x", uplink_tenths / 10, uplink_tenths % 10);
    println!(
        "| {devices} | {uplink} | {seconds} s | {copies:.2} | {steady:.2} | {half} % | {most} % | \
         {stalls} | {stalls_alone} |"
    );
    breaches.iter().take(3).for_each(|breach| println!("    {breach}"));
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
    let (Measure { copies, copies_alone, stalls, .. }, breaches) = run(stage);
    println!();
    println!(
        "On demand, four devices of one home within a minute: {copies:.2} copies, {stalls} stalls; \
         without peers {copies_alone:.2} copies."
    );
    breaches.iter().take(3).for_each(|breach| println!("    {breach}"));
}

/// Three devices in ten give wrong blocks.
fn liars() {
    let stage = Stage { devices: 20, liars: 30, ..Stage::default() };
    let (shared, direct) = both(&scene(stage));
    let bans = &shared.checks.bans;
    let Measure { copies, stalls, .. } = Measure::of(&shared, &direct);
    println!(
        "20 devices, three in ten liars: {} wrong blocks came in, at most {} of one liar to one \
         victim, {} of them into a row; {copies:.2} copies, {stalls} stalls.",
        bans.blocks,
        bans.worst,
        shared.checks.breaches().len(),
    );
}

fn scene(stage: Stage) -> Scene {
    let mut scene = stage.scene();
    scene.quantum = if stage.devices >= 100 { 64 * 1024 } else { 16 * 1024 };
    scene
}

fn run(stage: Stage) -> (Measure, Vec<String>) {
    let (shared, direct) = both(&scene(stage));
    let mut breaches = shared.checks.breaches();
    breaches.extend(stalls::worse(&shared, &direct));
    (Measure::of(&shared, &direct), breaches)
}

/// Bits a second of the show.
const RATE: u64 = 4_000_000;

/// Devices.
const COUNTS: [usize; 6] = [2, 4, 8, 10, 100, 1000];
