//! `neap ledger`: what was given to other nodes and taken from them, by origin and tier.

use core::fmt::Write;

use super::check::Outcome;
use super::control::{at_socket, unanswered};
use crate::config::layers::{Flags, Paths};
use crate::net::admin::{client, words};
use crate::node::status::{Account, Status};

/// What `neap ledger` prints, and its exit code.
pub fn outcome(paths: &Paths, flags: &Flags) -> Outcome {
    at_socket(paths, flags, |path| {
        let text = match client::fetch(path) {
            Ok(text) => text,
            Err(error) => return unanswered(&error),
        };
        match serde_json::from_str::<Status>(&text) {
            Ok(status) => Outcome { out: table(&status.ledger), ..Outcome::default() },
            Err(error) => {
                let err = format!("neap: the running neap is of another version: {error}\n");
                Outcome { err, code: 70, ..Outcome::default() }
            }
        }
    })
}

/// The ledger, a line for each account.
fn table(ledger: &[Account]) -> String {
    if ledger.is_empty() {
        return "nothing was given or taken yet\n".into();
    }
    let mut text = format!("{:24}{:6}{:>12}{:>12}\n", "Origin", "Tier", "Given", "Taken");
    for account in ledger {
        let (given, taken) = (words::size(account.given_bytes), words::size(account.taken_bytes));
        let name: String = account.origin.chars().take(23).collect();
        let _ = writeln!(text, "{name:24}{:6}{given:>12}{taken:>12}", account.tier);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_has_its_line() {
        let account = |tier: &str, given_bytes| Account {
            origin: "tv".into(),
            tier: tier.into(),
            given_bytes,
            taken_bytes: 0,
        };
        let text = table(&[account("home", 0), account("wan", 5 << 20)]);
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2][..2], ["tv", "wan"]);
        assert!(lines[2].join(" ").contains(&words::size(5 << 20)), "{text}");
        assert_eq!(table(&[]).lines().count(), 1);
    }
}
