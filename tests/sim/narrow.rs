//! A line that carries the stream little more than once: whoever shares it waits for the copy that
//! is on its way, also after all have run dry at once.

use std::time::Duration;

use crate::world::measure::{Measure, both};
use crate::world::scene::{Mishap, START, Scene, Trouble};
use crate::world::stage::Stage;
use crate::world::turn::World;

/// Two devices and their gateway, a witness, on a line of a stream and a half; for a while the
/// origin is not to be reached, and all that players held is played.
fn home(seed: u64) -> Scene {
    let stage = Stage {
        seed,
        devices: 2,
        bitrate: 1_500_000,
        segment: Duration::from_secs(2),
        one_home: true,
        by_gateway: true,
        within: Duration::from_secs(2),
        lasts: Duration::from_secs(120),
        ..Stage::default()
    };
    let mut scene = stage.scene();
    scene.homes[1].down = Some(2_200_000);
    let second = |after| START + Duration::from_secs(after);
    let (kind, chance) = (Mishap::Refuse, 1000);
    scene.troubles = vec![Trouble { from: second(40), to: second(52), kind, chance, node: None }];
    scene
}

#[test]
fn a_line_of_a_stream_and_a_half_carries_a_home_that_ran_dry() {
    let mut missed = Vec::new();
    for seed in 0..12 {
        let (shared, direct) = both(&home(seed));
        assert_eq!(shared.checks.breaches(), [""; 0]);
        let (with, without) = (stalled(&shared), stalled(&direct));
        let measure = Measure::of(&shared, &direct);
        println!("seed {seed}: {with:?} of stalls, {without:?} alone; {measure:?}");
        if with * 2 > without || measure.steady > 1.5 {
            missed.push(seed);
        }
    }
    assert_eq!(missed, [0; 0], "seeds");
}

fn stalled(world: &World) -> Duration {
    world.sessions.iter().map(|session| session.stalled).sum()
}
