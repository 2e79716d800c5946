//! Meeting others beyond the home: which streams are announced, and what trackers answer.

use super::event::Output;
use super::machine::Machine;
use super::report::Counter;
use crate::base::limits;
use crate::base::peer::{FoundBy, Tier};
use crate::base::rng::Rng;
use crate::base::url::without_query;
use crate::config::model::Config;
use crate::engine::peers::meeting::{Meeting, naming_key, stream};
use crate::engine::peers::roster::Found;
use crate::wire::tracker::announce::{Answer, Call};

/// The meetings that a configuration allows: none without trackers or a key to name streams by,
/// none for a node that cannot be reached or that hides.
pub(super) fn open(config: &Config, rng: Rng) -> Option<Meeting> {
    let network = &config.network;
    let secret = network.secret.as_ref().map(|secret| secret.bytes());
    let key = naming_key(&network.name, secret, &network.operators)?;
    let may = !network.trackers.is_empty() && !network.listen.is_empty() && !network.relay_only;
    may.then(|| Meeting::new(key, network.trackers.len(), rng))
}

impl Machine {
    /// Looks what is played, and tells trackers what is due.
    pub(super) fn meet(&mut self) {
        let date = self.date();
        let now = self.now;
        let Some(swarm) = &mut self.swarm else { return };
        let muted = swarm.muted;
        if now - swarm.met >= LOOK {
            swarm.met = now;
            for playing in self.timeline.streams() {
                let origin = self.config.origins.get(usize::from(playing.listed.playlist.origin.0));
                let Some(origin) = origin.filter(|o| o.share.reach() > Some(Tier::Home) && !muted)
                else {
                    continue;
                };
                if now - playing.asked >= limits::meeting::MEET_OVER {
                    continue;
                }
                swarm.wide = swarm.wide.max(Some(playing.asked));
                if let Some(meeting) = &mut swarm.meeting {
                    let path = without_query(&playing.listed.playlist.target);
                    meeting.on_played(stream(&origin.name, path), playing.asked);
                }
            }
        }
        let Some(meeting) = &mut swarm.meeting else { return };
        let wanted = u16::try_from(swarm.roster.wanted(now)).unwrap_or(u16::MAX);
        let mut calls = Vec::new();
        while let Some(call) = meeting.poll(wanted.min(WANTED), date, now) {
            calls.push(call);
        }
        for call in calls {
            self.announce_to(call);
        }
    }

    /// A tracker answered: whom it names is worth a try, if that can harm nobody.
    pub(super) fn on_announced(&mut self, call: &Call, answer: Option<&Answer>) {
        let now = self.now;
        let Some(swarm) = &mut self.swarm else { return };
        let Some(meeting) = &mut swarm.meeting else { return };
        if answer.is_none() {
            self.report.add(Counter::TrackerFailures, 1);
        }
        let outside = swarm.outside;
        for address in meeting.on_answer(call, answer, now) {
            let near = &self.config.network.near;
            if near.is_foreign(address) {
                let tier = near.tier_from(address.ip(), outside);
                let found = Found { address, key: None, tier, by: FoundBy::Tracker };
                swarm.roster.on_found(found, now);
            }
        }
    }

    /// Tells all trackers that this node is no longer there.
    pub(super) fn leave_meetings(&mut self, meeting: Option<Meeting>) {
        let Some(mut meeting) = meeting else { return };
        meeting.leave();
        while let Some(call) = meeting.poll(0, None, self.now) {
            self.announce_to(call);
        }
    }

    fn announce_to(&mut self, call: Call) {
        self.report.add(Counter::Announcements, 1);
        self.put(Output::Announce(Box::new(call)));
    }
}

/// How often it is looked which streams are played.
const LOOK: core::time::Duration = core::time::Duration::from_secs(1);

/// The most addresses that a tracker is asked for: links at the default, and spares.
const WANTED: u16 = 30;
