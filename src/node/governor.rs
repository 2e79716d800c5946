//! Where the caps meet the engines: readings in, a grant before each piece of work.

use core::time::Duration;

use super::event::Output;
use super::machine::Machine;
use crate::base::limits;
use crate::base::page::Page;
use crate::base::peer::{PeerId, Role, Tier};
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::time::Instant;
use crate::config::model::Config;
use crate::engine::caps::cause::Cause;
use crate::engine::caps::governor::{End, Governor};
use crate::engine::caps::readings::{Readings, Rhythm};
use crate::engine::caps::work::Work;
use crate::wire::message::Message;
use crate::wire::record::Record;

/// The caps of one node, and what goes with them.
pub(super) struct Rule {
    pub(super) governor: Governor,
    /// How the device is read now, and until when at least.
    rhythm: Option<Rhythm>,
    until: Instant,
    /// When what was used was last noted, and whether more was used since.
    noted: Instant,
    is_new: bool,
    /// Since when no player has asked for anything.
    quiet: Instant,
    /// Bytes of origins that the governor knows of.
    came: u64,
}

impl Rule {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Self {
            governor: Governor::new(config.caps.clone(), now),
            rhythm: None,
            until: now,
            noted: now,
            is_new: false,
            quiet: now,
            came: 0,
        }
    }

    /// When something of the caps is due: readings end, a page is written, standby begins.
    pub(super) fn poll_timeout(&self, standby: Option<Duration>) -> Option<Instant> {
        let note = self.is_new.then_some(self.noted + limits::device::NOTE);
        let ends = self.rhythm.map(|_| self.until);
        let rests = standby.map(|after| self.quiet + after);
        [note, ends, rests].into_iter().flatten().min()
    }
}

impl Machine {
    /// The device told something of itself.
    pub(super) fn on_reading(&mut self, readings: &Readings) {
        let fetched = self.came.saturating_sub(self.rule.came);
        self.rule.came = self.came;
        let mut readings = readings.clone();
        if let Some(resident) = readings.process.resident.as_mut().filter(|_| self.disk_in_memory) {
            // Pages of a tmpfs are no part of the process, but of what it costs the device.
            *resident = resident.saturating_add(self.disk.used());
        }
        let governor = &mut self.rule.governor;
        governor.note(Work { fetched, ..Work::default() });
        // What is known of what is stored is a part of what the tier may take, not beside it.
        let held = self.memory.used() + self.index.metadata_bytes() as u64;
        governor.on_reading(&readings, held, self.now);
        while let Some(words) = self.rule.governor.warning(self.now) {
            self.say(log::Level::Warn, words.into());
        }
        self.make_room();
    }

    /// A page of the notebook is here.
    pub(super) fn on_noted(&mut self, page: Page, text: Option<&str>) {
        match (page, text) {
            (Page::Caps, Some(text)) => {
                let date = self.date();
                if !self.rule.governor.restore(text, date, self.now) {
                    let lost = "what was noted of the caps makes no sense: what of it does counts";
                    self.say(log::Level::Warn, lost.into());
                }
            }
            (Page::Caps, None) => {}
            (Page::Ledger, text) => self.on_ledger_page(text),
            (Page::Switch, text) => self.on_switch_page(text),
        }
    }

    /// The node goes down.
    pub(super) fn on_stopping(&mut self) {
        self.note_caps();
        self.note_ledger(true);
    }

    /// What the caps want done after everything else: the rhythm of readings, a page, standby.
    pub(super) fn govern(&mut self) {
        let now = self.now;
        if self.resting {
            self.rule.quiet = now;
            self.sense(None);
            return self.note_caps();
        }
        if !self.exchanges.is_empty() {
            self.rule.quiet = now;
        }
        let standby = self.config.caps.standby_after;
        if standby.is_some_and(|after| now >= self.rule.quiet + after) {
            return self.rest();
        }
        let wanted = self.wanted_rhythm();
        if wanted.is_some() {
            self.rule.until = now + LINGER;
            self.sense(wanted);
        } else if now >= self.rule.until {
            self.sense(None);
        }
        if now >= self.rule.noted + limits::device::NOTE {
            self.note_caps();
        }
    }

    /// How often the device is read for what goes on now: not at all when nothing does.
    fn wanted_rhythm(&self) -> Option<Rhythm> {
        let swarm = self.swarm.as_ref();
        let shares = swarm.is_some_and(|s| s.slots.is_wanted() || !s.downloads.is_empty());
        let plays = !self.exchanges.is_empty() || !self.fetches.is_empty();
        match (shares, plays) {
            (true, _) => Some(Rhythm { process: SHARING, device: DEVICE }),
            (false, true) => Some(Rhythm { process: DEVICE, device: DEVICE }),
            (false, false) => None,
        }
    }

    fn sense(&mut self, rhythm: Option<Rhythm>) {
        if self.rule.rhythm == rhythm {
            return;
        }
        if rhythm.is_none() {
            self.rule.governor.pause();
        }
        self.rule.rhythm = rhythm;
        self.put(Output::Sense(rhythm));
    }

    fn note_caps(&mut self) {
        self.rule.noted = self.now;
        if core::mem::take(&mut self.rule.is_new) {
            let text = self.rule.governor.to_page(self.date(), self.now);
            self.put(Output::Note { page: Page::Caps, text });
        }
    }

    /// Tells the slots which peers nothing may be given to now.
    pub(super) fn hold_back(&mut self) {
        let Some(swarm) = &mut self.swarm else { return };
        for peer in swarm.slots.hopeful() {
            let Some(link) = swarm.links.get(&peer) else { continue };
            let from = self.rule.governor.upload((peer, link.tier), limits::block::BLOCK, self.now);
            swarm.slots.hold(peer, from, self.now);
        }
    }

    /// The cap that lets a peer have nothing for now. It is told nothing then: words leave by the
    /// same line.
    pub(super) fn closed_to(&self, peer: PeerId) -> Option<Cause> {
        self.rule.governor.closed(self.end_of(peer)?, self.now)
    }

    /// Takes what a block costs that is given now.
    pub(super) fn charge_give(&mut self, peer: PeerId) {
        if let Some(end) = self.end_of(peer) {
            self.rule.governor.give(end, limits::block::BLOCK, self.now);
            self.rule.is_new = true;
        }
    }

    /// The blocks that may be asked of a peer now; the others are looked for elsewhere.
    pub(super) fn grant_blocks(
        &mut self,
        peer: PeerId,
        (segment, blocks): (SegmentId, BlockSet),
    ) -> BlockSet {
        let Some(end) = self.end_of(peer) else { return blocks };
        let mut granted = BlockSet::NONE;
        for block in blocks.iter() {
            let from = self.rule.governor.download(end, limits::block::BLOCK, self.now);
            if from != Some(self.now) {
                let rest = blocks.less(granted);
                // While nobody can tell it is tried again a little later; meanwhile others, and
                // the origin, are there.
                let until = from.unwrap_or(self.now + limits::swarm::DENIED);
                let Some(swarm) = &mut self.swarm else { return granted };
                swarm.scheduler.on_held(peer, (segment, rest, until), self.now);
                break;
            }
            self.rule.governor.ask(end, limits::block::BLOCK, self.now);
            self.rule.is_new = true;
            granted = granted.or(BlockSet::one(block));
        }
        granted
    }

    /// Counts a message.
    pub(super) fn charge_tell(&mut self, peer: PeerId, message: &Message) {
        let Some(end) = self.end_of(peer) else { return };
        let (bytes, news) = match message {
            Message::Record(record) => (record_bytes(record), true),
            Message::Have { .. } | Message::Whole { .. } => (USUAL_MESSAGE, true),
            _ => (USUAL_MESSAGE, false),
        };
        self.rule.governor.tell(end, (bytes, news), self.now);
    }

    /// A message came.
    pub(super) fn charge_hear(&mut self, peer: PeerId) {
        if let Some(end) = self.end_of(peer) {
            self.rule.governor.hear(end, self.now);
        }
    }

    /// When a peer may be told of a segment, which begins with this; none while nobody can tell.
    /// What a witness says is what it is there for.
    pub(super) fn news_from(&mut self, peer: PeerId, first: &Message) -> Option<Instant> {
        let is_witness = self.swarm.as_ref().is_some_and(|swarm| swarm.role == Role::Witness);
        let Some(end) = self.end_of(peer).filter(|_| !is_witness) else { return Some(self.now) };
        let record = match first {
            Message::Record(record) => record_bytes(record),
            _ => 0,
        };
        self.rule.governor.news(end, record + USUAL_MESSAGE, self.now)
    }

    /// The way to a peer was seen to carry so much: beyond the home it leads over the uplink.
    pub(super) fn on_carried(&mut self, peer: PeerId, (bits, is_full): (u64, bool)) {
        if let Some(end) = self.end_of(peer).filter(|(_, tier)| *tier != Tier::Home) {
            self.rule.is_new |= self.rule.governor.on_carried(end, (bits, is_full), self.now);
        }
    }

    /// Whether a slice may be written to disk; its bytes are set aside until [`Self::on_wrote`].
    pub(super) fn may_write(&mut self, bytes: u64) -> bool {
        self.rule.governor.may_write(bytes, self.now)
    }

    /// What was set aside is under way no more: what the disk got counts.
    pub(super) fn on_wrote(&mut self, ordered: u64, bytes: u64) {
        self.rule.governor.on_wrote((ordered, bytes), self.now);
        self.rule.is_new |= bytes > 0;
    }

    /// Notes work that was done for peers or players.
    pub(super) const fn note_work(&mut self, work: Work) {
        self.rule.governor.note(work);
    }

    /// Whether the router has room for another link; where it has for all that there may be, the
    /// roster knows who makes way for whom.
    pub(super) fn has_link_room(&self) -> bool {
        let links = self.swarm.as_ref().map_or(0, |swarm| swarm.links.len());
        let most = self.config.network.max_peers;
        let room = self.rule.governor.links(most);
        room >= most || links < room
    }

    fn end_of(&self, peer: PeerId) -> Option<End> {
        let link = self.swarm.as_ref()?.links.get(&peer)?;
        Some((peer, link.tier))
    }
}

/// Bytes of a record with its head.
fn record_bytes(record: &Record) -> u64 {
    300 + 32 * record.statement.blocks.len() as u64
}

/// How often the process is read while something is shared: a share of a core is held in windows
/// of a second, and a reading costs 5 microseconds.
const SHARING: Duration = Duration::from_millis(250);

/// How often the device is read: heat and power follow in seconds.
const DEVICE: Duration = Duration::from_secs(5);

/// How long it is read on after the last work, so that a pause between segments ends nothing.
const LINGER: Duration = Duration::from_secs(15);

/// Bytes of a message that is no record and no block, with its head.
const USUAL_MESSAGE: u64 = 60;
