//! One request of a player, from head to last byte.

use core::task::Poll;
use std::io;

use bytes::Bytes;
use smol::{Timer, future};

use super::connection::{Asked, Connection};
use super::desk::Word;
use super::gate::is_asked_of_all;
use super::listener::Port;
use super::pace::Pace;
use super::refusal;
use super::respond::{self, Delimiter, Setting};
use crate::base::id::ExchangeId;
use crate::base::limits;
use crate::base::url::without_query;
use crate::node::event::{Answer, Content, Input, Refusal, Request};
use crate::store::reader::{Next, Reader};
use crate::wire::http::body::{Body, Step};
use crate::wire::http::fields::Fields;
use crate::wire::http::head::{Framing, RequestHead, Version};

/// Answers the requests of a connection until it ends.
pub async fn serve(port: &Port, mut connection: Connection) {
    let place = port.idle.place();
    loop {
        match connection.head(&place).await {
            Asked::Head(head) => {
                let mut exchange = Exchange::new(port, &mut connection, &head);
                match exchange.run(head).await {
                    End::Keep if !port.is_stopping() => {}
                    End::Keep | End::Close => return connection.end().await,
                    End::Abort => return,
                }
            }
            Asked::Bad(fault) => {
                port.refused(Refusal::Malformed);
                let answer = respond::sentence(fault.status(), &refusal::sentence_of(fault));
                let _ = refuse(port, &mut connection, &answer).await;
                return connection.end().await;
            }
            Asked::Slow => {
                port.refused(Refusal::Slow);
                let answer = respond::sentence(408, "The request took too long to arrive.");
                let _ = refuse(port, &mut connection, &answer).await;
                return connection.end().await;
            }
            Asked::Gone => return,
        }
    }
}

/// What becomes of the connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Another request may follow.
    Keep,
    /// It is closed in order.
    Close,
    /// It is dropped, so that nobody takes a part for the whole.
    Abort,
}

pub(super) struct Exchange<'a> {
    pub(super) port: &'a Port,
    pub(super) connection: &'a mut Connection,
    pub(super) id: ExchangeId,
    version: Version,
    head_only: bool,
    pub(super) keep: bool,
    cors: String,
    /// Content bytes that went to the player.
    sent: u64,
    pace: Option<Pace>,
}

/// The exchange's part in the machine and at the desk, given up when it ends for any reason.
struct Part<'a>(&'a Port, ExchangeId, u64);

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.0.desk.close(self.1);
        (self.0.door.submit)(Input::Left { exchange: self.1, sent: self.2 });
    }
}

impl<'a> Exchange<'a> {
    fn new(port: &'a Port, connection: &'a mut Connection, head: &RequestHead) -> Self {
        Self {
            port,
            connection,
            id: port.next_exchange(),
            version: head.version,
            head_only: head.method == "HEAD",
            keep: head.keeps_alive() && !port.is_stopping(),
            cors: port.gate().cors(&head.fields),
            sent: 0,
            pace: None,
        }
    }

    async fn run(&mut self, head: RequestHead) -> End {
        let framing = match head.framing() {
            Ok(framing) => framing,
            Err(fault) => {
                self.port.refused(Refusal::Malformed);
                self.keep = false;
                let answer = respond::sentence(fault.status(), &refusal::sentence_of(fault));
                return self.answer(&answer).await;
            }
        };
        if let Some(answer) = self.own_answer(&head) {
            self.keep &= framing == Framing::Length(0);
            return self.answer(&answer).await;
        }
        let locator = match self.port.gate().locate(&head) {
            Ok(locator) => locator,
            Err(refusal) => {
                self.keep &= framing == Framing::Length(0);
                let onward = || self.port.gate().onward(&head);
                if refusal != Refusal::Origin || !is_asked_of_all(&head.target) {
                    self.port.refused(refusal);
                }
                if let Some(url) = (refusal == Refusal::Origin).then(onward).flatten() {
                    return self.answer(&refusal::onward(&url)).await;
                }
                return self.answer(&refusal::answer(refusal)).await;
            }
        };
        let has_body = framing != Framing::Length(0);
        let length = if let Framing::Length(length) = framing { Some(length) } else { None };
        let reads = matches!(&*head.method, "GET" | "HEAD");
        // A body has no meaning there (RFC 9110, 9.3.1); it is not read, so nothing follows.
        self.keep &= !(has_body && reads);
        let expects = expects_continue(&head.fields);
        let request = Request {
            exchange: self.id,
            method: head.method,
            locator,
            fields: head.fields,
            body: (has_body && !reads).then_some(length),
        };
        let path = without_query(&request.locator.target);
        log::debug!("exchange {} asks: {} {path}", self.id, request.method);
        self.port.desk.open(self.id);
        let mut part = Part(self.port, self.id, 0);
        (self.port.door.submit)(Input::Request(request));
        let end = self.follow(Body::new(framing), expects).await;
        part.2 = self.sent;
        drop(part);
        end
    }

    /// What the port answers by itself: preflights, `OPTIONS *`, and methods of proxies.
    fn own_answer(&self, head: &RequestHead) -> Option<Answer> {
        let empty = |status, own: String| Answer {
            status,
            stored: Bytes::new(),
            own,
            content: Content::None,
            pace: None,
        };
        if let Some(granted) = self.port.gate().preflight(head) {
            let extra = granted.strip_prefix(&*self.cors).unwrap_or_default();
            return Some(empty(204, extra.to_owned()));
        }
        match (&*head.method, &*head.target) {
            ("OPTIONS", "*") => Some(empty(204, ALLOWED.into())),
            ("CONNECT" | "TRACE", _) => {
                let mut answer = respond::sentence(405, "neap is no proxy of that kind.");
                answer.own.push_str(ALLOWED);
                Some(answer)
            }
            _ if unmet_expectation(&head.fields) => {
                Some(respond::sentence(417, "Only 100-continue can be expected here."))
            }
            _ => None,
        }
    }

    /// Waits for the answer, bringing the request's body meanwhile.
    async fn follow(&mut self, mut body: Body, expects: bool) -> End {
        loop {
            let word = match self.port.desk.heard(self.id) {
                Some(word) => Some(word),
                None => {
                    let gone = async {
                        self.connection.closed().await;
                        None
                    };
                    future::or(async { Some(self.port.desk.hear(self.id).await) }, gone).await
                }
            };
            match word {
                Some(Word::Answer(answer)) => {
                    // What is left of a body must not be taken for the next request.
                    self.keep &= body.step() == Step::End;
                    return self.answer(&answer).await;
                }
                Some(Word::Upload(row)) => {
                    if expects && self.connection.send(CONTINUE, &[]).await.is_err() {
                        return End::Abort;
                    }
                    match self.upload(row, &mut body).await {
                        Ok(None) => {}
                        Ok(Some(answer)) => return self.answer(&answer).await,
                        Err(error) => return self.broken_body(&error).await,
                    }
                }
                Some(Word::Resume) => {}
                Some(Word::Cut) | None => return End::Abort,
            }
        }
    }

    pub(super) async fn answer(&mut self, answer: &Answer) -> End {
        let mut anew;
        let mut answer = answer;
        let (done, keep) = loop {
            let setting = Setting {
                exchange: self.id,
                version: self.version,
                head_only: self.head_only,
                keep: self.keep,
                cors: &self.cors,
            };
            let (head, delimiter, keep) = respond::head(answer, &setting);
            log::debug!("exchange {}: answered by {}", self.id, answer.status);
            let done = match &answer.content {
                Content::Row { row, start, end } if !self.head_only => {
                    let reader = self.port.door.store.reader(*row, *start, *end);
                    let promised = end.map(|end| end - start);
                    self.pace = answer.pace.map(|rate| Pace::new(rate, (self.port.door.now)()));
                    self.stream(head, reader, (delimiter, promised)).await
                }
                Content::Text(text) if !self.head_only => {
                    let text = [Bytes::copy_from_slice(text.as_bytes())];
                    self.connection.send(&head, &text).await.map(|()| None)
                }
                _ => self.connection.send(&head, &[]).await.map(|()| None),
            };
            match done {
                Ok(Some(other)) => anew = other,
                Ok(None) => break (Ok(()), keep),
                Err(error) => break (Err(error), keep),
            }
            answer = &anew;
        };
        match (done, keep) {
            (Ok(()), true) => End::Keep,
            (Ok(()), false) => End::Close,
            (Err(error), _) => {
                log::debug!("exchange {} ended early: {error}", self.id);
                End::Abort
            }
        }
    }

    /// Sends the row as it fills; the head goes out with the first bytes, or ahead of them
    /// when they are not here yet. Gives another answer where one came before anything went out.
    async fn stream(
        &mut self,
        mut head: Vec<u8>,
        mut reader: Reader,
        (delimiter, promised): (Delimiter, Option<u64>),
    ) -> io::Result<Option<Answer>> {
        let batch = self.pace.map_or(respond::batch(delimiter), |pace| pace.piece());
        loop {
            self.keep_pace().await?;
            self.connection.writable().await?;
            let Poll::Ready(next) = reader.peek(batch) else {
                if !head.is_empty() {
                    self.connection.send(&core::mem::take(&mut head), &[]).await?;
                }
                self.unless_cut(reader.ready()).await?;
                continue;
            };
            match next {
                Next::Bytes(pieces) => {
                    let bytes = if delimiter == Delimiter::Chunks {
                        let (framed, bytes) = respond::framed(pieces);
                        self.connection.send(&core::mem::take(&mut head), &framed).await?;
                        bytes
                    } else {
                        self.connection.push(&mut head, &pieces)?
                    };
                    let before = reader.position() / limits::block::SLICE;
                    reader.skip(bytes);
                    let (exchange, upto) = (self.id, reader.position());
                    if upto / limits::block::SLICE != before {
                        (self.port.door.submit)(Input::Passed { exchange, upto });
                    }
                    self.sent += bytes;
                    if let Some(pace) = &mut self.pace {
                        pace.on_sent(bytes, (self.port.door.now)());
                    }
                }
                Next::End => break,
                Next::Missing(range) => {
                    let (exchange, begun) = (self.id, head.is_empty());
                    (self.port.door.submit)(Input::Missing { exchange, range, begun });
                    if let Some(answer) = self.resumed().await?.filter(|_| !begun) {
                        return Ok(Some(answer));
                    }
                }
            }
        }
        if promised.is_some_and(|promised| promised != self.sent) {
            return Err(respond::cut("the row ended before the length that was promised"));
        }
        head.extend_from_slice(respond::tail(delimiter));
        if !head.is_empty() {
            self.connection.send(&head, &[]).await?;
        }
        Ok(None)
    }

    /// Waits while the answer is ahead of its pace; a shutdown waits for nobody.
    async fn keep_pace(&self) -> io::Result<()> {
        let wait = self.pace.and_then(|pace| pace.wait((self.port.door.now)()));
        match wait.filter(|_| !self.port.is_stopping()) {
            Some(wait) => self.unless_cut(Timer::after(wait)).await.map(drop),
            None => Ok(()),
        }
    }

    async fn unless_cut<T>(&self, what: impl Future<Output = T>) -> io::Result<T> {
        let cut = async {
            loop {
                if let Word::Cut = self.port.desk.hear(self.id).await {
                    return Err(respond::cut("the origin did not finish"));
                }
            }
        };
        future::or(async { Ok(what.await) }, future::or(cut, self.gone())).await
    }

    /// Waits until somebody fills the hole again, or there is another answer.
    async fn resumed(&self) -> io::Result<Option<Answer>> {
        let word = async {
            match self.port.desk.hear(self.id).await {
                Word::Resume => Ok(None),
                Word::Answer(answer) => Ok(Some(answer)),
                _ => Err(respond::cut("the origin did not finish")),
            }
        };
        future::or(word, self.gone()).await
    }

    async fn gone<T>(&self) -> io::Result<T> {
        self.connection.closed().await;
        Err(respond::cut("the player left"))
    }
}

async fn refuse(port: &Port, connection: &mut Connection, answer: &Answer) -> io::Result<()> {
    let setting = Setting {
        exchange: port.next_exchange(),
        version: Version::Http11,
        head_only: false,
        keep: false,
        cors: "",
    };
    let (mut head, ..) = respond::head(answer, &setting);
    log::debug!("exchange {}: refused by {}", setting.exchange, answer.status);
    if let Content::Text(text) = &answer.content {
        head.extend_from_slice(text.as_bytes());
    }
    connection.send(&head, &[]).await
}

fn expects_continue(fields: &Fields) -> bool {
    fields.members("expect").any(|member| member.eq_ignore_ascii_case("100-continue"))
}

fn unmet_expectation(fields: &Fields) -> bool {
    fields.members("expect").any(|member| !member.eq_ignore_ascii_case("100-continue"))
}

/// What lets a client send its body (RFC 9110, 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The methods that make sense here.
const ALLOWED: &str = "Allow: GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE\r\n";
