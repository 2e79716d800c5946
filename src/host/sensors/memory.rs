//! How short memory is: the cgroup's own files (cgroup-v2.rst), else the whole device's.

use super::tree::{Tree, field};
use crate::engine::caps::readings::Memory;

/// Reads how short memory is.
pub fn read(proc: &Tree, sys: &Tree) -> Memory {
    let group = group(proc, sys);
    let text = |file: &str| group.as_ref().and_then(|group| group.text(file));
    let count = |file: &str| text(file)?.parse().ok();
    let pressure = text("memory.pressure").or_else(|| proc.text("pressure/memory"));
    let available = proc.text("meminfo").and_then(|text| field(&text, "MemAvailable"));
    Memory {
        pressure_permille: pressure.and_then(|text| waiting(&text)),
        high_events: text("memory.events").and_then(|text| field(&text, "high ")),
        current: count("memory.current"),
        high: count("memory.high"),
        max: count("memory.max"),
        available: available.map(|kib| kib.saturating_mul(1024)),
    }
}

/// The folder of this process's cgroup; none where there are no cgroups of version 2, or it is
/// the root of all, which has no limits.
fn group(proc: &Tree, sys: &Tree) -> Option<Tree> {
    let text = proc.text("self/cgroup")?;
    let inside = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // Seen from within a namespace, a group may lie outside of it.
    let inside = if inside.split('/').any(|part| part == "..") { "" } else { inside };
    let roots = ["fs/cgroup", "fs/cgroup/unified"].into_iter();
    let groups = roots.map(|root| sys.below(root).below(inside));
    groups.into_iter().find(|group| group.has("memory.current"))
}

/// Thousandths of the last ten seconds in which some task waited: `some avg10=1.25 avg60=...`
/// (accounting/psi.rst).
fn waiting(text: &str) -> Option<u16> {
    let line = text.lines().find_map(|line| line.strip_prefix("some avg10="))?;
    let percent: f64 = line.split(' ').next()?.parse().ok()?;
    let permille = (0.0..=100.0).contains(&percent).then_some(percent * 10.0)?;
    // In 0..=1000 by the line above.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds")]
    Some(permille.round() as u16)
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::Made;
    use super::*;

    const PRESSURE: &str = "some avg10=12.34 avg60=1.00 avg300=0.00 total=123\nfull avg10=0.00";

    #[test]
    fn a_cgroup_goes_before_the_device() {
        let made = Made::new(
            "group",
            &[
                ("proc/self/cgroup", "1:name=systemd:/x\n0::/system.slice/neap.service\n"),
                ("proc/pressure/memory", "some avg10=50.00 avg60=0.00 avg300=0.00 total=9"),
                ("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    2048 kB\n"),
            ],
        );
        let (proc, sys) = (made.0.below("proc"), made.0.below("sys"));
        let device =
            Memory { pressure_permille: Some(500), available: Some(2 << 20), ..Memory::default() };
        assert_eq!(read(&proc, &sys), device);
        let folder = "sys/fs/cgroup/system.slice/neap.service/";
        for (file, text) in [
            ("memory.current", "1000\n"),
            ("memory.high", "max\n"),
            ("memory.max", "2000\n"),
            ("memory.events", "low 0\nhigh 7\nmax 0\noom 0\n"),
            ("memory.pressure", PRESSURE),
        ] {
            made.write(&format!("{folder}{file}"), text);
        }
        let group = Memory {
            pressure_permille: Some(123),
            high_events: Some(7),
            current: Some(1000),
            high: None,
            max: Some(2000),
            available: Some(2 << 20),
        };
        assert_eq!(read(&proc, &sys), group);
    }

    #[test]
    fn garbage_is_no_pressure() {
        for end in 0..PRESSURE.len() {
            assert!(waiting(&PRESSURE[..end]).is_none_or(|permille| permille <= 1000));
        }
        for odd in ["", "some avg10=", "some avg10=-1.0", "some avg10=NaN", "some avg10=1e9"] {
            assert_eq!(waiting(odd), None, "{odd}");
        }
    }
}
