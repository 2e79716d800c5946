//! The reading loop: the device is read while the machine asks for it, and never else.

use core::cell::{Cell, RefCell};

use smol::{Timer, future};

use super::run::Run;
use super::setting::Setting;
use crate::base::time::Instant;
use crate::config::model::Config;
use crate::engine::caps::readings::{Device, Readings, Rhythm};
use crate::host::clock;
use crate::host::sensors::device::Sensors;
use crate::host::sensors::process::Own;
use crate::node::event::Input;

/// The readings that the machine has asked for.
#[derive(Default)]
pub struct Sensing {
    own: Own,
    /// The device's sensors, where nobody reads them at the moment.
    device: RefCell<Option<Sensors>>,
    rhythm: Setting<Option<Rhythm>>,
    /// When the device is read next.
    due: Cell<Option<Instant>>,
}

impl Sensing {
    /// Takes over the roots that the sensors lie below.
    pub fn configure(&self, config: &Config) {
        let caps = &config.caps;
        let sensors = Sensors::new(&caps.procfs, &caps.sysfs, &config.cache.path);
        *self.device.borrow_mut() = Some(sensors);
    }

    /// Reads in this rhythm from now on, or no more: then no timer is left.
    pub fn ask(&self, rhythm: Option<Rhythm>) {
        self.rhythm.set(rhythm);
    }

    /// Reads and hands in, for ever.
    pub async fn work(&self, run: &Run) {
        loop {
            let Some(rhythm) = self.rhythm.after(None).await else { continue };
            self.due.set(None);
            while self.rhythm.value() == Some(rhythm) {
                let device = self.device_when_due(rhythm).await;
                // It may have ended while a thread read.
                if self.rhythm.value() == Some(rhythm) {
                    let readings = Readings { process: self.own.read(), device };
                    run.submit(Input::Reading(Box::new(readings)));
                }
                let next = async {
                    Timer::after(rhythm.process).await;
                };
                let other = async {
                    self.rhythm.after(Some(rhythm)).await;
                };
                future::or(other, next).await;
            }
        }
    }

    /// Has a thread read the device when it is time: a chip on a slow bus holds up nobody.
    async fn device_when_due(&self, rhythm: Rhythm) -> Option<Device> {
        let now = clock::now();
        if self.due.get().is_some_and(|due| now < due) {
            return None;
        }
        let mut sensors = self.device.borrow_mut().take()?;
        self.due.set(Some(now + rhythm.device));
        let (sensors, device) = smol::unblock(move || {
            let device = sensors.read();
            (sensors, device)
        })
        .await;
        // Unless a new configuration has brought others meanwhile.
        self.device.borrow_mut().get_or_insert(sensors);
        Some(device)
    }
}
