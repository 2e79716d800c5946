//! Peers that a cap holds back: they wait a moment, or hear soon enough to go elsewhere. And peers
//! that do not take what is sent to them, for which nobody else waits.

use core::time::Duration;

use super::guest::{Asked, Guest, Held};
use super::slots::{Slots, Upload};
use crate::base::limits;
use crate::base::peer::PeerId;
use crate::base::time::Instant;

impl Slots {
    /// Peers that wait for blocks, or that a cap has sent elsewhere.
    pub fn hopeful(&self) -> Vec<PeerId> {
        let hopes = |guest: &Guest| !guest.wants.is_empty() || guest.held != Held::Free;
        self.guests.iter().filter(|(_, guest)| hopes(guest)).map(|(peer, _)| *peer).collect()
    }

    /// A peer may be given a block from then on; none while nobody can tell. What would come too
    /// late for it is denied, and where that is far away it is told to ask elsewhere.
    pub fn hold(&mut self, peer: PeerId, from: Option<Instant>, now: Instant) {
        let Some(guest) = self.guests.get_mut(&peer) else { return };
        let was_sent_away = guest.sent_away;
        guest.held = match from {
            Some(at) if at <= now => Held::Free,
            Some(at) => Held::Until(at),
            None => Held::Closed,
        };
        let far = from.is_none_or(|at| at > now + limits::upload::CHOKE_AFTER);
        if far && !guest.wants.is_empty() && !guest.choked {
            guest.wants.clear();
            (guest.choked, guest.sent_away) = (true, true);
            self.answers.push_back(Upload::Choke(peer));
        } else if guest.held == Held::Free && was_sent_away {
            (guest.choked, guest.sent_away) = (false, false);
            self.answers.push_back(Upload::Unchoke(peer));
        } else if let Held::Until(at) = guest.held {
            let late = guest.wants.iter().filter(|(_, asked)| asked.due < at);
            let late: Vec<_> = late.map(|(segment, asked)| (*segment, asked.blocks)).collect();
            for (segment, blocks) in late {
                guest.forget(segment, blocks);
                self.answers.push_back(Upload::Deny { peer, segment, blocks });
            }
        }
    }

    /// When a peer that is held back may be given something, while it waits or was sent away.
    pub(super) fn freed(&self) -> Option<Instant> {
        let until = |guest: &Guest| match guest.held {
            Held::Until(at) if guest.sent_away || !guest.wants.is_empty() => Some(at),
            _ => None,
        };
        self.guests.values().filter_map(until).min()
    }

    /// How many blocks are on their way to those who take them.
    pub(super) fn flying(&self) -> u32 {
        let moving = self.guests.values().filter(|guest| !guest.is_stuck);
        moving.map(|guest| u32::try_from(guest.flying.len()).unwrap_or(u32::MAX)).sum()
    }

    /// Who has taken nothing for long is not waited for. What is on its way to it stays in memory:
    /// two blocks a peer.
    pub(super) fn pass_by(&mut self, now: Instant) {
        let patience = self.patience();
        for guest in self.guests.values_mut().filter(|guest| !guest.flying.is_empty()) {
            guest.is_stuck = guest.is_stuck || now >= guest.served + patience;
        }
    }

    /// When the next one is waited for no longer, while somebody else waits.
    pub(super) fn passes_by(&self) -> Option<Instant> {
        let waits = self.guests.values().any(Guest::is_ready);
        let moving = |guest: &&Guest| !guest.is_stuck && !guest.flying.is_empty();
        let served = self.guests.values().filter(moving).map(|guest| guest.served).min();
        served.filter(|_| waits).map(|served| served + self.patience())
    }

    /// How long what was given may stay on its way: what is before it on a full line is little.
    fn patience(&self) -> Duration {
        limits::upload::STUCK.max(self.pace.0 * 2 * self.flight())
    }

    /// Whether anybody waits, or was sent away by a cap.
    pub fn is_wanted(&self) -> bool {
        let waits = |asked: &Asked| !asked.blocks.is_empty();
        self.guests.values().any(|guest| guest.sent_away || guest.wants.values().any(waits))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::base::digest::Digest;
    use crate::base::peer::Role;
    use crate::base::rng::Rng;
    use crate::base::segment::{BlockSet, SegmentId};

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    const PEER: PeerId = PeerId(1);

    fn waiting(within: u64) -> (Slots, SegmentId) {
        let mut slots = Slots::new(Rng::new(1), Role::Device);
        let segment = SegmentId { resource: Digest([1; 32]), number: 0 };
        let wanted = (segment, BlockSet::first(2), Duration::from_millis(within));
        slots.on_want(PEER, wanted, at(0));
        (slots, segment)
    }

    #[test]
    fn who_is_held_a_moment_is_given_afterwards() {
        let (mut slots, segment) = waiting(5000);
        slots.hold(PEER, Some(at(300)), at(0));
        assert_eq!(slots.poll(at(0)), None);
        assert!(slots.poll_timeout().is_some_and(|due| due <= at(300)));
        slots.hold(PEER, Some(at(300)), at(300));
        let give = slots.poll(at(300));
        assert!(matches!(give, Some(Upload::Give { segment: s, .. }) if s == segment));
    }

    #[test]
    fn what_would_come_too_late_is_denied_at_once() {
        let (mut slots, segment) = waiting(1000);
        slots.hold(PEER, Some(at(1500)), at(0));
        let blocks = BlockSet::first(2);
        assert_eq!(slots.poll(at(0)), Some(Upload::Deny { peer: PEER, segment, blocks }));
        assert_eq!((slots.poll(at(0)), slots.freed()), (None, None));
    }

    #[test]
    fn who_would_wait_long_is_sent_elsewhere_and_called_back() {
        for from in [None, Some(at(60_000))] {
            let (mut slots, segment) = waiting(30_000);
            slots.hold(PEER, from, at(0));
            assert_eq!(slots.poll(at(0)), Some(Upload::Choke(PEER)));
            assert_eq!(slots.poll(at(0)), None, "and not called back by itself");
            assert_eq!(slots.freed(), from);
            let wanted = (segment, BlockSet::one(0), Duration::from_secs(9));
            slots.on_want(PEER, wanted, at(10));
            assert_eq!(slots.poll(at(60_000)), None, "it asked before it heard");
            slots.hold(PEER, Some(at(60_000)), at(60_000));
            assert_eq!(slots.poll(at(60_000)), Some(Upload::Unchoke(PEER)));
            assert!(!slots.is_wanted());
        }
    }
}
