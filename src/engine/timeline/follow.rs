//! The playlists that players use, followed: fed with plans and requests, asked what comes next.

use core::time::Duration;

use super::answer::{Arrival, Life, Listed, Playing, Wanted};
use super::index::{Index, Place};
use super::leaving::Leaving;
use super::row::{Content, is_at};
use super::stream::{Still, Stream};
use crate::base::id::OriginId;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::range::ByteRange;
use crate::base::set::Set;
use crate::base::time::Instant;
use crate::base::url::{Locator, identity};
use crate::wire::dash::template::matched;
use crate::wire::plan::{Kind, Plan, Segment};

/// Every stream that is played or was played within `limits::stream::FORGET`.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Query parameters that tell no resources apart, by origin.
    pub(super) ignored: Map<OriginId, Vec<String>>,
    pub(super) streams: Map<u32, Stream>,
    next_id: u32,
    pub(super) index: Index,
    pub(super) leaving: Leaving,
    /// Rows whose player asked lately.
    pub(super) active: Set<(u32, u32)>,
}

/// A segment as it was found.
pub(super) struct Found {
    pub(super) stream: u32,
    pub(super) row: u32,
    pub(super) position: u64,
    pub(super) kind: Kind,
}

impl Timeline {
    /// A timeline without a stream; `ignored` names the query parameters that tell nothing apart.
    pub fn new(ignored: Map<OriginId, Vec<String>>) -> Self {
        Self { ignored, ..Self::default() }
    }

    /// Query parameters that tell nothing apart, of origins that are new as well.
    pub fn configure(&mut self, ignored: Map<OriginId, Vec<String>>) {
        self.ignored = ignored;
    }

    /// A playlist came from its origin. Gives the names that it lists for other segments than
    /// before: what was fetched by them may be old.
    pub fn on_plan(&mut self, playlist: &Locator, plan: Plan, arrival: Arrival) -> Vec<Locator> {
        let now = arrival.now;
        self.forget(now);
        let playlist = self.playlist_name(playlist);
        let known = self.streams.iter().find(|(_, stream)| stream.playlist == playlist);
        let known = known.map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| self.open(playlist, now));
        let Some(stream) = self.streams.get_mut(&id) else { return Vec::new() };
        let is_manifest = matches!(plan, Plan::Manifest(_));
        let dated = arrival.date.map(|date| (date, now));
        let ignored = &self.ignored;
        let change = stream.update(plan, dated, |locator| name(ignored, locator).target);
        let same = change.came.is_empty() && change.went.is_empty();
        stream.still = match stream.still {
            _ if is_manifest => None,
            Some(still) if same => Some(still),
            Some(still) => Some(Still { since: now, ..still }),
            None => Some(Still { since: now, polled: now }),
        };
        if is_manifest && !(change.came.is_empty() && change.went.is_empty()) {
            self.index.forget(id);
        }
        let repeated = self.on_change(id, &change, now);
        self.active.retain(|(stream, _)| *stream != id);
        if let Some(stream) = self.streams.get_mut(&id) {
            let before = stream.repeated.filter(|at| now - *at <= limits::stream::FORGET);
            stream.repeated = if repeated.is_empty() { before } else { Some(now) };
            let used = (0..).zip(&stream.rows).filter(|(_, row)| row.play.asked.is_some());
            self.active.extend(used.map(|(row, _)| (id, row)));
        }
        self.bound(id);
        repeated
    }

    /// The next segment to fetch ahead; each is handed out once.
    pub fn poll_wanted(&mut self, now: Instant) -> Option<Wanted> {
        let mut idle = Vec::new();
        let mut wanted = None;
        for (id, index) in &self.active {
            let row = usize::try_from(*index).unwrap_or(usize::MAX);
            let Some(stream) = self.streams.get_mut(id) else { continue };
            let Some(row) = stream.rows.get_mut(row) else { continue };
            if row.play.asked.is_none_or(|asked| now - asked > stream.pace.patience()) {
                row.play.asked = None;
                idle.push((*id, *index));
            } else if let Some((segment, between)) = row.take(&stream.pace, now) {
                wanted = Some((*id, *index, segment, (between, stream.pace.live)));
                break;
            }
        }
        self.active.retain(|row| !idle.contains(row));
        let (id, row, segment, (between, live)) = wanted?;
        let row = usize::try_from(row).unwrap_or(usize::MAX);
        self.leave_by_clock((id, row), segment.sequence, &segment.locator);
        let Segment { locator, range, duration, .. } = segment;
        Some(Wanted { locator, range, duration, between, live })
    }

    /// When [`poll_wanted`](Self::poll_wanted) should be asked again although nothing came:
    /// only while a live stream is played whose segments the clock alone announces.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.active.iter().filter_map(|(id, row)| {
            let stream = self.streams.get(id)?;
            stream.rows.get(usize::try_from(*row).ok()?)?.waits(&stream.pace)
        });
        waits.min()
    }

    /// Whether a player asked lately for something that a stream lists.
    pub fn is_played(&self) -> bool {
        !self.active.is_empty()
    }

    /// A segment that left its live window and can't be asked for any more (RFC 8216, 6.2.2).
    pub fn poll_gone(&mut self, now: Instant) -> Option<Locator> {
        loop {
            let locator = self.leaving.pop(now)?;
            if !self.is_listed(&name(&self.ignored, &locator)) {
                return Some(locator);
            }
        }
    }

    /// What a resource is and how long it holds; `None` when no stream knows it.
    pub fn lifetime(&self, asked: &Locator) -> Option<Life> {
        if let Some(stream) = self.playlist(asked).and_then(|id| self.streams.get(&id)) {
            return Some(Life::Playlist { live: stream.pace.live, max_age: stream.max_age });
        }
        let named = name(&self.ignored, asked);
        let gone_at = self.leaving.moment(asked);
        let Some(found) = self.find(&named, None) else {
            let known = self
                .streams
                .values()
                .any(|stream| stream.keys.iter().any(|key| name(&self.ignored, key) == named));
            let left = gone_at.map(|at| Life::Segment { live: true, gone_at: Some(at) });
            return if known { Some(Life::Key) } else { left };
        };
        if found.kind == Kind::Key {
            return Some(Life::Key);
        }
        let live = self.streams.get(&found.stream).is_some_and(|stream| stream.pace.live);
        Some(Life::Segment { live, gone_at })
    }

    /// The media that a player holds ahead of its playhead as far as its requests tell, the
    /// segment that it asked for last included; `None` where no player of this stream did.
    pub fn held(
        &self,
        asked: &Locator,
        range: Option<ByteRange>,
        now: Instant,
    ) -> Option<Duration> {
        let found = self.find(&name(&self.ignored, asked), range)?;
        let stream = self.streams.get(&found.stream)?;
        let row = stream.rows.get(usize::try_from(found.row).ok()?)?;
        stream.heads.get(&row.set).map(|head| head.held(found.position, now))
    }

    /// How its stream lists a segment; `None` for what no stream lists as media.
    pub fn listed(&self, asked: &Locator, range: Option<ByteRange>) -> Option<Listed<'_>> {
        let found = self.find(&name(&self.ignored, asked), range)?;
        let stream = self.streams.get(&found.stream)?;
        let row = stream.rows.get(usize::try_from(found.row).ok()?)?;
        let listed = stream.listed(row, found.kind);
        (found.kind != Kind::Key).then_some(listed)
    }

    /// Whether it is a file of which players take ranges one by one.
    pub fn is_in_parts(&self, asked: &Locator) -> bool {
        let named = name(&self.ignored, asked);
        let Some(found) = self.find(&named, None) else { return false };
        let rows = self.streams.get(&found.stream).map(|stream| &stream.rows);
        let index = usize::try_from(found.row).unwrap_or(usize::MAX);
        let Some(row) = rows.and_then(|rows| rows.get(index)) else { return false };
        row.is_file()
            || row.segments().is_some_and(|segments| {
                let first = segments.partition_point(|it| it.sequence < found.position);
                let there = segments.range(first..);
                let mut there = there.take_while(|it| it.sequence == found.position);
                // Parts of a segment (RFC 8216bis, 4.4.4.9) are no file of their own.
                there.any(|it| {
                    let is_range = it.kind != Kind::Part && it.range.is_some();
                    is_range && name(&self.ignored, &it.locator) == named
                })
            })
    }

    /// Where a segment stands in its list: its number there, or its time.
    pub fn position(&self, asked: &Locator) -> Option<u64> {
        self.find(&name(&self.ignored, asked), None).map(|found| found.position)
    }

    /// How long what is listed beside a live segment plays, so long that a player reaches it;
    /// `None` where that is not known. No other segment gets its name sooner.
    pub fn window(&self, asked: &Locator) -> Option<Duration> {
        let found = self.find(&name(&self.ignored, asked), None)?;
        let stream = self.streams.get(&found.stream).filter(|stream| stream.pace.live)?;
        let window = stream.window();
        (!window.is_zero()).then(|| window.max(stream.pace.target.saturating_mul(3)))
    }

    /// A player asks for a playlist: for how long a live one lists the same, and its target
    /// duration. What nobody has asked for meanwhile is not known to have stood still.
    pub fn still(&mut self, asked: &Locator, now: Instant) -> Option<(Duration, Duration)> {
        let id = self.playlist(asked)?;
        let stream = self.streams.get_mut(&id).filter(|stream| stream.pace.live)?;
        let target = stream.pace.target;
        let still = stream.still.as_mut()?;
        if now - still.polled > target.saturating_mul(4) {
            still.since = now;
        }
        still.polled = now;
        Some((now - still.since, target))
    }

    /// The streams that are or were lately played.
    pub fn streams(&self) -> impl Iterator<Item = Playing<'_>> {
        self.streams.values().filter_map(|stream| {
            let used = stream.rows.iter().find(|row| row.play.asked.is_some());
            let row = used.or(stream.rows.first())?;
            let listed = stream.listed(row, Kind::Media);
            Some(Playing { listed, bitrate: self.bitrate(stream), asked: stream.asked })
        })
    }

    fn bitrate(&self, stream: &Stream) -> Option<u64> {
        let used = stream.rows.iter().filter(|row| row.play.asked.is_some());
        let sum: u64 = used.filter_map(|row| row.bitrate).fold(0, u64::saturating_add);
        let variants = self.streams.values().flat_map(|other| &other.variants);
        let named = |locator: &Locator| name(&self.ignored, locator) == stream.playlist;
        Some(sum).filter(|sum| *sum > 0).or(stream.bitrate).or_else(|| {
            variants.filter(|variant| named(&variant.locator)).find_map(|variant| variant.bitrate)
        })
    }

    fn open(&mut self, playlist: Locator, now: Instant) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        self.streams.insert(id, Stream::new(playlist, now));
        id
    }

    pub(super) fn playlist(&self, asked: &Locator) -> Option<u32> {
        let named = self.playlist_name(asked);
        let mut streams = self.streams.iter();
        streams.find(|(_, stream)| stream.playlist == named).map(|(id, _)| *id)
    }

    /// A playlist's name: blocking reloads and delta updates are the same playlist
    /// (RFC 8216bis, 6.2.5).
    fn playlist_name(&self, playlist: &Locator) -> Locator {
        let named = name(&self.ignored, playlist);
        if !named.target.contains("_HLS_") {
            return named;
        }
        let directives = ["_HLS_msn", "_HLS_part", "_HLS_skip"].map(String::from);
        Locator { target: identity(&named.target, &directives), ..named }
    }

    pub(super) fn note(&mut self, stream: u32, (row, segment): (u32, &Segment), comes: bool) {
        let named = name(&self.ignored, &segment.locator);
        let place = Place { stream, row, position: segment.sequence };
        let starts = [None, segment.range.map(|range| range.start)];
        let ranged = usize::from(segment.range.is_some());
        for start in &starts[..=ranged] {
            if comes {
                self.index.insert(&named, *start, place);
            } else {
                self.index.remove(&named, *start, place);
            }
        }
    }

    pub(super) fn find(&self, named: &Locator, range: Option<ByteRange>) -> Option<Found> {
        let start = range.map(|range| range.start);
        let exact = start.and_then(|start| self.index.find(named, Some(start)));
        let place = exact.or_else(|| self.index.find(named, None));
        place.and_then(|place| self.check(place, named, range)).or_else(|| self.search(named))
    }

    /// The segment at a place, when it really has that name.
    fn check(&self, place: Place, named: &Locator, range: Option<ByteRange>) -> Option<Found> {
        let row = usize::try_from(place.row).ok()?;
        let segments = self.streams.get(&place.stream)?.rows.get(row)?.segments()?;
        let first = segments.partition_point(|segment| segment.sequence < place.position);
        let mut equal = segments.range(first..).take_while(|s| s.sequence == place.position);
        let found = equal.find(|segment| {
            is_at(segment, range) && name(&self.ignored, &segment.locator) == *named
        })?;
        let (stream, row, position) = (place.stream, place.row, place.position);
        Some(Found { stream, row, position, kind: found.kind })
    }

    /// The segment among those that no list names one by one.
    fn search(&self, named: &Locator) -> Option<Found> {
        for (id, stream) in &self.streams {
            for (index, row) in (0..).zip(&stream.rows) {
                let found =
                    |position, kind| Some(Found { stream: *id, row: index, position, kind });
                match &row.content {
                    Content::Listed(_) => {}
                    Content::File(file) if name(&self.ignored, file) == *named => {
                        return found(0, Kind::Init);
                    }
                    Content::File(_) => {}
                    Content::Named(content) => {
                        let origin = content.template.locator.origin == named.origin;
                        let slot = matched(&content.pattern, &named.target).filter(|_| origin);
                        if let Some((number, time)) = slot {
                            let position = if content.template.by_time() { time } else { number };
                            return found(position.unwrap_or_default(), Kind::Media);
                        }
                        let init = content.init.as_ref().map(|init| &init.locator);
                        if init.is_some_and(|init| name(&self.ignored, init) == *named) {
                            return found(0, Kind::Init);
                        }
                    }
                }
            }
        }
        None
    }

    fn is_listed(&self, named: &Locator) -> bool {
        let place = self.index.find(named, None);
        place.is_some_and(|place| self.check(place, named, None).is_some())
    }

    /// A live template's segment goes when the origin's calendar says so.
    pub(super) fn leave_by_clock(
        &mut self,
        (id, row): (u32, usize),
        position: u64,
        locator: &Locator,
    ) {
        let Some(stream) = self.streams.get(&id) else { return };
        let Some(Content::Named(named)) = stream.rows.get(row).map(|row| &row.content) else {
            return;
        };
        if let Some(at) = named.gone(&stream.pace, position) {
            self.leaving.insert(locator.clone(), position, at);
        }
    }

    /// Forgets streams that nobody uses.
    fn forget(&mut self, now: Instant) {
        let unused = |stream: &Stream| now - stream.asked > limits::stream::FORGET;
        let old = self.streams.iter().filter(|(_, stream)| unused(stream)).map(|(id, _)| *id);
        for id in old.collect::<Vec<_>>() {
            self.close(id, Some(now));
        }
    }

    /// Keeps within the limits, the stream used longest ago leaving first.
    fn bound(&mut self, newest: u32) {
        let listed = |streams: &Map<u32, Stream>| streams.values().map(Stream::len).sum();
        let mut sum: usize = listed(&self.streams);
        while self.streams.len() > limits::stream::STREAMS || sum > limits::stream::LISTED {
            let others = self.streams.iter().filter(|(id, _)| **id != newest);
            let Some((&id, _)) = others.min_by_key(|(_, stream)| stream.asked) else { return };
            self.close(id, None);
            sum = listed(&self.streams);
        }
    }

    fn close(&mut self, id: u32, now: Option<Instant>) {
        let Some(stream) = self.streams.remove(&id) else { return };
        self.active.retain(|(stream, _)| *stream != id);
        if stream.len() > 0 {
            self.index.forget(id);
        }
        let Some(now) = now.filter(|_| stream.pace.live) else { return };
        let window = stream.window();
        for (_, segment) in stream.all().filter(|(_, segment)| segment.kind != Kind::Key) {
            let gone = now + window + segment.duration;
            self.leaving.insert(segment.locator.clone(), segment.sequence, gone);
        }
    }
}

/// What a locator is compared by.
pub(super) fn name(ignored: &Map<OriginId, Vec<String>>, locator: &Locator) -> Locator {
    let ignored = ignored.get(&locator.origin).map_or(&[][..], Vec::as_slice);
    Locator { origin: locator.origin, target: identity(&locator.target, ignored) }
}
