//! Whether peers may help with what is asked for, and by which name they know it.

use core::time::Duration;

use super::fetch::Ask;
use super::machine::Machine;
use super::policy::Kin;
use super::swarm::Link;
use crate::base::digest::Digest;
use crate::base::id::FetchId;
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::base::url::Locator;
use crate::engine::timeline::answer::Listed;
use crate::wire::http::directives::RequestDirectives;

impl Machine {
    /// The stream that a listed segment belongs to, as peers name it; none where names come back
    /// for other segments, since a peer's may be an earlier one, and the record of it holds.
    pub(super) fn topic_of(&self, listed: &Listed<'_>) -> Option<Digest> {
        if listed.repeats {
            return None;
        }
        let playlist = self.identity(listed.playlist);
        let name = &self.config.origins.get(usize::from(listed.playlist.origin.0))?.name;
        Some(Digest::of_parts([
            b"neap/1 topic\0",
            name.as_bytes(),
            b"\0",
            playlist.as_bytes(),
            b"\0",
            listed.rendition.as_bytes(),
        ]))
    }

    /// Whether it is what a playlist lists as media, by a name that is no other's: a player's
    /// `no-cache`, which VLC says with each segment, asks for nothing then, and a cache may pass
    /// it over (RFC 9111, 5.2.1).
    pub(super) fn is_settled(&self, locator: &Locator, range: Option<ByteRange>) -> bool {
        let repeats = self.timeline.listed(locator, range).is_some_and(|listed| listed.repeats);
        self.is_segment(locator) && !repeats
    }

    /// Whether peers may help with what is asked for, and what it is called there.
    pub(super) fn may_ask_peers(&self, ask: &Ask) -> Option<(Digest, Kin, Duration)> {
        let swarm = self.swarm.as_ref()?;
        let plain = ask.method == "GET" && ask.shared && !ask.passes && ask.body.is_none();
        let fresh = ask.fills.is_none() && ask.validates.is_none();
        // Whom nothing may be taken of would be waited for in vain.
        let may_give = |link: &Link| self.rule.governor.may_take(link.tier);
        // The origin's own word is what such a player wants (RFC 9111, 5.2.1), unless it only says
        // `no-cache`.
        let said = RequestDirectives::of(&ask.fields);
        let wants_origin = said.max_age.is_some() || said.min_fresh.is_some();
        if !plain || !fresh || wants_origin || !swarm.links.values().any(may_give) {
            return None;
        }
        let range = match ask.spec {
            // All of a film is more than a player waits for.
            None if self.timeline.is_in_parts(&ask.locator) => return None,
            None => None,
            Some(spec) => Some(spec.span()?),
        };
        // Authorised by the origin: only what a playlist lists that it gave to this very node.
        let listed = self.timeline.listed(&ask.locator, range)?;
        if range.is_none_or(|range| range.len() <= limits::swarm::SWARM_RANGE) {
            let kin = self.kin_of(&listed)?;
            if swarm.unkept.contains(&kin.topic) || !self.is_shared(kin) {
                return None;
            }
            return Some((self.resource_of(&ask.key)?, kin, listed.target));
        }
        None
    }

    /// How long a player may wait for peers to give a segment of a topic: less each time that it
    /// waited in vain.
    pub(super) fn patience(&self, topic: Digest) -> Duration {
        let vain = self.swarm.as_ref().and_then(|swarm| swarm.vain.get(&topic));
        let patience = limits::swarm::WAITING_DUE / (1 << vain.copied().unwrap_or(0));
        patience.max(limits::swarm::PLAYING_DUE)
    }

    /// Notes how it was to wait for peers to give a segment of a topic. Where one that is vouched
    /// for came late, peers still gave a part of it, and will of the next: patience is half for
    /// one segment, then whole again. Were it halved for good, a crowd in which all were late once
    /// would go to the origin from then on. Where nobody vouches they can give nothing. What
    /// patience left no time for tells nothing of peers: then there is more of it the next time.
    pub(super) fn note_waited(
        &mut self,
        topic: Digest,
        (vouched, late): (bool, bool),
        was_tried: bool,
    ) {
        let Some(swarm) = &mut self.swarm else { return };
        let times = swarm.vain.get(&topic).copied().unwrap_or(0_u8);
        let times = match (vouched, late) {
            _ if !was_tried => times.saturating_sub(1),
            (false, _) => (times + 1).min(VAIN),
            (true, true) if times == LATE => 0,
            (true, true) => LATE,
            (true, false) => times.saturating_sub(1),
        };
        if times == 0 {
            swarm.vain.remove(&topic);
            return;
        }
        if swarm.vain.len() >= limits::swarm::TOPICS {
            swarm.vain.clear();
        }
        swarm.vain.insert(topic, times);
    }

    /// Notes whether a segment could be kept: peers are not asked where nobody may keep any, nor
    /// where the origin denies it to this player, whatever it lets one keep of that.
    pub(super) fn note_kept(&mut self, id: FetchId, (status, kept): (u16, bool)) {
        let kept = if status == 200 { kept } else { !matches!(status, 401 | 403) };
        let fetch = self.fetches.get(&id).filter(|fetch| fetch.resource.is_some());
        let listed = fetch.and_then(|fetch| self.timeline.listed(&fetch.ask.locator, None));
        let kin = listed.and_then(|listed| self.kin_of(&listed));
        let (Some(Kin { topic, .. }), Some(swarm)) = (kin, &mut self.swarm) else { return };
        if kept {
            swarm.unkept.remove(&topic);
        } else if swarm.unkept.len() < limits::swarm::TOPICS {
            swarm.unkept.insert(topic);
        } else {
            swarm.unkept.clear();
        }
    }
}

/// Times late that count.
const LATE: u8 = 1;

/// Times in vain that count: then a player waits no longer than for what it reads now.
pub(super) const VAIN: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::peer::NodeKey;
    use crate::base::time::Instant;
    use crate::config::model::Config;
    use crate::config::secret::Secret;

    /// What a player waits, in milliseconds, after each time that it waited so: vouched for or
    /// not, late or not, and whether there was time for it.
    fn waits(times: &[((bool, bool), bool)]) -> Vec<u128> {
        let mut config = Config::default();
        config.network.name = "net".into();
        config.network.secret = Secret::new(vec![1; 16]).ok();
        let now = Instant::from_micros(5_000_000);
        let mut machine = Machine::new(config, 7, now);
        machine.know(NodeKey([1; 32]), NodeKey([1; 32]), now);
        let topic = Digest::of(b"channel");
        let mut after = |(how, tried): &((bool, bool), bool)| {
            machine.note_waited(topic, *how, *tried);
            machine.patience(topic).as_millis()
        };
        times.iter().map(&mut after).collect()
    }

    #[test]
    fn where_peers_were_late_patience_is_half_for_one_segment() {
        let late = ((true, true), true);
        assert_eq!(waits(&[late; 4]), [3000, 6000, 3000, 6000]);
        assert_eq!(waits(&[late, ((true, false), true), late]), [3000, 6000, 3000]);
        assert_eq!(waits(&[((true, false), true)]), [6000]);
    }

    #[test]
    fn where_nobody_vouches_patience_falls_and_comes_back_with_a_word() {
        let vain = ((false, true), true);
        assert_eq!(waits(&[vain; 5]), [3000, 1500, 750, 500, 500]);
        let (untried, late) = (((false, true), false), ((true, true), true));
        assert_eq!(
            waits(&[vain, vain, vain, untried, late, late]),
            [3000, 1500, 750, 1500, 3000, 6000]
        );
    }
}
