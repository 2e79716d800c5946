//! Redirects of an origin: where they lead, and what they say of what they lead to.

use core::time::Duration;

use super::answered::Answered;
use super::request::Outgoing;
use crate::base::url::{Locator, Places, Scheme, has_scheme};
use crate::config::model::Origin;
use crate::node::event::Order;
use crate::node::trouble::{Trouble, TroubleKind};
use crate::wire::http::directives::ResponseDirectives;
use crate::wire::http::fields::Fields;
use crate::wire::http::head::ResponseHead;
use crate::wire::playlist;

/// What redirects on the way say of the answer that they lead to.
#[derive(Default)]
pub(super) struct Trail {
    /// Fields that the answer gets besides its own.
    fields: Fields,
    /// The least lifetime that one states.
    lifetime: Option<Duration>,
    /// Whether one holds for this one request, by its status.
    passing: bool,
}

impl Trail {
    /// A redirect that is followed.
    pub(super) fn pass(&mut self, hop: &ResponseHead) {
        let said = ResponseDirectives::of(&hop.fields);
        let lifetime = said.s_maxage.or(said.max_age);
        self.lifetime = self.lifetime.into_iter().chain(lifetime).min();
        self.passing |= is_passing(hop);
        let no_cache = said.no_cache || lifetime == Some(Duration::ZERO);
        for (word, holds) in
            [("no-store", said.no_store), ("private", said.private), ("no-cache", no_cache)]
        {
            if holds {
                self.fields.push("Cache-Control", word);
            }
        }
        hop.fields.all("set-cookie").for_each(|cookie| self.fields.push("Set-Cookie", cookie));
    }

    /// Lets the answer be kept no longer than the redirects that led to it (RFC 9111, 4.2): who
    /// asks directly is redirected anew each time.
    ///
    /// Of redirects that say nothing only those to a playlist count, which is made for a viewer
    /// where anything is. A segment is what the playlist means by its URL, wherever a server that
    /// spreads load has it brought from.
    pub(super) fn mark(&self, head: &mut ResponseHead, asked: &Locator) {
        let said = ResponseDirectives::of(&head.fields);
        let stated = [("max-age", said.max_age), ("s-maxage", said.s_maxage)];
        for (name, stated) in stated {
            if let Some(least) = self.lifetime.filter(|least| stated > Some(*least)) {
                head.fields.push("Cache-Control", format!("{name}={}", least.as_secs()));
            }
        }
        let kind = head.fields.first("content-type");
        if self.passing && playlist::recognise(kind, &asked.target).is_some() {
            head.fields.push("Cache-Control", "no-cache");
        }
        self.fields.iter().for_each(|(name, value)| head.fields.push(name, value));
    }
}

/// Where a redirect leads; none where the answer is final, or for the player to follow.
pub(super) fn next(
    answered: &mut Answered,
    outgoing: &Outgoing,
    origin: &Origin,
    (order, places): (&Order, &Places),
) -> Result<Option<Outgoing>, Trouble> {
    let head = &mut answered.head;
    let safe = matches!(&*outgoing.method, "GET" | "HEAD");
    let moved = matches!(head.status, 301 | 302 | 303 | 307 | 308) && origin.follow_redirects;
    let Some(place) = head.fields.first("location").filter(|_| safe && moved) else {
        return Ok(None);
    };
    let url = outgoing.url.join(&readable(place));
    let url = url.map_err(|fault| trouble(format!("a redirect: {fault}")))?;
    if outgoing.url.scheme == Scheme::Https && url.scheme == Scheme::Http {
        // No byte that comes so is taken for the origin's. The player may take it, as without us.
        log::warn!("{} redirects out of TLS: players are sent there past neap", origin.name);
        head.fields.set("Location", url.to_string());
        return Ok(None);
    }
    let known = places.find_from(order.locator.origin, &url);
    // A cookie is the player's, and what lies there may be for those who bring it. A playlist there
    // is the player's as well: it asks for that one again, and each redirect might begin another
    // session. Whoever has a host of its own is not asked by that name here, and no player is sent.
    let there = || known.as_ref().and_then(|known| places.url_of(known)).as_ref() == Some(&url);
    let is_list = || order.list || playlist::recognise(None, &url.target).is_some();
    let is_session = || order.player && is_passing(head) && is_list() && there();
    if known.is_some() && (head.fields.has("set-cookie") || is_session()) {
        head.fields.set("Location", url.to_string());
        return Ok(None);
    }
    Ok(Some(outgoing.redirected(head.status, url, origin)))
}

/// Whether a redirect holds for this one request.
fn is_passing(hop: &ResponseHead) -> bool {
    let said = ResponseDirectives::of(&hop.fields);
    let states = said.s_maxage.or(said.max_age).is_some();
    !states && matches!(hop.status, 302 | 303 | 307)
}

/// A redirect that leads nowhere.
pub(super) fn trouble(cause: String) -> Trouble {
    Trouble { kind: TroubleKind::Redirect, cause }
}

/// A `Location` as players read it: without a user's name, and with what no URL holds encoded.
fn readable(place: &str) -> String {
    let named = place.starts_with("//") || has_scheme(place);
    let start = place
        .as_bytes()
        .windows(2)
        .position(|two| two == b"//")
        .filter(|_| named)
        .map_or(place.len(), |at| at + 2);
    let (before, rest) = place.split_at(start);
    let authority = rest.bytes().take_while(|byte| !b"/?#".contains(byte));
    let mut user = 0;
    for (at, byte) in authority.enumerate() {
        if byte == b'@' {
            user = at + 1;
        }
    }
    let mut text = String::with_capacity(place.len());
    for part in [before, &rest[user..]] {
        for &byte in part.as_bytes() {
            if byte.is_ascii_graphic() {
                text.push(byte.into());
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::OriginId;

    #[test]
    fn a_place_is_read_as_players_read_it() {
        for (place, meant) in [
            ("/a b.ts?x=1 2", "/a%20b.ts?x=1%202"),
            ("http://u:p@h.example/a@b", "http://h.example/a@b"),
            ("//u@h.example/a", "//h.example/a"),
            ("/a//u@b", "/a//u@b"),
            ("a?u=http://u@b", "a?u=http://u@b"),
            ("a%20b\u{e4}", "a%20b%C3%A4"),
            ("", ""),
        ] {
            assert_eq!(readable(place), meant, "{place}");
        }
    }

    #[test]
    fn rfc_9111_4_2_an_answer_is_kept_no_longer_than_the_way_to_it() {
        let head = |status: u16, lines: &str| {
            ResponseHead::parse(format!("HTTP/1.1 {status}\r\n{lines}\r\n").as_bytes())
                .expect("a head")
        };
        let marked = |status: u16, hop: &str, last: &str, target: &str| {
            let mut trail = Trail::default();
            trail.pass(&head(status, hop));
            let mut last = head(200, last);
            let asked = Locator { origin: OriginId(0), target: target.into() };
            trail.mark(&mut last, &asked);
            last.fields.members("cache-control").collect::<Vec<_>>().join(", ")
        };
        let long = "Cache-Control: public, max-age=60, s-maxage=60\r\n";
        for (status, hop, more) in [
            (302, "Cache-Control: no-store\r\n", ", no-store"),
            (301, "Cache-Control: private, no-cache\r\n", ", private, no-cache"),
            (302, "Cache-Control: max-age=0\r\n", ", max-age=0, s-maxage=0, no-cache"),
            (307, "Cache-Control: max-age=9, public\r\n", ", max-age=9, s-maxage=9"),
            (302, "Cache-Control: max-age=90\r\n", ""),
            (302, "", ""),
        ] {
            let all = format!("public, max-age=60, s-maxage=60{more}");
            assert_eq!(marked(status, hop, long, "/a.ts"), all, "{hop}");
        }
        assert_eq!(marked(302, "", "", "/a.m3u8"), "no-cache");
        assert_eq!(marked(301, "", "", "/a.m3u8"), "");
        assert_eq!(marked(302, "Cache-Control: max-age=9\r\n", "", "/a.m3u8"), "");
    }
}
