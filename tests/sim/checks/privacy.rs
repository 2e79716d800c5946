//! Nothing is said or given to a peer of playlists, keys and private answers.

use neap::base::segment::SegmentId;
use neap::wire::message::Message;

use super::all::Breaches;
use crate::world::library::{Access, Library};

#[derive(Default)]
pub struct Privacy {
    pub breaches: Breaches,
}

impl Privacy {
    /// A node says something.
    pub fn told(&mut self, node: usize, library: &Library, message: &Message) {
        let (segment, shows) = match message {
            Message::Seek { segment, .. } | Message::Done { segment } => (*segment, false),
            Message::Have { segment, here, .. } => (*segment, !here.is_empty()),
            Message::Record(record) => (record.statement.segment, true),
            Message::Whole { segment, .. } => (*segment, true),
            Message::Want { segment, .. }
            | Message::Cancel { segment, .. }
            | Message::Deny { segment, .. }
            | Message::Block { segment, .. } => (*segment, false),
            Message::Watch { playlist, segment, .. } => {
                // Only what stands before the query may be named.
                if playlist.contains('?') || segment.contains('?') {
                    self.breaches.add(format!("node {node} tells of {playlist} {segment}"));
                }
                return;
            }
            Message::Observed { .. } | Message::Punch(_) => return,
            Message::Choke | Message::Unchoke => return,
            Message::Peers { .. } | Message::Switch(_) => return,
        };
        self.look(node, library, (segment, shows));
    }

    /// A node gives a block.
    pub fn gave(&mut self, node: usize, library: &Library, segment: SegmentId) {
        self.look(node, library, (segment, true));
    }

    /// `shows`: it says that the node has it.
    fn look(&mut self, node: usize, library: &Library, (segment, shows): (SegmentId, bool)) {
        let Some(thing) = library.names.get(&segment.resource) else {
            return self.breaches.add(format!("node {node} names {segment:?}, which is nothing"));
        };
        if !thing.is_media() {
            return self.breaches.add(format!("node {node} tells a peer of {thing:?}"));
        }
        let access = library.shows[thing.show()].access;
        if shows && access != Access::Open {
            self.breaches.add(format!("node {node} shows a peer {thing:?}, which is {access:?}"));
        }
    }
}
