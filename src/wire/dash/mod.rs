//! DASH manifests (ISO/IEC 23009-1): values, templates, and the document walked once.

pub mod document;
mod element;
mod inherit;
pub mod template;
pub mod values;
