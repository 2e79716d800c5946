//! One segment that is wanted: what is here, what was asked of whom, who offers what.

use core::time::Duration;

use super::rank;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{NodeKey, PeerId, Role, Tier};
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::time::Instant;

/// What a node wants of a segment, and how soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// The stream that it belongs to: its nodes share the work.
    pub topic: Digest,
    /// When the last of it must be here, or the origin is asked for it.
    pub deadline: Instant,
    /// When a player runs dry without it: own fetches take turns by that.
    pub dry: Instant,
    /// How long the segment plays; nothing where that is not known.
    pub plays: Duration,
    /// The first segment of a session: nothing is tried that could delay it.
    pub urgent: bool,
    /// The blocks that are needed; all that there may be where the record is unknown.
    pub blocks: BlockSet,
    /// Whether a record is known, so that peers may give blocks.
    pub known: bool,
}

/// What a peer said that it has of a segment; it replaces what it said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Have {
    /// Which segment.
    pub segment: SegmentId,
    /// Blocks that it can give.
    pub here: BlockSet,
    /// Blocks that are on their way to it.
    pub coming: BlockSet,
    /// How far away the one is who fetches them: 0 for the peer itself.
    pub hops: u8,
}

/// Who is at the other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose key.
    pub key: NodeKey,
    /// How near.
    pub tier: Tier,
    /// What it is there for.
    pub role: Role,
}

/// What is to be done for a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asks a peer for blocks.
    Ask {
        /// Whom.
        peer: PeerId,
        /// For which segment.
        segment: SegmentId,
        /// For which blocks.
        blocks: BlockSet,
        /// How soon they are of use.
        within: Duration,
    },
    /// Takes a question back.
    Cancel {
        /// Whom it was asked.
        peer: PeerId,
        /// Of which segment.
        segment: SegmentId,
        /// Which blocks.
        blocks: BlockSet,
    },
    /// Takes blocks from the origin. The scheduler takes it as begun; what becomes of it is
    /// told by `on_block` and `on_origin_ended`.
    Origin {
        /// Of which segment.
        segment: SegmentId,
        /// Which blocks; none for the whole, whose record is not known.
        blocks: Option<BlockSet>,
        /// Why.
        why: Why,
    },
}

impl Step {
    /// Takes in a later step that says the same to the same peer of the same segment.
    pub(super) fn join(&mut self, later: Self) -> bool {
        match (self, later) {
            (
                Self::Ask { peer, segment, blocks, .. },
                Self::Ask { peer: whom, segment: which, blocks: more, .. },
            )
            | (
                Self::Cancel { peer, segment, blocks },
                Self::Cancel { peer: whom, segment: which, blocks: more },
            ) if (*peer, *segment) == (whom, which) => {
                *blocks = blocks.or(more);
                true
            }
            _ => false,
        }
    }
}

/// Why a node goes to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A session begins with it.
    First,
    /// It is this node's turn among those who want it.
    Elected,
    /// Peers would make it late.
    Late,
    /// There is nobody to share it with.
    Nobody,
}

/// The pursuit of one segment.
#[derive(Debug)]
pub(super) struct Pursuit {
    pub(super) want: Want,
    /// What is here.
    pub(super) here: BlockSet,
    /// What the node's own fetch from the origin brings.
    pub(super) own: BlockSet,
    /// When that fetch should be over.
    pub(super) own_due: Instant,
    pub(super) progress: Progress,
    pub(super) asked: Vec<Asked>,
    pub(super) offers: Map<PeerId, Offer>,
    pub(super) groups: Vec<Group>,
    pub(super) begun: Instant,
    /// What each rank waits for the one before.
    pub(super) step: Duration,
    /// The origin failed: it is not asked before then, and how often it failed.
    pub(super) rest: (Instant, u32),
    /// Until when peers at home are trusted to be faster than the origin.
    pub(super) grace: Option<Instant>,
    /// Whether it waits for an own fetch that is due sooner.
    pub(super) yields: bool,
    /// Blocks that the origin brings since peers would have been too late with them.
    pub(super) late: BlockSet,
    /// Whether the part was taken that peers are too slow for.
    pub(super) is_parted: bool,
    /// When it is looked at again.
    pub(super) alarm: Option<Instant>,
}

/// How the own fetch gets on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) begun: Instant,
    /// When its last block came, or it began.
    pub(super) moved: Instant,
    /// Blocks that came.
    pub(super) came: u32,
}

impl Progress {
    pub(super) const fn new(now: Instant) -> Self {
        Self { begun: now, moved: now, came: 0 }
    }
}

/// A block that was asked of a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) block: u8,
    pub(super) peer: PeerId,
    pub(super) at: Instant,
    /// When it is late.
    pub(super) late: Instant,
}

/// What one peer has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) here: BlockSet,
    pub(super) coming: BlockSet,
    pub(super) hops: u8,
    /// When it last said something new.
    moved: Instant,
    /// What it said to be coming and is not believed any more.
    pub(super) doubted: BlockSet,
    /// What it denied, and until when that stands.
    pub(super) denied: (BlockSet, Instant),
}

/// Neighbouring blocks for which the members take turns.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) blocks: BlockSet,
    /// When it is this node's turn, while nobody fetches them.
    pub(super) turn: Option<Instant>,
    /// Since when that is so.
    pub(super) orphaned: Instant,
    /// Whether somebody fetched them before.
    pub(super) again: bool,
    /// When there last was a sign that somebody fetches them.
    pub(super) moved: Instant,
}

impl Pursuit {
    pub(super) fn new(want: Want, step: Duration, now: Instant) -> Self {
        let mut pursuit = Self {
            want,
            here: BlockSet::NONE,
            own: BlockSet::NONE,
            own_due: now,
            progress: Progress::new(now),
            asked: Vec::new(),
            offers: Map::new(),
            groups: Vec::new(),
            begun: now,
            step,
            rest: (now, 0),
            grace: None,
            yields: false,
            late: BlockSet::NONE,
            is_parted: false,
            alarm: None,
        };
        pursuit.regroup(now);
        pursuit
    }

    /// Makes the groups anew: one of all blocks while no record is known.
    fn regroup(&mut self, now: Instant) {
        let moved = now;
        let group = |blocks| Group { blocks, turn: None, orphaned: now, again: false, moved };
        self.groups = if self.want.known {
            rank::groups(self.want.blocks).map(group).collect()
        } else {
            vec![group(self.want.blocks)]
        };
    }

    /// A peer said what it has. Answers whether that may change anything.
    pub(super) fn on_have(&mut self, peer: PeerId, have: Have, now: Instant) -> bool {
        let open = self.missing().less(self.own).less(self.outstanding());
        let before = self.offers.values().fold(BlockSet::NONE, |sum, o| sum.or(o.believed()));
        let offer = self.offers.entry(peer).or_insert_with(|| Offer::new(now));
        let (here, coming) = (offer.here, offer.believed());
        let news = offer.update(have, now);
        let changed = (here.0 ^ offer.here.0) | (coming.0 ^ offer.believed().0);
        // Hearsay of what was heard before is no sign of life: it may be an echo.
        let news = if have.hops == 0 { news } else { news.less(before).or(news.and(have.here)) };
        for group in self.groups.iter_mut().filter(|g| !g.blocks.and(news).is_empty()) {
            group.moved = now;
        }
        !BlockSet(changed).and(open).is_empty()
    }

    /// Bytes that the own fetch still brings; `usual` are those of a segment of unknown length.
    pub(super) fn fetching(&self, usual: u64) -> u64 {
        let bytes = u64::from(self.own.and(self.missing()).len()) * limits::block::BLOCK;
        if self.want.known { bytes } else { bytes.min(usual) }
    }

    /// Stops to believe who fell silent, when `fetch` is how long the origin takes until there is
    /// something to tell, and `all` until it has told all that is missing.
    pub(super) fn doubt(&mut self, (fetch, all): (Duration, Duration), now: Instant) {
        for offer in self.offers.values_mut().filter(|offer| !offer.believed().is_empty()) {
            if offer.hops == 0 {
                if now >= offer.moved + PATIENCE + fetch {
                    offer.doubted = offer.coming;
                }
                continue;
            }
            for group in &self.groups {
                if now >= group.moved + group.patience(offer, all) {
                    offer.doubted = offer.doubted.or(offer.coming.and(group.blocks));
                }
            }
        }
    }

    /// When somebody who fetches `open` blocks will have been silent for too long.
    pub(super) fn doubts(&self, fetch: (Duration, Duration), open: BlockSet) -> Option<Instant> {
        let believed = |offer: &&Offer| !offer.believed().and(open).is_empty();
        let moments = self.offers.values().filter(believed).flat_map(|offer| {
            let direct = (offer.hops == 0).then_some(offer.moved + PATIENCE + fetch.0);
            let touches = |group: &&Group| !group.blocks.and(offer.believed()).is_empty();
            let groups = self.groups.iter().filter(move |group| offer.hops > 0 && touches(group));
            direct.into_iter().chain(groups.map(move |g| g.moved + g.patience(offer, fetch.1)))
        });
        moments.min()
    }

    /// Other blocks are needed, or it is known at last which there are.
    pub(super) fn on_other_blocks(&mut self, now: Instant) {
        self.own = self.own.and(self.want.blocks);
        self.regroup(now);
    }

    /// Forgets what was asked of a peer; answers how much that was.
    pub(super) fn settle(&mut self, peer: PeerId, blocks: BlockSet) -> usize {
        let before = self.asked.len();
        self.asked.retain(|asked| asked.peer != peer || !blocks.has(asked.block));
        before - self.asked.len()
    }

    /// What comes to others of whom this `suffices`, and how far away the farthest of them is who
    /// is told of: nearer news go first, since one message has one distance.
    pub(super) fn hearsay(&self, suffices: impl Fn(&PeerId) -> bool) -> (BlockSet, u8) {
        let mut heard = [BlockSet::NONE; limits::swarm::HOPS as usize];
        for (_, offer) in self.offers.iter().filter(|(peer, _)| suffices(peer)) {
            heard[0] = heard[0].or(offer.here);
            if let Some(heard) = heard.get_mut(usize::from(offer.hops)) {
                *heard = heard.or(offer.believed());
            }
        }
        let [zero, one, two, _] = heard.map(|blocks| blocks.and(self.missing()));
        match (zero.is_empty(), one.less(zero).is_empty(), two.is_empty()) {
            (false, true, _) => (zero, 1),
            (_, false, _) => (zero.or(one), 2),
            (true, true, false) => (two, 3),
            (true, true, true) => (BlockSet::NONE, 0),
        }
    }

    /// What is needed and not here.
    pub(super) const fn missing(&self) -> BlockSet {
        self.want.blocks.less(self.here)
    }

    /// What was asked of peers.
    pub(super) fn outstanding(&self) -> BlockSet {
        self.asked.iter().map(|asked| asked.block).collect()
    }
}

impl Group {
    /// How long hearsay of the group is believed: its fetch may come after that of all others.
    fn patience(&self, offer: &Offer, all: Duration) -> Duration {
        PATIENCE + all + limits::swarm::WAN_NEWS * u32::from(offer.hops)
    }
}

impl Offer {
    fn new(now: Instant) -> Self {
        Self {
            here: BlockSet::NONE,
            coming: BlockSet::NONE,
            hops: 0,
            moved: now,
            doubted: BlockSet::NONE,
            denied: (BlockSet::NONE, now),
        }
    }

    /// Takes in what the peer says now; answers what is new about it: blocks that it has now, or
    /// fetches now, or has heard of.
    fn update(&mut self, have: Have, now: Instant) -> BlockSet {
        let coming = if have.hops < limits::swarm::HOPS { have.coming } else { BlockSet::NONE };
        // Who begins to fetch what it had only heard of tells something new.
        let is_first = have.hops == 0 && self.hops > 0;
        let news = if is_first { coming } else { coming.less(self.coming) };
        let given = have.here.less(self.here);
        // Who says again that it fetches is alive, and something came to it.
        let fetches = have.hops == 0 && !coming.is_empty();
        if !news.is_empty() || !given.is_empty() || fetches {
            self.moved = now;
        }
        self.doubted = self.doubted.less(news).and(coming);
        (self.here, self.coming, self.hops) = (have.here, coming.less(have.here), have.hops);
        given.or(news)
    }

    /// What it can be asked for.
    pub(super) fn given(&self, now: Instant) -> BlockSet {
        if now < self.denied.1 { self.here.less(self.denied.0) } else { self.here }
    }

    /// What is believed to be coming.
    pub(super) const fn believed(&self) -> BlockSet {
        self.coming.less(self.doubted)
    }
}

/// How long somebody who fetches may say nothing new, beside the time of the fetch: the
/// origin's first byte, its proof, and the news of it.
const PATIENCE: Duration = Duration::from_millis(600);
