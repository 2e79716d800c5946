//! How hot it is: thermal zones (ABI/testing/sysfs-class-thermal), else hwmon's sensors.

use super::tree::Tree;
use crate::engine::caps::readings::Temperature;

/// The hottest sensor that is believed. Zones are listed anew each time, since modules bring and
/// take them; hwmon is asked only where there is no zone, because drivers show most zones there
/// once more.
pub fn read(sys: &Tree) -> Option<Temperature> {
    let class = sys.below("class/thermal");
    let zones = class.names("").into_iter().filter(|name| name.starts_with("thermal_zone"));
    let zones = zones.filter_map(|name| {
        let zone = class.below(&name);
        let millidegrees = believed(zone.number("temp")?)?;
        let kind = zone.text("type").filter(|kind| counts(kind));
        Some(Temperature { millidegrees, zone: kind? })
    });
    zones.max_by_key(|heat| heat.millidegrees).or_else(|| monitors(sys))
}

fn monitors(sys: &Tree) -> Option<Temperature> {
    let class = sys.below("class/hwmon");
    let all = class.names("").into_iter().flat_map(|name| {
        let monitor = class.below(&name);
        let name = monitor.text("name").unwrap_or(name);
        let files = if counts(&name) { monitor.names("") } else { Vec::new() };
        let inputs = files.into_iter().filter(|f| f.starts_with("temp") && f.ends_with("_input"));
        let heats = inputs.filter_map(move |input| {
            let millidegrees = believed(monitor.number(&input)?)?;
            let label = monitor.text(input.replace("_input", "_label"));
            let label = label.map_or_else(|| name.clone(), |label| format!("{name} {label}"));
            Some(Temperature { millidegrees, zone: label })
        });
        heats.collect::<Vec<_>>()
    });
    all.max_by_key(|heat| heat.millidegrees)
}

/// Whether a sensor is about the heat that work makes: what measures a battery's cells, the
/// skin of the room or a radio is another matter.
fn counts(name: &str) -> bool {
    !["battery", "bat", "ambient", "iwlwifi", "wlan", "modem"]
        .iter()
        .any(|other| name.get(..other.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(other)))
}

/// A sensor that is broken or asleep tells 0, -273 degrees or the like.
fn believed(millidegrees: i64) -> Option<i64> {
    (-40_000..=150_000).contains(&millidegrees).then_some(millidegrees).filter(|heat| *heat != 0)
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::Made;
    use super::*;

    #[test]
    fn the_hottest_zone_that_can_be_believed_counts() {
        let zone = |number: u8, file: &str| format!("class/thermal/thermal_zone{number}/{file}");
        let made = Made::new("heat", &[("class/hwmon/hwmon0/temp1_input", "99000")]);
        for (number, kind, heat) in [
            (0, "cpu-thermal", "61000"),
            (1, "gpu-thermal", "78500"),
            (2, "battery", "90000"),
            (3, "broken", "-274000"),
            (4, "garbage", "hot"),
            (5, "shorted", "255000"),
        ] {
            made.write(&zone(number, "type"), kind);
            made.write(&zone(number, "temp"), heat);
        }
        made.write("class/thermal/cooling_device0/type", "fan");
        let hottest =
            |millidegrees, zone: &str| Some(Temperature { millidegrees, zone: zone.into() });
        assert_eq!(read(&made.0), hottest(78_500, "gpu-thermal"));
        std::fs::remove_file(made.0.path(zone(1, "temp"))).expect("a file of the test");
        assert_eq!(read(&made.0), hottest(61_000, "cpu-thermal"), "one that vanished");
        made.write(&zone(9, "type"), "plugged-in");
        made.write(&zone(9, "temp"), "70000");
        assert_eq!(read(&made.0), hottest(70_000, "plugged-in"), "one that came");
    }

    #[test]
    fn without_zones_the_monitors_tell() {
        let made = Made::new(
            "monitors",
            &[
                ("class/hwmon/hwmon0/name", "k10temp"),
                ("class/hwmon/hwmon0/temp1_input", "45250"),
                ("class/hwmon/hwmon0/temp1_label", "Tctl"),
                ("class/hwmon/hwmon1/name", "BAT0"),
                ("class/hwmon/hwmon1/temp1_input", "60000"),
                ("class/hwmon/hwmon2/in0_input", "12"),
            ],
        );
        let heat = Temperature { millidegrees: 45_250, zone: "k10temp Tctl".into() };
        assert_eq!(read(&made.0), Some(heat));
        assert_eq!(read(&made.0.below("class")), None);
    }
}
