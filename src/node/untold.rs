//! News that a cap held back: told later and together, as soon as it allows.

use std::collections::VecDeque;

use super::machine::Machine;
use crate::base::limits;
use crate::base::peer::PeerId;
use crate::base::segment::SegmentId;
use crate::base::time::Instant;
use crate::wire::message::Message;

/// Segments of which somebody was not told all that there is to tell.
#[derive(Debug, Default)]
pub(super) struct Untold {
    segments: VecDeque<SegmentId>,
    /// From when it may be told.
    pub(super) from: Option<Instant>,
}

impl Untold {
    /// News of a segment wait. Of too many the oldest are forgotten: whoever sought those has gone
    /// elsewhere since.
    fn add(&mut self, segment: SegmentId, from: Instant) {
        self.from = Some(self.from.map_or(from, |other| other.min(from)));
        if self.segments.contains(&segment) {
            return;
        }
        self.segments.push_back(segment);
        if self.segments.len() > limits::swarm::UNTOLD {
            self.segments.pop_front();
        }
    }
}

impl Machine {
    /// Tells what was held back before and may be told by now.
    pub(super) fn tell_late(&mut self) {
        let Some(swarm) = &mut self.swarm else { return };
        if swarm.untold.from.is_none_or(|from| from > self.now) {
            return;
        }
        swarm.untold.from = None;
        let count = swarm.untold.segments.len().min(AT_ONCE);
        for segment in swarm.untold.segments.drain(..count).collect::<Vec<_>>() {
            self.announce(segment);
        }
        let now = self.now;
        if let Some(untold) = self.swarm.as_mut().map(|swarm| &mut swarm.untold) {
            if !untold.segments.is_empty() {
                untold.from = untold.from.or(Some(now));
            }
        }
    }

    /// Tells peers what is new of a segment, as far as the caps let each be told.
    pub(super) fn tell_news(&mut self, segment: SegmentId, messages: Vec<(PeerId, Message)>) {
        let mut last: Option<(PeerId, bool)> = None;
        for (peer, message) in messages {
            let may = match last.filter(|(other, _)| *other == peer) {
                Some((_, may)) => may,
                None => self.may_hear(peer, segment, &message),
            };
            last = Some((peer, may));
            if may {
                self.note_told(segment, peer, &message);
                self.tell(peer, message);
            }
        }
    }

    /// Whether a peer may be told of a segment now; else it is later.
    fn may_hear(&mut self, peer: PeerId, segment: SegmentId, first: &Message) -> bool {
        let from = self.news_from(peer, first);
        if from == Some(self.now) {
            return true;
        }
        if let (Some(swarm), Some(from)) = (&mut self.swarm, from) {
            swarm.untold.add(segment, from);
        }
        false
    }
}

/// Segments that are looked at in one turn.
const AT_ONCE: usize = 16;
