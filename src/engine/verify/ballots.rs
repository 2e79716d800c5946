//! Votes: what nodes say that they took from the origin themselves, counted by where they are.
//!
//! A node's word counts only over its own link, so that nobody can pass on votes that others would
//! count again, and once for each place: all of this node's home are one, and so are all behind
//! one IPv4 /24 or one IPv6 /48. Keys cost nothing where a secret alone admits; places do.

use super::signers::Place;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::Ground;
use crate::base::segment::SegmentId;
use crate::wire::record::Record;

/// Of whom blocks may be taken on somebody's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Of nodes in the same home.
    Home,
    /// Of every node.
    Any,
}

/// The votes on segments, of the most recent ones.
#[derive(Debug, Default)]
pub(super) struct Ballots {
    open: Map<SegmentId, (u64, Vec<Candidate>)>,
    order: Map<u64, SegmentId>,
    next: u64,
}

/// One of the records that nodes told of a segment, and who did.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) record: Record,
    voters: Vec<(Place, Ground)>,
}

impl Candidate {
    /// Of whom blocks may be taken by it, where so many places are asked for.
    pub(super) fn reach(&self, needed: usize) -> Option<Reach> {
        let mut grounds: Vec<Ground> = self.voters.iter().map(|(_, ground)| *ground).collect();
        grounds.sort_unstable();
        grounds.dedup();
        if grounds.len() >= needed {
            return Some(Reach::Any);
        }
        grounds.contains(&Ground::Home).then_some(Reach::Home)
    }

    /// Who vouches for it.
    pub(super) fn places(&self) -> Vec<Place> {
        self.voters.iter().map(|(place, _)| *place).collect()
    }
}

impl Ballots {
    /// Whether somebody has voted on a segment: a second word of its own counts for nothing.
    pub(super) fn has_voted(&self, segment: SegmentId, place: Place) -> bool {
        let candidates = self.open.get(&segment).map_or(&[][..], |(_, candidates)| candidates);
        candidates.iter().any(|candidate| candidate.voters.iter().any(|(p, _)| *p == place))
    }

    /// Counts a vote; answers what it is for and who else said so.
    pub(super) fn vote(
        &mut self,
        record: Record,
        (place, ground): (Place, Ground),
    ) -> Option<&Candidate> {
        let segment = record.statement.segment;
        if !self.open.contains_key(&segment) {
            self.next += 1;
            self.order.insert(self.next, segment);
            self.open.insert(segment, (self.next, Vec::new()));
            if self.open.len() > limits::record::BALLOTS {
                if let Some((_, oldest)) = self.order.pop_first() {
                    self.open.remove(&oldest);
                }
            }
        }
        let (_, candidates) = self.open.get_mut(&segment)?;
        let same = |candidate: &Candidate| is_equal(&candidate.record, &record);
        let found = match candidates.iter().position(same) {
            Some(found) => found,
            None if candidates.len() >= limits::record::CANDIDATES => return None,
            None => {
                candidates.push(Candidate { record: record.clone(), voters: Vec::new() });
                candidates.len() - 1
            }
        };
        let candidate = &mut candidates[found];
        // It is fresh for no longer than the most careful of them says.
        if record.statement.lifetime < candidate.record.statement.lifetime {
            candidate.record = record;
        }
        candidate.voters.push((place, ground));
        Some(candidate)
    }

    /// Everybody who has voted on one of them.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        let candidates = self.open.values().flat_map(|(_, candidates)| candidates);
        candidates.flat_map(|candidate| &candidate.voters).map(|(place, _)| place)
    }

    /// A segment matters no more.
    pub(super) fn forget(&mut self, segment: SegmentId) {
        if let Some((since, _)) = self.open.remove(&segment) {
            self.order.remove(&since);
        }
    }
}

/// Whether two records say the same of the bytes and of what a player is told about them.
pub(super) fn is_equal(one: &Record, other: &Record) -> bool {
    let (one, other) = (&one.statement, &other.statement);
    one.length == other.length
        && one.blocks == other.blocks
        && one.content_type == other.content_type
        && one.etag == other.etag
        && one.last_modified == other.last_modified
}
