//! What a new plan changes: names that come, names that leave, and those that come back.

use super::follow::Timeline;
use super::leaving::NONE;
use super::stream::{Change, Stream};
use crate::base::time::Instant;
use crate::base::url::Locator;
use crate::wire::plan::{Kind, Segment};

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
            if number.is_some_and(other) && self.is_alone(id, segment) {
                repeated.push(segment.locator.clone());
            }
        }
        if !repeated.is_empty() {
            let came = change.came.iter().filter(|(_, segment)| segment.kind == Kind::Init);
            repeated.extend(came.map(|(_, segment)| segment.locator.clone()));
        }
        // One file may hold many segments: it is still listed while one of them is.
        let mut files: Vec<&Locator> = Vec::new();
        for (_, segment) in change.went.iter().filter(|(_, segment)| segment.range.is_some()) {
            if files.last() != Some(&&segment.locator) {
                files.push(&segment.locator);
            }
        }
        for file in files {
            let of = |stream: &Stream| {
                let found = stream.all().find(|(_, segment)| segment.locator == *file);
                found.map(|(row, segment)| (row, segment.clone()))
            };
            if let Some((row, segment)) = self.streams.get(&id).and_then(of) {
                self.note(id, (row, &segment), true);
                self.leaving.stay(file);
            }
        }
        repeated
    }

    /// Whether a list has a media segment's name once: what stands there more often, as a slate
    /// does, is the same each time.
    fn is_alone(&self, id: u32, segment: &Segment) -> bool {
        let same = |other: &&Segment| other.locator == segment.locator;
        let all = self.streams.get(&id).into_iter().flat_map(Stream::all);
        let media = matches!(segment.kind, Kind::Media | Kind::Part) && segment.range.is_none();
        media && all.map(|(_, other)| other).filter(same).take(2).count() == 1
    }
}
