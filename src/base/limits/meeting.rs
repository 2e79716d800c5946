//! How nodes find and reach each other, and who is kept out.

use core::time::Duration;

/// Nodes of the local network that are remembered: more than
/// [`link::LINKS`](super::link::LINKS) are never spoken to, and a home has tens.
pub const LAN_NODES: usize = 64;

/// Addresses of one node that are remembered: two interfaces with four addresses each.
pub const LAN_ADDRESSES: usize = 8;

/// Bytes of an announced name: a DNS name is at most 255 (RFC 1035, 2.3.4).
pub const LAN_NAME: usize = 255;

/// Records of announcements that the mDNS library may hold, about 300 bytes each: five or so a
/// node, and room for those of neighbouring services.
pub const LAN_RECORDS: i64 = 2_000;

/// A search in the local network that failed begins again after this.
pub const LAN_RETRY: Duration = Duration::from_secs(60);

/// How long the end of the program waits for its goodbye to leave.
pub const LAN_GOODBYE: Duration = Duration::from_millis(500);

/// Addresses of peers that are remembered; a home announces tens, a configuration a few.
pub const ADDRESSES: usize = 256;

/// Dials at once: each is a TLS handshake, and a box has one slow core.
pub const DIALS: usize = 4;

/// Shortest and longest wait before an address is dialled again.
pub const REDIAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

/// An address of the local network that failed so often in a row is forgotten until it is
/// announced again.
pub const LAN_FAILURES: u32 = 8;

/// A link that stood this long proves its address: waiting starts anew when it ends.
pub const PROVEN_LINK: Duration = Duration::from_secs(60);

/// Keys that are banned, or suspected, at once.
pub const BANS: usize = 256;

/// How long a ban, or a suspicion, lasts.
pub const BAN: Duration = Duration::from_secs(24 * 3600);

/// Peers of different prefixes that must see this node at one address before it is believed.
pub const OBSERVERS: usize = 2;

/// How long a dial is alone before peers are asked to arrange a meeting: one round trip and a
/// lost packet.
pub const PUNCH_LEAD: Duration = Duration::from_millis(400);

/// Peers that are asked to arrange one meeting.
pub const RELAYS: usize = 3;

/// Meetings a minute that one peer may arrange with this node or through it: each makes a node
/// send a few packets to an address that it did not choose.
pub const MEETINGS: usize = 8;

/// An address that was met in vain is left alone this long; routers rarely change.
pub const HOPELESS: Duration = Duration::from_secs(3600);

/// How long a router is asked to keep a port; asked anew at half of it.
pub const NAT_LIFE: Duration = Duration::from_secs(7200);

/// Shortest and longest wait before a router that maps nothing is asked again.
pub const NAT_RETRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));

/// How long a router has for its first answer; doubled for each further one (RFC 6886, 3.1).
pub const NAT_ANSWER: Duration = Duration::from_millis(250);

/// How long a router has for each answer by UPnP: to a search it may wait one second (MX), and
/// its web server is the slowest part of it.
pub const UPNP_ANSWER: Duration = Duration::from_secs(3);

/// Bytes of a router's description by UPnP: they have 2 to 20 KB.
pub const UPNP_BODY: usize = 64 * 1024;

/// STUN requests that are answered a second: each costs as many bytes as it brings, about.
pub const STUN_RATE: u32 = 50;

/// Bytes of a tracker's answer over HTTP: two hundred addresses of both kinds and what it says
/// beside them. More than [`TRACKER_PEERS`] are of no use.
pub const TRACKER_BODY: usize = 8 * 1024;

/// Bytes of a tracker's datagram: what fits into one packet (BEP 15).
pub const TRACKER_DATAGRAM: usize = 1500;

/// Addresses of one answer that are looked at: twice the links of a node at its default.
pub const TRACKER_PEERS: usize = 48;

/// The shortest and longest time between two announcements of a stream, whatever a tracker says:
/// less is a flood of it, more and it has forgotten this node.
pub const ANNOUNCE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// How long a tracker that failed rests, at first and at most.
pub const TRACKER_REST: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1800));

/// How long a stream is played before it is announced: who looks through the channels tells no
/// tracker.
pub const MEET_AFTER: Duration = Duration::from_secs(5);

/// How long after its last request a stream is no longer played.
pub const MEET_OVER: Duration = Duration::from_secs(60);

/// Streams that are announced at once; a household plays a few.
pub const STREAMS_MET: usize = 16;

/// How long before and behind the change of a day both of its info-hashes are announced, so that
/// clocks may differ by this.
pub const MEET_OVERLAP: Duration = Duration::from_secs(30 * 60);

/// How often a question over UDP is asked before the next tracker's turn comes: 15 + 30 s.
pub const TRACKER_ASKED: u32 = 2;

/// An answer over HTTP must be whole within this, the connection included.
pub const TRACKER_TIME: Duration = Duration::from_secs(15);

/// What is told to trackers when the node goes is sent within this, or not at all.
pub const TRACKER_GOODBYE: Duration = Duration::from_millis(500);

/// How long an address that somebody named is not dialled again by such a word.
pub const STRANGER_DIAL: Duration = Duration::from_secs(600);

/// Such addresses of one network (/24, /48) in that time.
pub const STRANGERS_EACH: usize = 8;

/// Such dials in that time in all: five times the links of a node at its default.
pub const STRANGERS: usize = 128;

/// How long an address at which another node was reached is worth naming to others.
pub const PROVEN_FRESH: Duration = Duration::from_secs(30 * 60);

/// Addresses that one message names: a home's worth of new links.
pub const GOSSIP: usize = 16;

/// How long a link stands before others are named over it: who only looks in learns nobody.
pub const GOSSIP_FIRST: Duration = Duration::from_secs(10);

/// How often others are named over one link, at most.
pub const GOSSIP_EVERY: Duration = Duration::from_secs(60);

/// How soon after the last such message another one is listened to.
pub const GOSSIP_LEAST: Duration = Duration::from_secs(45);

/// Addresses of which it is remembered that they were named over a link.
pub const GOSSIP_TOLD: usize = 256;
