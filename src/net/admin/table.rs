//! How the node does on one screen of plain words, for `neap status`, and its ledger in lines.

use core::fmt::{self, Write};

use super::words;
use crate::node::status::{Account, Health, Origin, Status, Usage};

/// Writes a status as a table, each line whole.
pub fn render(status: &Status) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_status(&mut text, status);
    text
}

fn write_status(text: &mut String, status: &Status) -> fmt::Result {
    let (state, uptime) = (status.state.word(), words::time(status.uptime_seconds));
    writeln!(text, "neap {}  {state}, running for {uptime}", clean(&status.version))?;
    writeln!(text)?;
    let streams = status.playing.iter().flat_map(|stream| {
        let bitrate = stream.bitrate.map(words::bitrate).unwrap_or_default();
        let path = clean(&format!("{}{}", stream.origin, stream.path));
        let line = format!("{path:50}  {:9}  {bitrate}", stream.kind.words());
        let alone = stream.not_shared.iter().map(|why| format!("  not shared: {}", clean(why)));
        core::iter::once(line).chain(alone)
    });
    rows(text, "Playing", (streams.collect(), ROWS), "nobody plays")?;
    let total = |name| status.counters.get(name).copied().unwrap_or(0);
    let given = words::size(total("player_bytes"));
    let share = status.hit_permille.map_or_else(
        || "nothing played yet".into(),
        |share| format!("{} of {given} to players since the start", words::share(share)),
    );
    row(text, "Cache gave", &share)?;
    let rates = status.rates.iter().map(|(name, rate)| format!("{name} {}", words::rate(*rate)));
    let rates: Vec<String> = rates.collect();
    row(text, "Last minute", &rates.join(", "))?;
    origins(text, &status.origins)?;
    let held = status.memory_held.iter().map(|why| format!("; {why}"));
    row(text, "Memory", &clean(&(used(status.memory) + &held.collect::<String>())))?;
    let disk = match &status.disk_fault {
        Some(fault) => format!("out of use: {}", clean(fault)),
        None => used(status.disk),
    };
    row(text, "Disk", &disk)?;
    if let Some(network) = &status.network {
        let peers = network.peers.iter().map(|peer| {
            let (given, taken) = (words::size(peer.given_bytes), words::size(peer.taken_bytes));
            format!("{}  {:8} {:5} gave {taken}, was given {given}", peer.key, peer.role, peer.tier)
        });
        rows(text, "Peers", (peers.collect(), ROWS), "none found yet")?;
        row(text, "Reachable", network.reached.words())?;
    }
    let caps = status.caps.iter().map(|cap| {
        let held = if cap.holds.is_empty() { String::new() } else { format!("; {}", cap.holds) };
        let used = [cap.now.as_str(), cap.period.as_str()].join(" ");
        clean(&format!("{:12} {}: {}{held}", cap.name, cap.limit, used.trim()))
    });
    row(text, "Sharing", &clean(status.sharing.as_deref().unwrap_or(status.unheld())))?;
    // All of them: each is a line that somebody looks for.
    if !status.caps.is_empty() {
        rows(text, "Caps", (caps.collect(), usize::MAX), "")?;
    }
    let open = status.connections;
    row(text, "Players", &format!("{} of {} connections", open.used, open.limit))?;
    let faults = status.faults.iter().map(|fault| {
        let times =
            if fault.times > 1 { format!("{} times, ", fault.times) } else { String::new() };
        let ago = words::ago(fault.last_seconds_ago);
        format!("{} ({times}{ago})", clean(&fault.text))
    });
    rows(text, "Faults", (faults.collect(), ROWS), "none since the start")
}

/// The origins: those in trouble first, all of them, each with its last failure.
fn origins(text: &mut String, origins: &[Origin]) -> fmt::Result {
    let works = |origin: &&Origin| matches!(origin.health, Health::Good | Health::Untried);
    let (good, bad): (Vec<&Origin>, Vec<&Origin>) = origins.iter().partition(works);
    let mut lines = Vec::new();
    for origin in bad {
        let since = origin.failing_seconds.map(|seconds| format!(", for {}", words::time(seconds)));
        let health = format!("{}{}", origin.health.words(), since.unwrap_or_default());
        lines.push(format!("{:16}  {health}", clean(&origin.name)));
        let last = origin.last_error.iter();
        lines.extend(last.map(|error| format!("  last failure: {}", clean(error))));
    }
    let most = lines.len().max(ROWS);
    let line = |origin: &&Origin| format!("{:16}  {}", clean(&origin.name), origin.health.words());
    lines.extend(good.iter().map(line));
    rows(text, "Origins", (lines, most), "none configured")
}

fn row(text: &mut String, name: &str, row: &str) -> fmt::Result {
    writeln!(text, "{name:12}{}", row.trim_end())
}

/// Rows under one name, of more than `most` the rest told as a number.
fn rows(
    text: &mut String,
    name: &str,
    (rows, most): (Vec<String>, usize),
    none: &str,
) -> fmt::Result {
    let (mut name, count) = (name, rows.len());
    if count == 0 {
        row(text, name, none)?;
    }
    for line in rows.iter().take(most) {
        row(text, name, line)?;
        name = "";
    }
    if count > most { row(text, "", &format!("and {} more", count - most)) } else { Ok(()) }
}

fn used(usage: Usage) -> String {
    match usage.limit {
        0 => "switched off".into(),
        limit => format!("{} of {}", words::size(usage.used), words::size(limit)),
    }
}

/// The ledger, a line for each account.
pub fn ledger(ledger: &[Account]) -> String {
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

/// Text from elsewhere, fit for a terminal.
fn clean(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// Rows of one kind that are no trouble: three kinds grow, and all should fit 24 lines.
const ROWS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(name: &str, health: Health, error: Option<&str>) -> Origin {
        let last_error = error.map(str::to_owned);
        Origin { name: name.into(), health, last_error, failing_seconds: None }
    }

    #[test]
    fn all_origins_in_trouble_come_first_with_their_last_failure() {
        let cause = "no connection ".repeat(20);
        let mut all: Vec<_> =
            (0..9).map(|n| origin(&format!("g{n}"), Health::Good, None)).collect();
        all.extend((0..6).map(|n| origin(&format!("b{n}"), Health::Failing, Some(&cause))));
        let text = render(&Status { origins: all, ..Status::default() });
        assert_eq!(text.matches(&format!("last failure: {}\n", cause.trim_end())).count(), 6);
        assert!(text.contains("Origins     b0"), "{text}");
        assert!(text.contains("and 9 more"), "{text}");
    }

    #[test]
    fn each_account_has_its_line() {
        let account = |tier: &str, given_bytes| Account {
            origin: "tv".into(),
            tier: tier.into(),
            given_bytes,
            taken_bytes: 0,
        };
        let text = ledger(&[account("home", 0), account("wan", 5 << 20)]);
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2][..2], ["tv", "wan"]);
        assert!(lines[2].join(" ").contains(&words::size(5 << 20)), "{text}");
        assert_eq!(ledger(&[]).lines().count(), 1);
    }
}
