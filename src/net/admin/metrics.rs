//! The status as OpenMetrics text 1.0, which Prometheus and its kin read.

use core::fmt::Write;

use crate::node::report::{COUNTERS, Unit};
use crate::node::status::{Health, State, Status};

/// The media type of [`render`] (OpenMetrics 1.0, section "Content type").
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes every counter of the one table and what stands beside it.
pub fn render(status: &Status) -> String {
    let mut text = String::new();
    let build = [("version", status.version.as_str())];
    family(&mut text, "neap_build", "info", "The program that runs.");
    sample(&mut text, "neap_build_info", &build, 1);
    for row in COUNTERS {
        let name = format!("neap_{}", row.name);
        family(&mut text, &name, "counter", row.sentence);
        if row.unit == Unit::Bytes {
            line(&mut text, &["# UNIT", &name, "bytes"]);
        }
        let value = status.counters.get(row.name).copied().unwrap_or(0);
        sample(&mut text, &format!("{name}_total"), &[], value);
    }
    for (name, unit, sentence, value) in gauges(status) {
        family(&mut text, name, "gauge", sentence);
        if !unit.is_empty() {
            line(&mut text, &["# UNIT", name, unit]);
        }
        sample(&mut text, name, &[], value);
    }
    origins(&mut text, status);
    caps(&mut text, status);
    text.push_str("# EOF\n");
    text
}

fn gauges(status: &Status) -> [(&'static str, &'static str, &'static str, u64); 10] {
    let playing = status.playing.len() as u64;
    let impaired = u64::from(status.state == State::Impaired);
    let fault = u64::from(status.disk_fault.is_some());
    let (memory, disk, open) = (status.memory, status.disk, status.connections);
    [
        (
            "neap_uptime_seconds",
            "seconds",
            "Time since the start, standby included.",
            status.uptime_seconds,
        ),
        ("neap_impaired", "", "Whether something needs a look.", impaired),
        ("neap_streams_playing", "", "Streams that players ask for now.", playing),
        ("neap_open_connections", "", "Player connections that are open now.", open.used),
        ("neap_open_connections_limit", "", "Player connections that may be open.", open.limit),
        ("neap_memory_used_bytes", "bytes", "Memory that the cache holds.", memory.used),
        ("neap_memory_limit_bytes", "bytes", "Memory that the cache may hold.", memory.limit),
        ("neap_disk_used_bytes", "bytes", "Disk that the cache holds.", disk.used),
        ("neap_disk_limit_bytes", "bytes", "Disk that the cache may hold.", disk.limit),
        ("neap_disk_fault", "", "Whether the disk tier is out of use for a fault.", fault),
    ]
}

fn origins(text: &mut String, status: &Status) {
    family(text, "neap_origin_up", "gauge", "Whether the origin's last answer was good.");
    for origin in &status.origins {
        let up = !matches!(origin.health, Health::Failing);
        sample(text, "neap_origin_up", &[("origin", &origin.name)], u64::from(up));
    }
    let name = "neap_origin_failing_seconds";
    family(text, name, "gauge", "Time since the origin began to fail, zero while it works.");
    line(text, &["# UNIT", name, "seconds"]);
    for origin in &status.origins {
        let failing = origin.failing_seconds.unwrap_or(0);
        sample(text, name, &[("origin", &origin.name)], failing);
    }
}

fn caps(text: &mut String, status: &Status) {
    family(text, "neap_cap_holding", "gauge", "Whether a cap holds something back now.");
    let mut told: Vec<&str> = Vec::new();
    for cap in &status.caps {
        // Volumes there and back are two lines of one cap.
        if !told.contains(&cap.name.as_str()) {
            let same = status.caps.iter().filter(|other| other.name == cap.name);
            let holds = same.clone().any(|cap| !cap.holds.is_empty());
            sample(text, "neap_cap_holding", &[("cap", &cap.name)], u64::from(holds));
            told.push(&cap.name);
        }
    }
}

fn family(text: &mut String, name: &str, kind: &str, sentence: &str) {
    line(text, &["# TYPE", name, kind]);
    line(text, &["# HELP", name, &escaped(sentence)]);
}

fn line(text: &mut String, words: &[&str]) {
    text.push_str(&words.join(" "));
    text.push('\n');
}

fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    text.push_str(name);
    if let [(label, said)] = labels {
        // Writing to a string cannot fail.
        let _ = write!(text, "{{{label}=\"{}\"}}", escaped(said));
    }
    let _ = writeln!(text, " {value}");
}

/// Escapes as the grammar of both HELP and label values has it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}
