//! A scripted folder: files in memory that fail at a chosen operation or lose power there.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard};

use neap::store::files::{Fault, Files, Medium};
use nix::errno::Errno;

/// What goes wrong, at the operation with this number (from 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This one operation fails.
    Once(Errno),
    /// This and every later one that changes the folder fails.
    From(Errno),
    /// This write takes a part only and says so; a right caller goes on.
    Short,
    /// This write keeps a prefix, and nothing happens any more.
    PowerCut,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    operations: u64,
    reads: u64,
    trouble: Option<(u64, Trouble)>,
}

/// The folder; clones see the same files.
#[derive(Clone, Debug, Default)]
pub struct Scripted(Arc<Mutex<State>>);

impl Scripted {
    pub fn with_trouble(at: u64, trouble: Trouble) -> Self {
        let folder = Self::default();
        folder.state().trouble = Some((at, trouble));
        folder
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Holds up everybody who wants something of the folder.
    pub fn hold(&self) -> impl Drop + '_ {
        self.state()
    }

    /// The files as they are, to be given to the next life of the store.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().files.clone()
    }

    pub fn set_files(&self, files: BTreeMap<String, Vec<u8>>) {
        self.state().files = files;
    }

    pub fn set_trouble(&self, trouble: Option<(u64, Trouble)>) {
        self.state().trouble = trouble;
    }

    /// How many operations changed the folder so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How many times blocks were read.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }
}

impl State {
    /// Counts an operation that changes the folder; how much of `bytes` it takes.
    fn change(&mut self, bytes: usize) -> io::Result<(usize, bool)> {
        let number = self.operations;
        self.operations += 1;
        let Some((at, trouble)) = self.trouble else { return Ok((bytes, true)) };
        match trouble {
            Trouble::Once(errno) if number == at => Err(errno.into()),
            Trouble::From(errno) if number >= at => Err(errno.into()),
            Trouble::Short if number == at => Ok((bytes.div_ceil(3), true)),
            Trouble::PowerCut if number == at => Ok((bytes / 2, false)),
            Trouble::PowerCut if number > at => Err(Errno::EIO.into()),
            _ => Ok((bytes, true)),
        }
    }

    fn file(&mut self, name: &str) -> io::Result<&mut Vec<u8>> {
        self.files.get_mut(name).ok_or_else(|| Errno::ENOENT.into())
    }
}

impl Files for Scripted {
    fn prepare(&self) -> Result<Medium, Fault> {
        Ok(Medium::Disk)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Write + Send>> {
        let mut state = self.state();
        let (_, alive) = state.change(0)?;
        if !alive {
            return Err(Errno::EIO.into());
        }
        state.files.insert(name.into(), Vec::new());
        Ok(Box::new(Hand { folder: self.clone(), name: name.into() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let (_, alive) = state.change(0)?;
        let file = state.files.remove(from).filter(|_| alive).ok_or(Errno::EIO)?;
        state.files.insert(to.into(), file);
        Ok(())
    }

    fn read(&self, name: &str, at: u64, parts: &mut [Vec<u8>]) -> io::Result<()> {
        let mut state = self.state();
        state.reads += 1;
        let file = state.file(name)?;
        let mut at = usize::try_from(at).unwrap();
        for part in parts {
            let from = file.get(at..at + part.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            part.copy_from_slice(from);
            at += part.len();
        }
        Ok(())
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        Ok(self.state().file(name)?.len() as u64)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let (_, alive) = state.change(0)?;
        state.files.remove(name).filter(|_| alive).map(drop).ok_or(Errno::ENOENT.into())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        let below = state.files.keys().filter_map(|name| match folder {
            "" => Some(name.split('/').next().unwrap_or(name)),
            folder => name.strip_prefix(folder)?.strip_prefix('/'),
        });
        let mut names: Vec<_> = below.map(String::from).collect();
        names.dedup();
        Ok(names)
    }
}

/// An open file.
struct Hand {
    folder: Scripted,
    name: String,
}

impl Write for Hand {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.folder.state();
        let (taken, alive) = state.change(bytes.len())?;
        state.file(&self.name)?.extend_from_slice(&bytes[..taken]);
        if alive { Ok(taken) } else { Err(Errno::EIO.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
