//! What is wrong with the network's files and ports keeps nobody from playing.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use neap::base::time::Date;
use neap::host::clock;
use neap::net::peer::identity::Identity;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::daemon::{Daemon, Folder, Setup, command};
use super::origin::{Origin, ok};
use super::wait::until;

/// A node in a network, with the folder of its state.
struct Member {
    origin: Origin,
    folder: Folder,
    state: PathBuf,
    more: String,
}

impl Member {
    fn new(more: &str) -> Self {
        let origin = Origin::with("/a", ok("Cache-Control: max-age=60", "content"));
        let folder = Folder::new();
        let state = folder.0.join("state");
        std::fs::create_dir(&state).unwrap();
        let secret = folder.0.join("secret");
        std::fs::write(&secret, "0123456789abcdef").unwrap();
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        Self { origin, folder, state, more: more.into() }
    }

    /// It starts, and its player is served.
    fn plays(&self) -> Daemon {
        self.plays_with("")
    }

    /// The same, with these lines of `[cache]`.
    fn plays_with(&self, cache: &str) -> Daemon {
        let setup = Setup { origin: self.network(), cache: cache.into(), ..Setup::default() };
        let daemon = setup.start(&self.origin);
        assert_eq!(daemon.get("/o/a").expect(200).body, b"content");
        daemon
    }

    /// Its lines of `[network]`.
    fn network(&self) -> String {
        let folder = self.folder.0.display();
        format!(
            "[network]\nname = \"net\"\nsecret-file = \"{folder}/secret\"\n\
             state = \"{}\"\ndiscovery = false\nport-mapping = false\n{}",
            self.state.display(),
            self.more
        )
    }
}

#[test]
fn a_tracker_that_refuses_is_told() {
    let said = ok("", "d14:failure reason15:not on the liste");
    let tracker = Origin::with("/announce", said);
    let at = tracker.address;
    let more = format!("listen = \"127.0.0.1:0\"\ntrackers = \"http://{at}/announce\"\n");
    let member = Member::new(&more);
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na\n#EXT-X-ENDLIST\n";
    let lines = "Content-Type: application/vnd.apple.mpegurl\nCache-Control: max-age=60";
    member.origin.on("/p.m3u8", ok(lines, list));
    let origin = format!("share = \"any\"\n{}", member.network());
    let daemon = Setup { origin, ..Setup::default() }.start(&member.origin);
    until("the tracker is asked", || {
        daemon.get("/o/p.m3u8").expect(200);
        daemon.get("/o/a").expect(200);
        (tracker.count("/announce") > 0).then_some(())
    });
    let line = daemon.wait_log("tracker 127.0.0.1");
    let is_for_developers = line.contains("::");
    assert!(line.contains("not on the list") && !is_for_developers, "{line}");
}

fn status(daemon: &Daemon) -> String {
    String::from_utf8(daemon.admin("/status.json").expect(200).body.clone()).unwrap()
}

#[test]
fn with_a_damaged_key_it_plays_and_says_why_it_shares_nothing() {
    let member = Member::new("listen = []\n");
    let key = member.state.join("node.key");
    std::fs::write(&key, "damaged").unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let daemon = member.plays();
    let said = daemon.wait_log("nothing is shared: ");
    assert!(said.contains("node.key is damaged") && said.contains("restart neap"), "{said}");
    let status = status(&daemon);
    assert!(status.contains("\"state\":\"impaired\""), "{status}");
    assert!(status.contains("\"sharing\":\"off: the node's key "), "{status}");
    let mut on = command(&daemon.folder.0);
    let said = on.args(["sharing", "on"]).output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("nothing is shared: the node's key"), "{said}");
}

#[test]
fn a_state_folder_that_another_one_has_is_told_before_the_start() {
    let member = Member::new("listen = []\n");
    let cache = format!("path = \"{}\"\n", member.folder.0.join("cache").display());
    let daemon = member.plays_with(&cache);
    let check = |folder: &Folder| {
        let output = command(&folder.0).arg("check").output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    let told = "network.state: a neap runs with it";
    let said = check(&daemon.folder);
    assert!(!said.contains(told), "it is the one that is to be reloaded: {said}");
    let other = Folder::new();
    let file = std::fs::read_to_string(daemon.folder.0.join("neap.toml")).unwrap();
    std::fs::write(other.0.join("neap.toml"), file.replace("control.sock", "other.sock")).unwrap();
    let said = check(&other);
    assert!(said.contains(told), "{said}");
    // Nor is anything forgotten under it.
    let reset = command(&other.0).args(["reset", "--yes"]).output().unwrap();
    let said = String::from_utf8(reset.stderr).unwrap();
    assert!(reset.status.code() == Some(70) && said.contains("stop neap first"), "{said}");
    drop(daemon);
    assert!(!check(&other).contains(told));
}

#[test]
fn with_a_wrong_admission_it_plays_as_well() {
    let member = Member::new("listen = []\nadmission-file = \"/dev/null\"\n");
    member.plays().wait_log("nothing is shared: network.admission-file: /dev/null");
}

#[test]
fn an_admission_that_does_not_hold_is_told() {
    let admit = |member: &Member, node: &str| {
        let daemon = member.plays();
        let run = |words: &[&str]| {
            let output = command(&daemon.folder.0).args(words).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let own = run(&["key"]);
        (run(&["admit", if node.is_empty() { &own } else { node }]), own)
    };
    let operator = Member::new("listen = []\n");
    let other = format!("ed25519:{}", "7f".repeat(32));
    let (line, key) = admit(&operator, &other);
    let file = operator.folder.0.join("admission");
    std::fs::write(&file, line).unwrap();
    let with = |operators: &str| Member {
        more: format!(
            "listen = []\nadmission-file = \"{}\"\noperators = \"{operators}\"\n",
            file.display()
        ),
        ..Member::new("")
    };
    for (operators, why) in [(&key, "was made for another key"), (&other, "is signed by none of")] {
        let member = with(operators);
        let daemon = member.plays();
        daemon.wait_log(&format!("this node's admission {why}"));
        let status = status(&daemon);
        assert!(status.contains("\"sharing\":\"off: this node's admission "), "{status}");
        assert!(status.contains("\"state\":\"impaired\""), "{status}");
        let check = command(&daemon.folder.0).args(["check", "--quiet"]).output().unwrap();
        let said = String::from_utf8_lossy(&check.stderr).into_owned();
        assert!(
            said.contains(&format!("nothing is shared: this node's admission {why}")),
            "{said}"
        );
    }
    // The node's own holds.
    let (line, key) = admit(&operator, "");
    std::fs::write(&file, line).unwrap();
    let member = Member { state: operator.state.clone(), ..with(&key) };
    assert!(!status(&member.plays()).contains("this node's admission"));
}

#[test]
fn an_admission_that_runs_out_is_told_by_the_status() {
    let member = Member::new("listen = []\n");
    let own = Identity::open(&member.state).unwrap().key;
    let operator = Identity::passing().unwrap();
    let file = member.folder.0.join("admission");
    let line = operator.admit(own, Date(clock::trusted_date().0 + 4)).to_string();
    std::fs::write(&file, line).unwrap();
    let more = format!(
        "listen = []\nadmission-file = \"{}\"\noperators = \"{}\"\n",
        file.display(),
        operator.key
    );
    let daemon = Member { more, ..member }.plays();
    let over = "\"sharing\":\"off: this node's admission is over: make one with 'neap admit ";
    until("the admission to run out", || status(&daemon).contains(over).then_some(()));
    assert!(!daemon.log().contains("admission is over"), "it held at the start");
    assert!(status(&daemon).contains("\"state\":\"impaired\""));
    let said = command(&daemon.folder.0).args(["sharing", "on"]).output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("nothing is shared: this node's admission is over"), "{said}");
}

#[test]
fn without_its_secret_it_plays_as_well() {
    let member = Member::new("listen = []\n");
    let secret = member.folder.0.join("secret");
    std::fs::remove_file(&secret).unwrap();
    let said = member.plays().wait_log("nothing is shared: ");
    assert!(said.contains("network.secret-file") && said.contains("no such file"), "{said}");
    std::fs::write(&secret, "0123456789abcdef").unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o644)).unwrap();
    member.plays().wait_log("everybody on this device may use it");
    // One that shares goes on with the secret that it has.
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let daemon = member.plays();
    std::fs::remove_file(&secret).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("there is no such file: neap goes on as it was started");
    assert!(!status(&daemon).contains("\"sharing\":\"off"));
}

#[test]
fn of_two_with_one_state_folder_the_second_plays_and_shares_nothing() {
    let member = Member::new("listen = []\n");
    let first = member.plays();
    first.wait_log("this node is ed25519:");
    let second = member.plays();
    let why = format!("another neap uses {}: give each its own", member.state.display());
    second.wait_log(&format!("nothing is shared: {why}"));
    assert!(status(&second).contains(&format!("\"sharing\":\"off: {why}")));
    assert!(!status(&first).contains("\"sharing\":\"off"));
    drop(first);
    member.plays().wait_log("this node is ed25519:");
}

#[test]
fn one_folder_may_be_for_slices_and_for_the_state() {
    let member = Member::new("listen = []\n");
    let cache = format!("disk = \"64 MiB\"\npath = \"{}\"", member.state.display());
    let daemon = member.plays_with(&cache);
    daemon.wait_log("disk cache");
    let status = status(&daemon);
    assert!(status.contains("\"disk_fault\":null"), "{status}");
    assert!(!status.contains("\"sharing\":\"off"), "{status}");
}

#[test]
fn where_no_key_can_be_kept_one_is_made_for_the_start() {
    // Not even root makes a folder there.
    let daemon = Member { state: "/proc/none".into(), ..Member::new("listen = []\n") }.plays();
    daemon.wait_log("this start has one that ends with it");
    daemon.wait_log("this node is ed25519:");
    assert!(!status(&daemon).contains("\"sharing\":\"off"));
}

#[test]
fn pipes_in_the_place_of_files_are_not_waited_for() {
    let member = Member::new("listen = []\n");
    for name in ["node.key", "caps.note", "switch.note"] {
        mkfifo(&member.state.join(name), Mode::S_IRWXU).unwrap();
    }
    member.plays().wait_log("node.key cannot be read: it is a pipe, and no file");
}

#[test]
fn a_peers_port_that_is_taken_ends_no_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let daemon = Member::new(&format!("listen = [\"{at}\"]\n")).plays();
    daemon.wait_log(&format!("peers cannot connect: [network] listen {at}: another program"));
}
