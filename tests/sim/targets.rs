//! What sharing must be worth, on stages without chance.

use std::time::Duration;

use neap::config::model::Rung;

use crate::world::measure::{Measure, both};
use crate::world::scene::Lie;
use crate::world::stage::Stage;
use crate::world::turn::World;

/// A number that whoever runs the tests has given.
fn named(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn measure(stage: Stage) -> (Measure, World) {
    if std::env::var_os("TELL").is_some() {
        let mut world = World::new(stage.scene());
        world.tells = true;
        world.run();
    }
    let (shared, direct) = both(&stage.scene());
    let measure = Measure::of(&shared, &direct);
    println!("{stage:?}\n    {measure:?}");
    println!(
        "    peers {} kB; {:?}",
        shared.peer_bytes / 1000,
        crate::world::measure::by_segment(&shared)
    );
    for name in [
        "origin_elected",
        "origin_late",
        "wholes_proven",
        "wholes_wrong",
        "records_signed",
        "audits",
        "contested",
        "peers_banned",
    ] {
        println!("    {name} {}", shared.counted(name));
    }
    assert_eq!(shared.checks.breaches(), [""; 0]);
    (measure, shared)
}

#[test]
fn a_live_channel_is_fetched_one_and_a_half_times_at_most() {
    let mut missed = Vec::new();
    for (devices, seconds) in cells() {
        let segment = Duration::from_secs(seconds);
        let seed = named("SEED").unwrap_or(1);
        let (measure, _) = measure(Stage { seed, devices, segment, ..Stage::default() });
        let saves = measure.copies < measure.copies_alone;
        let stalls = measure.stalls > measure.stalls_alone;
        if measure.steady > 1.5 || stalls || !saves || measure.half.max(measure.most) > 60 {
            missed.push(format!("{devices} devices, {seconds} s: {measure:?}"));
        }
    }
    assert_eq!(missed, [""; 0]);
}

#[test]
fn four_devices_that_watch_a_film_fetch_it_little_more_than_once() {
    let (measure, _) = measure(Stage {
        live: false,
        one_home: true,
        within: Duration::from_secs(60),
        lasts: Duration::from_secs(180),
        ..Stage::default()
    });
    assert!(measure.copies <= 1.3 && measure.stalls == 0, "{measure:?}");
}

#[test]
fn a_film_in_one_file_that_is_played_by_ranges_is_shared_too() {
    let (measure, _) = measure(Stage {
        live: false,
        one_file: true,
        one_home: true,
        within: Duration::from_secs(60),
        lasts: Duration::from_secs(180),
        ..Stage::default()
    });
    // A third of the film is played, by four.
    assert!(measure.copies <= 0.35 * measure.copies_alone, "{measure:?}");
    assert_eq!(measure.stalls, 0);
}

#[test]
fn a_film_on_one_line_with_its_witness_is_fetched_little_more_than_once() {
    let (measure, _) = measure(Stage {
        live: false,
        one_home: true,
        by_gateway: true,
        bitrate: 2_600_000,
        within: Duration::from_secs(20),
        lasts: Duration::from_secs(90),
        ..Stage::default()
    });
    assert!(measure.copies <= 1.3 && measure.stalls == 0, "{measure:?}");
}

#[test]
fn liars_poison_nobody_and_are_banned() {
    let (measure, world) = measure(Stage { devices: 10, liars: 30, ..Stage::default() });
    assert_eq!(measure.stalls, 0);
    let bans = &world.checks.bans;
    assert!(bans.blocks > 0 && bans.worst <= 3, "{} at most {}", bans.blocks, bans.worst);
}

/// A film in one home without a witness: its origin states the digest of each segment.
fn film(liars: u64) -> Stage {
    Stage {
        live: false,
        one_home: true,
        within: Duration::from_secs(60),
        lasts: Duration::from_secs(180),
        rung: Rung::OriginDigest,
        liars,
        ..Stage::default()
    }
}

#[test]
fn what_the_origin_states_of_the_whole_is_enough_for_a_film() {
    let (measure, _) = measure(film(0));
    assert!(measure.copies <= 2.0 && measure.stalls == 0, "{measure:?}");
}

#[test]
fn who_lies_about_a_whole_is_found_by_the_origins_bytes() {
    let (measure, world) = measure(film(30));
    assert!(world.checks.verified.wrong > 0, "nobody lied");
    assert_eq!(measure.stalls, 0);
    let wrong = world.counted("wholes_wrong");
    assert!(wrong > 0 && world.counted("wholes_proven") > 20);
    // One wrong whole for each victim and liar, not more.
    assert!(wrong <= 8, "{wrong}");
}

/// A live channel in twelve homes and one more, without a witness.
fn village(liars: u64) -> Stage {
    Stage { devices: 12, rung: Rung::Quorum, liars, collude: true, ..Stage::default() }
}

#[test]
fn three_places_that_say_the_same_are_enough_for_a_channel() {
    let (measure, world) = measure(village(0));
    assert_eq!(measure.stalls, 0);
    assert!(measure.copies < measure.copies_alone * 0.75, "{measure:?}");
    assert!(world.counted("audits") > 0 && world.counted("contested") == 0);
}

#[test]
fn fewer_liars_than_a_quorum_poison_nobody() {
    // Two of twelve.
    let (measure, world) = measure(village(12));
    let liars = world.scene.seats.iter().filter(|seat| seat.lie.colludes).count();
    assert_eq!((liars, measure.stalls, world.checks.verified.wrong), (2, 0, 0));
}

#[test]
fn a_quorum_of_liars_takes_no_more_than_audits_allow() {
    // Five of thirteen: enough to be believed where they are the first.
    let mut world = World::new(village(40).scene());
    world.run();
    let liars = world.scene.seats.iter().filter(|seat| seat.lie.colludes).count();
    let (wrong, audits) = (world.checks.verified.wrong, world.counted("audits"));
    println!("{liars} liars: {wrong} wrong blocks, {audits} audits");
    assert!(liars >= 3 && audits > 0, "{liars} liars");
    // A segment of 31 blocks for each victim and quorum of them on average; three times that here.
    let honest = world.scene.seats.len() - liars;
    let bound = honest * (liars / 3) * 31 * 3;
    assert!(wrong <= bound as u64, "{wrong} of {bound}");
}

/// Of those that are honest, the least that one took from peers, and how many took nothing.
fn honest(world: &World) -> (u64, usize) {
    let seats = world.scene.seats.iter().enumerate().skip(1);
    let honest = seats.filter(|(_, seat)| seat.lie == Lie::default());
    let took: Vec<u64> =
        honest.map(|(node, _)| world.took.get(&node).copied().unwrap_or(0)).collect();
    println!("    the honest took {took:?}");
    let none = took.iter().filter(|took| **took == 0).count();
    (took.into_iter().min().unwrap_or(0), none)
}

/// A live channel in twenty homes of which so many in a hundred are one idler's names.
fn idlers(idlers: u64, crowded: bool) -> Stage {
    Stage { devices: 20, idlers, crowded, ..Stage::default() }
}

#[test]
fn half_of_all_names_are_one_idlers_and_nobody_starves() {
    for crowded in [true, false] {
        let (measure, world) = measure(idlers(50, crowded));
        let (least, none) = honest(&world);
        assert_eq!((measure.stalls, none), (0, 0), "{measure:?}");
        assert!(least > 0 && measure.copies < measure.copies_alone, "{measure:?}");
    }
}

#[test]
fn most_of_all_names_in_one_place_vouch_together_and_poison_nobody() {
    // Eleven of twenty are one liar's, in one place: they are one voice.
    let stage = Stage { devices: 20, crowded: true, ..village(55) };
    let (measure, world) = measure(stage);
    let liars = world.scene.seats.iter().filter(|seat| seat.lie.colludes).count();
    honest(&world);
    assert!(liars > 10, "{liars}");
    // They can spoil: a segment with two words about it comes from the origin.
    assert_eq!((measure.stalls, world.checks.verified.wrong), (0, 0));
}

#[test]
fn where_most_places_lie_no_more_is_taken_than_audits_allow() {
    let mut world = World::new(Stage { devices: 20, ..village(60) }.scene());
    world.run();
    let liars = world.scene.seats.iter().filter(|seat| seat.lie.colludes).count();
    let (wrong, audits) = (world.checks.verified.wrong, world.counted("audits"));
    let banned = world.counted("peers_banned");
    println!("{liars} liars of 21: {wrong} wrong blocks, {audits} audits, {banned} bans");
    let stalls: u32 = world.sessions.iter().map(|session| session.stalls).sum();
    assert!(liars >= 12 && audits > 0 && banned > 0, "{liars} liars, {banned} bans");
    let honest = world.scene.seats.len() - liars;
    assert!(wrong <= (honest * (liars / 3) * 31 * 3) as u64, "{wrong}");
    assert_eq!(stalls, 0, "wrong pictures at most, and no stall");
}

/// Homes that come to a live event, a fifth of them behind routers that let nobody in; `WITHIN=`
/// and `LASTS=` say in how many seconds, and how long it is.
fn event(devices: usize, uplink_tenths: u64) -> Stage {
    Stage {
        devices,
        uplink_tenths,
        within: Duration::from_secs(named("WITHIN").unwrap_or(30)),
        lasts: Duration::from_secs(named("LASTS").unwrap_or(90)),
        witness_tenths: 10,
        hidden: 20,
        churn: 10,
        isps: 3,
        ..Stage::default()
    }
}

#[test]
fn a_live_event_is_carried_by_its_homes() {
    let (homes, uplink) = (named("HOMES").unwrap_or(20), named("UPLINK").unwrap_or(10));
    let homes = usize::try_from(homes).expect("a count");
    let stage = Stage { seed: named("SEED").unwrap_or(1), ..event(homes, uplink) };
    let (shared, direct) = both(&stage.scene());
    let measure = Measure::of(&shared, &direct);
    let part = |of: u64, all: u64| of as f64 / all.max(1) as f64;
    let share = part(shared.origin_bytes, shared.origin_bytes + shared.peer_bytes);
    let near = part(shared.near_bytes, shared.peer_bytes);
    // One home and the witness take each segment themselves.
    let nodes = homes as f64;
    let usable = (uplink as f64 * nodes + stage.witness_tenths as f64) / 10.0 / nodes;
    let ceiling = (2.0 / nodes).max(1.0 - usable);
    println!("{homes} homes, uplink {uplink} tenths: {measure:?}");
    let fresh = part(shared.fresh_bytes, shared.came_bytes);
    println!(
        "    origin's share {share:.3}, at best {ceiling:.3}; of peers' bytes {near:.3} near, {fresh:.3} of use"
    );
    let words: u64 = shared.words.values().map(|(_, bytes)| bytes).sum();
    let kinds = shared
        .words
        .iter()
        .map(|(kind, (count, bytes))| format!("kind {kind:#x}: {count} of {} kB", bytes / 1000));
    println!(
        "    words between homes {:.3} of peers' bytes: {}",
        part(words, shared.came_bytes),
        kinds.collect::<Vec<_>>().join(", ")
    );
    assert_eq!(shared.checks.breaches(), [""; 0]);
    assert!(measure.stalls <= measure.stalls_alone, "{measure:?}");
    assert!(measure.copies < measure.copies_alone * 0.9 && near > 0.3, "{measure:?} {near}");
}

/// Devices and seconds of a segment.
fn cells() -> Vec<(usize, u64)> {
    match (named("DEVICES"), named("SEGMENT")) {
        (Some(devices), Some(seconds)) => {
            vec![(usize::try_from(devices).expect("a count"), seconds)]
        }
        _ => vec![(2, 4), (4, 2), (4, 4), (8, 4)],
    }
}
