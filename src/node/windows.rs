//! What a witness takes of a film in one file: the windows of it that others seek, and not all of
//! it for who looks at its beginning.

use std::collections::VecDeque;

use super::fetch::Ask;
use super::machine::Machine;
use super::report::Counter;
use super::serve::{hole, if_range};
use crate::base::digest::Digest;
use crate::base::range::ByteRange;
use crate::base::segment::SegmentId;
use crate::base::url::Locator;
use crate::engine::cache::index::Key;
use crate::wire::http::fields::Fields;
use crate::wire::http::range::Spec;

/// Files that are played by ranges, the latest last, and the windows of them that are to be taken.
#[derive(Default)]
pub(super) struct Files {
    known: VecDeque<(Digest, Locator)>,
    open: VecDeque<SegmentId>,
}

impl Files {
    /// A peer seeks a segment: if it is of one of them it is to be taken.
    pub(super) fn on_seek(&mut self, segment: SegmentId) {
        let is_known = self.known.iter().any(|(resource, _)| *resource == segment.resource);
        if is_known && !self.open.contains(&segment) {
            self.open.push_back(segment);
            self.open.drain(..self.open.len().saturating_sub(OPEN));
        }
    }

    fn watch(&mut self, resource: Digest, locator: Locator) {
        self.known.retain(|(known, _)| *known != resource);
        self.known.push_back((resource, locator));
        self.known.drain(..self.known.len().saturating_sub(FILES));
    }
}

impl Machine {
    /// A player has reached a file that is played by ranges: what is sought of it is taken.
    pub(super) fn watch_file(&mut self, locator: Locator) {
        let key = Key { origin: locator.origin, identity: self.identity(&locator) };
        let (Some(resource), Some(swarm)) = (self.resource_of(&key), &mut self.swarm) else {
            return;
        };
        swarm.files.watch(resource, locator);
        let sought = swarm.sought.range(SegmentId::all(resource)).map(|(segment, _)| *segment);
        sought.for_each(|segment| swarm.files.on_seek(segment));
    }

    /// Takes the windows that are sought, as far as the line carries them.
    pub(super) fn take_windows(&mut self) {
        while self.may_take_reached() {
            let Some(swarm) = &mut self.swarm else { return };
            let Some(segment) = swarm.files.open.pop_front() else { return };
            let known = swarm.files.known.iter().find(|(of, _)| *of == segment.resource);
            let Some(locator) = known.map(|(_, locator)| locator.clone()) else { continue };
            let verifier = &swarm.verifier;
            if verifier.record(segment).is_none() && !verifier.is_contested(segment) {
                self.take_window(segment, locator);
            }
        }
    }

    fn take_window(&mut self, segment: SegmentId, locator: Locator) {
        let key = Key { origin: locator.origin, identity: self.identity(&locator) };
        let (mut window, mut fills) = (segment.window(), None);
        if let Some(entry) = self.index.variants(key.origin, &key.identity).next() {
            window = window.overlap(ByteRange::new(0, entry.length.unwrap_or(window.end)));
            if hole(entry, window).is_none() {
                return;
            }
            fills = if_range(entry).map(|_| entry.row);
        }
        let brings = |ask: &Ask| {
            ask.key == key && ask.span().is_none_or(|span| !span.overlap(window).is_empty())
        };
        if window.is_empty() || self.fetches.values().any(|fetch| brings(&fetch.ask)) {
            return;
        }
        let mut ask = Ask::alone(key, locator, Fields::default());
        (ask.fills, ask.spec) = (fills, Some(Spec::Span(window.start, window.end - 1)));
        self.report.add(Counter::Prefetches, 1);
        self.begin(ask, None);
    }
}

/// Files that are followed at once, about as many as a witness has films.
const FILES: usize = 64;

/// Windows that wait to be taken: two for each of them.
const OPEN: usize = 128;
