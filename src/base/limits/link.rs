//! Links to peers: how they are made, what may be said over them, what carries them.

use core::time::Duration;

/// Bytes of a frame's body on a link: one block, its head, and room for what a newer version
/// adds. A longer one is a breach, whatever its kind.
pub const FRAME: usize = 68 * 1024;

/// Bytes of the body of a message that is no block. The longest is a record of 64 blocks with
/// the longest texts, 2655 bytes; the rest is for what a newer version adds.
pub const MESSAGE: usize = 4 * 1024;

/// Links to peers at once that may be configured; each costs two sockets' buffers and a TLS
/// state of about 40 KiB.
pub const LINKS: usize = 256;

/// A link to a peer stands this long after its connection, or never: TLS and the proofs are two
/// round trips and six signatures, 60 ms on a slow box.
pub const LINK_TIME: Duration = Duration::from_secs(5);

/// Links that are being made at once by others; each may hold [`LINK_BUFFER`] and costs the time
/// of three signatures. More are refused before a byte is read.
pub const HANDSHAKES: usize = 16;

/// Of these, from one address: a home behind one router, never a single one that takes all.
pub const HANDSHAKES_EACH: usize = 4;

/// Bytes that a side may send before its proof: certificates of a vendor take 4 KiB.
pub const HANDSHAKE: usize = 32 * 1024;

/// Bytes of the first words of a node; version 1 says 208, later ones may say more.
pub const HELLO: usize = 1024;

/// Bytes read from a link at once. A link holds such a buffer only while it has part of a TLS
/// record (RFC 8446, 5.2: 16,645 bytes at most).
pub const LINK_BUFFER: usize = 128 * 1024;

/// Such buffers that are kept for the next link that has something to say.
pub const LINK_BUFFERS: usize = 4;

/// Bytes of messages that wait for a peer to take them: three thousand of the usual ones. A peer
/// that lets more wait is let go.
pub const LINK_WORDS: usize = 256 * 1024;

/// Blocks that wait to be given over one link: four segments.
pub const LINK_GIVES: usize = 256;

/// A message that began must be whole after this: 64 KiB at 1 KiB/s.
pub const LINK_FRAME: Duration = Duration::from_secs(60);

/// A peer that takes no byte for this long is gone; the kernel gives up at the same time.
pub const LINK_STALL: Duration = Duration::from_secs(20);

/// While something is sought from a peer and it is silent this long, it is asked for a sign.
pub const LINK_PING: Duration = Duration::from_secs(15);

/// A peer that was asked for a sign and says nothing for this long is gone.
pub const LINK_ANSWER: Duration = Duration::from_secs(25);

/// Where somebody is turned away because all places are taken, the peer that was silent longest
/// is asked for a sign, if it was silent this long: a box that lost its power says no goodbye.
pub const LINK_DOUBT: Duration = Duration::from_secs(60);

/// A link over which nothing was said this long is closed; it is made anew when it is needed.
pub const LINK_IDLE: Duration = Duration::from_secs(30 * 60);

/// The last word to a peer is sent within this, or not at all.
pub const LINK_GOODBYE: Duration = Duration::from_secs(1);

/// TLS records under one key: AES-GCM keeps its promise up to 2^24.5 (RFC 8446, 5.5).
pub const LINK_RECORDS: u64 = 1 << 24;

/// TLS records without content in a row; honest nodes send none.
pub const LINK_EMPTY: u8 = 16;

/// How often each way to be no member is written to the log at all; the rest is counted.
pub const STRANGER_LINE: Duration = Duration::from_secs(60);

/// How long somebody who connects may take to prove itself while others wait behind the same
/// address; a television on a bad line needs a fifth of it.
pub const GREETING_GRACE: Duration = Duration::from_secs(1);

/// Greetings that one network (an IPv4 /24, an IPv6 /48) may begin at once, and how many more each
/// second: a house that has its power back is twenty nodes, a provider's NAT a few hundred.
pub const GREETINGS: (u32, u32) = (64, 8);

/// Networks whose greetings are counted; the one that came longest ago is forgotten first.
pub const GREETING_NETWORKS: usize = 512;

/// Words of one peer that are taken in at once, and how many more each second: a node that joins
/// while a stream plays says a few hundred, then some ten a second. Who says more waits.
pub const WORDS: (u32, u32) = (4_096, 512);

/// What a record costs of them: its signature is worth fifty other words.
pub const RECORD_WORDS: u32 = 8;

/// Bytes that nobody here understands which cost one word.
pub const WORD_BYTES: usize = 1024;

/// Blocks that a peer may give beyond what it was asked for, before that is a breach.
pub const UNWANTED: u64 = 16;

/// Bytes that one peer may have sent over QUIC and this node not have taken: 100 Mbit/s over a
/// way of 80 ms.
pub const QUIC_RECEIVE: u32 = 1 << 20;

/// Bytes handed to a QUIC connection that the peer has not acknowledged: 10 Mbit/s over a way of
/// 200 ms. What waits there comes before whatever is more urgent.
pub const QUIC_SEND: u32 = 256 * 1024;

/// A QUIC connection over which nothing came this long is over; links end before.
pub const QUIC_IDLE: Duration = Duration::from_secs(31 * 60);

/// What a way is thought to take before it is known: an answer is missed after thrice that.
pub const QUIC_FIRST_RTT: Duration = Duration::from_millis(100);

/// Bytes that the kernel keeps for one UDP socket in each direction.
pub const UDP_BUFFER: usize = 256 * 1024;

/// Datagrams handed to the kernel as one: together they must stay below the 65,507 bytes that a
/// UDP datagram may have.
pub const UDP_SEGMENTS: usize = 10;

/// Handshakes under way from which on others must show that their address is theirs.
pub const RETRY_ABOVE: usize = 4;

/// Handshakes that the addresses of one prefix may begin at once.
pub const PREFIX_HANDSHAKES: u32 = 32;

/// One more after each of these.
pub const PREFIX_PAUSE: Duration = Duration::from_millis(500);

/// Prefixes whose handshakes are counted; of more the oldest is forgotten.
pub const PREFIXES: usize = 1024;

/// How long QUIC is alone before TCP is dialled as well (RFC 8305, 5 has 250 ms between two).
pub const QUIC_LEAD: Duration = Duration::from_millis(300);
