//! The network's secret, as its file holds it.

use core::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::base::limits;

use super::file::unreadable;
use super::problem::{Problem, Source};

/// Bytes that only this network's nodes know; nothing prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The secret of these bytes, or how many are missing.
    pub fn new(bytes: Vec<u8>) -> Result<Self, usize> {
        match limits::config::SECRET_LEAST.checked_sub(bytes.len()) {
            None | Some(0) => Ok(Self(bytes)),
            Some(missing) => Err(missing),
        }
    }

    /// The bytes, for a key to be made of them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads a secret's file; what is wrong with it names `source` and the file, nothing of
    /// what it holds.
    pub fn read(path: &Path, source: &Source) -> Result<Self, Problem> {
        let fault = |text: &str| {
            let text = format!("network.secret-file: {}: {text}", path.display());
            Problem::new(source.clone(), text)
        };
        let failed = |error| {
            let problem = unreadable(path, &error);
            Problem { forbidden: problem.forbidden, ..fault(&problem.text) }
        };
        let data = fs::metadata(path).map_err(failed)?;
        // A pipe would keep the start waiting.
        if !data.is_file() {
            return Err(fault("it is no regular file"));
        }
        if data.permissions().mode() & OTHERS != 0 {
            return Err(fault("everybody on this device may use it: take that away by chmod o="));
        }
        let mut bytes = Vec::new();
        let most = limits::config::SECRET_MOST;
        let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
        read.map_err(failed)?;
        if bytes.len() as u64 > most {
            return Err(fault(&format!("it holds more than {most} bytes")));
        }
        // An editor ends the line, `printf` does not: both mean the same secret.
        let end = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        bytes.truncate(end.map_or(0, |last| last + 1));
        let length = bytes.len();
        let short = |_| {
            let least = limits::config::SECRET_LEAST;
            fault(&format!("it holds {length} bytes, and at least {least} are needed"))
        };
        Self::new(bytes).map_err(short)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// The bits of a file's mode that let everybody in.
const OTHERS: u32 = 0o007;
