//! Which rendition a player turns to, and which it turns away from.

use super::follow::{Timeline, name};
use crate::base::range::ByteRange;
use crate::base::time::Instant;
use crate::base::url::Locator;
use crate::wire::plan::Kind;

impl Timeline {
    /// A player asked for a resource: its rendition is in use from here on, and those that it
    /// replaces in its manifest are not. Variants of HLS stay: some players read several at once.
    /// Answers whether it is a media segment that a playlist lists.
    pub fn on_request(&mut self, asked: &Locator, range: Option<ByteRange>, now: Instant) -> bool {
        if let Some(id) = self.playlist(asked) {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.asked = now;
            }
            return false;
        }
        let Some(found) = self.find(&name(&self.ignored, asked), range) else { return false };
        let is_media = found.kind == Kind::Media;
        let Some(stream) = self.streams.get_mut(&found.stream) else { return false };
        stream.asked = now;
        let row = usize::try_from(found.row).unwrap_or(usize::MAX);
        let Some(asked_row) = stream.rows.get(row) else { return false };
        let set = asked_row.set;
        if is_media {
            let long = asked_row.lasting(found.position, &stream.pace);
            let goes_on = asked_row.play.goes_on_at(found.position);
            let head = stream.heads.entry(set).or_default();
            head.on_request((found.position, goes_on), long, now);
        }
        for (index, other) in (0..).zip(&mut stream.rows) {
            if index == found.row {
                other.play.on_request(found.position, found.kind, now);
                self.active.insert((found.stream, index));
            } else if is_media && other.set == set && other.play.asked.is_some() {
                other.play.asked = None;
                self.active.remove(&(found.stream, index));
            }
        }
        if is_media {
            self.leave_by_clock((found.stream, row), found.position, asked);
        }
        is_media
    }

    /// A player hung up before the end of what it asked for: it plays something else now, until
    /// it asks for more of this rendition.
    pub fn on_hung_up(&mut self, asked: &Locator, range: Option<ByteRange>) {
        if let Some(found) = self.find(&name(&self.ignored, asked), range) {
            self.leave(found.stream, found.row);
        }
    }

    /// Whether a media segment belongs to a rendition that no player uses now, or to a place in
    /// it from which the player has sought another.
    pub fn is_left(&self, asked: &Locator, range: Option<ByteRange>) -> bool {
        let found = self.find(&name(&self.ignored, asked), range);
        found.filter(|found| found.kind == Kind::Media).is_some_and(|found| {
            let row = usize::try_from(found.row).unwrap_or(usize::MAX);
            let row = self.streams.get(&found.stream).and_then(|stream| stream.rows.get(row));
            !self.active.contains(&(found.stream, found.row))
                || row.is_some_and(|row| row.play.is_behind(found.position))
        })
    }

    /// Nobody plays a playlist any more.
    pub fn on_left(&mut self, playlist: &Locator) {
        let Some(id) = self.playlist(playlist) else { return };
        self.active.retain(|(stream, _)| *stream != id);
        let rows = self.streams.get_mut(&id).into_iter().flat_map(|stream| &mut stream.rows);
        rows.for_each(|row| row.play.asked = None);
    }

    fn leave(&mut self, id: u32, row: u32) {
        self.active.remove(&(id, row));
        let stream = self.streams.get_mut(&id);
        let row = stream.zip(usize::try_from(row).ok()).and_then(|(s, row)| s.rows.get_mut(row));
        if let Some(row) = row {
            row.play.asked = None;
        }
    }
}
