//! A witness follows the streams that its network watches as if it had a player for each: it
//! takes every segment from the origin itself, so that it can sign it in time.

use core::time::Duration;
use std::collections::VecDeque;

use super::fetch::Ask;
use super::machine::Machine;
use super::report::Counter;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::peer::{PeerId, Role};
use crate::base::range::ByteRange;
use crate::base::segment::SegmentId;
use crate::base::time::Instant;
use crate::base::url::{Locator, without_dots, without_query};
use crate::engine::cache::index::Key;
use crate::engine::timeline::answer::Life;
use crate::wire::http::fields::Fields;
use crate::wire::message::Message;

/// A stream that is followed for those who watch it.
#[derive(Clone, Debug)]
pub(super) struct Shadow {
    pub(super) playlist: Locator,
    /// Whether it changes, as far as that is known.
    live: bool,
    /// When somebody last said that it is watched.
    asked: Instant,
    /// When its playlist was last asked for.
    read: Instant,
    /// When its playlist is to be read again; none while it is on its way or does not change.
    refresh: Option<Instant>,
    /// Segments that players have reached, until the playlist is known that lists them; the last
    /// [`REACHED`] of them.
    reached: VecDeque<Locator>,
    /// Those that it lists and whose turn has not come; the last [`REACHED`] of them.
    open: VecDeque<Locator>,
}

impl Shadow {
    /// When something is to be done for it.
    pub(super) fn due(&self) -> Option<Instant> {
        self.refresh
    }
}

impl Machine {
    /// A player asks for a segment: the witnesses are told what is watched, so that they follow.
    /// Only paths leave, never a query string.
    pub(super) fn tell_witnesses(&mut self, locator: &Locator) {
        let Some(swarm) = &self.swarm else { return };
        if swarm.role == Role::Witness {
            return;
        }
        let Some(message) = self.watch_of(locator) else { return };
        if !self.is_shareable(locator.origin) {
            return;
        }
        let topic = self.timeline.listed(locator, None).and_then(|listed| self.topic_of(&listed));
        let Some(swarm) = &mut self.swarm else { return };
        swarm.watched = Some(locator.clone());
        let witnesses = swarm.links.iter().filter(|(_, link)| link.role == Role::Witness);
        for peer in witnesses.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            // From here on it takes what the stream lists: its turn comes before others'.
            if let (Some(topic), Some(swarm)) = (topic, &mut self.swarm) {
                swarm.scheduler.on_seek(peer, topic, self.now);
            }
            self.tell(peer, message.clone());
        }
    }

    /// A witness that joins while something is watched is told at once.
    pub(super) fn watch_by(&mut self, peer: PeerId) {
        let Some(swarm) = &self.swarm else { return };
        let witness = swarm.links.get(&peer).is_some_and(|link| link.role == Role::Witness);
        let watched = swarm.watched.clone().filter(|at| witness && self.is_shareable(at.origin));
        if let Some(message) = watched.and_then(|locator| self.watch_of(&locator)) {
            self.tell(peer, message);
        }
    }

    fn watch_of(&self, locator: &Locator) -> Option<Message> {
        let listed = self.timeline.listed(locator, None)?;
        let origin = self.config.origins.get(usize::from(locator.origin.0))?;
        let playlist = without_query(&listed.playlist.target).to_owned();
        let segment = without_query(&locator.target).to_owned();
        let fits = playlist.len() <= limits::swarm::WATCH_PATH
            && segment.len() <= limits::swarm::WATCH_PATH;
        let name = origin.name.clone();
        (fits && listed.playlist.origin == locator.origin).then_some(Message::Watch {
            origin: name,
            playlist,
            segment,
        })
    }

    /// A peer says what its player watches.
    pub(super) fn on_watch(
        &mut self,
        peer: PeerId,
        (origin, playlist, segment): (&str, &str, &str),
    ) {
        let named = self.config.origin_named(origin).map(|(origin, _)| origin);
        let Some(origin) = named.filter(|origin| self.is_shareable(*origin)) else { return };
        let now = self.now;
        let Some(swarm) = &mut self.swarm else { return };
        let clean = |path: &str| path.bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b));
        // Nothing above the origin's base URL is asked for by a peer's word.
        let inside = |path: &str| path.starts_with('/') && without_dots(path) == path;
        let paths = [playlist, segment].iter().all(|path| inside(path) && clean(path));
        if swarm.role != Role::Witness || !paths {
            return;
        }
        let locator = |path: &str| Locator { origin, target: path.to_owned() };
        let name = Digest::of_parts([&origin.0.to_be_bytes(), playlist.as_bytes()]);
        if !swarm.shadows.contains_key(&name) && swarm.shadows.len() >= limits::swarm::SHADOWS {
            return self.report.add(Counter::ShadowsRefused, 1);
        }
        let playlist = locator(playlist);
        let shadow = swarm.shadows.entry(name).or_insert_with(|| Shadow {
            playlist,
            live: true,
            asked: now,
            read: Instant::default(),
            refresh: Some(now),
            reached: VecDeque::new(),
            open: VecDeque::new(),
        });
        shadow.asked = now;
        let segment = locator(segment);
        shadow.reached.push_back(segment.clone());
        if shadow.reached.len() > REACHED {
            shadow.reached.pop_front();
        }
        self.give_way(peer, (name, &segment));
        self.step_shadow(name);
        let Some(swarm) = &mut self.swarm else { return };
        let Some(shadow) = swarm.shadows.get_mut(&name) else { return };
        if !shadow.reached.is_empty() {
            // A player is ahead of the playlist that is known here: it is read again at once.
            let soonest = (shadow.read + QUICKEST).max(now);
            shadow.refresh = Some(shadow.refresh.map_or(soonest, |at| at.min(soonest)));
        }
    }

    /// Reads the playlists that are due, and forgets streams that nobody watches.
    pub(super) fn refresh_shadows(&mut self) {
        let Some(swarm) = &mut self.swarm else { return };
        let now = self.now;
        swarm.shadows.retain(|_, shadow| now - shadow.asked < limits::swarm::WATCHED);
        let due = |shadow: &Shadow| shadow.refresh.is_some_and(|at| at <= now);
        let due = swarm.shadows.iter().filter(|(_, shadow)| due(shadow));
        for name in due.map(|(name, _)| *name).collect::<Vec<_>>() {
            let Some(swarm) = &mut self.swarm else { return };
            let Some(shadow) = swarm.shadows.get_mut(&name) else { continue };
            // If it cannot be had, it is tried again then.
            (shadow.refresh, shadow.read) = (Some(now + SLOWEST), now);
            let playlist = shadow.playlist.clone();
            self.fetch_alone(playlist);
        }
    }

    /// A playlist came: the streams that follow it look what is new.
    pub(super) fn on_playlist(&mut self, playlist: &Locator) {
        let Some(swarm) = &self.swarm else { return };
        let path = without_query(&playlist.target);
        let same = |shadow: &Shadow| {
            shadow.playlist.origin == playlist.origin && shadow.playlist.target == path
        };
        let names = swarm.shadows.iter().filter(|(_, shadow)| same(shadow));
        for name in names.map(|(name, _)| *name).collect::<Vec<_>>() {
            self.step_shadow(name);
            let Some(swarm) = &mut self.swarm else { return };
            let Some(shadow) = swarm.shadows.get_mut(&name) else { continue };
            let life = self.timeline.lifetime(&shadow.playlist);
            shadow.live = matches!(life, Some(Life::Playlist { live: true, .. }));
            shadow.refresh = match life {
                Some(Life::Playlist { live: true, max_age }) => {
                    let pace = max_age.unwrap_or(SLOWEST).clamp(QUICKEST, SLOWEST);
                    Some(self.now + pace)
                }
                _ => None,
            };
        }
    }

    /// Goes where the player is: what it has reached is to be taken, and what comes next.
    fn step_shadow(&mut self, name: Digest) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(shadow) = swarm.shadows.get_mut(&name) else { return };
        let listed = |reached: &Locator| self.timeline.listed(reached, None).is_some();
        let (now_listed, unknown): (Vec<_>, Vec<_>) = shadow.reached.drain(..).partition(listed);
        shadow.reached = unknown.into();
        for reached in now_listed {
            self.timeline.on_request(&reached, None, self.now);
            shadow.open.push_back(reached);
        }
        shadow.open.drain(..shadow.open.len().saturating_sub(REACHED));
    }

    /// Takes what players of live streams, or of films, have reached, the latest first, as far as
    /// the line carries it; what has left its playlist meanwhile is of no use to others.
    pub(super) fn take_reached(&mut self, live: bool) {
        while self.may_take_reached() {
            let shadows = self.swarm.iter_mut().flat_map(|swarm| swarm.shadows.values_mut());
            let open = shadows.filter(|shadow| !shadow.open.is_empty() && shadow.live == live);
            let latest = open.max_by_key(|shadow| shadow.asked);
            let Some(reached) = latest.and_then(|shadow| shadow.open.pop_back()) else { break };
            if !live && self.timeline.is_in_parts(&reached) {
                self.watch_file(reached);
            } else if self.timeline.listed(&reached, None).is_some() {
                self.take_for_record(reached);
            }
        }
        self.take_windows();
    }

    /// Takes a segment from the origin if no record of it is known.
    fn take_for_record(&mut self, locator: Locator) {
        if self.is_new(&locator) {
            self.fetch_alone(locator);
        }
    }

    /// Whether a segment is neither here nor on its way, nor is there a word on it.
    pub(super) fn is_new(&self, locator: &Locator) -> bool {
        let key = Key { origin: locator.origin, identity: self.identity(locator) };
        let stored = self.index.variants(key.origin, &key.identity).next().is_some();
        let under_way = self.fetches.values().any(|fetch| fetch.ask.key == key);
        !stored && !under_way && !self.is_judged(&key)
    }

    /// Whether there is a word on each segment of a resource, or more than one on some: then its
    /// bytes would tell a witness nothing new, where its cache has let them go.
    pub(super) fn is_judged(&self, key: &Key) -> bool {
        let (Some(swarm), Some(resource)) = (&self.swarm, self.resource_of(key)) else {
            return false;
        };
        let first = SegmentId { resource, number: 0 };
        let Some(record) = swarm.verifier.record(first) else {
            return swarm.verifier.is_contested(first);
        };
        let all = ByteRange::new(0, record.statement.length);
        SegmentId::of_range(resource, all).all(|segment| {
            swarm.verifier.record(segment).is_some() || swarm.verifier.is_contested(segment)
        })
    }

    /// Asks the origin for something that no player of ours has asked for.
    pub(super) fn fetch_alone(&mut self, locator: Locator) {
        let key = Key { origin: locator.origin, identity: self.identity(&locator) };
        if self.fetches.values().any(|fetch| fetch.ask.key == key && fetch.ask.ahead) {
            return;
        }
        let ask = Ask::alone(key, locator, Fields::default());
        self.report.add(Counter::Prefetches, 1);
        self.begin(ask, None);
    }

    /// Whether this node takes everything from the origin itself.
    pub(super) fn is_witness(&self) -> bool {
        self.swarm.as_ref().is_some_and(|swarm| swarm.role == Role::Witness)
    }
}

/// Segments that are remembered until their playlist is here: as many as a player begins with.
const REACHED: usize = 8;

/// The pace of a playlist that says nothing of its own.
const SLOWEST: Duration = Duration::from_secs(5);

/// The quickest pace at which a witness reads a playlist.
const QUICKEST: Duration = Duration::from_millis(500);
