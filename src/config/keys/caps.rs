//! The keys of what sharing may use: `[caps]`.

use core::str::FromStr;
use core::time::Duration;

use crate::base::units::{self, Expected};
use crate::config::model::Config;
use crate::config::{caps, hours, read, show};

use super::key::{Key, put};

/// `[caps]`.
pub const CAPS: &[Key<Config>] = &[
    Key {
        section: "caps",
        name: "cpu",
        live: true,
        set: |config, value| put(&mut config.caps.cpu, read::one(value, read::maybe(unit))),
        show: |config| show::maybe(config.caps.cpu),
    },
    Key {
        section: "caps",
        name: "upload",
        live: true,
        set: |config, value| {
            put(&mut config.caps.rates.upload, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.rates.upload),
    },
    Key {
        section: "caps",
        name: "upload-home",
        live: true,
        set: |config, value| {
            put(&mut config.caps.rates.upload_home, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.rates.upload_home),
    },
    Key {
        section: "caps",
        name: "upload-isp",
        live: true,
        set: |config, value| {
            put(&mut config.caps.rates.upload_isp, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.rates.upload_isp),
    },
    Key {
        section: "caps",
        name: "upload-wan",
        live: true,
        set: |config, value| {
            put(&mut config.caps.rates.upload_wan, read::one(value, caps::wan_upload))
        },
        show: |config| show::text(&config.caps.rates.upload_wan.to_string()),
    },
    Key {
        section: "caps",
        name: "upload-peer",
        live: true,
        set: |config, value| {
            put(&mut config.caps.rates.upload_peer, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.rates.upload_peer),
    },
    Key {
        section: "caps",
        name: "download",
        live: true,
        set: |config, value| {
            put(&mut config.caps.rates.download, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.rates.download),
    },
    Key {
        section: "caps",
        name: "download-home",
        live: true,
        set: |config, value| {
            put(&mut config.caps.rates.download_home, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.rates.download_home),
    },
    Key {
        section: "caps",
        name: "download-isp",
        live: true,
        set: |config, value| {
            put(&mut config.caps.rates.download_isp, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.rates.download_isp),
    },
    Key {
        section: "caps",
        name: "download-wan",
        live: true,
        set: |config, value| {
            put(&mut config.caps.rates.download_wan, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.rates.download_wan),
    },
    Key {
        section: "caps",
        name: "day-upload-wan",
        live: true,
        set: |config, value| {
            put(&mut config.caps.volume.day_up, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.volume.day_up),
    },
    Key {
        section: "caps",
        name: "month-upload-wan",
        live: true,
        set: |config, value| {
            put(&mut config.caps.volume.month_up, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.volume.month_up),
    },
    Key {
        section: "caps",
        name: "day-download-wan",
        live: true,
        set: |config, value| {
            put(&mut config.caps.volume.day_down, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.volume.day_down),
    },
    Key {
        section: "caps",
        name: "month-download-wan",
        live: true,
        set: |config, value| {
            put(&mut config.caps.volume.month_down, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.volume.month_down),
    },
    Key {
        section: "caps",
        name: "schedule",
        live: true,
        set: |config, value| put(&mut config.caps.schedule, read::listed(value, hours::window)),
        show: |config| show::list(&config.caps.schedule),
    },
    Key {
        section: "caps",
        name: "metered",
        live: true,
        set: |config, value| {
            put(&mut config.caps.interfaces.metered, read::one(value, caps::policy))
        },
        show: |config| show::text(&config.caps.interfaces.metered.to_string()),
    },
    Key {
        section: "caps",
        name: "vpn",
        live: true,
        set: |config, value| put(&mut config.caps.interfaces.vpn, read::one(value, caps::policy)),
        show: |config| show::text(&config.caps.interfaces.vpn.to_string()),
    },
    Key {
        section: "caps",
        name: "roaming",
        live: true,
        set: |config, value| {
            put(&mut config.caps.interfaces.roaming, read::one(value, caps::policy))
        },
        show: |config| show::text(&config.caps.interfaces.roaming.to_string()),
    },
    Key {
        section: "caps",
        name: "metered-interfaces",
        live: true,
        set: |config, value| {
            put(&mut config.caps.interfaces.metered_names, read::listed(value, caps::interface))
        },
        show: |config| show::list(&config.caps.interfaces.metered_names),
    },
    Key {
        section: "caps",
        name: "vpn-interfaces",
        live: true,
        set: |config, value| {
            put(&mut config.caps.interfaces.vpn_names, read::listed(value, caps::interface))
        },
        show: |config| show::list(&config.caps.interfaces.vpn_names),
    },
    Key {
        section: "caps",
        name: "memory",
        live: true,
        set: |config, value| put(&mut config.caps.memory, read::one(value, read::maybe(unit))),
        show: |config| show::maybe(config.caps.memory),
    },
    Key {
        section: "caps",
        name: "flash-writes",
        live: true,
        set: |config, value| {
            put(&mut config.caps.flash_writes, read::one(value, read::maybe(unit)))
        },
        show: |config| show::maybe(config.caps.flash_writes),
    },
    Key {
        section: "caps",
        name: "flash-wear",
        live: true,
        set: |config, value| put(&mut config.caps.flash_wear, read::one(value, unit)),
        show: |config| show::text(&config.caps.flash_wear.to_string()),
    },
    Key {
        section: "caps",
        name: "power",
        live: true,
        set: |config, value| put(&mut config.caps.power, read::one(value, read::maybe(unit))),
        show: |config| show::maybe(config.caps.power),
    },
    Key {
        section: "caps",
        name: "energy",
        live: true,
        set: |config, value| put(&mut config.caps.energy, read::one(value, read::maybe(unit))),
        show: |config| show::maybe(config.caps.energy),
    },
    Key {
        section: "caps",
        name: "model-idle",
        live: true,
        set: |config, value| put(&mut config.caps.model.idle, read::one(value, unit)),
        show: |config| show::text(&config.caps.model.idle.to_string()),
    },
    Key {
        section: "caps",
        name: "model-cpu",
        live: true,
        set: |config, value| put(&mut config.caps.model.cpu, read::one(value, unit)),
        show: |config| show::text(&config.caps.model.cpu.to_string()),
    },
    Key {
        section: "caps",
        name: "model-sent",
        live: true,
        set: |config, value| put(&mut config.caps.model.sent, read::one(value, unit)),
        show: |config| show::text(&config.caps.model.sent.to_string()),
    },
    Key {
        section: "caps",
        name: "model-received",
        live: true,
        set: |config, value| put(&mut config.caps.model.received, read::one(value, unit)),
        show: |config| show::text(&config.caps.model.received.to_string()),
    },
    Key {
        section: "caps",
        name: "model-written",
        live: true,
        set: |config, value| put(&mut config.caps.model.written, read::one(value, unit)),
        show: |config| show::text(&config.caps.model.written.to_string()),
    },
    Key {
        section: "caps",
        name: "temperature",
        live: true,
        set: |config, value| put(&mut config.caps.temperature, read::one(value, read::maybe(unit))),
        show: |config| show::maybe(config.caps.temperature),
    },
    Key {
        section: "caps",
        name: "hysteresis",
        live: true,
        set: |config, value| put(&mut config.caps.hysteresis, read::one(value, unit)),
        show: |config| show::text(&config.caps.hysteresis.to_string()),
    },
    Key {
        section: "caps",
        name: "battery",
        live: true,
        set: |config, value| put(&mut config.caps.battery, read::one(value, caps::battery)),
        show: |config| show::text(&config.caps.battery.to_string()),
    },
    Key {
        section: "caps",
        name: "standby-after",
        live: true,
        set: |config, value| {
            put(&mut config.caps.standby_after, read::one(value, read::maybe(long)))
        },
        show: |config| show::maybe(config.caps.standby_after.map(units::plain)),
    },
    Key {
        section: "caps",
        name: "conntrack",
        live: true,
        set: |config, value| put(&mut config.caps.conntrack, read::one(value, unit)),
        show: |config| show::text(&config.caps.conntrack.to_string()),
    },
    Key {
        section: "caps",
        name: "sysfs",
        live: true,
        set: |config, value| put(&mut config.caps.sysfs, read::one(value, read::path)),
        show: |config| show::text(&config.caps.sysfs.display().to_string()),
    },
    Key {
        section: "caps",
        name: "procfs",
        live: true,
        set: |config, value| put(&mut config.caps.procfs, read::one(value, read::path)),
        show: |config| show::text(&config.caps.procfs.display().to_string()),
    },
];

/// A value with its unit.
fn unit<T: FromStr<Err = Expected>>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|expected: Expected| expected.0)
}

/// A time after which something ends that nobody uses: a minute at least.
fn long(text: &str) -> Result<Duration, &'static str> {
    let read = units::duration(text).map_err(|expected| expected.0)?;
    let fits = read >= Duration::from_secs(60);
    fits.then_some(read).ok_or("a duration of a minute or more, such as \"30 min\"")
}
