//! One order to an origin, carried out: asked, redirected, read into the store.

use core::cell::RefCell;
use std::io;
use std::rc::Rc;

use bytes::BytesMut;
use smol::{Task, future};

use super::answered::Answered;
use super::budget::Budget;
use super::connection::Connection;
use super::dial::Dialer;
use super::pool::{Pool, Server};
use super::redirect::{self, Trail};
use super::request::Outgoing;
use super::tls::Trust;
use crate::base::digest::Digest;
use crate::base::id::{FetchId, OriginId, RowId};
use crate::base::limits;
use crate::base::map::Map;
use crate::base::url::{Places, Scheme, Url};
use crate::config::model::{Config, Origin};
use crate::net::ground::door::Door;
use crate::net::ground::patience::{Elapsed, Patience};
use crate::node::disk::Disk;
use crate::node::event::{Input, Order};
use crate::node::trouble::{Trouble, TroubleKind};
use crate::store::reader::Next;
use crate::store::rows::Store;
use crate::wire::http::body::{Body, LAST_CHUNK, chunk_size};
use crate::wire::http::head::ResponseHead;

/// The port to every origin.
pub struct Client(Rc<Inner>);

pub(super) struct Inner {
    pub(super) door: Door,
    pub(super) dialer: Dialer,
    pub(super) pool: Pool,
    pub(super) origins: RefCell<Rc<Origins>>,
    pub(super) running: RefCell<Map<FetchId, Running>>,
    /// Connections that are made before anybody needs them.
    pub(super) spares: RefCell<Map<Server, Task<()>>>,
    /// Memory for playlists on their way: small ones, and the others.
    pub(super) budgets: [Budget; 2],
}

/// The origins as configured, with what was built for them.
pub(super) struct Origins {
    pub(super) list: Vec<Origin>,
    pub(super) places: Places,
    /// Built when the first connection in TLS needs it: the roots take memory.
    trust: RefCell<Map<OriginId, Trust>>,
}

pub(super) struct Running {
    /// What becomes of the body; asked for while the head is handed in.
    pub(super) verdict: Verdict,
    /// Whether the fetch hands in its head at this moment.
    pub(super) asking: bool,
    /// The block that it hands in at this moment, where in its row it belongs, and its digest.
    pub(super) hand: Option<(u64, (BytesMut, Digest))>,
    /// Dropped when nobody wants the fetch any more.
    _task: Task<()>,
}

#[derive(Clone, Copy)]
pub(super) enum Verdict {
    Take { row: RowId, at: u64, held: bool },
    Leave,
}

impl Client {
    /// A port for the configured origins.
    pub fn new(door: Door, config: &Config) -> Self {
        let (dialer, pool) = (Dialer::new(door.now), Pool::default());
        let origins = RefCell::new(Rc::new(Origins::new(config)));
        let budgets = [limits::stream::COLLECTED_SMALL, limits::stream::COLLECTED].map(Budget::new);
        let (running, spares) = (RefCell::default(), RefCell::default());
        Self(Rc::new(Inner { door, dialer, pool, origins, running, spares, budgets }))
    }

    /// Takes over changed origins; what runs goes on as it began.
    pub fn configure(&self, config: &Config) {
        *self.0.origins.borrow_mut() = Rc::new(Origins::new(config));
        drop(self.0.spares.take());
        self.0.pool.clear();
    }

    /// Closes what is open and not in use, and keeps nothing open, until the node wakes.
    pub fn rest(&self, resting: bool) {
        drop(self.0.spares.take());
        self.0.pool.rest(resting);
    }

    /// Carries out an order; the outcome comes back through the door.
    pub fn fetch(&self, order: Order) {
        let inner = Rc::clone(&self.0);
        let id = order.fetch;
        let task = self.0.door.spawn(async move {
            inner.carry_out(order).await;
            inner.running.borrow_mut().remove(&id);
        });
        let (verdict, hand) = (Verdict::Leave, None);
        let running = Running { verdict, asking: false, hand, _task: task };
        self.0.running.borrow_mut().insert(id, running);
    }

    /// The body of a fetch goes into a row; `held`: block by block, each once it is proven.
    pub fn take(&self, fetch: FetchId, (row, at): (RowId, u64), held: bool) {
        if let Some(running) = self.0.running.borrow_mut().get_mut(&fetch) {
            running.verdict = Verdict::Take { row, at, held };
        }
    }

    /// The block that a fetch hands in is good.
    pub fn place(&self, fetch: FetchId) {
        let mut all = self.0.running.borrow_mut();
        let Some(running) = all.get_mut(&fetch) else { return };
        if let (Some((at, block)), Verdict::Take { row, .. }) =
            (running.hand.take(), running.verdict)
        {
            drop(all);
            self.0.door.store.place(row, at, block);
        }
    }

    /// Nobody wants a fetch, or its body.
    pub fn cancel(&self, fetch: FetchId) {
        let mut all = self.0.running.borrow_mut();
        match all.get_mut(&fetch) {
            // It keeps its connection where the rest of the body is short.
            Some(running) if running.asking => running.verdict = Verdict::Leave,
            Some(_) => {
                let gone = all.remove(&fetch);
                drop(all);
                if let Some(Running { verdict: Verdict::Take { row, at, .. }, .. }) = &gone {
                    self.0.tell_rest(*row, *at);
                }
                drop(gone);
            }
            None => {}
        }
    }
}

impl Origins {
    fn new(config: &Config) -> Self {
        let (list, places) = (config.origins.clone(), config.places());
        Self { list, places, trust: RefCell::default() }
    }

    fn trust(&self, origin: OriginId, door: &Door) -> io::Result<Trust> {
        if let Some(trust) = self.trust.borrow().get(&origin) {
            return Ok(trust.clone());
        }
        let ca = self.list.get(usize::from(origin.0)).and_then(|origin| origin.ca.as_deref());
        let trust = Trust::new(ca, door.date, door.wall)?;
        self.trust.borrow_mut().insert(origin, trust.clone());
        Ok(trust)
    }
}

impl Inner {
    /// A body is left in the middle of a block: the machine hears of what came of that, so that
    /// nobody asks for it again.
    fn tell_rest(&self, row: RowId, at: u64) {
        let present = self.door.store.taken(row);
        let end = present.run_end(at);
        if end > at {
            let slice = u32::try_from((end - 1) / limits::block::SLICE).unwrap_or(u32::MAX);
            self.submit(Input::Disk(Disk::Loaded { row, slice, present }));
        }
    }

    pub(super) fn submit(&self, input: Input) {
        (self.door.submit)(input);
    }

    async fn carry_out(self: &Rc<Self>, order: Order) {
        let fetch = order.fetch;
        let origins = Rc::clone(&self.origins.borrow());
        let requested = (self.door.now)();
        let end = match self.ask(&order, &origins).await {
            Ok(answered) => {
                self.make_spare(order.locator.origin, &origins, &answered);
                self.deliver(&order, &origins, (answered, requested)).await
            }
            Err(trouble) => Some(Err(trouble)),
        };
        if let Some(end) = end {
            self.submit(Input::Ended { fetch, end });
        }
    }

    /// Asks, follows redirects, and answers with the first head that is no redirect.
    async fn ask(&self, order: &Order, origins: &Origins) -> Result<Answered, Trouble> {
        let origin = origins.list.get(usize::from(order.locator.origin.0));
        let found = origin.and_then(|origin| {
            Some((origin, origin.urls.get(order.base).or(origin.urls.first())?))
        });
        let (origin, base) = found.ok_or_else(|| Trouble {
            kind: TroubleKind::Connect,
            cause: "it is configured no more".into(),
        })?;
        let mut outgoing = Outgoing::new(order, origin, base);
        let (mut trail, around) = (Trail::default(), (order, &origins.places));
        for _ in 0..=limits::http::REDIRECTS {
            let mut answered = self.ask_once(order, &outgoing, origins).await?;
            let Some(next) = redirect::next(&mut answered, &outgoing, origin, around)? else {
                trail.mark(&mut answered.head, &order.locator);
                return Ok(answered);
            };
            trail.pass(&answered.head);
            log::debug!("{} redirected to {}", order.fetch, next.url);
            if answered.connection.drain(&mut answered.body).await {
                self.keep(answered);
            }
            outgoing = next;
        }
        Err(redirect::trouble(format!("more than {} redirects", limits::http::REDIRECTS)))
    }

    /// One request; once more when a connection that had idled turns out to be dead.
    async fn ask_once(
        &self,
        order: &Order,
        outgoing: &Outgoing,
        origins: &Origins,
    ) -> Result<Answered, Trouble> {
        let server = Pool::server(order.locator.origin, &outgoing.url);
        // What may not be sent twice goes where nothing has idled: such a connection may be dead.
        let may_repeat = outgoing.is_idempotent() && order.body.is_none();
        let pooled = may_repeat.then(|| self.pool.take(&server, (self.door.now)())).flatten();
        if let Some(mut connection) = pooled {
            connection.bound_delivery(may_repeat);
            let trouble = match self.exchange(order, outgoing, &mut connection).await {
                Ok((head, body)) => {
                    let url = outgoing.url.clone();
                    return Ok(Answered { head, body, connection, server, url });
                }
                Err(trouble) => trouble,
            };
            // Whoever asks again, asks on a new one.
            self.pool.drop_all(&server);
            if trouble.kind != TroubleKind::Broken || !may_repeat || connection.heard {
                return Err(trouble);
            }
            log::debug!("{} asks again on a new connection: {trouble}", order.fetch);
        }
        let mut connection = self.connect(order.locator.origin, &outgoing.url, origins).await?;
        let (head, body) = self.exchange(order, outgoing, &mut connection).await?;
        Ok(Answered { head, body, connection, server, url: outgoing.url.clone() })
    }

    pub(super) async fn connect(
        &self,
        origin: OriginId,
        url: &Url,
        origins: &Origins,
    ) -> Result<Connection, Trouble> {
        let limit = origins.list[usize::from(origin.0)].timeout;
        let now = self.door.now;
        let begun = now();
        let stream = self.dialer.dial(&url.host, url.port, limit).await?;
        let dialled = now().since(begun);
        let source = self.door.reactor.source(stream).map_err(|error| broken(&error))?;
        if url.scheme == Scheme::Http {
            return Ok(Connection::plain(source, now, limit).after(dialled));
        }
        let trust = origins.trust(origin, &self.door).map_err(|error| Trouble {
            kind: TroubleKind::Certificate,
            cause: format!("the certificates to trust cannot be read: {error}"),
        })?;
        let (mut patience, begun) = (Patience::new(now), now());
        let secured = patience.bound(limit, trust.secure(&url.host, source)).await;
        let late = |Elapsed| Trouble {
            kind: TroubleKind::Silent,
            cause: format!("no TLS handshake with {} within {} s", url.host, limit.as_secs()),
        };
        let effort = dialled + now().since(begun);
        Ok(Connection::secure(secured.map_err(late)??, now, limit).after(effort))
    }

    /// Sends a request with its body, and reads the head of the answer.
    async fn exchange(
        &self,
        order: &Order,
        outgoing: &Outgoing,
        connection: &mut Connection,
    ) -> Result<(ResponseHead, Body), Trouble> {
        let body = order.body.map(|(_, length)| length);
        connection.heard = false;
        connection.send(&outgoing.head(body)).await?;
        if let Some((row, length)) = order.body {
            upload(&self.door.store, row, length, connection).await?;
        }
        let head = connection.head(order.hold).await?;
        let framing = head
            .framing(&outgoing.method)
            .map_err(|fault| Trouble { kind: TroubleKind::Protocol, cause: fault.to_string() })?;
        Ok((head, Body::of_answer(framing)))
    }

    pub(super) fn keep(&self, answered: Answered) {
        let free = !answered.connection.cut_short;
        if free && answered.head.keeps_alive() && answered.body.left() == Some(0) {
            self.pool.put(answered.server, answered.connection, (self.door.now)());
        }
    }
}

/// Sends a request's body on as the player brings it.
async fn upload(
    store: &Store,
    row: RowId,
    length: Option<u64>,
    connection: &mut Connection,
) -> Result<(), Trouble> {
    let mut reader = store.reader(row, 0, length);
    loop {
        let next = async { Some(reader.next(limits::cache::BATCH).await) };
        // A server may refuse before it has read all (RFC 9112, 9.5).
        let heard = async {
            connection.hears().await;
            None
        };
        let Some(next) = future::or(next, heard).await else {
            connection.cut_short = true;
            return Ok(());
        };
        match next {
            Next::Bytes(pieces) => {
                for piece in pieces {
                    if length.is_none() {
                        connection.send(chunk_size(piece.len()).as_bytes()).await?;
                    }
                    connection.send(&piece).await?;
                    if length.is_none() {
                        connection.send(b"\r\n").await?;
                    }
                }
            }
            Next::End => break,
            Next::Missing(_) => return Err(unwanted()),
        }
    }
    if length.is_none() {
        connection.send(LAST_CHUNK.as_bytes()).await?;
    }
    Ok(())
}

fn broken(error: &io::Error) -> Trouble {
    Trouble { kind: TroubleKind::Broken, cause: error.to_string() }
}

pub(super) fn unwanted() -> Trouble {
    Trouble { kind: TroubleKind::Broken, cause: "nobody wants it any more".into() }
}
