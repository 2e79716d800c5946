//! No viewer sees a stall that direct play would not have had.

use std::time::Duration;

use crate::world::player::Session;
use crate::world::turn::World;

/// What is worse with peers than without; sessions are in the same order.
pub fn worse(shared: &World, direct: &World) -> Vec<String> {
    let mut found = Vec::new();
    // A request that peers change has another luck with an origin in trouble; and where the origin
    // cannot serve all players of a world, whoever comes later waits for those before.
    let calm = shared.scene.troubles.is_empty() && shared.scene.origin.rate.is_none();
    for with in &shared.sessions {
        let same = |other: &&Session| (other.audience, other.came) == (with.audience, with.came);
        let Some(without) = direct.sessions.iter().find(same) else { continue };
        let name = format!("node {} player {} from {:?}", with.node, with.audience, with.came);
        // Where direct play lived from hand to mouth, a stall is chance.
        let easy = without.lowest.is_some_and(|low| low > EASY) && without.stalls == 0;
        if easy && with.stalled > without.stalled + BLINK {
            let (seen, stalls, low) = (with.stalled, with.stalls, without.lowest);
            found.push(format!("{name}: {stalls} stalls, {seen:?}; without peers {low:?} left"));
        }
        if calm && without.errors == 0 && with.errors > 0 {
            found.push(format!("{name}: {} requests failed, none without peers", with.errors));
        }
        if let (Some(one), Some(other)) = (with.started, without.started) {
            if calm && one > other + START {
                let (one, other) = (one - with.came, other - without.came);
                found.push(format!("{name}: it starts after {one:?}, without peers {other:?}"));
            }
        } else if without.started.is_some_and(|at| at + START < end(with)) {
            found.push(format!("{name}: it never starts"));
        }
    }
    found
}

/// When a session was last seen alive.
fn end(session: &Session) -> neap::base::time::Instant {
    session.had.last().map_or(session.came, |(_, at)| *at)
}

/// The buffer that direct play never went below.
const EASY: Duration = Duration::from_millis(700);

/// What a viewer does not see.
const BLINK: Duration = Duration::from_millis(40);

/// How much later it may start.
const START: Duration = Duration::from_millis(1500);
