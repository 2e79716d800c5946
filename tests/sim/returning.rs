//! A box that lost its power and is back gives to others what its disk kept.

use std::time::Duration;

use neap::node::overview::Figures;

use crate::world::scene::{Happening, START, Scene};
use crate::world::stage::Stage;
use crate::world::turn::World;

/// One watches the beginning of a film and leaves; `node` falls and comes back; then another in
/// the same home begins.
fn evening(node: usize, cache: bool) -> Scene {
    let lasts = Duration::from_secs(110);
    let stage = Stage { devices: 2, live: false, one_home: true, lasts, ..Stage::default() };
    let mut scene = stage.scene();
    scene.seats[node].disk = 256 << 20;
    scene.audience[0].goes = START + Duration::from_secs(40);
    scene.audience[1].comes = START + Duration::from_secs(70);
    let second = |after| START + Duration::from_secs(after);
    scene.happenings = vec![
        (second(50), Happening::Crash { node }),
        (second(55), Happening::Back { node, cache }),
    ];
    scene
}

/// Bytes that a node gave to peers, and that it took from the origin, since it was back.
fn moved(scene: Scene, node: usize) -> (u64, u64) {
    let mut world = World::new(scene);
    world.run();
    assert_eq!(world.checks.breaches(), [""; 0]);
    let status = world.nodes[node].machine.status(world.now(), Figures::default());
    let counted = |name| status.counters.get(name).copied().expect("a counter");
    (counted("peer_given_bytes"), counted("origin_bytes"))
}

#[test]
fn what_a_disk_kept_is_given_to_others_after_a_restart() {
    let narrow = |cache| {
        let mut scene = evening(1, cache);
        // The witness gives little: who needs the film turns to the box.
        scene.homes[0].up = Some(500_000);
        scene
    };
    assert_eq!(moved(narrow(false), 1), (0, 0), "what was lost cannot be given");
    let (given, taken) = moved(narrow(true), 1);
    // Seventy seconds of 4 Mbit/s were kept; the newcomer has use for half of them.
    assert!(given > 10_000_000 && taken == 0, "{given} given, {taken} taken");
}

#[test]
fn a_witness_vouches_after_a_restart_for_what_its_disk_kept() {
    let alone = |cache| {
        let mut scene = evening(0, cache);
        scene.happenings.push((START + Duration::from_secs(60), Happening::Crash { node: 1 }));
        moved(scene, 0)
    };
    let ((given, taken), (again, anew)) = (alone(true), alone(false));
    assert!(given > 10_000_000 && again > 10_000_000, "{given} and {again} given");
    assert!(taken * 2 < anew, "{taken} taken with what was kept, {anew} without");
}
