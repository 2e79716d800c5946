//! Heads as they are stored, updated and dropped (RFC 9111, 3.1, 3.2, 4.3.4, 4.3.5 and 4.4).

use crate::base::time::Date;
use crate::base::url::Url;
use crate::wire::http::conditions::{EntityTag, date_of, format_date};
use crate::wire::http::fields::Fields;

/// How a 304 or HEAD answer bears on one stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// It is about this response: update its fields.
    Updates,
    /// It contradicts this response: it is stale now.
    Contradicts,
    /// It is about another response.
    Nothing,
}

/// Takes out what is meant for one connection only (RFC 9110, 7.6.1): the fields that
/// `Connection` names, itself, and those that old senders forget to name.
pub fn strip_hop_by_hop(fields: &mut Fields) {
    let named: Vec<String> = fields.members("connection").map(str::to_ascii_lowercase).collect();
    fields.retain(|name, _| {
        let hop = HOP_BY_HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop));
        !hop && !named.iter().any(|named| name.eq_ignore_ascii_case(named))
    });
}

/// The fields of a response as they are stored (RFC 9111, 3.1).
///
/// `Age` is left out, since the policy knows it and every answer gets its own; a response
/// without `Date` gets one where the clock is set (RFC 9110, 6.6.1).
pub fn stored(response: &Fields, date_now: Option<Date>) -> Fields {
    let mut fields = response.clone();
    strip_hop_by_hop(&mut fields);
    fields.retain(|name, _| !UNSTORED.iter().any(|not| name.eq_ignore_ascii_case(not)));
    if let Some(date) = date_now.filter(|_| !fields.has("date")) {
        fields.push("Date", format_date(date));
    }
    fields
}

/// Updates stored fields by those of a 304 or HEAD answer (RFC 9111, 3.2).
///
/// The stored `Date` goes in any case: it would make the validated response look old. A weak tag
/// stays weak where the same comes as a strong one: it tells of bytes that are not the origin's.
pub fn update(held: &mut Fields, received: &Fields, date_now: Option<Date>) {
    let mut new = stored(received, date_now);
    new.retain(|name, _| !KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept)));
    if EntityTag::of(held).zip(EntityTag::of(received)).is_some_and(|(held, new)| held.weakens(new))
    {
        new.remove("etag");
    }
    held.remove("date");
    held.retain(|name, _| !new.has(name));
    new.iter().for_each(|(name, value)| held.push(name, value));
}

/// Whether a 304 is about `held` (RFC 9111, 4.3.4).
///
/// `alone` says that the 304 answers a request that named the validators of this response
/// only: then one that names none is about it, as the origin has compared them itself, and so is
/// one with the strong form of its weak tag, which servers send that weaken it as they pack.
pub fn bearing_of_304(held: &Fields, received: &Fields, alone: bool) -> Bearing {
    let same = match (EntityTag::of(received), date_of(received, "last-modified")) {
        (Some(tag), _) if !tag.weak => {
            let same =
                |held: EntityTag<'_>| held.is_same_strongly(tag) || alone && held.weakens(tag);
            EntityTag::of(held).is_some_and(same)
        }
        (Some(tag), _) => EntityTag::of(held).is_some_and(|held| held == tag),
        (None, Some(date)) => date_of(held, "last-modified") == Some(date),
        (None, None) => alone,
    };
    if same { Bearing::Updates } else { Bearing::Nothing }
}

/// How a 200 answer to HEAD bears on a stored response to GET of `length` bytes
/// (RFC 9111, 4.3.5).
pub fn bearing_of_head(held: &Fields, length: Option<u64>, received: &Fields) -> Bearing {
    let agrees = |name| received.first(name).is_none_or(|new| held.first(name) == Some(new));
    let stated = received.first("content-length").and_then(|text| text.trim().parse::<u64>().ok());
    let fits = !received.has("content-length") || (stated.is_some() && stated == length);
    if agrees("etag") && agrees("last-modified") && fits {
        Bearing::Updates
    } else {
        Bearing::Contradicts
    }
}

/// The URLs whose stored responses an answer makes invalid (RFC 9111, 4.4): the target and
/// what `Location` and `Content-Location` name on the same server.
pub fn invalidated(method: &str, status: u16, target: &Url, response: &Fields) -> Vec<Url> {
    let safe = matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE");
    if safe || !(200..400).contains(&status) {
        return Vec::new();
    }
    let named = ["location", "content-location"].into_iter().filter_map(|name| {
        let url = target.join(response.first(name)?.trim()).ok()?;
        (url.server() == target.server() && url != *target).then_some(url)
    });
    core::iter::once(target.clone()).chain(named).collect()
}

/// Fields of one connection (RFC 9110, 7.6.1; `Proxy-Connection` and `Keep-Alive` by custom).
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields that are never stored (RFC 9111, 3.1), `Age`, and digests of the content of one message
/// (RFC 9530, 2; RFC 1864), since another may bring other parts of it.
const UNSTORED: [&str; 6] = [
    "age",
    "content-digest",
    "content-md5",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
];

/// Fields that no update touches: they describe the bytes that are held (RFC 9111, 3.2).
const KEPT: [&str; 3] = ["content-length", "content-encoding", "content-range"];
