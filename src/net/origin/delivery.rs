//! An answer's body on its way: playlists collected and put right, the rest straight into its row.

use bytes::BytesMut;
use smol::future;

use super::answered::Answered;
use super::budget::Claim;
use super::client::{Inner, Origins, Verdict, unwanted};
use crate::base::digest::Digest;
use crate::base::id::{FetchId, RowId};
use crate::base::limits;
use crate::base::limits::stream::PLAYLIST;
use crate::base::range::ByteRange;
use crate::base::time::Instant;
use crate::base::url::without_query;
use crate::node::event::{Arrival, Input, Order};
use crate::node::trouble::Trouble;
use crate::store::writer::Writer;
use crate::wire::gzip;
use crate::wire::http::body::Step;
use crate::wire::plan::{Fault, Plan};
use crate::wire::playlist;
use crate::wire::record::Record;
use crate::wire::record_file;
use crate::wire::rewrite::Source;

impl Inner {
    /// Hands in the head and brings the body to where it is wanted; none when nobody asks how
    /// it ended.
    pub(super) async fn deliver(
        &self,
        order: &Order,
        origins: &Origins,
        (mut answered, requested): (Answered, Instant),
    ) -> Option<Result<(), Trouble>> {
        let fetch = order.fetch;
        let collected = match self.collect(order, origins, &mut answered).await {
            Ok(collected) => collected,
            Err(trouble) => return Some(Err(trouble)),
        };
        let Collected { plan, warning, records, text, claim } = collected.unwrap_or_default();
        let head = answered.head.clone();
        let here = text.as_ref().map_or(0, |text| text.len() as u64);
        let length = answered.body.left().map(|left| here + left);
        let date = (self.door.wall)();
        let to_close = answered.body.ends_by_close();
        let arrival =
            Arrival { fetch, head, length, to_close, requested, date, plan, warning, records };
        let (row, at) = match self.verdict(Box::new(arrival)) {
            Verdict::Take { at, held: true, .. } => {
                return Some(self.hold(fetch, answered, at).await);
            }
            Verdict::Take { row, at, .. } => (row, at),
            Verdict::Leave => {
                if answered.connection.drain(&mut answered.body).await {
                    self.keep(answered);
                }
                return None;
            }
        };
        let mut end = match text {
            Some(text) => self.write(fetch, &text, (row, at)).await,
            None => Ok(()),
        };
        drop(claim);
        if end.is_ok() && answered.body.step() != Step::End {
            end = self.stream(fetch, &mut answered, (row, at + here)).await;
        }
        if end.is_ok() && answered.body.step() == Step::End {
            self.keep(answered);
        }
        Some(end)
    }

    fn verdict(&self, arrival: Box<Arrival>) -> Verdict {
        let fetch = arrival.fetch;
        let asking = |on: bool| {
            let mut all = self.running.borrow_mut();
            let running = all.get_mut(&fetch)?;
            running.asking = on;
            Some(running.verdict)
        };
        asking(true);
        self.submit(Input::Head(arrival));
        asking(false).unwrap_or(Verdict::Leave)
    }

    /// Reads a playlist whole, because its URLs may have to change before a player sees it; of
    /// one that is too large its beginning, or nothing where it says so.
    async fn collect(
        &self,
        order: &Order,
        origins: &Origins,
        answered: &mut Answered,
    ) -> Result<Option<Collected<'_>>, Trouble> {
        if order.records {
            return self.collect_records(answered).await.map(Some);
        }
        let head = &answered.head;
        let coding = head.fields.first("content-encoding");
        let packed = coding.is_some_and(gzip::is_named);
        let plain = (coding.is_none() || packed) && order.method == "GET";
        let path = without_query(&order.locator.target);
        let Some(format) = recognised(path, answered).filter(|_| plain && head.status == 200)
        else {
            return Ok(None);
        };
        let (mut text, mut claim) = (Vec::new(), None);
        let stated = answered.body.left().map(|left| usize::try_from(left).unwrap_or(usize::MAX));
        while answered.body.step() != Step::End {
            let here = text.len();
            if here.max(stated.unwrap_or_default()) > PLAYLIST {
                let (warning, text) = (Some(Fault::Size), Some(text));
                return Ok(Some(Collected { warning, text, claim, ..Collected::default() }));
            }
            if here == text.capacity() {
                let size = step_up(here, stated.filter(|_| !packed));
                // What it had before is given back only then: those who wait for more go on.
                claim = self.room(size).await.or(claim);
                text.reserve_exact(size - here);
            }
            text.resize(text.capacity().min(here + 16 * 1024), 0);
            let Answered { connection, body, .. } = answered;
            let count = connection.content(body, &mut text[here..]).await?;
            text.truncate(here + count);
        }
        if packed {
            let plain;
            (plain, claim) = self.unpack(&text, claim).await;
            let Ok(plain) = plain else {
                let (warning, text) = (Some(Fault::Packed), Some(text));
                return Ok(Some(Collected { warning, text, claim, ..Collected::default() }));
            };
            text = plain;
            answered.head.fields.remove("content-encoding");
        }
        let source = Source { url: &answered.url, asked: &order.locator, places: &origins.places };
        let read = playlist::read(format, &text, &source);
        let is_changed = packed || read.text.is_some();
        if let Some(changed) = read.text {
            text = changed.into_bytes();
        }
        if is_changed {
            // Digests and ranges of the origin are of its bytes, not of ours.
            for name in ["content-md5", "content-digest", "repr-digest", "accept-ranges"] {
                answered.head.fields.remove(name);
            }
        }
        answered.head.fields.remove("transfer-encoding");
        answered.head.fields.set("Content-Length", text.len().to_string());
        text.shrink_to_fit();
        claim.iter_mut().for_each(|claim: &mut Claim<'_>| claim.shrink(text.len()));
        let (plan, warning) = (read.plan, read.warning);
        Ok(Some(Collected { plan, warning, text: Some(text), claim, ..Collected::default() }))
    }

    /// Room for so much of a playlist, once there is some beside the others.
    async fn room(&self, bytes: usize) -> Option<Claim<'_>> {
        let [small, large] = &self.budgets;
        if bytes <= limits::stream::COLLECT_FREE {
            return None;
        }
        let is_small = bytes <= limits::stream::COLLECT_SMALL;
        Some(if is_small { small } else { large }.claim(bytes).await)
    }

    /// Unpacks a playlist once there is room for it beside what is packed. Its end says how long
    /// its last member becomes (RFC 1952, 2.3.1, ISIZE); where there are more, or that is a lie, it
    /// may be as long as any.
    async fn unpack<'a>(
        &'a self,
        packed: &[u8],
        claim: Option<Claim<'a>>,
    ) -> (Result<Vec<u8>, gzip::Fault>, Option<Claim<'a>>) {
        let [_, large] = &self.budgets;
        let said = packed.last_chunk().map_or(0, |size| u32::from_le_bytes(*size));
        let most = usize::try_from(said).map_or(usize::MAX, |said| said.min(PLAYLIST));
        let both = (packed.len() + most).min(limits::stream::COLLECTED);
        let more = match &claim {
            None => self.room(both).await,
            // Who holds small room may wait for large, but nobody for more of the same.
            Some(held) if held.bytes() < both => Some(large.claim(both).await),
            Some(_) => None,
        };
        let claim = more.or(claim);
        let plain = gzip::unpack(packed, most);
        if plain != Err(gzip::Fault::Long) || most == PLAYLIST {
            return (plain, claim);
        }
        drop(claim);
        let claim = large.claim(limits::stream::COLLECTED).await;
        (gzip::unpack(packed, PLAYLIST), Some(claim))
    }

    /// Reads a record file whole; one that is none, or too large, has no records.
    async fn collect_records(
        &self,
        answered: &mut Answered,
    ) -> Result<Collected<'static>, Trouble> {
        let mut bytes = Vec::new();
        while answered.head.status == 200 && answered.body.step() != Step::End {
            let here = bytes.len();
            if here > limits::record::RECORDS_READ {
                return Ok(Collected::default());
            }
            bytes.resize(here + 4 * 1024, 0);
            let Answered { connection, body, .. } = answered;
            let count = connection.content(body, &mut bytes[here..]).await?;
            bytes.truncate(here + count);
        }
        let records = record_file::parse(&bytes).unwrap_or_else(|bad| {
            if answered.head.status == 200 {
                log::info!("a record file says nothing: {bad}");
            }
            Vec::new()
        });
        Ok(Collected { records, ..Collected::default() })
    }

    async fn write(
        &self,
        fetch: FetchId,
        text: &[u8],
        (row, at): (RowId, u64),
    ) -> Result<(), Trouble> {
        let mut writer = self.door.store.writer(row, at, Some(at + text.len() as u64));
        let mut left = text;
        while !left.is_empty() {
            let Ok(room) = writer.room().await else { return Err(unwanted()) };
            let count = room.len().min(left.len());
            room[..count].copy_from_slice(&left[..count]);
            left = &left[count..];
            writer.filled(count);
        }
        self.submit(received(fetch, &writer));
        Ok(())
    }

    /// Reads the body into the row, block by block, as fast as its readers allow.
    async fn stream(
        &self,
        fetch: FetchId,
        answered: &mut Answered,
        (row, at): (RowId, u64),
    ) -> Result<(), Trouble> {
        let until = answered.body.left().map(|left| at + left);
        let mut writer = self.door.store.writer(row, at, until);
        let end = self.pour(fetch, answered, &mut writer).await;
        // What came before a fault is here too: what resumes begins behind it.
        self.submit(received(fetch, &writer));
        end
    }

    /// Reads the body block by block; each goes into the row once it is proven.
    async fn hold(&self, fetch: FetchId, mut answered: Answered, at: u64) -> Result<(), Trouble> {
        let mut start = at;
        while answered.body.step() != Step::End {
            let left = answered.body.left().unwrap_or(limits::block::BLOCK);
            let size = left.min(limits::block::BLOCK - start % limits::block::BLOCK);
            let mut data = BytesMut::zeroed(usize::try_from(size).unwrap_or_default());
            let mut here = 0;
            while here < data.len() && answered.body.step() != Step::End {
                let Answered { connection, body, .. } = &mut answered;
                match connection.content(body, &mut data[here..]).await? {
                    0 => break,
                    count => here += count,
                }
            }
            data.truncate(here);
            let range = ByteRange::new(start, start + here as u64);
            if range.is_empty() {
                break;
            }
            self.hand_in(fetch, range, data);
            start = range.end;
            future::yield_now().await;
        }
        self.keep(answered);
        Ok(())
    }

    /// Hands in a block; what is not placed meanwhile is dropped.
    fn hand_in(&self, fetch: FetchId, range: ByteRange, data: BytesMut) {
        let digest = Digest::of(&data);
        let put = |hand| {
            if let Some(running) = self.running.borrow_mut().get_mut(&fetch) {
                running.hand = hand;
            }
        };
        put(Some((range.start, (data, digest))));
        self.submit(Input::Held { fetch, range, digest });
        put(None);
    }

    async fn pour(
        &self,
        fetch: FetchId,
        answered: &mut Answered,
        writer: &mut Writer,
    ) -> Result<(), Trouble> {
        let Answered { connection, body, .. } = answered;
        while body.step() != Step::End {
            let Ok(room) = writer.room().await else { return Err(unwanted()) };
            let mut count = connection.content(body, room).await?;
            if count == 0 {
                break;
            }
            while count < room.len() {
                match connection.content_at_once(body, &mut room[count..]) {
                    0 => break,
                    more => count += more,
                }
            }
            if writer.filled(count).block_completed {
                self.submit(received(fetch, writer));
            }
            if body.step() != Step::End {
                // Those who wait go on with these bytes before more are read.
                future::yield_now().await;
            }
        }
        Ok(())
    }
}

/// What an answer is by its type, by the name that was asked for, or by the one that a redirect led
/// to from a name that says nothing.
fn recognised(path: &str, answered: &Answered) -> Option<playlist::Format> {
    let stated = answered.head.fields.first("content-type");
    let last = without_query(&answered.url.target);
    playlist::recognise(stated, path).or_else(|| playlist::recognise(stated, last))
}

/// How far the hand that fills a row has come.
fn received(fetch: FetchId, writer: &Writer) -> Input {
    Input::Received { fetch, upto: writer.position(), waited: writer.has_waited() }
}

/// A playlist, read whole and made fit for our endpoint, or the beginning of what is too large;
/// or what a record file says.
#[derive(Default)]
struct Collected<'a> {
    plan: Option<Plan>,
    warning: Option<Fault>,
    records: Vec<Record>,
    text: Option<Vec<u8>>,
    /// The room that the text takes.
    claim: Option<Claim<'a>>,
}

/// How much room a playlist takes of which so much is here: what its head states, or the next
/// size.
fn step_up(here: usize, stated: Option<usize>) -> usize {
    let sizes =
        [limits::stream::COLLECT_FREE, limits::stream::COLLECT_SMALL, limits::stream::COLLECTED];
    let whole = stated.filter(|stated| *stated > here);
    let next = || sizes.into_iter().find(|size| *size > here);
    whole.or_else(next).unwrap_or(here + 1)
}
