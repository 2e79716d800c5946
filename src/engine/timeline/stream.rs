//! One followed playlist: its rows, brought up to date by each new plan.

use core::ops::Range;
use core::time::Duration;
use std::collections::VecDeque;

use super::answer::Listed;
use super::playhead::Playhead;
use super::row::{Content, Named, Pace, Play, Row};
use crate::base::limits;
use crate::base::map::Map;
use crate::base::time::{Date, Instant};
use crate::base::url::{Locator, without_query};
use crate::wire::plan::{
    Addressing, Kind, Manifest, MediaPlan, Plan, Rendition, Segment, Variant, Variants,
};

/// A playlist or manifest that a player uses.
#[derive(Debug)]
pub(super) struct Stream {
    /// Its name as it is compared.
    pub(super) playlist: Locator,
    /// When a player last asked for it or for something that it lists.
    pub(super) asked: Instant,
    pub(super) pace: Pace,
    /// How old the playlist may get while it is live.
    pub(super) max_age: Option<Duration>,
    pub(super) bitrate: Option<u64>,
    pub(super) rows: Vec<Row>,
    pub(super) variants: Vec<Variant>,
    pub(super) keys: Vec<Locator>,
    /// When a name last came back for another segment, as those do that count in a ring.
    pub(super) repeated: Option<Instant>,
    /// Since when a list of segments is the same.
    pub(super) still: Option<Still>,
    /// The buffers of its player: of each set of renditions that replace each other.
    pub(super) heads: Map<u32, Playhead>,
}

/// How long a list of segments is the same, as far as players ask for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Still {
    pub(super) since: Instant,
    pub(super) polled: Instant,
}

/// What a new plan changed: rows and their segments that came or went.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) came: Vec<(u32, Segment)>,
    pub(super) went: Vec<(u32, Segment)>,
    /// The length of the longest window that held what went.
    pub(super) window: Duration,
    /// Whether the list begins at another number than before.
    pub(super) moved: bool,
    /// Whether all that is listed is before what was: the server counts anew.
    pub(super) went_back: bool,
}

impl Stream {
    pub(super) fn new(playlist: Locator, asked: Instant) -> Self {
        Self {
            playlist,
            asked,
            pace: Pace::default(),
            max_age: None,
            bitrate: None,
            rows: Vec::new(),
            variants: Vec::new(),
            keys: Vec::new(),
            repeated: None,
            still: None,
            heads: Map::new(),
        }
    }

    /// How a segment of one of its rows is listed.
    pub(super) fn listed<'a>(&'a self, row: &'a Row, kind: Kind) -> Listed<'a> {
        Listed {
            playlist: &self.playlist,
            rendition: &row.name,
            kind,
            target: self.pace.target,
            live: self.pace.live,
            repeats: self.repeated.is_some(),
        }
    }

    /// Takes a new plan in; `name` makes of a target what is compared.
    pub(super) fn update(
        &mut self,
        plan: Plan,
        dated: Option<(Date, Instant)>,
        name: impl Fn(&Locator) -> String,
    ) -> Change {
        match plan {
            Plan::Variants(variants) => self.on_variants(variants),
            Plan::Media(plan) => self.on_media(plan, name),
            Plan::Manifest(manifest) => self.on_manifest(manifest, dated, name),
        }
    }

    fn on_variants(&mut self, new: Variants) -> Change {
        let mut change = Change::default();
        self.drop_listed(&mut change);
        self.rows.clear();
        self.pace = Pace::default();
        self.max_age = None;
        (self.variants, self.keys) = (new.variants, new.keys);
        change
    }

    fn on_media(&mut self, mut new: MediaPlan, name: impl Fn(&Locator) -> String) -> Change {
        let mut change = Change::default();
        if self.rows.len() != 1 {
            self.drop_listed(&mut change);
            self.rows = vec![Row::listed(String::new())];
        }
        let target = new.target;
        let pace = new.part_target.map_or(target / 2, |part| (part / 2).max(QUICKEST));
        self.max_age = new.live.then_some(pace);
        self.pace = Pace { live: new.live, target, ..Pace::default() };
        self.bitrate = new.bitrate.or(self.bitrate);
        (self.variants, self.keys) = (Vec::new(), Vec::new());
        let segments = core::mem::take(&mut new.segments);
        let skipped = new.first..new.first.saturating_add(new.skipped);
        self.rows[0].merge(skipped, segments, (&mut change, &name));
        change
    }

    fn on_manifest(
        &mut self,
        new: Manifest,
        dated: Option<(Date, Instant)>,
        name: impl Fn(&Locator) -> String,
    ) -> Change {
        let mut change = Change::default();
        let update = new.update.filter(|every| !every.is_zero()).unwrap_or(new.longest);
        let pace = update.min(new.longest.max(Duration::from_secs(1)));
        self.max_age = new.live.then_some(pace / 2);
        let dated = dated.or(self.pace.dated);
        self.pace = Pace {
            live: new.live,
            target: new.longest,
            timelines: new.timelines,
            starts_ms: new.starts_ms,
            window: new.window,
            dated,
        };
        self.drop_listed(&mut change);
        let mut old = core::mem::take(&mut self.rows);
        for rendition in new.renditions {
            let known = old.iter().position(|row| row.name == rendition.name);
            let mut row = match known {
                Some(place) => old.swap_remove(place),
                None => Row::listed(rendition.name.clone()),
            };
            row.manifest(rendition, &name);
            self.rows.push(row);
        }
        change.came = self.all().map(|(index, segment)| (index, segment.clone())).collect();
        change
    }

    /// Notes everything that is listed as gone, for a plan that lists it anew.
    fn drop_listed(&self, change: &mut Change) {
        change.window = self.window();
        change.went = self.all().map(|(index, segment)| (index, segment.clone())).collect();
    }

    /// Everything that the stream lists one by one.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &Segment)> {
        (0..).zip(&self.rows).flat_map(|(index, row)| {
            row.segments().into_iter().flatten().map(move |segment| (index, segment))
        })
    }

    /// How many segments are listed one by one.
    pub(super) fn len(&self) -> usize {
        self.rows.iter().map(|row| row.segments().map_or(0, VecDeque::len)).sum()
    }

    /// How long everything in the longest list plays.
    pub(super) fn window(&self) -> Duration {
        self.rows.iter().map(Row::length).max().unwrap_or_default()
    }
}

impl Row {
    fn listed(name: String) -> Self {
        let content = Content::Listed(VecDeque::new());
        Self { name, set: 0, bitrate: None, content, renamed: 0, play: Play::default() }
    }

    pub(super) const fn segments(&self) -> Option<&VecDeque<Segment>> {
        match &self.content {
            Content::Listed(segments) => Some(segments),
            Content::Named(_) | Content::File(_) => None,
        }
    }

    /// Whether it is one file, whose own index says where its segments are.
    pub(super) const fn is_file(&self) -> bool {
        matches!(self.content, Content::File(_))
    }

    fn length(&self) -> Duration {
        let media = |segment: &&Segment| segment.kind == Kind::Media;
        let segments = self.segments().into_iter().flatten().filter(media);
        segments.fold(Duration::ZERO, |sum, segment| sum.saturating_add(segment.duration))
    }

    /// Brings a list up to date. What a delta update skips is taken over from the old list.
    fn merge(
        &mut self,
        skipped: Range<u64>,
        new: Vec<Segment>,
        (change, name): (&mut Change, &impl Fn(&Locator) -> String),
    ) {
        change.window = change.window.max(self.length());
        let old = match &mut self.content {
            Content::Listed(old) => core::mem::take(old),
            Content::Named(_) | Content::File(_) => VecDeque::new(),
        };
        change.went_back = is_before(&new, &old);
        if change.went_back || is_renamed(&old, &new) {
            self.play.restart();
        }
        if let Some((was, is)) = again(&old, &new) {
            let same = name(&was.locator) == name(&is.locator);
            self.renamed = if same { 0 } else { self.renamed.saturating_add(1) };
        }
        let kept = old.iter().filter(|segment| skipped.contains(&segment.sequence)).cloned();
        let mut list: VecDeque<Segment> = kept.collect();
        list.extend(new);
        let surplus = list.len().saturating_sub(limits::stream::SEGMENTS);
        list.drain(..surplus);
        let first = |list: &VecDeque<Segment>| list.front().map(|segment| segment.sequence);
        change.moved = first(&old) != first(&list);
        change.came.extend(list.iter().filter(|s| !holds(&old, s, name)).map(|s| (0, s.clone())));
        change.went.extend(old.into_iter().filter(|s| !holds(&list, s, name)).map(|s| (0, s)));
        self.content = Content::Listed(list);
    }

    fn manifest(&mut self, new: Rendition, name: impl Fn(&Locator) -> String) {
        (self.set, self.bitrate) = (new.set, new.bitrate);
        self.content = match new.media {
            Addressing::List(list) => Content::Listed(new.init.into_iter().chain(list).collect()),
            Addressing::File(locator) => Content::File(locator),
            Addressing::Template(template) => Content::Named(Box::new(Named {
                pattern: name(&template.locator),
                template,
                init: new.init,
                start: new.start,
                length: new.length,
            })),
        };
    }
}

/// Whether a list holds this very segment; lists are in order of their sequence numbers.
fn holds(list: &VecDeque<Segment>, segment: &Segment, name: &impl Fn(&Locator) -> String) -> bool {
    let same = |listed: &Segment| {
        let like = (listed.kind, listed.range) == (segment.kind, segment.range);
        let (one, other) = (&listed.locator, &segment.locator);
        like && (one == other || (one.origin == other.origin && name(one) == name(other)))
    };
    let first = list.partition_point(|listed| listed.sequence < segment.sequence);
    let equal = list.range(first..).take_while(|listed| listed.sequence == segment.sequence);
    equal.into_iter().any(same)
}

/// Whether the numbers of a list mean other segments than before: the server began anew.
fn is_renamed(old: &VecDeque<Segment>, new: &[Segment]) -> bool {
    // Tokens in the query may change with every reload.
    let path = |segment: &Segment| without_query(&segment.locator.target).to_owned();
    again(old, new).is_some_and(|(was, is)| path(was) != path(is))
}

/// Whether all of a new list has lower numbers than the old one.
fn is_before(new: &[Segment], old: &VecDeque<Segment>) -> bool {
    let ends = new.last().zip(old.front());
    ends.is_some_and(|(newest, oldest)| newest.sequence < oldest.sequence)
}

/// The last media segment of a list, and the one of the same number in its update.
fn again<'a>(old: &'a VecDeque<Segment>, new: &'a [Segment]) -> Option<(&'a Segment, &'a Segment)> {
    let media = |segment: &&Segment| segment.kind == Kind::Media;
    let was = old.iter().rev().find(media)?;
    let first = new.partition_point(|segment| segment.sequence < was.sequence);
    let is = new[first..].iter().find(media)?;
    (is.sequence == was.sequence).then_some((was, is))
}

/// The shortest age of a playlist with parts, so that a storm of reloads stays bounded.
const QUICKEST: Duration = Duration::from_millis(100);
