//! What is stored and stale: confirmed, replaced, or given while the origin is away.

use crate::node::Node;
use crate::origin::{Gate, Origin};

/// An origin that answers once with `fields` and then does as `later` says.
fn once(
    fields: &'static str,
    later: impl Fn(&crate::origin::Asked, &mut crate::origin::Reply<'_>) + Send + Sync + 'static,
) -> Origin {
    Origin::new(move |asked, reply| {
        if asked.before == 0 {
            reply.answer("200 OK", &format!("ETag: \"a\"\r\n{fields}"), "stored");
        } else {
            later(asked, reply);
        }
    })
}

#[test]
fn rfc_9111_4_3_3_a_stale_answer_is_confirmed_for_all_who_wait() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = once("Cache-Control: max-age=0\r\n", move |asked, reply| {
        open.wait();
        reply.file(asked, "\"a\"", b"stored");
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is("stored");
    let port = node.port;
    let players: Vec<_> = (0..16)
        .map(|_| std::thread::spawn(move || crate::player::get(port, "/tv/a", "")))
        .collect();
    crate::origin::until("all to wait", || {
        (node.metric("neap_requests_total") == 17).then_some(())
    });
    gate.open();
    for player in players {
        player.join().expect("a reply").is("stored");
    }
    let asked = origin.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].field("if-none-match"), Some("\"a\""));
    // The 304 said that it is fresh for ten minutes.
    let got = node.get("/tv/a");
    assert!(got.is_hit(), "{}", got.note());
}

#[test]
fn rfc_9111_4_3_3_a_new_answer_takes_the_place_of_the_stale_one() {
    let origin = once("Cache-Control: max-age=0\r\n", |_, reply| {
        reply.answer("200 OK", "ETag: \"b\"\r\nCache-Control: max-age=60\r\n", "new");
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is("stored");
    node.get("/tv/a").is("new");
    node.get("/tv/a").is("new");
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn rfc_5861_4_errors_and_outages_are_covered_by_what_is_stored() {
    for status in [500, 502, 503, 504] {
        let origin = once("Cache-Control: max-age=0, stale-if-error=60\r\n", move |_, reply| {
            reply.answer(&format!("{status} No"), "", "trouble");
        });
        let node = Node::with(&origin.url(), "");
        node.get("/tv/a").is("stored");
        node.get("/tv/a").is("stored");
        assert_eq!(origin.asked().len(), 2, "{status}");
        assert_eq!(node.metric("neap_stale_served_total"), 1);
    }
}

#[test]
fn rfc_9111_4_2_4_a_dead_origin_is_covered_unless_forbidden() {
    for (directives, covered) in [
        ("max-age=0", true),
        ("max-age=0, must-revalidate", false),
        ("no-cache", false),
        ("s-maxage=0", false),
        ("max-age=0, proxy-revalidate", false),
    ] {
        let origin = Origin::new(move |_, reply| {
            let fields = format!("ETag: \"a\"\r\nCache-Control: {directives}\r\n");
            reply.answer("200 OK", &fields, "stored");
        });
        let node = Node::with(&origin.url(), "");
        node.get("/tv/a").is("stored");
        origin.stop();
        let got = node.get("/tv/a");
        if covered {
            got.is("stored");
        } else {
            got.is_trouble(502, "does not accept");
        }
    }
}

#[test]
fn silence_and_resets_are_covered_as_well() {
    let origin = once("Cache-Control: max-age=0\r\n", |asked, reply| {
        if asked.before == 1 { reply.wait_for_leaving() } else { reply.reset() }
    });
    let node = Node::with(&origin.url(), "timeout = \"300 ms\"");
    for _ in 0..3 {
        node.get("/tv/a").is("stored");
    }
}

#[test]
fn rfc_9111_5_2_1_the_player_may_want_no_stale_answer() {
    let origin = once("Cache-Control: max-age=0\r\n", |_, reply| reply.answer("503 No", "", "no"));
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is("stored");
    node.get_with("/tv/a", "Cache-Control: no-cache\r\n").is_status(503, "no");
    node.get_with("/tv/a", "Cache-Control: max-age=0\r\n").is_status(503, "no");
    node.get("/tv/a").is("stored");
}

#[test]
fn a_server_error_without_anything_stored_reaches_the_player_and_is_not_kept() {
    let origin = Origin::new(|_, reply| {
        reply.answer("503 No", "Cache-Control: max-age=60\r\nRetry-After: 3\r\n", "closed");
    });
    let node = Node::with(&origin.url(), "");
    for _ in 0..2 {
        let got = node.get("/tv/a");
        got.is_status(503, "closed");
        assert_eq!(got.field("retry-after"), Some("3"));
    }
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn rfc_5861_3_stale_while_revalidate_answers_at_once() {
    let gate = Gate::default();
    let open = gate.clone();
    let swr = "Cache-Control: max-age=0, stale-while-revalidate=60\r\n";
    let origin = once(swr, move |_, reply| {
        open.wait();
        reply.answer("200 OK", "ETag: \"b\"\r\nCache-Control: max-age=60\r\n", "new");
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is("stored");
    node.get("/tv/a").is("stored");
    node.get("/tv/a").is("stored");
    origin.wait_for("/a", 2);
    gate.open();
    crate::origin::until("the new one", || (node.get("/tv/a").body == b"new").then_some(()));
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn what_is_not_there_is_remembered_shortly() {
    let origin = Origin::new(|_, reply| reply.answer("404 Not Found", "", "nothing"));
    let node = Node::with(&origin.url(), "");
    for _ in 0..5 {
        node.get("/tv/a").is_status(404, "nothing");
    }
    assert_eq!(origin.asked().len(), 1);
    // ttl=10 at most: what has come since is seen soon.
    let got = node.get("/tv/a");
    let ttl = got.note().split("ttl=").nth(1).and_then(|t| t.split(';').next()?.parse().ok());
    assert!(ttl.is_some_and(|ttl: i64| ttl <= 10), "{}", got.note());
}

#[test]
fn a_channel_that_has_not_begun_is_asked_for_each_time() {
    let origin = Origin::new(|_, reply| reply.answer("404 Not Found", "", "not yet"));
    let node = Node::with(&origin.url(), "");
    for path in ["/tv/live.m3u8?viewer=1", "/tv/live.mpd"] {
        node.get(path).is_status(404, "not yet");
        node.get(path).is_status(404, "not yet");
    }
    assert_eq!(origin.asked().len(), 4);
}

#[test]
fn rfc_9111_4_4_a_post_that_succeeds_drops_what_is_stored() {
    let origin = Origin::new(|asked, reply| {
        let text = format!("{} {}", asked.method, asked.before);
        reply.answer("200 OK", "Cache-Control: max-age=60\r\n", text);
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is("GET 0");
    node.get("/tv/a").is("GET 0");
    crate::player::request(node.port, ("POST", "/tv/a"), "", b"x").is("POST 1");
    node.get("/tv/a").is("GET 2");
}
