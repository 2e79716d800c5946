//! What sharing must be worth, on stages without chance.

use std::time::Duration;

use crate::world::measure::{Measure, both};
use crate::world::stage::Stage;
use crate::world::turn::World;

fn measure(stage: Stage) -> (Measure, World) {
    if std::env::var_os("TELL").is_some() && stage.live {
        let mut world = World::new(stage.scene());
        world.tells = true;
        world.run();
    }
    let (shared, direct) = both(&stage.scene());
    let measure = Measure::of(&shared, &direct);
    println!("{stage:?}\n    {measure:?}");
    println!("    peers {} kB", shared.peer_bytes / 1000);
    assert_eq!(shared.checks.breaches(), [""; 0]);
    (measure, shared)
}

#[test]
fn a_live_channel_is_fetched_one_and_a_half_times_at_most() {
    let mut missed = Vec::new();
    for (devices, seconds) in cells() {
        let segment = Duration::from_secs(seconds);
        let (measure, _) = measure(Stage { devices, segment, ..Stage::default() });
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
fn liars_poison_nobody_and_are_banned() {
    let (measure, world) = measure(Stage { devices: 10, liars: 30, ..Stage::default() });
    assert_eq!(measure.stalls, 0);
    let bans = &world.checks.bans;
    assert!(bans.blocks > 0 && bans.worst <= 3, "{} at most {}", bans.blocks, bans.worst);
}

/// Devices and seconds of a segment.
fn cells() -> Vec<(usize, u64)> {
    let named = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    match (named("DEVICES"), named("SEGMENT")) {
        (Some(devices), Some(seconds)) => vec![(usize::try_from(devices).unwrap(), seconds)],
        _ => vec![(2, 4), (4, 2), (4, 4), (8, 4)],
    }
}
