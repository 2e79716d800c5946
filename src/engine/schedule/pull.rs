//! Which blocks are asked of which peers: shortest queue first, rarest block first.

use core::time::Duration;

use super::rank;
use super::view::View;
use super::want::{Asked, Progress, Step};
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{PeerId, Tier};
use crate::base::segment::BlockSet;
use crate::base::time::Instant;

/// A peer that has blocks which nobody was asked for.
struct Holder {
    peer: PeerId,
    has: BlockSet,
    /// What it is asked for in this round.
    ask: BlockSet,
    /// What may be asked of it, its round trip and its time for one block.
    room: u64,
    owed: u64,
    tier: Tier,
    rtt: Duration,
    block: Duration,
}

/// Which blocks are asked for first, and of whom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Those that few have.
    Rarest,
    /// Those that a player reads next, of whoever gives them soonest.
    Next,
    /// Those that the own fetch brings next, of peers at home.
    Beside,
    /// Those that it brings last, of peers elsewhere.
    Last,
}

impl Holder {
    /// How long the next block takes that is asked of it.
    fn queue_time(&self) -> Duration {
        let queue = u32::try_from(self.owed + 1).unwrap_or(u32::MAX);
        self.rtt + self.block.saturating_mul(queue)
    }
}

impl View<'_> {
    /// Asks peers for what is open, as far as their pipelines have room. Where the deadline is
    /// `pressed` near, only who gives a block before this is asked.
    pub(super) fn pull(&mut self, open: BlockSet, order: Order, pressed: Option<Instant>) {
        if open.is_empty() {
            return;
        }
        let mut holders = self.holders(open, order);
        let longest = pressed.map_or(Duration::MAX, |by| (by - self.now) / 2);
        if holders.iter().any(|holder| holder.room > 0) {
            for block in self.in_order(&holders, open, order) {
                let longest = match order {
                    Order::Rarest | Order::Next => longest,
                    Order::Beside | Order::Last => self.own_time(block) / 2,
                };
                if !share_out(&mut holders, block, (order, longest)) {
                    break;
                }
            }
        }
        for holder in holders {
            let left = holder.has.less(holder.ask);
            if holder.room == 0 && !left.is_empty() {
                self.note_useful(holder.peer);
            }
            self.ask(holder.peer, holder.ask);
        }
    }

    /// How long the own fetch takes at its pace until it has brought a block. One that stands
    /// still may do so as long again.
    fn own_time(&self, block: u8) -> Duration {
        let upto = BlockSet::first(u32::from(block) + 1);
        let count = self.pursuit.own.and(self.pursuit.missing()).and(upto).len();
        let Progress { begun, moved, came } = self.pursuit.progress;
        let pace = (moved - begun).checked_div(came);
        let pace = pace.unwrap_or_else(|| self.origin.time(limits::block::BLOCK));
        let (all, still) = (pace * count, self.now - moved);
        if still > pace * 2 + LEAST_LATE { all.max(still) } else { all.saturating_sub(still) }
    }

    fn holders(&mut self, open: BlockSet, order: Order) -> Vec<Holder> {
        let mut holders = Vec::new();
        for (peer, offer) in &self.pursuit.offers {
            let has = offer.given(self.now).and(open);
            let Some(source) = self.peers.get_mut(peer).filter(|_| !has.is_empty()) else {
                continue;
            };
            let is_home = source.link.tier == Tier::Home;
            match order {
                Order::Beside if !is_home => continue,
                Order::Last if is_home => continue,
                // It takes of the line by which a player is brought what it waits for.
                _ if self.is_line_taken && !is_home => continue,
                _ => {}
            }
            if source.is_open(self.now) {
                let (room, owed) = (source.room(), source.owed);
                let (tier, rtt) = (source.link.tier, source.rtt);
                let (peer, block) = (*peer, source.rate.time(limits::block::BLOCK));
                let ask = BlockSet::NONE;
                holders.push(Holder { peer, has, ask, room, owed, tier, rtt, block });
            } else {
                source.useful.insert((self.pursuit.want.deadline, self.segment));
            }
        }
        holders
    }

    /// The open blocks that somebody has, the one that is to be asked for first in front.
    fn in_order(&self, holders: &[Holder], open: BlockSet, order: Order) -> Vec<u8> {
        let held = holders.iter().fold(BlockSet::NONE, |sum, holder| sum.or(holder.has));
        let mut blocks: Vec<u8> = held.and(open).iter().collect();
        match order {
            Order::Next | Order::Beside => return blocks,
            Order::Last => {
                blocks.reverse();
                return blocks;
            }
            Order::Rarest => {}
        }
        let mut copies = [0_u32; 64];
        for offer in self.pursuit.offers.values() {
            offer.here.iter().for_each(|block| copies[usize::from(block)] += 1);
        }
        let draw = |block: u8| rank::draw(self.own.key, self.segment, block);
        blocks.sort_by_cached_key(|block| (copies[usize::from(*block)], draw(*block)));
        if self.now >= self.pursuit.begun + NEXT_FIRST {
            // A player that waits is given something now and then, however rare the rest.
            let next = self.pursuit.missing().iter().next();
            let place = blocks.iter().position(|block| Some(*block) == next);
            if let Some(place) = place {
                blocks[..=place].rotate_right(1);
            }
        }
        blocks
    }

    fn note_useful(&mut self, peer: PeerId) {
        if let Some(source) = self.peers.get_mut(&peer) {
            source.useful.insert((self.pursuit.want.deadline, self.segment));
        }
    }

    /// Asks one peer for blocks and notes when they should be here.
    pub(super) fn ask(&mut self, peer: PeerId, blocks: BlockSet) {
        let Some(source) = self.peers.get_mut(&peer).filter(|_| !blocks.is_empty()) else { return };
        for block in blocks.iter() {
            let time = source.queue_time(0);
            let late = (time * 2).max(source.delay.late()).max(LEAST_LATE);
            let at = self.now;
            self.pursuit.asked.push(Asked { block, peer, at, late: at + late });
            source.on_asked(self.now);
        }
        let (segment, within) = (self.segment, self.pursuit.want.deadline - self.now);
        self.say(Step::Ask { peer, segment, blocks, within });
    }

    /// Takes late blocks elsewhere: a peer that stalls is left alone, and where the deadline is
    /// near a block is asked of a second peer too.
    pub(super) fn chase(&mut self, is_near: bool) {
        let now = self.now;
        let late: Vec<Asked> =
            self.pursuit.asked.iter().filter(|asked| asked.late <= now).copied().collect();
        let mut cancelled: Map<PeerId, BlockSet> = Map::new();
        for asked in late {
            let Some(source) = self.peers.get_mut(&asked.peer) else { continue };
            if source.stalls() <= now || source.rest.0 > now {
                source.on_stalled(now);
                source.on_settled();
                let gone = |other: &Asked| other.block == asked.block && other.peer == asked.peer;
                self.pursuit.asked.retain(|other| !gone(other));
                let blocks = cancelled.entry(asked.peer).or_default();
                *blocks = blocks.or(BlockSet::one(asked.block));
                continue;
            }
            self.hedge(asked, is_near);
            self.put_off(asked);
        }
        for (peer, blocks) in cancelled {
            self.say(Step::Cancel { peer, segment: self.segment, blocks });
        }
    }

    /// Looks at a late block again after as long as it took until now.
    fn put_off(&mut self, asked: Asked) {
        let mut again = self.now + (self.now - asked.at).clamp(LEAST_LATE, MOST_LATE);
        if let Some(source) = self.peers.get(&asked.peer) {
            again = again.min(source.stalls());
        }
        let same = |other: &&mut Asked| other.block == asked.block && other.peer == asked.peer;
        if let Some(late) = self.pursuit.asked.iter_mut().find(same) {
            late.late = again;
        }
    }

    /// Asks a second peer for a late block that has it here sooner than the first took until now.
    /// While there is time the first is not asked any more; else the faster one counts.
    fn hedge(&mut self, late: Asked, is_near: bool) {
        let twice = self.pursuit.asked.iter().filter(|asked| asked.block == late.block).count() > 1;
        let block = BlockSet::one(late.block);
        if twice || self.pursuit.missing().and(block).is_empty() {
            return;
        }
        let mut holders = self.holders(block, Order::Next);
        // Whom blocks were just taken away from, and who gave none since, is no better.
        let failed = |peer: &PeerId| {
            let left = self.peers.get(peer).and_then(|source| source.left);
            left.is_some_and(|left| self.now - left < limits::swarm::STALLED)
        };
        holders.retain(|h| h.peer != late.peer && h.room > 0 && !failed(&h.peer));
        let Some(best) = holders.iter().min_by_key(|holder| holder.queue_time()) else { return };
        if self.is_short() && best.tier != Tier::Home {
            // Where uplinks are short, what comes twice is missing elsewhere.
            return;
        }
        if is_near {
            self.ask(best.peer, block);
        } else if best.queue_time() < self.now - late.at {
            let best = best.peer;
            if let Some(source) = self.peers.get_mut(&late.peer) {
                source.left = Some(self.now);
            }
            self.cancel(block);
            self.ask(best, block);
        }
    }

    /// Hands out a step, joined with one of the same kind that waits still.
    fn say(&mut self, step: Step) {
        let joined = self.steps.iter_mut().rev().take(LOOK_BACK).any(|last| last.join(step));
        if !joined {
            self.steps.push_back(step);
        }
    }

    /// Takes back what was asked of peers and is not needed any more.
    pub(super) fn cancel(&mut self, blocks: BlockSet) {
        let asked = self.pursuit.asked.extract(blocks);
        self.take_back(asked);
    }

    /// Takes back from those beyond the home what the origin brings now: narrow uplinks are for
    /// who gets by them what the origin need not send.
    pub(super) fn cancel_far(&mut self, blocks: BlockSet) {
        let is_home = |peer| self.peers.get(&peer).is_some_and(|it| it.link.tier == Tier::Home);
        let asked = self.pursuit.asked.extract(blocks);
        let (near, far) = asked.into_iter().partition(|asked| is_home(asked.peer));
        self.pursuit.asked.extend::<Vec<Asked>>(near);
        self.take_back(far);
    }

    fn take_back(&mut self, asked: Vec<Asked>) {
        let mut cancelled: Map<PeerId, BlockSet> = Map::new();
        for asked in asked {
            if let Some(source) = self.peers.get_mut(&asked.peer) {
                source.on_settled();
            }
            let blocks = cancelled.entry(asked.peer).or_default();
            *blocks = blocks.or(BlockSet::one(asked.block));
        }
        for (peer, blocks) in cancelled {
            self.say(Step::Cancel { peer, segment: self.segment, blocks });
        }
    }

    /// What was asked of peers and is here, or seen to be late, before `by`. Where uplinks are
    /// short, all of it is left to come until then: what is on its way would have come in vain.
    pub(super) fn in_time(&self, by: Instant) -> BlockSet {
        let waits = self.is_short() && self.now < by && !self.pursuit.want.urgent;
        let in_time = |asked: &&Asked| waits || (asked.late > self.now && asked.late <= by);
        self.pursuit.asked.iter().filter(in_time).map(|asked| asked.block).collect()
    }
}

/// Gives a block to the holder that has it here first; false when no pipeline has room.
fn share_out(holders: &mut [Holder], block: u8, (order, longest): (Order, Duration)) -> bool {
    let is_near = matches!(order, Order::Next | Order::Beside);
    let room = holders.iter().any(|holder| holder.room > 0);
    let having = || holders.iter().enumerate().filter(|(_, holder)| holder.has.has(block));
    // One farther away is spared unless it is much faster, and a slower one is little help while
    // a fast one has it: the block waits for that one.
    let mut near = [Duration::MAX; 3];
    for (_, holder) in having() {
        let soonest = &mut near[holder.tier as usize];
        *soonest = holder.queue_time().min(*soonest);
    }
    let is_detour = |holder: &Holder| {
        let detour = holder.queue_time() * limits::swarm::DETOUR;
        near[..holder.tier as usize].iter().any(|time| *time < detour)
    };
    let worth = having().filter(|(_, holder)| is_near || !is_detour(holder));
    let times: Vec<(Duration, usize)> = worth.map(|(at, h)| (h.queue_time(), at)).collect();
    let soonest = times.iter().min().map_or(Duration::ZERO, |(time, _)| *time);
    let best = times.iter().filter(|(_, at)| holders[*at].room > 0).min();
    if let Some((time, place)) = best.copied() {
        if time <= longest && (is_near || time <= soonest * 2 + WORTH_WAITING) {
            let holder = &mut holders[place];
            holder.ask = holder.ask.or(BlockSet::one(block));
            (holder.room, holder.owed) = (holder.room - 1, holder.owed + 1);
        }
    }
    room
}

/// Takes what is about some blocks out of a list.
trait Extract {
    fn extract(&mut self, blocks: BlockSet) -> Vec<Asked>;
}

impl Extract for Vec<Asked> {
    fn extract(&mut self, blocks: BlockSet) -> Vec<Asked> {
        let (out, kept) = self.drain(..).partition(|asked: &Asked| blocks.has(asked.block));
        *self = kept;
        out
    }
}

/// Steps that a new one may be joined with.
const LOOK_BACK: usize = 4;

/// No block is late before this: a busy device pauses as long.
const LEAST_LATE: Duration = Duration::from_millis(100);

/// A late block is looked at again at least this often.
const MOST_LATE: Duration = Duration::from_millis(300);

/// After this long what a player reads next is asked for first, be it on many nodes.
const NEXT_FIRST: Duration = Duration::from_secs(1);

/// A slower peer is asked all the same when it costs no more than this.
const WORTH_WAITING: Duration = Duration::from_millis(50);
