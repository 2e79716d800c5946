//! `neap status`: how the running daemon does, on one screen of plain words.

use core::fmt;
use core::fmt::Write;
use std::path::Path;

use super::check::Outcome;
use super::control::{socket, unanswered};
use crate::config::layers::{Flags, Paths};
use crate::net::admin::{client, words};
use crate::node::status::{Status, Usage};

/// Why there is nothing to print.
#[derive(Debug)]
pub enum Error {
    /// The daemon did not answer.
    Daemon(client::Error),
    /// It answered in a shape that this program does not know.
    Shape(serde_json::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon(error) => error.fmt(f),
            Self::Shape(error) => {
                write!(f, "the running neap is of another version; try --json: {error}")
            }
        }
    }
}

/// What `neap status` prints, and its exit code.
pub fn outcome(paths: &Paths, flags: &Flags, json: bool) -> Outcome {
    let asked = socket(paths, flags).map(|path| ask(&path, json));
    match asked {
        Ok(Ok(out)) => Outcome { out, ..Outcome::default() },
        Ok(Err(Error::Daemon(error))) => unanswered(&error),
        Ok(Err(error)) => {
            Outcome { err: format!("neap: {error}\n"), code: 70, ..Outcome::default() }
        }
        Err(outcome) => outcome,
    }
}

/// Asks the daemon at the control socket; answers its JSON as it came, or words for people.
///
/// # Errors
/// When the daemon does not run or its answer cannot be read.
pub fn ask(control: &Path, json: bool) -> Result<String, Error> {
    let text = client::fetch(control).map_err(Error::Daemon)?;
    if json {
        return Ok(text);
    }
    serde_json::from_str(&text).map(|status| render(&status)).map_err(Error::Shape)
}

/// Writes a status as a table of at most one screen.
pub fn render(status: &Status) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_status(&mut text, status);
    text
}

fn write_status(text: &mut String, status: &Status) -> fmt::Result {
    let (state, uptime) = (status.state.word(), words::time(status.uptime_seconds));
    writeln!(text, "neap {}  {state}, running for {uptime}", clean(&status.version, 20))?;
    writeln!(text)?;
    let streams = status.playing.iter().map(|stream| {
        let bitrate = stream.bitrate.map(words::bitrate).unwrap_or_default();
        let path = clean(&format!("{}{}", stream.origin, stream.path), 50);
        format!("{path:50}  {:9}  {bitrate}", stream.kind.words())
    });
    rows(text, "Playing", streams, "nobody plays")?;
    let total = |name| status.counters.get(name).copied().unwrap_or(0);
    let given = words::size(total("player_bytes"));
    let share = status.hit_permille.map_or_else(
        || "nothing played yet".into(),
        |share| format!("{} of {given} to players since the start", words::share(share)),
    );
    rows(text, "Cache gave", [share].into_iter(), "")?;
    let rates = status.rates.iter().map(|(name, rate)| format!("{name} {}", words::rate(*rate)));
    let rates: Vec<String> = rates.collect();
    rows(text, "Now", [rates.join(", ")].into_iter(), "")?;
    let origins = status.origins.iter().map(|origin| {
        let since = origin.failing_seconds.map(|seconds| format!(", for {}", words::time(seconds)));
        let health = format!("{}{}", origin.health.words(), since.unwrap_or_default());
        format!("{:16}  {health}", clean(&origin.name, 16))
    });
    rows(text, "Origins", origins, "none configured")?;
    rows(text, "Memory", [used(status.memory)].into_iter(), "")?;
    let disk = match &status.disk_fault {
        Some(fault) => format!("out of use: {}", clean(fault, 60)),
        None => used(status.disk),
    };
    rows(text, "Disk", [disk].into_iter(), "")?;
    if let Some(network) = &status.network {
        let peers = network.peers.iter().map(|peer| {
            let (given, taken) = (words::size(peer.given_bytes), words::size(peer.taken_bytes));
            format!("{}  {:8} {:5} gave {taken}, was given {given}", peer.key, peer.role, peer.tier)
        });
        rows(text, "Peers", peers, "none found yet")?;
        rows(text, "Reachable", [network.reached.words().to_owned()].into_iter(), "")?;
    }
    let caps = status.caps.iter().map(|cap| {
        let held = if cap.holds.is_empty() { String::new() } else { format!("; {}", cap.holds) };
        let used = [cap.now.as_str(), cap.period.as_str()].join(" ");
        clean(&format!("{:12} {}: {}{held}", cap.name, cap.limit, used.trim()), 66)
    });
    let sharing = status.sharing.iter().map(|why| clean(why, 66)).collect::<Vec<_>>();
    rows(text, "Sharing", sharing.into_iter(), "nothing is held back")?;
    capped(text, caps)?;
    let open = status.connections;
    rows(
        text,
        "Players",
        [format!("{} of {} connections", open.used, open.limit)].into_iter(),
        "",
    )?;
    let faults = status.faults.iter().map(|fault| {
        let times =
            if fault.times > 1 { format!("{} times, ", fault.times) } else { String::new() };
        let ago = words::ago(fault.last_seconds_ago);
        format!("{} ({times}{ago})", clean(&fault.text, 56))
    });
    rows(text, "Faults", faults, "none since the start")
}

/// The caps, all of them: each is a line that somebody looks for.
fn capped(text: &mut String, caps: impl Iterator<Item = String>) -> fmt::Result {
    let mut name = "Caps";
    for cap in caps {
        writeln!(text, "{name:12}{}", cap.trim_end())?;
        name = "";
    }
    Ok(())
}

/// Rows under one name, with the rest told as a number.
fn rows(
    text: &mut String,
    name: &str,
    rows: impl ExactSizeIterator<Item = String>,
    none: &str,
) -> fmt::Result {
    let (mut name, count) = (name, rows.len());
    if count == 0 {
        writeln!(text, "{name:12}{none}")?;
    }
    for row in rows.take(ROWS) {
        writeln!(text, "{name:12}{}", row.trim_end())?;
        name = "";
    }
    if count > ROWS { writeln!(text, "{:12}and {} more", "", count - ROWS) } else { Ok(()) }
}

fn used(usage: Usage) -> String {
    match usage.limit {
        0 => "switched off".into(),
        limit => format!("{} of {}", words::size(usage.used), words::size(limit)),
    }
}

/// Text from elsewhere, fit for a terminal and its column.
fn clean(text: &str, width: usize) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    let whole = text.chars().count() <= width;
    let kept = text.chars().map(plain).take(if whole { width } else { width - 1 });
    kept.chain((!whole).then_some('…')).collect()
}

/// Rows of one kind: three kinds grow, and all have to fit 24 lines.
const ROWS: usize = 4;
