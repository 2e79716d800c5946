//! What the device tells of itself: plain values, each absent where there is no such sensor.

use core::time::Duration;

use crate::base::time::Date;

/// How often the device is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// How often [`Readings::process`] is read; two or three system calls.
    pub process: Duration,
    /// How often [`Readings::device`] is read beside it: files below `/sys` and `/proc`. The
    /// first reading after the rhythm begins holds them.
    pub device: Duration,
}

/// One reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// What the process has used.
    pub process: Process,
    /// What else there is to be read, where it was this time.
    pub device: Option<Device>,
}

/// What this process has used since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Microseconds of CPU time of all its threads, user and system (CLOCK_PROCESS_CPUTIME_ID).
    pub cpu_micros: Option<u64>,
    /// Of these, microseconds of the thread that turns the loop (CLOCK_THREAD_CPUTIME_ID).
    pub loop_micros: Option<u64>,
    /// Bytes that are resident in memory now (`/proc/self/statm`).
    pub resident: Option<u64>,
    /// Bytes that it had written to storage (`write_bytes` of `/proc/self/io`).
    pub written: Option<u64>,
}

/// What the device tells beside the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// How short memory is.
    pub memory: Memory,
    /// The hottest of the sensors that count.
    pub temperature: Option<Temperature>,
    /// What the device draws now.
    pub power: Option<Power>,
    /// What it has drawn since the counter began.
    pub energy: Option<Energy>,
    /// The battery, where there is one.
    pub battery: Option<Battery>,
    /// How much of its life the storage below the cache has used.
    pub wear: Option<Wear>,
    /// The interface of the default route; none while there is no route.
    pub route: Option<Route>,
    /// Every interface by which traffic goes, the default route's too: a peer may be reached by
    /// another one.
    pub interfaces: Vec<Route>,
    /// Connections in the kernel's table, and how many there may be
    /// (`net.netfilter.nf_conntrack_count` and `_max`).
    pub conntrack: Option<(u64, u64)>,
    /// The date where the clock is set.
    pub date: Option<Date>,
    /// The time on the wall where the clock is set.
    pub wall: Option<Wall>,
}

/// How short memory is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Share of time in which some task waited for memory, in thousandths over ten seconds
    /// (`some avg10` of the cgroup's `memory.pressure`, else of `/proc/pressure/memory`).
    pub pressure_permille: Option<u16>,
    /// How often the cgroup went over `memory.high` (`high` of `memory.events`).
    pub high_events: Option<u64>,
    /// Bytes that the cgroup holds now (`memory.current`).
    pub current: Option<u64>,
    /// Bytes above which the kernel slows the cgroup down.
    pub high: Option<u64>,
    /// Bytes above which the kernel kills in the cgroup.
    pub max: Option<u64>,
    /// Bytes that programs could still get (`MemAvailable` of `/proc/meminfo`).
    pub available: Option<u64>,
}

/// How hot it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Temperature {
    /// Thousandths of a degree Celsius.
    pub millidegrees: i64,
    /// What the zone is called, such as `cpu-thermal`.
    pub zone: String,
}

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Power {
    /// Milliwatts of the whole device or of what the sensor sees.
    pub milliwatts: u64,
    /// Which sensor, such as `hwmon ina219`.
    pub source: String,
}

/// What was drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Energy {
    /// Microjoules since the counter began; it may begin anew.
    pub microjoules: u64,
    /// Which sensor, such as `powercap package-0`.
    pub source: String,
}

/// The battery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Battery {
    /// Whether the device runs on it now.
    pub discharging: bool,
    /// How full it is, in thousandths.
    pub level_permille: Option<u16>,
}

/// How worn the storage is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wear {
    /// Used life, in thousandths; eMMC tells tenths (`life_time`, JEDEC JESD84-B51).
    pub permille: u16,
    /// Which device, such as `mmcblk0`.
    pub source: String,
}

/// A way into the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The interface's name.
    pub interface: String,
    /// Somebody pays by volume.
    pub metered: bool,
    /// It is a tunnel.
    pub vpn: bool,
    /// A mobile network that is not the own one.
    pub roaming: bool,
    /// It goes by air.
    pub wireless: bool,
    /// Bytes that it has sent, since it counts.
    pub sent: Option<u64>,
    /// Bytes that it has received.
    pub received: Option<u64>,
}

/// The time on the wall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    /// The day of the week, 0 for Monday.
    pub weekday: u8,
    /// Minutes since midnight, below 1440.
    pub minute: u16,
}
