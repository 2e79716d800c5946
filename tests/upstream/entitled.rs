//! What an origin gives one viewer it gives no other by way of us, and what it denies one it does not
//! deny another.

use std::thread;
use std::time::Duration;

use crate::node::Node;
use crate::origin::{Asked, Origin, Reply, pattern};

/// Who asks, by the cookie or the login.
fn viewer(asked: &Asked) -> String {
    asked.field("cookie").or(asked.field("authorization")).unwrap_or("nobody").to_owned()
}

/// Two viewers ask for one thing a moment apart, while the origin takes its time; what each got.
fn both(node: &Node, path: &str) -> [String; 2] {
    thread::scope(|scope| {
        let first = scope.spawn(|| node.get_with(path, "Cookie: s=A\r\n"));
        thread::sleep(Duration::from_millis(150));
        let second = node.get_with(path, "Cookie: s=B\r\n");
        [first.join().expect("an answer"), second].map(|got| got.text())
    })
}

fn slowly(fields: &'static str) -> impl Fn(&Asked, &mut Reply<'_>) + Send + Sync {
    move |asked, reply| {
        thread::sleep(Duration::from_millis(400));
        reply.answer("200 OK", fields, viewer(asked));
    }
}

#[test]
fn rfc_9111_5_2_2_4_what_must_be_validated_is_for_who_asked() {
    for fields in ["Cache-Control: no-cache\r\n", "Cache-Control: max-age=0\r\n", ""] {
        let origin = Origin::new(slowly(fields));
        let node = Node::with(&origin.url(), "");
        assert_eq!(both(&node, "/tv/key.bin"), ["s=A", "s=B"], "{fields}");
    }
    let origin = Origin::new(slowly("Cache-Control: max-age=60\r\n"));
    let node = Node::with(&origin.url(), "");
    assert_eq!(both(&node, "/tv/shared"), ["s=A", "s=A"], "one request for all");
}

#[test]
fn what_is_fetched_beside_a_stale_answer_is_for_nobody_else() {
    let origin = Origin::new(|asked, reply| {
        if asked.before == 0 {
            let fields = "Cache-Control: public, max-age=1, stale-while-revalidate=60\r\n\
                          ETag: \"1\"\r\n";
            return reply.answer("200 OK", fields, "public");
        }
        thread::sleep(Duration::from_millis(400));
        let fields = "Cache-Control: private\r\nSet-Cookie: sid=1\r\n";
        reply.answer("200 OK", fields, viewer(asked));
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/page").is("public");
    thread::sleep(Duration::from_millis(1300));
    node.get_with("/tv/page", "Authorization: Bearer A\r\n").is("public");
    let got = node.get_with("/tv/page", "Cache-Control: max-age=0\r\n");
    got.is("nobody");
}

/// An origin that says who asked, and confirms it to anybody with these fields.
fn confirms(wait: u64, fields: &'static str) -> Origin {
    Origin::new(move |asked, reply| {
        if asked.field("if-none-match").is_none() {
            let fields = "Cache-Control: no-cache\r\nETag: \"1\"\r\n";
            return reply.answer("200 OK", fields, viewer(asked));
        }
        thread::sleep(Duration::from_millis(wait));
        reply.send(format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n"));
    })
}

#[test]
fn a_confirmation_that_says_private_is_for_who_asked() {
    let origin = confirms(400, "Cache-Control: private\r\nX-User: A\r\n");
    let node = Node::with(&origin.url(), "");
    node.get("/tv/list").is("nobody");
    assert_eq!(both(&node, "/tv/list"), ["nobody", "s=B"]);
}

#[test]
fn rfc_9111_4_3_4_a_confirmation_may_say_that_it_varies() {
    let origin = confirms(0, "Vary: Cookie\r\nCache-Control: max-age=60\r\n");
    let node = Node::with(&origin.url(), "");
    for _ in 0..2 {
        node.get_with("/tv/list", "Cookie: s=A\r\n").is("s=A");
    }
    node.get_with("/tv/list", "Cookie: s=B\r\n").is("s=B");
}

#[test]
fn a_page_is_not_told_what_is_stored_by_only_if_cached() {
    let origin = Origin::new(|_, reply| reply.answer("200 OK", "", "new"));
    let node = Node::with(&origin.url(), "");
    node.get_with("/tv/a", "Cache-Control: only-if-cached\r\n").is_trouble(504, "not");
    let page = "Cache-Control: only-if-cached\r\nOrigin: https://page.example\r\n";
    node.get_with("/tv/a", page).is("new");
}

#[test]
fn who_is_denied_the_rest_takes_it_from_nobody() {
    let body = pattern(3_000_000);
    let origin = Origin::new(move |asked, reply| {
        if asked.field("cookie") == Some("s=ENDED") {
            thread::sleep(Duration::from_millis(400));
            return reply.answer("403 Forbidden", "", "no");
        }
        reply.file(asked, "\"1\"", &body);
    });
    let node = Node::with(&origin.url(), "");
    node.range("/tv/film", 0, 99_999).is_status(206, &pattern(3_000_000)[..100_000]);
    thread::scope(|scope| {
        let ended = scope.spawn(|| node.get_with("/tv/film", "Cookie: s=ENDED\r\n"));
        thread::sleep(Duration::from_millis(150));
        node.get_with("/tv/film", "Cookie: s=OK\r\n").is(pattern(3_000_000));
        let ended = ended.join().expect("an end");
        assert!(!ended.whole || ended.status == 403, "{}", ended.head);
    });
}
