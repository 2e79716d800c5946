//! A changed configuration while something goes on.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use super::daemon::{Daemon, Folder, Setup};
use super::origin::{Origin, ok};
use super::wait::until;

const FRESH: &str = "Cache-Control: max-age=60";

/// Gives a daemon another configuration and waits until it has it, for the `count`th time.
fn reload(daemon: &Daemon, file: &str, count: usize) {
    daemon.rewrite(file);
    daemon.signal(Signal::SIGHUP);
    let line = daemon.wait_log(&format!(", reload {count}"));
    let origins = format!("read again: {} origins", file.matches("[[origin]]").count());
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
