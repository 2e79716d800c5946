//! The real binary with its own configuration, folder and ports.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::origin::{PATIENCE, lock, until};
use crate::player::{self, Got};

/// A running node; it is killed with the value.
pub struct Node {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    /// Where players connect.
    pub port: u16,
    admin: u16,
    /// With its configuration and what it notes.
    _folder: Folder,
}

/// A folder that goes with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("neap-up-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temp folder");
        Self(path)
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Node {
    /// A node with one origin `tv` at `url` and further lines of its block.
    pub fn with(url: &str, more: &str) -> Self {
        Self::configured(&format!("[[origin]]\nname = \"tv\"\nurl = \"{url}\"\n{more}\n"))
    }

    /// A node with these lines beside its ports; it logs everything.
    pub fn configured(lines: &str) -> Self {
        Self::at_level("debug", lines)
    }

    pub fn at_level(level: &str, lines: &str) -> Self {
        Self::started(level, lines, |_| {})
    }

    pub fn started(level: &str, lines: &str, change: impl FnOnce(&mut Command)) -> Self {
        let folder = Folder::new();
        let path = folder.join("neap.toml");
        let text = format!(
            "{lines}\n[player]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             control = \"\"\n[log]\ntarget = \"stderr\"\nlevel = \"{level}\"\n"
        );
        let state = format!("[network]\nstate = \"{}\"\n", folder.join("state").display());
        let text = if text.contains("[network]") { text } else { text + &state };
        std::fs::write(&path, text).expect("a file in the temp folder");
        let mut command = Command::new(binary());
        command.arg("--config").arg(&path).stderr(Stdio::piped()).stdout(Stdio::null());
        change(&mut command);
        let mut child = command.spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("piped");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let copy = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lock(&copy).push(line);
            }
        });
        let mut node = Self { child, lines, port: 0, admin: 0, _folder: folder };
        // It says itself where it listens: a port that was looked for before could be another's.
        (node.port, node.admin) = until("the node to be ready", || {
            if let Ok(Some(code)) = node.child.try_wait() {
                panic!("the node ended with {code}: {:#?}", lock(&node.lines));
            }
            let ports = (node.port_of("players connect to")?, node.port_of("status page:")?);
            player::try_get(ports.1, "/healthz").filter(|got| got.status == 200).map(|_| ports)
        });
        node
    }

    /// The port in a line of the log.
    fn port_of(&self, what: &str) -> Option<u16> {
        let lines = lock(&self.lines);
        let line = lines.iter().find(|line| line.contains(what))?;
        line.trim_end_matches('/').rsplit_once(':')?.1.parse().ok()
    }

    pub fn get(&self, path: &str) -> Got {
        player::get(self.port, path, "")
    }

    /// A GET with further field lines, each ending in CR LF.
    pub fn get_with(&self, path: &str, fields: &str) -> Got {
        player::get(self.port, path, fields)
    }

    /// Bytes `first..=last`.
    pub fn range(&self, path: &str, first: usize, last: usize) -> Got {
        self.get_with(path, &format!("Range: bytes={first}-{last}\r\n"))
    }

    /// Waits for a log line that holds all of `words`.
    pub fn logged(&self, words: &[&str]) -> String {
        let holds = |line: &&String| words.iter().all(|word| line.contains(word));
        let find = || lock(&self.lines).iter().find(holds).cloned();
        let begin = std::time::Instant::now();
        loop {
            if let Some(line) = find() {
                return line;
            }
            let log = || lock(&self.lines).join("\n");
            assert!(begin.elapsed() < PATIENCE, "no {words:?} in:\n{}", log());
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// How many log lines hold all of `words`.
    pub fn said(&self, words: &[&str]) -> usize {
        let holds = |line: &&String| words.iter().all(|word| line.contains(word));
        lock(&self.lines).iter().filter(holds).count()
    }

    pub fn log(&self) -> String {
        lock(&self.lines).join("\n")
    }

    /// The status as JSON.
    pub fn status(&self) -> serde_json::Value {
        let got = player::get(self.admin, "/status.json", "");
        serde_json::from_slice(&got.body).expect("JSON")
    }

    /// A counter of `/metrics`, by the end of its name.
    pub fn metric(&self, name: &str) -> u64 {
        let got = player::get(self.admin, "/metrics", "");
        let text = String::from_utf8_lossy(&got.body);
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("no {name} in {text}")) as u64
    }

    /// Kills it as a power cut would.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A disk tier in `path`.
pub fn disk_tier(path: &Path, size: &str) -> String {
    format!("[cache]\ndisk = \"{size}\"\npath = \"{}\"\n", path.display())
}

/// The binary under test; `NEAP_BIN` names another, such as one for ARM under an emulator.
fn binary() -> PathBuf {
    std::env::var_os("NEAP_BIN").map_or_else(|| env!("CARGO_BIN_EXE_neap").into(), PathBuf::from)
}
