//! The layers in their order: built in, vendor, local, drop-ins, flags; each over the one before.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::base::limits;

use super::file::{Text, unreadable};
use super::keys::key::Sources;
use super::merge::{Merge, text, texts};
use super::model::Config;
use super::odd;
use super::problem::{Problem, Source, Warning};
use super::site::Site;

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The folder that stands for `/`.
    pub root: PathBuf,
}

/// What the command line says, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config FILE`: read in place of the local file, with `FILE.d/` as its drop-ins.
    pub config: Option<PathBuf>,
    /// `--origin [NAME=]URL`, as often as it stands.
    pub origins: Vec<String>,
    /// `--listen ADDR:PORT`, as often as it stands.
    pub listen: Vec<String>,
    /// `--log-level LEVEL`.
    pub level: Option<String>,
    /// `--verbose`: the level `debug`, unless `--log-level` says another.
    pub verbose: bool,
}

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What holds.
    pub config: Config,
    /// Where each value came from.
    pub sources: Sources,
    /// What is odd about it, on this machine.
    pub warnings: Vec<Warning>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { root: "/".into() }
    }
}

impl Paths {
    /// The vendor's file, below the local one.
    pub fn vendor(&self) -> PathBuf {
        self.root.join("usr/lib/neap/neap.toml")
    }

    /// The local file.
    pub fn local(&self) -> PathBuf {
        self.root.join("etc/neap/neap.toml")
    }
}

impl Config {
    /// Reads all layers; what is wrong in any of them is answered at once.
    pub fn load(paths: &Paths, flags: &Flags) -> Result<Loaded, Vec<Problem>> {
        let mut merge = merged(paths, flags);
        merge.read_secret();
        let (config, sources) = merge.finish()?;
        let warnings = odd::odd(&config, &sources, &Site::look(&config));
        Ok(Loaded { config, sources, warnings })
    }

    /// The path of the control socket, as far as the files can be read, and what is wrong in them:
    /// who asks how it goes needs nothing else, and no secret.
    pub fn control(paths: &Paths, flags: &Flags) -> (Option<PathBuf>, Vec<Problem>) {
        let (config, problems) = merged(paths, flags).parts();
        (config.admin.control, problems)
    }
}

fn merged(paths: &Paths, flags: &Flags) -> Merge {
    let mut merge = Merge::default();
    read_file(&mut merge, &paths.vendor(), false);
    let local = flags.config.clone().unwrap_or_else(|| paths.local());
    read_file(&mut merge, &local, flags.config.is_some());
    match drop_ins(&local) {
        Ok(files) => files.iter().for_each(|file| read_file(&mut merge, file, false)),
        Err(problem) => merge.problem(problem),
    }
    read_flags(&mut merge, flags);
    merge
}

fn read_file(merge: &mut Merge, path: &Path, must_exist: bool) {
    match Text::read(path) {
        Ok(Some(text)) => merge.file(&text),
        Ok(None) if path.is_symlink() => merge.problem(nowhere(path)),
        Ok(None) if must_exist => {
            merge.problem(unreadable(path, &io::ErrorKind::NotFound.into()));
        }
        Ok(None) => {}
        Err(problem) => merge.problem(problem),
    }
}

/// What somebody has put there is not what holds.
fn nowhere(path: &Path) -> Problem {
    Problem::new(Source::File(path.into()), "it is a link that leads nowhere")
}

/// The files `*.toml` in `FILE.d/`, sorted by name; those that begin with `.` are an editor's.
fn drop_ins(file: &Path) -> Result<Vec<PathBuf>, Problem> {
    let mut folder = file.as_os_str().to_owned();
    folder.push(".d");
    let folder = PathBuf::from(folder);
    let names = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return if folder.is_symlink() { Err(nowhere(&folder)) } else { Ok(Vec::new()) };
        }
        Err(error) => return Err(unreadable(&folder, &error)),
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())),
    };
    let mut files = Vec::new();
    for name in names {
        let name = name.map_err(|error| unreadable(&folder, &error))?;
        let bytes = name.as_encoded_bytes();
        if !bytes.ends_with(b".toml") || bytes.starts_with(b".") {
            continue;
        }
        if files.len() == limits::config::DROP_INS {
            let text = format!("it holds more than {} files", limits::config::DROP_INS);
            return Err(Problem::new(Source::File(folder), text));
        }
        files.push(folder.join(name));
    }
    files.sort_unstable();
    Ok(files)
}

fn read_flags(merge: &mut Merge, flags: &Flags) {
    if !flags.listen.is_empty() {
        merge.flag("--listen", "player.listen", &texts(&flags.listen));
    }
    if flags.verbose {
        merge.flag("--verbose", "log.level", &text("debug"));
    }
    if let Some(level) = &flags.level {
        merge.flag("--log-level", "log.level", &text(level));
    }
    for origin in &flags.origins {
        merge.origin_flag(origin);
    }
}
