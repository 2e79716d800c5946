//! The verifier: which record of a segment is trusted, and which blocks are proven by it.
//!
//! A record counts when its signer is trusted and its signature holds. Where two of them
//! contradict each other, there are two contents under one name: one per region, say, a name that
//! a live stream uses again, or a lie. Then the one that our own origin's bytes prove is right
//! for us. As long as no such bytes are here the segment is contested and nothing of it is
//! exchanged: whichever were believed, half of the network would give the other half blocks that
//! look like lies, and ban each other for it.
//!
//! Where our own origin's bytes differ from the only record, the segment is contested too, until
//! it is forgotten. That alone does not make the signer a liar (content may be replaced behind
//! its URL), but [`Verifier::liar`] names a signer that is mostly wrong.

use super::ballots::{Ballots, Reach, is_equal};
use super::judge::{Verdict, by_origin, by_others, decide, is_over, is_same, second};
use super::provenance::Provenance;
use super::shelf::{Entry, Shelf, Word};
use super::signers::{Class, Place, Signers, Trusted};
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::peer::{Ground, NodeKey};
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::time::{Date, Instant};
use crate::wire::record::Record;

/// What comes of one node's word on what it took from the origin itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote {
    /// It is counted, and changes nothing yet.
    Counted,
    /// The segment has a record from now on.
    Believed,
    /// The record counts for blocks of every node from now on.
    Wider,
    /// It differs from the record that there is.
    Differs,
    /// Its signature does not hold: who told it lies.
    Forged,
    /// It counts for nothing: too late, said twice, or by somebody who lied.
    Ignored,
}

/// Where a block's bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// A peer gave them.
    Peer(NodeKey),
    /// This node took them from the origin itself.
    Origin,
    /// They were on the disk before the start.
    Disk,
}

/// What is to be thought of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is as the record says, and noted as proven.
    Good,
    /// It is not as the record says.
    Bad {
        /// Whose lie that is: the peer's, or that of a signer who is mostly wrong. None where the
        /// disk is worn, or the content may have changed.
        liar: Option<NodeKey>,
    },
    /// There is no record to judge it by, or the segment is contested.
    Unknown,
}

/// Trusted records, proven blocks, and what rests on whom.
#[derive(Debug, Default)]
pub struct Verifier {
    signers: Signers,
    shelf: Shelf,
    provenance: Provenance,
    ballots: Ballots,
    quorum: Option<usize>,
}

impl Verifier {
    /// A verifier that believes these signers and nobody else.
    pub fn new(trusted: &Trusted) -> Self {
        let quorum = trusted.quorum;
        Self { signers: Signers::new(trusted), quorum, ..Self::default() }
    }

    /// Takes a record in. Its signature is checked here, once; where no date is known, it counts
    /// as not expired for [`limits::record::UNDATED`].
    pub fn on_record(&mut self, record: Record, date: Option<Date>, now: Instant) -> Verdict {
        let segment = record.statement.segment;
        let Some(place) = self.signers.trusted(record.signer) else { return Verdict::Untrusted };
        if is_over(&record, date) {
            return Verdict::Expired;
        }
        let over = |entry: &Entry| match &entry.word {
            Word::One(known) => is_over(known, date),
            Word::Two(_) | Word::None => false,
        };
        if self.shelf.find(segment).is_some_and(over) {
            self.shelf.remove(segment);
        }
        if self.shelf.with(segment, |entry| entry.word.holds(&record)) == Some(true) {
            return Verdict::Known;
        }
        if !record.holds() {
            return Verdict::Forged;
        }
        let Self { signers, shelf, .. } = self;
        if let Some(verdict) = shelf.with(segment, |entry| second(entry, &record, signers)) {
            return verdict;
        }
        shelf.insert(segment, Entry::new(record, now, (vec![place], Reach::Any)));
        Verdict::New
    }

    /// Why no record of this signer or this age counts, in words for an operator.
    pub fn why_not(&self, record: &Record, date: Option<Date>) -> Option<&'static str> {
        if self.signers.trusted(record.signer).is_none() {
            return Some("their signer is none of 'publishers', or is believed no more");
        }
        is_over(record, date)
            .then_some("they are over: run 'neap sign' again, or compare the clocks")
    }

    /// Takes in what a node says that it took from the origin itself, heard over its own link,
    /// whose other end is there. What others pass on counts for nothing.
    pub fn on_vote(
        &mut self,
        record: Record,
        ground: Ground,
        (date, now): (Option<Date>, Instant),
    ) -> Vote {
        let segment = record.statement.segment;
        let Some(needed) = self.quorum.filter(|_| !is_over(&record, date)) else {
            return Vote::Ignored;
        };
        let known = self.shelf.find(segment);
        match known.map(|entry| (&entry.word, entry.reach)) {
            Some((Word::One(known), _)) if !is_equal(known, &record) => return Vote::Differs,
            Some((Word::One(_), Reach::Home)) | None => {}
            Some(_) => return Vote::Ignored,
        }
        let is_known = known.is_some();
        let Some(place) = self.voter(record.signer, &[]) else { return Vote::Ignored };
        if self.ballots.has_voted(segment, place) {
            return Vote::Ignored;
        }
        if !record.holds() {
            return Vote::Forged;
        }
        let Some(candidate) = self.ballots.vote(record, (place, ground)) else {
            return Vote::Ignored;
        };
        let Some(reach) = candidate.reach(needed) else { return Vote::Counted };
        let vouched = candidate.places();
        if !is_known {
            let record = candidate.record.clone();
            self.shelf.insert(segment, Entry::new(record, now, (vouched, reach)));
            return Vote::Believed;
        }
        self.shelf.with(segment, |entry| (entry.vouched, entry.reach) = (vouched, reach));
        if reach == Reach::Any { Vote::Wider } else { Vote::Counted }
    }

    /// Of whom blocks of a segment may be taken; none where there is no record.
    pub fn reach(&self, segment: SegmentId) -> Option<Reach> {
        let entry = self.shelf.find(segment)?;
        matches!(entry.word, Word::One(_)).then_some(entry.reach)
    }

    /// Whether a segment's record rests on nodes who count together alone, and not on bytes that
    /// this node took itself.
    pub fn is_by_quorum(&self, segment: SegmentId) -> bool {
        let signer = self.record(segment).and_then(|record| self.signers.class(record.signer));
        signer == Some(Class::Node)
    }

    /// Whether a signer's word counts by itself.
    pub fn is_trusted(&self, signer: NodeKey) -> bool {
        self.signers.trusted(signer).is_some()
    }

    /// Whether a record of this node's or another's says something else of a segment than is known.
    pub fn differs(&self, record: &Record) -> bool {
        let known = self.record(record.statement.segment);
        known.is_some_and(|known| !is_same(known, record))
    }

    /// The record of a segment, unless it is contested.
    pub fn record(&self, segment: SegmentId) -> Option<&Record> {
        match &self.shelf.find(segment)?.word {
            Word::One(record) => Some(record),
            Word::Two(_) | Word::None => None,
        }
    }

    /// Whether nothing of the segment is to be exchanged, since there is more than one word on it.
    pub fn is_contested(&self, segment: SegmentId) -> bool {
        self.shelf.find(segment).is_some_and(|entry| !matches!(entry.word, Word::One(_)))
    }

    /// Judges a whole block by its digest. When the origin's own bytes are bad, the segment is
    /// contested from then on, and what [`Verifier::resting`] names is to be dropped.
    pub fn on_block(
        &mut self,
        (segment, block): (SegmentId, u8),
        digest: Digest,
        from: From,
    ) -> Check {
        let Self { signers, shelf, provenance, .. } = self;
        let seen = shelf.with(segment, |entry| match from {
            From::Origin => {
                decide(entry, (block, digest), signers);
                by_origin(entry, (block, digest), signers)
            }
            From::Peer(_) | From::Disk => by_others(entry, (block, digest)),
        });
        let Some(good) = seen.flatten() else { return Check::Unknown };
        let one = BlockSet::one(block);
        match (good, from) {
            (true, From::Origin) => provenance.release(segment, one),
            (true, From::Peer(_) | From::Disk) => {
                let vouched = shelf.find(segment).map_or(&[][..], |entry| &entry.vouched);
                provenance.on_taken(segment, one, vouched);
            }
            (false, From::Origin) => return Check::Bad { liar: signers.liar() },
            (false, From::Peer(key)) => return Check::Bad { liar: Some(key) },
            (false, From::Disk) => return Check::Bad { liar: None },
        }
        Check::Good
    }

    /// The blocks of a segment whose bytes are proven, and may be given to peers.
    pub fn proven(&self, segment: SegmentId) -> BlockSet {
        let entry = self.shelf.find(segment).filter(|_| !self.is_contested(segment));
        entry.map_or(BlockSet::NONE, |entry| entry.proven)
    }

    /// The blocks of a segment that came from peers or an unknown past, on a signer's word.
    pub fn resting(&self, segment: SegmentId) -> BlockSet {
        self.provenance.of(segment)
    }

    /// On whose word [`Verifier::resting`] rests.
    pub fn vouchers(&self, segment: SegmentId) -> Vec<NodeKey> {
        let places = self.provenance.signers(segment);
        places.iter().map(|place| self.signers.key(*place)).collect()
    }

    /// Blocks lie on the disk that rested on somebody's word when they were written; false where
    /// one of those is not believed any more, so that they are to go.
    pub fn on_found(&mut self, segment: SegmentId, blocks: BlockSet, by: &[NodeKey]) -> bool {
        let mut places = Vec::new();
        for key in by {
            let place = match self.signers.trusted(*key) {
                None if self.quorum.is_some() => self.voter(*key, &places),
                found => found,
            };
            let Some(place) = place else { return false };
            places.push(place);
        }
        for place in self.provenance.signers(segment) {
            if !places.contains(place) {
                places.push(*place);
            }
        }
        self.provenance.on_taken(segment, blocks, &places);
        true
    }

    /// Where a node stands whose word counts with others'; `more` are places that are in use too.
    fn voter(&mut self, key: NodeKey, more: &[Place]) -> Option<Place> {
        let Self { signers, shelf, provenance, ballots, .. } = self;
        let used = ballots.places().chain(shelf.places()).chain(provenance.places());
        signers.voter(key, used.chain(more))
    }

    /// These blocks' bytes are here no more.
    pub fn unprove(&mut self, segment: SegmentId, blocks: BlockSet) {
        self.provenance.release(segment, blocks);
        self.shelf.with(segment, |entry| {
            entry.proven = entry.proven.less(blocks);
            entry.origin = entry.origin.less(blocks);
        });
    }

    /// None of a resource's bytes are here any more.
    pub fn unprove_all(&mut self, resource: Digest) {
        let mut here = self.shelf.of_resource(resource);
        here.extend(self.provenance.of_resource(resource));
        here.into_iter().for_each(|segment| self.unprove(segment, BlockSet::first(64)));
    }

    /// The segment matters no more: its record, its proofs and any contest are forgotten.
    pub fn forget(&mut self, segment: SegmentId) {
        self.shelf.remove(segment);
        self.ballots.forget(segment);
        self.provenance.forget(segment);
    }

    /// Drops records that are over, and answers which. Their blocks stay as good as they were, but
    /// they are given to peers no more.
    pub fn expire(&mut self, date: Option<Date>, now: Instant) -> Vec<SegmentId> {
        let over = |entry: &Entry| match (&entry.word, date) {
            (Word::One(record), Some(_)) => is_over(record, date),
            (Word::Two(records), Some(_)) => records.iter().all(|record| is_over(record, date)),
            (_, None) | (Word::None, _) => now.since(entry.came) >= limits::record::UNDATED,
        };
        let over = self.shelf.all(over);
        over.iter().for_each(|segment| drop(self.shelf.remove(*segment)));
        over
    }

    /// A trusted signer whose records the origin's own bytes contradict more often than not. It
    /// is named until it is distrusted.
    pub fn liar(&self) -> Option<NodeKey> {
        self.signers.liar()
    }

    /// Believes the signer no more, until the next start, and answers the segments of which peers'
    /// blocks were taken on its word: they are to be dropped.
    pub fn distrust(&mut self, signer: NodeKey) -> Vec<SegmentId> {
        let Some(place) = self.signers.distrust(signer) else { return Vec::new() };
        let said =
            self.shelf.all(|entry| entry.word.is_of(signer) || entry.vouched.contains(&place));
        for segment in said {
            self.ballots.forget(segment);
            // Where two contradict each other the other one stands.
            if let Some(mut entry) = self.shelf.remove(segment) {
                let Word::Two(records) = entry.word else { continue };
                let Some(other) = records.into_iter().find(|r| r.signer != signer) else {
                    continue;
                };
                entry.vouched = self.signers.place(other.signer).into_iter().collect();
                entry.word = Word::One(Box::new(other));
                (entry.proven, entry.origin) = (BlockSet::NONE, BlockSet::NONE);
                self.shelf.insert(segment, entry);
            }
        }
        self.provenance.take(place)
    }

    /// How many segments have a record in memory, and bytes of all records.
    pub fn size(&self) -> (usize, usize) {
        self.shelf.size()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::super::judge::said;
    use super::*;
    use crate::base::rng::Rng;
    use crate::wire::record::Statement;

    const NOW: Instant = Instant::from_micros(1_000_000);
    const DATE: Option<Date> = Some(Date(1_000));
    const PEER: From = From::Peer(NodeKey([9; 32]));

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed of 32 bytes")
    }

    fn key(seed: u8) -> NodeKey {
        NodeKey(pair(seed).public_key().as_ref().try_into().expect("a key of 32 bytes"))
    }

    fn segment(name: u32) -> SegmentId {
        SegmentId { resource: Digest::of(&name.to_be_bytes()), number: 0 }
    }

    /// What signer `seed` says of a segment: each letter is the content of one block.
    fn record(seed: u8, name: u32, content: &str, expires: i64) -> Record {
        let statement = Statement {
            segment: segment(name),
            length: content.len() as u64 * limits::block::BLOCK,
            content_type: String::new(),
            etag: String::new(),
            last_modified: String::new(),
            lifetime: Duration::ZERO,
            blocks: content.bytes().map(|letter| Digest::of(&[letter])).collect(),
            expires: Date(expires),
        };
        Record::sign(statement, &pair(seed)).expect("what can be signed")
    }

    /// Witnesses 1 and 2, publisher 3.
    fn verifier() -> Verifier {
        let (witnesses, publishers) = (vec![key(1), key(2)], vec![key(3)]);
        Verifier::new(&Trusted { witnesses, publishers, ..Trusted::default() })
    }

    impl Verifier {
        fn tell(&mut self, seed: u8, name: u32, content: &str) -> Verdict {
            self.on_record(record(seed, name, content, 2_000), DATE, NOW)
        }

        fn show(&mut self, name: u32, (block, letter): (u8, char), from: From) -> Check {
            let digest = Digest::of(letter.to_string().as_bytes());
            self.on_block((segment(name), block), digest, from)
        }
    }

    #[test]
    fn only_what_a_trusted_signer_signed_counts() {
        let mut verifier = verifier();
        assert_eq!(verifier.tell(4, 1, "ab"), Verdict::Untrusted);
        let mut forged = record(1, 1, "ab", 2_000);
        forged.statement.blocks[1] = Digest::of(b"x");
        assert_eq!(verifier.on_record(forged.clone(), DATE, NOW), Verdict::Forged);
        assert_eq!(verifier.record(segment(1)), None);
        assert_eq!(verifier.show(1, (0, 'a'), PEER), Check::Unknown);
        assert_eq!(verifier.tell(1, 1, "ab"), Verdict::New);
        assert_eq!(verifier.tell(1, 1, "ab"), Verdict::Known);
        assert_eq!(verifier.tell(2, 1, "ab"), Verdict::Known);
        assert_eq!(verifier.on_record(forged, DATE, NOW), Verdict::Forged);
        assert!(verifier.record(segment(1)).is_some_and(|known| known.signer == key(1)));
    }

    #[test]
    fn a_block_is_proven_by_its_digest_and_a_bad_one_names_its_giver() {
        let mut verifier = verifier();
        verifier.tell(1, 1, "ab");
        assert_eq!(verifier.show(1, (1, 'b'), PEER), Check::Good);
        assert_eq!(verifier.proven(segment(1)), BlockSet::one(1));
        let liar = Some(NodeKey([9; 32]));
        for (block, letter) in [(0, 'x'), (2, 'a'), (1, 'a'), (255, 'b')] {
            assert_eq!(verifier.show(1, (block, letter), PEER), Check::Bad { liar }, "{block}");
        }
        assert_eq!(verifier.show(1, (0, 'x'), From::Disk), Check::Bad { liar: None });
        assert_eq!(verifier.proven(segment(1)), BlockSet::one(1), "what is good stays good");
        verifier.unprove(segment(1), BlockSet::one(1));
        assert!(verifier.proven(segment(1)).is_empty() && verifier.resting(segment(1)).is_empty());
    }

    #[test]
    fn a_record_expires_only_where_a_date_is_known() {
        let mut verifier = verifier();
        let late = Some(Date(2_000));
        assert_eq!(verifier.on_record(record(1, 1, "a", 2_000), late, NOW), Verdict::Expired);
        assert_eq!(verifier.on_record(record(1, 1, "a", 2_000), None, NOW), Verdict::New);
        assert_eq!(verifier.expire(DATE, NOW), []);
        assert_eq!(verifier.expire(None, NOW + Duration::from_secs(3600)), []);
        assert_eq!(verifier.expire(None, NOW + limits::record::UNDATED), [segment(1)]);
        assert_eq!(verifier.tell(1, 1, "a"), Verdict::New);
        assert_eq!(verifier.expire(late, NOW), [segment(1)]);
    }

    #[test]
    fn what_comes_after_the_end_of_a_record_is_new_content() {
        let mut verifier = verifier();
        verifier.tell(1, 1, "ab");
        verifier.show(1, (0, 'a'), From::Origin);
        let next = record(1, 1, "xyz", 9_000);
        assert_eq!(verifier.on_record(next, Some(Date(3_000)), NOW), Verdict::New);
        assert!(verifier.proven(segment(1)).is_empty());
    }

    #[test]
    fn the_publishers_word_and_the_later_one_are_kept() {
        let mut verifier = verifier();
        verifier.tell(1, 1, "ab");
        verifier.show(1, (0, 'a'), PEER);
        for (seed, expires, kept) in [(2, 3_000, 2), (1, 2_500, 2), (3, 2_000, 3), (2, 9_000, 3)] {
            let told = verifier.on_record(record(seed, 1, "ab", expires), DATE, NOW);
            assert_eq!(told, Verdict::Known);
            assert_eq!(verifier.record(segment(1)).map(|known| known.signer), Some(key(kept)));
        }
        assert_eq!(verifier.proven(segment(1)), BlockSet::one(0));
    }

    #[test]
    fn two_records_that_contradict_each_other_leave_nothing_to_exchange() {
        let mut verifier = verifier();
        for (name, other) in [(1, "ax"), (2, "abc"), (3, "a")] {
            verifier.tell(1, name, "ab");
            verifier.show(name, (0, 'a'), PEER);
            assert_eq!(verifier.tell(2, name, other), Verdict::Contradicts);
            assert!(verifier.is_contested(segment(name)));
            assert_eq!(verifier.record(segment(name)), None);
            assert!(verifier.proven(segment(name)).is_empty());
            assert_eq!(verifier.resting(segment(name)), BlockSet::one(0), "it is to be dropped");
            assert_eq!(verifier.show(name, (0, 'a'), PEER), Check::Unknown);
            assert_eq!(verifier.tell(1, name, "ab"), Verdict::Known);
            assert_eq!(verifier.tell(3, name, "ab"), Verdict::Contradicts);
        }
        verifier.forget(segment(1));
        assert_eq!(verifier.tell(2, 1, "ax"), Verdict::New);
    }

    #[test]
    fn the_origins_bytes_decide_between_two_records() {
        for (letter, right) in [('b', 1), ('x', 2)] {
            let mut verifier = verifier();
            verifier.tell(1, 1, "ab");
            verifier.tell(2, 1, "ax");
            assert_eq!(verifier.show(1, (0, 'a'), From::Origin), Check::Unknown);
            assert_eq!(verifier.show(1, (1, letter), From::Origin), Check::Good);
            assert!(!verifier.is_contested(segment(1)));
            assert_eq!(verifier.record(segment(1)).map(|known| known.signer), Some(key(right)));
            assert_eq!(verifier.proven(segment(1)), BlockSet::one(1));
        }
        let mut verifier = verifier();
        verifier.tell(1, 1, "ab");
        verifier.tell(2, 1, "ax");
        assert_eq!(verifier.show(1, (1, 'y'), From::Origin), Check::Unknown);
        assert_eq!(verifier.show(1, (1, 'x'), From::Origin), Check::Unknown, "neither is right");
        assert!(verifier.is_contested(segment(1)));
    }

    #[test]
    fn what_the_origins_bytes_proved_stands_against_a_later_record() {
        let mut verifier = verifier();
        verifier.tell(1, 1, "ab");
        verifier.show(1, (1, 'b'), From::Origin);
        assert_eq!(verifier.tell(2, 1, "ax"), Verdict::Contradicts);
        assert!(!verifier.is_contested(segment(1)));
        assert_eq!(verifier.proven(segment(1)), BlockSet::one(1));
        assert_eq!(verifier.tell(2, 1, "xb"), Verdict::Contradicts);
        assert!(verifier.is_contested(segment(1)), "our bytes fit both");
    }

    #[test]
    fn the_origins_bytes_contest_a_record_and_then_its_signer() {
        let mut verifier = verifier();
        for name in 1..=4 {
            verifier.tell(1, name, "ab");
            verifier.show(name, (0, 'a'), PEER);
        }
        verifier.tell(2, 9, "ab");
        verifier.show(9, (0, 'a'), PEER);
        for (name, liar) in [(1, None), (2, None), (3, Some(key(1)))] {
            let shown = verifier.show(name, (1, 'x'), From::Origin);
            assert_eq!(shown, Check::Bad { liar }, "segment {name}");
            assert!(verifier.is_contested(segment(name)));
            assert_eq!(verifier.resting(segment(name)), BlockSet::one(0));
            assert_eq!(verifier.tell(1, name, "ab"), Verdict::Contradicts);
        }
        verifier.unprove(segment(1), BlockSet::one(0));
        let mut purged = verifier.distrust(key(1));
        purged.sort();
        let mut resting = [segment(2), segment(3), segment(4)];
        resting.sort();
        assert_eq!(purged, resting);
        assert_eq!((verifier.liar(), verifier.record(segment(4))), (None, None));
        assert_eq!(verifier.tell(1, 5, "ab"), Verdict::Untrusted);
        assert_eq!(verifier.proven(segment(9)), BlockSet::one(0), "others stand");
        assert_eq!(verifier.distrust(key(1)), []);
    }

    #[test]
    fn when_one_of_two_is_distrusted_the_other_stands() {
        let mut verifier = verifier();
        verifier.tell(1, 1, "ab");
        verifier.tell(2, 1, "ax");
        assert_eq!(verifier.distrust(key(1)), []);
        assert!(!verifier.is_contested(segment(1)));
        assert_eq!(verifier.record(segment(1)).map(|known| known.signer), Some(key(2)));
    }

    #[test]
    fn what_came_from_the_origin_rests_on_nobody() {
        let mut verifier = verifier();
        verifier.tell(1, 1, "ab");
        verifier.show(1, (0, 'a'), PEER);
        verifier.show(1, (1, 'b'), From::Disk);
        assert_eq!(verifier.resting(segment(1)), BlockSet::first(2));
        verifier.show(1, (0, 'a'), From::Origin);
        assert_eq!(verifier.resting(segment(1)), BlockSet::one(1));
        verifier.show(1, (1, 'b'), From::Origin);
        assert_eq!(verifier.distrust(key(1)), []);
    }

    #[test]
    fn records_are_bounded_and_the_least_recently_used_goes() {
        let mut verifier = verifier();
        let whole = "x".repeat(64);
        verifier.tell(1, 0, &whole);
        verifier.show(0, (5, 'x'), PEER);
        verifier.tell(1, 1, &whole);
        let held = |verifier: &Verifier, name| verifier.record(segment(name)).is_some();
        for name in 2.. {
            verifier.tell(1, name, &whole);
            let (count, bytes) = verifier.size();
            assert!(count <= limits::record::RECORDS && bytes <= limits::record::RECORD_MEMORY);
            if !held(&verifier, 1) {
                break;
            }
            assert_eq!(verifier.show(0, (6, 'x'), PEER), Check::Good);
        }
        assert!(held(&verifier, 0), "it was used just now");
        let (count, bytes) = verifier.size();
        assert!(count > 500 && bytes > limits::record::RECORD_MEMORY - 4096);
        (0..5000).for_each(|name| verifier.forget(segment(name)));
        assert_eq!(verifier.size(), (0, 0));
    }

    #[test]
    fn what_rests_on_a_signer_outlives_its_record() {
        let mut verifier = verifier();
        verifier.tell(1, 1, "a");
        verifier.show(1, (0, 'a'), PEER);
        verifier.expire(Some(Date(5_000)), NOW);
        assert_eq!(verifier.record(segment(1)), None);
        assert_eq!(verifier.distrust(key(1)), [segment(1)]);
    }

    fn quorum() -> Verifier {
        Verifier::new(&Trusted {
            witnesses: vec![key(1)],
            own: Some(key(8)),
            quorum: Some(3),
            ..Trusted::default()
        })
    }

    fn vote(verifier: &mut Verifier, seed: u8, (name, content): (u32, &str), from: u8) -> Vote {
        let ground = if from == 0 { Ground::Home } else { Ground::Four([100, from, 0]) };
        verifier.on_vote(record(seed, name, content, 2_000), ground, (DATE, NOW))
    }

    #[test]
    fn three_places_are_believed_and_three_keys_of_one_are_not() {
        let mut verifier = quorum();
        for seed in [11, 12, 13, 14] {
            assert_eq!(vote(&mut verifier, seed, (1, "ab"), 5), Vote::Counted);
        }
        assert_eq!(vote(&mut verifier, 15, (1, "ab"), 6), Vote::Counted);
        assert_eq!(vote(&mut verifier, 15, (1, "ab"), 7), Vote::Ignored, "one key, one vote");
        assert_eq!(vote(&mut verifier, 16, (1, "xb"), 7), Vote::Counted, "something else");
        assert_eq!(verifier.record(segment(1)), None);
        assert_eq!(vote(&mut verifier, 17, (1, "ab"), 7), Vote::Believed);
        assert_eq!(verifier.reach(segment(1)), Some(Reach::Any));
        assert_eq!(vote(&mut verifier, 18, (1, "xb"), 8), Vote::Differs);
        assert!(verifier.is_by_quorum(segment(1)));
        assert_eq!(verifier.tell(11, 2, "ab"), Verdict::Untrusted, "passed on by somebody");
        let mut forged = record(19, 3, "ab", 2_000);
        forged.signature[0] ^= 1;
        assert_eq!(verifier.on_vote(forged, Ground::Home, (DATE, NOW)), Vote::Forged);
        let over = record(19, 3, "ab", 999);
        assert_eq!(verifier.on_vote(over, Ground::Home, (DATE, NOW)), Vote::Ignored);
    }

    #[test]
    fn one_at_home_is_believed_at_home_and_elsewhere_with_others() {
        let mut verifier = quorum();
        assert_eq!(vote(&mut verifier, 11, (1, "ab"), 0), Vote::Believed);
        assert_eq!(verifier.reach(segment(1)), Some(Reach::Home));
        assert_eq!(vote(&mut verifier, 12, (1, "ab"), 0), Vote::Counted);
        assert_eq!(vote(&mut verifier, 13, (1, "ab"), 1), Vote::Counted);
        assert_eq!(vote(&mut verifier, 14, (1, "ab"), 2), Vote::Wider);
        assert_eq!(verifier.reach(segment(1)), Some(Reach::Any));
    }

    #[test]
    fn when_the_origin_says_otherwise_all_who_vouched_lied() {
        let mut verifier = quorum();
        for name in 1..=2 {
            for seed in [11, 12, 13] {
                vote(&mut verifier, seed, (name, "ab"), seed);
            }
            verifier.show(name, (0, 'a'), PEER);
        }
        for seed in [21, 22, 23] {
            vote(&mut verifier, seed, (3, "ab"), seed);
        }
        verifier.show(3, (0, 'a'), PEER);
        let found = verifier.on_found(segment(9), BlockSet::one(3), &[key(12)]);
        assert!(found, "a node of a quorum of an earlier run");
        verifier.show(1, (1, 'x'), From::Origin);
        let mut purged = Vec::new();
        let mut liars = Vec::new();
        while let Some(liar) = verifier.liar() {
            purged.extend(verifier.distrust(liar));
            liars.push(liar);
        }
        liars.sort();
        let mut expected = [key(11), key(12), key(13)];
        expected.sort();
        assert_eq!(liars, expected);
        assert!([1, 2, 9].iter().all(|name| purged.contains(&segment(*name))));
        assert!(!purged.contains(&segment(3)) && verifier.record(segment(3)).is_some());
        assert_eq!(verifier.record(segment(2)), None);
        assert_eq!(vote(&mut verifier, 11, (4, "ab"), 1), Vote::Ignored, "it lied");
        assert!(!verifier.on_found(segment(8), BlockSet::one(0), &[key(13)]), "after a restart");
    }

    #[test]
    fn a_witness_goes_before_a_quorum() {
        let mut verifier = quorum();
        for seed in [11, 12, 13] {
            vote(&mut verifier, seed, (1, "ab"), seed);
        }
        verifier.show(1, (0, 'a'), PEER);
        assert_eq!(verifier.tell(1, 1, "ax"), Verdict::Overrules);
        assert_eq!(verifier.record(segment(1)).map(|record| record.signer), Some(key(1)));
        assert!(verifier.proven(segment(1)).is_empty());
        assert_eq!(verifier.resting(segment(1)), BlockSet::one(0), "it is to be dropped");
    }

    #[test]
    fn what_lies_on_the_disk_goes_with_the_signer_that_it_rests_on() {
        let mut verifier = verifier();
        assert!(verifier.on_found(segment(7), BlockSet::one(2), &[key(1)]));
        assert!(!verifier.on_found(segment(8), BlockSet::one(2), &[key(4)]), "nobody here");
        assert_eq!(verifier.resting(segment(7)), BlockSet::one(2));
        assert_eq!(verifier.vouchers(segment(7)), [key(1)]);
        for name in 1..=3 {
            verifier.tell(1, name, "ab");
            verifier.show(name, (0, 'x'), From::Origin);
        }
        assert_eq!(verifier.liar(), Some(key(1)));
        assert_eq!(verifier.distrust(key(1)), [segment(7)]);
    }

    /// What must hold of a segment at any time.
    #[track_caller]
    fn assert_sound(verifier: &Verifier, name: u32, distrusted: &[NodeKey], seed: u64) {
        let segment = segment(name);
        let record = verifier.record(segment);
        let proven = verifier.proven(segment);
        assert!(!(verifier.is_contested(segment) && record.is_some()), "seed {seed}");
        let all = record.map_or(BlockSet::NONE, |r| segment.blocks(r.statement.length));
        assert!(all.covers(proven), "seed {seed}: proven without a record");
        let signer = record.map(|record| record.signer);
        let trusted = signer.is_none_or(|key| !distrusted.contains(&key) && key != self::key(4));
        assert!(trusted, "seed {seed}: {signer:?} is not trusted");
    }

    #[test]
    fn whatever_comes_nothing_unproven_is_trusted_and_no_peer_can_change_that() {
        let contents = ["ab", "ax", "yb", "abc"];
        let told: Vec<Record> = (1..=4)
            .flat_map(|seed| (0..3).map(move |name| (seed, name)))
            .flat_map(|(seed, name)| contents.map(|content| record(seed, name, content, 2_000)))
            .collect();
        for seed in 0..50 {
            let (mut rng, mut verifier, mut distrusted) = (Rng::new(seed), verifier(), Vec::new());
            for _ in 0..80 {
                let mut below = |bound: usize| {
                    usize::try_from(rng.below(bound as u64)).expect("a small number")
                };
                let name = u32::try_from(below(3)).expect("a small number");
                let (block, letter) =
                    (u8::try_from(below(4)).expect("a small number"), b"abcxy"[below(5)]);
                let from = [PEER, From::Disk, From::Origin][below(3)];
                let view = |v: &Verifier| {
                    (v.record(segment(name)).cloned(), v.is_contested(segment(name)))
                };
                let before = view(&verifier);
                match below(12) {
                    0..=4 => {
                        let record = told[below(told.len())].clone();
                        verifier.on_record(record, DATE, NOW);
                    }
                    5..=9 => {
                        let check = verifier.show(name, (block, char::from(letter)), from);
                        let said = before.0.as_ref().and_then(|record| said(record, block));
                        let right = said == Some(Digest::of(&[letter]));
                        if from != From::Origin {
                            assert_eq!(view(&verifier), before, "seed {seed}");
                            assert_eq!(check == Check::Good, right, "seed {seed}");
                        } else if before.0.is_some() {
                            assert_eq!(verifier.is_contested(segment(name)), !right);
                        }
                        let proven = verifier.proven(segment(name)).has(block);
                        assert!(check != Check::Good || proven, "seed {seed}");
                    }
                    10 => verifier.unprove(segment(name), BlockSet::one(block)),
                    _ => {
                        let liar = verifier.liar().unwrap_or(NodeKey([8; 32]));
                        verifier.distrust(liar);
                        distrusted.push(liar);
                    }
                }
                (0..3).for_each(|name| assert_sound(&verifier, name, &distrusted, seed));
            }
        }
    }
}
