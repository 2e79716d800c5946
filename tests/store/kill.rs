//! kill -9 at any moment: the folder opens again and every byte that is served is right.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use neap::base::id::RowId;
use neap::base::limits::block::BLOCK;
use neap::base::limits::cache::BATCH;
use neap::base::rng::Rng;
use neap::store::notice::Notice;
use neap::store::rows::{Options, Store};

use crate::disk::{NOW, Place, adopt, fill, notices, persist, scan, working};
use crate::read_on;

const FOLDER: &str = "NEAP_TEST_STORE_FOLDER";
const FIRST: &str = "NEAP_TEST_STORE_FIRST";
const ROUNDS: u64 = 30;

fn length(seed: u64) -> u64 {
    1 + Rng::new(seed).below(3 * BLOCK)
}

/// The child: persists one row after the other, drops every third again, and says so.
#[test]
fn child_that_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let store = Store::new(Options { memory: 8 << 20, path: Some(folder.into()) });
    scan(&store).unwrap();
    let first: u64 = env::var(FIRST).unwrap().parse().unwrap();
    for seed in first.. {
        fill(&store, seed, length(seed));
        store.persist(persist(seed, 0, length(seed)), NOW).unwrap();
        working(&store, store.drained());
        assert!(matches!(notices(&store)[..], [Notice::Persisted { .. }]));
        let dropped = seed % 3 == 0;
        if !dropped {
            writeln!(io::stdout(), "\nkept {seed}").unwrap();
        } else {
            store.unlink(RowId(seed), 0);
            working(&store, store.drained());
        }
        store.close(RowId(seed));
    }
}

/// Lets a child run from row `first` on, kills it at a chance moment, answers what it kept.
fn run_and_kill(place: &Place, first: u64, rng: &mut Rng) -> Vec<u64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "kill::child_that_is_killed", "--nocapture", "--test-threads=1"])
        .env(FOLDER, &place.0)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kept = Vec::new();
    let number = |line: io::Result<String>| -> Option<u64> {
        line.unwrap().strip_prefix("kept ")?.parse().ok()
    };
    let wanted = usize::try_from(1 + rng.below(5)).unwrap();
    while kept.len() < wanted {
        kept.extend(number(lines.next().expect("the child runs on")));
    }
    // The moment within the next writes is chance; nothing waits for it.
    let pause = Duration::from_micros(rng.below(5000));
    smol::block_on(smol::Timer::after(pause));
    child.kill().unwrap();
    child.wait().unwrap();
    kept.extend(lines.filter_map(number));
    kept
}

#[test]
fn kill_9_at_any_moment_loses_nothing_kept_and_serves_nothing_wrong() {
    let (place, mut rng, mut next) = (Place::new(), Rng::new(9), 1);
    let mut kept = Vec::new();
    for round in 0..ROUNDS {
        kept.extend(run_and_kill(&place, next, &mut rng));
        let store = place.store();
        let mut here = Vec::new();
        for found in scan(&store).unwrap() {
            let seed = adopt(&store, &found);
            let mut reader = store.reader(RowId(seed), 0, None);
            let whole = smol::block_on(read_on(&mut reader, seed, BATCH));
            assert_eq!(whole, Ok(length(seed)), "round {round}, row {seed}");
            store.close(RowId(seed));
            here.push(seed);
        }
        let lost: Vec<_> = kept.iter().filter(|seed| !here.contains(seed)).collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
        next = here.iter().max().map_or(next, |seed| seed + 1);
    }
    assert!(kept.len() >= usize::try_from(ROUNDS).unwrap());
}
