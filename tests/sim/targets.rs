//! What sharing must be worth, on stages without chance.

use std::time::Duration;

use crate::world::measure::{Measure, both};
use crate::world::stage::Stage;
use crate::world::turn::World;

fn measure(stage: Stage) -> (Measure, World) {
    if std::env::var_os("TELL").is_some() {
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
    for (devices, seconds) in [(2, 4), (4, 2), (4, 4), (8, 6)] {
        let segment = Duration::from_secs(seconds);
        let (measure, _) = measure(Stage { devices, segment, ..Stage::default() });
        assert!(measure.copies <= 1.5, "{devices} devices, {seconds} s: {measure:?}");
        assert_eq!(measure.stalls, 0, "{devices} devices, {seconds} s");
        assert!(measure.most <= 60, "{devices} devices, {seconds} s: {measure:?}");
    }
}
