//! `neap standby`, `neap sharing` and the like: a call to the daemon, and what became of it.

use std::path::PathBuf;

use super::check::{Outcome, configured};
use crate::base::control::Control;
use crate::config::layers::{Flags, Paths};
use crate::net::admin::client::{self, Error};

/// What the call's command prints, and its exit code.
pub fn outcome(paths: &Paths, flags: &Flags, control: &Control) -> Outcome {
    match socket(paths, flags) {
        Ok(path) => match client::call(&path, control) {
            Ok(words) => Outcome { out: words, ..Outcome::default() },
            Err(error) => unanswered(&error),
        },
        Err(outcome) => outcome,
    }
}

/// The control socket of the daemon, or what a command prints where the configuration is wrong or
/// names none.
pub(super) fn socket(paths: &Paths, flags: &Flags) -> Result<PathBuf, Outcome> {
    configured(paths, flags)?.config.admin.control.ok_or_else(|| {
        let err = "neap: the control socket is switched off in the configuration\n".into();
        Outcome { err, code: 78, ..Outcome::default() }
    })
}

/// What a command prints that the daemon did not answer, and its exit code.
pub(super) fn unanswered(error: &Error) -> Outcome {
    let code = if matches!(error, Error::Forbidden(_)) { 77 } else { 70 };
    Outcome { err: format!("neap: {error}\n"), code, ..Outcome::default() }
}
