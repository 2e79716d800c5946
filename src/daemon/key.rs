//! `neap key`, `neap admit` and `neap switch`: who this node is, and what operators sign.

use std::io;
use std::path::{Path, PathBuf};

use super::check::{Outcome, configured};
use crate::base::peer::NodeKey;
use crate::base::time::Date;
use crate::config::layers::{Flags, Paths};
use crate::host::clock;
use crate::net::peer::identity::{Identity, KeyFault};
use crate::wire::switch::Switch;

/// What `neap admit` is to sign.
pub struct Admit {
    /// The node that is admitted.
    pub node: NodeKey,
    /// For how long.
    pub days: u32,
    /// The operator's key; this node's own where none is named.
    pub key: Option<PathBuf>,
}

/// Prints the node's key, which is made where there is none; or makes a new one.
pub fn print(paths: &Paths, flags: &Flags, new: bool) -> Outcome {
    with_state(paths, flags, |state| {
        if !new {
            return Ok(said(&Identity::open(state)?.key.to_string()));
        }
        let (identity, kept) = Identity::rotate(state)?;
        let mut outcome = said(&identity.key.to_string());
        if let Some(kept) = kept {
            outcome.err = format!("neap: the old key is kept in {}\n", kept.display());
        }
        outcome.err.push_str(NEXT);
        Ok(outcome)
    })
}

/// Prints an admission of a node: one line for its admission-file.
pub fn admit(paths: &Paths, flags: &Flags, admit: &Admit) -> Outcome {
    let signed = |operator: &Identity| {
        let expires = Date(clock::trusted_date().0 + i64::from(admit.days) * DAY);
        let mut outcome = said(&operator.admit(admit.node, expires).to_string());
        outcome.err = undated(clock::date()).to_owned();
        outcome.err += &format!(
            "neap: this goes into the file that network.admission-file names on that node, and \
             \"{}\" into network.operators on all\n",
            operator.key
        );
        outcome
    };
    match &admit.key {
        Some(file) => match Identity::read(file) {
            Ok(operator) => signed(&operator),
            Err(fault) => failed(&fault),
        },
        None => with_state(paths, flags, |state| Ok(signed(&Identity::open(state)?))),
    }
}

/// Prints the operator's word that so many of a hundred nodes of the network share: one line for
/// 'neap switch --apply' on any node.
pub fn switch(paths: &Paths, flags: &Flags, (percent, days, key): (u8, u32, &Path)) -> Outcome {
    let operator = match Identity::read(key) {
        Ok(operator) => operator,
        Err(fault) => return failed(&fault),
    };
    let name = match configured(paths, flags) {
        Ok(loaded) => loaded.config.network.name,
        Err(outcome) => return outcome,
    };
    if name.is_empty() {
        let err = "neap: network.name is empty: the switch must say which network it means\n";
        return Outcome { err: err.into(), code: 78, ..Outcome::default() };
    }
    let now = clock::trusted_date();
    let sequence = u64::try_from(now.0).unwrap_or(0);
    let expires = Date(now.0 + i64::from(days) * DAY);
    let switch = Switch::sign(operator.pair(), &name, (sequence, percent, expires));
    let mut outcome = said(&switch.to_string());
    outcome.err = undated(clock::date()).to_owned();
    outcome.err += &format!(
        "neap: for {days} days {percent} of 100 nodes of '{name}' share, once \
         'neap switch --apply' with this line was called on one of them; \"{}\" must be in \
         network.operators on all\n",
        operator.key
    );
    outcome
}

/// A warning where this machine does not know the date, and what it signs bears another.
fn undated(date: Option<Date>) -> &'static str {
    if date.is_none() { UNDATED } else { "" }
}

/// Acts on the state directory that is configured.
fn with_state(
    paths: &Paths,
    flags: &Flags,
    act: impl FnOnce(&Path) -> Result<Outcome, KeyFault>,
) -> Outcome {
    match configured(paths, flags) {
        Ok(loaded) => act(&loaded.config.network.state).unwrap_or_else(|fault| failed(&fault)),
        Err(outcome) => outcome,
    }
}

fn said(line: &str) -> Outcome {
    Outcome { out: format!("{line}\n"), ..Outcome::default() }
}

fn failed(fault: &KeyFault) -> Outcome {
    let code = match fault.kind() {
        io::ErrorKind::PermissionDenied => 77,
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData => 78,
        _ => 70,
    };
    Outcome { err: format!("neap: {fault}\n"), code, ..Outcome::default() }
}

const DAY: i64 = 24 * 3600;

const UNDATED: &str = "neap: warning: this machine's clock is not set, so the day on which neap \
                       was built counts as today: set it and make this anew\n";

/// What follows a new key.
const NEXT: &str = "neap: a running neap takes the new key over when it is restarted; an admission \
                    must be made anew with 'neap admit', and whoever names the old key must name \
                    this one\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::membership::Admission;

    #[test]
    fn a_switch_is_signed_for_the_configured_network() {
        let folder = std::env::temp_dir().join(format!("neap-switch-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let operator = Identity::open(&folder).expect("a key");
        let file = folder.join("n.toml");
        let text = format!("[network]\nname = \"net\"\noperators = \"{}\"\n", operator.key);
        std::fs::write(&file, text).expect("written");
        let flags = Flags { config: Some(file), ..Flags::default() };
        let outcome = switch(&Paths::default(), &flags, (25, 7, &folder.join("node.key")));
        let said = Switch::parse(&outcome.out);
        let said = said.unwrap_or_else(|| panic!("{}", outcome.err));
        assert!(said.holds(&[operator.key], "net"));
        assert_eq!(said.percent, 25);
        assert_eq!(said.expires.0 - i64::try_from(said.sequence).expect("a date"), 7 * DAY);
        let _ = std::fs::remove_dir_all(folder);
    }

    #[test]
    fn what_is_signed_without_a_clock_is_warned_of() {
        assert_eq!((undated(None), undated(Some(Date(1)))), (UNDATED, ""));
    }

    #[test]
    fn an_admission_is_signed_with_the_named_key() {
        let folder = std::env::temp_dir().join(format!("neap-admit-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let operator = Identity::open(&folder).expect("a key");
        let node = NodeKey([3; 32]);
        let key = Some(folder.join("node.key"));
        let outcome = admit(&Paths::default(), &Flags::default(), &Admit { node, days: 2, key });
        assert_eq!(outcome.code, 0);
        let admission = Admission::parse(&outcome.out).expect("one line");
        let now = clock::trusted_date();
        assert_eq!(admission.check(node, &[operator.key], now), Ok(()));
        assert!(admission.check(node, &[operator.key], Date(now.0 + 2 * DAY + 60)).is_err());
        let missing = Admit { node, days: 2, key: Some(folder.join("nothing")) };
        let outcome = admit(&Paths::default(), &Flags::default(), &missing);
        assert_eq!((outcome.code, outcome.out.as_str()), (78, ""));
        let _ = std::fs::remove_dir_all(folder);
    }
}
