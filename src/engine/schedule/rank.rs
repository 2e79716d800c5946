//! Whose turn it is to go to the origin: rendezvous ranks, the same on every node that knows
//! the same members (Thaler and Ravishankar 1998).

use crate::base::limits;
use crate::base::peer::{NodeKey, Role};
use crate::base::segment::{BlockSet, SegmentId};

/// A node that may take its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Whose key.
    pub key: NodeKey,
    /// Witnesses go first, then gateways, then devices.
    pub role: Role,
}

/// Where a node stands among the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How many go before it.
    pub rank: u32,
    /// Its draw, of all that it could have drawn, in 2^-32: the same on every node, whomever
    /// that one knows.
    pub draw: u32,
}

/// The place of `own` among itself and the others for one group of a segment's blocks.
pub fn place(
    own: Member,
    others: impl IntoIterator<Item = Member>,
    (segment, group): (SegmentId, u8),
) -> Place {
    let mine = order(own, segment, group);
    let before = others.into_iter().filter(|other| order(*other, segment, group) < mine);
    let rank = u32::try_from(before.count()).unwrap_or(u32::MAX);
    Place { rank, draw: u32::try_from(mine.1 >> 32).unwrap_or(u32::MAX) }
}

/// The groups of a segment's blocks that are ranked apart, each of neighbouring blocks: at
/// least [`limits::swarm::GROUP_BLOCKS`], at most [`limits::swarm::GROUPS`] groups.
pub fn groups(all: BlockSet) -> impl Iterator<Item = BlockSet> {
    let end = 64 - all.0.leading_zeros();
    let count = (all.len() / limits::swarm::GROUP_BLOCKS).clamp(1, limits::swarm::GROUPS);
    (0..count).map(move |group| {
        let (from, to) = (end * group / count, end * (group + 1) / count);
        BlockSet::first(to).less(BlockSet::first(from)).and(all)
    })
}

/// What a node draws for `word`: the same everywhere, and another one for each node.
pub(super) fn draw(key: NodeKey, segment: SegmentId, word: u8) -> u64 {
    let words = key.0.chunks_exact(8).chain(segment.resource.0.chunks_exact(8).take(2));
    let start = (u64::from(segment.number) << 8) | u64::from(word);
    words.fold(mix(start), |sum, bytes| {
        let word = bytes.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        mix(sum ^ word)
    })
}

/// The finishing of SplitMix64: every bit of the input stirs every bit of the output.
const fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn order(member: Member, segment: SegmentId, group: u8) -> (u8, u64, NodeKey) {
    let class = match member.role {
        Role::Witness => 0,
        Role::Gateway => 1,
        Role::Device => 2,
    };
    (class, draw(member.key, segment, group), member.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::segment::resource;

    fn member(number: u8, role: Role) -> Member {
        Member { key: NodeKey([number; 32]), role }
    }

    fn segment(number: u32) -> SegmentId {
        SegmentId { resource: resource("tv", &format!("/{number}.ts")), number: 0 }
    }

    #[test]
    fn every_member_knows_the_same_order() {
        let all: Vec<_> = (0..24).map(|number| member(number, Role::Device)).collect();
        let mut ranks: Vec<_> = all.iter().map(|own| rank(&all, *own, segment(1), 3)).collect();
        ranks.sort_unstable();
        assert_eq!(ranks, (0..24).collect::<Vec<_>>());
    }

    fn rank(all: &[Member], own: Member, segment: SegmentId, group: u8) -> u32 {
        let others = all.iter().copied().filter(|other| *other != own);
        place(own, others, (segment, group)).rank
    }

    #[test]
    fn the_lead_falls_on_all_alike() {
        let all: Vec<_> = (0..10).map(|number| member(number, Role::Device)).collect();
        let mut leads = [0; 10];
        for number in 0..500 {
            for group in 0..4 {
                let lead = all.iter().position(|own| rank(&all, *own, segment(number), group) == 0);
                leads[lead.expect("somebody leads")] += 1;
            }
        }
        assert!(leads.iter().all(|lead| (140..260).contains(lead)), "{leads:?}");
    }

    #[test]
    fn roles_come_before_chance() {
        let all = [member(1, Role::Witness), member(2, Role::Gateway), member(3, Role::Device)];
        for number in 0..20 {
            let ranks = all.map(|own| rank(&all, own, segment(number), 0));
            assert_eq!(ranks, [0, 1, 2]);
        }
    }

    #[test]
    fn groups_are_even_and_leave_nothing_out() {
        for (count, expected) in
            [(1, 1), (4, 1), (7, 1), (8, 2), (31, 7), (32, 8), (63, 15), (64, 16)]
        {
            let all = BlockSet::first(count);
            let made: Vec<_> = groups(all).collect();
            assert_eq!(made.len(), expected, "{count} blocks");
            assert_eq!(made.iter().fold(BlockSet::NONE, |sum, group| sum.or(*group)), all);
            assert_eq!(made.iter().map(|group| group.len()).sum::<u32>(), count);
            assert!(made.iter().all(|group| group.len() >= count.min(4)), "{made:?}");
        }
        assert_eq!(groups(BlockSet::NONE).collect::<Vec<_>>(), [BlockSet::NONE]);
    }
}
