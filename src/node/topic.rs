//! Whether peers may help with what is asked for, and by which name they know it.

use core::time::Duration;

use super::fetch::Ask;
use super::machine::Machine;
use super::policy::Kin;
use crate::base::digest::Digest;
use crate::base::id::FetchId;
use crate::base::limits;
use crate::base::range::ByteRange;
use crate::engine::timeline::answer::Listed;
use crate::wire::http::range::Spec;

impl Machine {
    /// The stream that a listed segment belongs to, as peers name it.
    pub(super) fn topic_of(&self, listed: &Listed<'_>) -> Option<Digest> {
        let playlist = self.identity(listed.playlist);
        let name = &self.config.origins.get(usize::from(listed.playlist.origin.0))?.name;
        Some(Digest::of_parts([
            b"neap/1 topic\0",
            name.as_bytes(),
            b"\0",
            playlist.as_bytes(),
            b"\0",
            listed.rendition.as_bytes(),
        ]))
    }

    /// Whether peers may help with what is asked for, and what it is called there.
    pub(super) fn may_ask_peers(&self, ask: &Ask) -> Option<(Digest, Kin, Duration)> {
        let swarm = self.swarm.as_ref()?;
        let plain = ask.method == "GET" && ask.shared && !ask.passes && ask.body.is_none();
        let fresh = ask.fills.is_none() && ask.validates.is_none();
        if swarm.links.is_empty() || !plain || !fresh {
            return None;
        }
        let range = match ask.spec {
            None => None,
            Some(Spec::Span(first, last)) => Some(ByteRange::new(first, last.saturating_add(1))),
            Some(_) => return None,
        };
        // Authorised by the origin: only what a playlist lists that it gave to this very node.
        let listed = self.timeline.listed(&ask.locator, range)?;
        if range.is_none_or(|range| range.len() <= limits::swarm::SWARM_RANGE) {
            let kin = self.kin_of(&listed)?;
            if swarm.unkept.contains(&kin.topic) || !self.is_shared(kin) {
                return None;
            }
            return Some((self.resource_of(&ask.key)?, kin, listed.target));
        }
        None
    }

    /// Notes whether a segment could be kept: peers are not waited for where nobody may keep any.
    pub(super) fn note_kept(&mut self, id: FetchId, kept: bool) {
        let resource = self.fetches.get(&id).and_then(|fetch| fetch.resource);
        let (Some(resource), Some(swarm)) = (resource, &mut self.swarm) else { return };
        let Some(download) = swarm.downloads.get(&resource) else { return };
        if kept {
            swarm.unkept.remove(&download.topic);
        } else if swarm.unkept.len() < limits::swarm::TOPICS {
            swarm.unkept.insert(download.topic);
        } else {
            swarm.unkept.clear();
        }
    }
}
