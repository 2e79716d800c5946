//! `neap ledger`: what was given to other nodes and taken from them, by origin and tier.

use super::check::Outcome;
use super::control::{at_socket, unanswered};
use crate::config::layers::{Flags, Paths};
use crate::net::admin::client;

/// What `neap ledger` prints, and its exit code.
pub fn outcome(paths: &Paths, flags: &Flags) -> Outcome {
    at_socket(paths, flags, |path| match client::fetch(path, "/ledger.txt") {
        Ok(out) => Outcome { out, ..Outcome::default() },
        Err(error) => unanswered(&error),
    })
}
