//! What linked nodes tell each other of others (peer exchange): whom, how often, how many.

use core::net::SocketAddr;

use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{NodeKey, PeerId};
use crate::base::set::Set;
use crate::base::time::Instant;

/// What was told to whom, and when somebody last told us.
#[derive(Debug, Default)]
pub struct Gossip {
    links: Map<PeerId, Link>,
    looked: Instant,
}

#[derive(Debug)]
struct Link {
    key: NodeKey,
    /// In the home it is told once who came before it; those who come later hear of it.
    is_home: bool,
    told: Set<SocketAddr>,
    /// Whether anything was said there: beyond the home the first word may be empty.
    has_begun: bool,
    /// When the next word may go there.
    next: Option<Instant>,
    /// When the last word came from there.
    heard: Option<Instant>,
}

/// Somebody who can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where this node reached it, or was reached by it over QUIC: there one port does both; in
    /// the home where it says that it awaits others.
    pub address: SocketAddr,
    /// Whose key was there.
    pub key: NodeKey,
}

impl Gossip {
    /// A link stands.
    pub fn on_joined(&mut self, peer: PeerId, (key, is_home): (NodeKey, bool), now: Instant) {
        let next = Some(now + limits::meeting::GOSSIP_FIRST);
        let (told, has_begun) = (Set::new(), is_home);
        let link = Link { key, is_home, told, has_begun, next, heard: None };
        self.links.insert(peer, link);
    }

    /// It is no more.
    pub fn on_gone(&mut self, peer: PeerId) {
        self.links.remove(&peer);
    }

    /// Somebody names others: answers those that are looked at; none where it came too soon.
    pub fn on_named<'a>(
        &mut self,
        peer: PeerId,
        named: &'a [SocketAddr],
        now: Instant,
    ) -> &'a [SocketAddr] {
        let Some(link) = self.links.get_mut(&peer) else { return &[] };
        let too_soon = link.heard.is_some_and(|last| now - last < limits::meeting::GOSSIP_LEAST);
        if too_soon {
            return &[];
        }
        link.heard = Some(now);
        &named[..named.len().min(limits::meeting::GOSSIP)]
    }

    /// Whether a peer names others, so that it may be named itself: who hides says nothing.
    pub fn is_open(&self, peer: PeerId) -> bool {
        self.links.get(&peer).is_some_and(|link| link.heard.is_some())
    }

    /// The next link to which something is to be said, with what can be named to it by the
    /// given judge; nobody is named to himself, and nobody twice. Where nothing may be said
    /// beyond the home, only links in it count.
    pub fn poll(
        &mut self,
        known: &[Named],
        (now, far): (Instant, bool),
        may: impl Fn(PeerId, &Named) -> bool,
    ) -> Option<(PeerId, Vec<SocketAddr>)> {
        self.looked = now;
        for (peer, link) in &mut self.links {
            if !(far || link.is_home) || link.next.is_none_or(|next| next > now) {
                continue;
            }
            link.next = (!link.is_home).then_some(now + limits::meeting::GOSSIP_EVERY);
            let is_new = |named: &&Named| {
                named.key != link.key && !link.told.contains(&named.address) && may(*peer, named)
            };
            let new: Vec<_> = known.iter().filter(is_new).map(|named| named.address).collect();
            let new: Vec<_> = new.into_iter().take(limits::meeting::GOSSIP).collect();
            if new.is_empty() && link.has_begun {
                continue;
            }
            link.has_begun = true;
            if link.told.len() >= limits::meeting::GOSSIP_TOLD {
                link.told.clear();
            }
            link.told.extend(new.iter().copied());
            return Some((*peer, new));
        }
        None
    }

    /// When [`Gossip::poll`] may have something.
    pub fn poll_timeout(&self, far: bool) -> Option<Instant> {
        let links = self.links.values().filter(|link| far || link.is_home);
        links.filter_map(|link| link.next).min()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn named(count: u8) -> Vec<Named> {
        let one = |host| Named {
            address: SocketAddr::from(([203, 0, 113, host], 8644)),
            key: NodeKey([host; 32]),
        };
        (1..=count).map(one).collect()
    }

    #[test]
    fn each_is_named_once_and_nobody_to_himself() {
        let mut gossip = Gossip::default();
        let mut now = Instant::from_micros(1_000_000);
        gossip.on_joined(PeerId(1), (NodeKey([3; 32]), false), now);
        assert_eq!(gossip.poll(&named(4), (now, true), |_, _| true), None, "it has just come");
        now += limits::meeting::GOSSIP_FIRST;
        let (peer, told) =
            gossip.poll(&named(4), (now, true), |_, _| true).expect("something to say");
        let hosts: Vec<_> = told.iter().map(|at| at.ip().to_string()).collect();
        assert_eq!((peer.0, hosts.len()), (1, 3));
        assert!(!hosts.contains(&"203.0.113.3".to_owned()));
        assert_eq!(gossip.poll(&named(4), (now, true), |_, _| true), None);
        now += limits::meeting::GOSSIP_EVERY;
        assert_eq!(gossip.poll(&named(4), (now, true), |_, _| true), None, "it has heard of all");
        now += limits::meeting::GOSSIP_EVERY;
        let (_, told) = gossip.poll(&named(5), (now, true), |_, _| true).expect("one is new");
        assert_eq!(told, [named(5)[4].address]);
        now += limits::meeting::GOSSIP_EVERY;
        assert_eq!(
            gossip.poll(&named(200), (now, true), |_, _| false),
            None,
            "none of them may be named"
        );
        now += limits::meeting::GOSSIP_EVERY;
        let (_, told) = gossip.poll(&named(200), (now, true), |_, _| true).expect("many are new");
        assert_eq!(told.len(), limits::meeting::GOSSIP);
        gossip.on_gone(PeerId(1));
        assert_eq!(gossip.poll_timeout(true), None);
    }

    #[test]
    fn in_the_home_each_hears_once_who_came_before() {
        let mut gossip = Gossip::default();
        let mut now = Instant::from_micros(1_000_000);
        gossip.on_joined(PeerId(1), (NodeKey([3; 32]), true), now);
        gossip.on_joined(PeerId(2), (NodeKey([9; 32]), false), now);
        now += limits::meeting::GOSSIP_FIRST;
        assert_eq!(gossip.poll_timeout(false), Some(now));
        let told = gossip
            .poll(&named(4), (now, false), |_, _| true)
            .map(|(peer, all)| (peer.0, all.len()));
        assert_eq!(told, Some((1, 3)));
        assert_eq!(gossip.poll(&named(4), (now, false), |_, _| true), None);
        assert_eq!(gossip.poll_timeout(false), None, "nobody wakes for it again");
    }

    #[test]
    fn who_talks_too_much_is_not_listened_to() {
        let mut gossip = Gossip::default();
        let mut now = Instant::from_micros(1_000_000);
        let all: Vec<_> = named(200).iter().map(|named| named.address).collect();
        assert!(gossip.on_named(PeerId(1), &all, now).is_empty(), "who is that?");
        gossip.on_joined(PeerId(1), (NodeKey([0; 32]), false), now);
        assert_eq!(gossip.on_named(PeerId(1), &all, now).len(), limits::meeting::GOSSIP);
        now += limits::meeting::GOSSIP_LEAST - Duration::from_micros(1);
        assert!(gossip.on_named(PeerId(1), &all, now).is_empty());
        now += Duration::from_micros(1);
        assert_eq!(gossip.on_named(PeerId(1), &all[..1], now).len(), 1);
    }
}
