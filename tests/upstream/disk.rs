//! The disk tier from end to end: what survives a kill, and what a broken disk costs.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::node::{Folder, Node, disk_tier};
use crate::origin::{Origin, pattern, until};

const OBJECTS: usize = 16;

/// Bytes of an object: two slices, the second one short and of a length of its own.
fn object(number: usize) -> Vec<u8> {
    let mut body = pattern(1_200_000 + number * 1001);
    body.iter_mut().for_each(|byte| *byte ^= number as u8);
    body
}

fn shop() -> (Origin, Arc<Vec<Vec<u8>>>) {
    let bodies: Arc<Vec<_>> = Arc::new((0..OBJECTS).map(object).collect());
    let copy = Arc::clone(&bodies);
    let origin = Origin::new(move |asked, reply| {
        let number: usize = asked.path()[1..].parse().expect("a number");
        reply.file(asked, &format!("\"v{number}\""), &copy[number]);
    });
    (origin, bodies)
}

fn node(origin: &Origin, folder: &Path, more: &str) -> Node {
    Node::configured(&lines(origin, folder, more))
}

fn lines(origin: &Origin, folder: &Path, more: &str) -> String {
    let tier = disk_tier(folder, "64 MiB");
    format!("{tier}{more}\n[[origin]]\nname = \"tv\"\nurl = \"{}\"\n", origin.url())
}

fn path(number: usize) -> String {
    format!("/tv/{number}")
}

/// Waits until everything that was fetched is on disk.
fn settled(node: &Node, slices: u64) {
    until("the disk", || (node.metric("neap_disk_writes_total") >= slices).then_some(()));
}

/// Has a node fetch and write objects, no faster than its disk takes them: a few slices may wait
/// for it, and not any number.
fn fill(node: &Node, bodies: &[Vec<u8>]) {
    node.logged(&["disk cache:", "slices found"]);
    for (number, body) in bodies.iter().enumerate() {
        node.get(&path(number)).is(body);
        settled(node, 2 * (number as u64 + 1));
    }
}

/// A folder with all objects, and nobody who uses it.
fn filled() -> (Origin, Arc<Vec<Vec<u8>>>, Folder) {
    let ((origin, bodies), folder) = (shop(), Folder::new());
    let first = node(&origin, &folder.0, "");
    fill(&first, &bodies);
    first.kill();
    (origin, bodies, folder)
}

/// Every file below a folder that holds a slice.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if entry.metadata().is_ok_and(|data| data.len() > 10_000) {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn what_is_on_disk_is_served_after_a_kill_without_the_origin() {
    let (origin, bodies, folder) = filled();
    let (asked, sent) = (origin.asked().len(), origin.sent());
    let second = node(&origin, &folder.0, "");
    second.logged(&["disk cache: 32 slices found"]);
    for (number, body) in bodies.iter().enumerate() {
        let got = second.get(&path(number));
        got.is(body);
        assert!(
            got.note().contains("hit") || got.note().contains("fwd-status=304"),
            "{}",
            got.note()
        );
        second
            .range(&path(number), 1_048_000, 1_049_000)
            .is_status(206, &body[1_048_000..=1_049_000]);
    }
    assert!(origin.sent() - sent < 100_000, "{} bytes again", origin.sent() - sent);
    // Without a set clock nobody knows how old it is: then the origin confirms it.
    if neap::host::clock::date().is_some() {
        assert_eq!(origin.asked().len(), asked);
    }
    let status = second.status();
    assert_eq!(status["disk_fault"], serde_json::Value::Null, "{status}");
}

/// A pipe without a writer opens never, as files on a disk that hangs.
fn hang(folder: &Path) {
    for file in files(folder) {
        std::fs::remove_file(&file).expect("own file");
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRUSR).expect("a pipe");
    }
}

#[test]
fn a_disk_that_does_not_answer_keeps_nobody_waiting() {
    let (origin, bodies, folder) = filled();
    let node = node(&origin, &folder.0, "");
    node.logged(&["disk cache: 32 slices found"]);
    hang(&folder.0);
    let began = Instant::now();
    for (number, body) in bodies.iter().enumerate() {
        node.get(&path(number)).is(body);
    }
    let took = began.elapsed();
    // Whoever comes first waits for it, and nobody after.
    assert!(took >= Duration::from_millis(1900) && took < Duration::from_secs(30), "{took:?}");
    node.logged(&["<4>", "a file in the cache was unreadable: the disk is too slow"]);
}

#[test]
fn who_leaves_a_disk_that_does_not_answer_leaves_few_threads_with_it() {
    let (origin, bodies, folder) = filled();
    let node = node(&origin, &folder.0, "");
    node.logged(&["disk cache: 32 slices found"]);
    hang(&folder.0);
    for number in 0..8 {
        let mut leaves = TcpStream::connect(("127.0.0.1", node.port)).expect("the node listens");
        let head = format!("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path(number));
        leaves.write_all(head.as_bytes()).expect("sent");
        std::thread::sleep(Duration::from_millis(200));
    }
    node.get(&path(10)).is(&bodies[10]);
    assert_eq!(node.said(&["the disk is too slow"]), 0, "nobody waits for it any more");
}

#[test]
fn a_kill_at_any_moment_costs_no_byte_that_is_right() {
    let ((origin, bodies), folder) = (shop(), Folder::new());
    for round in 0..5_u32 {
        let victim = node(&origin, &folder.0, "");
        let port = victim.port;
        let players: Vec<_> = (0..3)
            .map(|lane| {
                std::thread::spawn(move || {
                    for number in (lane..OBJECTS).step_by(3) {
                        let at = (number + round as usize * 5) % OBJECTS;
                        if crate::player::glance(port, &path(at)).is_err() {
                            return;
                        }
                    }
                })
            })
            .collect();
        // Another moment in each round: from the first write on, a few milliseconds apart.
        let begin = Instant::now();
        until("a write", || {
            let done = players.iter().all(|player| player.is_finished());
            (done || !files(&folder.0).is_empty()).then_some(())
        });
        let moment = Duration::from_millis(u64::from(begin.elapsed().subsec_nanos() % 40));
        std::thread::sleep(moment);
        victim.kill();
        for player in players {
            player.join().expect("a player ends");
        }
        let checked = node(&origin, &folder.0, "");
        checked.logged(&["disk cache:", "slices found"]);
        for (number, body) in bodies.iter().enumerate() {
            checked.get(&path(number)).is(body);
        }
        checked.kill();
    }
}

#[test]
fn bytes_that_rotted_on_disk_reach_nobody() {
    let ((origin, bodies), folder) = (shop(), Folder::new());
    let first = node(&origin, &folder.0, "");
    fill(&first, &bodies[..6]);
    first.kill();
    let files = files(&folder.0);
    assert_eq!(files.len(), 12);
    for (number, file) in files.iter().enumerate() {
        let mut bytes = std::fs::read(file).expect("a slice");
        let middle = bytes.len() / 2;
        match number % 4 {
            0 => bytes[middle] ^= 1,
            1 => bytes.truncate(middle),
            2 => bytes.extend_from_slice(b"more"),
            _ => bytes[3] ^= 0x40,
        }
        std::fs::write(file, bytes).expect("a slice");
    }
    let second = node(&origin, &folder.0, "");
    second.logged(&["disk cache:", "slices found"]);
    for number in 0..6 {
        second.get(&path(number)).is(&bodies[number]);
        second.get(&path(number)).is(&bodies[number]);
    }
}

#[test]
fn a_folder_that_is_deleted_costs_the_player_nothing() {
    let ((origin, bodies), folder) = (shop(), Folder::new());
    let cache = folder.join("cache");
    std::fs::create_dir(&cache).expect("a folder");
    let node = node(&origin, &cache, "memory = \"4 MiB\"");
    fill(&node, &bodies[..8]);
    remove_under(&cache);
    for _ in 0..2 {
        for (number, body) in bodies.iter().enumerate() {
            node.get(&path(number)).is(body);
        }
    }
    assert!(node.said(&["the disk cache takes no writes"]) <= 1, "{}", node.log());
}

/// Removes a folder that a node still writes to: a file that it names in the meantime makes one
/// attempt fail, never all of them.
fn remove_under(folder: &Path) {
    until("the folder to be gone", || {
        let removed = std::fs::remove_dir_all(folder);
        (removed.is_ok() || !folder.exists()).then_some(())
    });
}

#[test]
fn the_disk_tier_stays_below_its_size() {
    let ((origin, bodies), folder) = (shop(), Folder::new());
    let tier = disk_tier(&folder.0, "5 MiB");
    let node = Node::configured(&format!(
        "{tier}memory = \"4 MiB\"\n[[origin]]\nname = \"tv\"\nurl = \"{}\"\n",
        origin.url()
    ));
    for _ in 0..3 {
        for (number, body) in bodies.iter().enumerate() {
            node.get(&path(number)).is(body);
        }
    }
    until("the disk to be within its size", || {
        let used: u64 =
            files(&folder.0).iter().filter_map(|file| file.metadata().ok()).map(|m| m.len()).sum();
        (used <= 5 << 20).then_some(())
    });
    let status = node.status();
    assert!(status["disk"]["used"].as_u64().expect("a number") <= 5 << 20, "{status}");
    assert!(status["memory"]["used"].as_u64().expect("a number") <= 4 << 20, "{status}");
}

/// A file system in memory of so many bytes; none where the tests may not mount.
struct Mounted(Folder);

impl Mounted {
    fn new(size: &str) -> Option<Self> {
        let folder = Folder::new();
        let options = format!("size={size}");
        let mounted = run(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs"], &folder.0);
        if !mounted {
            eprintln!("SKIPPED: mounting a small file system needs root");
        }
        mounted.then_some(Self(folder))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run(&["umount", "-l"], &self.0.0);
    }
}

fn run(words: &[&str], at: &Path) -> bool {
    let done = Command::new(words[0]).args(&words[1..]).arg(at).output();
    done.is_ok_and(|done| done.status.success())
}

/// The player goes on, the log says it once, the status says it.
fn goes_on(node: &Node, folder: &Path, bodies: &[Vec<u8>]) {
    for _ in 0..2 {
        for (number, body) in bodies.iter().enumerate() {
            node.get(&path(number)).is(body);
        }
    }
    node.logged(&["<4>", "the disk cache takes no writes", &format!("({})", folder.display())]);
    let fault = until("the status to tell", || {
        let status = node.status();
        status["disk_fault"].as_str().map(str::to_owned)
    });
    assert!(fault.ends_with(&format!(" ({})", folder.display())), "{fault}");
    assert_eq!(node.metric("neap_disk_fault "), 1);
    for (number, body) in bodies.iter().enumerate() {
        node.get(&path(number)).is(body);
    }
    let said = node.said(&["<4>", "the disk cache takes no writes"]);
    assert!(said <= 1, "{said} times: {}", node.log());
}

#[test]
fn a_full_disk_is_told_once_and_the_player_goes_on() {
    let Some(mounted) = Mounted::new("3m") else { return };
    let (origin, bodies) = shop();
    let node = node(&origin, &mounted.0.0, "memory = \"4 MiB\"");
    goes_on(&node, &mounted.0.0, &bodies);
}

#[test]
fn a_disk_tier_in_memory_counts_as_memory() {
    let Some(mounted) = Mounted::new("64m") else { return };
    let (origin, bodies) = shop();
    let node = node(&origin, &mounted.0.0, "memory = \"4 MiB\"\n[caps]\nmemory = \"64 MiB\"");
    node.logged(&["<4>", "the disk cache lies in memory (tmpfs): it counts as memory"]);
    until("what lies on the tmpfs to be counted", || {
        // A slow disk leaves out what had to make room in memory before it was written.
        for (number, body) in bodies.iter().enumerate() {
            node.get(&path(number)).is(body);
        }
        let status = node.status();
        let caps = status["caps"].as_array()?;
        let memory = caps.iter().find(|cap| cap["name"] == "memory")?;
        let beside: u64 = memory["now"].as_str()?.split(' ').next()?.parse().ok()?;
        let disk = status["disk"]["used"].as_u64()?;
        (disk > 18 << 20 && beside << 20 > disk).then_some(())
    });
}

#[test]
fn a_disk_that_came_up_read_only_still_serves_what_it_holds() {
    let Some(mounted) = Mounted::new("64m") else { return };
    let (origin, bodies) = shop();
    let first = node(&origin, &mounted.0.0, "memory = \"4 MiB\"");
    first.get(&path(0)).is(&bodies[0]);
    settled(&first, 2);
    first.kill();
    assert!(run(&["mount", "-o", "remount,ro"], &mounted.0.0));
    let sent = origin.sent();
    let second = node(&origin, &mounted.0.0, "memory = \"4 MiB\"");
    second.logged(&["disk cache: 2 slices found"]);
    second.get(&path(0)).is(&bodies[0]);
    assert!(origin.sent() - sent < 10_000, "what is there can be read");
    goes_on(&second, &mounted.0.0, &bodies);
}

#[test]
fn a_folder_that_may_not_be_written_is_told_once_and_the_player_goes_on() {
    let folder = Folder::new();
    let cache = folder.join("cache");
    std::fs::create_dir(&cache).expect("our own folder");
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o555)).expect("our own");
    let (origin, bodies) = shop();
    // Root may write everywhere, so the node runs as somebody else then.
    let is_root = nix::unistd::geteuid().is_root();
    let node = Node::started("debug", &lines(&origin, &cache, "memory = \"4 MiB\""), |command| {
        if is_root {
            command.uid(65534).gid(65534);
        }
    });
    goes_on(&node, &cache, &bodies);
}
