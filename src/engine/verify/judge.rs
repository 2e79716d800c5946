//! What several words on one segment, and the bytes that were seen, make of each other.

use super::ballots::Reach;
use super::shelf::{Entry, Word};
use super::signers::{Class, Place, Signers};
use crate::base::digest::Digest;
use crate::base::peer::NodeKey;
use crate::base::segment::BlockSet;
use crate::base::time::Date;
use crate::wire::record::Record;

/// What is to be thought of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the first one of its segment.
    New,
    /// It says what is known already.
    Known,
    /// Its signer's records do not count here.
    Untrusted,
    /// Its signature does not hold: who told it lies.
    Forged,
    /// It is no longer valid.
    Expired,
    /// It contradicts another record: the verifier's `is_contested` says whether one stands.
    Contradicts,
    /// It contradicts what nodes said who count together alone: it stands, and what
    /// its `resting` names rests on nothing.
    Overrules,
}

impl Word {
    /// Whether this very record is known.
    pub(super) fn holds(&self, record: &Record) -> bool {
        match self {
            Self::One(known) => **known == *record,
            Self::Two(known) => known.contains(record),
            Self::None => false,
        }
    }

    pub(super) fn is_of(&self, signer: NodeKey) -> bool {
        match self {
            Self::One(known) => known.signer == signer,
            Self::Two(known) => known.iter().any(|record| record.signer == signer),
            Self::None => false,
        }
    }
}

/// A further record of a segment that has one or is contested.
pub(super) fn second(entry: &mut Entry, record: &Record, signers: &mut Signers) -> Verdict {
    let Word::One(known) = &mut entry.word else { return Verdict::Contradicts };
    let rank = |record: &Record| (signers.class(record.signer), record.statement.expires);
    let by: Vec<Place> = signers.place(record.signer).into_iter().collect();
    if is_same(known, record) {
        if rank(record) > rank(known) {
            **known = record.clone();
            (entry.vouched, entry.reach) = (by, Reach::Any);
        }
        return Verdict::Known;
    }
    if rank(known).0 == Some(Class::Node) {
        // Who is trusted by name goes before those who count together.
        **known = record.clone();
        (entry.vouched, entry.reach) = (by, Reach::Any);
        (entry.proven, entry.origin) = (BlockSet::NONE, BlockSet::NONE);
        return Verdict::Overrules;
    }
    let refutes = |block| said(record, block) != said(known, block);
    if entry.origin.iter().any(refutes) {
        by.into_iter().for_each(|place| signers.on_contradicted(place));
    } else {
        entry.word = Word::Two(Box::new([(**known).clone(), record.clone()]));
    }
    Verdict::Contradicts
}

/// Where two records contradict each other, the origin's own bytes say which one is right.
pub(super) fn decide(entry: &mut Entry, (block, digest): (u8, Digest), signers: &mut Signers) {
    let Word::Two(records) = &entry.word else { return };
    let [first, second] = &**records;
    let mut contradict = |record: &Record| {
        signers.place(record.signer).into_iter().for_each(|place| signers.on_contradicted(place));
    };
    let fits = |record| said(record, block) == Some(digest);
    let (right, wrong) = match (fits(first), fits(second)) {
        (true, true) => return,
        (true, false) => (first, second),
        (false, true) => (second, first),
        (false, false) => {
            contradict(first);
            contradict(second);
            return contest(entry);
        }
    };
    contradict(wrong);
    let both = entry.proven.iter().filter(|block| said(first, *block) == said(second, *block));
    let both: BlockSet = both.collect();
    let right = Box::new(right.clone());
    entry.vouched = signers.place(right.signer).into_iter().collect();
    (entry.word, entry.proven, entry.origin) = (Word::One(right), both, entry.origin.and(both));
}

/// Whether the origin's bytes of a block are as the one record says.
pub(super) fn by_origin(
    entry: &mut Entry,
    (block, digest): (u8, Digest),
    signers: &mut Signers,
) -> Option<bool> {
    let first = entry.origin.is_empty();
    let good = by_others(entry, (block, digest))?;
    if good {
        entry.origin = entry.origin.or(BlockSet::one(block));
        if first {
            entry.vouched.iter().for_each(|place| signers.on_agreed(*place));
        }
    } else {
        entry.vouched.iter().for_each(|place| signers.on_contradicted(*place));
        contest(entry);
    }
    Some(good)
}

/// Whether a block is as the one record says.
pub(super) fn by_others(entry: &mut Entry, (block, digest): (u8, Digest)) -> Option<bool> {
    let Word::One(record) = &entry.word else { return None };
    let good = said(record, block) == Some(digest);
    if good {
        entry.proven = entry.proven.or(BlockSet::one(block));
    }
    Some(good)
}

fn contest(entry: &mut Entry) {
    entry.word = Word::None;
    (entry.proven, entry.origin) = (BlockSet::NONE, BlockSet::NONE);
}

pub(super) fn said(record: &Record, block: u8) -> Option<Digest> {
    record.statement.blocks.get(usize::from(block)).copied()
}

/// Whether two records of a segment are about the same bytes.
pub(super) fn is_same(one: &Record, other: &Record) -> bool {
    let (one, other) = (&one.statement, &other.statement);
    one.length == other.length && one.blocks == other.blocks
}

pub(super) fn is_over(record: &Record, date: Option<Date>) -> bool {
    date.is_some_and(|date| record.statement.expires <= date)
}
