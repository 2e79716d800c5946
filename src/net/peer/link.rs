//! One link: a task that reads what the peer says and one that writes what is said to it.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use smol::{Task, Timer, future};

use super::budget::Budget;
use super::carrier::{Carrier, Inbound, Outbound};
use super::goodbye::{code, meaning};
use super::greeting::lost;
use super::hearing::{Heard, Hearing};
use super::port::Port;
use super::pulse::Pulse;
use super::quic::train::Carried;
use crate::base::id::RowId;
use crate::base::limits;
use crate::base::peer::{NodeKey, PeerId};
use crate::base::range::ByteRange;
use crate::base::segment::SegmentId;
use crate::base::set::Set;
use crate::base::time::{Date, Instant};
use crate::net::ground::patience::Patience;
use crate::node::event::Input;
use crate::node::peering::{Parting, Peering, Stranger};
use crate::store::reader::Next;
use crate::wire::frame::{Header, Kind};
use crate::wire::membership::{GOODBYE, PING, PONG};
use crate::wire::message::Message;

/// What is common to a link's two tasks and the port.
pub struct Link {
    /// Its number.
    pub id: PeerId,
    /// Whose it is.
    pub key: NodeKey,
    /// Until when it is a member, where that is known.
    until: Option<Date>,
    /// What it goes over.
    pub carrier: Carrier,
    queue: RefCell<Queue>,
    writer: RefCell<Option<Waker>>,
    /// Whether the peer is there.
    pub(super) pulse: Pulse,
    /// Nothing it says counts any more.
    ended: Cell<bool>,
    pub(super) reader: RefCell<Option<Task<()>>>,
}

/// What waits to be said.
#[derive(Default)]
struct Queue {
    /// Frames, one after the other.
    words: Vec<u8>,
    gives: VecDeque<Give>,
    pong: bool,
    ping: bool,
    /// Segments that were sought and are not done with.
    sought: Set<SegmentId>,
    end: Option<End>,
}

/// How the writer ends.
#[derive(Clone, Copy)]
enum End {
    Goodbye(u8),
    Silently,
}

/// A block that is to be given.
pub struct Give {
    /// Of which segment.
    pub segment: SegmentId,
    /// Which.
    pub block: u8,
    /// Where its bytes are.
    pub row: RowId,
    /// Which bytes of the row.
    pub range: ByteRange,
}

/// What the writer does next.
enum Turn {
    Words(Vec<u8>),
    Give(Give),
    End(End),
}

impl Link {
    /// A link over which nothing was said yet.
    pub fn new(
        (id, key, until): (PeerId, NodeKey, Option<Date>),
        carrier: Carrier,
        now: Instant,
    ) -> Rc<Self> {
        Rc::new(Self {
            id,
            key,
            until,
            carrier,
            queue: RefCell::default(),
            writer: RefCell::default(),
            pulse: Pulse::new(now),
            ended: Cell::new(false),
            reader: RefCell::default(),
        })
    }

    /// Says something; answers whether the peer takes what is said to it fast enough.
    pub fn tell(&self, message: &Message) -> bool {
        let mut queue = self.queue.borrow_mut();
        match message {
            Message::Seek { segment, .. } => drop(queue.sought.insert(*segment)),
            Message::Done { segment } => drop(queue.sought.remove(segment)),
            _ => {}
        }
        message.write(&mut queue.words);
        let fits = queue.words.len() <= limits::link::LINK_WORDS;
        drop(queue);
        self.wake();
        fits
    }

    /// Gives a block when its turn comes; answers whether so many may wait.
    pub fn give(&self, give: Give) -> bool {
        let mut queue = self.queue.borrow_mut();
        queue.gives.push_back(give);
        let fits = queue.gives.len() <= limits::link::LINK_GIVES;
        drop(queue);
        self.wake();
        fits
    }

    /// Asks for a sign of life; a peer that gives none is gone.
    pub fn ping(&self, now: Instant) {
        if self.pulse.ask(now) {
            self.queue.borrow_mut().ping = true;
            self.wake();
        }
    }

    /// Lets both tasks end: the reader at once, the writer with a last word where the peer may
    /// still hear it.
    pub fn end(&self, why: &Parting) {
        self.ended.set(true);
        let mut queue = self.queue.borrow_mut();
        let silently = matches!(why, Parting::Closed | Parting::Silent);
        let end = if silently { End::Silently } else { End::Goodbye(code(why)) };
        *queue = Queue { end: Some(end), ..Queue::default() };
        drop(queue);
        self.wake();
        let reader = self.reader.borrow_mut().take();
        drop(reader);
    }

    fn wake(&self) {
        let waker = self.writer.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for something to say.
    async fn turn(&self) -> Turn {
        poll_fn(|context| {
            let mut queue = self.queue.borrow_mut();
            if let Some(turn) = queue.next() {
                return Poll::Ready(turn);
            }
            *self.writer.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// How long the peer may be silent: not long while something is sought from it.
    fn patience(&self) -> Duration {
        let seeks = !self.queue.borrow().sought.is_empty();
        if seeks { limits::link::LINK_PING } else { limits::link::LINK_IDLE }
    }
}

impl Queue {
    fn next(&mut self) -> Option<Turn> {
        if let Some(end) = self.end {
            return Some(Turn::End(end));
        }
        for (asked, kind) in [(&mut self.pong, PONG), (&mut self.ping, PING)] {
            if core::mem::take(asked) {
                self.words.extend(Header { kind, length: 0 }.to_bytes());
            }
        }
        // Words first: they are short, and what is given may wait for them.
        if !self.words.is_empty() {
            return Some(Turn::Words(core::mem::take(&mut self.words)));
        }
        self.gives.pop_front().map(Turn::Give)
    }
}

/// Writes what there is to say until the link ends; answers why, if it is the writer who knows.
pub(super) async fn write(port: &Port, link: &Link, mut outlet: Outbound) -> Option<Parting> {
    loop {
        // Who is no member any more is told nothing, and so is asked for nothing either.
        if link.until.is_some_and(|until| until <= (port.door.date)()) {
            return Some(Parting::Stranger(Stranger::ExpiredAdmission));
        }
        let limit = link.pulse.left((port.door.now)(), link.patience());
        let Ok(turn) = outlet.patience().bound(limit, link.turn()).await else {
            let now = (port.door.now)();
            if let Some(why) = link.pulse.end(now) {
                return Some(why);
            }
            if link.pulse.silence(now) >= link.patience() {
                link.ping(now);
            }
            continue;
        };
        let sent = match turn {
            Turn::Words(words) => outlet.send(&words, &mut [], limits::link::LINK_STALL).await,
            Turn::Give(wanted) => give(port, link, &mut outlet, wanted).await,
            Turn::End(End::Silently) => return None,
            Turn::End(End::Goodbye(code)) => {
                let [a, b, c, d] = Header { kind: GOODBYE, length: 1 }.to_bytes();
                outlet.end(&[a, b, c, d, code], limits::link::LINK_GOODBYE).await;
                return None;
            }
        };
        if let Err(why) = sent {
            return Some(why);
        }
        // Others have their turn after each block.
        future::yield_now().await;
    }
}

async fn give(
    port: &Port,
    link: &Link,
    outlet: &mut Outbound,
    wanted: Give,
) -> Result<(), Parting> {
    let Give { segment, block, row, range } = wanted;
    let mut pieces = read(port, outlet.patience(), row, range).await;
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    if length > 0 {
        let mut head = Vec::with_capacity(64);
        Message::Block { segment, block, length }.write(&mut head);
        outlet.send(&head, &mut pieces, limits::link::LINK_STALL).await?;
    }
    if !link.ended.get() {
        let given = Peering::Given { peer: link.id, segment, block, bytes: length };
        port.submit(given);
        if let Some(Carried { bits, is_full }) = outlet.carried() {
            port.submit(Peering::Carried { peer: link.id, bits, is_full });
        }
    }
    Ok(())
}

/// The bytes of a row, all or none of them; views, so that nothing is copied.
pub(super) async fn read(
    port: &Port,
    patience: &mut Patience,
    row: RowId,
    range: ByteRange,
) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    if range.is_empty() || range.len() > limits::block::BLOCK {
        return pieces;
    }
    let mut reader = port.door.store.reader(row, range.start, Some(range.end));
    while reader.position() < range.end {
        let left = range.end - reader.position();
        match patience.bound(limits::link::LINK_STALL, reader.next(left)).await {
            Ok(Next::Bytes(more)) => pieces.extend(more),
            Ok(Next::Missing(_) | Next::End) | Err(_) => return Vec::new(),
        }
    }
    pieces
}

/// The reading task's own things.
pub(super) struct Listening {
    pub(super) inbound: Inbound,
    pub(super) early: Vec<u8>,
}

/// Hears what the peer says until the link ends; answers why.
pub(super) async fn hear(port: &Port, link: &Link, listening: Listening) -> Parting {
    let Listening { mut inbound, early } = listening;
    let (mut ear, mut patience) = (Hearing::default(), Patience::new(port.door.now));
    let mut begun = None;
    let mut budget = Budget::new(limits::link::WORDS, (port.door.now)());
    if let Err(why) = attend(port, link, (&mut ear, &mut budget), &early).await {
        return why;
    }
    drop(early);
    loop {
        loop {
            let plain = match inbound.opened() {
                Ok(Some(plain)) => plain,
                Ok(None) => break,
                // Once the link stands, it is an end like another.
                Err(Parting::Refused(_)) => return Parting::Closed,
                Err(why) => return why,
            };
            match attend(port, link, (&mut ear, &mut budget), plain).await {
                Ok(true) => begun = None,
                Ok(false) => {}
                Err(why) => return why,
            }
        }
        let now = (port.door.now)();
        let read = if inbound.has_part() || ear.is_amid() {
            let since = *begun.get_or_insert(now);
            let left = limits::link::LINK_FRAME.saturating_sub(now.since(since));
            patience.bound(left, inbound.more()).await
        } else {
            begun = None;
            Ok(inbound.more().await)
        };
        match read {
            Ok(Ok(0)) => return Parting::Closed,
            Ok(Ok(_)) => link.pulse.on_heard((port.door.now)()),
            Ok(Err(error)) => return lost(&error),
            Err(_) => return Parting::Silent,
        }
    }
}

/// Hands in what is heard in some opened bytes; answers whether anything was whole.
async fn attend(
    port: &Port,
    link: &Link,
    (ear, budget): (&mut Hearing, &mut Budget),
    mut plain: &[u8],
) -> Result<bool, Parting> {
    let mut whole = false;
    loop {
        let Some(heard) = ear.take(&mut plain).map_err(Parting::Breach)? else {
            pay(port, budget, ear.skipped()).await;
            return Ok(whole);
        };
        whole = true;
        let cost = match &heard {
            // What was asked for is paid for by asking.
            Heard::Block(..) => 0,
            Heard::Said(Message::Record(_)) => limits::link::RECORD_WORDS,
            Heard::Said(_) | Heard::Ping | Heard::Goodbye(_) => 1,
        };
        pay(port, budget, cost + ear.skipped()).await;
        match heard {
            Heard::Said(Message::Block { .. }) => return Err(Parting::Breach("a block in words")),
            Heard::Said(message) => port.submit(Peering::Said { peer: link.id, message }),
            Heard::Block(head, data, digest) => {
                let (segment, block, length) = (head.segment, head.block, head.length);
                let block = Peering::Block { peer: link.id, segment, block, digest, length };
                port.hand_in(block, (data, digest));
                // One block a turn: others have theirs.
                future::yield_now().await;
            }
            Heard::Ping => {
                link.queue.borrow_mut().pong = true;
                link.wake();
            }
            Heard::Goodbye(code) => return Err(meaning(code)),
        }
        if link.ended.get() {
            return Err(Parting::Closed);
        }
    }
}

/// Who says more than it may is heard later: the kernel holds what it says meanwhile, and then it
/// can say no more.
async fn pay(port: &Port, budget: &mut Budget, cost: u32) {
    if cost == 0 {
        return;
    }
    while let Some(wait) = budget.wait(cost, (port.door.now)()) {
        Timer::after(wait).await;
    }
}

impl Port {
    pub(super) fn submit(&self, peering: Peering) {
        (self.door.submit)(Input::Peer(Box::new(peering)));
    }
}

/// Kinds of frames that never come as a message.
const _: () = assert!(PING.0 < Kind::CARRIER.0 && GOODBYE.0 < Kind::CARRIER.0);
