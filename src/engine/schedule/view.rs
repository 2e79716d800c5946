//! What all decisions about one segment rest on.

use std::collections::VecDeque;

use super::rank::Member;
use super::rate::Rate;
use super::sources::Source;
use super::want::{Pursuit, Step};
use crate::base::map::Map;
use crate::base::peer::PeerId;
use crate::base::segment::SegmentId;
use crate::base::time::Instant;

/// One pursuit with all that its decisions rest on.
pub(super) struct View<'a> {
    pub(super) segment: SegmentId,
    pub(super) pursuit: &'a mut Pursuit,
    pub(super) peers: &'a mut Map<PeerId, Source>,
    pub(super) own: Member,
    pub(super) origin: &'a Rate,
    /// Bytes that the own fetches of all segments have before them.
    pub(super) fetching: u64,
    /// Whether one of them is due before this one.
    pub(super) is_behind: bool,
    /// Whether a player waits for such a one, or had it and may ask for what comes next until then.
    pub(super) is_line_taken: bool,
    pub(super) turn: Instant,
    /// How much of a segment peers are too slow for.
    pub(super) short: u32,
    /// Bytes of a usual segment, for one whose record is unknown.
    pub(super) usual: u64,
    pub(super) steps: &'a mut VecDeque<Step>,
    pub(super) now: Instant,
}
