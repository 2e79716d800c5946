//! Many players, one download (collapsed forwarding).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::daemon::Daemon;
use super::origin::{Origin, Wire, bytes, held, ok};
use super::player::Player;
use super::wait::Gate;

const FRESH: &str = "Cache-Control: max-age=60";

fn crowd(daemon: &Daemon, count: usize, path: &str) -> Vec<Player> {
    let mut players: Vec<Player> = (0..count).map(|_| daemon.connect()).collect();
    players.iter_mut().for_each(|player| player.ask(path, ""));
    players
}

#[test]
fn sixty_four_players_of_one_cold_object_make_one_request_and_start_at_once() {
    let body = bytes(1, 2_000_000);
    let gate = Gate::default();
    let lines = format!("{FRESH}\nContent-Length: 2000000");
    let origin = Origin::with("/a", held(&lines, &body[..50_000], &gate, &body[50_000..]));
    let daemon = Daemon::new(&origin);
    let mut players = crowd(&daemon, 64, "/o/a");
    let heads: Vec<_> = players.iter_mut().map(Player::head).collect();
    for player in &mut players {
        assert!(player.exactly(50_000).unwrap() == body[..50_000]);
    }
    assert_eq!(origin.count("/a"), 1);
    gate.open();
    for (player, head) in players.iter_mut().zip(heads) {
        assert_eq!(head.status, 200);
        assert!(player.exactly(1_950_000).unwrap() == body[50_000..]);
    }
    assert_eq!(origin.count("/a"), 1);
}

#[test]
fn rfc_9211_2_7_those_who_joined_are_told_so() {
    let gate = Gate::default();
    let waits = gate.clone();
    let answer = ok(FRESH, "content");
    let script = move |wire: &mut Wire| {
        waits.wait_or_give_up();
        answer(wire);
    };
    let origin = Origin::with("/a", Arc::new(script));
    let daemon = Daemon::new(&origin);
    let mut players = crowd(&daemon, 8, "/o/a");
    daemon.wait_counter("collapsed", 7);
    gate.open();
    let replies: Vec<_> = players.iter_mut().map(|p| p.reply("GET").expect(200)).collect();
    let joined = replies.iter().filter(|reply| reply.cache().contains("; collapsed")).count();
    assert_eq!(joined, 7);
    assert!(replies.iter().all(|reply| reply.text() == "content"));
    assert_eq!(origin.count("/a"), 1);
}

#[test]
fn the_first_one_leaving_does_not_stop_the_others() {
    let body = bytes(1, 1_000_000);
    let gate = Gate::default();
    let lines = format!("{FRESH}\nContent-Length: 1000000");
    let origin = Origin::with("/a", held(&lines, &body[..50_000], &gate, &body[50_000..]));
    let daemon = Daemon::new(&origin);
    let mut first = daemon.connect();
    first.ask("/o/a", "");
    first.head();
    first.exactly(50_000).unwrap();
    let mut others = crowd(&daemon, 3, "/o/a");
    for other in &mut others {
        other.head();
        other.exactly(50_000).unwrap();
    }
    first.reset();
    daemon.wait_log("ended early");
    gate.open();
    for other in &mut others {
        assert!(other.exactly(950_000).unwrap() == body[50_000..]);
    }
    assert_eq!(origin.count("/a"), 1);
}

#[test]
fn the_first_one_leaving_before_the_head_does_not_stop_the_others() {
    let gate = Gate::default();
    let waits = gate.clone();
    let answer = ok(FRESH, "content");
    let script = move |wire: &mut Wire| {
        waits.wait_or_give_up();
        answer(wire);
    };
    let origin = Origin::with("/a", Arc::new(script));
    let daemon = Daemon::new(&origin);
    let mut first = daemon.connect();
    first.ask("/o/a", "");
    origin.wait("/a", |seen| seen.len() == 1);
    let mut second = daemon.connect();
    second.ask("/o/a", "");
    daemon.wait_counter("collapsed", 1);
    first.reset();
    let one_left = || (daemon.status()["connections"]["used"] == 1).then_some(());
    super::wait::until("the first one is gone", one_left);
    gate.open();
    assert_eq!(second.reply("GET").expect(200).text(), "content");
    assert_eq!(origin.count("/a"), 1);
}

#[test]
fn rfc_9111_4_what_may_not_be_stored_is_not_shared() {
    let gate = Gate::default();
    for lines in ["Cache-Control: no-store", "Cache-Control: private", "Set-Cookie: a=b"] {
        let (waits, count) = (gate.clone(), AtomicUsize::new(0));
        let lines = lines.to_owned();
        let script = move |wire: &mut Wire| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            if number == 0 {
                waits.wait_or_give_up();
            }
            ok(&lines, format!("answer {number}"))(wire);
        };
        let origin = Origin::with("/a", Arc::new(script));
        let daemon = Daemon::new(&origin);
        let mut players = crowd(&daemon, 5, "/o/a");
        daemon.wait_counter("collapsed", 4);
        gate.pass();
        let mut texts: Vec<String> =
            players.iter_mut().map(|player| player.reply("GET").expect(200).text()).collect();
        texts.sort();
        let own = ["answer 0", "answer 1", "answer 2", "answer 3", "answer 4"];
        assert_eq!(texts, own, "each has its own");
    }
}

#[test]
fn rfc_9111_3_5_an_authorised_request_does_not_join_nor_is_joined() {
    let gate = Gate::default();
    let waits = gate.clone();
    let script = move |wire: &mut Wire| {
        waits.wait_or_give_up();
        let who = wire.request.field("authorization").unwrap_or("nobody").to_owned();
        ok(FRESH, who)(wire);
    };
    let origin = Origin::with("/a", Arc::new(script));
    let daemon = Daemon::new(&origin);
    let mut alice = daemon.connect();
    alice.ask("/o/a", "Authorization: alice\r\n");
    let mut nobody = daemon.connect();
    nobody.ask("/o/a", "");
    let mut bob = daemon.connect();
    bob.ask("/o/a", "Authorization: bob\r\n");
    origin.wait("/a", |seen| seen.len() == 3);
    gate.open();
    for (player, who) in [(&mut alice, "alice"), (&mut nobody, "nobody"), (&mut bob, "bob")] {
        assert_eq!(player.reply("GET").expect(200).text(), who);
    }
}

#[test]
fn players_of_different_variants_do_not_get_each_others() {
    let gate = Gate::default();
    let waits = gate.clone();
    let script = move |wire: &mut Wire| {
        waits.wait_or_give_up();
        let language = wire.request.field("accept-language").unwrap_or("none").to_owned();
        ok(&format!("{FRESH}\nVary: Accept-Language"), language)(wire);
    };
    let origin = Origin::with("/a", Arc::new(script));
    let daemon = Daemon::new(&origin);
    let mut players = Vec::new();
    for language in ["de", "fr", "de", "it"] {
        let mut player = daemon.connect();
        player.ask("/o/a", &format!("Accept-Language: {language}\r\n"));
        players.push((player, language));
    }
    daemon.wait_counter("requests", 4);
    gate.open();
    for (player, language) in &mut players {
        assert_eq!(player.reply("GET").expect(200).text(), *language);
    }
    assert_eq!(origin.count("/a"), 3);
}
