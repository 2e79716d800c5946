//! What the device draws, and what it runs on: power supplies (ABI/testing/sysfs-class-power),
//! hwmon's power sensors and RAPL's counters (powercap/powercap.rst).

use super::tree::Tree;
use crate::base::map::Map;
use crate::engine::caps::readings::{Battery, Energy, Power};

/// What is drawn now: of a supply that tells, which sees the whole device, else of the hwmon
/// sensor that sees most.
pub fn drawn(sys: &Tree) -> Option<Power> {
    supplies(sys).into_iter().find_map(|supply| supply.draws()).or_else(|| monitors(sys))
}

/// The battery: whether the device runs on it, and how full it is. Of several the fullest
/// counts, as long as none is charged.
pub fn battery(sys: &Tree) -> Option<Battery> {
    let supplies = supplies(sys);
    let plugged = supplies.iter().any(|supply| {
        matches!(&*supply.kind, "Mains" | "USB" | "Wireless")
            && supply.files.count("online").is_some_and(|online| online > 0)
    });
    let own = supplies.iter().filter(|supply| supply.is_battery());
    let batteries: Vec<Battery> = own.map(|supply| supply.battery(plugged)).collect();
    let discharging = batteries.iter().any(|battery| battery.discharging);
    let level_permille = batteries.iter().filter_map(|battery| battery.level_permille).max();
    (!batteries.is_empty()).then_some(Battery { discharging, level_permille })
}

/// Counters of energy, added up from where each stood at the first reading.
#[derive(Debug, Default)]
pub struct Counters {
    last: Map<String, u64>,
    sum: u64,
}

impl Counters {
    /// What was drawn since the first reading. The platform's counter is taken where there is
    /// one, since it sees everything; else those of the processor's packages, each of which
    /// begins anew at its end.
    pub fn read(&mut self, sys: &Tree) -> Option<Energy> {
        let class = sys.below("class/powercap");
        let zones = class.names("").into_iter().filter_map(|name| {
            // Its parts, such as the cores, are `intel-rapl:0:1`.
            let whole = name.split_once(':').is_some_and(|(_, rest)| !rest.contains(':'));
            let zone = class.below(&name);
            let kind = zone.text("name").filter(|_| whole)?;
            Some((kind, zone.count("energy_uj")?, zone.count("max_energy_range_uj")))
        });
        let mut zones: Vec<(String, u64, Option<u64>)> = zones.collect();
        if let Some(platform) = zones.iter().position(|(kind, ..)| kind == "psys") {
            zones = vec![zones.swap_remove(platform)];
        }
        let source = format!("powercap {}", zones.first().map(|(kind, ..)| kind)?);
        for (kind, now, range) in zones {
            let before = self.last.insert(kind, now).unwrap_or(now);
            let wrapped = || range.map_or(0, |range| range.saturating_sub(before) + now);
            let more = now.checked_sub(before).unwrap_or_else(wrapped);
            self.sum = self.sum.saturating_add(more);
        }
        Some(Energy { microjoules: self.sum, source })
    }
}

struct Supply {
    name: String,
    kind: String,
    files: Tree,
}

fn supplies(sys: &Tree) -> Vec<Supply> {
    let class = sys.below("class/power_supply");
    let supply = |name: String| {
        let files = class.below(&name);
        Some(Supply { kind: files.text("type")?, name, files })
    };
    class.names("").into_iter().filter_map(supply).collect()
}

impl Supply {
    /// Whether it is a battery of this device: those of a mouse have the scope `Device`.
    fn is_battery(&self) -> bool {
        let other = self.files.text("scope").is_some_and(|scope| scope == "Device");
        let there = self.files.count("present") != Some(0);
        matches!(&*self.kind, "Battery" | "UPS") && !other && there
    }

    fn battery(&self, plugged: bool) -> Battery {
        let status = self.files.text("status").unwrap_or_default();
        let discharging = status == "Discharging" && !plugged;
        let of = |now: &str, full: &str| {
            let (now, full) = (self.files.count(now)?, self.files.count(full)?);
            now.saturating_mul(100).checked_div(full)
        };
        let percent = self.files.count("capacity");
        let percent = percent.or_else(|| of("energy_now", "energy_full"));
        let percent = percent.or_else(|| of("charge_now", "charge_full"));
        let level = percent.and_then(|percent| u16::try_from(percent.min(100) * 10).ok());
        Battery { discharging, level_permille: level }
    }

    /// What goes through it into the device. A battery tells of it while it is discharged; some
    /// drivers count that as negative.
    fn draws(&self) -> Option<Power> {
        let online = self.files.count("online").is_some_and(|online| online > 0);
        let on_battery =
            self.is_battery() && self.files.text("status").is_some_and(|s| s == "Discharging");
        let on_mains = online && matches!(&*self.kind, "Mains" | "USB");
        if !(on_battery || on_mains) {
            return None;
        }
        let number = |file: &str| self.files.number(file).map(i64::unsigned_abs);
        let by_parts = || {
            let (current, voltage) = (number("current_now")?, number("voltage_now")?);
            Some(current.checked_mul(voltage)? / 1_000_000_000)
        };
        let told = number("power_now").map(|microwatts| microwatts / 1000).or_else(by_parts);
        let milliwatts = told.filter(|power| believed(*power))?;
        Some(Power { milliwatts, source: format!("power_supply {}", self.name) })
    }
}

fn monitors(sys: &Tree) -> Option<Power> {
    let class = sys.below("class/hwmon");
    let all = class.names("").into_iter().flat_map(|name| {
        let monitor = class.below(&name);
        let name = monitor.text("name").unwrap_or(name);
        let files = monitor.names("").into_iter();
        let power = |f: &String| {
            f.starts_with("power") && (f.ends_with("_input") || f.ends_with("_average"))
        };
        let powers = files.filter(power).filter_map(move |file| {
            let milliwatts = monitor.count(&file)? / 1000;
            Some(Power { milliwatts, source: format!("hwmon {name}") })
        });
        powers.filter(|power| believed(power.milliwatts)).collect::<Vec<_>>()
    });
    all.max_by_key(|power| power.milliwatts)
}

/// No box that neap runs on draws nothing, or a kilowatt.
fn believed(milliwatts: u64) -> bool {
    (1..1_000_000).contains(&milliwatts)
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::Made;
    use super::*;

    #[test]
    fn a_battery_tells_what_is_drawn_while_it_is_discharged() {
        let made = Made::new(
            "battery",
            &[
                ("class/power_supply/BAT0/type", "Battery"),
                ("class/power_supply/BAT0/status", "Discharging"),
                ("class/power_supply/BAT0/capacity", "42"),
                ("class/power_supply/BAT0/power_now", "-6500000"),
                ("class/power_supply/AC/type", "Mains"),
                ("class/power_supply/AC/online", "0"),
                ("class/power_supply/mouse/type", "Battery"),
                ("class/power_supply/mouse/scope", "Device"),
                ("class/power_supply/mouse/status", "Discharging"),
                ("class/power_supply/mouse/capacity", "90"),
            ],
        );
        let battery_is = |discharging, level| {
            let wanted = Battery { discharging, level_permille: Some(level) };
            assert_eq!(battery(&made.0), Some(wanted));
        };
        battery_is(true, 420);
        let power = drawn(&made.0).expect("the battery tells");
        assert_eq!((power.milliwatts, &*power.source), (6500, "power_supply BAT0"));
        made.write("class/power_supply/AC/online", "1");
        battery_is(false, 420);
        made.write("class/power_supply/BAT0/status", "Full");
        made.write("class/power_supply/BAT0/capacity", "9999");
        battery_is(false, 1000);
        assert_eq!(drawn(&made.0), None);
        made.write("class/power_supply/AC/current_now", "1500000");
        made.write("class/power_supply/AC/voltage_now", "5000000");
        assert_eq!(drawn(&made.0).map(|power| power.milliwatts), Some(7500));
        made.write("class/power_supply/AC/voltage_now", "garbage");
        assert_eq!(drawn(&made.0), None);
    }

    #[test]
    fn a_monitor_tells_where_no_supply_does() {
        let made = Made::new(
            "monitor",
            &[
                ("class/hwmon/hwmon0/name", "ina219"),
                ("class/hwmon/hwmon0/power1_input", "2350000"),
                ("class/hwmon/hwmon1/power1_average", "0"),
                ("class/hwmon/hwmon2/power1_input", "-5"),
            ],
        );
        let power = Power { milliwatts: 2350, source: "hwmon ina219".into() };
        assert_eq!((drawn(&made.0), battery(&made.0)), (Some(power), None));
    }

    #[test]
    fn counters_that_begin_anew_go_on() {
        let zone = |name: &str, file: &str| format!("class/powercap/intel-rapl:{name}/{file}");
        let made = Made::new("energy", &[]);
        assert_eq!(Counters::default().read(&made.0), None);
        for (name, kind) in [("0", "package-0"), ("1", "package-1"), ("0:0", "core")] {
            made.write(&zone(name, "name"), kind);
            made.write(&zone(name, "energy_uj"), "900");
            made.write(&zone(name, "max_energy_range_uj"), "1000");
        }
        let mut counters = Counters::default();
        let sum = |counters: &mut Counters| counters.read(&made.0).map(|e| e.microjoules);
        assert_eq!(sum(&mut counters), Some(0));
        made.write(&zone("0", "energy_uj"), "950");
        made.write(&zone("0:0", "energy_uj"), "999");
        made.write(&zone("1", "energy_uj"), "20");
        assert_eq!(sum(&mut counters), Some(50 + 120));
        made.write(&zone("1", "energy_uj"), "gone");
        assert_eq!(sum(&mut counters), Some(170), "one that cannot be read adds nothing");
        made.write(&zone("2", "name"), "psys");
        made.write(&zone("2", "energy_uj"), "5");
        assert_eq!(sum(&mut counters), Some(170));
        assert_eq!(counters.read(&made.0).map(|e| e.source), Some("powercap psys".into()));
    }
}
