//! What an earlier version left on the device, in `tests/samples/VERSION`, and what this one makes
//! of it after an update: the same node, the same cache, or a clean start.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use neap::store::sheet::Head;

use super::daemon::{Daemon, Folder, Setup, binary, command};
use super::origin::{Origin, Script, ok, top};

/// The key of the node that wrote the samples; it was made for them and belongs to no device.
const KEY: &str = "ed25519:8beba18f08982ea1c7f2bf99ba9ea5154d57134faad7db44f8bfe74de49d20b4";
const NOTES: [&str; 3] = ["caps.note", "ledger.note", "switch.note"];
const SLICE: &str = "4d/4d88a05320151d8df2dc075075a1f832-00000000-0000000000000001";

/// A device with the files of 0.1.0 in its folders.
fn device() -> Folder {
    let folder = Folder::new();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/0.1.0");
    let notes = NOTES.map(|note| (note, format!("state/{note}")));
    let kept = [("node.key", "state/node.key".into()), (SLICE, format!("cache/{SLICE}"))];
    for (from, to) in kept.into_iter().chain(notes) {
        let to = folder.0.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(samples.join(from), &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(folder.0.join("state"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(folder.0.join("secret"), "thirty-two bytes that only we know").unwrap();
    fs::set_permissions(folder.0.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

/// The lines of the configuration that lead to its folders.
fn setup(device: &Folder) -> Setup {
    let at = device.0.display();
    let cache = format!(
        "path = \"{at}/cache\"\ndisk = \"8 MiB\"\n[network]\nname = \"home\"\n\
         secret-file = \"{at}/secret\"\nstate = \"{at}/state\"\nlisten = []\ndiscovery = false\n"
    );
    Setup { cache, ..Setup::default() }
}

/// What the origin has by now; to the tag of the kept content it says that nothing has changed,
/// since the sample grows older than its lifetime of a year.
fn changed() -> Script {
    let new = ok("Cache-Control: max-age=60", "fetched anew\n");
    std::sync::Arc::new(move |wire| {
        if wire.request.field("if-none-match").is_some_and(|tag| tag.contains("\"old\"")) {
            let lines = "Cache-Control: max-age=60\nETag: \"old\"";
            return wire.send(format!("{}\r\n", top("304 Not Modified", lines)));
        }
        new(wire);
    })
}

#[test]
fn the_key_and_the_cache_of_0_1_0_live_on() {
    let (device, origin) = (device(), Origin::with("/old.mp4", changed()));
    let daemon: Daemon = setup(&device).start(&origin);
    daemon.wait_log(KEY);
    daemon.wait_log("disk cache: 1 slices found");
    assert_eq!(daemon.get("/o/old.mp4").expect(200).text(), "kept by neap 0.1.0\n");
}

#[test]
fn what_0_1_0_noted_holds_on() {
    let (device, origin) = (device(), Origin::new());
    let daemon = setup(&device).start(&origin);
    let status = daemon.status();
    let volume = status["caps"].as_array().unwrap().iter().find(|cap| cap["name"] == "volume");
    assert_eq!(volume.unwrap()["period"], "3.1 MB today, 3.0 GB in 30 days");
    let wan = &status["ledger"][1];
    assert_eq!((&wan["tier"], &wan["given_bytes"]), (&"wan".into(), &5_242_880.into()));
    assert!(status["network"].is_null(), "sharing was switched off: {}", status["network"]);
}

#[test]
fn notes_of_an_unknown_version_begin_anew() {
    let (device, origin) = (device(), Origin::new());
    for note in NOTES {
        let path = device.0.join("state").join(note);
        let text = fs::read_to_string(&path).unwrap();
        let (head, rest) = text.split_once(" 1\n").unwrap();
        fs::write(path, format!("{head} 2\n{rest}")).unwrap();
    }
    let daemon = setup(&device).start(&origin);
    daemon.wait_log(KEY);
    let status = daemon.status();
    assert_eq!(status["ledger"].as_array().unwrap().len(), 0);
    assert!(status["network"].is_null(), "the owner's word holds, whatever wrote it");
    assert_eq!(daemon.get("/o/movie.mp4").status, 404);
}

#[test]
fn a_slice_of_an_unknown_version_goes_and_is_fetched_anew() {
    let goes = |change: fn(Vec<u8>) -> Vec<u8>, found: u8| {
        let (device, origin) = (device(), Origin::with("/old.mp4", changed()));
        let slice = device.0.join("cache").join(SLICE);
        fs::write(&slice, change(fs::read(&slice).unwrap())).unwrap();
        let daemon = setup(&device).start(&origin);
        let said = format!("disk cache: {found} slices found, 1 removed that are of no use,");
        daemon.wait_log(&said);
        assert_eq!(daemon.get("/o/old.mp4").expect(200).text(), "fetched anew\n");
    };
    // Another format of slices, and this one with words that only a later version writes.
    goes(
        |mut bytes| {
            bytes[9] += 1;
            bytes
        },
        0,
    );
    goes(
        |bytes| {
            let length = Head::length(bytes.first_chunk().unwrap()).unwrap();
            let mut head = Head::parse(&bytes[..length]).unwrap();
            head.header[0] = 200;
            [&head.to_bytes(), &bytes[length..]].concat()
        },
        1,
    );
}

#[test]
fn a_reset_leaves_nothing_of_0_1_0() {
    let (device, origin) = (device(), Origin::new());
    fs::write(device.0.join("neap.toml"), setup(&device).file(&origin, "127.0.0.1:0")).unwrap();
    for note in
        ["caps.note", "ledger.note", "switch.note", "caps.note.new", "node.key.old", "node.key.7"]
    {
        fs::write(device.0.join("state").join(note), "noted").unwrap();
    }
    let mut reset: Command = command(&device.0);
    let said = reset.args(["reset", "--yes"]).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let left = |folder: &str| fs::read_dir(device.0.join(folder)).map_or(0, Iterator::count);
    assert_eq!((left("cache/4d"), left("state")), (0, 0));
    assert!(!device.0.join("cache/lock").exists());
}

#[test]
fn a_command_that_is_newer_than_the_daemon_says_so() {
    let device = Folder::new();
    let control = device.0.join("control.sock");
    fs::write(
        device.0.join("neap.toml"),
        format!("[admin]\ncontrol = \"{}\"\n", control.display()),
    )
    .unwrap();
    let older = UnixListener::bind(&control).unwrap();
    let daemon = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = older.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    for word in ["status", "ledger"] {
        let said = command(&device.0).arg(word).output().unwrap();
        assert_eq!(said.status.code(), Some(70), "{said:?}");
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(said.contains("another version") && said.contains("--json"), "{said}");
    }
    daemon.join().unwrap();
}

#[test]
fn a_file_of_a_later_version_is_told_before_it_is_used_and_the_image_s_own_one_still_serves() {
    let device = Folder::new();
    let check = |file: &Path| {
        let mut check = Command::new(binary());
        let checked = check.args(["check", "--quiet", "--config"]).arg(file).output().unwrap();
        (checked.status.code(), String::from_utf8(checked.stderr).unwrap())
    };
    let later = device.0.join("later.toml");
    fs::write(&later, "[network]\ncarrier-pigeons = true\n").unwrap();
    let (code, said) = check(&later);
    assert_eq!(code, Some(78));
    assert!(said.contains("later.toml:2: unknown key 'network.carrier-pigeons'"), "{said}");
    // As systemd/examples/fallback.conf starts it then.
    assert_eq!(check(Path::new("/dev/null")).0, Some(0));
}
