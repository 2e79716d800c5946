//! An origin that leads back to this very neap, by itself or by way of another: what is asked of
//! it bears a mark, so that its going round ends at once and not at a bound.

use super::event::Request;
use super::machine::Machine;
use super::report::FaultKind;
use crate::base::digest::Digest;
use crate::base::id::OriginId;
use crate::base::number::hexadecimal;
use crate::base::url::Scheme;
use crate::wire::http::fields::Fields;

/// What requests of this start bear (RFC 8586). It tells nobody whose they are: each start has
/// another one, and one of 65,536 homes the same.
#[derive(Clone, Debug)]
pub(super) struct Mark(String);

impl Mark {
    /// The mark of a start; its seed cannot be guessed from it.
    pub(super) fn new(seed: u64) -> Self {
        let [first, second, ..] = Digest::of(&seed.to_le_bytes()).0;
        let mut mark = String::from("neap-");
        hexadecimal(&mut mark, u16::from_le_bytes([first, second]).into());
        Self(mark)
    }
}

impl Machine {
    /// Marks a request to what may be a neap: players are not served over TLS.
    pub(super) fn mark(&self, fields: &mut Fields, (origin, base): (OriginId, usize)) {
        let place = self.places.0.get(usize::from(origin.0));
        let url = place.and_then(|place| place.bases.get(base));
        if url.is_some_and(|url| url.scheme == Scheme::Http) {
            fields.push(FIELD, &self.mark.0);
        }
    }

    /// Whether a request is one of ours that came back; then who sent it is told.
    pub(super) fn ends_circle(&mut self, request: &Request) -> bool {
        if !request.fields.all(FIELD).any(|whom| whom.contains(&*self.mark.0)) {
            return false;
        }
        let name = self.name_of(&request.locator);
        let text = format!("{name}: the url of this origin leads back to neap.");
        self.fault(FaultKind::Origin, &text);
        self.answer_sentence(request.exchange, 508, &text);
        self.say(log::Level::Warn, text);
        true
    }
}

/// The field that names whom a request has passed (RFC 8586, 2).
const FIELD: &str = "CDN-Loop";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_has_its_mark() {
        assert_eq!(Mark::new(1).0.len(), "neap-00000000".len());
        assert_eq!(Mark::new(1).0, Mark::new(1).0);
        assert_ne!(Mark::new(1).0, Mark::new(2).0);
    }
}
