//! Scenes without chance: one show, so many nodes, equal lines; what targets are measured on.

use std::time::Duration;

use neap::base::peer::Role;
use neap::base::time::Instant;
use neap::config::model::{Rung, Share};

use super::library::{Access, Show, Validator};
use super::scene::{Audience, Home, Lie, Origin, START, Scene, Seat};

/// What a stage is set by.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    pub seed: u64,
    /// Devices with a player; one witness without a player stands beside them.
    pub devices: usize,
    pub live: bool,
    /// Bits a second.
    pub bitrate: u64,
    pub segment: Duration,
    /// Each device's uplink, in tenths of the bitrate.
    pub uplink_tenths: u64,
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
    /// Whose word counts.
    pub rung: Rung,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            seed: 1,
            devices: 4,
            live: true,
            bitrate: 4_000_000,
            segment: Duration::from_secs(4),
            uplink_tenths: 15,
            one_home: false,
            by_gateway: false,
            within: Duration::from_secs(10),
            lasts: Duration::from_secs(90),
            liars: 0,
            collude: false,
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
        };
        let devices = u64::try_from(self.devices).expect("a count");
        let household = Home { down: Some(rate * (devices + 2)), ..wide };
        let signing = Home { down: Some(rate * 20), up: Some(rate * 20), ..wide };
        let mut homes = vec![signing];
        homes.extend(if self.one_home { vec![household] } else { vec![wide; self.devices] });
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
            // They are spread, so that early and late comers lie alike.
            let liar = (device as u64 * 37 + 11) % 100 < self.liars;
            let bytes = if liar { 1000 } else { 0 };
            let lie = Lie { bytes, colludes: liar && self.collude, ..Lie::default() };
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
            happenings: vec![],
            ends: START + self.lasts,
            quantum: 16 * 1024,
            loss: 0,
        }
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
            one_file: false,
            access: Access::Open,
            validator: Validator::Strong,
            anew: None,
        }
    }
}

fn step(devices: usize) -> u32 {
    u32::try_from(devices).unwrap_or(1).max(1)
}
