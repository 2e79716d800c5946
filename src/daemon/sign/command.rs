//! `neap sign` as a whole: what is to be signed, by whom, and what came of it.

use core::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::fault::{Fault, shown};
use super::listing::Listing;
use super::naming::Naming;
use super::progress::Progress;
use super::seal::{Sealed, Sealer};
use crate::base::units;
use crate::daemon::arguments::Sign;
use crate::daemon::check::Outcome;
use crate::host::clock;

/// Makes the records, and says what was made.
pub fn sign(wanted: &Sign) -> Outcome {
    match try_sign(wanted) {
        Ok(outcome) => outcome,
        Err(fault) => {
            Outcome { err: format!("neap: {fault}\n"), code: fault.code(), ..Outcome::default() }
        }
    }
}

fn try_sign(wanted: &Sign) -> Result<Outcome, Fault> {
    let naming = Naming::new(wanted.origin.as_deref(), wanted.base.as_deref())?;
    let valid = units::duration(wanted.valid.as_deref().unwrap_or(VALID))
        .map_err(|expected| Fault::usage(format!("--valid: {expected}")))?;
    // Dates have whole seconds.
    if valid.as_secs() == 0 {
        return Err(Fault::usage(
            "--valid: such records are over at once: say how long they count",
        ));
    }
    let date = clock::date().ok_or_else(|| Fault::usage(NO_DATE))?;
    let pair = Sealer::key(&wanted.key)?;
    let sealer = Sealer { pair, origin: naming.origin(), date, valid };
    let mut outcome = Outcome { err: open_key(wanted), ..Outcome::default() };
    let mut listing = Listing::new(&naming, &wanted.paths);
    let mut progress = Progress::new(listing.bytes());
    let (mut new, mut records, mut kept) = (0_usize, 0_u32, 0_usize);
    for (path, item) in &listing.items {
        match sealer.seal(path, item, &mut |bytes| progress.tell(bytes)) {
            Ok(Sealed::New(count)) => (new, records) = (new + 1, records + count),
            Ok(Sealed::Kept) => kept += 1,
            Err(fault) => listing.faults.push(fault),
        }
    }
    progress.end();
    for fault in &listing.faults {
        writeln!(outcome.err, "neap: {fault}").expect("a String takes all");
        outcome.code = outcome.code.max(fault.code());
    }
    if listing.items.is_empty() && listing.faults.is_empty() {
        outcome.err.push_str(NOTHING);
        outcome.code = 78;
    }
    let mut said =
        format!("files signed: {new}, records made: {records}, files with good records: {kept}\n");
    if listing.skipped > 0 {
        let skipped = listing.skipped;
        writeln!(
            said,
            "files left out, no media by their names: {skipped}; name them to sign them"
        )
        .expect("a String takes all");
    }
    if listing.links > 0 {
        let links = listing.links;
        writeln!(said, "links to folders, not followed: {links}; name each with its own --base")
            .expect("a String takes all");
    }
    write!(said, "signer: {}\norigin: {}\n", sealer.signer(), sealer.origin)
        .expect("a String takes all");
    outcome.out = said;
    Ok(outcome)
}

/// A warning where others than the owner may read the key.
fn open_key(wanted: &Sign) -> String {
    let mode = fs::metadata(&wanted.key).map_or(0, |about| about.permissions().mode());
    if mode & 0o077 == 0 {
        return String::new();
    }
    let key = shown(&wanted.key);
    format!("neap: warning: {key}: others may use this key: run 'chmod 600' on it\n")
}

/// How long a record is valid if nobody says.
const VALID: &str = "30 d";

const NO_DATE: &str =
    "this machine's clock is not set, and a record needs a date to end at: set it";

const NOTHING: &str = "neap: there is no media file: name files, folders or playlists\n";
