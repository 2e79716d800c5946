//! What origins do wrong: a status, a sentence, in time.

use crate::node::Node;
use crate::origin::{Gate, Origin, nobody, pattern};

const SHORT: &str = "timeout = \"300 ms\"";

#[test]
fn a_name_without_an_address_is_a_502() {
    let node = Node::with("http://nowhere.invalid/", "timeout = \"6 s\"");
    let got = node.get("/tv/a");
    got.is_trouble(502, "name has no address");
    node.logged(&["<4>", "cannot resolve nowhere.invalid"]);
}

#[test]
fn a_port_where_nobody_listens_is_a_502() {
    let node = Node::with(&format!("http://127.0.0.1:{}/", nobody()), "");
    node.get("/tv/a?secret=1").is_trouble(502, "does not accept connections");
    let line = node.logged(&["<4>", "tv/a", "cannot connect", "refused"]);
    assert!(!line.contains("secret"), "{line}");
    assert_eq!(node.status()["origins"][0]["health"], "failing");
}

#[test]
fn an_origin_that_never_accepts_is_a_504() {
    // A full backlog drops what comes, as a dead host does.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let at = listener.local_addr().expect("bound");
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).expect("zero"))
        .expect("a listener");
    let mut filling = Vec::new();
    let wait = std::time::Duration::from_millis(200);
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&at, wait) {
        filling.push(stream);
        assert!(filling.len() < 64, "the backlog has no end");
    }
    let node = Node::with(&format!("http://{at}/"), SHORT);
    node.get("/tv/a").is_trouble(504, "did not answer in time");
    node.logged(&["<4>", "no connection to 127.0.0.1 within"]);
}

#[test]
fn silence_before_the_first_byte_is_a_504() {
    let origin = Origin::new(|_, reply| reply.wait_for_leaving());
    let node = Node::with(&origin.url(), SHORT);
    node.get("/tv/a").is_trouble(504, "did not answer in time");
    node.logged(&["<4>", "nothing came within 300 ms (the origin's timeout)"]);
}

#[test]
fn silence_that_ends_while_the_player_waits_is_no_error() {
    let origin = Origin::new(|asked, reply| match asked.before {
        0 | 1 => reply.wait_for_leaving(),
        _ => reply.answer("200 OK", "", "late"),
    });
    let node = Node::with(&origin.url(), SHORT);
    node.get("/tv/a").is("late");
    assert_eq!(origin.asked().len(), 3);
    assert_eq!(node.metric("neap_origin_failures_total"), 2);
    assert_eq!(node.metric("neap_player_errors_total"), 0);
}

#[test]
fn silence_that_outlasts_a_resumption_does_not_cut_the_player() {
    let body = pattern(300_000);
    let whole = body.clone();
    let origin = Origin::new(move |asked, reply| match asked.before {
        0 => {
            reply.send("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 300000\r\n\r\n");
            reply.send(&whole[..100_000]);
            reply.wait_for_leaving();
        }
        1 => reply.wait_for_leaving(),
        _ => reply.file(asked, "\"a\"", &whole),
    });
    Node::with(&origin.url(), SHORT).get("/tv/a.ts").is(&body);
    assert_eq!(origin.asked().len(), 3);
}

#[test]
fn silence_within_the_head_is_a_504() {
    let origin = Origin::new(|_, reply| {
        reply.send("HTTP/1.1 200 OK\r\nContent-Le");
        reply.wait_for_leaving();
    });
    let node = Node::with(&origin.url(), SHORT);
    node.get("/tv/a").is_trouble(504, "did not answer in time");
}

#[test]
fn silence_in_the_middle_cuts_the_player_and_keeps_nothing() {
    let origin = Origin::new(|asked, reply| {
        if asked.before > 0 {
            return reply.answer("200 OK", "Cache-Control: max-age=60\r\n", "whole");
        }
        reply.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nwh");
        reply.wait_for_leaving();
    });
    let node = Node::with(&origin.url(), SHORT);
    let got = node.get("/tv/a");
    assert_eq!((got.status, got.whole, &*got.body), (200, false, &b"wh"[..]));
    node.logged(&["<4>", "broke off", "nothing came within 300 ms (the origin's timeout)"]);
    node.get("/tv/a").is("whole");
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn a_slow_origin_that_goes_on_is_waited_for() {
    let origin = Origin::new(|_, reply| {
        reply.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
        for _ in 0..6 {
            // Each byte comes well within the time, all of them far beyond it.
            std::thread::sleep(std::time::Duration::from_millis(150));
            reply.send("x");
        }
    });
    let node = Node::with(&origin.url(), "timeout = \"500 ms\"");
    node.get("/tv/a").is("xxxxxx");
}

#[test]
fn a_reset_is_a_502() {
    let origin = Origin::new(|_, reply| reply.reset());
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is_trouble(502, "broke the connection");
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn what_is_no_http_is_a_502() {
    let many = "X: y\r\n".repeat(1200);
    let long = format!("X: {}\r\n", "y".repeat(40_000));
    for (what, answer) in [
        ("status line", "HTTP/1.1 two OK\r\n\r\n".to_owned()),
        ("version", "HTTP/3 200 OK\r\n\r\n".to_owned()),
        ("garbage", "\u{1}\u{2}\u{3} not a word of HTTP\r\n\r\n".to_owned()),
        ("html", "<html><body>hello</body></html>\r\n\r\n".to_owned()),
        ("nul", "HTTP/1.1 200 OK\r\nA: b\0\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned()),
        ("lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx".to_owned()),
        ("coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, x\r\n\r\n".to_owned()),
        ("many", format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n")),
        ("long", format!("HTTP/1.1 200 OK\r\n{long}Content-Length: 0\r\n\r\n")),
    ] {
        let origin = Origin::new(move |_, reply| {
            reply.send(&answer);
            reply.close();
        });
        let node = Node::with(&origin.url(), SHORT);
        let got = node.get("/tv/a");
        assert_eq!(got.status, 502, "{what}: {}{}", got.head, got.text());
        got.is_trouble(502, "not valid HTTP");
        node.logged(&["<4>", "tv/a"]);
    }
}

#[test]
fn what_every_player_understands_is_no_fault() {
    let many = "X: y\r\n".repeat(120);
    let five = "Content-Length: 5\r\n\r\nhello";
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (what, answer) in [
        ("length twice", format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{five}")),
        ("length list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello".to_owned()),
        (
            "both",
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n{chunked}\r\n5\r\nhello\r\n0\r\n\r\n"
            ),
        ),
        ("bare LF", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello".to_owned()),
        ("blank", format!("HTTP/1.1 200 OK\r\nServer : x\r\n{five}")),
        ("fold", format!("HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n{five}")),
        ("name", format!("HTTP/1.1 200 OK\r\nBad Name: x\r\n{five}")),
        ("no colon", format!("HTTP/1.1 200 OK\r\nnonsense\r\n{five}")),
        ("control", format!("HTTP/1.1 200 OK\r\nX-A: a\u{1}b\r\n{five}")),
        ("many", format!("HTTP/1.1 200 OK\r\n{many}{five}")),
        ("padded", format!("HTTP/1.1 200 OK\r\n{chunked}\r\n5  \r\nhello\r\n0\r\n\r\n")),
    ] {
        let origin = Origin::new(move |_, reply| {
            reply.send(&answer);
        });
        let node = Node::with(&origin.url(), SHORT);
        let got = node.get("/tv/a");
        assert_eq!(got.status, 200, "{what}: {}{}", got.head, got.text());
        got.is("hello");
        assert!(got.head.matches("ontent-").count() <= 1, "{what}: {}", got.head);
        // What came with two lengths ends its connection.
        node.get("/tv/b").is("hello");
        assert_eq!(origin.connections(), if what == "both" { 2 } else { 1 }, "{what}");
    }
}

#[test]
fn an_end_without_a_word_is_a_502() {
    let origin = Origin::new(|_, reply| reply.close());
    let node = Node::with(&origin.url(), "");
    node.get("/tv/a").is_trouble(502, "broke the connection");
}

#[test]
fn an_origin_that_is_down_is_tried_once_for_all_who_wait() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::new(move |_, reply| {
        open.wait();
        reply.reset();
    });
    let node = Node::with(&origin.url(), "");
    let players = crowd(&node, 64);
    gate.open();
    for player in players {
        player.join().expect("a reply").is_trouble(502, "broke the connection");
    }
    assert_eq!(origin.asked().len(), 1);
    assert_eq!(node.metric("neap_origin_requests_total"), 1);
    assert_eq!(node.metric("neap_player_errors_total"), 64);
}

#[test]
fn the_same_fault_is_counted_in_the_log_and_not_repeated() {
    let node = Node::with(&format!("http://127.0.0.1:{}/", nobody()), "");
    for _ in 0..20 {
        node.get("/tv/a").is_trouble(502, "does not accept");
    }
    node.logged(&["cannot connect"]);
    assert!(node.said(&["cannot connect"]) <= 2, "{}", node.log());
}

#[test]
fn an_origin_that_errs_is_asked_once_for_all_who_wait() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::new(move |_, reply| {
        open.wait();
        reply.answer("503 No", "Retry-After: 1\r\n", "overloaded");
    });
    let node = Node::with(&origin.url(), "");
    let players = crowd(&node, 64);
    gate.open();
    let got: Vec<_> = players.into_iter().map(|p| p.join().expect("a reply")).collect();
    assert!(got.iter().all(|got| got.status == 503 && got.whole));
    assert_eq!(got.iter().filter(|got| got.body == b"overloaded").count(), 1);
    assert_eq!(origin.asked().len(), 1);
}

/// So many players that ask for one thing and wait.
fn crowd(node: &Node, count: u64) -> Vec<std::thread::JoinHandle<crate::player::Got>> {
    let port = node.port;
    let ask = |_| std::thread::spawn(move || crate::player::get(port, "/tv/a", ""));
    let players = (0..count).map(ask).collect();
    let all = || (node.metric("neap_requests_total") == count).then_some(());
    crate::origin::until("all to wait", all);
    players
}
