//! The part of the machine that deals with peers: who they are, what is wanted of them, what
//! they want. None of it exists while sharing is off.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use super::download::Download;
use super::event::Output;
use super::machine::Machine;
use super::peering::{Parting, PeerOrder, Peering};
use super::policy::Kin;
use super::proving::Proving;
use super::publisher::Filed;
use super::report::Counter;
use super::shadow::Shadow;
use super::sums::Sums;
use super::told::Told;
use super::untold::Untold;
use super::voting::Voting;
use super::windows::Files;
use super::yielding::Watched;
use crate::base::digest::Digest;
use crate::base::id::RowId;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{FoundBy, Ground, NodeKey, PeerId, Role, Tier};
use crate::base::rng::Rng;
use crate::base::segment::{SegmentId, resource};
use crate::base::set::Set;
use crate::base::time::{Date, Instant};
use crate::base::url::Locator;
use crate::config::model::{Config, Rung};
use crate::engine::cache::index::Key;
use crate::engine::peers::gossip::Gossip;
use crate::engine::peers::meeting::Meeting;
use crate::engine::peers::reach::Reach;
use crate::engine::peers::roster::Roster;
use crate::engine::peers::slots::Slots;
use crate::engine::peers::trust::Trust;
use crate::engine::schedule::scheduler::Scheduler;
use crate::engine::schedule::want::Have;
use crate::engine::verify::signers::Trusted;
use crate::engine::verify::verifier::Verifier;
use crate::wire::message::Message;

/// Everything that has to do with peers.
pub(super) struct Swarm {
    pub(super) own: NodeKey,
    pub(super) role: Role,
    pub(super) roster: Roster,
    pub(super) reach: Reach,
    /// The address that this node has elsewhere, once it is known.
    pub(super) outside: Option<IpAddr>,
    /// Where nodes beyond the home are met; none where nothing is announced at all.
    pub(super) meeting: Option<Meeting>,
    pub(super) gossip: Gossip,
    /// When something was last played that is shared beyond the home.
    pub(super) wide: Option<Instant>,
    /// Strangers are not to learn this node's address.
    pub(super) hides: bool,
    /// The operator's switch keeps this node from sharing.
    pub(super) muted: bool,
    /// When it was last looked which streams are played.
    pub(super) met: Instant,
    pub(super) scheduler: Scheduler,
    pub(super) slots: Slots,
    pub(super) trust: Trust,
    pub(super) verifier: Verifier,
    pub(super) sums: Sums,
    pub(super) voting: Voting,
    pub(super) links: Map<PeerId, Link>,
    /// Resources that are on their way here by way of the swarm.
    pub(super) downloads: Map<Digest, Download>,
    /// Where resources belong, so that it is known with whom they are shared.
    pub(super) kin: Map<Digest, Kin>,
    /// Rows that may be given from, and the resource that each holds.
    pub(super) rows: Map<RowId, Digest>,
    pub(super) resources: Map<Digest, RowId>,
    /// Who wants to hear of a segment, and what each was told of it.
    pub(super) sought: Map<SegmentId, Map<PeerId, Told>>,
    /// News that a cap held back.
    pub(super) untold: Untold,
    pub(super) proving: Proving,
    /// Streams that a witness follows for those who watch them.
    pub(super) shadows: Map<Digest, Shadow>,
    /// When records were last looked through for those that are over.
    pub(super) looked: Instant,
    /// Topics that had no record file, how often in a row, and until when none is asked for.
    pub(super) unsigned: Map<Digest, (u8, Instant)>,
    /// Films in one file that others play.
    pub(super) files: Files,
    /// Record files of films that are played.
    pub(super) filed: Filed,
    /// Streams whose segments may not be kept, so that no peer can have them.
    pub(super) unkept: Set<Digest>,
    /// Topics whose records were seen to be of other content than the origin has, until when.
    pub(super) doubted: Map<Digest, Instant>,
    /// How often of late it was in vain to wait for peers to give a segment of a topic.
    pub(super) vain: Map<Digest, u8>,
    /// The segment that a player of ours asked for last.
    pub(super) watched: Option<Locator>,
    /// Lines on peers that the log had of late, and since when.
    pub(super) lines: (u32, Instant),
}

/// A link to a peer.
pub(super) struct Link {
    pub(super) key: NodeKey,
    pub(super) role: Role,
    pub(super) tier: Tier,
    /// Where its other end is.
    pub(super) ground: Ground,
    /// Beyond the home: where its packets come from, over QUIC. In the home: where it awaits
    /// others; no port until it has said so.
    pub(super) seen: Option<SocketAddr>,
    pub(super) since: Instant,
    /// Blocks that it was asked for and did not give yet.
    pub(super) asked: u64,
    /// Bytes of blocks that went there and came from there.
    pub(super) given: u64,
    pub(super) taken: u64,
    /// What it seeks, the oldest first.
    pub(super) seeks: VecDeque<SegmentId>,
    /// What its player watches, as a witness is told; the latest first.
    pub(super) watches: Vec<Watched>,
}

impl Swarm {
    /// The peers' part, where a network is configured and sharing is on.
    fn new(config: &Config, (own, signer): (NodeKey, NodeKey), mut rng: Rng) -> Self {
        let network = &config.network;
        let mut witnesses = network.trusted(Rung::Witness).to_vec();
        if network.role == Role::Witness {
            witnesses.push(signer);
        }
        // Without raw keys a link does not show with which key its node signs.
        let votes = network.verify.contains(&Rung::Quorum) && own == signer;
        let quorum = votes.then_some(network.quorum);
        let (publishers, own_key) = (network.trusted(Rung::Publisher), quorum.map(|_| signer));
        let trusted = Trusted { witnesses, publishers: publishers.to_vec(), own: own_key, quorum };
        Self {
            own,
            role: network.role,
            roster: Roster::new(own, network.max_peers, rng.fork()),
            reach: Reach::default(),
            outside: None,
            meeting: super::meeting::open(config, rng.fork()),
            gossip: Gossip::default(),
            wide: None,
            hides: network.relay_only,
            muted: false,
            met: Instant::default(),
            scheduler: Scheduler::new(rng.fork(), own, network.role),
            slots: Slots::new(rng.fork(), network.role),
            trust: Trust::default(),
            verifier: Verifier::new(&trusted),
            sums: Sums::new(config),
            voting: Voting::new(quorum),
            links: Map::new(),
            downloads: Map::new(),
            kin: Map::new(),
            rows: Map::new(),
            resources: Map::new(),
            sought: Map::new(),
            untold: Untold::default(),
            proving: Proving::default(),
            shadows: Map::new(),
            looked: Instant::default(),
            unsigned: Map::new(),
            files: Files::default(),
            filed: Filed::default(),
            unkept: Set::new(),
            doubted: Map::new(),
            vain: Map::new(),
            watched: None,
            lines: (0, Instant::default()),
        }
    }

    /// When something has to happen although nothing came; nobody is dialled while there is no
    /// room.
    pub(super) fn poll_timeout(
        &self,
        date: Option<Date>,
        has_room: bool,
        now: Instant,
    ) -> Option<Instant> {
        let meeting = self.meeting.as_ref().and_then(|meeting| meeting.poll_timeout(date, now));
        let shadows = self.shadows.values().filter_map(Shadow::due).min();
        let downloads = self.downloads.values().map(|download| download.ends).min();
        let gossip = self.gossip.poll_timeout(self.names_others(now));
        let engines = [
            has_room.then(|| self.roster.poll_timeout(now)).flatten(),
            self.reach.poll_timeout(),
            self.scheduler.poll_timeout(),
            self.slots.poll_timeout(),
            self.untold.from,
            shadows,
            downloads,
            meeting,
            gossip,
        ];
        engines.into_iter().flatten().min()
    }
}

impl Machine {
    /// Something happened with peers.
    pub(super) fn on_peering(&mut self, peering: Peering) {
        if self.swarm.is_none() {
            return self.on_peering_while_off(&peering);
        }
        match peering {
            Peering::Found { .. }
            | Peering::Lost { .. }
            | Peering::Joined { .. }
            | Peering::Failed { .. }
            | Peering::Gone { .. } => self.on_neighbour(peering),
            Peering::Seen { peer, at, is_udp } => self.on_seen(peer, at, is_udp),
            Peering::Mapped { address } => self.on_mapped(address),
            Peering::Said { peer, message } => self.on_said(peer, message),
            Peering::Block { peer, segment, block, digest, length } => {
                self.on_block(peer, (segment, block), (digest, length));
            }
            Peering::Given { peer, segment, block, bytes } => {
                self.on_given(peer, (segment, block), bytes);
            }
            Peering::Carried { peer, bits, is_full } => self.on_carried(peer, (bits, is_full)),
            Peering::Proven { row, range, digest } => self.on_proven(row, range, digest),
            Peering::Signed(record) => self.on_signed(*record),
            Peering::Summed { row, sum } => self.on_summed(row, sum),
            Peering::Announced { call, answer } => self.on_announced(&call, answer.as_ref()),
        }
    }

    /// Sharing is off: what still comes is turned away.
    fn on_peering_while_off(&mut self, peering: &Peering) {
        if let Peering::Joined { peer, .. } = peering {
            self.order(PeerOrder::Hangup { peer: *peer, why: Parting::Closing });
        }
    }

    /// A peer said something.
    fn on_said(&mut self, peer: PeerId, message: Message) {
        let Some(swarm) = &mut self.swarm else { return };
        if !swarm.links.contains_key(&peer) {
            return;
        }
        self.charge_hear(peer);
        if message.told().is_some_and(|segment| !self.may_tell_us(peer, segment.resource)) {
            return;
        }
        let Some(swarm) = &mut self.swarm else { return };
        match message {
            Message::Seek { segment, topic } => self.on_seek(peer, segment, topic),
            Message::Done { segment } => self.on_done(peer, segment),
            Message::Have { segment, here, coming, hops } => {
                self.on_have(peer, Have { segment, here, coming, hops });
            }
            Message::Record(record) => {
                self.note_unknown(&record);
                self.on_record(peer, *record);
            }
            Message::Want { segment, blocks, within } => {
                swarm.slots.on_want(peer, (segment, blocks, within), self.now);
            }
            Message::Cancel { segment, blocks } => swarm.slots.on_cancel(peer, segment, blocks),
            Message::Deny { segment, blocks } => {
                swarm.scheduler.on_deny(peer, (segment, blocks), self.now);
            }
            Message::Choke => swarm.scheduler.on_choke(peer, true, self.now),
            Message::Unchoke => swarm.scheduler.on_choke(peer, false, self.now),
            Message::Watch { origin, playlist, segment } => {
                self.on_watch(peer, (&origin, &playlist, &segment));
            }
            Message::Observed { address } => self.on_observed(peer, address),
            Message::Punch(punch) => {
                swarm.reach.on_punch(peer, punch, (&self.config.network.near, self.now));
            }
            Message::Whole { segment, sum } => self.on_whole(peer, segment, sum),
            Message::Switch(switch) => self.on_switch(peer, *switch),
            Message::Peers { addresses } => self.on_named(peer, &addresses),
            // Its bytes come as [`Peering::Block`].
            Message::Block { .. } => {}
        }
    }

    /// What the engines of the swarm want done, in bounded steps.
    pub(super) fn swarm_turn(&mut self) {
        if self.swarm.is_none() {
            return;
        }
        let busy = self.exchanges.values().any(|exchange| exchange.row.is_some());
        let (date, muted) = (self.date(), self.is_muted());
        if let Some(swarm) = &mut self.swarm {
            swarm.slots.busy(busy);
            swarm.muted = muted;
            if self.now - swarm.looked >= limits::record::EXPIRE {
                swarm.looked = self.now;
                swarm.verifier.expire(date, self.now);
                swarm.filed.expire(self.now);
            }
        }
        self.refresh_shadows();
        self.end_late_downloads();
        self.tell_late();
        self.note_ledger(false);
        self.meet();
        self.gossip();
        for _ in 0..limits::swarm::SWARM_STEPS {
            if !self.swarm_step() {
                break;
            }
        }
    }

    /// One step; false when there is none.
    fn swarm_step(&mut self) -> bool {
        let Some(swarm) = &mut self.swarm else { return false };
        if let Some(step) = swarm.scheduler.poll(self.now) {
            self.on_step(step);
            return true;
        }
        self.hold_back();
        let has_room = self.has_link_room();
        let Some(swarm) = &mut self.swarm else { return false };
        if let Some(upload) = swarm.slots.poll(self.now) {
            self.on_upload(upload);
            return true;
        }
        if let Some(dial) = has_room.then(|| swarm.roster.poll(self.now)).flatten() {
            self.on_dial(dial);
            return true;
        }
        self.reach_step()
    }

    /// Orders something done with peers.
    pub(super) fn order(&mut self, order: PeerOrder) {
        self.put(Output::Peer(Box::new(order)));
    }

    /// Says something to a peer.
    pub(super) fn tell(&mut self, peer: PeerId, message: Message) {
        self.report.add(Counter::PeerMessages, 1);
        self.charge_tell(peer, &message);
        self.order(PeerOrder::Tell { peer, message });
    }

    /// What a resource is called in the network.
    pub(super) fn resource_of(&self, key: &Key) -> Option<Digest> {
        let origin = self.config.origins.get(usize::from(key.origin.0))?;
        Some(resource(&origin.name, &key.identity))
    }

    /// Takes over that sharing was switched, or the network changed.
    pub(super) fn configure_swarm(&mut self) {
        let Some(keys) = self.own else { return };
        let on = self.may_share_at_all();
        if on == self.swarm.is_some() {
            return;
        }
        self.put(Output::Share { on });
        self.keep_words();
        if let Some(swarm) = self.swarm.take() {
            self.leave_meetings(swarm.meeting);
            for download in swarm.downloads.into_values() {
                self.release(download);
            }
            for peer in swarm.links.into_keys() {
                self.order(PeerOrder::Hangup { peer, why: Parting::Closing });
            }
        } else {
            let rng = self.rng.fork();
            self.swarm = Some(Swarm::new(&self.config, keys, rng));
            self.relist_all();
            for address in self.config.network.peers.clone() {
                let tier = self.config.network.near.tier(address.ip(), &[]);
                let found = Peering::Found { address, key: None, tier, by: FoundBy::Config };
                self.on_peering(found);
            }
        }
    }
}
