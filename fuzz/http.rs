//! What is done with fuzzed HTTP: heads, bodies, ranges, directives and conditions, and the way
//! of a request to an origin, and of an answer to a player from there or from the disk.

use core::iter::from_fn;
use core::time::Duration;

use neap::base::id::{ExchangeId, OriginId};
use neap::base::limits;
use neap::base::time::{Date, Instant};
use neap::base::units::Size;
use neap::base::url::{Locator, Url, without_query};
use neap::config::model::{Config, Origin};
use neap::engine::cache::freshness::{self, MediaRule, Policy, Times, Verdict};
use neap::net::origin::request::Outgoing;
use neap::net::player::gate::Gate;
use neap::net::player::respond::{self, Setting};
use neap::node::disk::Disk;
use neap::node::event::{Answer, Arrival, Input, Order, Output, Request};
use neap::node::machine::Machine;
use neap::node::overview::Figures;
use neap::wire::http::body::{Body, LAST_CHUNK, Step, chunk_size};
use neap::wire::http::conditions::{self, EntityTag};
use neap::wire::http::directives::{RequestDirectives, ResponseDirectives};
use neap::wire::http::fields::{self, Fields};
use neap::wire::http::head::{self, Framing, RequestHead, ResponseHead, Version};
use neap::wire::http::integrity;
use neap::wire::http::range::{ContentRange, Requested, Resolved, requested};

/// A request's head: read within its bounds, and sent on as one request below its origin.
pub(crate) fn request(data: &[u8]) {
    let Ok(Some(end)) = head::end(data, 0) else { return };
    assert!(end <= limits::http::HEAD && data[..end].ends_with(b"\r\n\r\n"));
    for seen in (0..end).step_by(1 + end / 16) {
        assert_ne!(head::end(&data[..seen], 0).ok().flatten(), Some(end));
        assert_eq!(head::end(data, seen), Ok(Some(end)), "after {seen} bytes");
    }
    let Ok(head) = RequestHead::parse(&data[..end]) else { return };
    assert!(head.target.len() <= limits::http::TARGET && head.fields.len() <= limits::http::FIELDS);
    one_line_each(&head.fields);
    let Ok(framing) = head.framing() else { return };
    let lengths = head.fields.all("content-length").count();
    assert!(lengths <= 1 && (framing != Framing::Chunked || lengths == 0));
    sent_on(head, framing);
}

/// A response's head: read, judged by the machine, and passed on as one response.
pub(crate) fn response(data: &[u8]) {
    let Ok(Some(end)) = head::end_of_answer(data, 0) else { return };
    let Ok(head) = ResponseHead::parse(&data[..end]) else { return };
    assert!(head.status >= 100 && head.fields.len() <= limits::http::ANSWER_FIELDS);
    one_line_each(&head.fields);
    assert_eq!(head.framing("HEAD"), Ok(Framing::Length(0)));
    let Ok(framing) = head.framing("GET") else { return };
    if head.status < 200 || head.fields.len() > ROOM {
        return;
    }
    let mut machine = Machine::new(config(), 1, NOW);
    let (order, _) = asked(&mut machine, get("/a.ts"));
    let fetch = order.expect("nothing is stored yet").fetch;
    let length = if let Framing::Length(length) = framing { Some(length) } else { None };
    let to_close = framing == Framing::Close;
    let date = Some(Date(1_714_521_700));
    let arrival = Arrival {
        fetch,
        head,
        length,
        to_close,
        requested: NOW,
        date,
        plan: None,
        warning: None,
        records: Vec::new(),
    };
    machine.handle(Input::Head(Box::new(arrival)), NOW + Duration::from_millis(80));
    for answer in outputs(&mut machine).1 {
        one_response(&answer);
    }
}

/// A body in chunks: the same in one piece and byte by byte, and as neap would send it on.
pub(crate) fn chunked(data: &[u8]) {
    let (strict, lenient) = (Body::new(Framing::Chunked), Body::of_answer(Framing::Chunked));
    let whole = decoded(strict.clone(), data, data.len());
    let read = decoded(lenient.clone(), data, data.len());
    assert!(whole.is_none() || whole == read, "a player's body and an origin's");
    assert_eq!(whole, decoded(strict.clone(), data, 1), "byte by byte");
    assert_eq!(read, decoded(lenient, data, 1), "byte by byte");
    let Some((content, used)) = read else { return };
    assert!(used <= data.len() && content.len() < used);
    let mut again = Vec::new();
    for piece in content.chunks(3) {
        again.extend_from_slice(chunk_size(piece.len()).as_bytes());
        again.extend_from_slice(piece);
        again.extend_from_slice(b"\r\n");
    }
    again.extend_from_slice(LAST_CHUNK.as_bytes());
    assert_eq!(decoded(strict, &again, again.len()), Some((content, again.len())));
}

/// One `Range` or `Content-Range` value a line.
pub(crate) fn range(data: &[u8]) {
    for line in text(data).lines().take(LINES) {
        let ask = |value: &str| requested(&[("Range", value)].into_iter().collect());
        let asked = ask(line);
        if let Requested::One(spec) = asked {
            assert_eq!(ask(&spec.to_string()), asked, "{line:?}");
        }
        for length in [0, 1, 10, 65_536, u64::MAX] {
            if let Resolved::Part(range) = asked.resolve(length) {
                assert!(!range.is_empty() && range.end <= length, "{line:?} of {length}");
            }
        }
        let Some(read) = ContentRange::parse(line) else { continue };
        assert_eq!(ContentRange::parse(&read.to_string()), Some(read), "{line:?}");
        if let ContentRange::Part(range, length) = read {
            assert!(!range.is_empty() && length.is_none_or(|length| range.end <= length));
        }
    }
}

/// Fields of a request, an empty line, fields of its response: what a cache makes of them.
pub(crate) fn cache_control(data: &[u8]) {
    let (request, response) = two_heads(&text(data));
    let (asks, says) = (RequestDirectives::of(&request), ResponseDirectives::of(&response));
    for value in response.all("cache-control") {
        let alone = ResponseDirectives::of(&[("Cache-Control", value)].into_iter().collect());
        assert!(says.no_store >= alone.no_store && says.private >= alone.private, "{value:?}");
        assert!(says.no_cache >= alone.no_cache, "{value:?}");
        assert!(alone.max_age.is_none_or(|age| says.max_age.is_some_and(|least| least <= age)));
    }
    for status in [200, 206, 302, 404, 503] {
        let date = Some(Date(1_714_521_700));
        let times = Times { request_at: NOW, response_at: NOW + Duration::from_millis(80), date };
        let exchange = freshness::Exchange {
            method: "GET",
            request: &request,
            status,
            response: &response,
            times,
            media: MediaRule::None,
        };
        let Verdict::Keep(policy) = freshness::judge(&exchange) else { continue };
        assert!(!asks.no_store && !says.private && !response.has("set-cookie") && status != 503);
        assert!(!says.no_store || says.must_understand);
        let now = times.response_at;
        let record = policy.to_record(now);
        let again = Policy::from_record(&record, Some(Duration::ZERO), now).expect("our record");
        assert_eq!(again.reuse(&asks, now), policy.reuse(&asks, now));
        assert_eq!(again.fresh_until(), policy.fresh_until());
    }
}

/// Fields of a request, an empty line, fields of what is stored: tags, dates, conditions.
pub(crate) fn conditions(data: &[u8]) {
    let (mut request, stored) = two_heads(&text(data));
    for (_, value) in request.iter().chain(stored.iter()) {
        if let Some(tag) = EntityTag::parse(value) {
            let written = format!("{}\"{}\"", if tag.weak { "W/" } else { "" }, tag.opaque);
            assert_eq!(EntityTag::parse(&written), Some(tag));
        }
        if let Some(date) = conditions::parse_date(value) {
            let written = conditions::format_date(date);
            assert_eq!(conditions::parse_date(&written), Some(date), "{value:?}");
        }
    }
    let _ = conditions::is_not_modified(&request, &stored);
    let _ = conditions::does_range_apply(&request, &stored);
    let joined = conditions::are_parts_of_one(&stored, &request);
    assert_eq!(joined, conditions::are_parts_of_one(&request, &stored));
    conditions::validate(&mut request, &stored);
    let validates = conditions::has_validator(&stored);
    let asks = request.has("if-none-match") || request.has("if-modified-since");
    assert_eq!(asks, validates);
    assert!(!validates || conditions::is_not_modified(&request, &stored), "it is what it is");
}

/// One list value a line: its members, and the list that they make (RFC 9110, 5.6.1).
pub(crate) fn lists(data: &[u8]) {
    for line in text(data).lines().take(LINES) {
        let members: Vec<&str> = fields::list(line).collect();
        assert!(members.iter().all(|member| !member.is_empty() && member.trim() == *member));
        let again = members.join(", ");
        assert_eq!(fields::list(&again).collect::<Vec<_>>(), members, "{line:?}");
    }
}

/// One digest field a line: what is found in it alone is found with others around it.
pub(crate) fn integrity(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let mut fields = Fields::default();
    for line in text.lines() {
        let mut alone = Fields::default();
        alone.push("Repr-Digest", line);
        let found = integrity::representation(&alone);
        let mut around = Fields::default();
        for value in ["sha-512=:AA==:;a", line, "md5=?0"] {
            around.push("Repr-Digest", value);
        }
        if line.len() < limits::http::DIGEST_FIELD / 2 && line.matches(',').count() < 20 {
            let again = integrity::representation(&around);
            assert!(found.is_none() || again == found, "{line:?}");
        }
        fields.push("Content-Digest", line);
    }
    let _ = integrity::content(&fields);
}

/// What is written with a slice: found at the start it becomes a row or nothing, and what a
/// player then gets is one response.
pub(crate) fn memo(data: &[u8]) {
    let mut config = config();
    config.cache.disk = Size(1 << 30);
    let mut machine = Machine::new(config, 1, NOW);
    let header = data.to_vec().into();
    machine.handle(Input::Disk(Disk::Found { token: 7, slice: 0, bytes: 1000, header }), NOW);
    let adopt = |output| match output {
        Output::Adopt { token, .. } => Some(token),
        _ => None,
    };
    let tokens: Vec<u64> = from_fn(|| machine.poll_output()).filter_map(adopt).collect();
    assert_eq!(tokens, [7]);
    let (order, answers) = asked(&mut machine, get("/a.ts"));
    assert!(order.is_some() || !answers.is_empty(), "the player hears nothing");
    answers.iter().for_each(one_response);
    let disk = machine.status(NOW, Figures::default()).disk;
    assert!(disk.used <= disk.limit);
}

/// What a player asks goes to its origin as one request, below the origin's base URL.
fn sent_on(head: RequestHead, framing: Framing) {
    let config = config();
    let Ok(locator) = Gate::new(&config).locate(&head) else { return };
    let path = without_query(&locator.target);
    assert!(path.starts_with('/') && !path.split('/').any(|part| matches!(part, "." | "..")));
    if matches!(&*head.method, "CONNECT" | "TRACE") || head.fields.len() > ROOM {
        return;
    }
    let reads = matches!(&*head.method, "GET" | "HEAD");
    let length = if let Framing::Length(length) = framing { Some(length) } else { None };
    let body = (framing != Framing::Length(0) && !reads).then_some(length);
    let (exchange, method, fields) = (ExchangeId(1), head.method, head.fields);
    let request = Request { exchange, method, locator: locator.clone(), fields, body };
    let mut machine = Machine::new(config.clone(), 1, NOW);
    let (order, answers) = asked(&mut machine, request);
    answers.iter().for_each(one_response);
    let Some(order) = order else { return };
    let origin = &config.origins[usize::from(order.locator.origin.0)];
    let base = &origin.urls[order.base];
    let outgoing = Outgoing::new(&order, origin, base);
    let sent = outgoing.head(order.body.map(|(_, length)| length));
    match head::end(&sent, 0) {
        Ok(end) => assert_eq!(end, Some(sent.len()), "more than one request goes out"),
        Err(fault) => return assert_eq!(fault, head::Fault::TooLarge),
    }
    match RequestHead::parse(&sent) {
        Ok(read) => {
            assert_eq!(read.target, outgoing.url.target);
            assert!(read.target.starts_with(&base.target), "{} leaves the origin", read.target);
            assert_eq!(outgoing.url.server(), base.server());
            assert_eq!(read.framing(), Ok(body.map_or(Framing::Length(0), written)));
        }
        Err(fault) => assert_eq!(fault, head::Fault::TargetTooLong),
    }
}

fn written(length: Option<u64>) -> Framing {
    length.map_or(Framing::Chunked, Framing::Length)
}

fn get(target: &str) -> Request {
    let locator = Locator { origin: OriginId(0), target: target.into() };
    let (exchange, method, fields) = (ExchangeId(1), "GET".into(), Fields::new());
    Request { exchange, method, locator, fields, body: None }
}

/// A request into the machine; what it orders from the origin and answers at once.
fn asked(machine: &mut Machine, request: Request) -> (Option<Order>, Vec<Answer>) {
    machine.handle(Input::Request(request), NOW);
    outputs(machine)
}

fn outputs(machine: &mut Machine) -> (Option<Order>, Vec<Answer>) {
    let (mut order, mut answers) = (None, Vec::new());
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Fetch(ordered) => order = Some(*ordered),
            Output::Answer { answer, .. } => answers.push(answer),
            _ => {}
        }
    }
    (order, answers)
}

/// An answer goes out as one head whose end of content is plain.
fn one_response(answer: &Answer) {
    let exchange = ExchangeId(1);
    let version = Version::Http11;
    let setting = Setting { exchange, version, head_only: false, keep: true, cors: "" };
    let (sent, _, _) = respond::head(answer, &setting);
    let end = sent.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    assert_eq!(end, Some(sent.len()), "{}", String::from_utf8_lossy(&sent));
    let text = String::from_utf8_lossy(&sent).to_ascii_lowercase();
    let framing = ["content-length:", "transfer-encoding:"];
    let framing = text.lines().filter(|line| framing.iter().any(|name| line.starts_with(name)));
    assert!(framing.count() <= 1 && text.matches('\n').count() == text.matches("\r\n").count());
    let read = ResponseHead::parse(&sent);
    let framed = read.and_then(|read| read.framing("GET"));
    assert!(framed.is_ok(), "{framed:?}: {}", String::from_utf8_lossy(&sent));
}

/// The content of a chunked body and the bytes that it took; none where it is broken or cut.
fn decoded(mut body: Body, data: &[u8], step: usize) -> Option<(Vec<u8>, usize)> {
    let mut content = Vec::new();
    let (mut at, mut seen) = (0, step.min(data.len()));
    loop {
        match body.step() {
            Step::End => return Some((content, at)),
            Step::Content(left) if at < seen => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(seen - at);
                content.extend_from_slice(&data[at..at + count]);
                body.took(count as u64);
                at += count;
                continue;
            }
            Step::Content(_) => {}
            Step::Line => {
                if let Some(used) = body.line(&data[at..seen]).ok()? {
                    at += used;
                    continue;
                }
            }
        }
        if seen == data.len() {
            assert!(body.closed().is_err(), "a cut body passes for a whole one");
            return None;
        }
        seen = (seen + step).min(data.len());
    }
}

fn one_line_each(fields: &Fields) {
    for (name, value) in fields.iter() {
        assert!(!name.is_empty() && !name.contains(|c: char| c.is_ascii_control()));
        assert!(!value.contains(['\0', '\r', '\n']), "{name}: {value:?}");
    }
}

fn two_heads(text: &str) -> (Fields, Fields) {
    let (first, second) = text.split_once("\n\n").unwrap_or(("", text));
    let fields = |part: &str| {
        let pairs = part.lines().take(LINES).filter_map(|line| line.split_once(':'));
        pairs.map(|(name, value)| (name.trim(), value.trim())).collect::<Fields>()
    };
    (fields(first), fields(second))
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).replace('\r', "")
}

fn config() -> Config {
    let origin =
        |name: &str, url: &str| Origin::new(name.into(), Url::parse(url).expect("a URL of ours"));
    let origins =
        vec![origin("tv", "https://cdn.example/live/"), origin("b", "http://b.example:8080/")];
    Config { origins, ..Config::default() }
}

const NOW: Instant = Instant::from_micros(5_000_000);

/// Lines of one input that are read.
const LINES: usize = 64;

/// Fields of a head that leaves room for those that neap adds.
const ROOM: usize = 80;
