//! The machine as the configuration meets it: memory, the cache's folder, certificate files.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::unistd::{AccessFlags, access};

use crate::base::peer::NodeKey;
use crate::base::units::Size;

use super::file::{open, unreadable};
use super::model::{Config, Network};

/// What was found; `None` where the system did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Memory of the machine.
    pub memory: Option<Size>,
    /// The cache's folder.
    pub folder: Folder,
    /// Certificate files that cannot be read or hold no certificate, with the reason.
    pub bad_certificates: Vec<(PathBuf, String)>,
    /// Keys of the network whose files cannot be used, with the file and the reason.
    pub bad_files: Vec<(&'static str, PathBuf, String)>,
    /// The folder of what the network needs to outlive a start.
    pub state: Folder,
    /// What keeps us from making the control socket.
    pub control: Option<&'static str>,
    /// Names of its network interfaces.
    pub interfaces: Vec<String>,
    /// This node's own key, once it has one.
    pub own_key: Option<NodeKey>,
}

/// A folder for the disk tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// What keeps us from using it.
    pub fault: Option<&'static str>,
    /// Whether it lies in memory.
    pub volatile: bool,
    /// Bytes that are free there, with what is in the folder already.
    pub room: Option<Size>,
}

impl Site {
    /// Looks at what `config` names.
    pub fn look(config: &Config) -> Self {
        let certificates = config.origins.iter().filter_map(|origin| origin.ca.as_ref());
        let bad = |path: &PathBuf| Some((path.clone(), certificate_fault(path)?));
        let network = config.network.exists();
        Self {
            memory: fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text)),
            folder: Folder::look(&config.cache.path),
            bad_certificates: certificates.filter_map(bad).collect(),
            bad_files: if network { bad_files(&config.network) } else { Vec::new() },
            state: if network { state(&config.network.state) } else { Folder::default() },
            control: config.admin.control.as_deref().and_then(control_fault),
            interfaces: interfaces(&config.caps.sysfs),
            own_key: own_key(&config.network.state).filter(|_| network),
        }
    }
}

impl Folder {
    /// Looks at a folder; where there is none yet, at the one in which it would be made.
    pub fn look(path: &Path) -> Self {
        let fault = match fs::metadata(path) {
            Ok(data) if !data.is_dir() => Some("is not a folder"),
            Ok(_) if access(path, AccessFlags::W_OK | AccessFlags::X_OK).is_err() => {
                Some("may not be written by this user")
            }
            Ok(_) => None,
            Err(_) => Some("does not exist or may not be entered by this user"),
        };
        let near = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let Ok(system) = statfs(near) else {
            return Self { fault, ..Self::default() };
        };
        let block = u64::try_from(system.block_size()).unwrap_or(0);
        let free = system.blocks_available().saturating_mul(block);
        Self {
            fault,
            volatile: system.filesystem_type() == TMPFS_MAGIC,
            room: Some(Size(free.saturating_add(held(path)))),
        }
    }
}

/// A socket that an earlier start left is replaced, and its folder is made where it can be.
fn control_fault(path: &Path) -> Option<&'static str> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Some("exists and is no socket");
    }
    let near = path.ancestors().skip(1).find(|path| path.exists())?;
    Folder::look(near).fault.map(|_| "cannot be made: its folder may not be written by this user")
}

/// Bytes of the files in a folder, not below it; the disk tier has no more than a few there.
fn held(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().take(ENTRIES);
    let sizes = entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|data| data.len());
    sizes.fold(0, u64::saturating_add)
}

/// The names below `/sys/class/net`.
fn interfaces(sysfs: &Path) -> Vec<String> {
    let entries = fs::read_dir(sysfs.join("class/net")).into_iter().flatten().take(ENTRIES);
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// `MemTotal` of proc_meminfo(5), which counts in KiB and calls them kB.
fn total_memory(text: &str) -> Option<Size> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Size(kib.saturating_mul(1024)))
}

fn bad_files(network: &Network) -> Vec<(&'static str, PathBuf, String)> {
    let missing = |path: &Path| {
        let error = open(path).err()?;
        Some(unreadable(path, &error).text)
    };
    let files = [
        ("network.admission-file", &network.admission, None),
        ("network.ca", &network.ca, Some(())),
        ("network.certificate", &network.certificate, Some(())),
        ("network.private-key", &network.private_key, None),
    ];
    let bad = files.into_iter().filter_map(|(key, path, certificate)| {
        let path = path.as_ref()?;
        let why = certificate.map_or_else(|| missing(path), |()| certificate_fault(path))?;
        Some((key, path.clone(), why))
    });
    bad.collect()
}

/// The public half of the node's key: it stands last in the file (RFC 8410, 10.3), and no more
/// than that is read.
pub fn own_key(state: &Path) -> Option<NodeKey> {
    let mut file = open(&state.join(KEY_FILE)).ok()?;
    file.seek(SeekFrom::End(-34)).ok()?;
    let mut end = Vec::new();
    file.take(34).read_to_end(&mut end).ok()?;
    // A bit string of 33 bytes, none of whose bits is unused.
    let key = end.strip_prefix(&[0x21, 0x00])?;
    key.try_into().ok().map(NodeKey)
}

/// The folder of the node's key; it is made where it can be.
fn state(path: &Path) -> Folder {
    let near = path.ancestors().find(|path| path.exists()).unwrap_or(path);
    Folder::look(near)
}

fn certificate_fault(path: &Path) -> Option<String> {
    let mut text = Vec::new();
    let read = open(path).and_then(|file| file.take(PEM).read_to_end(&mut text));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Some("there is no such file".into())
        }
        Err(error) => Some(format!("it cannot be read ({error})")),
        Ok(_) => {
            let mark = b"-----BEGIN CERTIFICATE-----";
            let found = text.windows(mark.len()).any(|window| window == mark);
            (!found).then(|| "it holds no certificate in PEM".into())
        }
    }
}

/// Bytes of a certificate file that are looked through; the whole Mozilla bundle is 220 KiB.
const PEM: u64 = 1024 * 1024;

/// The file with the node's key in the state folder.
const KEY_FILE: &str = "node.key";

/// Files of the cache's folder that are counted.
const ENTRIES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_stands_in_meminfo() {
        let text = "MemTotal:        1020404 kB\nMemFree:          1234 kB\n";
        assert_eq!(total_memory(text), Some(Size(1020404 * 1024)));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert_eq!(total_memory("MemTotal: many kB\n"), None);
    }

    #[test]
    fn a_folder_that_is_none_says_so() {
        assert!(Folder::look(Path::new("/proc/none/such")).fault.is_some());
        assert_eq!(Folder::look(Path::new("/proc/meminfo")).fault, Some("is not a folder"));
        assert_eq!(Folder::look(&std::env::temp_dir()).fault, None);
    }

    #[test]
    fn a_control_socket_needs_a_folder_and_no_file_in_its_place() {
        let here = std::env::temp_dir().join("neap-site-none/folder/control.sock");
        assert_eq!(control_fault(&here), None);
        let words = ["exists and is no socket", "cannot be made: its folder"];
        for (path, words) in ["/proc/meminfo", "/proc/meminfo/control.sock"].iter().zip(words) {
            let fault = control_fault(Path::new(path));
            assert!(fault.is_some_and(|fault| fault.starts_with(words)), "{path}: {fault:?}");
        }
    }

    #[test]
    fn a_certificate_file_is_looked_into() {
        assert!(certificate_fault(Path::new("/none")).is_some_and(|why| why.contains("no such")));
        let why = certificate_fault(Path::new("/proc/meminfo"));
        assert_eq!(why.as_deref(), Some("it holds no certificate in PEM"));
    }
}
