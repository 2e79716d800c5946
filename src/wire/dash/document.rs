//! A manifest walked once: elements that hold URLs or times, everything else passed over.
//!
//! The document is never written anew: URLs are changed where they stand, byte for byte.

use core::ops::Range;
use core::time::Duration;
use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::element::{Element, Tag, content};
use super::inherit::{Form, Level, Place, Resolver};
use super::values;
use crate::base::limits;
use crate::wire::plan::{Addressing, Fault, Manifest, Plan, Read, Rendition, Run};
use crate::wire::rewrite::{Base, Purpose, Source};

/// Reads a manifest that `source` tells the place of.
pub fn read(text: &str, source: &Source<'_>) -> Read {
    let Some(base) = Base::of(source) else { return Read::default() };
    let mut walk = Walk::new(text, base, source);
    match walk.document() {
        Err(fault) => Read::untouched(fault),
        Ok(()) => {
            let warning = walk.resolver.edits.torn().then_some(Fault::Ambiguous);
            let text = walk.resolver.edits.apply(text);
            Read { plan: Some(Plan::Manifest(walk.finish())), text, warning }
        }
    }
}

struct Walk<'a> {
    text: &'a str,
    root: Base,
    resolver: Resolver<'a>,
    path: Vec<Tag>,
    levels: Vec<Level>,
    content: usize,
    manifest: Manifest,
    periods: Vec<Period>,
    sets: u32,
    length: Option<Duration>,
}

struct Period {
    name: Option<Rc<str>>,
    start: Option<Duration>,
    length: Option<Duration>,
    /// The first of its renditions and of its adaptation sets.
    renditions: usize,
    sets: u32,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, root: Base, source: &Source<'a>) -> Self {
        Self {
            text,
            root,
            resolver: Resolver::new(source.places),
            path: Vec::new(),
            levels: Vec::new(),
            content: 0,
            manifest: Manifest::default(),
            periods: Vec::new(),
            sets: 0,
            length: None,
        }
    }

    fn document(&mut self) -> Result<(), Fault> {
        // The reader would drop a byte order mark without counting it.
        let text = self.text.trim_start_matches('\u{feff}');
        let marks = self.text.len() - text.len();
        let mut reader = Reader::from_str(text);
        let (mut elements, mut before) = (0_usize, marks);
        loop {
            let event = reader.read_event().map_err(|_| Fault::Xml)?;
            let after = marks + usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            elements += usize::from(matches!(event, Event::Start(_) | Event::Empty(_)));
            if elements > limits::stream::ELEMENTS {
                return Err(Fault::Count);
            }
            match event {
                Event::Start(element) => self.open(&element, after)?,
                Event::Empty(element) => {
                    self.open(&element, after)?;
                    self.close(after)?;
                }
                Event::End(_) => self.close(before)?,
                Event::DocType(_) => return Err(Fault::DocumentType),
                Event::Eof if elements == 0 => return Err(Fault::Start),
                Event::Eof if self.path.is_empty() => return Ok(()),
                Event::Eof => return Err(Fault::Xml),
                _ => {}
            }
            before = after;
        }
    }

    fn open(&mut self, element: &BytesStart<'_>, content: usize) -> Result<(), Fault> {
        let tag = Tag::of(element.local_name().as_ref(), self.path.last().copied());
        if self.path.is_empty() && tag != Tag::Mpd {
            return Err(Fault::Start);
        }
        if self.path.len() == limits::stream::DEPTH {
            return Err(Fault::Depth);
        }
        let element = Element { text: self.text, start: element };
        if self.path.last() != Some(&Tag::Other) {
            if let Some(link) = element.reference(b"href")? {
                self.resolver.lead(&link, &self.root, Purpose::Media)?;
            }
        }
        self.path.push(tag);
        self.content = content;
        if tag.is_level() {
            return self.open_level(tag, &element);
        }
        match tag {
            Tag::SegmentBase | Tag::SegmentList | Tag::SegmentTemplate => {
                self.information(tag, &element)
            }
            Tag::SegmentTimeline => {
                let timeline = self.manifest.timelines.len();
                self.manifest.timelines.push(Vec::new());
                self.level().information.timeline = Some(timeline);
                Ok(())
            }
            Tag::Run => self.run(&element),
            Tag::SegmentUrl
            | Tag::Initialization
            | Tag::RepresentationIndex
            | Tag::BitstreamSwitching => self.place(tag, &element),
            _ => Ok(()),
        }
    }

    fn open_level(&mut self, tag: Tag, element: &Element<'_>) -> Result<(), Fault> {
        let mut level = match self.levels.last_mut() {
            Some(above) => {
                above.opened = true;
                above.below()
            }
            None => {
                let bases = Rc::new(vec![self.root.clone()]);
                Level { above: Rc::clone(&bases), bases, ..Level::default() }
            }
        };
        level.id = element.value(b"id")?.filter(|id| id.len() <= limits::stream::ID);
        level.bandwidth = element.number(b"bandwidth")?;
        let lasting =
            |name| Ok::<_, Fault>(element.value(name)?.and_then(|v| values::duration(&v)));
        match tag {
            Tag::Mpd => {
                self.manifest.live = element.value(b"type")?.as_deref() == Some("dynamic");
                let starts = element.value(b"availabilityStartTime")?;
                self.manifest.starts_ms = starts.and_then(|date| values::date_ms(&date));
                self.manifest.update = lasting(b"minimumUpdatePeriod")?;
                self.manifest.window = lasting(b"timeShiftBufferDepth")?;
                self.manifest.longest = lasting(b"maxSegmentDuration")?.unwrap_or_default();
                self.length = lasting(b"mediaPresentationDuration")?;
            }
            Tag::Period => self.periods.push(Period {
                name: level.id.clone(),
                start: lasting(b"start")?,
                length: lasting(b"duration")?,
                renditions: self.manifest.renditions.len(),
                sets: self.sets,
            }),
            Tag::AdaptationSet => self.sets += 1,
            _ => {}
        }
        self.levels.push(level);
        Ok(())
    }

    fn information(&mut self, tag: Tag, element: &Element<'_>) -> Result<(), Fault> {
        let mut own = core::mem::take(&mut self.level().information);
        own.timescale = element.number(b"timescale")?.or(own.timescale);
        own.first = element.number(b"startNumber")?.or(own.first);
        own.last = element.number(b"endNumber")?.or(own.last);
        own.offset = element.number(b"presentationTimeOffset")?.or(own.offset);
        if let Some(duration) = element.number(b"duration")? {
            (own.duration, own.timeline) = (Some(duration), None);
        }
        match tag {
            Tag::SegmentTemplate => {
                own.form = Form::Template;
                own.media = element.reference(b"media")?.or(own.media);
                own.initialization = element.reference(b"initialization")?.or(own.initialization);
                let others = &mut self.level().others;
                others.extend(element.reference(b"index")?);
                others.extend(element.reference(b"bitstreamSwitching")?);
            }
            Tag::SegmentList => {
                own.form = Form::List;
                own.list = Some(self.resolver.lists.len());
                self.resolver.lists.push(Vec::new());
            }
            _ => own.form = Form::Base,
        }
        self.level().information = own;
        Ok(())
    }

    fn run(&mut self, element: &Element<'_>) -> Result<(), Fault> {
        let Some(timeline) = self.manifest.timelines.last_mut() else { return Ok(()) };
        let duration = element.number(b"d")?.ok_or(Fault::Value)?;
        let follows = |run: &Run| {
            let lasting = run.duration.checked_mul(run.count.unwrap_or(0))?;
            run.time.checked_add(lasting)
        };
        let time = match (element.number(b"t")?, timeline.last()) {
            (Some(time), _) => time,
            (None, None) => 0,
            (None, Some(run)) => follows(run).ok_or(Fault::Value)?,
        };
        let repeat = element.value(b"r")?.map(|text| text.trim().parse::<i64>());
        let repeat = repeat.transpose().map_err(|_| Fault::Value)?.unwrap_or(0);
        let count = u64::try_from(repeat).ok().map(|repeat| repeat.saturating_add(1));
        timeline.push(Run { time, duration, count });
        Ok(())
    }

    fn place(&mut self, tag: Tag, element: &Element<'_>) -> Result<(), Fault> {
        let ranged = |name| Ok::<_, Fault>(element.value(name)?.and_then(|v| values::range(&v)));
        if tag == Tag::SegmentUrl {
            let place = Place { url: element.reference(b"media")?, range: ranged(b"mediaRange")? };
            self.level().others.extend(element.reference(b"index")?);
            if let Some(list) = self.resolver.lists.last_mut() {
                list.push(place);
            }
            return Ok(());
        }
        let place = Place { url: element.reference(b"sourceURL")?, range: ranged(b"range")? };
        let level = self.level();
        match tag {
            Tag::Initialization => level.information.init = Some(place),
            Tag::RepresentationIndex => level.information.index = Some(place),
            _ => level.others.extend(place.url),
        }
        Ok(())
    }

    fn close(&mut self, end: usize) -> Result<(), Fault> {
        let Some(tag) = self.path.pop() else { return Err(Fault::Xml) };
        match tag {
            Tag::BaseUrl => self.base_url(self.content..end),
            Tag::Location | Tag::Steering => {
                let to = if tag == Tag::Steering { Purpose::Aside } else { Purpose::Media };
                let Some(reference) = content(self.text, self.content..end)? else { return Ok(()) };
                self.resolver.lead(&reference, &self.root, to).map(drop)
            }
            Tag::Representation => {
                let Some(level) = self.levels.pop() else { return Ok(()) };
                let rendition = self.resolver.represent(&self.levels, &level)?;
                self.represented(rendition);
                Ok(())
            }
            level if level.is_level() => {
                self.levels.pop();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn base_url(&mut self, span: Range<usize>) -> Result<(), Fault> {
        let Some(reference) = content(self.text, span)? else { return Ok(()) };
        let Some(mut level) = self.levels.pop() else { return Ok(()) };
        if level.opened {
            return Err(Fault::Order);
        }
        if !core::mem::replace(&mut level.based, true) {
            level.bases = Rc::default();
        }
        for above in level.above.iter() {
            let led = self.resolver.lead(&reference, above, Purpose::Media)?;
            if level.bases.len() < limits::stream::BASES {
                Rc::make_mut(&mut level.bases).extend(led.map(|led| led.base));
            }
        }
        self.levels.push(level);
        Ok(())
    }

    fn represented(&mut self, rendition: Option<Rendition>) {
        let (Some(rendition), Some(period)) = (rendition, self.periods.last()) else { return };
        if self.manifest.renditions.len() < limits::stream::RENDITIONS {
            let set = self.sets - period.sets;
            let name = format!("{set}/{}", rendition.name);
            self.manifest.renditions.push(Rendition { name, set: self.sets, ..rendition });
        }
    }

    fn finish(mut self) -> Manifest {
        let mut behind = Some(Duration::ZERO);
        let mut kept = Vec::new();
        let ends = self.periods.iter().skip(1).map(|next| next.renditions);
        let ends: Vec<_> = ends.chain([self.manifest.renditions.len()]).collect();
        let mut renditions = core::mem::take(&mut self.manifest.renditions).into_iter();
        let mut taken = 0;
        for (place, period) in self.periods.iter().enumerate() {
            let start = period.start.or(behind);
            let next = self.periods.get(place + 1);
            let end = next.map_or(self.length, |next| next.start);
            let between = || Some(end?.saturating_sub(start?));
            let length = period.length.or_else(between);
            behind = start.zip(length).and_then(|(start, length)| start.checked_add(length));
            let own = renditions.by_ref().take(ends[place] - taken);
            taken = ends[place];
            // A period without a start is announced, not yet there (ISO/IEC 23009-1, 5.3.2.1).
            kept.extend(own.filter_map(|rendition| {
                let start = start?;
                let fallback = || format!("@{}", start.as_millis()).into();
                let name = period.name.clone().unwrap_or_else(fallback);
                let name = format!("{name}/{}", rendition.name);
                Some(Rendition { name, start, length, ..rendition })
            }));
        }
        self.manifest.renditions = kept;
        if self.manifest.longest.is_zero() {
            self.manifest.longest = longest(&self.manifest);
        }
        self.manifest
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("segment information stands only below a level")
    }
}

/// The longest segment that a manifest names.
fn longest(manifest: &Manifest) -> Duration {
    let most = |runs: &Vec<Run>| runs.iter().map(|run| run.duration).max();
    let timelines: Vec<_> = manifest.timelines.iter().map(most).collect();
    let of = |rendition: &Rendition| match &rendition.media {
        Addressing::Template(template) => {
            let units = template.timeline.and_then(|place| *timelines.get(place)?);
            template.lasting(units.unwrap_or(template.duration))
        }
        Addressing::List(segments) => segments.first().map_or(Duration::ZERO, |s| s.duration),
        Addressing::File(_) => Duration::ZERO,
    };
    manifest.renditions.iter().map(of).max().unwrap_or_default()
}
