//! The governor: readings in, grants out. The tightest cap wins; what is sacrificed goes in one
//! order: prefetch, uploads from far to near, writes to disk, memory of the cache; never the
//! player.

use core::time::Duration;

use super::bandwidth::{Rates, Tree, acknowledged, on_wire, said_on_wire};
use super::cause::{Cause, Held};
use super::energy::Energy;
use super::level::{Level, WHOLE};
use super::meter::Meter;
use super::quota::Quota;
use super::ram::Ram;
use super::readings::{Device, Readings};
use super::uplink::Uplink;
use super::work::{Cpu, Work};
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{PeerId, Tier};
use crate::base::time::Instant;
use crate::base::units::Share;
use crate::config::caps::{Battery, Caps};

/// Everything that is held below its cap.
#[derive(Debug)]
pub struct Governor {
    pub(super) caps: Caps,
    pub(super) up: Tree,
    pub(super) down: Tree,
    /// What words on what is here may take of the rates upward.
    words: Tree,
    /// When something was last said to each peer.
    said: Map<PeerId, Instant>,
    /// Bytes beyond the home, there and back.
    pub(super) sent: Quota,
    pub(super) received: Quota,
    /// Bytes written to the disk tier.
    pub(super) written: Quota,
    /// Bytes that are on their way there.
    writing: u64,
    pub(super) uplink: Uplink,
    pub(super) cpu: Cpu,
    pub(super) energy: Energy,
    pub(super) heat: Level,
    pub(super) ram: Ram,
    /// What the device told last.
    pub(super) device: Device,
    /// Whether the battery holds everything back.
    pub(super) on_battery: bool,
    pub(super) held: Held,
    pub(super) meters: [Meter; 2],
    /// What was warned of already: volumes there and back, writes.
    pub(super) warned: [bool; 3],
}

/// A peer and how near it is.
pub type End = (PeerId, Tier);

/// From when each cap lets something be done; none while it does not.
type Gates = [(Option<Instant>, Cause); 5];

impl Governor {
    /// A governor that has used nothing.
    pub fn new(caps: Caps, now: Instant) -> Self {
        let mut governor = Self {
            up: Tree::new(Rates::default(), now),
            down: Tree::new(Rates::default(), now),
            words: Tree::of_words(Rates::default(), now),
            said: Map::new(),
            sent: Quota::new((None, None), now),
            received: Quota::new((None, None), now),
            written: Quota::new((None, None), now),
            writing: 0,
            uplink: Uplink::default(),
            cpu: Cpu::new(caps.cpu, now),
            energy: Energy::new(caps.model, (caps.power, caps.energy), now),
            heat: Level::default(),
            ram: Ram::new(),
            device: Device::default(),
            on_battery: false,
            held: Held::default(),
            meters: [Meter::new(now), Meter::new(now)],
            warned: [false; 3],
            caps,
        };
        governor.configure(governor.caps.clone(), now);
        let (up, down) = governor.rates(now);
        (governor.up, governor.down) = (Tree::new(up, now), Tree::new(down, now));
        governor.words = Tree::of_words(up, now);
        governor
    }

    /// Takes over other caps; what was used counts on.
    pub fn configure(&mut self, caps: Caps, now: Instant) {
        let bytes = |size: Option<crate::base::units::Size>| size.map(|size| size.0);
        let volume = caps.volume;
        self.sent.set_limits((bytes(volume.day_up), bytes(volume.month_up)));
        self.received.set_limits((bytes(volume.day_down), bytes(volume.month_down)));
        self.written.set_limits((caps.flash_writes.map(|day| day.0.0), None));
        self.energy.set(caps.model, (caps.power, caps.energy), now);
        self.ram.set_cap(caps.memory.map(|size| size.0));
        self.caps = caps;
        self.apply(now);
    }

    /// Takes in a reading; the RAM tier holds `ram` bytes now.
    pub fn on_reading(&mut self, readings: &Readings, ram: u64, now: Instant) {
        if let Some(cpu) = readings.process.cpu_micros {
            self.cpu.on_reading(cpu, now);
        }
        if let Some(resident) = readings.process.resident {
            self.ram.on_resident(resident, ram);
        }
        let Some(device) = &readings.device else { return };
        self.energy.on_device(device, now);
        self.ram.on_memory(&device.memory, self.caps.memory.map(|size| size.0), now);
        match (&device.temperature, self.caps.temperature) {
            (Some(heat), Some(limit)) => {
                let span = (limit.0, self.caps.hysteresis.0);
                self.heat.on_heat(heat.millidegrees, span, now);
            }
            _ => self.heat = Level::default(),
        }
        self.on_battery = self.is_stopped_by_battery(device);
        self.device = device.clone();
        self.apply(now);
    }

    /// The rhythm of readings ended.
    pub const fn pause(&mut self) {
        self.cpu.pause();
    }

    /// When a block may be given to a peer; none while nobody can tell.
    pub fn upload(&mut self, peer: End, block: u64, now: Instant) -> Option<Instant> {
        self.grant(self.upward(peer, block, now), now)
    }

    /// The cap that gives a peer nothing at all, and not only later.
    pub fn closed(&self, peer: End, now: Instant) -> Option<Cause> {
        // A volume that is used up eases in hours.
        let closes = |(at, cause): &(Option<Instant>, Cause)| {
            at.is_none() || (*cause == Cause::Volume && *at != Some(now))
        };
        let gates = self.upward(peer, limits::block::BLOCK, now);
        gates.into_iter().find(closes).map(|(_, cause)| cause)
    }

    /// A cap has held something back.
    pub fn on_held(&mut self, cause: Cause, now: Instant) {
        self.held.note(cause, now);
    }

    /// Takes what a block costs that is given now.
    pub fn give(&mut self, peer: End, block: u64, now: Instant) {
        let work = Work { given: block, ..Work::default() };
        self.take(work, now);
        self.up.charge(peer, on_wire(block), now);
        self.meters[0].add(on_wire(block), now);
        if peer.1 != Tier::Home {
            self.sent.add(on_wire(block), now);
        }
    }

    /// When a block may be asked of a peer; none while nobody can tell.
    pub fn download(&mut self, peer: End, block: u64, now: Instant) -> Option<Instant> {
        let work = Work { taken: block, ..Work::default() };
        let bytes = on_wire(block);
        let tree = self.down.when(peer, bytes, now);
        let gates = self.gates((tree, Cause::Download), (work, peer.1, bytes), now);
        self.grant(gates, now)
    }

    /// Takes what a block costs that is asked for now.
    pub fn ask(&mut self, peer: End, block: u64, now: Instant) {
        self.take(Work { taken: block, ..Work::default() }, now);
        self.down.charge(peer, on_wire(block), now);
        self.meters[1].add(on_wire(block), now);
        self.up.charge(peer, acknowledged(on_wire(block)), now);
        if peer.1 != Tier::Home {
            self.received.add(on_wire(block), now);
            self.sent.add(acknowledged(on_wire(block)), now);
        }
    }

    /// When a peer may be told what is here; none while nobody can tell. Without a bound, news of
    /// what it finds elsewhere as well would take a small cap from the blocks.
    pub fn news(&mut self, peer: End, bytes: u64, now: Instant) -> Option<Instant> {
        let bytes = said_on_wire(bytes, false);
        let rates = self.words.when(peer, bytes, now).zip(self.up.when(peer, bytes, now));
        let rates = rates.map(|(words, all)| words.max(all));
        let cpu = self.cpu.news(now);
        if rates != Some(now) {
            self.held.note(self.rate_cause(peer.1), now);
        } else if cpu != Some(now) {
            self.held.note(Cause::Cpu, now);
        }
        rates.zip(cpu).map(|(rates, cpu)| rates.max(cpu))
    }

    /// A message goes to a peer: it is counted. Only `news` were granted before; without the
    /// others the peer could not go elsewhere.
    pub fn tell(&mut self, peer: End, (bytes, news): (u64, bool), now: Instant) {
        let joined = self.said.insert(peer.0, now) == Some(now);
        let bytes = said_on_wire(bytes, joined);
        self.up.charge(peer, bytes, now);
        if news {
            self.words.charge(peer, bytes, now);
            self.cpu.on_news(now);
        }
        if peer.1 != Tier::Home {
            self.sent.add(bytes, now);
        }
        self.take(WORD, now);
        self.cpu.note(WORD);
    }

    /// A message came from a peer: it costs the processor something, and an acknowledgement.
    pub fn hear(&mut self, peer: End, now: Instant) {
        self.up.charge(peer, ACKNOWLEDGED, now);
        if peer.1 != Tier::Home {
            self.sent.add(ACKNOWLEDGED, now);
        }
        self.take(WORD, now);
        self.cpu.note(WORD);
    }

    /// The way to a peer beyond the home was seen to carry so many bits a second, and no more
    /// where it `is_full`. Answers whether the uplink is known to be another.
    pub fn on_carried(&mut self, peer: End, (bits, is_full): (u64, bool), now: Instant) -> bool {
        let differs = self.uplink.on_carried(peer.0, (bits, is_full), now);
        if differs {
            self.apply(now);
        }
        differs
    }

    /// A link is no more.
    pub fn forget(&mut self, peer: PeerId) {
        self.uplink.forget(peer);
        self.said.remove(&peer);
        self.words.forget(peer);
        self.up.forget(peer);
        self.down.forget(peer);
    }

    /// Notes work that was done.
    pub const fn note(&mut self, work: Work) {
        self.cpu.note(work);
    }

    /// Whether anything may be fetched ahead of a player: the first that is sacrificed. To a node
    /// that never `shares` only memory can be short for it: its players want the same bytes anyhow.
    pub fn may_prefetch(&mut self, shares: bool, now: Instant) -> bool {
        let level = if shares { self.level() } else { (WHOLE, Cause::Power) };
        if level.0 < WHOLE {
            self.held.note(level.1, now);
        }
        level.0 == WHOLE && self.ram.pressure() < SHORT
    }

    /// Whether a slice of so many bytes may be written to disk: they are set aside until
    /// [`Self::on_wrote`] tells what became of them.
    pub fn may_write(&mut self, bytes: u64, now: Instant) -> bool {
        let worn = self.device.wear.as_ref().is_some_and(|w| w.permille >= self.caps.flash_wear.0);
        let payload = self.writing.saturating_add(bytes);
        let room = self.written.has(payload.saturating_add(payload / HEADS), now);
        if worn || !room {
            self.held.note(Cause::FlashWrites, now);
        }
        let may = room && !worn && self.level().0 > 0;
        self.writing = if may { payload } else { self.writing };
        may
    }

    /// Of what was set aside `ordered` bytes are under way no more, for which `bytes` went to the
    /// disk.
    pub fn on_wrote(&mut self, (ordered, bytes): (u64, u64), now: Instant) {
        self.writing = self.writing.saturating_sub(ordered);
        self.written.add(bytes, now);
    }

    /// Bytes that the RAM tier may hold of those that are configured.
    pub fn ram(&self, configured: u64) -> u64 {
        self.ram.bound(configured)
    }

    /// Links that the kernel's table of connections has room for, of so many.
    pub fn links(&self, configured: usize) -> usize {
        let Some((_, most)) = self.device.conntrack else { return configured };
        let share = most.saturating_mul(u64::from(self.caps.conntrack.0)) / 1000;
        configured.min(usize::try_from(share).unwrap_or(configured))
    }

    /// Thousandths of sharing that the slow caps allow, and the one that holds most.
    pub fn level(&self) -> (u16, Cause) {
        let levels = [
            (self.heat.now(), Cause::Temperature),
            (self.energy.level(), Cause::Power),
            (if self.on_battery { 0 } else { WHOLE }, Cause::Battery),
        ];
        levels.into_iter().min_by_key(|(level, _)| *level).unwrap_or((WHOLE, Cause::Temperature))
    }

    /// What each cap says of a block for a peer.
    fn upward(&self, peer: End, block: u64, now: Instant) -> Gates {
        let work = Work { given: block, ..Work::default() };
        let bytes = on_wire(block);
        let tree = (self.up.when(peer, bytes, now), self.rate_cause(peer.1));
        self.gates(tree, (work, peer.1, bytes), now)
    }

    /// Joins what the tree says with CPU time, energy and volume.
    fn gates(
        &self,
        (tree, rate): (Option<Instant>, Cause),
        (work, tier, bytes): (Work, Tier, u64),
        now: Instant,
    ) -> Gates {
        let micros = self.cpu.cost(work);
        let quota = if work.given > 0 { &self.sent } else { &self.received };
        let full = tier != Tier::Home && !quota.has(bytes, now);
        let volume = if full { Some(quota.eases(now)) } else { Some(now) };
        let energy = self.energy.when(self.energy.cost(work, micros), now);
        let power = if energy.is_none() { Cause::Energy } else { Cause::Power };
        [
            (self.level_gate(now), self.level().1),
            (tree, rate),
            (self.cpu.when(work, now), Cause::Cpu),
            (energy, power),
            (volume, Cause::Volume),
        ]
    }

    /// The latest holds; all that hold are named.
    fn grant(&mut self, gates: Gates, now: Instant) -> Option<Instant> {
        let mut latest = Some(now);
        for (at, cause) in gates {
            if at != Some(now) {
                self.held.note(cause, now);
            }
            latest = latest.zip(at).map(|(latest, at)| latest.max(at));
        }
        latest
    }

    /// Nothing is shared at all while a slow cap allows nothing.
    fn level_gate(&self, now: Instant) -> Option<Instant> {
        (self.level().0 > 0).then_some(now)
    }

    fn take(&mut self, work: Work, now: Instant) {
        let cost = self.energy.cost(work, self.cpu.cost(work));
        self.cpu.take(work, now);
        self.energy.take(cost, now);
    }

    fn is_stopped_by_battery(&self, device: &Device) -> bool {
        let Some(battery) = device.battery.filter(|battery| battery.discharging) else {
            return false;
        };
        match self.caps.battery {
            Battery::Ignore => false,
            Battery::Never => true,
            // Two parts in a hundred more are asked for before it begins again.
            Battery::Above(Share(level)) => {
                let above = if self.on_battery { level.saturating_add(20) } else { level };
                battery.level_permille.is_none_or(|have| have <= above)
            }
        }
    }

    pub(super) fn apply(&mut self, now: Instant) {
        let (up, down) = self.rates(now);
        self.up.set(up, now);
        self.words.set(up.words(), now);
        self.down.set(down, now);
        self.cpu.set(self.caps.cpu, self.level().0, now);
    }
}

/// The work of one message.
const WORD: Work = Work { words: 1, given: 0, taken: 0, played: 0, fetched: 0 };

/// Bytes on the wire for a message that came: an acknowledgement of 66, where no two share it and
/// none goes along with an answer.
const ACKNOWLEDGED: u64 = 33;

/// Heads of files take less than this part of what follows them.
const HEADS: u64 = 128;

/// Thousandths of time waited for memory at which nothing is fetched ahead.
const SHORT: u16 = 100;

/// How long a cap counts as holding something back after it did.
pub(super) const RECENT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::super::bandwidth::burst;
    use super::*;
    use crate::base::units::{PerDay, Rate, Size};
    use crate::config::caps::Rates as CapRates;

    const SLICE: u64 = 1 << 20;

    #[test]
    fn writes_count_when_they_are_made_and_are_set_aside_before() {
        let now = Instant::from_micros(0);
        let flash_writes = Some(PerDay(Size(4 * SLICE)));
        let mut governor = Governor::new(Caps { flash_writes, ..Caps::default() }, now);
        for _ in 0..3 {
            assert!(governor.may_write(SLICE, now));
        }
        assert!(!governor.may_write(SLICE, now), "three are under way, and heads come on top");
        governor.on_wrote((3 * SLICE, 0), now);
        for _ in 0..3 {
            assert!(governor.may_write(SLICE, now), "what was not written is there again");
            governor.on_wrote((SLICE, SLICE + 2000), now);
        }
        assert!(!governor.may_write(SLICE, now));
        assert_eq!(governor.written.used(now).0, 3 * (SLICE + 2000));
    }

    #[test]
    fn news_leave_most_of_a_small_rate_to_the_blocks_and_no_second_is_above_it() {
        let rate = Rate(500_000);
        let rates = CapRates { upload_home: Some(rate), ..CapRates::default() };
        let start = Instant::from_micros(0);
        let caps = Caps { cpu: None, rates, ..Caps::default() };
        let mut governor = Governor::new(caps, start);
        let (mut blocks, mut words, mut left) = (0, 0, Vec::new());
        for millis in 0..20_000 {
            let now = start + Duration::from_millis(millis);
            // Two peers seek a segment each every 25 ms, and take whatever they are given.
            for peer in [(PeerId(1), Tier::Home), (PeerId(2), Tier::Home)] {
                let record = 300 + 32 * 64;
                if millis % 25 == 0 && governor.news(peer, record, now) == Some(now) {
                    governor.tell(peer, (record, true), now);
                    words += said_on_wire(record, false);
                    left.push((millis, said_on_wire(record, false)));
                }
                if governor.upload(peer, limits::block::BLOCK, now) == Some(now) {
                    governor.give(peer, limits::block::BLOCK, now);
                    blocks += on_wire(limits::block::BLOCK);
                    left.push((millis, on_wire(limits::block::BLOCK)));
                }
            }
        }
        let most = rate.0 / 8 * 20;
        assert!(blocks >= most * 8 / 10 && words >= most / 10, "{blocks} {words} of {most}");
        assert!((blocks + words) * 100 >= most * 95, "{blocks} {words} of {most}");
        for (first, (begin, _)) in left.iter().enumerate() {
            let within = left[first..].iter().take_while(|(at, _)| at - begin <= 1000);
            let sum: u64 = within.map(|(_, bytes)| bytes).sum();
            assert!(sum <= rate.0 / 8 + burst(rate), "{sum} from {begin} ms");
        }
    }

    #[test]
    fn of_whom_nothing_may_be_taken_is_known_by_tier() {
        let takes = |rates: CapRates| {
            let caps = Caps { rates, ..Caps::default() };
            let governor = Governor::new(caps, Instant::from_micros(0));
            [Tier::Home, Tier::Isp, Tier::Wan].map(|tier| governor.may_take(tier))
        };
        let (none, little) = (Some(Rate(0)), Some(Rate(1000)));
        assert_eq!(takes(CapRates { download: none, ..CapRates::default() }), [false; 3]);
        assert_eq!(takes(CapRates { download: little, ..CapRates::default() }), [true; 3]);
        let no_wan = CapRates { download_wan: none, ..CapRates::default() };
        assert_eq!(takes(no_wan), [true, true, false]);
    }

    #[test]
    fn what_is_used_up_closes_the_tiers_beyond_the_home_and_no_other() {
        let now = Instant::from_micros(0);
        let mut caps = Caps::default();
        caps.volume.day_up = Some(Size(2 << 20));
        let mut governor = Governor::new(caps, now);
        let (near, far) = ((PeerId(1), Tier::Home), (PeerId(2), Tier::Wan));
        let mut given = 0;
        while governor.closed(far, now).is_none() && given < 100 {
            governor.give(far, limits::block::BLOCK, now);
            given += 1;
        }
        // Two megabytes hold 32 blocks, and heads come on top.
        assert!((28..32).contains(&given), "{given}");
        assert_eq!(governor.closed(near, now), None);
    }
}
