//! The log against real sockets: what it keeps, what it never says, and that it never waits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use log::{Level, Log, Record};
use neap::base::limits;
use neap::config::model::{self, LogTarget};
use neap::host::log::logger::{self, Logger};
use neap::host::log::sink::Target;

/// A folder with room for a syslog socket, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("neap-log-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn listen(path: &Path) -> UnixDatagram {
    let _ = std::fs::remove_file(path);
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

fn receive(socket: &UnixDatagram) -> String {
    let mut packet = [0; 2048];
    let length = socket.recv(&mut packet).unwrap();
    String::from_utf8(packet[..length].to_vec()).unwrap()
}

fn say(logger: &Logger, level: Level, text: &str) {
    let arguments = format_args!("{text}");
    logger.log(&Record::builder().level(level).target("neap::test").args(arguments).build());
}

/// Waits for `condition`, and fails after twenty seconds.
fn until(condition: impl Fn() -> bool) {
    let (_never, pause) = mpsc::channel::<()>();
    for _ in 0..2000 {
        if condition() {
            return;
        }
        let _ = pause.recv_timeout(Duration::from_millis(10));
    }
    panic!("waited in vain");
}

#[test]
fn syslog_hears_lines_with_their_priority_and_no_stamp() {
    let folder = Folder::new("lines");
    let syslogd = listen(&folder.socket());
    let logger = Logger::new(Target::Syslog(vec![folder.socket()]));
    for (level, priority) in [(Level::Error, 27), (Level::Warn, 28), (Level::Info, 30)] {
        say(&logger, level, &format!("{level} from 192.168.1.5 for /a?b=c"));
        let pid = std::process::id();
        let line = format!("<{priority}>neap[{pid}]: {level} from 192.168.x.x for /a");
        assert_eq!(receive(&syslogd), line);
    }
}

#[test]
fn lines_survive_a_restart_of_syslogd() {
    let folder = Folder::new("restart");
    let syslogd = listen(&folder.socket());
    let logger = Logger::new(Target::Syslog(vec![folder.socket()]));
    say(&logger, Level::Info, "before");
    assert!(receive(&syslogd).ends_with(": before"));
    drop(syslogd);
    say(&logger, Level::Info, "during");
    until(|| !logger.queue().busy());
    let syslogd = listen(&folder.socket());
    say(&logger, Level::Info, "after");
    Log::flush(&logger);
    assert!(receive(&syslogd).ends_with(": during"));
    assert!(receive(&syslogd).ends_with(": after"));
}

#[test]
fn a_stuck_syslogd_never_holds_the_caller_and_losses_are_told() {
    let folder = Folder::new("stuck");
    let syslogd = listen(&folder.socket());
    let logger = Logger::new(Target::Syslog(vec![folder.socket()]));
    // The kernel takes net.unix.max_dgram_qlen packets, then the writer is held; not we.
    let said = limits::operator::LOG_LINES + 1000;
    for line in 0..said {
        say(&logger, Level::Debug, &format!("line {line}"));
    }
    let mut heard = 0;
    let lost = loop {
        let line = receive(&syslogd);
        match line.split_once("]: ").unwrap().1.split_once(" log lines were lost") {
            Some((lost, _)) => break lost.parse::<usize>().unwrap(),
            None => heard += 1,
        }
    };
    assert!(heard >= limits::operator::LOG_LINES, "{heard}");
    assert_eq!(heard + lost, said);
    say(&logger, Level::Info, "well again");
    assert!(receive(&syslogd).ends_with("well again"));
}

#[test]
fn the_writer_is_gone_when_there_is_nothing_to_write() {
    let folder = Folder::new("idle");
    let syslogd = listen(&folder.socket());
    let logger = Logger::new(Target::Syslog(vec![folder.socket()]));
    assert!(!logger.queue().busy());
    say(&logger, Level::Info, "one");
    receive(&syslogd);
    until(|| !logger.queue().busy());
    say(&logger, Level::Info, "two");
    assert!(receive(&syslogd).ends_with("two"));
}

#[test]
fn repeats_are_counted_and_told_at_the_end() {
    let folder = Folder::new("repeats");
    let syslogd = listen(&folder.socket());
    let logger = Logger::new(Target::Syslog(vec![folder.socket()]));
    for id in 0..40 {
        say(&logger, Level::Warn, &format!("origin cdn: refused id={id}"));
    }
    Log::flush(&logger);
    assert!(receive(&syslogd).ends_with("]: origin cdn: refused id=0"));
    let line = receive(&syslogd);
    assert!(line.ends_with("]: the same 39 more times: origin cdn: refused id=0"), "{line}");
    syslogd.set_nonblocking(true).unwrap();
    assert!(syslogd.recv(&mut [0; 64]).is_err());
}

#[test]
#[ignore = "run by the tests below as a program of its own"]
fn speaks() {
    let level = log::LevelFilter::Debug;
    logger::start(&model::Log { target: LogTarget::Auto, level });
    log::error!("player 192.168.1.5:4242 at [2001:db8::77]:1 asked /a/b.ts?token=hush");
    log::info!(target: "neap::test", "one line\nERROR and another");
    log::debug!(target: "neap::test", "player 192.168.1.5");
    log::info!(target: "other", "chatter");
    logger::flush();
}

fn spoken(script: &str) -> String {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "speaks", "--ignored", "--nocapture"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_journal_gets_marks_and_nothing_private_from_info_up() {
    // The shell states its standard error as the journal's pipe, as systemd does.
    let script = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"";
    let said = spoken(script);
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with('<')).collect();
    assert_eq!(
        lines,
        [
            "<3>player 192.168.x.x:4242 at [2001:db8:x]:1 asked /a/b.ts",
            "<6>one line\\nERROR and another",
            "<7>neap::test: player 192.168.1.5",
        ]
    );
}

#[test]
fn the_log_goes_on_when_standard_error_is_closed() {
    assert_eq!(spoken("JOURNAL_STREAM= exec \"$@\" 2>&-"), "");
}
