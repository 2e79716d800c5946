//! `neap standby`, `neap sharing` and the like: a call to the daemon, and what became of it.

use std::path::Path;

use super::check::Outcome;
use crate::base::control::Control;
use crate::config::layers::{Flags, Paths};
use crate::config::model::Config;
use crate::net::admin::client::{self, Error};

/// What the call's command prints, and its exit code.
pub fn outcome(paths: &Paths, flags: &Flags, control: &Control) -> Outcome {
    at_socket(paths, flags, |path| match client::call(path, control) {
        Ok(words) => Outcome { out: words, ..Outcome::default() },
        Err(error) => unanswered(&error),
    })
}

/// What a command prints that asks the daemon at its control socket. What is wrong elsewhere in
/// the configuration is said beside it and hinders nobody who looks for a fault.
pub(super) fn at_socket(
    paths: &Paths,
    flags: &Flags,
    ask: impl FnOnce(&Path) -> Outcome,
) -> Outcome {
    let (socket, problems) = Config::control(paths, flags);
    let outcome = match socket {
        Some(path) => ask(&path),
        None => {
            let err = "neap: the control socket is switched off in the configuration\n".into();
            Outcome { err, code: 78, ..Outcome::default() }
        }
    };
    let wrong: String = problems.iter().map(|it| format!("neap: warning: {it}\n")).collect();
    Outcome { err: wrong + &outcome.err, ..outcome }
}

/// What a command prints that the daemon did not answer, and its exit code.
pub(super) fn unanswered(error: &Error) -> Outcome {
    let code = if matches!(error, Error::Forbidden(_)) { 77 } else { 70 };
    Outcome { err: format!("neap: {error}\n"), code, ..Outcome::default() }
}
