//! What elements hand down to the representations below them: segment information and bases.

use core::ops::Range;
use core::time::Duration;
use std::rc::Rc;

use super::template::represented;
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::base::url::Places;
use crate::wire::plan::{Addressing, Fault, Kind, Rendition, Segment, Template};
use crate::wire::rewrite::{Base, Edits, Led, Purpose, before_fragment};

/// A reference as it stands in the document.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// Its bytes in the document.
    pub(super) span: Range<usize>,
    /// What they mean, unescaped.
    pub(super) value: Rc<str>,
    /// Whether it stands in CDATA, where nothing is escaped.
    pub(super) literal: bool,
}

/// A URL with a byte range, both optional (`URLType`); without a URL it is the base's own.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) url: Option<Reference>,
    pub(super) range: Option<ByteRange>,
}

/// Which of the three forms names the segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    None,
    Base,
    List,
    Template,
}

/// SegmentBase, SegmentList or SegmentTemplate with what they inherit (ISO/IEC 23009-1, 5.3.9.1).
#[derive(Clone, Debug, Default)]
pub(super) struct Information {
    pub(super) form: Form,
    pub(super) media: Option<Reference>,
    pub(super) initialization: Option<Reference>,
    pub(super) init: Option<Place>,
    pub(super) index: Option<Place>,
    pub(super) timescale: Option<u64>,
    pub(super) duration: Option<u64>,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) offset: Option<u64>,
    pub(super) timeline: Option<usize>,
    pub(super) list: Option<usize>,
}

/// An MPD, Period, AdaptationSet or Representation that is open. What it inherits is shared: a
/// manifest may hold a great many levels, and what each inherits may be long.
#[derive(Debug, Default)]
pub(super) struct Level {
    /// What relative references are resolved at: several where there are alternatives.
    pub(super) bases: Rc<Vec<Base>>,
    /// The bases of the level above, that BaseURL elements of this level are resolved at.
    pub(super) above: Rc<Vec<Base>>,
    /// Whether a BaseURL stood here.
    pub(super) based: bool,
    /// Whether a level below was opened.
    pub(super) opened: bool,
    pub(super) information: Information,
    /// References beside those of the information, which stand here and hold below.
    pub(super) others: Vec<Reference>,
    pub(super) id: Option<Rc<str>>,
    pub(super) bandwidth: Option<u64>,
}

impl Level {
    /// The level that opens below this one.
    pub(super) fn below(&self) -> Self {
        Self {
            bases: Rc::clone(&self.bases),
            above: Rc::clone(&self.bases),
            information: self.information.clone(),
            ..Self::default()
        }
    }
}

/// References resolved, and the segments that they make.
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    pub(super) places: &'a Places,
    pub(super) edits: Edits,
    pub(super) lists: Vec<Vec<Place>>,
    listed: usize,
}

impl<'a> Resolver<'a> {
    pub(super) const fn new(places: &'a Places) -> Self {
        Self { places, edits: Edits::new(), lists: Vec::new(), listed: 0 }
    }

    /// Resolves one reference at one base and decides what becomes of its text.
    pub(super) fn lead(
        &mut self,
        reference: &Reference,
        base: &Base,
        to: Purpose,
    ) -> Result<Option<Led>, Fault> {
        self.edits.afford(base, &reference.value)?;
        let Ok(led) = base.lead(&reference.value, to, self.places) else { return Ok(None) };
        let fragment = &reference.value[before_fragment(&reference.value)..];
        let text = led.text.as_ref().map(|text| {
            let text = format!("{text}{fragment}");
            let escape = || quick_xml::escape::escape(text.as_str()).into_owned();
            if reference.literal { text.clone() } else { escape() }
        });
        self.edits.decide(reference.span.clone(), text);
        Ok(Some(led))
    }

    /// Resolves a reference at every alternative base; the first is the one that is planned with.
    fn lead_all(&mut self, reference: &Reference, bases: &[Base]) -> Result<Option<Led>, Fault> {
        let mut first = None;
        for (place, base) in bases.iter().enumerate() {
            let led = self.lead(reference, base, Purpose::Media)?;
            if place == 0 {
                first = led;
            }
        }
        Ok(first)
    }

    /// Ends a representation: everything that it inherited is resolved at its own bases.
    pub(super) fn represent(
        &mut self,
        above: &[Level],
        level: &Level,
    ) -> Result<Option<Rendition>, Fault> {
        let information = &level.information;
        for other in above.iter().chain([level]).flat_map(|level| &level.others) {
            self.lead_all(other, &level.bases)?;
        }
        let init = self.initial(level)?;
        let media = match information.form {
            Form::Template => self.template(level)?.map(addressing),
            Form::List => Some(Addressing::List(self.list(level)?)),
            Form::Base | Form::None => {
                self.first("", level)?.and_then(|led| led.locator).map(Addressing::File)
            }
        };
        Ok(media.map(|media| Rendition {
            name: level.id.as_deref().unwrap_or_default().into(),
            set: 0,
            bitrate: level.bandwidth,
            start: Duration::ZERO,
            length: None,
            init,
            media,
        }))
    }

    fn initial(&mut self, level: &Level) -> Result<Option<Segment>, Fault> {
        let information = &level.information;
        if let (Form::Template, Some(name)) = (information.form, &information.initialization) {
            self.lead_all(name, &level.bases)?;
            let planned = self.planned(name, level)?;
            return Ok(planned.and_then(|led| segment(led, None, Kind::Init)));
        }
        if let Some(index) = &information.index {
            self.place(index, level)?;
        }
        let Some(init) = &information.init else { return Ok(None) };
        let led = self.place(init, level)?;
        Ok(led.and_then(|led| segment(led, init.range, Kind::Init)))
    }

    fn template(&mut self, level: &Level) -> Result<Option<Template>, Fault> {
        let information = &level.information;
        let Some(media) = &information.media else { return Ok(None) };
        self.lead_all(media, &level.bases)?;
        let planned = self.planned(media, level)?;
        let Some(locator) = planned.and_then(|led| led.locator) else { return Ok(None) };
        let timescale = information.timescale.unwrap_or(1).max(1);
        Ok(Some(Template {
            locator,
            timescale,
            duration: information.duration.unwrap_or(0),
            first: information.first.unwrap_or(1),
            last: information.last,
            offset: information.offset.unwrap_or(0),
            timeline: information.timeline,
        }))
    }

    /// Where a template leads once the representation has filled in what it knows of itself.
    fn planned(&mut self, name: &Reference, level: &Level) -> Result<Option<Led>, Fault> {
        let filled = represented(&name.value, level.id.as_deref(), level.bandwidth);
        filled.map_or(Ok(None), |filled| self.first(&filled, level))
    }

    /// Where a text leads that does not stand in the document.
    fn first(&mut self, reference: &str, level: &Level) -> Result<Option<Led>, Fault> {
        let Some(base) = level.bases.first() else { return Ok(None) };
        self.edits.afford(base, reference)?;
        Ok(base.lead(reference, Purpose::Media, self.places).ok())
    }

    fn list(&mut self, level: &Level) -> Result<Vec<Segment>, Fault> {
        let information = &level.information;
        let Some(index) = information.list else { return Ok(Vec::new()) };
        let entries = core::mem::take(&mut self.lists[index]);
        let timescale = information.timescale.unwrap_or(1).max(1);
        let units = information.duration.unwrap_or(0);
        let millis = u128::from(units) * 1000 / u128::from(timescale);
        let duration = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        let mut segments = Vec::new();
        let first = information.first.unwrap_or(1);
        for (index, entry) in (0..).zip(&entries) {
            let sequence = first.saturating_add(index);
            let led = self.place(entry, level)?;
            let found = led.and_then(|led| segment(led, entry.range, Kind::Media));
            if let Some(found) = found.filter(|_| self.listed < limits::stream::SEGMENTS) {
                self.listed += 1;
                segments.push(Segment { duration, sequence, ..found });
            }
        }
        self.lists[index] = entries;
        Ok(segments)
    }

    fn place(&mut self, place: &Place, level: &Level) -> Result<Option<Led>, Fault> {
        if let Some(url) = &place.url {
            return self.lead_all(url, &level.bases);
        }
        self.first("", level)
    }
}

/// A template that neither counts nor measures names one file.
fn addressing(template: Template) -> Addressing {
    if template.is_counting() {
        Addressing::Template(template)
    } else {
        Addressing::File(template.locator)
    }
}

fn segment(led: Led, range: Option<ByteRange>, kind: Kind) -> Option<Segment> {
    let (duration, sequence) = (Duration::ZERO, 0);
    let locator = led.locator?;
    Some(Segment { locator, range, duration, sequence, kind, discontinuity: false })
}
