//! Every cap in plain words: its limit, what is used now and in its period, what it holds back.

use core::time::Duration;

use super::cause::Cause;
use super::governor::{Governor, RECENT};
use super::level::WHOLE;
use super::quota::Quota;
use crate::base::peer::Tier;
use crate::base::time::{Instant, Plain};
use crate::base::units::{Celsius, Power, Rate, Share, Size};
use crate::config::caps::{Battery, Policy, WanUpload};

/// One cap as an operator reads it; what there is not to say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its name, as its key begins.
    pub name: &'static str,
    /// What may be used.
    pub limit: String,
    /// What is used now.
    pub now: String,
    /// What was used in the period that it is about.
    pub period: String,
    /// What it holds back, and why.
    pub holds: String,
}

impl Governor {
    /// The caps that are set, or that hold something back.
    pub fn account(&self, now: Instant) -> Vec<Line> {
        let mut lines = vec![self.cpu_line(now)];
        lines.extend(self.rate_lines(now));
        lines.extend(self.volume_lines(now));
        lines.extend(self.interface_line());
        lines.extend(self.memory_line());
        lines.extend(self.flash_line(now));
        lines.extend(self.power_lines(now));
        lines.extend(self.temperature_line());
        lines.extend(self.battery_line());
        lines.retain(|line| !line.limit.is_empty() || !line.holds.is_empty());
        lines
    }

    /// What holds sharing back most, in a sentence's words; none while nothing does.
    pub fn headline(&self, now: Instant) -> Option<String> {
        let (level, cause) = self.level();
        if level < WHOLE {
            let share = Share(level / 10 * 10);
            let why = match cause {
                Cause::Battery => "the device runs on battery".into(),
                Cause::Power => format!("it draws {}", shown(Power(self.energy.drawn()))),
                _ => self.heat_words().unwrap_or_default(),
            };
            return Some(match level {
                0 => format!("not sharing because {why}"),
                _ => format!("sharing at {share} because {why}"),
            });
        }
        if let (Policy::Take | Policy::Off, why) = self.policy() {
            return Some(format!("nothing goes to nodes outside the home: the way is {why}"));
        }
        if self.caps.cpu == Some(Share(0)) {
            return Some("nothing is given: caps.cpu is 0 %".into());
        }
        let tiers = [Tier::Home, Tier::Isp, Tier::Wan];
        if tiers.iter().all(|tier| self.up.rate(*tier) == Some(Rate(0))) {
            return Some("nothing is given: caps.upload is 0".into());
        }
        let lines = self.account(now);
        lines.into_iter().find(|line| !line.holds.is_empty()).map(|line| line.holds)
    }

    fn cpu_line(&self, now: Instant) -> Line {
        let used = Share(u16::try_from(self.cpu.used()).unwrap_or(1000).min(1000));
        Line {
            name: Cause::Cpu.name(),
            limit: self.caps.cpu.map_or_else(String::new, |share| format!("{share} of a core")),
            now: used.to_string(),
            holds: self.holds(Cause::Cpu, now, "work for other nodes waits for CPU time"),
            ..Line::default()
        }
    }

    fn rate_lines(&self, now: Instant) -> [Line; 2] {
        let tiers = |tree: &super::bandwidth::Tree| {
            let told = [Tier::Home, Tier::Isp, Tier::Wan].map(|tier| {
                tree.rate(tier).map(|rate| format!("{} {}", tier.name(), rounded(rate.0)))
            });
            told.into_iter().flatten().collect::<Vec<_>>().join(", ")
        };
        let line = |cause: Cause, tree, meter: usize, what| Line {
            name: cause.name(),
            limit: tiers(tree),
            now: rounded(self.meters[meter].rate(now)),
            holds: self.holds(cause, now, what),
            ..Line::default()
        };
        let up = line(Cause::Upload, &self.up, 0, "blocks for other nodes wait for their rate");
        let down =
            line(Cause::Download, &self.down, 1, "blocks of other nodes are asked for later");
        [Line { period: self.uplink_words(now), ..up }, down]
    }

    /// What the uplink was measured to carry, where a cap follows from it.
    fn uplink_words(&self, now: Instant) -> String {
        match (self.caps.rates.upload_wan, self.uplink.bits(now), self.uplink.age(now)) {
            (WanUpload::Auto, Some(bits), Some(age)) => {
                let (bits, age) = (rounded(bits), about(age.as_secs()));
                format!("the uplink carries {bits}, measured {age} ago")
            }
            (WanUpload::Auto, ..) => "no narrow uplink was measured".into(),
            _ => String::new(),
        }
    }

    fn volume_lines(&self, now: Instant) -> Vec<Line> {
        let line = |quota: &Quota, way: &str| {
            let ((day, month), (per_day, per_month)) = (quota.used(now), quota.limits());
            let limit = |limit: Option<u64>, span| limit.map(|l| format!("{} {span}", size(l)));
            let limits = limit(per_day, "a day").into_iter().chain(limit(per_month, "in 30 days"));
            let limits: Vec<_> = limits.collect();
            let full = !limits.is_empty() && !quota.has(1, now);
            (!limits.is_empty()).then(|| Line {
                name: Cause::Volume.name(),
                limit: format!("{way} {}", limits.join(", ")),
                period: format!("{} today, {} in 30 days", size(day), size(month)),
                holds: if full {
                    format!("nothing goes {way} outside the home: the volume is used up")
                } else {
                    String::new()
                },
                ..Line::default()
            })
        };
        line(&self.sent, "up").into_iter().chain(line(&self.received, "down")).collect()
    }

    fn interface_line(&self) -> Option<Line> {
        let (policy, why) = self.policy();
        let route = self.device.route.as_ref()?;
        let holds = match policy {
            Policy::Share => return None,
            Policy::Take => "nothing is given to nodes outside the home",
            Policy::Off => "nodes outside the home are not used",
        };
        Some(Line {
            name: Cause::Interface.name(),
            limit: policy.to_string(),
            now: format!("{} is {why}", route.interface),
            holds: holds.into(),
            ..Line::default()
        })
    }

    fn memory_line(&self) -> Option<Line> {
        let (total, overhead) = self.ram.total();
        let short = self.ram.is_short();
        (total.is_some() || short).then(|| Line {
            name: Cause::Memory.name(),
            limit: total.map_or_else(String::new, mebibytes),
            now: overhead
                .map_or_else(String::new, |n| format!("{} beside the cache", mebibytes(n))),
            holds: if short {
                "the cache is smaller: memory is short".into()
            } else {
                String::new()
            },
            ..Line::default()
        })
    }

    /// Why the cache may hold less memory than is configured; none where it may hold all of that.
    pub fn memory_words(&self, configured: u64) -> Option<String> {
        let (total, _) = self.ram.total();
        let cap = total.filter(|total| self.caps.memory == Some(Size(*total)));
        let why = match (cap, total) {
            _ if self.ram(configured) >= configured => return None,
            _ if self.ram.is_short() => "memory is short".into(),
            (Some(cap), _) => format!("caps.memory is {} in all", mebibytes(cap)),
            (None, total) => format!("the system gives {}", mebibytes(total.unwrap_or_default())),
        };
        Some(format!("cache.memory is {}, but {why}", mebibytes(configured)))
    }

    fn flash_line(&self, now: Instant) -> Option<Line> {
        let limit = self.caps.flash_writes?;
        let wear = self.device.wear.as_ref();
        let worn = wear.is_some_and(|wear| wear.permille >= self.caps.flash_wear.0);
        let told = wear
            .map(|wear| format!("{} has used {} of its life", wear.source, Share(wear.permille)));
        let holds = if worn {
            "nothing is written to disk: the storage is worn".into()
        } else {
            self.holds(Cause::FlashWrites, now, "nothing more is written to disk today")
        };
        Some(Line {
            name: Cause::FlashWrites.name(),
            limit: limit.to_string(),
            now: told.unwrap_or_default(),
            period: format!("{} today", mebibytes(self.written.used(now).0)),
            holds,
        })
    }

    fn power_lines(&self, now: Instant) -> [Line; 2] {
        let source = self.energy.source();
        let drawn = format!("{} {source}", shown(Power(self.energy.drawn())));
        let power = Line {
            name: Cause::Power.name(),
            limit: self.caps.power.map_or_else(String::new, |power| power.to_string()),
            now: drawn.clone(),
            holds: self.holds(Cause::Power, now, "work for other nodes waits for its power"),
            ..Line::default()
        };
        let milliwatt_hours = self.energy.day().used(now).0 / 3_600_000;
        let energy = Line {
            name: Cause::Energy.name(),
            limit: self.caps.energy.map_or_else(String::new, |energy| energy.to_string()),
            now: drawn,
            period: format!("{}h today", shown(Power(milliwatt_hours))),
            holds: self.holds(Cause::Energy, now, "nothing is shared: today's energy is used up"),
        };
        [power, energy]
    }

    fn temperature_line(&self) -> Option<Line> {
        let limit = self.caps.temperature?;
        let heat = self.device.temperature.as_ref()?;
        let level = self.heat.now();
        Some(Line {
            name: Cause::Temperature.name(),
            limit: limit.to_string(),
            now: format!("{} ({})", degrees(heat.millidegrees), heat.zone),
            holds: match level {
                WHOLE => String::new(),
                0 => "nothing is shared: it is too hot".into(),
                level => format!("sharing at {}: it is hot", Share(level / 10 * 10)),
            },
            ..Line::default()
        })
    }

    fn battery_line(&self) -> Option<Line> {
        let battery = self.device.battery?;
        let from = if battery.discharging { "on battery" } else { "on mains" };
        let level = battery.level_permille.map_or_else(String::new, |l| format!(", {}", Share(l)));
        Some(Line {
            name: Cause::Battery.name(),
            limit: match self.caps.battery {
                Battery::Above(level) => format!("above {level}"),
                other => other.to_string(),
            },
            now: format!("{from}{level}"),
            holds: if self.on_battery { "nothing is shared".into() } else { String::new() },
            ..Line::default()
        })
    }

    fn heat_words(&self) -> Option<String> {
        let heat = self.device.temperature.as_ref()?;
        Some(format!("{} is at {}", heat.zone, degrees(heat.millidegrees)))
    }

    fn holds(&self, cause: Cause, now: Instant, words: &str) -> String {
        let recent = self.held.last(cause).is_some_and(|last| now - last < RECENT);
        if recent { words.into() } else { String::new() }
    }
}

fn degrees(millidegrees: i64) -> String {
    let rounded = u64::try_from((millidegrees + 50) / 100).unwrap_or(0) * 100;
    Celsius(rounded).to_string()
}

/// Milliwatts in watts with two places.
fn shown(power: Power) -> String {
    Power(power.0 / 10 * 10).to_string()
}

fn rounded(bits: u64) -> String {
    match bits {
        0..=999_999 => Rate(bits / 1000 * 1000).to_string(),
        1_000_000..=9_999_999 => format!("{}.{} Mbit/s", bits / 1_000_000, bits / 100_000 % 10),
        _ => Rate(bits / 1_000_000 * 1_000_000).to_string(),
    }
}

/// Seconds in the largest unit of which there are two at least.
fn about(seconds: u64) -> Plain {
    let unit = match seconds {
        0..120 => 1,
        120..7200 => 60,
        _ => 3600,
    };
    Plain(Duration::from_secs(seconds / unit * unit))
}

/// Memory and flash, in the unit that their caps are stated in.
fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", (bytes + (1 << 19)) >> 20)
}

fn size(bytes: u64) -> String {
    let [kilo, mega, giga] = [1_000, 1_000_000, 1_000_000_000];
    match bytes {
        _ if bytes >= giga => format!("{}.{} GB", bytes / giga, bytes / (giga / 10) % 10),
        _ if bytes >= 10 * mega => Size(bytes / mega * mega).to_string(),
        _ if bytes >= mega => format!("{}.{} MB", bytes / mega, bytes / (mega / 10) % 10),
        _ => Size(bytes / kilo * kilo).to_string(),
    }
}
