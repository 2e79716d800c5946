//! What a new plan changes: names that come, names that leave, and those that come back.

use super::follow::Timeline;
use super::leaving::NONE;
use super::stream::{Change, Stream};
use crate::base::time::Instant;
use crate::base::url::Locator;
use crate::wire::plan::Kind;

impl Timeline {
    /// Takes note of names that came and went; gives those that came back for other segments.
    pub(super) fn on_change(&mut self, id: u32, change: &Change, now: Instant) -> Vec<Locator> {
        let live = self.streams.get(&id).is_some_and(|stream| stream.pace.live);
        for (row, segment) in &change.went {
            self.note(id, (*row, segment), false);
            if live && segment.kind != Kind::Key {
                let gone = now + change.window + segment.duration;
                self.leaving.insert(segment.locator.clone(), segment.sequence, gone);
            }
        }
        if change.went_back {
            self.leaving.renumber();
        }
        let mut repeated = Vec::new();
        for (row, segment) in &change.came {
            self.note(id, (*row, segment), true);
            let number = self.leaving.stay(&segment.locator);
            // A server that numbers nothing lists all by new numbers each time.
            let other = |number| number == NONE || change.moved && number != segment.sequence;
            let media = matches!(segment.kind, Kind::Media | Kind::Part);
            if media && segment.range.is_none() && number.is_some_and(other) {
                repeated.push(segment.locator.clone());
            }
        }
        self.keep_single(id, &mut repeated);
        if !repeated.is_empty() {
            let came = change.came.iter().filter(|(_, segment)| segment.kind == Kind::Init);
            repeated.extend(came.map(|(_, segment)| segment.locator.clone()));
        }
        // One file may hold many segments: it is still listed while one of them is.
        let ranged = change.went.iter().filter(|(_, segment)| segment.range.is_some());
        let mut files: Vec<_> = ranged.map(|(_, segment)| (&segment.locator, false)).collect();
        files.sort_unstable();
        files.dedup();
        let listed = self.streams.get(&id).filter(|_| !files.is_empty());
        let mut still = Vec::new();
        for (row, segment) in listed.into_iter().flat_map(Stream::all) {
            let file = files.binary_search_by(|(file, _)| (*file).cmp(&segment.locator));
            if let Some((_, noted @ false)) = file.ok().and_then(|file| files.get_mut(file)) {
                *noted = true;
                still.push((row, segment.clone()));
            }
        }
        for (row, segment) in still {
            self.note(id, (row, &segment), true);
            self.leaving.stay(&segment.locator);
        }
        repeated
    }

    /// Keeps the names that a list has once: what stands there more often, as a slate does, is the
    /// same each time.
    fn keep_single(&self, id: u32, names: &mut Vec<Locator>) {
        names.sort_unstable();
        names.dedup();
        let mut counts = vec![0_u32; names.len()];
        let listed = self.streams.get(&id).filter(|_| !names.is_empty());
        for (_, segment) in listed.into_iter().flat_map(Stream::all) {
            let place = names.binary_search(&segment.locator);
            place.ok().and_then(|place| counts.get_mut(place)).into_iter().for_each(|it| *it += 1);
        }
        let mut counts = counts.into_iter();
        names.retain(|_| counts.next() == Some(1));
    }
}
