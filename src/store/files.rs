//! The few things that the disk tier asks of a folder, and the real folder that does them.

use core::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

/// A folder of files with short names (`lock`, `ab/...`); every call blocks.
pub trait Files: Send + Sync + fmt::Debug + 'static {
    /// Makes the folder ours: creates it where it is missing and locks it. May be called again
    /// after a fault. [`Fault::Locked`] when another process has it.
    fn prepare(&self) -> Result<Medium, Fault>;
    /// Makes an empty file to be written from its start, and the sub-folder that it needs.
    fn create(&self, name: &str) -> io::Result<Box<dyn Write + Send>>;
    /// Gives a file a new name in one step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Fills the parts, one after the other, from byte `at` on; an early end is an error.
    fn read(&self, name: &str, at: u64, parts: &mut [Vec<u8>]) -> io::Result<()>;
    /// Bytes of a file.
    fn size(&self, name: &str) -> io::Result<u64>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Names in a sub-folder, or in the folder itself for `""`.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
}

/// What the folder lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A disk: its bytes are not in RAM.
    Disk,
    /// tmpfs or ramfs: its bytes are RAM, and the caller counts them so.
    Ram,
}

/// Why the disk tier does not work, in the owner's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No space, or the quota is used up.
    Full,
    /// Mounted read-only.
    ReadOnly,
    /// The medium fails.
    Broken,
    /// The folder or file is not there any more.
    Gone,
    /// Not allowed.
    Denied,
    /// Another process uses the folder.
    Locked,
    /// It takes longer than a player can wait.
    Slow,
    /// Anything else, by the standard library's name.
    Other(io::ErrorKind),
}

impl Fault {
    /// What an error means for the owner.
    pub fn of(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOSPC | Errno::EDQUOT) => Self::Full,
            Some(Errno::EROFS) => Self::ReadOnly,
            Some(Errno::EIO) => Self::Broken,
            Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ESTALE) => Self::Gone,
            Some(Errno::EACCES | Errno::EPERM) => Self::Denied,
            _ => Self::Other(error.kind()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full"),
            Self::ReadOnly => f.write_str("the disk is read-only"),
            Self::Broken => f.write_str("the disk reports an input/output error"),
            Self::Gone => f.write_str("the folder is not there any more"),
            Self::Denied => f.write_str("access to the folder is denied"),
            Self::Locked => f.write_str("another process uses the folder"),
            Self::Slow => f.write_str("the disk is too slow"),
            Self::Other(kind) => write!(f, "the disk cannot be used: {kind}"),
        }
    }
}

impl std::error::Error for Fault {}

/// A real folder, held by a lock on a file in it (flock(2)) while this value lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    name: &'static str,
    lock: Mutex<Option<Flock<File>>>,
}

impl Folder {
    /// The folder at `path`; nothing is touched before [`Files::prepare`].
    pub const fn new(path: PathBuf) -> Self {
        Self::held_by(path, LOCK)
    }

    /// The same, held by a file of this name: what else lies there may have its own.
    pub const fn held_by(path: PathBuf, name: &'static str) -> Self {
        Self { path, name, lock: Mutex::new(None) }
    }

    /// Takes the lock, unless the one that we hold is still that of the folder.
    fn lock(&self) -> Result<(), Fault> {
        let path = self.path.join(self.name);
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let inode = |meta: io::Result<fs::Metadata>| meta.ok().map(|m| (m.dev(), m.ino()));
        let ours = held.as_ref().and_then(|lock| inode(lock.metadata()));
        if ours.is_some() && ours == inode(fs::metadata(&path)) {
            return Ok(());
        }
        *held = None;
        let file = match OpenOptions::new().create(true).append(true).open(&path) {
            Ok(file) => file,
            // What is there can be read without a lock: nobody can change it.
            Err(error) if Fault::of(&error) == Fault::ReadOnly => return Ok(()),
            Err(error) => return Err(Fault::of(&error)),
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => *held = Some(lock),
            Err((_, Errno::EWOULDBLOCK)) => return Err(Fault::Locked),
            Err((_, error)) => return Err(Fault::of(&error.into())),
        }
        Ok(())
    }
}

impl Files for Folder {
    fn prepare(&self) -> Result<Medium, Fault> {
        // The names of files and what they hold say what was watched.
        let made = DirBuilder::new().recursive(true).mode(0o750).create(&self.path);
        made.map_err(|error| Fault::of(&error))?;
        self.lock()?;
        let kind = statfs(&self.path).map_err(|error| Fault::of(&error.into()))?.filesystem_type();
        let ram = kind == TMPFS_MAGIC || i128::from(kind.0) & 0xffff_ffff == RAMFS_MAGIC;
        Ok(if ram { Medium::Ram } else { Medium::Disk })
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Write + Send>> {
        let path = self.path.join(name);
        let open = |path: &Path| {
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(path)
        };
        let file = match open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Only the sub-folder: that the folder itself is gone must be seen.
                let folder = |path| DirBuilder::new().mode(0o750).create(path);
                path.parent().map_or(Ok(()), folder)?;
                open(&path)?
            }
            other => other?,
        };
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn read(&self, name: &str, mut at: u64, parts: &mut [Vec<u8>]) -> io::Result<()> {
        let file = File::open(self.path.join(name))?;
        for part in parts {
            file.read_exact_at(part, at)?;
            at += part.len() as u64;
        }
        Ok(())
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path.join(name))?.len())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.path.join(folder))?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }
}

/// The file that says that the folder is in use.
pub(super) const LOCK: &str = "lock";

/// `RAMFS_MAGIC` of linux/magic.h.
const RAMFS_MAGIC: i128 = 0x8584_58f6;
