//! Nothing is sought from, told or given to a peer that is farther away than an origin allows.

use neap::base::peer::{Role, Tier};
use neap::config::model::Share;
use neap::wire::message::Message;

use super::all::Breaches;

#[derive(Default)]
pub struct Policy {
    pub breaches: Breaches,
}

impl Policy {
    /// A node says something to a peer of a tier and a role, while its origin may be shared so.
    pub fn told(
        &mut self,
        (node, tier): (usize, Tier),
        (share, role): (Share, Role),
        message: &Message,
    ) {
        let Some(reach) = share.reach() else {
            let is_of_the_origin = is_of_the_origin(message);
            if is_of_the_origin {
                self.breaches.add(format!("node {node} shares with nobody and says {message:?}"));
            }
            return;
        };
        if tier > reach && role != Role::Witness && is_of_the_origin(message) {
            self.breaches.add(format!("node {node} says {message:?} to a peer in {tier:?}"));
        }
    }
}

/// Whether it shows that the node has to do with a segment. A denial shows only that it was asked.
fn is_of_the_origin(message: &Message) -> bool {
    matches!(
        message,
        Message::Seek { .. }
            | Message::Done { .. }
            | Message::Have { .. }
            | Message::Record(_)
            | Message::Want { .. }
            | Message::Cancel { .. }
            | Message::Block { .. }
            | Message::Watch { .. }
    )
}
