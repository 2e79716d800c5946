//! The origin and a node's port to it: heads, bodies over shared wires, and mishaps.

use std::time::Duration;

use neap::base::id::{FetchId, RowId};
use neap::base::limits;
use neap::base::range::ByteRange;
use neap::base::rng::Rng;
use neap::base::time::Date;
use neap::config::model::Rung;
use neap::node::event::{Arrival, Input, Order};
use neap::node::trouble::{Trouble, TroubleKind};
use neap::wire::http::fields::Fields;
use neap::wire::http::head::{ResponseHead, Version};
use neap::wire::plan::Plan;

use super::calendar::Event;
use super::library::{Access, ContentId, Resource, Thing, Validator, digest, mix};
use super::pipes::{Cargo, FlowId, Sink};
use super::scene::Mishap;
use super::store::Stuff;
use super::turn::{Plant, World};

/// What an origin does next for a fetch.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The request is there.
    Heard,
    /// No answer comes.
    Fail(TroubleKind),
    /// A body goes on after a pause.
    GoOn,
}

/// A fetch as the port knows it.
#[derive(Debug)]
pub struct Download {
    pub order: Order,
    requested: neap::base::time::Instant,
    flow: Option<FlowId>,
    pub taken: Option<(RowId, u64)>,
    /// Whether its blocks are handed in before anybody reads them.
    held: bool,
    reply: Option<Reply>,
    mishap: Option<Mishap>,
    /// Bytes of the body that came.
    came: u64,
    /// Whether the body is a playlist that is read before its head is handed in.
    collects: bool,
}

/// An answer of the origin.
#[derive(Clone, Debug)]
struct Reply {
    status: u16,
    fields: Fields,
    content: ContentId,
    /// Which bytes of the content are the body.
    range: ByteRange,
    plan: Option<Plan>,
}

impl World {
    /// A node asks the origin.
    pub fn on_fetch(&mut self, node: usize, order: Order) {
        let fetch = order.fetch;
        let thing = Thing::parse(&order.locator.target);
        let mishap = thing.and_then(|thing| self.mishap(node, thing));
        let download = Download {
            order,
            requested: self.now(),
            flow: None,
            taken: None,
            held: false,
            reply: None,
            mishap,
            came: 0,
            collects: false,
        };
        let before = self.nodes[node].downloads.insert(fetch, download);
        self.checks.assert(before.is_none(), || format!("node {node} uses {fetch} twice"));
        let way = self.way_to_origin(node);
        let (after, step) = match mishap {
            Some(Mishap::Refuse) => (way * 2, Step::Fail(TroubleKind::Connect)),
            Some(Mishap::Silent) => (TIMEOUT, Step::Fail(TroubleKind::Silent)),
            _ => (way, Step::Heard),
        };
        self.origin_later((node, fetch), after, step);
    }

    fn origin_later(&mut self, (node, fetch): (usize, FetchId), after: Duration, step: Step) {
        let life = self.nodes[node].life;
        self.calendar.after(after, Event::Origin { node, life, fetch, step });
    }

    fn way_to_origin(&self, node: usize) -> Duration {
        self.scene.homes[self.scene.seats[node].home].delay + self.scene.origin.delay
    }

    /// What goes wrong with this request: drawn by name, not by the order of requests, so that
    /// a world without peers has the same luck.
    fn mishap(&mut self, node: usize, thing: Thing) -> Option<Mishap> {
        let now = self.now();
        let count = self.asked.entry((node, thing)).or_default();
        *count += 1;
        let turn = *count;
        for (index, trouble) in (0..).zip(&self.scene.troubles) {
            let meets = trouble.node.is_none_or(|only| only == node);
            if meets && trouble.from <= now && now < trouble.to {
                let salt = self.scene.seed ^ (turn << 8) ^ ((node as u64) << 16) ^ index;
                if Rng::new(mix(salt, &thing)).below(1000) < trouble.chance {
                    return Some(trouble.kind);
                }
            }
        }
        None
    }

    pub fn on_origin(&mut self, node: usize, fetch: FetchId, step: Step) {
        if !self.nodes[node].downloads.contains_key(&fetch) {
            return;
        }
        match step {
            Step::Heard => self.reply(node, fetch),
            Step::Fail(kind) => self.end_fetch((node, fetch), Some(kind)),
            Step::GoOn => self.send_body((node, fetch), None),
        }
    }

    /// The origin has the request and answers.
    fn reply(&mut self, node: usize, fetch: FetchId) {
        let download = &self.nodes[node].downloads[&fetch];
        let (order, mishap) = (download.order.clone(), download.mishap);
        let reply = match mishap {
            Some(Mishap::Status(status)) => self.error(status),
            _ => self.answer_of_origin(&order),
        };
        let route = self.route_from_origin(node);
        let (life, way) = (self.nodes[node].life, self.way_to_origin(node));
        let flow = self.pipes.flow(Sink::Fetch { node, life, fetch }, route, way);
        let collects = reply.plan.is_some() && reply.status == 200;
        let length = reply.range.len();
        let download = self.nodes[node].downloads.get_mut(&fetch).expect("it is under way");
        download.flow = Some(flow);
        download.reply = Some(reply);
        download.collects = collects;
        // A head is as long as a small message; of a playlist the body comes with it.
        let bytes = if collects { length + HEAD } else { HEAD };
        self.send(flow, bytes, Cargo::Body);
    }

    fn error(&self, status: u16) -> Reply {
        Reply {
            status,
            fields: Fields::new(),
            content: ContentId(u64::from(status)),
            range: ByteRange::new(0, 20),
            plan: None,
        }
    }

    fn answer_of_origin(&mut self, order: &Order) -> Reply {
        let (path, token) = match order.locator.target.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (&*order.locator.target, String::new()),
        };
        let now = self.now();
        let Some(resource) = self.library.find(path, now) else { return self.error(404) };
        let show = &self.library.shows[resource.thing.show()];
        let closed = show.access == Access::Authorized && resource.thing.is_media();
        if closed && !order.fields.has("authorization") {
            return self.error(401);
        }
        let fields = self.fields_of(order, &resource);
        let content = resource.content;
        let tag = fields.first("etag").map(str::to_owned);
        let asked = |name: &str| order.fields.first(name).map(str::to_owned);
        if tag.is_some() && asked("if-none-match") == tag {
            let range = ByteRange::new(0, 0);
            return Reply { status: 304, fields, content, range, plan: None };
        }
        let whole = ByteRange::new(0, resource.length);
        let joins = [tag, fields.first("last-modified").map(str::to_owned)];
        let same = asked("if-range").is_none_or(|condition| joins.contains(&Some(condition)));
        let range = asked("range").filter(|_| same && !resource.thing.is_playlist());
        match range.and_then(|text| span(&text, resource.length)) {
            Some(range) if !range.is_empty() => {
                let mut fields = fields;
                let last = range.end - 1;
                let text = format!("bytes {}-{last}/{}", range.start, resource.length);
                fields.push("Content-Range", text);
                self.count_origin(&resource, range.len());
                Reply { status: 206, fields, content, range, plan: None }
            }
            Some(_) => self.error(416),
            None => {
                let plan = self.library.plan(&resource, &token);
                if order.method != "HEAD" {
                    self.count_origin(&resource, resource.length);
                }
                Reply { status: 200, fields, content, range: whole, plan }
            }
        }
    }

    fn count_origin(&mut self, resource: &Resource, bytes: u64) {
        let count = self.origin_asked.entry(resource.thing).or_default();
        (count.0, count.1) = (count.0 + 1, count.1 + bytes);
    }

    fn fields_of(&self, order: &Order, resource: &Resource) -> Fields {
        let show = &self.library.shows[resource.thing.show()];
        let mut fields = Fields::new();
        let tag = format!("\"{:x}\"", resource.content.0);
        if resource.thing.is_playlist() {
            fields.push("Content-Type", "application/vnd.apple.mpegurl");
            fields.push("ETag", tag);
            fields.push("Cache-Control", if show.live { "max-age=1" } else { "max-age=60" });
            return fields;
        }
        fields.push("Content-Type", "video/mp4");
        if self.scene.rung == Rung::OriginDigest && order.fields.has("want-repr-digest") {
            let whole = digest(resource.content, ByteRange::new(0, resource.length));
            fields.push("Repr-Digest", format!("sha-256=:{}:", base64(&whole.0)));
        }
        if order.method == "HEAD" {
            fields.push("Content-Length", resource.length.to_string());
        }
        match show.validator {
            Validator::Strong => fields.push("ETag", tag),
            Validator::Weak => fields.push("ETag", format!("W/{tag}")),
            Validator::Date => {
                // What was replaced is newer.
                let day = if show.anew.is_some_and(|at| at <= self.now()) { 8 } else { 1 };
                fields.push("Last-Modified", format!("Mon, 0{day} Jun 2026 00:00:00 GMT"));
                fields.push("Date", "Sun, 22 Nov 2026 20:00:00 GMT");
            }
            Validator::None => {}
        }
        match show.access {
            Access::Open | Access::Authorized => fields.push("Cache-Control", "max-age=3600"),
            Access::Private => fields.push("Cache-Control", "private, max-age=3600"),
            Access::NoStore => fields.push("Cache-Control", "no-store"),
            Access::Cookie => {
                fields.push("Cache-Control", "max-age=3600");
                fields.push("Set-Cookie", "seen=1");
            }
            Access::Selective => {
                fields.push("Cache-Control", "max-age=3600");
                fields.push("Vary", "User-Agent");
            }
        }
        fields
    }

    /// Bytes of an answer have come to the node.
    pub fn on_body(&mut self, node: usize, fetch: FetchId, (bytes, ends): (u64, bool)) {
        let Some(download) = self.nodes[node].downloads.get_mut(&fetch) else { return };
        let Some((row, at)) = download.taken else {
            if ends {
                self.head_is_here(node, fetch);
            }
            return;
        };
        let from = download.came;
        download.came += bytes;
        let reply = download.reply.as_ref().expect("a body has a head");
        let shift = reply.range.start as i64 - at as i64;
        let mut stuff = Stuff { content: reply.content, shift };
        if self.plant == Some(Plant::WrongBytes) {
            stuff.content.0 ^= 1;
        }
        let range = ByteRange::new(at + from, at + from + bytes);
        let content = reply.content;
        let (whole, mishap) = (reply.range.len(), download.mishap);
        let came = download.came;
        if download.held {
            self.hand_in((node, fetch), at + whole, (range, stuff));
        } else if !self.fill((node, fetch), row, (range, stuff)) {
            return self.end_fetch((node, fetch), Some(TroubleKind::Broken));
        }
        self.origin_bytes += bytes;
        if let Some(thing) = self.library.truth(content) {
            *self.origin_sent.entry(thing).or_default() += bytes;
        }
        if ends && came < whole {
            match mishap {
                Some(Mishap::Stall(pause)) if pause < TIMEOUT => {
                    self.origin_later((node, fetch), pause, Step::GoOn);
                }
                Some(Mishap::Stall(_)) => {
                    let step = Step::Fail(TroubleKind::Silent);
                    self.origin_later((node, fetch), TIMEOUT, step);
                }
                _ => self.end_fetch((node, fetch), Some(TroubleKind::Broken)),
            }
        } else if ends {
            self.end_fetch((node, fetch), None);
        }
    }

    /// Puts bytes of a fetch into its row; false where nobody wants them.
    fn fill(
        &mut self,
        (node, fetch): (usize, FetchId),
        row: RowId,
        (range, stuff): (ByteRange, Stuff),
    ) -> bool {
        let Some(known) = self.nodes[node].store.rows.get_mut(&row) else { return false };
        if !known.keep && known.had_reader && known.readers.is_empty() {
            return false;
        }
        known.insert(range, stuff);
        if let Some((position, _)) = known.writers.get_mut(&fetch) {
            *position = range.end;
        }
        let stop = known.stop(None);
        let is_complete = |at: u64| {
            let block = ByteRange::new(at, at + 1).aligned(limits::block::BLOCK);
            known.present.covers(block.overlap(ByteRange::new(0, stop)))
        };
        let complete = is_complete(range.start) || is_complete(range.end.saturating_sub(1));
        self.nodes[node].wakes.insert(row);
        self.note_complete(node, row);
        if complete {
            self.submit(node, Input::Received { fetch, upto: range.end, waited: false });
        } else {
            self.stir(node);
        }
        true
    }

    /// Hands in the blocks of a held body that `came` makes whole.
    fn hand_in(
        &mut self,
        (node, fetch): (usize, FetchId),
        end: u64,
        (came, stuff): (ByteRange, Stuff),
    ) {
        let mut start = came.start / limits::block::BLOCK * limits::block::BLOCK;
        loop {
            let range = ByteRange::new(start, (start + limits::block::BLOCK).min(end));
            let is_wanted = self.nodes[node].downloads.contains_key(&fetch);
            if !is_wanted || range.is_empty() || range.end > came.end {
                return;
            }
            let digest = digest(stuff.content, super::store::moved(range, stuff));
            self.submit(node, Input::Held { fetch, range, digest });
            start = range.end;
        }
    }

    /// The block that is being handed in is good.
    pub fn place_held(&mut self, node: usize, fetch: FetchId) {
        let Some(range) = self.nodes[node].handed else { return };
        let Some(download) = self.nodes[node].downloads.get(&fetch) else { return };
        let (Some((row, at)), Some(reply)) = (download.taken, &download.reply) else { return };
        let shift = reply.range.start as i64 - at as i64;
        let stuff = Stuff { content: reply.content, shift };
        if let Some(open) = self.nodes[node].store.rows.get_mut(&row) {
            open.insert(range, stuff);
            self.nodes[node].wakes.insert(row);
            self.note_complete(node, row);
        }
    }

    fn head_is_here(&mut self, node: usize, fetch: FetchId) {
        let date = self.date_at(node);
        let download = self.nodes[node].downloads.get_mut(&fetch).expect("it is under way");
        let reply = download.reply.clone().expect("the origin has answered");
        let bodiless = reply.status == 304 || download.order.method == "HEAD";
        let length = if bodiless { 0 } else { reply.range.len() };
        let arrival = Arrival {
            fetch,
            head: ResponseHead {
                status: reply.status,
                version: Version::Http11,
                fields: reply.fields,
            },
            length: Some(length),
            to_close: false,
            requested: download.requested,
            date,
            plan: reply.plan,
            warning: None,
            records: Vec::new(),
        };
        let collects = download.collects;
        self.nodes[node].asking = Some(fetch);
        self.submit(node, Input::Head(Box::new(arrival)));
        self.nodes[node].asking = None;
        let Some(download) = self.nodes[node].downloads.get(&fetch) else { return };
        let Some((row, at)) = download.taken else {
            return self.drop_download(node, fetch);
        };
        if collects {
            let stuff = Stuff { content: reply.content, shift: -(at as i64) };
            self.fill((node, fetch), row, (ByteRange::new(at, at + length), stuff));
            self.end_fetch((node, fetch), None);
        } else if length == 0 {
            self.end_fetch((node, fetch), None);
        } else {
            let broken = matches!(
                self.nodes[node].downloads.get(&fetch).and_then(|d| d.mishap),
                Some(Mishap::Reset | Mishap::Stall(_))
            );
            self.send_body((node, fetch), broken.then_some(length * 2 / 5));
        }
    }

    /// The machine wants the body: there is a writer from now on.
    pub fn take(&mut self, (node, fetch): (usize, FetchId), (row, at): (RowId, u64), held: bool) {
        let seat = &mut self.nodes[node];
        let Some(download) = seat.downloads.get_mut(&fetch) else { return };
        (download.taken, download.held) = (Some((row, at)), held);
        let bodiless = download.order.method == "HEAD";
        let length = download.reply.as_ref().map_or(0, |reply| reply.range.len());
        match seat.store.rows.get_mut(&row) {
            Some(_) if bodiless || held => {}
            Some(known) => drop(known.writers.insert(fetch, (at, at + length))),
            None => self.checks.assert(false, || format!("node {node}: {fetch} into no row")),
        }
    }

    /// Sends what is left of a body, or so many bytes of it.
    fn send_body(&mut self, (node, fetch): (usize, FetchId), upto: Option<u64>) {
        let Some(download) = self.nodes[node].downloads.get_mut(&fetch) else { return };
        let (Some(flow), Some(reply)) = (download.flow, &download.reply) else { return };
        let bytes = upto.unwrap_or(reply.range.len() - download.came);
        if bytes == 0 {
            return self.end_fetch((node, fetch), Some(TroubleKind::Broken));
        }
        self.send(flow, bytes, Cargo::Body);
    }

    /// A fetch is over at the port.
    fn end_fetch(&mut self, (node, fetch): (usize, FetchId), trouble: Option<TroubleKind>) {
        let Some(download) = self.drop_download_quietly(node, fetch) else { return };
        if let Some((_, at)) = download.taken {
            let upto = at + download.came;
            if !download.collects && !download.held {
                self.submit(node, Input::Received { fetch, upto, waited: false });
            }
        }
        let end = match trouble {
            None => Ok(()),
            Some(kind) => Err(Trouble { kind, cause: "chance".into() }),
        };
        self.submit(node, Input::Ended { fetch, end });
    }

    /// The port forgets a fetch.
    pub fn drop_download(&mut self, node: usize, fetch: FetchId) {
        self.drop_download_quietly(node, fetch);
    }

    fn drop_download_quietly(&mut self, node: usize, fetch: FetchId) -> Option<Download> {
        let download = self.nodes[node].downloads.remove(&fetch)?;
        if let Some(flow) = download.flow {
            self.cut_flow(flow);
        }
        if let Some((row, _)) = download.taken {
            if let Some(known) = self.nodes[node].store.rows.get_mut(&row) {
                known.writers.remove(&fetch);
            }
            self.nodes[node].wakes.insert(row);
        }
        Some(download)
    }

    /// Everything that comes over the network breaks off.
    pub fn break_downloads(&mut self, node: usize) {
        let all: Vec<FetchId> = self.nodes[node].downloads.keys().copied().collect();
        for fetch in all {
            self.end_fetch((node, fetch), Some(TroubleKind::Broken));
        }
    }

    /// The system's date at a node.
    pub fn date_at(&self, node: usize) -> Option<Date> {
        let seconds = (self.now().as_micros() / 1_000_000) as i64;
        self.nodes[node].date.map(|offset| Date(TODAY + seconds + offset))
    }
}

/// The bytes that a single range names (RFC 9110, 14.1.2).
fn span(text: &str, length: u64) -> Option<ByteRange> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let last: u64 = last.parse().ok()?;
        return Some(ByteRange::new(length.saturating_sub(last), length));
    }
    let end = if last.is_empty() { length } else { last.parse::<u64>().ok()?.saturating_add(1) };
    Some(ByteRange::new(first.parse().ok()?, end.min(length)))
}

/// How long an origin may say nothing: the default of the configuration.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a head on the wire.
const HEAD: u64 = 400;

/// The date at which virtual time begins.
pub const TODAY: i64 = 1_795_300_000;

/// Base64 with padding (RFC 4648, 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |part: &[u8]| {
        let bits = part.iter().chain([&0, &0]).take(3).fold(0_usize, |n, b| n << 8 | *b as usize);
        let digit = move |place: usize| match place <= part.len() {
            true => char::from(DIGITS[bits >> (18 - 6 * place) & 63]),
            false => '=',
        };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    bytes.chunks(3).flat_map(group).collect()
}
