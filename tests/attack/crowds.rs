//! Members that come in crowds, to be all that a node hears of.

use super::member::Member;
use super::theatre::Theatre;

/// How many links there are.
fn links(theatre: &Theatre) -> u64 {
    theatre.daemon.status()["network"]["links"]["used"].as_u64().unwrap()
}

#[test]
fn more_members_than_there_is_room_for_are_turned_away() {
    let theatre = Theatre::with(6);
    let outcome = theatre.plays_through(|| {
        let members: Vec<Option<Member>> = (0..20)
            .map(|_| {
                // Each greeting is of the same network: a moment between them.
                std::thread::sleep(std::time::Duration::from_millis(30));
                Member::join(theatre.peers)
            })
            .collect();
        assert!(members.iter().flatten().count() >= 6);
        assert!(links(&theatre) <= 6, "{}", links(&theatre));
    });
    outcome.is_calm();
}

#[test]
fn members_that_come_and_go_do_not_fill_the_log() {
    let theatre = Theatre::new();
    let mut came = 0;
    let outcome = theatre.plays_through(|| {
        for _ in 0..40 {
            came += usize::from(Member::join(theatre.peers).is_some());
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
    });
    assert!(came > 35, "{came}");
    outcome.is_calm();
}
