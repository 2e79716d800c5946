//! What goes into the machine and what comes out: small values, never the bytes of a body.

use bytes::Bytes;

use crate::base::control::Control;
use crate::base::digest::Digest;
use crate::base::id::{ExchangeId, FetchId, RowId};
use crate::base::page::Page;
use crate::base::range::ByteRange;
use crate::base::time::{Date, Instant};
use crate::base::url::Locator;
use crate::engine::caps::readings::{Readings, Rhythm};
use crate::node::disk::Disk;
use crate::node::peering::{PeerOrder, Peering};
use crate::node::trouble::Trouble;
use crate::wire::http::fields::Fields;
use crate::wire::http::head::ResponseHead;
use crate::wire::plan::{Fault, Plan};
use crate::wire::record::Record;
use crate::wire::tracker::announce::Call;

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// A player asks.
    Request(Request),
    /// An exchange found a hole in its row: it was dropped or never came.
    Missing {
        /// Whose reader.
        exchange: ExchangeId,
        /// What it still wants.
        range: ByteRange,
        /// Whether any of its answer went out; if not, another [`Output::Answer`] may come.
        begun: bool,
    },
    /// An exchange has come to another slice of its row.
    Passed {
        /// Whose reader.
        exchange: ExchangeId,
        /// Up to where all went out.
        upto: u64,
    },
    /// An exchange is over: answered whole, or the player left.
    Left {
        /// Which.
        exchange: ExchangeId,
        /// Content bytes that went to the player.
        sent: u64,
    },
    /// A player's connection came or went.
    Connections {
        /// How many there are now.
        count: usize,
    },
    /// A request was refused before it became one.
    Refused(Refusal),
    /// The origin's head is here; the answer is [`Output::Take`] or [`Output::Cancel`].
    Head(Box<Arrival>),
    /// Bytes of a fetch are in the store.
    Received {
        /// Which fetch.
        fetch: FetchId,
        /// Its row holds the bytes from where the fetch began up to here.
        upto: u64,
        /// Whether they had to wait for the row's readers, or for memory.
        waited: bool,
    },
    /// A whole block of a fetch that is held is here: it is placed if the answer is
    /// [`Output::Place`], else dropped.
    Held {
        /// Which fetch.
        fetch: FetchId,
        /// Which bytes of its row.
        range: ByteRange,
        /// Their digest.
        digest: Digest,
    },
    /// The fetch's body ended.
    Ended {
        /// Which fetch.
        fetch: FetchId,
        /// Whole, or why not.
        end: Result<(), Trouble>,
    },
    /// A slice came from disk into memory, or went to disk, or could not.
    Disk(Disk),
    /// Something happened with peers.
    Peer(Box<Peering>),
    /// The system's date, where its clock is set: what is found on disk is as old as it tells.
    Dated(Date),
    /// What the device tells of itself, where [`Output::Sense`] asked for it.
    Reading(Box<Readings>),
    /// A page of the notebook as an earlier run left it; none where there is none.
    Noted {
        /// Which.
        page: Page,
        /// What was noted.
        text: Option<String>,
    },
    /// The node goes down: what is to outlive it is noted now.
    Stopping,
    /// An operator, or the system, says what is to be done; the answer is
    /// [`crate::node::machine::Machine::told`].
    Control(Control),
    /// The moment that [`crate::node::machine::Machine::poll_timeout`] named has come.
    Tick,
}

/// A player's request, read and located.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its number, chosen by the port.
    pub exchange: ExchangeId,
    /// The method as sent.
    pub method: String,
    /// What is asked for.
    pub locator: Locator,
    /// The player's fields, hop-by-hop ones taken out.
    pub fields: Fields,
    /// How long the request's body is; none for no body, `Some(None)` for one of unknown length.
    pub body: Option<Option<u64>>,
}

/// Why a request went no further than the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was no clean HTTP/1.1.
    Malformed,
    /// Its `Host` is not ours.
    Host,
    /// Its sender is not in an allowed network.
    Network,
    /// It names no configured origin.
    Origin,
    /// There are too many connections.
    Crowd,
    /// It was too slow.
    Slow,
}

/// The head of an origin's response.
#[derive(Debug)]
pub struct Arrival {
    /// Which fetch.
    pub fetch: FetchId,
    /// The head as it came; of a collected playlist, with the length it has after rewriting.
    pub head: ResponseHead,
    /// How long the content is, where the framing says so.
    pub length: Option<u64>,
    /// Whether only the end of the connection ends the content: a cut cannot be told then.
    pub to_close: bool,
    /// When the request was sent.
    pub requested: Instant,
    /// The system's date, where its clock is set.
    pub date: Option<Date>,
    /// What the playlist says, where it is one.
    pub plan: Option<Plan>,
    /// Why the playlist passes untouched.
    pub warning: Option<Fault>,
    /// What a publisher says of the resource, where its record file was asked for.
    pub records: Vec<Record>,
}

impl Arrival {
    /// One that peers make up for: a head and a length that are known to be the origin's.
    pub fn vouched(fetch: FetchId, (head, length): (ResponseHead, u64), now: Instant) -> Self {
        Self {
            fetch,
            head,
            length: Some(length),
            to_close: false,
            requested: now,
            date: None,
            plan: None,
            warning: None,
            records: Vec::new(),
        }
    }
}

/// An order to the origin's port.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its number.
    pub fetch: FetchId,
    /// What is wanted.
    pub locator: Locator,
    /// Which of the origin's base URLs.
    pub base: usize,
    /// The method.
    pub method: String,
    /// The fields to send beside those of the connection and the configuration.
    pub fields: Fields,
    /// The row that holds the request's body, and its length where it is known.
    pub body: Option<(RowId, Option<u64>)>,
    /// How much longer than usual the first byte may take: blocking playlist reloads.
    pub hold: core::time::Duration,
    /// Whether a record file is asked for, which is read whole.
    pub records: bool,
    /// Whether it is a playlist or manifest, by its name or by what came of it before.
    pub list: bool,
    /// Whether a player has asked, who can follow a redirect itself.
    pub player: bool,
}

/// What the machine wants done.
#[derive(Debug)]
pub enum Output {
    /// Tells an exchange how to go on.
    Answer {
        /// Which.
        exchange: ExchangeId,
        /// How.
        answer: Answer,
    },
    /// Lets an exchange send its request's body into a row.
    Upload {
        /// Which.
        exchange: ExchangeId,
        /// Where to.
        row: RowId,
    },
    /// Lets an exchange go on that had found a hole: it is being filled.
    Resume {
        /// Which.
        exchange: ExchangeId,
    },
    /// Cuts an exchange that was answered already: what it follows will not come.
    Cut {
        /// Which.
        exchange: ExchangeId,
    },
    /// Asks an origin.
    Fetch(Box<Order>),
    /// The body of a fetch is wanted: into the row from `at` on.
    Take {
        /// Which fetch.
        fetch: FetchId,
        /// Where to.
        row: RowId,
        /// The place of the body's first byte in the row.
        at: u64,
        /// Whether nobody may read it before it is proven: [`Input::Held`] hands in each block.
        held: bool,
    },
    /// The block that is being handed in is good: it goes into its row.
    Place {
        /// Of which fetch.
        fetch: FetchId,
    },
    /// The body of a fetch is not wanted; or nobody wants the fetch any more.
    Cancel {
        /// Which fetch.
        fetch: FetchId,
    },
    /// A row begins.
    Open {
        /// Which.
        row: RowId,
        /// Whether its bytes stay once they were read.
        keep: bool,
    },
    /// A row's bytes need not stay any more once they were read.
    Pass {
        /// Which.
        row: RowId,
    },
    /// A row ends here.
    End {
        /// Which.
        row: RowId,
        /// Its length.
        length: u64,
    },
    /// A row goes, in both tiers.
    Close {
        /// Which.
        row: RowId,
    },
    /// The memory may hold so much: what is fetched beyond that waits until players have read.
    Limit {
        /// Bytes of all rows.
        bytes: u64,
    },
    /// A slice leaves the memory.
    Evict {
        /// Which row.
        row: RowId,
        /// Which slice.
        slice: u32,
    },
    /// A slice is written to disk.
    Persist {
        /// Which row.
        row: RowId,
        /// Which slice.
        slice: u32,
        /// Metadata that comes back with the slice.
        header: Vec<u8>,
        /// The file's name.
        key: Digest,
        /// Bytes of the slice, until [`Disk::Wrote`].
        bytes: u64,
    },
    /// A slice that was found becomes a row's.
    Adopt {
        /// What the port knows it by.
        token: u64,
        /// Whose it is; none when nobody wants it.
        row: Option<RowId>,
    },
    /// A slice leaves the disk.
    Unlink {
        /// Which row.
        row: RowId,
        /// Which slice.
        slice: u32,
    },
    /// Something is to be done with peers.
    Peer(Box<PeerOrder>),
    /// Keeps a page for the next start in place of the one before. It is asked for every few
    /// minutes at most, since flash wears, and when the node goes down.
    Note {
        /// Which.
        page: Page,
        /// What is noted.
        text: String,
    },
    /// The device is to be read for [`Input::Reading`]: in this rhythm from now on, or no more.
    Sense(Option<Rhythm>),
    /// Peers may connect, and are looked for; or neither.
    Share {
        /// Whether they may.
        on: bool,
    },
    /// Nothing is kept open that nobody waits for: idle connections to origins and of players.
    Rest,
    /// Standby is over.
    Wake,
    /// A tracker is told something; [`Peering::Announced`] follows.
    Announce(Box<Call>),
    /// A line for the log: how important, and in words.
    Say(log::Level, String),
}

/// How an exchange is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Field lines that are kept with the resource, each ending in CR LF.
    pub stored: Bytes,
    /// Field lines of this answer alone, each ending in CR LF.
    pub own: String,
    /// The content.
    pub content: Content,
    /// Bytes a second at which the content goes out; none for as fast as the player takes it.
    pub pace: Option<u64>,
}

/// What follows the head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing, as for HEAD, 204 and 304.
    None,
    /// A sentence.
    Text(String),
    /// Bytes of a row.
    Row {
        /// Which.
        row: RowId,
        /// First byte.
        start: u64,
        /// First byte behind, where it is known; else the row's end.
        end: Option<u64>,
    },
}
