//! `neap standby`, `neap sharing` and the like: a call to the daemon, and what became of it.

use super::check::{Outcome, configured};
use crate::base::control::Control;
use crate::config::layers::{Flags, Paths};
use crate::net::admin::client::{self, Error};

/// What the call's command prints, and its exit code.
pub fn outcome(paths: &Paths, flags: &Flags, control: &Control) -> Outcome {
    let path = match configured(paths, flags) {
        Ok(loaded) => loaded.config.admin.control,
        Err(outcome) => return outcome,
    };
    let Some(path) = path else {
        let err = "neap: the control socket is switched off in the configuration\n".into();
        return Outcome { err, code: 78, ..Outcome::default() };
    };
    match client::call(&path, control) {
        Ok(words) => Outcome { out: words, ..Outcome::default() },
        Err(error) => {
            let code = if matches!(error, Error::Forbidden(_)) { 77 } else { 70 };
            Outcome { err: format!("neap: {error}\n"), code, ..Outcome::default() }
        }
    }
}
