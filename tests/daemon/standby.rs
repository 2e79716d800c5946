//! Control calls to the real daemon, and what standby does to its connections.

use std::process::Output;

use super::daemon::{Daemon, Setup, command};
use super::origin::{Origin, held, ok};
use super::wait::Gate;

const FRESH: &str = "Cache-Control: max-age=60";

/// Runs a command of neap's with the daemon's configuration: its code, and what it said.
fn call(daemon: &Daemon, word: &str) -> (i32, String) {
    let Output { status, stdout, stderr } = command(&daemon.folder.0).arg(word).output().unwrap();
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn state(daemon: &Daemon) -> String {
    daemon.status()["state"].as_str().unwrap().into()
}

#[test]
fn standby_closes_idle_connections_and_a_player_who_asks_ends_it() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    origin.on("/b", ok(FRESH, "more"));
    let daemon = Daemon::new(&origin);
    let mut idle = daemon.connect();
    idle.get("/o/a", "").expect(200);
    let (code, said) = call(&daemon, "standby");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("neap is in standby"), "{said}");
    assert_eq!(idle.end(), b"", "the idle player's connection is closed");
    assert_eq!(state(&daemon), "standby");
    assert_eq!(call(&daemon, "standby").0, 0, "once more changes nothing");
    assert!(daemon.get("/o/a").expect(200).is_hit(), "what is here is given");
    assert_ne!(state(&daemon), "standby");
    assert_eq!(daemon.get("/o/b").expect(200).text(), "more");
    assert_eq!(origin.seen("/b")[0].connection, 1, "the first one to the origin was closed");
}

#[test]
fn what_is_under_way_at_standby_ends_and_leaves_nothing_open() {
    let gate = Gate::default();
    let lines = format!("{FRESH}\nContent-Length: 10");
    let origin = Origin::with("/a", held(&lines, "first", &gate, "later"));
    origin.on("/b", ok(FRESH, "more"));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    player.head();
    assert_eq!(player.exactly(5).unwrap(), b"first");
    assert_eq!(call(&daemon, "standby").0, 0);
    gate.open();
    assert_eq!(player.exactly(5).unwrap(), b"later");
    assert_eq!(player.end(), b"", "the player's connection is not kept for a next request");
    assert_eq!(state(&daemon), "standby");
    assert_eq!(daemon.get("/o/b").expect(200).text(), "more");
    assert_eq!(origin.seen("/b")[0].connection, 1, "the first one to the origin was not kept");
}

#[test]
fn a_call_wakes_and_says_so() {
    let origin = Origin::new();
    let daemon = Daemon::new(&origin);
    assert_eq!(call(&daemon, "wake"), (0, "neap is awake\n".into()));
    call(&daemon, "standby");
    assert_eq!(call(&daemon, "wake"), (0, "neap is awake\n".into()));
    assert_eq!(state(&daemon), "idle");
    assert!(daemon.wait_log("awake again").contains("awake"));
}

#[test]
fn the_page_takes_no_calls() {
    let origin = Origin::new();
    let daemon = Daemon::new(&origin);
    let body = r#"{"call":"standby"}"#;
    let length = body.len();
    let mut operator = super::player::Player::new(daemon.admin);
    operator.send(format!(
        "POST /control HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    let reply = operator.reply("POST").expect(403);
    assert!(reply.text().contains("control socket"), "{}", reply.text());
    assert_eq!(state(&daemon), "idle");
}

#[test]
fn without_a_daemon_or_a_socket_a_call_says_what_is_wrong() {
    let origin = Origin::new();
    let folder = super::daemon::Folder::new();
    let file = Setup::default().file(&origin, "127.0.0.1:0");
    std::fs::write(folder.0.join("neap.toml"), &file).unwrap();
    let run = |word| {
        let output = command(&folder.0).arg(word).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for word in ["standby", "status", "ledger"] {
        let (code, said) = run(word);
        assert_eq!(code, Some(78), "{word}");
        assert!(said.contains("control socket is switched off"), "{said}");
    }
    let socket = format!("control = \"{}\"", folder.0.join("none.sock").display());
    std::fs::write(folder.0.join("neap.toml"), file.replace("control = \"\"", &socket)).unwrap();
    for word in ["standby", "status", "ledger"] {
        let (code, said) = run(word);
        assert_eq!(code, Some(70), "{word}");
        assert!(said.contains("neap is not running"), "{said}");
    }
}
