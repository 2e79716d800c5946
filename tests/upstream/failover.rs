//! Several base URLs: the next one when one fails, and back to the first.

use crate::node::Node;
use crate::origin::{Origin, nobody, until};

fn pair(first: &str, second: &Origin, more: &str) -> Node {
    let urls = format!("url = [\"{first}\", \"{}\"]\n{more}\n", second.url());
    Node::configured(&format!("[[origin]]\nname = \"tv\"\n{urls}"))
}

fn good(name: &'static str) -> Origin {
    Origin::new(move |_, reply| reply.answer("200 OK", "Cache-Control: no-store\r\n", name))
}

#[test]
fn a_refused_connection_moves_to_the_next_url_and_back_when_it_works_again() {
    let second = good("second");
    let port = nobody();
    let node = pair(&format!("http://127.0.0.1:{port}/"), &second, "");
    node.get("/tv/a").is("second");
    assert_eq!(node.status()["origins"][0]["health"], "degraded");
    let first = Origin::at(port, |_, reply| {
        reply.answer("200 OK", "Cache-Control: no-store\r\n", "first");
    });
    until("the first to be used again", || {
        let got = node.get("/tv/a");
        assert_eq!(got.status, 200);
        (got.body == b"first").then_some(())
    });
    assert!(first.connections() > 0);
    assert_eq!(node.status()["origins"][0]["health"], "good");
}

#[test]
fn server_errors_move_to_the_next_url() {
    for status in [500, 502, 503, 504] {
        let first = Origin::new(move |_, reply| reply.answer(&format!("{status} No"), "", "no"));
        let second = good("second");
        let node = pair(&first.url(), &second, "");
        node.get("/tv/a").is("second");
        node.get("/tv/b").is("second");
        // It is spared for a second: the next request does not pay for it again.
        assert_eq!(first.asked().len(), 1, "{status}");
        assert_eq!(node.metric("neap_origin_failovers_total"), 1);
    }
}

#[test]
fn silence_moves_to_the_next_url() {
    let first = Origin::new(|_, reply| reply.wait_for_leaving());
    let second = good("second");
    let node = pair(&first.url(), &second, "timeout = \"300 ms\"");
    node.get("/tv/a").is("second");
}

#[test]
fn what_is_missing_at_one_url_is_looked_for_at_the_others() {
    let first = Origin::new(|asked, reply| match asked.path() {
        "/a" => reply.answer("404 Not Found", "", "first"),
        _ => reply.answer("200 OK", "Cache-Control: no-store\r\n", "first"),
    });
    let second = Origin::new(|asked, reply| match asked.path() {
        "/a" if asked.before == 0 => {
            reply.answer("200 OK", "Cache-Control: no-store\r\n", "second");
        }
        _ => reply.answer("404 Not Found", "", "second"),
    });
    let node = pair(&first.url(), &second, "");
    node.get("/tv/a").is("second");
    node.get("/tv/b").is("first");
    assert_eq!(node.status()["origins"][0]["health"], "good", "neither has failed");
    node.get("/tv/a").is_status(404, "second");
    assert_eq!((first.asked().len(), second.asked().len()), (3, 2));
}

#[test]
fn what_is_missing_stays_missing_where_no_other_url_works() {
    let first = Origin::new(|_, reply| reply.answer("404 Not Found", "", "gone"));
    let second = Origin::new(|_, reply| reply.answer("500 No", "", "no"));
    let node = pair(&first.url(), &second, "");
    for _ in 0..2 {
        node.get("/tv/a").is_status(404, "gone");
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    let dead = format!("http://127.0.0.1:{}/", nobody());
    let urls = format!("url = [\"{}\", \"{dead}\"]\n", first.url());
    let node = Node::configured(&format!("[[origin]]\nname = \"tv\"\n{urls}"));
    node.get("/tv/a").is_status(404, "gone");
}

#[test]
fn when_all_fail_each_is_asked_once_and_the_last_answer_is_the_players() {
    let first = Origin::new(|_, reply| reply.answer("500 No", "", "first"));
    let second = Origin::new(|_, reply| reply.answer("503 No", "Retry-After: 7\r\n", "second"));
    let node = pair(&first.url(), &second, "");
    let got = node.get("/tv/a");
    got.is_status(503, "second");
    assert_eq!(got.field("retry-after"), Some("7"));
    assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
    let status = node.status();
    assert_eq!(status["origins"][0]["health"], "failing");
    let sentences = [500, 503]
        .map(|n| format!("tv: The origin answers with an error of its own: {n}. Last: /a"));
    assert_eq!(status["faults"][1]["text"], sentences[0]);
    assert_eq!(status["faults"][0]["text"], sentences[1]);
    node.logged(&["tv/a: it answers 503"]);
}

#[test]
fn a_post_does_not_move() {
    let first = Origin::new(|_, reply| reply.answer("503 No", "", "first"));
    let second = good("second");
    let node = pair(&first.url(), &second, "");
    crate::player::request(node.port, ("POST", "/tv/a"), "", b"x").is_status(503, "first");
    assert_eq!(second.asked().len(), 0);
}

#[test]
fn a_download_that_breaks_goes_on_at_the_next_url() {
    let body = crate::origin::pattern(300_000);
    let (one, other) = (body.clone(), body.clone());
    let first = Origin::new(move |_, reply| {
        reply.send("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 300000\r\n\r\n");
        reply.send(&one[..100_000]);
        reply.close();
    });
    let second = Origin::new(move |asked, reply| reply.file(asked, "\"a\"", &other));
    let node = pair(&first.url(), &second, "");
    node.get("/tv/a.ts").is(&body);
    assert!(second.asked()[0].range(300_000).is_some_and(|(first, _)| first > 0));
}
