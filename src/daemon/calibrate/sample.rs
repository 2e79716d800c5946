//! What the running daemon has done so far: its own counters, and the kernel's of its CPU time.

use std::fs;
use std::path::Path;

use super::fit::{KINDS, Reading};
use crate::base::time::Instant;
use crate::host::clock;
use crate::net::admin::client::{self, Error};

/// The counters at one moment.
#[derive(Clone, Debug)]
pub struct Sample {
    at: Instant,
    /// Seconds that it has run: fewer than before means that it was started anew.
    pub uptime: u64,
    cpu: f64,
    sent: u64,
    received: u64,
    written: u64,
}

impl Sample {
    /// Asks the daemon at the control socket.
    ///
    /// # Errors
    /// When it does not run or does not answer.
    pub fn take(control: &Path) -> Result<Self, Error> {
        let metrics = client::fetch(control, "/metrics")?;
        let process = client::process(control)?;
        let told = fs::read_to_string(format!("/proc/{process}/stat")).map_err(Error::Silent)?;
        let of = |name: &str| number(&metrics, name).ok_or(Error::Garbled);
        Ok(Self {
            at: clock::now(),
            uptime: of("neap_uptime_seconds")?,
            cpu: cpu_seconds(&told).ok_or(Error::Garbled)?,
            sent: of("neap_peer_given_bytes_total")?,
            received: of("neap_peer_taken_bytes_total")?,
            written: of("neap_disk_written_bytes_total")?,
        })
    }

    /// Seconds from an earlier sample to this one.
    pub fn since(&self, earlier: &Self) -> f64 {
        self.at.since(earlier.at).as_secs_f64()
    }

    /// What was done a second since an earlier sample, with what the meter showed.
    pub fn reading(&self, earlier: &Self, watts: f64) -> Reading {
        let seconds = self.since(earlier).max(f64::MIN_POSITIVE);
        // Counts of bytes are below 2^53, where every whole number is one.
        #[allow(clippy::cast_precision_loss, reason = "below 2^53")]
        let more = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        let (sent, received) =
            (more(self.sent, earlier.sent), more(self.received, earlier.received));
        let shared = if sent + received > 0.0 { 1.0 } else { 0.0 };
        let cpu = (self.cpu - earlier.cpu).max(0.0) / seconds;
        let work: [f64; KINDS] = [cpu, sent, received, more(self.written, earlier.written), shared];
        Reading { watts, work }
    }
}

/// A metric without labels.
fn number(metrics: &str, name: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    metrics.lines().find_map(value)
}

/// User and system time of `/proc/PID/stat`, fields 14 and 15, in hundredths of a second, as
/// Linux shows them on every machine that neap runs on (proc_pid_stat(5)). The name in front may
/// hold anything, so what counts begins behind its last bracket.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = |place: usize| rest.split_whitespace().nth(place)?.parse::<u32>().ok();
    Some((f64::from(ticks(11)?) + f64::from(ticks(12)?)) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_is_read_behind_its_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 99 0 0 0 250 50 0 0 20 0 3 0 5";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        for end in 0..stat.len() {
            cpu_seconds(&stat[..end]);
        }
        assert_eq!(cpu_seconds("garbage"), None);
    }

    #[test]
    fn metrics_are_found_by_their_whole_name() {
        let text = "# TYPE a counter\na_total 5\na_total_more 6\nb{c=\"d\"} 7\n";
        assert_eq!((number(text, "a_total"), number(text, "b")), (Some(5), None));
    }

    #[test]
    fn a_reading_is_what_was_done_in_a_second() {
        let sample = |at, cpu, bytes| Sample {
            at: Instant::from_micros(at),
            uptime: 1,
            cpu,
            sent: bytes,
            received: 0,
            written: 2 * bytes,
        };
        let reading = sample(12_000_000, 1.5, 5000).reading(&sample(2_000_000, 0.5, 1000), 4.2);
        assert_eq!(reading, Reading { watts: 4.2, work: [0.1, 400.0, 0.0, 800.0, 1.0] });
        let anew = sample(3_000_000, 0.0, 0).reading(&sample(2_000_000, 0.5, 1000), 4.2);
        assert_eq!(anew.work, [0.0; KINDS]);
    }
}
