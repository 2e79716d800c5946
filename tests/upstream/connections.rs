//! Connections to an origin: kept, used again, and given up when they are dead.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use nix::sys::socket::{setsockopt, sockopt};

use crate::node::Node;
use crate::origin::{Gate, Origin, nobody};
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
    // The one that was kept may be dead: the player would have to be told so.
    let got = player::request(node.port, ("POST", "/tv/licence"), "", b"challenge");
    got.is("one");
    let asked = origin.about("/licence");
    assert_eq!((asked.len(), asked[0].connection, asked[0].turn), (1, 1, 0));
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

#[test]
fn of_connections_that_fell_silent_one_is_tried_and_then_a_new_one() {
    let gate = Gate::default();
    let open = gate.clone();
    // What was open when the line changed never says anything again.
    let origin = Origin::new(move |asked, reply| match (asked.path(), asked.turn) {
        ("/last", 1..) => reply.wait_for_leaving(),
        ("/last", _) => reply.answer("200 OK", "", "here"),
        _ => {
            open.wait();
            reply.answer("200 OK", "", "one");
        }
    });
    let node = Node::with(&origin.url(), "timeout = \"1 s\"");
    let port = node.port;
    let ask = |number| std::thread::spawn(move || player::get(port, &format!("/tv/{number}"), ""));
    let players: Vec<_> = (0..6).map(ask).collect();
    origin.wait_for("/", 6);
    gate.open();
    players.into_iter().for_each(|player| player.join().expect("a reply").is("one"));
    node.get("/tv/last").is("here");
    assert_eq!((origin.connections(), origin.about("/last").len()), (7, 2));
}

#[test]
fn a_request_that_never_arrives_goes_out_again_long_before_the_timeout() {
    let at = ("127.0.0.1", nobody());
    let listener = TcpListener::bind(at).expect("a free port");
    // A kernel that takes no more is as one that hears nothing.
    setsockopt(&listener, sockopt::RcvBuf, &2048).expect("a socket");
    let origin = std::thread::spawn(move || {
        let answer = |stream: &mut TcpStream, body: &str| {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut room = [0; 4096];
                let count = stream.read(&mut room).expect("a request");
                head.extend_from_slice(&room[..count]);
            }
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{body}").expect("sent");
        };
        let (mut first, _) = listener.accept().expect("a connection");
        answer(&mut first, "one");
        let (mut second, _) = listener.accept().expect("another connection");
        answer(&mut second, "two");
    });
    let node = Node::with(&format!("http://127.0.0.1:{}/", at.1), "timeout = \"60 s\"");
    node.get("/tv/1").is("one");
    node.get_with("/tv/2", &format!("X-Long: {}\r\n", "x".repeat(24_000))).is("two");
    origin.join().expect("both were asked");
}

#[test]
fn an_origin_that_is_slow_on_a_kept_connection_is_asked_once() {
    let origin = Origin::new(|asked, reply| {
        if asked.turn > 0 {
            std::thread::sleep(std::time::Duration::from_millis(2500));
        }
        reply.answer("200 OK", "", &asked.target);
    });
    let node = Node::with(&origin.url(), "");
    node.get("/tv/1").is("/1");
    node.get("/tv/2").is("/2");
    assert_eq!((origin.connections(), origin.asked().len()), (1, 2));
}

#[test]
fn rfc_9110_8_6_a_post_without_a_body_says_so() {
    let origin = Origin::new(|asked, reply| match asked.field("content-length") {
        Some("0") => reply.answer("200 OK", "", "ok"),
        _ => reply.answer("411 Length Required", "", ""),
    });
    let node = Node::with(&origin.url(), "");
    player::request(node.port, ("POST", "/tv/a"), "Content-Length: 0\r\n", b"").is("ok");
}
