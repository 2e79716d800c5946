//! No viewer sees a stall that direct play would not have had.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::world::player::Session;
use crate::world::turn::World;

/// What is worse with peers than without.
pub fn worse(shared: &World, direct: &World) -> Vec<String> {
    let mut found = Vec::new();
    let strained = strained(direct);
    // A request that peers change has another luck with an origin in trouble.
    let calm = shared.scene.troubles.is_empty();
    for with in &shared.sessions {
        let same = |other: &&Session| (other.audience, other.came) == (with.audience, with.came);
        let Some(without) = direct.sessions.iter().find(same) else { continue };
        if strained.contains(&direct.scene.seats[with.node].home) {
            continue;
        }
        let name = format!("node {} player {} from {:?}", with.node, with.audience, with.came);
        // Where direct play lived from hand to mouth, a stall is chance.
        let easy = without.lowest.is_some_and(|low| low > EASY);
        let segment = shared.library.shows[with.show].segment;
        let late = with.stalled_late > without.stalled_late + BLINK;
        if easy && (late || with.stalled > without.stalled + segment) {
            let (seen, stalls, low) = (with.stalled, with.stalls, without.lowest);
            found.push(format!("{name}: {stalls} stalls, {seen:?}; without peers {low:?} left"));
        }
        // An answer that began with the old file cannot go on with the one that replaces it.
        let cut = u32::from(shared.library.shows[with.show].anew.is_some());
        if calm && without.errors == 0 && with.errors > cut {
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

/// Homes whose line, or the origin's, cannot serve all their players even without peers: whoever
/// is served first there is chance.
fn strained(direct: &World) -> BTreeSet<usize> {
    let slow = |session: &&Session| {
        let start = session.started.map(|at| at - session.came);
        session.stalls > 0 || start.is_none_or(|start| start > LONG)
    };
    let homes = direct.sessions.iter().filter(slow);
    let home = |session: &Session| direct.scene.seats[session.node].home;
    let homes: BTreeSet<usize> = homes.map(home).collect();
    if direct.scene.origin.rate.is_some() && !homes.is_empty() {
        return (0..direct.scene.homes.len()).collect();
    }
    homes
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

/// A start that takes longer shows a line that is too narrow.
const LONG: Duration = Duration::from_secs(4);
