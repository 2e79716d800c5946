//! `neap status`: how the running daemon does, on one screen of plain words.

use core::fmt::Write;
use std::io::IsTerminal;
use std::path::Path;

use super::check::Outcome;
use super::control::{at_socket, unanswered};
use crate::config::layers::{Flags, Paths};
use crate::net::admin::client;

/// What `neap status` prints, and its exit code.
pub fn outcome(paths: &Paths, flags: &Flags, json: bool) -> Outcome {
    at_socket(paths, flags, |path| match ask(path, json) {
        Ok(out) => {
            let out = if !json && std::io::stdout().is_terminal() { wrapped(&out) } else { out };
            Outcome { out, ..Outcome::default() }
        }
        Err(error) => unanswered(&error),
    })
}

/// Asks the daemon at the control socket for its JSON, or for words for people.
///
/// # Errors
/// When the daemon does not run or does not answer.
pub fn ask(control: &Path, json: bool) -> Result<String, client::Error> {
    client::fetch(control, if json { "/status.json" } else { "/status.txt" })
}

/// Lines that are too long for a terminal go on in the next one, below what they say.
fn wrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut left = WIDTH;
        for word in line.split_inclusive(' ') {
            let long = word.chars().count();
            if word.trim_end().chars().count() > left && left < WIDTH - INDENT {
                out.truncate(out.trim_end_matches(' ').len());
                let _ = write!(out, "\n{:INDENT$}", "");
                left = WIDTH - INDENT;
            }
            out.push_str(word);
            left = left.saturating_sub(long);
        }
        out.push('\n');
    }
    out
}

/// Columns of a terminal.
const WIDTH: usize = 80;

/// Where what is said of a name begins; what goes on stands a little further in.
const INDENT: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_in_the_next_one_and_nothing_is_lost() {
        let text = format!("Faults      {}end\nDisk        off\n", "some words ".repeat(20));
        let told = wrapped(&text);
        assert!(told.lines().all(|line| line.len() <= WIDTH), "{told}");
        assert!(told.lines().skip(1).any(|line| line.starts_with("              some")), "{told}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&told), words(&text));
        let long = "x".repeat(200);
        assert_eq!(wrapped(&long), format!("{long}\n"));
    }
}
