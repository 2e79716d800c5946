//! What a request is told that goes no further than the port.

use super::respond;
use crate::base::url::{Url, without_query};
use crate::node::event::{Answer, Refusal};
use crate::wire::http::head::Fault;

/// The answer to a refused request: what is wrong and what to do.
pub fn answer(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Host => respond::sentence(
            421,
            "This device does not go by that name: add it to host-names in [player].",
        ),
        Refusal::Origin => respond::sentence(
            404,
            "No origin of that name is configured here: the path begins with an origin's name.",
        ),
        Refusal::Network => respond::sentence(403, "This network may not ask here."),
        Refusal::Crowd => respond::sentence(503, "Too many connections."),
        Refusal::Malformed | Refusal::Slow => respond::sentence(400, "The target is no path."),
    }
}

/// The answer to what is no origin's here: it is asked for where it was meant to be.
pub fn onward(url: &Url) -> Answer {
    let folder = without_query(&url.target).rsplit_once('/').map_or("", |(folder, _)| folder);
    log::warn!("{folder}/ names no origin of ours: sent on to {}", url.host);
    let mut answer = respond::sentence(307, "It names no origin that is configured here.");
    answer.own.push_str(&format!("Location: {url}\r\n"));
    answer
}

/// What a malformed head is told.
pub fn sentence_of(fault: Fault) -> String {
    format!("The request cannot be understood: {fault}.")
}
