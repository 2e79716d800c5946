//! One rendition: what it lists, where its player is, and what comes next.

use core::time::Duration;
use std::collections::VecDeque;

use crate::base::limits;
use crate::base::range::ByteRange;
use crate::base::time::{Date, Instant};
use crate::base::url::Locator;
use crate::wire::dash::template::{Slot, fill};
use crate::wire::plan::{Kind, Run, Segment, Template};

/// A rendition and its player.
#[derive(Debug)]
pub(super) struct Row {
    /// What tells it from the others of its manifest, in every update.
    pub(super) name: String,
    /// Renditions of one set replace each other.
    pub(super) set: u32,
    pub(super) bitrate: Option<u64>,
    pub(super) content: Content,
    /// Updates in a row that named the same segments otherwise, as those do that give each reload
    /// a token of its own.
    pub(super) renamed: u8,
    pub(super) play: Play,
}

/// What a rendition lists.
#[derive(Debug)]
pub(super) enum Content {
    /// Segments one by one, in order of their sequence numbers.
    Listed(VecDeque<Segment>),
    /// Segments by a template.
    Named(Box<Named>),
    /// One file with an index of its own: the player alone knows what comes next.
    File(Locator),
}

/// A template with what it takes to fill it in.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) template: Template,
    /// The template's name as it is compared: without ignored query parameters.
    pub(super) pattern: String,
    pub(super) init: Option<Segment>,
    pub(super) start: Duration,
    pub(super) length: Option<Duration>,
}

/// Where the player of a rendition is.
#[derive(Debug, Default)]
pub(super) struct Play {
    /// When it last asked; `None` while the rendition is not in use.
    pub(super) asked: Option<Instant>,
    position: Option<u64>,
    /// Positions that were asked for or handed out, the latest last; init segments apart.
    recent: VecDeque<(u64, bool)>,
    /// So many of them are from before the last seek.
    before: usize,
    by_parts: bool,
}

/// What the rows of one stream have in common.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pub(super) live: bool,
    /// The longest segment.
    pub(super) target: Duration,
    pub(super) timelines: Vec<Vec<Run>>,
    /// Milliseconds since 1970 at which the presentation starts.
    pub(super) starts_ms: Option<i64>,
    /// How long segments of a live manifest stay available.
    pub(super) window: Option<Duration>,
    /// The origin's date and when it came: the only calendar that counts.
    pub(super) dated: Option<(Date, Instant)>,
}

/// What of a rendition has to be fetched next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// This segment, now; so many others lie between the player and it.
    Now(Segment, u32),
    /// Something that will exist at this moment.
    At(Instant),
    /// Nothing until the playlist or the player says more.
    Nothing,
}

impl Pace {
    /// How long a rendition counts as in use after a request: three segments.
    pub(super) fn patience(&self) -> Duration {
        let three = self.target.saturating_mul(3);
        if three.is_zero() { limits::stream::UNASKED } else { three.min(limits::stream::UNASKED) }
    }

    /// The moment at which the presentation reaches `time`, if the origin told its date.
    pub(super) fn moment(&self, time: Duration) -> Option<Instant> {
        let (date, at) = self.dated?;
        let time = i64::try_from(time.as_millis()).ok()?;
        let wait = self.starts_ms?.checked_add(time)?.checked_sub(date.0.checked_mul(1000)?)?;
        let elapsed = Duration::from_millis(wait.unsigned_abs());
        let past = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let before = || Instant::from_micros(at.as_micros().saturating_sub(past));
        Some(if wait < 0 { before() } else { at + elapsed })
    }

    fn runs<'a>(&'a self, template: &Template) -> Option<&'a [Run]> {
        template.timeline.and_then(|place| self.timelines.get(place)).map(Vec::as_slice)
    }
}

impl Play {
    /// The player asked for what stands at `position`.
    pub(super) fn on_request(&mut self, position: u64, kind: Kind, now: Instant) {
        self.asked = Some(now);
        match kind {
            Kind::Media | Kind::Part => {
                if !self.goes_on_at(position) {
                    self.before = self.recent.len();
                }
                self.position = Some(position);
                self.by_parts = kind == Kind::Part;
                self.note((position, false));
            }
            Kind::Init => {
                // A rendition that is turned to again is not where it was left.
                self.position = None;
                self.note((position, true));
            }
            Kind::Key => {}
        }
    }

    /// Whether `position` is what a player asks for that plays on.
    pub(super) fn goes_on_at(&self, position: u64) -> bool {
        let near = self
            .position
            .is_some_and(|last| (last..=last.saturating_add(NEAR)).contains(&position));
        near || self.recent.contains(&(position, false))
    }

    /// Whether a segment was wanted before the player sought another place, and not since.
    pub(super) fn is_behind(&self, position: u64) -> bool {
        self.recent.iter().take(self.before).any(|what| *what == (position, false))
    }

    /// A playlist that starts anew makes old positions meaningless.
    pub(super) fn restart(&mut self) {
        self.position = None;
        self.recent.clear();
        self.before = 0;
    }

    fn note(&mut self, what: (u64, bool)) {
        if self.recent.contains(&what) {
            return;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
            self.before = self.before.saturating_sub(1);
        }
        self.recent.push_back(what);
    }

    /// The first of the next `ahead` segments, with their init segments, that is new.
    fn next_of(&self, segments: &VecDeque<Segment>, position: u64, ahead: usize) -> Next {
        let first = segments.partition_point(|segment| segment.sequence <= position);
        let mut media = 0;
        for segment in segments.range(first..) {
            let init = match segment.kind {
                Kind::Media => false,
                Kind::Init => true,
                Kind::Part | Kind::Key => continue,
            };
            if !self.recent.contains(&(segment.sequence, init)) {
                let between = u32::try_from(media).unwrap_or(u32::MAX);
                return Next::Now(segment.clone(), between);
            }
            media += usize::from(!init);
            if media == ahead {
                break;
            }
        }
        Next::Nothing
    }
}

impl Row {
    /// What to fetch now; a segment is handed out once.
    pub(super) fn take(&mut self, pace: &Pace, now: Instant) -> Option<(Segment, u32)> {
        let Next::Now(segment, between) = self.next(pace, now) else { return None };
        self.play.note((segment.sequence, segment.kind == Kind::Init));
        Some((segment, between))
    }

    /// When the clock will announce what to fetch next.
    pub(super) fn waits(&self, pace: &Pace) -> Option<Instant> {
        match self.next(pace, Instant::default()) {
            Next::At(moment) => Some(moment),
            Next::Now(..) | Next::Nothing => None,
        }
    }

    /// How long the segment at `position` plays, at most.
    pub(super) fn lasting(&self, position: u64, pace: &Pace) -> Duration {
        let listed = self.segments().and_then(|segments| {
            let first = segments.partition_point(|segment| segment.sequence < position);
            let media = |segment: &&Segment| segment.kind == Kind::Media;
            let of = |segment: &&Segment| segment.sequence == position;
            segments.range(first..).take_while(of).find(media)
        });
        listed.map_or(pace.target, |segment| segment.duration)
    }

    fn next(&self, pace: &Pace, now: Instant) -> Next {
        // What is renamed with every update is asked for by another name than it was fetched by;
        // a server that begins anew does so once.
        let is_lasting = self.renamed < 2 && !self.play.by_parts;
        let Some(position) = self.play.position.filter(|_| is_lasting) else {
            return Next::Nothing;
        };
        let ahead =
            if pace.live { limits::stream::AHEAD_LIVE } else { limits::stream::AHEAD_STORED };
        match &self.content {
            Content::Listed(segments) => self.play.next_of(segments, position, ahead),
            Content::Named(named) => {
                let mut behind = position;
                for between in 0..ahead {
                    let Some(slot) = named.after(behind, pace) else { break };
                    behind = named.template.position(&slot);
                    if !self.play.recent.contains(&(behind, false)) {
                        let between = u32::try_from(between).unwrap_or(u32::MAX);
                        return named.there((&slot, between), pace, now);
                    }
                }
                Next::Nothing
            }
            Content::File(_) => Next::Nothing,
        }
    }
}

impl Named {
    fn after(&self, position: u64, pace: &Pace) -> Option<Slot> {
        let runs = pace.runs(&self.template);
        // Of a stored template without an end nobody can tell which names exist.
        let endless = self.length.is_none() && self.template.last.is_none() && runs.is_none();
        let slot = || self.template.after(Some(position), runs, self.length);
        if endless && !pace.live { None } else { slot() }
    }

    fn there(&self, (slot, between): (&Slot, u32), pace: &Pace, now: Instant) -> Next {
        if pace.live && !slot.listed {
            let ends = self.start.saturating_add(self.template.ends(slot));
            match pace.moment(ends) {
                None => return Next::Nothing,
                Some(moment) if moment > now => return Next::At(moment),
                Some(_) => {}
            }
        }
        self.segment(slot).map_or(Next::Nothing, |segment| Next::Now(segment, between))
    }

    fn segment(&self, slot: &Slot) -> Option<Segment> {
        let target = fill(&self.template.locator.target, slot)?;
        Some(Segment {
            locator: Locator { origin: self.template.locator.origin, target },
            range: None,
            duration: self.template.lasting(slot.duration),
            sequence: self.template.position(slot),
            kind: Kind::Media,
            discontinuity: false,
        })
    }

    /// When the segment at `position` leaves the window of a live manifest.
    pub(super) fn gone(&self, pace: &Pace, position: u64) -> Option<Instant> {
        let window = pace.window.filter(|_| pace.live)?;
        let runs = pace.runs(&self.template);
        let slot = self.template.after(position.checked_sub(1), runs, self.length)?;
        // ISO/IEC 23009-1, A.3.4: the end of the segment, the window, and one segment more.
        let long = self.template.lasting(slot.duration);
        let ends = self.start.checked_add(self.template.ends(&slot))?;
        pace.moment(ends.checked_add(window)?.checked_add(long)?)
    }
}

/// Whether a listed segment is the one of that name and range.
pub(super) fn is_at(segment: &Segment, range: Option<ByteRange>) -> bool {
    match (segment.range, range) {
        (Some(own), Some(asked)) => own.start == asked.start,
        (_, _) => true,
    }
}

/// Positions that a player may leave out and still play on.
const NEAR: u64 = 2;

/// Positions remembered for each rendition: more than any prefetch and a short seek back.
const RECENT: usize = 32;
