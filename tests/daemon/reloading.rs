//! A changed configuration while something goes on.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use nix::sys::signal::Signal;

use super::daemon::{Daemon, Folder, Setup};
use super::origin::{Origin, Script, held, ok, top};
use super::wait::{Gate, until};

const FRESH: &str = "Cache-Control: max-age=60";

/// Gives a daemon another configuration and waits until it has it, for the `count`th time.
fn reload(daemon: &Daemon, file: &str, count: usize) {
    daemon.rewrite(file);
    daemon.signal(Signal::SIGHUP);
    let line = daemon.wait_log(&format!(", reload {count}"));
    let origins = format!("read again: {} origin", file.matches("[[origin]]").count());
    assert!(line.contains(&origins), "{line}");
}

/// The lines of a node of a network with its state in this folder, which connects to these.
fn network(folder: &Folder, peers: &str) -> Setup {
    let (secret, state) = (folder.0.join("secret"), folder.0.join("state"));
    std::fs::write(&secret, "sixteen bytes and some more").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let origin = format!(
        "[network]\nname = \"t\"\nsecret-file = \"{}\"\nstate = \"{}\"\n\
         listen = [\"127.0.0.1:0\"]\npeers = [{peers}]\ndiscovery = false\n",
        secret.display(),
        state.display()
    );
    Setup { origin, ..Setup::default() }
}

#[test]
fn sharing_is_switched_off_and_on_while_a_link_stands() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let folders = [Folder::new(), Folder::new()];
    let first = network(&folders[0], "").start(&origin);
    let line = first.wait_log("peers connect to ");
    let peer = format!("\"{}\"", line.rsplit(' ').next().unwrap());
    let setup = network(&folders[1], &peer);
    let second = setup.start(&origin);
    let links = || second.status()["network"]["peers"].as_array().map_or(0, Vec::len);
    until("they are linked", || (links() == 1).then_some(()));
    let file = setup.file(&origin, "127.0.0.1:0");
    reload(&second, &format!("{file}[sharing]\nenabled = false\n"), 1);
    assert_eq!(second.get("/o/a").expect(200).text(), "content");
    assert_eq!(links(), 0);
    reload(&second, &file, 2);
    until("they are linked again", || (links() == 1).then_some(()));
}

/// A configuration with these origins, in this order.
fn with(origins: &[(&str, &Origin)]) -> String {
    let file = Setup::default().file(origins[0].1, "127.0.0.1:0");
    let head = file.split("[[origin]]").next().unwrap().to_owned();
    origins.iter().fold(head, |text, (name, origin)| {
        format!("{text}[[origin]]\nname = \"{name}\"\nurl = \"http://{}/\"\n", origin.address)
    })
}

/// An answer whose head waits for the gate.
fn late(gate: &Gate, text: &'static str) -> Script {
    let (gate, answer) = (gate.clone(), ok(FRESH, text));
    Arc::new(move |wire| {
        if gate.wait_or_give_up() {
            answer(wire);
        }
    })
}

#[test]
fn origins_that_change_places_keep_their_content_and_their_requests() {
    let gate = Gate::default();
    let (a, b) = (Origin::with("/x", late(&gate, "a's")), Origin::with("/x", ok(FRESH, "b's")));
    a.on("/warm", ok(FRESH, "warm"));
    let daemon = Daemon::new(&a);
    reload(&daemon, &with(&[("a", &a), ("b", &b)]), 1);
    daemon.get("/a/warm").expect(200);
    let (mut player, mut other) = (daemon.connect(), daemon.connect());
    player.ask("/a/x", "");
    other.ask("/a/x", "Authorization: Bearer for-a-only\r\n");
    a.wait("/x", |seen| seen.len() == 2);
    reload(&daemon, &with(&[("b", &b), ("a", &a)]), 2);
    gate.open();
    assert_eq!(player.reply("GET").expect(200).text(), "a's");
    assert_eq!(other.reply("GET").expect(200).text(), "a's");
    assert!(daemon.get("/a/warm").expect(200).is_hit(), "it is still a's");
    assert_eq!(daemon.get("/b/x").expect(200).text(), "b's");
    assert!(daemon.get("/a/x").expect(200).is_hit());
    assert!(b.all().iter().all(|seen| !seen.head.contains("for-a-only")));
}

#[test]
fn who_waits_for_an_origin_that_is_gone_is_told_and_a_body_under_way_ends() {
    let gate = Gate::default();
    let a = Origin::with("/x", late(&Gate::default(), "a's"));
    let lines = format!("{FRESH}\nContent-Length: 10");
    a.on("/whole", held(&lines, "first", &gate, "later"));
    let (head, cut) = (top("200 OK", &format!("{lines}\nETag: \"x\"")), gate.clone());
    a.on(
        "/cut",
        Arc::new(move |wire| {
            wire.send(format!("{head}\r\nfirst"));
            cut.wait_or_give_up();
            wire.keep = false;
        }),
    );
    let b = Origin::with("/x", ok(FRESH, "b's"));
    let daemon = Daemon::new(&a);
    reload(&daemon, &with(&[("a", &a), ("b", &b)]), 1);
    let mut players: Vec<_> = ["/a/x", "/a/whole", "/a/cut"]
        .into_iter()
        .map(|path| {
            let mut player = daemon.connect();
            player.ask(path, "");
            player
        })
        .collect();
    a.wait("/x", |seen| seen.len() == 1);
    for player in &mut players[1..] {
        player.head();
        assert_eq!(player.exactly(5).unwrap(), b"first");
    }
    reload(&daemon, &with(&[("b", &b)]), 2);
    players[0].reply("GET").expect(502);
    gate.open();
    assert_eq!(players[1].exactly(5).unwrap(), b"later");
    assert_eq!(players[2].end(), b"", "it is cut, as nothing more is asked of a");
    daemon.get("/a/x").expect(404);
    assert_eq!(daemon.get("/b/x").expect(200).text(), "b's");
    assert_eq!(a.count("/cut"), 1);
    assert!(daemon.log().contains("a/cut broke off"), "{}", daemon.log());
    reload(&daemon, &with(&[("b", &b), ("a", &b)]), 3);
    assert_eq!(daemon.get("/a/x").expect(200).text(), "b's", "another of the name");
    let names = daemon.status()["origins"].to_string();
    assert_eq!(names.matches("\"name\"").count(), 2, "{names}");
}

/// The lines of `[cache]` with a disk tier in this folder.
fn on_disk(folder: &Folder, size: &str) -> Setup {
    let cache = format!("disk = \"{size}\"\npath = \"{}\"\n", folder.0.display());
    Setup { cache, ..Setup::default() }
}

fn is_written(daemon: &Daemon) {
    let used = || daemon.status()["disk"]["used"].as_u64().unwrap();
    until("it is on disk", || (used() > 0).then_some(()));
}

const LASTING: &str = "Cache-Control: max-age=3600\nETag: \"1\"";

#[test]
fn what_is_on_disk_is_of_the_server_that_it_came_from() {
    let folder = Folder::new();
    let first = Origin::with("/a", ok(LASTING, "the first server's"));
    let second = Origin::with("/a", ok(LASTING, "the second server's"));
    let mut daemon = on_disk(&folder, "8 MiB").start(&first);
    daemon.wait_log("disk cache: 0 slices found");
    daemon.get("/o/a").expect(200);
    is_written(&daemon);
    let end = |daemon: &mut Daemon| {
        daemon.signal(Signal::SIGTERM);
        daemon.wait_end();
    };
    end(&mut daemon);
    // A further server of the same content.
    let more = format!("url = [\"http://{}/\", \"http://{}/\"]", second.address, first.address);
    let only = format!("url = \"http://{}/\"", first.address);
    daemon.rewrite(&on_disk(&folder, "8 MiB").file(&first, "127.0.0.1:0").replace(&only, &more));
    let mut again = daemon.again();
    again.wait_log("disk cache: 1 slices found");
    let answer = again.get("/o/a").expect(200);
    assert!(answer.is_hit());
    assert_eq!(answer.text(), "the first server's");
    end(&mut again);
    let other = on_disk(&folder, "8 MiB").start(&second);
    other.wait_log("disk cache: 1 slices found, 1 removed that are of no use,");
    assert_eq!(other.get("/o/a").expect(200).text(), "the second server's");
}

#[test]
fn a_disk_cache_that_a_reload_switches_on_is_used_at_once() {
    let folder = Folder::new();
    let origin = Origin::with("/a", ok(LASTING, "content"));
    let daemon = on_disk(&folder, "0").start(&origin);
    reload(&daemon, &on_disk(&folder, "8 MiB").file(&origin, "127.0.0.1:0"), 1);
    for name in ["a", "b", "c"] {
        let path = format!("/{name}");
        origin.on(&path, ok(LASTING, "content"));
        daemon.get(&format!("/o{path}")).expect(200);
        // The first one that is worth writing has the folder read.
        daemon.wait_log("disk cache: 0 slices found");
    }
    is_written(&daemon);
    reload(&daemon, &on_disk(&folder, "0").file(&origin, "127.0.0.1:0"), 2);
    until("it is empty", || (daemon.status()["disk"]["used"] == 0).then_some(()));
}
