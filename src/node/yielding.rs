//! A witness leaves the line to a player at home that begins, and follows nothing that it has
//! turned away from.

use core::time::Duration;

use super::fetch::By;
use super::machine::Machine;
use super::swarm::Swarm;
use crate::base::digest::Digest;
use crate::base::id::FetchId;
use crate::base::peer::{PeerId, Tier};
use crate::base::time::Instant;
use crate::base::url::Locator;

/// A playlist that a peer watches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    name: Digest,
    /// When it was last told of it, and how long a segment of it plays.
    at: Instant,
    plays: Duration,
    /// Where it was last, as far as that is known.
    position: Option<u64>,
}

impl Machine {
    /// A peer's player is at a segment of a playlist. Where it begins or has sought another
    /// place, its node takes what is there from the origin at once, and for the time of that
    /// nothing new is fetched beside it.
    pub(super) fn give_way(&mut self, peer: PeerId, (name, segment): (Digest, &Locator)) {
        let listed = self.timeline.listed(segment, None);
        let is_live = listed.is_none_or(|listed| listed.live);
        let plays = listed.map_or(UNKNOWN, |listed| listed.target);
        let (position, is_new) = (self.timeline.position(segment), self.is_new(segment));
        let now = self.now;
        let Some(swarm) = &mut self.swarm else { return };
        let Some(link) = swarm.links.get_mut(&peer) else { return };
        let watches = &mut link.watches;
        let known = watches.iter().position(|watched| watched.name == name);
        let was = known.map(|place| watches.remove(place));
        let goes_on = was.is_some_and(|was| {
            let step = was.position.zip(position).and_then(|(was, is)| is.checked_sub(was));
            is_live || step.is_some_and(|step| step <= NEAR)
        });
        let left = watches.iter().position(|other| other.is_left(now));
        let left = left.map(|place| watches.remove(place));
        watches.truncate(WATCHES - 1);
        watches.insert(0, Watched { name, at: now, plays, position });
        let is_near = link.tier == Tier::Home;
        let (takes, plays) = (swarm.scheduler.takes() * 2, swarm.scheduler.plays());
        // On a line that carries no second stream all are served best by one copy.
        let may = is_near && takes <= plays && now >= self.ahead_from + MOST_WAY;
        if may && is_new && !goes_on {
            self.ahead_from = now + takes.min(MOST_WAY);
        }
        if let Some(left) = left {
            self.leave_shadow(left.name);
        }
    }

    /// Follows a playlist no more that nobody watches, and ends what is on its way of it.
    fn leave_shadow(&mut self, name: Digest) {
        let Some(swarm) = &mut self.swarm else { return };
        if swarm.is_watched(name) {
            return;
        }
        let Some(shadow) = swarm.shadows.remove(&name) else { return };
        let of_it = |locator: &Locator| {
            let listed = self.timeline.listed(locator, None);
            listed.is_some_and(|listed| *listed.playlist == shadow.playlist)
        };
        let alone = self.fetches.iter().filter(|(_, fetch)| {
            let is_alone = fetch.ask.ahead && fetch.followers.is_empty();
            is_alone && fetch.by == By::Origin && of_it(&fetch.ask.locator)
        });
        let ended: Vec<FetchId> = alone.map(|(id, _)| *id).collect();
        self.timeline.on_left(&shadow.playlist);
        ended.into_iter().for_each(|id| self.stop(id));
    }
}

impl Watched {
    /// Whether its player would have asked for more since.
    fn is_left(&self, now: Instant) -> bool {
        now - self.at > self.plays * 3 / 2
    }
}

impl Swarm {
    fn is_watched(&self, name: Digest) -> bool {
        self.links.values().any(|link| link.watches.iter().any(|watched| watched.name == name))
    }
}

/// Playlists of a peer that are remembered.
const WATCHES: usize = 8;

/// A player that goes on is no further than that from where it was.
const NEAR: u64 = 2;

/// How long a segment of a list plays that is not known yet.
const UNKNOWN: Duration = Duration::from_secs(10);

/// How long the line is left to who begins, at most.
const MOST_WAY: Duration = Duration::from_millis(1500);
