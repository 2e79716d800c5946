//! Scenes without chance: one show, so many nodes, equal lines; what targets are measured on.

use std::time::Duration;

use neap::base::peer::Role;
use neap::base::time::Instant;
use neap::config::model::{Rung, Share};

use super::library::{Access, Show, Validator};
use super::scene::{Audience, Happening, Home, Lie, Origin, START, Scene, Seat};

/// What a stage is set by.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    pub seed: u64,
    /// Devices with a player; one witness without a player stands beside them.
    pub devices: usize,
    pub live: bool,
    /// Whether it is one file that is played by ranges.
    pub one_file: bool,
    /// Bits a second.
    pub bitrate: u64,
    pub segment: Duration,
    /// Each device's uplink, in tenths of the bitrate.
    pub uplink_tenths: u64,
    /// The witness's uplink, in tenths of the bitrate.
    pub witness_tenths: u64,
    /// Whether all devices are in one home, on one line.
    pub one_home: bool,
    /// Whether the witness is their gateway, on the same line.
    pub by_gateway: bool,
    /// The devices come within this time.
    pub within: Duration,
    pub lasts: Duration,
    /// Devices in a hundred that give wrong blocks.
    pub liars: u64,
    /// Whether they vouch for them, all for the same ones.
    pub collude: bool,
    /// Devices in a hundred that take and never give.
    pub idlers: u64,
    /// Whether those who lie or idle are all in one place.
    pub crowded: bool,
    /// Homes in a hundred that nobody outside can link to.
    pub hidden: u64,
    /// Homes in a hundred that leave each minute, each to come back without anything.
    pub churn: u64,
    /// Providers that the homes are spread over; all are far from each other where it is zero.
    pub isps: usize,
    /// Whose word counts.
    pub rung: Rung,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            seed: 1,
            devices: 4,
            live: true,
            one_file: false,
            bitrate: 4_000_000,
            segment: Duration::from_secs(4),
            uplink_tenths: 15,
            witness_tenths: 200,
            one_home: false,
            by_gateway: false,
            within: Duration::from_secs(10),
            lasts: Duration::from_secs(90),
            liars: 0,
            collude: false,
            idlers: 0,
            crowded: false,
            hidden: 0,
            churn: 0,
            isps: 0,
            rung: Rung::Witness,
        }
    }
}

impl Stage {
    /// The scene.
    pub fn scene(self) -> Scene {
        let rate = self.bitrate;
        let wide = Home {
            down: Some(rate * 6),
            up: Some((rate * self.uplink_tenths / 10).max(1)),
            delay: Duration::from_millis(8),
            ..Home::default()
        };
        let devices = u64::try_from(self.devices).expect("a count");
        let household = Home { down: Some(rate * (devices + 2)), ..wide };
        let up = Some(rate * self.witness_tenths / 10);
        let signing = Home { down: Some(rate * 20), up, ..wide };
        let mut homes = vec![signing];
        if self.one_home {
            homes.push(household);
        } else {
            homes.extend((0..self.devices).map(|device| self.home(device, wide)));
        }
        let seat = |home, role, lie| Seat {
            home,
            down: None,
            up: None,
            role,
            lie,
            memory: 64 << 20,
            disk: 0,
            dated: true,
            caps: None,
        };
        let first = if self.rung == Rung::Witness { Role::Witness } else { Role::Device };
        let mut seats = vec![seat(usize::from(self.by_gateway), first, Lie::default())];
        for device in 0..self.devices {
            let (liar, silent) = (self.lies(device), self.idles(device));
            let bytes = if liar { 1000 } else { 0 };
            let lie = Lie { bytes, silent, colludes: liar && self.collude, ..Lie::default() };
            let home = if self.one_home { 1 } else { 1 + device };
            seats.push(seat(home, Role::Device, lie));
        }
        let audience = (1..=self.devices).map(|node| Audience {
            node,
            show: 0,
            comes: START + self.within * u32::try_from(node - 1).unwrap_or(0) / step(self.devices),
            goes: START + Duration::from_secs(36_000),
            adapts: false,
            goal: Duration::from_secs(30),
            behind: 3,
        });
        Scene {
            seed: self.seed,
            sharing: true,
            rung: self.rung,
            share: Share::Any,
            min_audience: 0,
            homes,
            audience: audience.collect(),
            seats,
            shows: vec![self.show()],
            origin: Origin { rate: None, delay: Duration::from_millis(12) },
            troubles: vec![],
            happenings: self.happenings(),
            ends: START + self.lasts,
            friends: if self.isps > 0 { 30 } else { 12 },
            quantum: 16 * 1024,
            loss: 0,
        }
    }

    /// They are spread, so that early and late comers lie alike.
    const fn lies(&self, device: usize) -> bool {
        (device as u64 * 37 + 11) % 100 < self.liars
    }

    const fn idles(&self, device: usize) -> bool {
        (device as u64 * 37 + 11) % 100 < self.idlers
    }

    fn home(&self, device: usize, like: Home) -> Home {
        Home {
            isp: (self.isps > 0).then(|| device % self.isps),
            hidden: (device as u64 * 61 + 7) % 100 < self.hidden,
            crowded: self.crowded && (self.lies(device) || self.idles(device)),
            ..like
        }
    }

    /// Homes that leave, spread over the time after the last has come; each is back a little later.
    fn happenings(&self) -> Vec<(Instant, Happening)> {
        let calm = (self.lasts - self.within).as_millis() as u64;
        let leave = self.devices as u64 * self.churn * calm / 6_000_000;
        let mut all = Vec::new();
        for number in 0..leave {
            let node = 1 + usize::try_from(number * 17).unwrap_or(0) % self.devices;
            let at = START + self.within + Duration::from_millis(calm * number / leave);
            all.push((at, Happening::Leave { node }));
            all.push((at + AWAY, Happening::Back { node, cache: false }));
        }
        all.sort_by_key(|(at, _)| *at);
        all
    }

    fn show(&self) -> Show {
        Show {
            live: self.live,
            segment: self.segment,
            renditions: vec![self.bitrate],
            window: 8,
            count: 600 / self.segment.as_secs().max(1),
            began: Instant::from_micros(START.as_micros() - 600_000_000),
            init: false,
            keys: false,
            one_file: self.one_file,
            access: Access::Open,
            validator: Validator::Strong,
            anew: None,
        }
    }
}

/// How long who has left is away.
const AWAY: Duration = Duration::from_secs(10);

fn step(devices: usize) -> u32 {
    u32::try_from(devices).unwrap_or(1).max(1)
}
