//! The real binary with a configuration of the test's own, its log read along.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::origin::Origin;
use super::player::{Player, Reply};
use super::wait::{PATIENCE, until};

/// A running neap; killed when the test is over.
pub struct Daemon {
    /// Where players connect.
    pub player: SocketAddr,
    /// Where operators look.
    pub admin: SocketAddr,
    /// Its folder, with `neap.toml`.
    pub folder: Folder,
    child: Child,
    log: Arc<Log>,
    /// Whether the test expects it to end by itself.
    ended: bool,
}

/// What a test wants otherwise than usual.
#[derive(Clone)]
pub struct Setup {
    /// Lines of `[player]`.
    pub player: String,
    /// Lines of `[cache]`.
    pub cache: String,
    /// Lines of the origin.
    pub origin: String,
    /// The level of the log.
    pub level: &'static str,
}

/// A folder of the test's own, gone with it.
pub struct Folder(pub PathBuf);

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Default for Setup {
    fn default() -> Self {
        let nothing = String::new;
        Self { player: nothing(), cache: nothing(), origin: nothing(), level: "debug" }
    }
}

impl Setup {
    /// The configuration file with one origin, called `o`.
    pub fn file(&self, origin: &Origin, listen: &str) -> String {
        let Self { player, cache, origin: more, level } = self;
        format!(
            "[player]\nlisten = [\"{listen}\"]\n{player}\n\
             [admin]\nlisten = \"127.0.0.1:0\"\ncontrol = \"\"\n\
             [cache]\n{cache}\n[log]\ntarget = \"stderr\"\nlevel = \"{level}\"\n\
             [[origin]]\nname = \"o\"\nurl = \"http://{}/\"\n{more}\n",
            origin.address
        )
    }

    /// Starts it before this origin.
    pub fn start(&self, origin: &Origin) -> Daemon {
        let folder = Folder::new();
        let control = format!("control = \"{}\"", folder.0.join("control.sock").display());
        let file = self.file(origin, "127.0.0.1:0").replace("control = \"\"", &control);
        std::fs::write(folder.0.join("neap.toml"), file).unwrap();
        Daemon::begin(folder)
    }
}

/// The binary under test; `NEAP_BIN` names another, such as one for ARM under an emulator.
pub fn binary() -> PathBuf {
    std::env::var_os("NEAP_BIN").map_or_else(|| env!("CARGO_BIN_EXE_neap").into(), PathBuf::from)
}

/// The command that runs neap with the configuration in a folder.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg("--config").arg(folder.join("neap.toml")).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_USEC", "JOURNAL_STREAM"] {
        command.env_remove(name);
    }
    command
}

impl Daemon {
    /// Starts it as usual.
    pub fn new(origin: &Origin) -> Self {
        Setup::default().start(origin)
    }

    /// Starts it once more with the configuration in its folder, when it has ended.
    pub fn again(&self) -> Self {
        let folder = Folder::new();
        std::fs::copy(self.folder.0.join("neap.toml"), folder.0.join("neap.toml")).unwrap();
        Self::begin(folder)
    }

    fn begin(folder: Folder) -> Self {
        let file = folder.0.join("neap.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, with_state(&text, &folder)).unwrap();
        let mut child = command(&folder.0).spawn().unwrap();
        let log = Log::follow(&mut child);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let (player, admin, ended) = (nowhere, nowhere, false);
        let mut daemon = Self { player, admin, folder, child, log, ended };
        daemon.player = address(&daemon.wait_log("players connect to http://"));
        daemon.admin = address(&daemon.wait_log("status page: http://"));
        daemon.wait_log(" is ready");
        let healthy = || (daemon.admin("/healthz").status == 200).then_some(());
        until("neap is well", healthy);
        daemon
    }

    /// A new connection.
    pub fn connect(&self) -> Player {
        Player::new(self.player)
    }

    /// Asks by GET on a connection of its own.
    pub fn get(&self, path: &str) -> Reply {
        self.get_with(path, "")
    }

    /// The same with further field lines, each ended by CR LF.
    pub fn get_with(&self, path: &str, lines: &str) -> Reply {
        self.connect().get(path, lines)
    }

    /// Sends a request as it stands and reads the answer.
    pub fn send(&self, request: &str) -> Reply {
        let mut player = self.connect();
        player.send(request);
        player.reply(request.split(' ').next().unwrap())
    }

    /// Asks the operator's port.
    pub fn admin(&self, path: &str) -> Reply {
        let mut operator = Player::new(self.admin);
        operator.get(path, "Connection: close\r\n")
    }

    /// The status.
    pub fn status(&self) -> serde_json::Value {
        serde_json::from_slice(&self.admin("/status.json").expect(200).body).unwrap()
    }

    /// A counter.
    pub fn counter(&self, name: &str) -> u64 {
        let status = self.status();
        let counter = status["counters"][name].as_u64();
        counter.unwrap_or_else(|| panic!("no counter {name} in {status:#}"))
    }

    /// Waits until a counter stands there.
    pub fn wait_counter(&self, name: &str, wanted: u64) {
        until(&format!("{name} is {wanted}"), || (self.counter(name) == wanted).then_some(()));
    }

    /// What was logged so far.
    pub fn log(&self) -> String {
        self.log.lines.lock().unwrap().join("\n")
    }

    /// Waits for a line of the log.
    pub fn wait_log(&self, part: &str) -> String {
        let found = |lines: &Vec<String>| lines.iter().find(|line| line.contains(part)).cloned();
        let lines = self.log.lines.lock().unwrap();
        let not_yet = |lines: &mut Vec<String>| found(lines).is_none();
        let (lines, _) = self.log.changed.wait_timeout_while(lines, PATIENCE, not_yet).unwrap();
        found(&lines).unwrap_or_else(|| panic!("no {part:?} in the log:\n{}", lines.join("\n")))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Waits until it has ended by itself.
    pub fn wait_end(&mut self) -> ExitStatus {
        self.ended = true;
        until("neap ends", || self.child.try_wait().unwrap())
    }

    /// Bytes of memory that it occupies, those that files share aside.
    pub fn resident(&self) -> usize {
        self.memory("RssAnon:")
    }

    /// Bytes of memory that it occupied at most since its start.
    pub fn peak(&self) -> usize {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Writes its configuration anew.
    pub fn rewrite(&self, text: &str) {
        let text = with_state(text, &self.folder);
        std::fs::write(self.folder.0.join("neap.toml"), text).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let died = self.child.try_wait().ok().flatten().filter(|_| !self.ended);
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of neap\n{}\n---", self.log());
        } else if let Some(status) = died {
            panic!("neap died: {status}\n{}", self.log());
        }
    }
}

impl Log {
    fn follow(child: &mut Child) -> Arc<Self> {
        let log = Arc::new(Self::default());
        let (lines, from) = (Arc::clone(&log), child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                lines.lines.lock().unwrap().push(line);
                lines.changed.notify_all();
            }
        });
        log
    }
}

impl Folder {
    /// A new folder.
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut name = format!("neap-daemon-{}", std::process::id());
        write!(name, "-{}", COUNT.fetch_add(1, Ordering::Relaxed)).unwrap();
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The lines of a configuration with a state folder of the test's own, if they name none.
fn with_state(text: &str, folder: &Folder) -> String {
    if text.contains("[network]") {
        return text.to_owned();
    }
    format!("{text}\n[network]\nstate = \"{}\"\n", folder.0.join("state").display())
}

fn address(line: &str) -> SocketAddr {
    let (_, rest) = line.split_once("http://").unwrap();
    rest.trim_end_matches('/').parse().unwrap()
}
