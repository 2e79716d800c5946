//! Which followed playlist lists a resource: found by a digest, checked by the name itself.

use crate::base::map::Map;
use crate::base::url::Locator;

/// Where a segment is listed: stream, row in the stream, position in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stream: u32,
    pub(super) row: u32,
    pub(super) position: u64,
}

/// Names as digests of eight bytes: a fifth of the memory that a map of the names would take.
///
/// Two names with one digest hide each other, so that one of them counts as unknown: what is
/// found is always compared by name.
#[derive(Debug, Default)]
pub(super) struct Index(Map<u64, Place>);

impl Index {
    /// Notes a place for a name, with the first byte of its range if it has one. The first place
    /// of a stream stays: one file may hold many segments.
    pub(super) fn insert(&mut self, name: &Locator, start: Option<u64>, place: Place) {
        let noted = self.0.entry(digest(name, start)).or_insert(place);
        if noted.stream != place.stream {
            *noted = place;
        }
    }

    /// Forgets a name if it is noted for that place.
    pub(super) fn remove(&mut self, name: &Locator, start: Option<u64>, place: Place) {
        let digest = digest(name, start);
        if self.0.get(&digest) == Some(&place) {
            self.0.remove(&digest);
        }
    }

    /// The place noted for a name.
    pub(super) fn find(&self, name: &Locator, start: Option<u64>) -> Option<Place> {
        self.0.get(&digest(name, start)).copied()
    }

    /// Forgets everything of a stream.
    pub(super) fn forget(&mut self, stream: u32) {
        self.0.retain(|_, place| place.stream != stream);
    }
}

/// FNV-1a (draft-eastlake-fnv), 64 bits.
fn digest(name: &Locator, start: Option<u64>) -> u64 {
    let origin = name.origin.0.to_be_bytes();
    let start = start.map_or(0, |start| start.wrapping_add(1)).to_be_bytes();
    let bytes = origin.iter().chain(&start).chain(name.target.as_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
