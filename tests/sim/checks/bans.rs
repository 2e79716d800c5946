//! Who gave a bad block is not asked again, and has given three at most to each victim.

use std::collections::{BTreeMap, BTreeSet};

use neap::base::peer::NodeKey;
use neap::base::segment::{BlockSet, SegmentId};

use super::all::Breaches;

#[derive(Default)]
pub struct Bans {
    pub breaches: Breaches,
    /// Bad blocks by victim and giver.
    bad: BTreeMap<(usize, NodeKey), u32>,
    banned: BTreeSet<(usize, NodeKey)>,
    pub worst: u32,
    pub blocks: u64,
}

impl Bans {
    /// A bad block is handed in.
    pub fn bad_block(&mut self, victim: usize, giver: NodeKey) {
        let count = self.bad.entry((victim, giver)).or_default();
        *count += 1;
        self.blocks += 1;
        self.worst = self.worst.max(*count);
        if *count > MOST {
            let giver = giver.short();
            self.breaches.add(format!("node {victim} takes bad block {count} of {giver}"));
        }
    }

    /// A node ends its link with a liar.
    pub fn banned(&mut self, victim: usize, liar: NodeKey) {
        self.banned.insert((victim, liar));
    }

    /// A node asks for blocks.
    pub fn asked(
        &mut self,
        (victim, giver): (usize, NodeKey),
        segment: SegmentId,
        blocks: BlockSet,
    ) {
        let bad = self.bad.contains_key(&(victim, giver));
        if bad || self.banned.contains(&(victim, giver)) {
            let giver = giver.short();
            self.breaches
                .add(format!("node {victim} asks the liar {giver} for {segment:?} {blocks:?}"));
        }
    }

    /// A node fell, and its memory with it.
    pub fn fallen(&mut self, node: usize) {
        self.bad.retain(|(victim, _), _| *victim != node);
        self.banned.retain(|(victim, _)| *victim != node);
    }
}

/// Bad blocks of one giver that a victim may take before it is banned.
const MOST: u32 = 3;
