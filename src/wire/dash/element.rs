//! One element of a manifest: what it is where it stands, and its values with their spans.

use core::ops::Range;
use std::rc::Rc;

use quick_xml::escape::unescape;
use quick_xml::events::BytesStart;

use super::inherit::Reference;
use crate::wire::plan::Fault;

/// The elements that matter, each only below the parent that gives it its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Mpd,
    Period,
    AdaptationSet,
    Representation,
    BaseUrl,
    Location,
    Steering,
    SegmentBase,
    SegmentList,
    SegmentTemplate,
    SegmentTimeline,
    Run,
    SegmentUrl,
    Initialization,
    RepresentationIndex,
    BitstreamSwitching,
    Other,
}

impl Tag {
    pub(super) fn of(name: &[u8], parent: Option<Self>) -> Self {
        use Tag as T;
        let level = matches!(parent, Some(T::Period | T::AdaptationSet | T::Representation));
        let segments = matches!(parent, Some(T::SegmentBase | T::SegmentList | T::SegmentTemplate));
        match (parent, name) {
            (None, b"MPD") => T::Mpd,
            (Some(T::Mpd), b"Period") => T::Period,
            (Some(T::Mpd), b"Location" | b"PatchLocation") => T::Location,
            (Some(T::Mpd), b"ContentSteering") => T::Steering,
            (Some(T::Mpd), b"BaseURL") => T::BaseUrl,
            (Some(T::Period), b"AdaptationSet") => T::AdaptationSet,
            (Some(T::AdaptationSet), b"Representation") => T::Representation,
            (Some(T::SegmentTimeline), b"S") => T::Run,
            (Some(T::SegmentList), b"SegmentURL") => T::SegmentUrl,
            (_, b"BaseURL") if level => T::BaseUrl,
            (_, b"SegmentBase") if level => T::SegmentBase,
            (_, b"SegmentList") if level => T::SegmentList,
            (_, b"SegmentTemplate") if level => T::SegmentTemplate,
            (_, b"SegmentTimeline") if segments => T::SegmentTimeline,
            (_, b"Initialization" | b"Initialisation") if segments => T::Initialization,
            (_, b"RepresentationIndex") if segments => T::RepresentationIndex,
            (_, b"BitstreamSwitching") if segments => T::BitstreamSwitching,
            _ => T::Other,
        }
    }

    pub(super) const fn is_level(self) -> bool {
        matches!(self, Self::Mpd | Self::Period | Self::AdaptationSet | Self::Representation)
    }
}

/// A start tag whose attributes are looked up where they stand.
pub(super) struct Element<'a> {
    pub(super) text: &'a str,
    pub(super) start: &'a BytesStart<'a>,
}

impl Element<'_> {
    /// An attribute by its name; only links (`xlink:href`) carry a prefix.
    pub(super) fn reference(&self, name: &[u8]) -> Result<Option<Reference>, Fault> {
        for attribute in self.start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| Fault::Xml)?;
            let link = name == b"href" && attribute.key.local_name().as_ref() == name;
            if link || attribute.key.as_ref() == name {
                // The value is a slice of the document: where it lies tells its span.
                let value = attribute.value.as_ref();
                let start = value.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
                return trimmed(self.text, start..start.saturating_add(value.len())).map(Some);
            }
        }
        Ok(None)
    }

    pub(super) fn value(&self, name: &[u8]) -> Result<Option<Rc<str>>, Fault> {
        Ok(self.reference(name)?.map(|reference| reference.value))
    }

    pub(super) fn number(&self, name: &[u8]) -> Result<Option<u64>, Fault> {
        let Some(text) = self.value(name)? else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| Fault::Value)
    }
}

/// The text of an element as a reference; `None` when it is empty.
pub(super) fn content(text: &str, span: Range<usize>) -> Result<Option<Reference>, Fault> {
    let raw = text.get(span.clone()).ok_or(Fault::Xml)?;
    let inner = raw.trim();
    let start = span.start + raw.len() - raw.trim_start().len();
    if let Some(literal) = inner.strip_prefix("<![CDATA[").and_then(|s| s.strip_suffix("]]>")) {
        let start = start + "<![CDATA[".len();
        let span = start..start + literal.len();
        return Ok(Some(Reference { span, value: literal.into(), literal: true }));
    }
    if inner.contains('<') {
        return Err(Fault::Value);
    }
    if inner.is_empty() { Ok(None) } else { trimmed(text, span).map(Some) }
}

fn trimmed(text: &str, span: Range<usize>) -> Result<Reference, Fault> {
    let raw = text.get(span.clone()).ok_or(Fault::Xml)?;
    let start = span.start + raw.len() - raw.trim_start().len();
    let raw = raw.trim();
    let value = unescape(raw).map_err(|_| Fault::Xml)?.into();
    Ok(Reference { span: start..start + raw.len(), value, literal: false })
}
