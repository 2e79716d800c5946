//! HLS playlists read line by line (RFC 8216; draft-pantos-hls-rfc8216bis), their URLs put right.
//!
//! A scanner of our own instead of a parser that writes playlists anew: only the spans of URLs are
//! touched, so that unknown tags, comments and line endings stay byte for byte.

use core::time::Duration;
use std::borrow::Cow;
use std::collections::VecDeque;

use super::plan::{Fault, Kind, MediaPlan, Plan, Read, Segment, Variant, Variants};
use super::rewrite::{Base, Edits, Purpose, Source, before_fragment};
use super::tags::{Tag, lines, seconds};
use super::variables::Variables;
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::base::url::{Locator, Places};

/// Reads a playlist that `source` tells the place of.
pub fn read(body: &[u8], source: &Source<'_>) -> Read {
    let text = text_of(body);
    if !is_playlist(&text) {
        return Read::untouched(Fault::Start);
    }
    let Some(base) = Base::of(source) else { return Read::default() };
    let mut scan = Scan::new(base, source.places, text.contains("\n#EXT-X-ENDLIST"));
    let marked = text.len() - text.trim_start_matches('\u{feff}').len();
    for (start, line) in lines(&text[marked..]) {
        scan.line(marked + start, line);
        if scan.broken == Some(Fault::Count) {
            break;
        }
    }
    scan.finish(body)
}

/// A playlist as text of the same length. Bytes that are no UTF-8, as in titles of old encoders,
/// stand in it as DEL, which no URL holds.
fn text_of(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = core::str::from_utf8(body) {
        return Cow::Borrowed(text);
    }
    let chunks = body.utf8_chunks();
    let text = chunks.flat_map(|chunk| [chunk.valid(), &"\x7f\x7f\x7f"[..chunk.invalid().len()]]);
    Cow::Owned(text.collect())
}

/// Whether a text begins as every playlist must (RFC 8216, 4.3.1.1); a byte order mark is borne.
pub fn is_playlist(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with("#EXTM3U")
}

struct Scan<'a> {
    base: Base,
    places: &'a Places,
    ended: bool,
    edits: Edits,
    variants: Variants,
    plan: MediaPlan,
    segments: VecDeque<Segment>,
    variables: Variables,
    next: Next,
    /// Segment URIs so far, those at foreign hosts counted as well.
    counted: u64,
    /// Parts, keys and init segments since the last of them.
    beside: usize,
    targeted: bool,
    broken: Option<Fault>,
}

/// What the tags so far say about the URI line that follows them.
#[derive(Default)]
struct Next {
    variant: bool,
    bitrate: Option<u64>,
    duration: Duration,
    range: Option<Stretch>,
    /// Where the sub-range before this one ended, and in which resource.
    behind: Option<(Locator, u64)>,
    part_behind: Option<(Locator, u64)>,
    discontinuity: bool,
    gap: bool,
}

/// A byte range as HLS writes it: `n[@o]`, or one that cannot be read.
#[derive(Clone, Copy)]
enum Stretch {
    At(u64, u64),
    Behind(u64),
    Broken,
}

impl<'a> Scan<'a> {
    fn new(base: Base, places: &'a Places, ended: bool) -> Self {
        let plan = MediaPlan { live: !ended, ..MediaPlan::default() };
        Self {
            base,
            places,
            ended,
            edits: Edits::new(),
            variants: Variants::default(),
            plan,
            segments: VecDeque::new(),
            variables: Variables::default(),
            next: Next::default(),
            counted: 0,
            beside: 0,
            targeted: false,
            broken: None,
        }
    }

    fn line(&mut self, start: usize, line: &str) {
        let Some(rest) = line.strip_prefix("#EXT") else {
            if !line.starts_with('#') {
                self.uri(start, line);
            }
            return;
        };
        let (name, value) = rest.split_once(':').unwrap_or((rest, ""));
        let tag = Tag { name, value, start: start + line.len() - value.len() };
        match name {
            "INF" | "-X-BYTERANGE" | "-X-DISCONTINUITY" | "-X-GAP" | "-X-STREAM-INF" => {
                self.before_uri(tag);
            }
            "-X-KEY" | "-X-SESSION-KEY" => self.key(tag),
            "-X-MAP" => self.map(tag),
            "-X-PART" => self.part(tag),
            "-X-MEDIA" | "-X-I-FRAME-STREAM-INF" | "-X-IMAGE-STREAM-INF" => self.rendition(tag),
            "-X-PRELOAD-HINT" | "-X-RENDITION-REPORT" | "-X-SESSION-DATA" => {
                self.attribute(tag, "URI", Purpose::Media);
            }
            "-X-CONTENT-STEERING" => drop(self.attribute(tag, "SERVER-URI", Purpose::Aside)),
            "-X-DATERANGE" => {
                self.attribute(tag, "X-ASSET-URI", Purpose::Aside);
                self.attribute(tag, "X-ASSET-LIST", Purpose::Aside);
            }
            "-X-PREFETCH" => drop(self.lead(tag.start, value, Purpose::Media)),
            "-X-DEFINE" => {
                if let Some((name, value)) = tag.attribute("NAME").zip(tag.attribute("VALUE")) {
                    self.variables.define(name.1, value.1);
                }
            }
            _ => self.about(tag),
        }
    }

    /// Tags that speak of the playlist as a whole.
    fn about(&mut self, tag: Tag<'_>) {
        let believed = |number: &u64| *number <= limits::stream::NUMBER;
        let number = tag.value.trim().parse().ok().filter(believed);
        match tag.name {
            "-X-TARGETDURATION" => {
                self.targeted = true;
                self.plan.target = self.known(seconds(tag.value));
            }
            // Both stand in front of the first segment (RFC 8216, 4.3.3.2); a later one is void.
            "-X-MEDIA-SEQUENCE" | "-X-SKIP" if self.counted > 0 => {}
            "-X-MEDIA-SEQUENCE" => self.plan.first = self.known(number),
            "-X-SKIP" => {
                let skipped = tag.attribute("SKIPPED-SEGMENTS").and_then(|(_, n)| n.parse().ok());
                self.plan.skipped = self.known(skipped.filter(believed));
            }
            "-X-PLAYLIST-TYPE" if tag.value.trim() == "VOD" => self.plan.live = false,
            "-X-BITRATE" => self.plan.bitrate = number.and_then(|kbit| kbit.checked_mul(1000)),
            "-X-PART-INF" => self.plan.part_target = tag.seconds("PART-TARGET"),
            "-X-SERVER-CONTROL" => {
                let blocks = tag.attribute("CAN-BLOCK-RELOAD");
                self.plan.can_block_reload = blocks.is_some_and(|(_, value)| value == "YES");
                self.plan.part_hold_back = tag.seconds("PART-HOLD-BACK");
                self.plan.hold_back = tag.seconds("HOLD-BACK");
            }
            _ => {}
        }
        if self.counted == 0 {
            // What stands in front of the first segment has its number, wherever that is stated.
            let sequence = self.sequence();
            self.segments.iter_mut().for_each(|segment| segment.sequence = sequence);
        }
    }

    fn before_uri(&mut self, tag: Tag<'_>) {
        match tag.name {
            "INF" => {
                let duration = tag.value.split(',').next().and_then(seconds);
                self.next.duration = duration.unwrap_or_default();
            }
            "-X-BYTERANGE" => self.next.range = Some(stretch(tag.value.trim())),
            "-X-DISCONTINUITY" => self.next.discontinuity = true,
            "-X-GAP" => self.next.gap = true,
            _ => {
                self.next.variant = true;
                self.next.bitrate = tag.bitrate();
            }
        }
    }

    fn uri(&mut self, start: usize, line: &str) {
        let led = self.lead(start, line, Purpose::Media);
        if core::mem::take(&mut self.next.variant) {
            let bitrate = self.next.bitrate.take();
            led.into_iter().for_each(|locator| self.vary(locator, bitrate));
            return;
        }
        self.beside = 0;
        let sequence = self.sequence();
        self.counted = self.counted.saturating_add(1);
        let gap = core::mem::take(&mut self.next.gap);
        let discontinuity = core::mem::take(&mut self.next.discontinuity);
        let duration = core::mem::take(&mut self.next.duration);
        let written = self.next.range.take();
        let Some(locator) = led else { return };
        let Some(range) = place(written, &locator, &mut self.next.behind) else { return };
        if !gap {
            let kind = Kind::Media;
            self.list(Segment { locator, range, duration, sequence, kind, discontinuity });
        }
    }

    fn key(&mut self, tag: Tag<'_>) {
        let Some(locator) = self.attribute(tag, "URI", Purpose::Aside) else { return };
        if tag.name == "-X-SESSION-KEY" {
            if self.variants.keys.len() < limits::stream::RENDITIONS {
                self.variants.keys.push(locator);
            }
            return;
        }
        let known = |segment: &Segment| segment.kind == Kind::Key && segment.locator == locator;
        if !self.segments.iter().rev().take(4).any(known) {
            let sequence = self.sequence();
            self.list(beside(locator, sequence, Kind::Key));
        }
    }

    fn map(&mut self, tag: Tag<'_>) {
        let Some(locator) = self.attribute(tag, "URI", Purpose::Media) else { return };
        let written = tag.attribute("BYTERANGE").map(|(_, text)| stretch(text));
        // Without an offset the init segment stands at the start (RFC 8216bis, 4.4.4.5).
        let mut start = Some((locator.clone(), 0));
        let Some(range) = place(written, &locator, &mut start) else { return };
        let sequence = self.sequence();
        self.list(Segment { range, ..beside(locator, sequence, Kind::Init) });
    }

    fn part(&mut self, tag: Tag<'_>) {
        let Some(locator) = self.attribute(tag, "URI", Purpose::Media) else { return };
        let written = tag.attribute("BYTERANGE").map(|(_, text)| stretch(text));
        let Some(range) = place(written, &locator, &mut self.next.part_behind) else { return };
        if tag.attribute("GAP").is_some_and(|(_, value)| value == "YES") {
            return;
        }
        let duration = tag.seconds("DURATION").unwrap_or_default();
        let sequence = self.sequence();
        let part = beside(locator, sequence, Kind::Part);
        self.list(Segment { range, duration, ..part });
    }

    fn rendition(&mut self, tag: Tag<'_>) {
        let Some(locator) = self.attribute(tag, "URI", Purpose::Media) else { return };
        self.vary(locator, tag.bitrate());
    }

    fn vary(&mut self, locator: Locator, bitrate: Option<u64>) {
        if self.variants.variants.len() < limits::stream::RENDITIONS {
            self.variants.variants.push(Variant { locator, bitrate });
        }
    }

    fn attribute(&mut self, tag: Tag<'_>, name: &str, to: Purpose) -> Option<Locator> {
        let (start, text) = tag.attribute(name)?;
        self.lead(start, text, to)
    }

    fn lead(&mut self, start: usize, reference: &str, to: Purpose) -> Option<Locator> {
        let whole = self.variables.expand(reference);
        // What is left stands for text that only the player knows (RFC 8216bis, 4.3): where it may
        // be the host nothing can be said, and what it makes of a path is no name of ours.
        let fixed = whole.split("{$").next().unwrap_or_default();
        let is_whole = fixed.len() == whole.len();
        let names_host = fixed.split_once("//").map(|(_, rest)| rest.contains('/'));
        if !is_whole && !names_host.unwrap_or(!fixed.is_empty()) {
            return None;
        }
        let afforded = self.edits.afford(&self.base, &whole);
        afforded.map_err(|fault| self.broken = Some(fault)).ok()?;
        let led = self.base.lead(&whole, to, self.places).ok()?;
        if led.text.is_some() {
            self.edits.decide(start..start + before_fragment(reference), led.text);
        }
        led.locator.filter(|_| is_whole)
    }

    fn list(&mut self, segment: Segment) {
        self.beside += usize::from(segment.kind != Kind::Media);
        if self.beside > limits::stream::BESIDE {
            return;
        }
        if self.segments.len() == limits::stream::SEGMENTS {
            if self.ended {
                return;
            }
            self.segments.pop_front();
        }
        self.segments.push_back(segment);
    }

    fn sequence(&self) -> u64 {
        self.plan.first.saturating_add(self.plan.skipped).saturating_add(self.counted)
    }

    fn known<T: Default>(&mut self, value: Option<T>) -> T {
        self.broken = self.broken.or(value.is_none().then_some(Fault::Value));
        value.unwrap_or_default()
    }

    fn finish(self, body: &[u8]) -> Read {
        if self.broken == Some(Fault::Count) {
            return Read::untouched(Fault::Count);
        }
        // What is odd in its numbers costs the plan; its URLs are put right all the same.
        let warning = self.broken.map(|_| Fault::Plan);
        // Without a target duration it is a list of channels or songs, which nobody plays in a row.
        let plan = if self.broken.is_some() {
            None
        } else if self.targeted {
            Some(Plan::Media(MediaPlan { segments: self.segments.into(), ..self.plan }))
        } else {
            let found = !self.variants.variants.is_empty() || !self.variants.keys.is_empty();
            found.then_some(Plan::Variants(self.variants))
        };
        Read { plan, text: self.edits.apply(body), warning }
    }
}

fn beside(locator: Locator, sequence: u64, kind: Kind) -> Segment {
    let duration = Duration::ZERO;
    Segment { locator, range: None, duration, sequence, kind, discontinuity: false }
}

fn stretch(text: &str) -> Stretch {
    let (length, start) = text.split_once('@').map_or((text, None), |(n, o)| (n, Some(o)));
    match (length.parse::<u64>(), start.map(str::parse::<u64>)) {
        (Ok(length), Some(Ok(start))) => Stretch::At(start, length),
        (Ok(length), None) => Stretch::Behind(length),
        (_, _) => Stretch::Broken,
    }
}

/// The bytes that a written range means; `None` when that cannot be known.
fn place(
    written: Option<Stretch>,
    locator: &Locator,
    behind: &mut Option<(Locator, u64)>,
) -> Option<Option<ByteRange>> {
    let (start, length) = match written {
        None => {
            *behind = None;
            return Some(None);
        }
        Some(Stretch::At(start, length)) => (start, length),
        Some(Stretch::Behind(length)) => {
            let (of, end) = behind.as_ref()?;
            (Some(*end).filter(|_| of == locator)?, length)
        }
        Some(Stretch::Broken) => return None,
    };
    let end = start.checked_add(length)?;
    *behind = Some((locator.clone(), end));
    Some(Some(ByteRange::new(start, end)))
}
