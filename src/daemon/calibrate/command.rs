//! The conversation: somebody reads the meter, neap reads its counters.

use std::io::{BufRead, Write};
use std::path::Path;

use super::fit::{Fit, KINDS, Reading, fit};
use super::sample::Sample;
use crate::config::layers::{Flags, Paths};
use crate::daemon::check::{Outcome, configured};

/// What `neap calibrate` prints, and its exit code.
pub fn calibrate(
    paths: &Paths,
    flags: &Flags,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Outcome {
    let config = match configured(paths, flags) {
        Ok(loaded) => loaded.config,
        Err(outcome) => return outcome,
    };
    let failed =
        |why: String, code| Outcome { err: format!("neap: {why}\n"), code, ..Outcome::default() };
    let Some(control) = &config.admin.control else {
        return failed("the control socket is switched off in the configuration".into(), 78);
    };
    match read(control, input, out) {
        Ok(readings) if readings.len() < 2 => failed(FEW.into(), 70),
        Ok(readings) => Outcome { out: words(&fit(&readings)), ..Outcome::default() },
        Err(why) => failed(why, 70),
    }
}

/// Asks for readings until an empty line.
fn read(
    control: &Path,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<Vec<Reading>, String> {
    let take = || Sample::take(control).map_err(|error| error.to_string());
    let mut before = take()?;
    let mut readings = Vec::new();
    let _ = out.write_all(HOW.as_bytes());
    loop {
        let _ = write!(out, "reading {}: ", readings.len() + 1);
        let _ = out.flush();
        let mut line = String::new();
        input.read_line(&mut line).map_err(|error| format!("cannot read on: {error}"))?;
        let line = line.trim();
        if line.is_empty() {
            return Ok(readings);
        }
        let now = take()?;
        if now.uptime < before.uptime {
            return Err("neap was started anew meanwhile: begin again".into());
        }
        let seconds = now.since(&before);
        match watts(line, seconds) {
            Err(why) => drop(writeln!(out, "  '{line}': {why}; type it again")),
            Ok(_) if seconds < LEAST => {
                let _ = writeln!(
                    out,
                    "  only {seconds:.0} s since the last line: {LEAST} s are the least"
                );
            }
            Ok(watts) => {
                readings.push(now.reading(&before, watts));
                let _ = writeln!(out, "  {watts:.2} W on average over {seconds:.0} s");
                before = now;
            }
        }
    }
}

/// What somebody typed, as watts on average: power, or what the meter counted meanwhile.
fn watts(text: &str, seconds: f64) -> Result<f64, &'static str> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| EXPECTED)?;
    let hours = seconds.max(1.0) / 3600.0;
    let watts = match unit.trim() {
        "W" | "" => number,
        "mW" => number / 1000.0,
        "Wh" => number / hours,
        "mWh" => number / 1000.0 / hours,
        _ => return Err(EXPECTED),
    };
    if (0.0..=1000.0).contains(&watts) { Ok(watts) } else { Err("that is no box that runs neap") }
}

/// The coefficients as TOML to paste, and what is to be known about them.
fn words(fit: &Fit) -> String {
    let mut text = format!(
        "# Measured by 'neap calibrate': {:.2} W at rest; no reading is off by more than \
         {:.2} W.\n[caps]\n",
        fit.rest, fit.off
    );
    for ((name, unit, factor), each) in KEYS.iter().zip(fit.each) {
        let line = match each {
            Some(each) => format!("{name} = \"{} {unit}\"\n", rounded(each * factor)),
            None => format!("# {name}: these readings do not tell; it stays as it is\n"),
        };
        text.push_str(&line);
    }
    text
}

/// Three digits that count.
fn rounded(value: f64) -> String {
    let text = if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// The keys in the order of [`Reading::work`], their units, and how many of those are in one
/// watt, or in one joule a byte.
const KEYS: [(&str, &str, f64); KINDS] = [
    ("model-cpu", "W", 1.0),
    ("model-sent", "nJ/B", 1e9),
    ("model-received", "nJ/B", 1e9),
    ("model-written", "nJ/B", 1e9),
    ("model-idle", "W", 1.0),
];

/// Seconds between two readings: a meter shows an average of some, and CPU time is counted in
/// hundredths.
const LEAST: f64 = 10.0;

const EXPECTED: &str =
    "expected what the meter shows, such as \"4.2 W\", \"4200 mW\" or \"35 mWh\"";

const FEW: &str = "two readings at least: one while nothing is shared, one while much is";

const HOW: &str = "\
A meter between the wall and the device tells what it draws; neap counts what it does meanwhile.
  1. Let nothing be played or shared for a minute, and type the average, such as 4.2 W.
     What the meter counted since the last line will do as well, such as 70 mWh.
  2. Let other devices take much from this one for a minute, and type again.
  3. Let this one take from others, write to its disk, play alone: a line for each.
Six lines that differ tell everything, two the most important. An empty line ends it.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_and_energy_are_understood_and_nonsense_is_told() {
        for (text, wanted) in
            [("4.2 W", 4.2), ("4.2", 4.2), ("4200mW", 4.2), ("70 mWh", 4.2), ("0.07 Wh", 4.2)]
        {
            let watts = watts(text, 60.0).expect("a reading");
            assert!((watts - wanted).abs() < 1e-9, "{text}: {watts}");
        }
        for text in ["", "W", "-4 W", "4,2 W", "4.2.1 W", "4 kW", "four", "5000 W", "NaN", "é"] {
            assert!(watts(text, 60.0).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_printed_is_read_by_the_configuration() {
        let each = [Some(1.4567), Some(15.2e-9), None, Some(0.0), Some(0.1)];
        let text = words(&Fit { rest: 4.0, each, off: 0.05 });
        assert!(text.contains("model-cpu = \"1.457 W\""), "{text}");
        assert!(text.contains("model-sent = \"15.2 nJ/B\""), "{text}");
        assert!(text.contains("# model-received: these readings do not tell"), "{text}");
        for line in text.lines().filter_map(|line| line.split_once(" = ")) {
            let value = line.1.trim_matches('"');
            let power = value.parse::<crate::base::units::Power>().is_ok();
            assert!(power || value.parse::<crate::base::units::PerByte>().is_ok(), "{value}");
        }
    }
}
