//! Connections to an origin: kept, used again, and given up when they are dead.

use crate::node::Node;
use crate::origin::Origin;
use crate::player;

#[test]
fn one_connection_serves_one_request_after_the_other() {
    let origin = Origin::new(|asked, reply| {
        reply.answer("200 OK", "Cache-Control: max-age=60\r\n", &asked.target);
    });
    let node = Node::with(&origin.url(), "");
    for number in 0..8 {
        node.get(&format!("/tv/{number}")).is(format!("/{number}"));
    }
    assert_eq!((origin.connections(), origin.asked().len()), (1, 8));
    let turns: Vec<_> = origin.asked().iter().map(|asked| asked.turn).collect();
    assert_eq!(turns, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_connection_is_kept_after_chunks_errors_and_heads_but_not_after_close() {
    let origin = Origin::new(|asked, reply| match asked.path() {
        "/chunks" => {
            reply
                .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        }
        "/gone" => reply.answer("404 Not Found", "", "no"),
        "/head" => {
            reply.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        }
        "/early" => {
            reply.send("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
            reply.answer("200 OK", "", "late");
        }
        "/close" => {
            reply.answer("200 OK", "Connection: close\r\n", "bye");
            reply.close();
        }
        _ => reply.answer("200 OK", "", "ok"),
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/chunks").is("abc");
    node.get("/tv/gone").is_status(404, "no");
    let head = player::open(node.port, ("HEAD", "/tv/head"), "", b"");
    assert!(head.head.contains("Content-Length: 1000"), "{}", head.head);
    node.get("/tv/early").is("late");
    node.get("/tv/close").is("bye");
    assert_eq!(origin.connections(), 1);
    node.get("/tv/after").is("ok");
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_dead_connection_is_replaced_for_get() {
    // The origin takes the request and hangs up without a word, as when both cross on the way.
    let origin = Origin::new(|asked, reply| {
        if asked.turn > 0 { reply.reset() } else { reply.answer("200 OK", "", &asked.target) }
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/1").is("/1");
    node.get("/tv/2").is("/2");
    assert_eq!((origin.connections(), origin.about("/2").len()), (2, 2));
}

#[test]
fn a_dead_connection_is_replaced_once_only() {
    let origin = Origin::new(|asked, reply| {
        if asked.path() == "/1" { reply.answer("200 OK", "", "one") } else { reply.reset() }
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/1").is("one");
    node.get("/tv/2").is_trouble(502, "broke the connection");
    assert_eq!(origin.about("/2").len(), 2);
}

#[test]
fn rfc_9110_9_2_2_a_post_is_not_sent_twice() {
    let origin =
        Origin::new(
            |asked, reply| {
                if asked.turn > 0 { reply.reset() } else { reply.answer("200 OK", "", "one") }
            },
        );
    let node = Node::with(&origin.url(), "");
    node.get("/tv/1").is("one");
    let got = player::request(node.port, ("POST", "/tv/licence"), "", b"challenge");
    got.is_trouble(502, "broke the connection");
    let asked = origin.about("/licence");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body, b"challenge");
}

#[test]
fn a_connection_that_the_origin_closed_while_idle_is_not_used() {
    let origin = Origin::new(|asked, reply| reply.answer("200 OK", "", &asked.target));
    let node = Node::with(&origin.url(), "");
    node.get("/tv/1").is("/1");
    origin.hang_up();
    let got = player::request(node.port, ("POST", "/tv/2"), "", b"x");
    got.is("/2");
    assert_eq!((origin.connections(), origin.asked().len()), (2, 2));
}

#[test]
fn bytes_that_nobody_asked_for_never_answer_the_next_request() {
    let origin = Origin::new(|asked, reply| {
        if asked.path() == "/1" {
            reply.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\n");
            reply.send("Content-Length: 4\r\n\r\nevil");
        } else {
            reply.answer("200 OK", "", "two");
        }
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/1").is("one");
    node.get("/tv/2").is("two");
}
