//! Why a file gets no record, in words that say what to do.

use core::fmt;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// One thing that went wrong, and where.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where; none for the command line.
    pub(super) path: Option<PathBuf>,
    /// What, and what to do.
    pub(super) what: String,
    /// Whether the system refused access.
    pub(super) forbidden: bool,
}

impl Fault {
    /// A fault of the command line.
    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self { path: None, what: what.into(), forbidden: false }
    }

    /// Something is wrong with a file.
    pub(super) fn at(path: &Path, what: impl Into<String>) -> Self {
        Self { path: Some(path.into()), what: what.into(), forbidden: false }
    }

    /// The system refuses something; `doing` is such as `cannot be read`.
    pub(super) fn system(path: &Path, doing: &str, error: &Error) -> Self {
        let forbidden =
            matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
        Self { path: Some(path.into()), what: format!("{doing}: {error}"), forbidden }
    }

    /// The exit code that it means.
    pub(super) fn code(&self) -> u8 {
        if self.forbidden { 77 } else { 78 }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", shown(path))?;
        }
        f.write_str(&self.what)
    }
}

/// A path on one line.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().replace(char::is_control, "\u{fffd}")
}
