//! All sensors of the device in one reading, as the governor wants it.

use std::path::{Path, PathBuf};

use super::power::Counters;
use super::tree::Tree;
use super::{bus, heat, memory, power, route, wall, wear};
use crate::base::limits;
use crate::base::time::Instant;
use crate::engine::caps::readings::{Device, Route};
use crate::host::clock;

/// The sensors of this device. Nothing is kept open, and nothing is listed but when it is read,
/// so that what is plugged in is seen and what is taken away is missed by nobody.
#[derive(Debug)]
pub struct Sensors {
    proc: Tree,
    sys: Tree,
    cache: PathBuf,
    energy: Counters,
    said: Option<Said>,
}

/// What the managers of network and modem said of the way into the network, and when.
#[derive(Debug)]
struct Said {
    at: Instant,
    interface: String,
    metered: bool,
    roaming: bool,
}

impl Sensors {
    /// The sensors below these roots, with the folder whose storage wears.
    pub fn new(proc: &Path, sys: &Path, cache: &Path) -> Self {
        Self {
            proc: Tree::new(proc),
            sys: Tree::new(sys),
            cache: cache.into(),
            energy: Counters::default(),
            said: None,
        }
    }

    /// Reads them all. Some drivers ask a chip on a slow bus, so this is for a thread that may
    /// wait.
    pub fn read(&mut self) -> Device {
        let (proc, sys) = (&self.proc, &self.sys);
        let (mut interfaces, default) = route::read(proc, sys);
        let memory = memory::read(proc, sys);
        let device = Device {
            memory,
            temperature: heat::read(sys),
            power: power::drawn(sys),
            energy: self.energy.read(sys),
            battery: power::battery(sys),
            wear: wear::read(proc, sys, &self.cache),
            conntrack: route::conntrack(proc),
            // What the line carries nobody on this device knows.
            date: clock::date(),
            wall: clock::date().map(wall::at),
            ..Device::default()
        };
        if let Some(first) = interfaces.first_mut().filter(|_| default) {
            self.ask(first);
        }
        Device { route: interfaces.first().filter(|_| default).cloned(), interfaces, ..device }
    }

    /// Asks the managers of network and modem of the way into the network: now and then, and at
    /// once when that is another one.
    fn ask(&mut self, way: &mut Route) {
        let now = clock::now();
        let known = self.said.take().filter(|said| {
            said.interface == way.interface && now.since(said.at) < limits::device::LINE_ASKED
        });
        let said = known.unwrap_or_else(|| {
            let (bus, user) = (bus::SYSTEM.as_ref(), nix::unistd::geteuid().as_raw());
            let metered = way.metered || bus::metered(bus, user) == Some(true);
            // Only who is on a mobile network roams, and such a one is paid by volume.
            let roaming = metered && bus::roaming(bus, user) == Some(true);
            Said { at: now, interface: way.interface.clone(), metered, roaming }
        });
        (way.metered, way.roaming) = (said.metered, said.roaming);
        self.said = Some(said);
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::tree::tests::Made;
    use super::*;

    #[test]
    fn an_empty_device_tells_nothing_and_a_full_one_all() {
        let made = Made::new("device", &[]);
        let mut sensors = Sensors::new(&made.0.path("proc"), &made.0.path("sys"), "/".as_ref());
        let nothing = sensors.read();
        let clock = (nothing.date, nothing.wall);
        let (date, wall) = clock;
        assert_eq!(nothing, Device { date, wall, ..Device::default() });
        for (path, text) in [
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal"),
            ("sys/class/thermal/thermal_zone0/temp", "80000"),
            ("proc/net/route", "Iface\nwwan0 00000000 0 0003 0 0 9 00000000"),
        ] {
            made.write(path, text);
        }
        let device = sensors.read();
        assert_eq!(device.temperature.map(|heat| heat.millidegrees), Some(80_000));
        assert!(device.route.is_some_and(|route| route.metered));
    }

    /// Sharing reads the process four times a second and the device every few seconds: were either
    /// to wait for something, all would. The quickest of twenty counts, as machines are busy.
    #[test]
    fn a_reading_waits_for_nothing() {
        let mut sensors = Sensors::new("/proc".as_ref(), "/sys".as_ref(), "/var/cache".as_ref());
        let own = super::super::process::Own::new();
        let quickest = |what: &mut dyn FnMut()| {
            let times = (0..20).map(|_| {
                let begin = clock::now();
                what();
                clock::now().since(begin)
            });
            times.min().expect("twenty")
        };
        let process = quickest(&mut || _ = own.read());
        let device = quickest(&mut || _ = sensors.read());
        println!("a reading of the process: {process:?}, of the device: {device:?}");
        assert!(process < Duration::from_millis(5) && device < Duration::from_millis(50));
    }
}
