//! What sharing draws: by a sensor where there is one, else by the model of the configuration.

use core::time::Duration;

use super::bucket::Bucket;
use super::level::Level;
use super::quota::Quota;
use super::readings::Device;
use super::work::Work;
use crate::base::time::Instant;
use crate::base::units::{DailyEnergy, Power};
use crate::config::caps::Model;

/// The caps on power and on a day's energy.
#[derive(Debug)]
pub struct Energy {
    model: Model,
    power: Option<Power>,
    /// Nanojoules that may be used, by the model.
    bucket: Option<Bucket>,
    /// Microjoules of a day.
    day: Quota,
    sensor: Option<Sensor>,
    /// Holds back what the sensor shows.
    level: Level,
    /// Milliwatts that sharing drew over the last readings.
    drawn: u64,
    /// Nanojoules that the model counted since the last reading.
    counted: u64,
    last: Option<Instant>,
}

/// What a sensor shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sensor {
    name: String,
    /// Milliwatts of the device when it last shared nothing, or the least since.
    rest: u64,
    /// The counter at the last reading.
    counter: Option<u64>,
}

impl Energy {
    /// Caps that nothing was used of.
    pub fn new(model: Model, caps: (Option<Power>, Option<DailyEnergy>), now: Instant) -> Self {
        let mut energy = Self {
            model,
            power: None,
            bucket: None,
            day: Quota::new((None, None), now),
            sensor: None,
            level: Level::default(),
            drawn: 0,
            counted: 0,
            last: None,
        };
        energy.set(model, caps, now);
        energy
    }

    /// Other caps; what was used stays.
    pub fn set(&mut self, model: Model, caps: (Option<Power>, Option<DailyEnergy>), now: Instant) {
        (self.model, self.power) = (model, caps.0);
        let rate = caps.0.map(|cap| cap.0.saturating_sub(model.idle.0) * 1_000_000);
        self.bucket = match (self.bucket.take(), rate) {
            (Some(mut bucket), Some(rate)) => {
                bucket.set_rate(rate, rate, now);
                Some(bucket)
            }
            (None, Some(rate)) => Some(Bucket::new(rate, rate, now)),
            (_, None) => None,
        };
        if caps.0.is_none() {
            self.level = Level::default();
        }
        self.day.set_limits((caps.1.map(|day| day.0.saturating_mul(3_600_000)), None));
    }

    /// What work is reckoned to use, in nanojoules; `micros` is its CPU time.
    pub const fn cost(&self, work: Work, micros: u64) -> u64 {
        micros.saturating_mul(self.model.cpu.0)
            + work.given.saturating_mul(self.model.sent.0) / 1000
            + work.taken.saturating_mul(self.model.received.0) / 1000
    }

    /// When there is energy for so much; none when there will be none today.
    pub fn when(&self, cost: u64, now: Instant) -> Option<Instant> {
        if !self.day.has(cost / 1000, now) {
            return None;
        }
        match (&self.bucket, &self.sensor) {
            (Some(bucket), None) => bucket.when(cost, now),
            _ => Some(now),
        }
    }

    /// Takes the energy of work that is about to be done.
    pub fn take(&mut self, cost: u64, now: Instant) {
        self.counted = self.counted.saturating_add(cost);
        if self.sensor.is_none() {
            if let Some(bucket) = &mut self.bucket {
                bucket.charge(cost, now);
            }
        }
    }

    /// Takes in what the device shows. What it draws while nothing is shared is its own affair, and
    /// its player's: it is learnt, and sharing drew nothing.
    pub fn on_device(&mut self, device: &Device, now: Instant) {
        let passed = self.last.replace(now).map_or(Duration::ZERO, |last| now - last);
        let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
        let counted = core::mem::take(&mut self.counted);
        let rests = counted == 0;
        if micros == 0 || passed > LONG {
            self.sensor = self.seen(device, micros).map(|(sensor, _)| sensor);
            return;
        }
        let microjoules = if let Some((mut sensor, milliwatts)) = self.seen(device, micros) {
            if rests {
                sensor.rest = milliwatts;
            }
            self.drawn = milliwatts.saturating_sub(sensor.rest);
            self.sensor = Some(sensor);
            if let Some(cap) = self.power {
                self.level.on_draw(self.drawn, cap.0, now);
            }
            self.drawn.saturating_mul(micros) / 1000
        } else {
            (self.sensor, self.level) = (None, Level::default());
            let idle = if rests { 0 } else { self.model.idle.0 };
            let used = counted / 1000 + idle.saturating_mul(micros) / 1000;
            self.drawn = used.saturating_mul(1000) / micros;
            used
        };
        self.day.add(microjoules, now);
    }

    /// The sensor with what it showed, and milliwatts since the last reading.
    fn seen(&self, device: &Device, micros: u64) -> Option<(Sensor, u64)> {
        let before = self.sensor.as_ref();
        let (name, counter, milliwatts) = if let Some(energy) = &device.energy {
            let last = before.filter(|s| s.name == energy.source).and_then(|s| s.counter);
            let used = last.and_then(|last| energy.microjoules.checked_sub(last));
            let milliwatts = used.map(|used| used.saturating_mul(1000) / micros.max(1));
            (&energy.source, Some(energy.microjoules), milliwatts)
        } else {
            let power = device.power.as_ref()?;
            (&power.source, None, Some(power.milliwatts))
        };
        let known = before.filter(|sensor| sensor.name == *name);
        let drawn = milliwatts.or_else(|| known.map(|s| s.rest + self.drawn))?;
        // Beside sharing nothing tells what the device draws by itself but the least that was seen.
        let rest = known.map_or(drawn, |sensor| sensor.rest.min(drawn));
        Some((Sensor { name: name.clone(), rest, counter }, drawn))
    }

    /// Thousandths of sharing that a measured draw allows.
    pub const fn level(&self) -> u16 {
        self.level.now()
    }

    /// Milliwatts that sharing draws.
    pub const fn drawn(&self) -> u64 {
        self.drawn
    }

    /// The energy of the day, in microjoules.
    pub const fn day(&self) -> &Quota {
        &self.day
    }

    /// The same, to restore what an earlier run has noted.
    pub const fn day_mut(&mut self) -> &mut Quota {
        &mut self.day
    }

    /// Whence the figures are, in words.
    pub fn source(&self) -> String {
        match &self.sensor {
            Some(sensor) => format!("measured by {}", sensor.name),
            None => "by the model, not measured".into(),
        }
    }
}

/// Readings farther apart than this are not compared.
const LONG: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::super::readings;
    use super::*;
    use crate::base::units::PerByte;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    const MODEL: Model = Model {
        idle: Power(100),
        cpu: Power(2000),
        sent: PerByte(10_000),
        received: PerByte(10_000),
        written: PerByte(0),
    };

    #[test]
    fn the_model_holds_power_and_the_day() {
        let caps = (Some(Power(600)), Some(DailyEnergy(100)));
        let mut energy = Energy::new(MODEL, caps, at(0));
        let work = Work { given: 1_000_000, ..Work::default() };
        let cost = energy.cost(work, 20_000);
        assert_eq!(cost, 50_000_000, "20 ms at 2 W and 1 MB at 10 nJ/B");
        let (mut now, mut given, mut stopped) = (at(0), 0_u64, None);
        for second in 0..2000 {
            energy.on_device(&Device::default(), at(second));
            while energy.when(cost, now).is_some_and(|when| when < at(second + 1)) {
                now = energy.when(cost, now).expect("soon");
                energy.take(cost, now);
                given += cost;
            }
            now = now.max(at(second + 1));
            if energy.when(cost, now).is_none() {
                stopped.get_or_insert(second);
            } else {
                assert!(given <= 500_000_000 * (second + 2), "0.5 W beside the idle share");
            }
        }
        // 0.1 Wh are 360 J: at 0.6 W ten minutes.
        assert!(stopped.is_some_and(|s| (590..=610).contains(&s)), "{stopped:?}");
        assert!(energy.source().contains("model"));
    }

    #[test]
    fn a_sensor_takes_the_models_place_and_gives_it_back() {
        let mut energy = Energy::new(MODEL, (Some(Power(1000)), None), at(0));
        let show = |milliwatts| Device {
            power: Some(readings::Power { milliwatts, source: "hwmon ina219".into() }),
            ..Device::default()
        };
        energy.on_device(&show(3000), at(0));
        energy.take(1, at(4));
        energy.on_device(&show(3500), at(5));
        assert_eq!((energy.drawn(), energy.level()), (500, 1000));
        energy.take(1, at(9));
        energy.on_device(&show(6000), at(10));
        assert_eq!(energy.drawn(), 3000);
        assert!(energy.level() <= 500, "{}", energy.level());
        assert!(energy.source().contains("ina219"));
        assert_eq!(energy.when(u64::MAX / 4, at(10)), Some(at(10)), "the model does not count");
        energy.set(MODEL, (None, None), at(11));
        assert_eq!(energy.level(), 1000, "the cap is gone");
        energy.on_device(&Device::default(), at(15));
        assert_eq!(energy.level(), 1000);
        assert!(energy.source().contains("model"));
    }

    #[test]
    fn what_the_device_draws_for_its_own_player_is_not_sharing() {
        let show = |milliwatts| Device {
            power: Some(readings::Power { milliwatts, source: "hwmon ina219".into() }),
            ..Device::default()
        };
        let mut energy = Energy::new(MODEL, (Some(Power(1000)), None), at(0));
        for (second, milliwatts) in [(0, 3000), (5, 9000), (10, 9500), (15, 9200)] {
            energy.on_device(&show(milliwatts), at(second));
            assert_eq!((energy.drawn(), energy.level()), (0, 1000), "{second}");
        }
        energy.take(1, at(16));
        energy.on_device(&show(9900), at(20));
        assert_eq!((energy.drawn(), energy.level()), (700, 1000), "above what was learnt");
        energy.take(1, at(21));
        energy.on_device(&show(15_000), at(25));
        assert!(energy.level() < 500, "{}", energy.level());
        (6..30).for_each(|turn| energy.on_device(&show(15_000), at(turn * 5)));
        assert_eq!(energy.level(), 1000, "nothing is shared any more");
        let of_sensor = energy.day().used(at(150)).0;
        let mut energy = Energy::new(MODEL, (Some(Power(1000)), None), at(0));
        (0..10).for_each(|turn| energy.on_device(&Device::default(), at(turn * 5)));
        assert_eq!(energy.day().used(at(50)).0, 0, "the model counts nothing either");
        assert_eq!(of_sensor, 700 * 5000 + 5_800 * 5000, "microjoules of two readings");
    }

    #[test]
    fn a_counter_that_begins_anew_is_no_flood() {
        let mut energy = Energy::new(MODEL, (Some(Power(1000)), None), at(0));
        let show = |microjoules| Device {
            energy: Some(readings::Energy { microjoules, source: "powercap".into() }),
            ..Device::default()
        };
        for (second, counter) in [(0, 1_000_000), (5, 11_000_000), (10, 22_500_000), (15, 4)] {
            energy.on_device(&show(counter), at(second));
            assert!(energy.drawn() <= 2300, "{second}: {}", energy.drawn());
        }
    }
}
