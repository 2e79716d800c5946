//! What nodes say that they took from the origin themselves: counted where they are, and held
//! against the origin by blocks that are taken from there for that alone.

use super::machine::Machine;
use super::peering::Parting;
use super::report::{Counter, FaultKind};
use super::swarm::Swarm;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{Ground, NodeKey, PeerId, Tier};
use crate::base::segment::{BlockSet, SegmentId};
use crate::base::set::Set;
use crate::engine::schedule::want::Have;
use crate::engine::verify::ballots::Reach;
use crate::engine::verify::verifier::Vote;
use crate::wire::record::Record;

/// What has to do with votes.
#[derive(Debug, Default)]
pub(super) struct Voting {
    /// In how many places nodes must say the same; none where they do not count.
    pub(super) needed: Option<usize>,
    /// What nodes elsewhere said to have, while too few said so.
    held: Map<SegmentId, Map<PeerId, Have>>,
    /// Peers whose word on a segment is another one than what is believed.
    differ: Set<(SegmentId, PeerId)>,
    /// Blocks that were not as a quorum says, and who gave them: either lies.
    doubts: Map<(SegmentId, u8), NodeKey>,
    /// Signers whose word does not count, of whom the operator was told.
    unknown: Set<NodeKey>,
}

impl Voting {
    pub(super) fn new(needed: Option<usize>) -> Self {
        Self { needed, ..Self::default() }
    }

    /// A peer is gone.
    pub(super) fn on_gone(&mut self, peer: PeerId) {
        self.differ.retain(|(_, whose)| *whose != peer);
        self.held.retain(|_, held| {
            held.remove(&peer);
            !held.is_empty()
        });
    }

    /// A resource is not wanted any more.
    pub(super) fn forget(&mut self, resource: Digest) {
        self.differ.retain(|(segment, _)| segment.resource != resource);
        self.held.retain(|segment, _| segment.resource != resource);
        self.doubts.retain(|(segment, _), _| segment.resource != resource);
    }
}

impl Swarm {
    /// Whether a peer is in another home, and the word on a segment counts at home alone.
    pub(super) fn is_too_far(&self, peer: PeerId, segment: SegmentId) -> bool {
        let far = self.links.get(&peer).is_some_and(|link| link.tier != Tier::Home);
        far && self.verifier.reach(segment) == Some(Reach::Home)
    }
}

impl Machine {
    /// A peer told what it took itself; false where its word does not count by this rung.
    pub(super) fn is_vote(&self, peer: PeerId, record: &Record) -> bool {
        let Some(swarm) = &self.swarm else { return false };
        let own = swarm.links.get(&peer).is_some_and(|link| link.key == record.signer);
        own && swarm.voting.needed.is_some() && !swarm.verifier.is_trusted(record.signer)
    }

    /// A node said what it took from the origin itself.
    pub(super) fn on_vote(&mut self, peer: PeerId, record: Record) {
        let (segment, date, now) = (record.statement.segment, self.date(), self.now);
        let Some(swarm) = &mut self.swarm else { return };
        // What nobody here wants or has need not be judged: each vote costs a signature.
        let download = swarm.downloads.get(&segment.resource);
        let row = swarm.resources.get(&segment.resource);
        let length = row.and_then(|row| self.index.entry(*row)).and_then(|entry| entry.length);
        let length = length.or_else(|| download.and_then(|one| one.length.or(one.stated)));
        // Nor what is none of its segments: of those there would be no end.
        let matters = match (length, download) {
            (Some(length), _) => !segment.blocks(length).is_empty(),
            (None, Some(download)) => download.sought.contains(&segment),
            (None, None) => false,
        };
        let Some(link) = swarm.links.get(&peer).filter(|_| matters) else { return };
        match swarm.verifier.on_vote(record, link.ground, (date, now)) {
            Vote::Believed => {
                self.report.add(Counter::Records, 1);
                self.on_new_record(segment);
                self.audit(segment);
                self.release_haves(segment);
            }
            Vote::Wider => {
                self.announce(segment);
                self.release_haves(segment);
            }
            Vote::Differs => self.note_differs(peer, segment),
            Vote::Forged => {
                self.ban(peer, Parting::Liar("it gave a record whose signature is wrong"));
            }
            Vote::Counted | Vote::Ignored => {}
        }
    }

    /// What a peer has of a segment is other content than what is believed.
    pub(super) fn note_differs(&mut self, peer: PeerId, segment: SegmentId) {
        let Some(swarm) = &mut self.swarm else { return };
        if swarm.voting.needed.is_some() && swarm.voting.differ.len() < limits::record::BALLOTS {
            swarm.voting.differ.insert((segment, peer));
            let (here, coming) = (BlockSet::NONE, BlockSet::NONE);
            swarm.scheduler.on_have(peer, Have { segment, here, coming, hops: 0 }, self.now);
        }
    }

    /// Whether what a peer says to have waits: where nothing is known of a segment, a few nodes
    /// elsewhere keep nobody from the origin, since a few cannot be believed either.
    pub(super) fn holds_back(&mut self, peer: PeerId, have: Have) -> bool {
        let Some(swarm) = &mut self.swarm else { return false };
        let Some(needed) = swarm.voting.needed else { return false };
        if swarm.voting.differ.contains(&(have.segment, peer)) {
            return true;
        }
        let far = swarm.links.get(&peer).is_some_and(|link| link.tier != Tier::Home);
        if !far || swarm.verifier.record(have.segment).is_some() {
            return false;
        }
        if !swarm.downloads.contains_key(&have.segment.resource) {
            return false;
        }
        let held = swarm.voting.held.entry(have.segment).or_default();
        held.insert(peer, have);
        let says = |have: &Have| !have.here.or(have.coming).is_empty() && have.hops == 0;
        let saying = held.iter().filter(|(_, have)| says(have)).map(|(peer, _)| peer);
        let grounds = saying.filter_map(|peer| swarm.links.get(peer)).map(|link| link.ground);
        if grounds.collect::<Set<Ground>>().len() >= needed {
            self.release_haves(have.segment);
        }
        true
    }

    fn release_haves(&mut self, segment: SegmentId) {
        let Some(swarm) = &mut self.swarm else { return };
        let held = swarm.voting.held.remove(&segment).unwrap_or_default();
        for (peer, have) in held {
            swarm.scheduler.on_have(peer, have, self.now);
        }
    }

    /// One block is taken from the origin to see whether those who vouch for a segment lie: which,
    /// and of which segments, they cannot know before.
    fn audit(&mut self, segment: SegmentId) {
        let Some(swarm) = &self.swarm else { return };
        let Some(download) = swarm.downloads.get(&segment.resource) else { return };
        let Some(length) = download.length else { return };
        let blocks: Vec<u8> = segment.blocks(length).iter().collect();
        if self.rng.below(limits::record::AUDIT) >= blocks.len() as u64 {
            return;
        }
        let drawn = usize::try_from(self.rng.below(blocks.len() as u64)).unwrap_or(0);
        self.look_at_origin(segment, blocks[drawn]);
    }

    /// Takes one block of a segment from the origin, to judge others by.
    fn look_at_origin(&mut self, segment: SegmentId, block: u8) {
        let Some(swarm) = &mut self.swarm else { return };
        let Some(download) = swarm.downloads.get(&segment.resource) else { return };
        let (Some(row), Some(length)) = (download.row, download.length) else { return };
        let block = BlockSet::one(block);
        swarm.scheduler.on_own(segment, block, self.now);
        swarm.proving.audit(segment, block);
        self.report.add(Counter::Audits, 1);
        self.ask_runs(segment, (row, length), block);
    }

    /// A block is not what nodes vouch for who count together alone: they lie, or who gave it
    /// does. The origin's own block tells.
    pub(super) fn doubt(
        &mut self,
        (peer, key): (PeerId, NodeKey),
        (segment, block): (SegmentId, u8),
    ) {
        self.note_differs(peer, segment);
        let Some(swarm) = &mut self.swarm else { return };
        let full = swarm.voting.doubts.len() >= limits::record::BALLOTS;
        if !full && swarm.voting.doubts.insert((segment, block), key).is_none() {
            self.look_at_origin(segment, block);
        }
    }

    /// The origin's own block is here and as the record says: who gave another one lied.
    pub(super) fn settle_doubt(&mut self, segment: SegmentId, block: u8) {
        let Some(swarm) = &mut self.swarm else { return };
        if let Some(key) = swarm.voting.doubts.remove(&(segment, block)) {
            self.on_lie(key);
        }
    }

    /// Signers are believed no more: what rested on them goes, and those who said what they did
    /// not see are banned.
    pub(super) fn distrust_liars(&mut self) {
        while let Some(liar) = self.swarm.as_ref().and_then(|swarm| swarm.verifier.liar()) {
            let short = liar.short();
            let text = format!("signer {short} is believed no more: its records do not hold");
            self.report.fault(FaultKind::Peer, &text, self.now);
            self.say(log::Level::Warn, text);
            let Some(swarm) = &mut self.swarm else { return };
            for segment in swarm.verifier.distrust(liar) {
                self.purge(segment.resource);
            }
            self.ban_voter(liar);
        }
    }

    /// A record of somebody whose word does not count, while nobody's does: the usual cause is a
    /// key that is missing among the witnesses.
    pub(super) fn note_unknown(&mut self, record: &Record) {
        let counts =
            self.report.value(Counter::Records) + self.report.value(Counter::RecordsSigned);
        let Some(swarm) = &mut self.swarm else { return };
        let (signer, told) = (record.signer, &mut swarm.voting.unknown);
        let is_news = counts == 0
            && swarm.voting.needed.is_none()
            && !swarm.verifier.is_trusted(signer)
            && told.len() < UNKNOWN
            && !told.contains(&signer);
        if is_news && record.holds() {
            told.insert(signer);
            let text = format!(
                "peer {} signs records, but is not among network.witnesses: nothing is taken on \
                 its word",
                signer.short()
            );
            self.report.fault(FaultKind::Peer, &text, self.now);
            self.say(log::Level::Warn, text);
        }
    }

    fn ban_voter(&mut self, liar: NodeKey) {
        let Some(swarm) = &mut self.swarm else { return };
        if swarm.voting.needed.is_none() {
            return;
        }
        let peer = swarm.links.iter().find(|(_, link)| link.key == liar).map(|(peer, _)| *peer);
        match peer {
            Some(peer) => self.ban(peer, Parting::Liar("it signed what its origin does not send")),
            None => drop(swarm.roster.ban(liar, self.now)),
        }
    }
}

/// Unknown signers that are named: anybody in the network can make keys.
const UNKNOWN: usize = 8;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use ring::signature::Ed25519KeyPair;

    use super::*;
    use crate::base::peer::Role;
    use crate::base::time::{Date, Instant};
    use crate::config::model::Config;
    use crate::node::event::{Input, Output};
    use crate::node::overview::Figures;
    use crate::node::peering::Peering;
    use crate::wire::message::Message;
    use crate::wire::record::Statement;

    fn record(seed: u8) -> Record {
        let signer = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed");
        let statement = Statement {
            segment: SegmentId { resource: Digest::of(b"film"), number: 0 },
            length: 3,
            content_type: String::new(),
            etag: String::new(),
            last_modified: String::new(),
            lifetime: Duration::from_secs(60),
            blocks: vec![Digest::of(b"abc")],
            expires: Date(2_000_000_000),
        };
        Record::sign(statement, &signer).expect("a record")
    }

    #[test]
    fn an_unknown_signer_is_named_once_where_nobody_known_signs() {
        let mut config = Config::default();
        config.network.name = "home".into();
        config.network.witnesses = vec![record(7).signer];
        let mut machine = Machine::new(config, 1, Instant::default());
        machine.know(NodeKey([1; 32]), NodeKey([1; 32]), Instant::default());
        let mut told = |peering: Peering| {
            machine.handle(Input::Peer(Box::new(peering)), Instant::default());
            let mut lines = Vec::new();
            while let Some(output) = machine.poll_output() {
                if let Output::Say(log::Level::Warn, line) = output {
                    lines.push(line);
                }
            }
            let faults = machine.status(Instant::default(), Figures::default()).faults;
            (lines.join(" "), faults.len())
        };
        let (peer, address) = (PeerId(1), [192, 168, 0, 2].into());
        let (key, role, tier, dialled) = (record(2).signer, Role::Device, Tier::Home, None);
        told(Peering::Joined { peer, key, role, tier, dialled, address });
        let said = |record| Peering::Said { peer, message: Message::Record(Box::new(record)) };
        let line = format!(
            "peer {} signs records, but is not among network.witnesses: nothing is taken on its \
             word",
            record(2).signer.short()
        );
        assert_eq!(told(said(record(2))), (line, 1));
        assert_eq!(told(said(record(2))), (String::new(), 1));
        let forged = Record { signature: [0; 64], ..record(3) };
        assert_eq!(told(said(forged)), (String::new(), 1));
        told(said(record(7)));
        assert_eq!(told(said(record(4))), (String::new(), 1));
    }
}
