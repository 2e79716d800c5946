//! Starting, stopping, changing the configuration, and what the operator sees.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Output;

use nix::sys::signal::Signal;

use super::daemon::{Daemon, Folder, Setup, command};
use super::origin::{Origin, bytes, held, ok, reply};
use super::wait::Gate;

const FRESH: &str = "Cache-Control: max-age=60";

/// Runs neap with this file until it ends by itself.
fn run(file: &str) -> (i32, String) {
    let folder = Folder::new();
    std::fs::write(folder.0.join("neap.toml"), file).unwrap();
    ended(&command(&folder.0).output().unwrap())
}

fn ended(output: &Output) -> (i32, String) {
    assert!(output.stdout.is_empty());
    (output.status.code().unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

#[test]
fn a_wrong_configuration_ends_the_start_with_78_and_names_every_fault() {
    let (code, said) = run("[player]\nlistne = [\"x\"]\n[cache]\nmemory = \"many\"\n");
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("listen") && said.contains("memory"), "{said}");
    let folder = Folder::new();
    let (code, said) = ended(&command(&folder.0).output().unwrap());
    assert_eq!(code, 78, "a file that is not there: {said}");
    let mut wrong = command(&folder.0);
    let (code, said) = ended(&wrong.arg("--nonsense").output().unwrap());
    assert_eq!(code, 78, "{said}");
}

#[test]
fn a_command_whose_words_go_nowhere_or_that_finds_no_key_is_no_success() {
    let folder = Folder::new();
    std::fs::write(folder.0.join("neap.toml"), "").unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut check = command(&folder.0);
    let (code, said) = ended(&check.arg("check").stdout(full).output().unwrap());
    assert_eq!(code, 70, "{said}");
    assert!(said.contains("standard output: No space left"), "{said}");
    let mut admit = command(&folder.0);
    let node = format!("ed25519:{}", "7f".repeat(32));
    let (code, said) = ended(&admit.args(["admit", &node, "--key", "none"]).output().unwrap());
    assert_eq!(code, 78, "{said}");
}

#[test]
fn a_port_that_is_taken_is_told_clearly() {
    let origin = Origin::new();
    let first = Daemon::new(&origin);
    let (code, said) = run(&Setup::default().file(&origin, &first.player.to_string()));
    assert_eq!(code, 70, "{said}");
    assert!(said.contains("another program listens there"), "{said}");
    assert!(said.contains(&format!("[player] listen {}", first.player)), "{said}");
}

#[test]
fn without_its_page_it_plays_all_the_same() {
    let origin = Origin::new();
    let page = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let page = page.local_addr().map(|at| (page, at.to_string())).unwrap();
    let file = Setup::default().file(&origin, "127.0.0.1:0");
    let own = "[admin]\nlisten = \"127.0.0.1:0\"";
    let folder = Folder::new();
    let file = file.replace(own, &own.replace("127.0.0.1:0", &page.1));
    std::fs::write(folder.0.join("neap.toml"), file).unwrap();
    let mut child = command(&folder.0).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said: Vec<_> = lines.take_while(|line| !line.contains(" is ready")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    said.retain(|line| line.contains("there is no page") || line.contains("players connect to"));
    let told = format!("[admin] listen {}: another program listens there", page.1);
    assert!(said.len() == 2 && said[0].contains(&told), "{said:?}");
}

#[test]
fn what_the_system_forbids_ends_with_77() {
    let origin = Origin::new();
    let folder = Folder::new();
    let file = folder.0.join("neap.toml");
    std::fs::write(&file, Setup::default().file(&origin, "127.0.0.1:0")).unwrap();
    let mut neap = command(&folder.0);
    if nix::unistd::geteuid().is_root() {
        // Root may read everything: it becomes nobody for this one.
        neap.uid(65_534).gid(65_534);
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    let (code, said) = ended(&neap.output().unwrap());
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("neap.toml"), "{said}");
}

#[test]
fn sigterm_ends_an_idle_neap_at_once_with_0() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let mut daemon = Daemon::new(&origin);
    let mut idle = daemon.connect();
    idle.get("/o/a", "").expect(200);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_end().code(), Some(0));
    assert_eq!(idle.end(), b"");
    assert!(!daemon.log().contains("cut"), "{}", daemon.log());
}

#[test]
fn sigterm_lets_what_runs_finish_and_nobody_new_in() {
    let gate = Gate::default();
    let lines = format!("{FRESH}\nContent-Length: 10");
    let origin = Origin::with("/a", held(&lines, "first", &gate, "later"));
    let mut daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    player.head();
    assert_eq!(player.exactly(5).unwrap(), b"first");
    daemon.signal(Signal::SIGTERM);
    daemon.wait_log("stopping");
    let refused = || std::net::TcpStream::connect(daemon.player).is_err().then_some(());
    super::wait::until("nobody new comes in", refused);
    gate.open();
    assert_eq!(player.exactly(5).unwrap(), b"later");
    assert_eq!(daemon.wait_end().code(), Some(0));
}

#[test]
fn sigterm_cuts_what_does_not_finish_in_5_seconds() {
    let lines = format!("{FRESH}\nContent-Length: 10");
    let origin = Origin::with("/a", super::origin::endless(&lines, "first"));
    let mut daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    player.head();
    player.exactly(5).unwrap();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_end().code(), Some(0));
    assert_eq!(player.end(), b"");
    daemon.wait_log("cut 1 requests");
}

#[test]
fn sighup_with_a_bad_file_changes_nothing_and_says_why() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/a").expect(200);
    daemon.rewrite("[cache]\nmemry = \"1 MiB\"\nnonsense\n");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("the configuration stays as it was");
    assert!(daemon.get("/o/a").expect(200).is_hit());
    daemon.rewrite("[cache]\nmemry = \"1 MiB\"\n");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("memory");
    assert!(daemon.get("/o/a").expect(200).is_hit());
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let folder = daemon.folder.0.join("neap.toml.d");
    std::fs::create_dir(&folder).unwrap();
    nix::unistd::mkfifo(&folder.join("x.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("x.toml: it cannot be read (it is a pipe, and no file)");
    daemon.wait_log("the configuration stays as it was");
    assert_eq!(daemon.get("/o/a").expect(200).text(), "content");
}

#[test]
fn nothing_is_forgotten_under_a_running_neap() {
    let origin = Origin::new();
    let daemon = Daemon::new(&origin);
    let (code, said) = ended(&command(&daemon.folder.0).args(["reset", "--yes"]).output().unwrap());
    assert_eq!(code, 70, "{said}");
    assert!(said.contains("neap is running: stop it first"), "{said}");
}

#[test]
fn a_control_socket_that_was_removed_is_made_anew_by_a_reload() {
    let origin = Origin::new();
    let daemon = Daemon::new(&origin);
    let control = daemon.folder.0.join("control.sock");
    let status = || command(&daemon.folder.0).arg("status").output().unwrap();
    assert_eq!(status().status.code(), Some(0));
    std::fs::remove_file(&control).unwrap();
    let said = String::from_utf8(status().stderr).unwrap();
    assert!(said.contains("nobody listens at ") && said.contains("reload neap"), "{said}");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("reload 1");
    assert_eq!(status().status.code(), Some(0));
    // One that is there stays.
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("reload 2");
    assert_eq!(status().status.code(), Some(0));
}

#[test]
fn the_control_socket_goes_with_the_daemon() {
    let origin = Origin::new();
    let mut daemon = Daemon::new(&origin);
    let control = daemon.folder.0.join("control.sock");
    assert!(control.exists());
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait_end().success());
    assert!(!control.exists(), "it would look like a neap that does not answer");
    // Another one that has taken its place stays.
    let mut daemon = Daemon::new(&origin);
    let control = daemon.folder.0.join("control.sock");
    std::fs::remove_file(&control).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&control).unwrap();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait_end().success());
    assert!(control.exists(), "{other:?}");
}

#[test]
fn a_daemon_of_a_test_keeps_its_state_to_itself() {
    let origin = Origin::new();
    let daemon = Daemon::new(&origin);
    let check = command(&daemon.folder.0).arg("check").output().unwrap();
    let state = format!("state = \"{}\"", daemon.folder.0.join("state").display());
    let said = String::from_utf8(check.stdout).unwrap();
    assert!(said.contains(&state), "{said}");
}

#[test]
fn a_wrong_file_keeps_no_status_from_being_asked() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let control = daemon.folder.0.join("control.sock");
    daemon.rewrite(&format!(
        "[admin]\ncontrol = \"{}\"\n[cache]\nmemry = \"1 MiB\"\n[network]\nname = \"home\"\n\
         secret-file = \"/nowhere\"\n",
        control.display()
    ));
    for word in ["status", "ledger", "wake"] {
        let output = command(&daemon.folder.0).arg(word).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{word}: {said}");
        assert!(!output.stdout.is_empty());
        assert!(said.starts_with("neap: warning: ") && said.contains("memry"), "{said}");
        assert!(!said.contains("nowhere"), "{said}");
    }
}

#[test]
fn sighup_adds_an_origin_without_cutting_a_stream() {
    let gate = Gate::default();
    let lines = format!("{FRESH}\nContent-Length: 10");
    let origin = Origin::with("/a", held(&lines, "first", &gate, "later"));
    origin.on("/warm", ok(FRESH, "warm"));
    let second = Origin::with("/b", ok(FRESH, "the second's"));
    let daemon = Daemon::new(&origin);
    daemon.get("/o/warm").expect(200);
    daemon.get("/second/b").expect(307);
    let mut player = daemon.connect();
    player.ask("/o/a", "");
    player.head();
    assert_eq!(player.exactly(5).unwrap(), b"first");
    let file = Setup::default().file(&origin, "127.0.0.1:0");
    let more = format!("[[origin]]\nname = \"second\"\nurl = \"http://{}\"\n", second.address);
    daemon.rewrite(&format!("{file}{more}"));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("configuration read again: 2 origins");
    assert_eq!(daemon.get("/second/b").expect(200).text(), "the second's");
    assert!(daemon.get("/o/warm").expect(200).is_hit(), "what was stored stays");
    gate.open();
    assert_eq!(player.exactly(5).unwrap(), b"later");
    assert_eq!(player.get("/second/b", "").expect(200).text(), "the second's");
}

#[test]
fn an_origin_that_leads_back_to_neap_is_told_at_once() {
    let origin = Origin::new();
    let (one, other) = (Daemon::new(&origin), Daemon::new(&origin));
    let lead = |from: &Daemon, to: &Daemon| {
        let file = Setup::default().file(&origin, "127.0.0.1:0");
        let url = format!("http://{}/round", to.player);
        from.rewrite(&format!("{file}[[origin]]\nname = \"round\"\nurl = \"{url}\"\n"));
        from.signal(Signal::SIGHUP);
    };
    let told = "round: the url of this origin leads back to neap.";
    for (number, next) in [(1, &one), (2, &other)] {
        lead(&one, next);
        one.wait_log(&format!("reload {number}"));
        if number == 2 {
            lead(&other, &one);
            other.wait_log("reload 1");
        }
        let asked = one.counter("requests");
        let text = one.get(&format!("/round/{number}.m3u8")).expect(508).text();
        assert_eq!(text, format!("{told}\n"));
        one.wait_log(told);
        assert_eq!(one.counter("requests"), asked + 2);
    }
    assert_eq!(other.counter("requests"), 1);
    assert!(!other.log().contains(told), "whose request it is ends it");
}

#[test]
fn sighup_names_what_needs_a_restart_and_takes_over_the_rest() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let setup = Setup { cache: "memory = \"5 MiB\"".into(), ..Setup::default() };
    daemon.rewrite(&setup.file(&origin, "127.0.0.1:8640"));
    daemon.signal(Signal::SIGHUP);
    let line = daemon.wait_log("player.listen");
    assert!(line.contains("restart"), "{line}");
    daemon.wait_log("configuration read again");
    assert_eq!(daemon.status()["memory"]["limit"], 5 << 20);
    daemon.get("/o/a").expect(200);
}

#[test]
fn every_sighup_has_its_own_line_and_the_caps_of_its_file_hold() {
    let origin = Origin::with("/a", ok(FRESH, "content"));
    let daemon = Daemon::new(&origin);
    let file = Setup::default().file(&origin, "127.0.0.1:0");
    for (count, rate) in [(1, "2 Mbit/s"), (2, "20 Mbit/s"), (3, "2 Mbit/s")] {
        daemon.rewrite(&format!("{file}[caps]\nupload-home = \"{rate}\"\n"));
        daemon.signal(Signal::SIGHUP);
        let line = daemon.wait_log(&format!("reload {count}"));
        assert!(line.contains("configuration read again: 1 origin,"), "{line}");
        let caps = daemon.status()["caps"].to_string();
        assert!(caps.contains(&format!("home {}", rate.replace("2 M", "2.0 M"))), "{caps}");
    }
    daemon.rewrite(&format!("{file}[caps]\nupload-home = \"fast\"\n"));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("the new one has errors, reload 4");
}

#[test]
fn the_counters_agree_with_what_was_done() {
    let origin = Origin::with("/a", ok(FRESH, bytes(1, 1000)));
    origin.on("/b", ok("Cache-Control: no-store", bytes(2, 500)));
    origin.on("/bad", reply("500 Oops", "", "oops"));
    let daemon = Daemon::new(&origin);
    let mut player = daemon.connect();
    for _ in 0..4 {
        player.get("/o/a", "").expect(200);
    }
    player.get("/o/a", "Range: bytes=0-99\r\n").expect(206);
    player.get("/o/b", "").expect(200);
    player.get("/o/bad", "").expect(500);
    player.get("/", "").expect(404);
    player.get("/p/a", "").expect(307);
    daemon.send("GET /o/a HTTP/1.1\r\nHost: evil.example\r\n\r\n").expect(421);
    daemon.send("GET /o/a HTTP/1.1\r\n\r\n").expect(400);
    for (name, wanted) in [
        ("connections", 3),
        ("requests", 7),
        ("hits", 4),
        ("misses", 3),
        ("collapsed", 0),
        ("player_errors", 1),
        ("forbidden_host", 1),
        ("malformed", 1),
        ("unknown_origin", 1),
        ("origin_requests", 3),
        ("origin_bytes", 1000 + 500 + 4),
        ("cache_bytes", 3 * 1000 + 100),
        ("passed_bytes", 1000 + 500 + 4),
        ("player_bytes", 4 * 1000 + 100 + 500 + 4),
    ] {
        assert_eq!(daemon.counter(name), wanted, "{name}");
    }
    let status = daemon.status();
    assert_eq!(status["hit_permille"], 3100 * 1000 / (3100 + 1504));
    assert_eq!(status["origins"][0]["name"], "o");
    let metrics = daemon.admin("/metrics").expect(200).text();
    assert!(metrics.contains("neap_requests_total 7\n"), "{metrics}");
}

#[test]
fn a_log_at_info_holds_no_address_and_no_query() {
    let (secret, away) = ("s3cr3t", "198.51.100.7");
    let origin = Origin::with("/a", ok(FRESH, "content"));
    origin.on("/bad", reply("500 Oops", "", "oops"));
    origin.on("/cut", super::origin::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
    origin.on("/odd", super::origin::raw("HTTP/1.1 abc\r\n\r\n"));
    origin.on("/gone", super::origin::raw(""));
    let away_to = format!("Location: http://{away}:1/x?token={secret}");
    origin.on("/loop", reply("302 Found", &format!("Location: /loop?token={secret}"), ""));
    origin.on("/moved", reply("302 Found", "Location: ftp://[::bad?token=s3cr3t", ""));
    origin.on("/form", reply("201 Created", &away_to, ""));
    let list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:\nhttp://{away}/x?token={secret}\n#EXTINF");
    origin.on("/a.m3u8", ok("Content-Type: application/vnd.apple.mpegurl", list));
    origin.on(
        "/b.mpd",
        ok("Content-Type: application/dash+xml", format!("<MPD><x y='{away}'></MPD>")),
    );
    let setup = Setup { level: "info", origin: "timeout = \"1 s\"".into(), ..Setup::default() };
    let mut daemon = setup.start(&origin);
    let fields = format!(
        "X-Forwarded-For: {away}\r\nForwarded: for={away}\r\nReferer: http://{away}/?token={secret}\r\n\
         Cookie: token={secret}\r\n"
    );
    for path in ["a", "bad", "cut", "odd", "gone", "loop", "moved", "none", "a.m3u8", "b.mpd"] {
        let _ = daemon.get_with(&format!("/o/{path}?token={secret}&a={away}"), &fields);
    }
    let post = format!(
        "POST /o/form?token={secret} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{fields}\r\n"
    );
    daemon.send(&post).expect(201);
    daemon
        .send(&format!("GET /o/a?token={secret} HTTP/1.1\r\nHost: {away}.example\r\n\r\n"))
        .expect(421);
    daemon
        .send(&format!("GET /o/a?token={secret} HTTP/1.1\r\nHost: \n\n{away}\r\n\r\n"))
        .expect(400);
    let file = setup.file(&origin, "127.0.0.1:0");
    daemon.rewrite(&format!("{file}nonsense = \"http://{away}/?token={secret}\"\n"));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("stays as it was");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_end().code(), Some(0));
    let log = daemon.log();
    assert!(log.contains("/cut") && log.contains("/odd"), "the faults are there: {log}");
    for leak in [secret, away, "token", "?"] {
        assert!(!log.contains(leak), "{leak} in\n{log}");
    }
}

#[test]
fn the_operators_port_and_the_players_port_do_not_answer_for_each_other() {
    let origin = Origin::new();
    let daemon = Daemon::new(&origin);
    assert_eq!(daemon.get("/status.json").status, 307, "as what names no origin");
    assert_eq!(daemon.admin("/o/a").status, 404);
}
