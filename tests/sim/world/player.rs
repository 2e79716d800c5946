//! A player with a buffer: playlists, renditions, segments, and the stalls that its viewer sees.

use std::time::Duration;

use neap::base::id::ExchangeId;
use neap::base::range::ByteRange;
use neap::base::time::Instant;

use super::calendar::Event;
use super::exchange::Outcome;
use super::library::{Listing, Thing};
use super::scene::Audience;
use super::turn::World;

/// What a player does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    Come,
    Go,
    /// It looks whether there is something to ask for.
    Look,
    /// Its playlist is due.
    Refresh,
    /// Its buffer may be empty.
    Dry,
}

/// A player at work.
#[derive(Debug)]
pub struct Player {
    pub audience: usize,
    pub wants: Audience,
    on: bool,
    rendition: usize,
    listing: Option<Listing>,
    /// When it began to load its latest playlist.
    listed: Instant,
    playlist: Option<ExchangeId>,
    /// What of its stream it is loading: the thing, and the number of a media segment.
    loading: Option<(ExchangeId, Option<u64>)>,
    next: Option<u64>,
    has_key: bool,
    has_init: Option<usize>,
    /// Media that was loaded, and played when it was looked at last.
    loaded: Duration,
    played: Duration,
    looked: Instant,
    playing: bool,
    /// Bits a second, as it has seen.
    rate: Option<u64>,
    failures: u32,
    refresh_due: bool,
    refresh_at: Option<Instant>,
    pub session: Session,
}

/// What a viewer saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub node: usize,
    pub audience: usize,
    pub show: usize,
    pub came: Instant,
    pub started: Option<Instant>,
    pub stalls: u32,
    pub stalled: Duration,
    /// The same after its first ten seconds.
    pub stalled_late: Duration,
    /// Segments that it left out.
    pub skipped: u64,
    /// Requests that failed.
    pub errors: u32,
    pub segments: u64,
    /// The least that its buffer held after the first ten seconds, and when it was not ended.
    pub lowest: Option<Duration>,
    /// Whether it was played to its end.
    pub ended: bool,
    /// When each segment was here.
    pub had: Vec<(u64, Instant)>,
}

impl Player {
    pub fn new(node: usize, audience: usize, wants: Audience, now: Instant) -> Self {
        let show = wants.show;
        let session = Session { node, audience, show, came: now, ..Session::default() };
        Self {
            audience,
            wants,
            on: true,
            rendition: 0,
            listing: None,
            listed: now,
            playlist: None,
            loading: None,
            next: None,
            has_key: false,
            has_init: None,
            loaded: Duration::ZERO,
            played: Duration::ZERO,
            looked: now,
            playing: false,
            rate: None,
            failures: 0,
            refresh_due: false,
            refresh_at: None,
            session,
        }
    }

    fn buffer(&self) -> Duration {
        self.loaded.saturating_sub(self.played)
    }

    /// Plays up to now; whether the buffer ran dry on the way.
    fn play(&mut self, now: Instant) {
        let passed = now - self.looked;
        self.looked = now;
        let before = self.session.stalled;
        self.play_on(passed, now);
        if now - self.session.came > SETTLED {
            self.session.stalled_late += self.session.stalled - before;
        }
    }

    fn play_on(&mut self, passed: Duration, now: Instant) {
        if self.playing {
            let buffer = self.buffer();
            self.played += passed.min(buffer);
            if passed >= buffer {
                self.playing = false;
                if self.has_ended() {
                    self.session.ended = true;
                } else {
                    self.session.stalls += 1;
                    self.session.stalled += passed.saturating_sub(buffer);
                }
            }
            let settled = now - self.session.came > SETTLED;
            if settled && !self.has_ended() {
                let left = self.buffer();
                self.session.lowest = Some(self.session.lowest.map_or(left, |low| low.min(left)));
            }
        } else if self.session.started.is_some() && self.on && !self.session.ended {
            self.session.stalled += passed;
        }
    }

    /// The node slept up to now; nothing was played.
    pub const fn slept(&mut self, now: Instant) {
        self.looked = now;
    }

    fn has_ended(&self) -> bool {
        let end = self.listing.filter(|listing| listing.ended);
        end.is_some_and(|listing| self.next == Some(listing.first + listing.count))
    }
}

impl World {
    pub fn on_player(&mut self, node: usize, player: usize, what: Play) {
        if self.nodes[node].asleep {
            return self.player_later((node, player), Duration::from_millis(100), what);
        }
        if what == Play::Come {
            let show = self.player(node, player).wants.show;
            self.player_mut(node, player).rendition = self.library.shows[show].renditions.len() - 1;
            return self.load_one((node, player), (Thing::Master { show }, None), None);
        }
        if !self.player(node, player).on {
            return;
        }
        let now = self.now();
        match what {
            Play::Come => {}
            Play::Go => self.switch_off(node, player),
            Play::Look => self.look(node, player),
            Play::Refresh => {
                let it = self.player_mut(node, player);
                if it.refresh_at.is_some_and(|at| at <= now) {
                    (it.refresh_due, it.refresh_at) = (true, None);
                    self.look(node, player);
                }
            }
            Play::Dry => {
                let it = self.player_mut(node, player);
                if it.playing && it.looked + it.buffer() <= now {
                    it.play(now);
                    if it.session.ended {
                        self.switch_off(node, player);
                    } else if self.tells {
                        println!("{} node {node} player {player} STALLS", self.clock());
                    }
                }
            }
        }
    }

    fn player(&self, node: usize, player: usize) -> &Player {
        &self.nodes[node].players[player]
    }

    fn player_mut(&mut self, node: usize, player: usize) -> &mut Player {
        &mut self.nodes[node].players[player]
    }

    pub fn player_later(&mut self, (node, player): (usize, usize), after: Duration, what: Play) {
        let life = self.nodes[node].life;
        self.calendar.after(after, Event::Player { node, life, player, what });
    }

    /// The player ends: what it loads is left, what its viewer saw is noted.
    pub fn switch_off(&mut self, node: usize, player: usize) {
        let now = self.now();
        let it = self.player_mut(node, player);
        it.play(now);
        it.on = false;
        let session = core::mem::take(&mut it.session);
        let under_way = [it.playlist.take(), it.loading.take().map(|(id, _)| id)];
        self.sessions.push(session);
        for exchange in under_way.into_iter().flatten() {
            self.leave(node, exchange);
        }
    }

    /// All players of a node vanish with it.
    pub fn drop_players(&mut self, node: usize) {
        let now = self.now();
        for mut player in core::mem::take(&mut self.nodes[node].players) {
            if player.on {
                player.play(now);
                self.sessions.push(player.session);
            }
        }
    }

    /// Playing stands still while a node sleeps.
    pub fn wake_players(&mut self, node: usize) {
        let now = self.now();
        for player in 0..self.nodes[node].players.len() {
            self.player_mut(node, player).looked = now;
            self.schedule_dry(node, player);
            self.player_later((node, player), Duration::ZERO, Play::Look);
        }
    }

    /// The node goes to sleep: up to now it was played.
    pub fn pause_players(&mut self, node: usize) {
        let now = self.now();
        self.nodes[node].players.iter_mut().for_each(|player| player.play(now));
    }

    /// The player goes to another place in a show on demand.
    pub fn seek(&mut self, node: usize, player: usize, to: u64) {
        let now = self.now();
        let it = self.player_mut(node, player);
        let Some(listing) = it.listing.filter(|listing| it.on && listing.ended) else { return };
        it.play(now);
        // What comes after a seek is a start, and no stall.
        if it.session.started.is_some() {
            it.loaded = it.played;
            it.playing = false;
            it.session.started = None;
        }
        it.next = Some(listing.first + to % listing.count);
        if let Some((id, _)) = it.loading.take() {
            self.leave(node, id);
        }
        self.look(node, player);
    }

    /// Asks for what is to be asked for.
    fn look(&mut self, node: usize, player: usize) {
        let now = self.now();
        let it = self.player_mut(node, player);
        if !it.on {
            return;
        }
        it.play(now);
        let show = it.wants.show;
        let wants_list = it.listing.is_none() || it.refresh_due;
        if it.playlist.is_none() && wants_list {
            (it.refresh_due, it.listed) = (false, now);
            let rendition = it.rendition;
            let next = ExchangeId(self.nodes[node].last_exchange + 1);
            self.player_mut(node, player).playlist = Some(next);
            self.ask(node, player, (Thing::Playlist { show, rendition }, None));
        }
        let it = self.player(node, player);
        let Some(listing) = it.listing else { return };
        if it.loading.is_some() || listing.rendition != it.rendition {
            return;
        }
        let goal = if listing.ended { it.wants.goal } else { LIVE_GOAL };
        if it.buffer() >= goal && it.playing {
            let after = it.buffer() - goal + Duration::from_millis(1);
            return self.player_later((node, player), after, Play::Look);
        }
        self.load(node, player, listing);
    }

    fn load(&mut self, node: usize, player: usize, listing: Listing) {
        let show = &self.library.shows[listing.show];
        let (keys, init) = (show.keys, show.init);
        let it = &mut self.nodes[node].players[player];
        let mut next = it.next.unwrap_or_else(|| {
            let behind = if listing.ended { listing.count } else { it.wants.behind };
            listing.first + listing.count.saturating_sub(behind)
        });
        if next < listing.first {
            it.session.skipped += listing.first - next;
            next = listing.first;
        }
        it.next = Some(next);
        let (what, number) = if keys && !it.has_key {
            ((Thing::Key { show: listing.show }, None), None)
        } else if init && it.has_init != Some(listing.rendition) {
            let (show, rendition) = (listing.show, listing.rendition);
            ((Thing::Init { show, rendition }, None), None)
        } else if next < listing.first + listing.count {
            (self.library.segment(listing, next), Some(next))
        } else {
            return;
        };
        self.load_one((node, player), what, number);
    }

    fn load_one(
        &mut self,
        (node, player): (usize, usize),
        what: (Thing, Option<ByteRange>),
        number: Option<u64>,
    ) {
        // The number is known before the answer, which may come in this very turn.
        let next = ExchangeId(self.nodes[node].last_exchange + 1);
        self.player_mut(node, player).loading = Some((next, number));
        let id = self.ask(node, player, what);
        debug_assert_eq!(id, next, "exchanges are numbered in order");
    }

    /// A request of the player has ended.
    pub fn on_outcome(&mut self, node: usize, (player, id): (usize, ExchangeId), end: Outcome) {
        if self.nodes[node].players.get(player).is_none_or(|it| !it.on) {
            return;
        }
        if self.tells {
            let Outcome { thing, status, whole, bytes, took, .. } = &end;
            let clock = self.clock();
            println!(
                "{clock} node {node} player {player}: {thing:?} {status} {whole} {bytes} {took:?}"
            );
        }
        let good = end.whole && matches!(end.status, 200 | 206) && !end.got.is_empty();
        match end.thing {
            Thing::Master { .. } => self.on_master(node, player, good),
            Thing::Playlist { rendition, .. } => {
                let it = self.player_mut(node, player);
                if it.playlist != Some(id) {
                    return;
                }
                it.playlist = None;
                let listing =
                    end.got.first().and_then(|(content, _)| self.library.listing(*content));
                let listing = listing.filter(|_| good);
                self.on_listing((node, player), rendition, listing);
            }
            _ => self.on_loaded_part((node, player), id, (good, end)),
        }
    }

    fn on_master(&mut self, node: usize, player: usize, good: bool) {
        let it = self.player_mut(node, player);
        it.loading = None;
        if good {
            self.player_later((node, player), Duration::ZERO, Play::Look);
        } else {
            it.session.errors += 1;
            self.player_later((node, player), RETRY, Play::Come);
        }
    }

    fn on_listing(
        &mut self,
        (node, player): (usize, usize),
        rendition: usize,
        listing: Option<Listing>,
    ) {
        let it = self.player_mut(node, player);
        if rendition != it.rendition {
            return self.player_later((node, player), Duration::ZERO, Play::Look);
        }
        let Some(listing) = listing else {
            it.session.errors += 1;
            return self.refresh_after((node, player), RETRY);
        };
        let changed = it.listing != Some(listing);
        it.listing = Some(listing);
        let began = it.listed;
        if !listing.ended {
            // RFC 8216, 6.3.4: the target duration, half of it where nothing has changed.
            let target = self.library.shows[listing.show].segment;
            let wait = if changed { target } else { target / 2 };
            let passed = self.now() - began;
            let after = wait.saturating_sub(passed);
            self.refresh_after((node, player), after);
        }
        self.player_later((node, player), Duration::ZERO, Play::Look);
    }

    fn refresh_after(&mut self, (node, player): (usize, usize), after: Duration) {
        self.player_mut(node, player).refresh_at = Some(self.calendar.now + after);
        self.player_later((node, player), after, Play::Refresh);
    }

    fn on_loaded_part(
        &mut self,
        (node, player): (usize, usize),
        id: ExchangeId,
        (good, end): (bool, Outcome),
    ) {
        let now = self.now();
        let it = self.player_mut(node, player);
        let Some((_, number)) = it.loading.filter(|(loading, _)| *loading == id) else { return };
        it.loading = None;
        it.play(now);
        if !good {
            it.session.errors += 1;
            it.failures += 1;
            if it.failures > PATIENCE {
                it.failures = 0;
                it.session.skipped += 1;
                it.next = it.next.map(|next| next + 1);
            }
            return self.player_later((node, player), RETRY, Play::Look);
        }
        it.failures = 0;
        match end.thing {
            Thing::Key { .. } => it.has_key = true,
            Thing::Init { rendition, .. } => it.has_init = Some(rendition),
            _ => self.on_segment((node, player), number, &end),
        }
        self.player_later((node, player), Duration::ZERO, Play::Look);
    }

    fn on_segment(&mut self, (node, player): (usize, usize), number: Option<u64>, end: &Outcome) {
        let now = self.now();
        let show = end.thing.show();
        let (long, rates) = {
            let show = &self.library.shows[show];
            (show.segment, show.renditions.clone())
        };
        let it = self.player_mut(node, player);
        let Some(number) = number else { return };
        it.next = Some(number + 1);
        it.loaded += long;
        it.session.segments += 1;
        it.session.had.push((number, now));
        if !it.playing {
            it.playing = true;
            it.session.started.get_or_insert(now);
        }
        let took = end.took.max(Duration::from_millis(1));
        let seen = (u128::from(end.bytes) * 8_000_000 / took.as_micros()).min(1 << 40) as u64;
        let rate = it.rate.map_or(seen, |rate| (rate * 2 + seen) / 3);
        it.rate = Some(rate);
        if it.wants.adapts {
            let fits = |r: &&u64| **r <= rate * 7 / 10;
            let choice = rates.iter().rposition(|r| fits(&r)).unwrap_or(0);
            if choice != it.rendition {
                it.rendition = choice;
                (it.listing, it.refresh_due, it.refresh_at) = (None, false, None);
            }
        }
        self.schedule_dry(node, player);
    }

    fn schedule_dry(&mut self, node: usize, player: usize) {
        let it = self.player(node, player);
        if it.playing {
            let after = it.buffer();
            self.player_later((node, player), after, Play::Dry);
        }
    }
}

/// How long a start lasts: what a player does then is not compared stall by stall.
const SETTLED: Duration = Duration::from_secs(10);

/// A live player takes everything that is listed.
const LIVE_GOAL: Duration = Duration::from_secs(3600);

/// How long a player waits before it asks again.
const RETRY: Duration = Duration::from_millis(500);

/// How often a player asks again before it leaves a segment out.
const PATIENCE: u32 = 8;
