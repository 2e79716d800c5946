//! What of the store peers may have: segments that a playlist lists, and where they belong. It
//! outlives the swarm, and with the slices on disk it outlives a restart.

use super::fetch::{Ask, By};
use super::keep::place_of_slice;
use super::machine::Machine;
use super::memo::{Memo, Rests};
use super::policy::Kin;
use super::report::Counter;
use crate::base::digest::Digest;
use crate::base::id::RowId;
use crate::base::peer::NodeKey;
use crate::base::range::ByteRange;
use crate::base::segment::{BlockSet, SegmentId, resource};
use crate::engine::cache::evict::Slice;
use crate::engine::cache::freshness;
use crate::engine::cache::index::Key;
use crate::wire::http::directives::ResponseDirectives;
use crate::wire::http::fields::Fields;

/// A row that holds what a playlist lists as a segment.
#[derive(Debug)]
pub(super) struct Row {
    kin: Kin,
    /// What of it rests on whose word, while no swarm is there to know.
    words: Vec<(SegmentId, BlockSet, Vec<NodeKey>)>,
}

impl Machine {
    /// A response is stored: if a playlist lists it as a segment, or did when it was asked for,
    /// peers may have it.
    pub(super) fn note_segment(&mut self, row: RowId, (ask, length): (&Ask, Option<u64>)) {
        if !self.config.network.exists() {
            return;
        }
        let listed = self.timeline.listed(&ask.locator, None);
        let kin = listed.and_then(|listed| self.kin_of(&listed));
        let Some(kin) = kin.or_else(|| self.kin_under_way(&ask.key)) else { return };
        let plain = self.index.entry(row).is_some_and(|entry| {
            let is_open = !entry.selecting.is_selective() && !entry.policy.needs_validation();
            entry.status == 200 && is_open && length.is_some()
        });
        let Some(resource) = self.resource_of(&ask.key).filter(|_| plain) else { return };
        self.listed.insert(row, Row { kin, words: Vec::new() });
        self.note_kin(resource, kin);
        self.note_shareable(row, resource);
        self.on_row(resource, row, length);
    }

    /// Whether what a fetch got is for who has the credential in this node's configuration, since
    /// its origin does not open it (RFC 9111, 3.5). What peers give is open to members.
    pub(super) fn is_by_credential(&self, (ask, by): (&Ask, By), response: &Fields) -> bool {
        let origin = self.config.origins.get(usize::from(ask.key.origin.0));
        let mut names = origin.into_iter().flat_map(|origin| &origin.headers);
        by == By::Origin
            && names.any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
            && !freshness::is_for_all(&ResponseDirectives::of(response))
    }

    /// Where a segment belongs that is on its way by the swarm: a live playlist may have dropped it
    /// since it was asked for.
    fn kin_under_way(&self, key: &Key) -> Option<Kin> {
        let (resource, swarm) = (self.resource_of(key)?, self.swarm.as_ref()?);
        swarm.downloads.contains_key(&resource).then(|| swarm.kin.get(&resource).copied())?
    }

    /// Where a row's resource belongs, if a playlist lists it: the rendition and the stream.
    pub(super) fn listing(&self, row: RowId) -> Option<(Digest, Digest)> {
        self.listed.get(&row).map(|row| (row.kin.topic, row.kin.stream))
    }

    /// What of a slice rests on somebody's word.
    pub(super) fn rests_of(&self, row: RowId, slice: Slice) -> Rests {
        let Some(swarm) = &self.swarm else { return Rests::default() };
        let Some(resource) = swarm.rows.get(&row) else { return Rests::default() };
        let (segment, first) = place_of_slice(*resource, slice.number);
        let blocks = u16::try_from(swarm.verifier.resting(segment).0 >> first & 0xffff);
        match blocks.unwrap_or(0) {
            0 => Rests::default(),
            blocks => Rests { blocks, by: swarm.verifier.vouchers(segment) },
        }
    }

    /// A slice of an earlier run may be given to peers; false where it rests on the word of
    /// somebody that counts no more.
    pub(super) fn relist(&mut self, row: RowId, slice: u32, memo: &Memo) -> bool {
        let Some((topic, stream)) = memo.listed else { return true };
        let origin = self.index.key(row).map(|key| key.origin);
        let Some(origin) = origin.filter(|_| self.config.network.exists()) else { return true };
        let kin = Kin { origin, topic, stream };
        let listed = self.listed.entry(row).or_insert(Row { kin, words: Vec::new() });
        let resource = resource(&memo.origin, &memo.identity);
        let (segment, first) = place_of_slice(resource, slice);
        let blocks = BlockSet(u64::from(memo.rests.blocks) << first);
        let Some(swarm) = &mut self.swarm else {
            if !blocks.is_empty() {
                listed.words.push((segment, blocks, memo.rests.by.clone()));
            }
            return true;
        };
        if !blocks.is_empty() && !swarm.verifier.on_found(segment, blocks, &memo.rests.by) {
            return false;
        }
        self.note_kin(resource, kin);
        self.note_shareable(row, resource);
        true
    }

    /// A slice of an earlier run is here: who seeks it may have it.
    pub(super) fn offer_found(&mut self, row: RowId, slice: u32) {
        let Some(swarm) = &self.swarm else { return };
        let Some(resource) = swarm.rows.get(&row) else { return };
        let (segment, _) = place_of_slice(*resource, slice);
        if swarm.sought.contains_key(&segment) {
            self.prove_row(segment);
            self.announce(segment);
        }
    }

    /// A swarm is there again: what the store has may be given, and what of it rests on a word
    /// that counts no more goes.
    pub(super) fn relist_all(&mut self) {
        for row in self.listed.keys().copied().collect::<Vec<_>>() {
            let resource = self.index.key(row).and_then(|key| self.resource_of(key));
            let (Some(resource), Some(listed)) = (resource, self.listed.get_mut(&row)) else {
                continue;
            };
            let (kin, words) = (listed.kin, core::mem::take(&mut listed.words));
            self.note_kin(resource, kin);
            self.note_shareable(row, resource);
            let Some(swarm) = &mut self.swarm else { return };
            let mut words = words.into_iter();
            if !words.all(|(segment, blocks, by)| swarm.verifier.on_found(segment, blocks, &by)) {
                self.drop_entry(row);
            }
        }
    }

    /// The swarm goes: what rests on whose word is kept until there is one again.
    pub(super) fn keep_words(&mut self) {
        let Some(swarm) = &self.swarm else { return };
        for (row, resource) in &swarm.rows {
            let length = self.index.entry(*row).and_then(|entry| entry.length).unwrap_or_default();
            let Some(listed) = self.listed.get_mut(row) else { continue };
            for segment in SegmentId::of_range(*resource, ByteRange::new(0, length)) {
                let blocks = swarm.verifier.resting(segment);
                if !blocks.is_empty() {
                    listed.words.push((segment, blocks, swarm.verifier.vouchers(segment)));
                }
            }
        }
    }

    /// The row of a stored resource that peers may have.
    pub(super) fn row_of(&self, resource: Digest) -> Option<RowId> {
        self.swarm.as_ref()?.resources.get(&resource).copied()
    }

    /// Drops what of a resource is stored.
    pub(super) fn purge(&mut self, resource: Digest) {
        let Some(row) = self.row_of(resource) else { return };
        self.report.add(Counter::Purges, 1);
        self.drop_entry(row);
    }

    /// Notes that a row holds what may be given to peers.
    fn note_shareable(&mut self, row: RowId, resource: Digest) {
        let Some(swarm) = &mut self.swarm else { return };
        if let Some(old) = swarm.resources.insert(resource, row) {
            swarm.rows.remove(&old);
        }
        swarm.rows.insert(row, resource);
    }

    /// A row is out of the index: nothing more is given from it.
    pub(super) fn forget_shareable(&mut self, row: RowId) {
        self.listed.remove(&row);
        let Some(swarm) = &mut self.swarm else { return };
        let Some(resource) = swarm.rows.remove(&row) else { return };
        swarm.resources.remove(&resource);
        swarm.proving.forget(resource);
        swarm.sums.forget(row, resource);
        self.end_download(resource);
        let Some(swarm) = &mut self.swarm else { return };
        swarm.verifier.unprove_all(resource);
        for segment in swarm.sought_of(resource) {
            self.announce(segment);
        }
    }
}
