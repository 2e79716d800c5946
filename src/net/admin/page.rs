//! The status page: rendered here whole, so that it reads without script; the script only
//! exchanges what changed.

use ring::digest;

use super::escape::escape;
use super::{caps, chart, ledger, words};
use crate::node::report::{COUNTERS, Source, Unit};
use crate::node::status::{
    Fault, Health, Kind, Network, Origin, Peer, State, Status, Stream, Usage,
};

/// Writes the page for one moment.
pub fn render(status: &Status) -> String {
    let title = format!("neap: {}", status.state.word());
    let parts = [
        ("{title}", title.as_str()),
        ("{style}", STYLE),
        ("{head}", &head(status)),
        ("{playing}", &playing(&status.playing)),
        ("{flow}", &flow(status)),
        ("{peers}", &status.network.as_ref().map(peers).unwrap_or_default()),
        ("{origins}", &origins(&status.origins)),
        ("{room}", &room(status)),
        ("{caps}", &caps::render(status)),
        ("{ledger}", &ledger::render(status)),
        ("{faults}", &faults(&status.faults)),
        ("{counters}", &counters(status)),
        ("{script}", SCRIPT),
    ];
    // One pass, in the frame's order: what stands in a part is never looked at again.
    let mut text = String::with_capacity(24 * 1024);
    let mut rest = FRAME;
    for (name, part) in parts {
        let Some((before, after)) = rest.split_once(name) else { continue };
        text.push_str(before);
        text.push_str(part);
        rest = after;
    }
    text + rest
}

/// The page's `Content-Security-Policy` (CSP Level 3): its own style and script by their hashes,
/// requests to its own origin, nothing else.
pub fn policy() -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

const FRAME: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// The server says everything in one place; the script exchanges the parts that changed, so that
/// an open list stays open and marked text stays marked. It asks for nothing while nobody looks.
const SCRIPT: &str = include_str!("page.js");

fn head(status: &Status) -> String {
    let tone = match status.state {
        State::Starting | State::Standby | State::Stopping => "calm",
        State::Idle => "good",
        State::Playing => "flow",
        State::Impaired => "warn",
    };
    format!(
        "<svg viewBox=\"0 0 32 32\" aria-hidden=true>\
         <rect width=32 height=32 rx=9 />\
         <path d=\"M6 13c4-4 6-4 10 0s6 4 10 0M6 21c4-4 6-4 10 0s6 4 10 0\"/></svg>\
         <h1>neap</h1><span class=\"pill {tone}\">{}</span>\
         <span class=soft>version {}, running for {}</span>",
        status.state.word(),
        escape(&status.version),
        words::time(status.uptime_seconds)
    )
}

fn playing(streams: &[Stream]) -> String {
    let row = |stream: &Stream| {
        let bitrate = stream.bitrate.map_or_else(String::new, words::bitrate);
        let tone = if stream.kind == Kind::Live { "flow" } else { "calm" };
        let alone = stream.not_shared.as_ref().map_or_else(String::new, |why| {
            format!("<div class=soft>not shared: {}</div>", escape(why))
        });
        format!(
            "<li><div class=row><span class=name>{}</span>\
             <span class=\"tone {tone}\">{}</span></div><div class=\"row soft\">\
             <span>from {}, asked {}</span><span>{bitrate}</span></div>{alone}</li>",
            escape(&stream.path),
            stream.kind.words(),
            escape(&stream.origin),
            words::ago(stream.last_request_seconds_ago)
        )
    };
    list("Playing now", streams.iter().map(row), "Nobody plays at the moment.")
}

fn flow(status: &Status) -> String {
    let total = |name| status.counters.get(name).copied().unwrap_or(0);
    let lead = match status.hit_permille {
        None => "<p class=soft>Nothing has been played since the start.</p>".into(),
        Some(share) => format!(
            "<span class=big>{}</span>\
             <span class=soft>from the cache since the start: {} of {}</span>",
            words::share(share),
            tight(&words::size(total("cache_bytes"))),
            tight(&words::size(total("player_bytes")))
        ),
    };
    let key = Source::ALL.iter().map(|source| {
        let rate = status.rates.get(source.name()).copied().unwrap_or(0);
        let name = source.name();
        format!("<span><i class={name}></i>{name} {}</span>", words::rate(rate))
    });
    format!(
        "<h2>Where the bytes come from</h2><div class=lead>{lead}</div>{}\
         <div class=axis><span>10 min ago</span><span>5 min ago</span><span>now</span></div>\
         <div class=key>{}<span class=soft>over the last minute</span></div>",
        chart::render(&status.history),
        key.collect::<String>()
    )
}

fn origins(origins: &[Origin]) -> String {
    let row = |origin: &Origin| {
        let tone = match origin.health {
            Health::Untried => "calm",
            Health::Good => "good",
            Health::Degraded | Health::Denying | Health::Still | Health::Slow => "warn",
            Health::Failing => "bad",
        };
        let since = origin.failing_seconds.map(|seconds| format!(", for {}", words::time(seconds)));
        let failing = since.unwrap_or_default();
        let last = origin
            .last_error
            .as_deref()
            .map(|error| format!("<p class=soft>Last failure: {}</p>", escape(error)));
        format!(
            "<li><div class=row><span class=name><i class=\"dot {tone}\"></i>{}</span>\
             <span class=\"tone {tone}\">{}{failing}</span></div>{}</li>",
            escape(&origin.name),
            origin.health.words(),
            last.unwrap_or_default()
        )
    };
    list("Origins", origins.iter().map(row), "No origin is configured: neap has nothing to serve.")
}

fn peers(network: &Network) -> String {
    let row = |peer: &Peer| {
        let tone = if peer.role == "witness" { "flow" } else { "calm" };
        format!(
            "<li><div class=row><span class=name>{}</span>\
             <span class=\"tone {tone}\">{}</span></div><div class=\"row soft\">\
             <span>{}, for {}</span><span>gave {}, was given {}</span></div></li>",
            escape(&peer.key),
            escape(&peer.role),
            escape(&peer.tier),
            words::time(peer.linked_seconds),
            words::size(peer.taken_bytes),
            words::size(peer.given_bytes)
        )
    };
    let none = "No other device of the network is here.";
    let title = format!("Peers in the network \u{201c}{}\u{201d}", escape(&network.name));
    let peers = list(&title, network.peers.iter().map(row), none);
    format!("{peers}<p class=soft>Reachable from elsewhere: {}</p>", network.reached.words())
}

fn room(status: &Status) -> String {
    let size =
        |usage: Usage| format!("{} of {}", words::size(usage.used), words::size(usage.limit));
    let disk = match (&status.disk_fault, status.disk.limit) {
        (Some(fault), _) => format!("out of use: {}", escape(fault)),
        (None, 0) => "switched off".into(),
        (None, _) => size(status.disk),
    };
    let held = status.memory_held.as_ref().map_or(String::new(), |why| format!("; {why}"));
    let connections = status.connections;
    let open = format!("{} of {}", words::count(connections.used), words::count(connections.limit));
    let rows = [
        ("Memory", size(status.memory) + &escape(&held), status.memory, false),
        ("Disk", disk, status.disk, status.disk_fault.is_some()),
        ("Player connections", open, connections, false),
    ];
    let row = |(name, figures, usage, fault): &(&str, String, Usage, bool)| {
        let (tone, words) = if *fault { ("bad", "tone bad") } else { ("flow", "soft") };
        format!(
            "<li><div class=row><span class=name>{name}</span><span class=\"{words}\">{figures}\
             </span></div>{}</li>",
            meter(*usage, tone)
        )
    };
    list("In use", rows.iter().map(row), "")
}

fn meter(usage: Usage, tone: &str) -> String {
    if usage.limit == 0 {
        return String::new();
    }
    let part = u128::from(usage.used) * 1000 / u128::from(usage.limit);
    let (whole, tenth) = (part.min(1000) / 10, part.min(1000) % 10);
    format!(
        "<svg class=\"meter {tone}\" aria-hidden=true><rect width=100% height=100% rx=4 />\
         <rect width=\"{whole}.{tenth}%\" height=100% rx=4 /></svg>"
    )
}

fn faults(faults: &[Fault]) -> String {
    let row = |fault: &Fault| {
        let tone = if fault.last_seconds_ago < RECENT { "warn" } else { "calm" };
        let times = match fault.times {
            0 | 1 => words::ago(fault.last_seconds_ago),
            times => format!(
                "{} times in {}, last {}",
                words::count(times),
                words::time(fault.first_seconds_ago),
                words::ago(fault.last_seconds_ago)
            ),
        };
        format!(
            "<li><div class=row><span><i class=\"dot {tone}\"></i>{}</span><span class=soft>\
             {}: {times}</span></div></li>",
            escape(&fault.text),
            escape(&fault.kind)
        )
    };
    list("Last faults", faults.iter().map(row), "None since the start.")
}

fn counters(status: &Status) -> String {
    let row = |row: &crate::node::report::Row| {
        let value = status.counters.get(row.name).copied().unwrap_or(0);
        let value = match row.unit {
            Unit::Bytes => words::size(value),
            Unit::Count => words::count(value),
        };
        let (name, sentence) = (words::title(row.name), row.sentence);
        format!("<tr><td>{name}</td><td>{value}</td><td>{sentence}</td></tr>")
    };
    format!("<table>{}</table>", COUNTERS.iter().map(row).collect::<String>())
}

fn list(title: &str, rows: impl Iterator<Item = String>, none: &str) -> String {
    let rows: String = rows.collect();
    if rows.is_empty() {
        return format!("<h2>{title}</h2><p class=soft>{none}</p>");
    }
    format!("<h2>{title}</h2><ul>{rows}</ul>")
}

/// Keeps a figure and its unit on one line.
fn tight(figure: &str) -> String {
    figure.replace(' ', "\u{a0}")
}

/// SHA-256 in base64 (RFC 4648, 4), as CSP writes it.
fn hash(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut out = String::new();
    for chunk in digest.as_ref().chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// Seconds in which a fault counts as going on.
const RECENT: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_hash_of_what_stands_in_the_page() {
        // SHA-256 of nothing, as `openssl dgst -sha256 -binary | base64` gives it.
        assert_eq!(hash(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        let page = render(&Status::default());
        let inside = |open: &str, close: &str| {
            let behind = page.split_once(open).expect("it begins").1;
            behind.split_once(close).expect("it ends").0
        };
        let style = inside("<style>", "</style>");
        let script = inside("<script>", "</script>");
        assert!(policy().contains(&format!("style-src 'sha256-{}'", hash(style))));
        assert!(policy().contains(&format!("script-src 'sha256-{}'", hash(script))));
        assert!(!page.contains(" style=") && !page.contains(" onclick="));
    }

    #[test]
    fn everything_that_others_wrote_is_escaped() {
        let evil = "</ul><script>alert('{faults}' & \"x\")</script>";
        let status = Status {
            version: evil.into(),
            playing: vec![Stream { path: evil.into(), origin: evil.into(), ..Stream::default() }],
            origins: vec![Origin {
                name: evil.into(),
                last_error: Some(evil.into()),
                ..Origin::default()
            }],
            disk_fault: Some(evil.into()),
            faults: vec![Fault { text: evil.into(), kind: evil.into(), ..Fault::default() }],
            ..Status::default()
        };
        let page = render(&status);
        assert_eq!(page.matches("<script>").count(), 1);
        assert_eq!(page.matches("&lt;script&gt;alert(&#39;{faults}&#39;").count(), 8);
    }

    #[test]
    fn a_broken_disk_is_told_in_the_colour_of_trouble() {
        let status = Status { disk_fault: Some("read-only".into()), ..Status::default() };
        assert!(render(&status).contains("<span class=\"tone bad\">out of use: read-only</span>"));
    }

    #[test]
    fn an_empty_status_is_told_in_sentences() {
        let page = render(&Status::default());
        for sentence in [
            "Nobody plays at the moment.",
            "Nothing has been played since the start.",
            "No video in the last ten minutes",
            "None since the start.",
        ] {
            assert!(page.contains(sentence), "{sentence}");
        }
        for (name, _) in FRAME.match_indices('{').map(|(at, _)| FRAME[at..].split_at(5)) {
            assert!(!page.contains(name), "{name}");
        }
    }
}
