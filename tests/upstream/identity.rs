//! What makes two requests one: the query without tokens and without CMCD, and `Vary`.

use crate::node::Node;
use crate::origin::{Gate, Origin};

fn echo() -> Origin {
    Origin::new(|asked, reply| {
        reply.answer("200 OK", "Cache-Control: max-age=60\r\n", asked.path());
    })
}

#[test]
fn cta_5004_cmcd_splits_no_cache_and_reaches_the_origin() {
    let origin = echo();
    let node = Node::with(&origin.url(), "");
    let cmcd = "CMCD=bl%3D21300%2Csid%3D%22a%22";
    node.get(&format!("/tv/a.ts?{cmcd}")).is("/a.ts");
    for path in ["/tv/a.ts", "/tv/a.ts?CMCD=bl%3D1", "/tv/a.ts?CMCD="] {
        let got = node.get(path);
        got.is("/a.ts");
        assert!(got.is_hit(), "{path}: {}", got.note());
    }
    node.get_with("/tv/a.ts", "CMCD-Request: bl=4\r\n").is("/a.ts");
    assert_eq!(origin.asked().len(), 1);
    assert_eq!(origin.asked()[0].target, format!("/a.ts?{cmcd}"));
    node.get_with("/tv/b.ts", "CMCD-Request: bl=4\r\nCMCD-Session: sid=\"x\"\r\n").is("/b.ts");
    assert_eq!(origin.about("/b.ts")[0].field("cmcd-request"), Some("bl=4"));
}

#[test]
fn tokens_share_one_entry_and_each_request_carries_its_own() {
    let origin = Origin::new(|asked, reply| {
        reply.answer("200 OK", "ETag: \"a\"\r\nCache-Control: max-age=0\r\n", asked.path());
    });
    let node = Node::with(&origin.url(), "ignore-query = [\"token\", \"e\"]");
    for viewer in ["one", "two", "three"] {
        node.get(&format!("/tv/a.ts?token={viewer}&q=1&e=9")).is("/a.ts");
    }
    let targets: Vec<_> = origin.asked().into_iter().map(|asked| asked.target).collect();
    let wanted = ["one", "two", "three"].map(|viewer| format!("/a.ts?token={viewer}&q=1&e=9"));
    assert_eq!(targets, wanted);
    // The second and third were confirmations of the one entry.
    assert_eq!(origin.asked()[2].field("if-none-match"), Some("\"a\""));
    node.get("/tv/a.ts?q=2").is("/a.ts");
    assert_eq!(origin.asked()[3].field("if-none-match"), None);
}

#[test]
fn a_token_that_the_origin_refuses_spoils_nothing_for_others() {
    let origin = Origin::new(|asked, reply| {
        if asked.target.contains("bad") {
            reply.answer("403 Forbidden", "", "no");
        } else {
            reply.answer("200 OK", "ETag: \"a\"\r\nCache-Control: max-age=60\r\n", "yes");
        }
    });
    let node = Node::with(&origin.url(), "ignore-query = [\"token\"]");
    node.get("/tv/a?token=bad").is_status(403, "no");
    node.get("/tv/a?token=good").is("yes");
    assert_eq!(origin.asked().len(), 2, "one viewer's refusal was another's answer");
}

#[test]
fn the_whole_query_may_be_ignored() {
    let origin = echo();
    let node = Node::with(&origin.url(), "ignore-query = \"*\"");
    for query in ["", "?a=1", "?b=2&c"] {
        node.get(&format!("/tv/a.ts{query}")).is("/a.ts");
    }
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn without_that_each_query_is_its_own() {
    let origin = echo();
    let node = Node::with(&origin.url(), "");
    for query in ["", "?a=1", "?a=2", "?A=1"] {
        node.get(&format!("/tv/a.ts{query}")).is("/a.ts");
        node.get(&format!("/tv/a.ts{query}")).is("/a.ts");
    }
    assert_eq!(origin.asked().len(), 4);
}

#[test]
fn rfc_9111_4_1_vary_tells_players_apart() {
    let origin = Origin::new(|asked, reply| {
        let fields = "Cache-Control: max-age=60\r\nVary: Accept-Language\r\n";
        reply.answer("200 OK", fields, asked.field("accept-language").unwrap_or("none"));
    });
    let node = Node::with(&origin.url(), "");
    for _ in 0..2 {
        for language in ["de", "fr"] {
            node.get_with("/tv/a", &format!("Accept-Language: {language}\r\n")).is(language);
        }
        node.get("/tv/a").is("none");
    }
    assert_eq!(origin.asked().len(), 3);
}

#[test]
fn those_who_wait_together_get_their_own_variant() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::new(move |asked, reply| {
        open.wait();
        let fields = "Cache-Control: max-age=60\r\nVary: Accept-Language\r\n";
        reply.answer("200 OK", fields, asked.field("accept-language").unwrap_or("none"));
    });
    let node = Node::with(&origin.url(), "");
    let port = node.port;
    let ask = |language: &'static str| {
        let fields = format!("Accept-Language: {language}\r\n");
        std::thread::spawn(move || crate::player::get(port, "/tv/a", &fields).is(language))
    };
    let players = ["de", "fr", "de", "it", "fr", "de"].map(ask);
    crate::origin::until("all to wait", || (node.metric("neap_requests_total") == 6).then_some(()));
    gate.open();
    for player in players {
        player.join().expect("its own language");
    }
}

#[test]
fn private_answers_are_for_one_player_each() {
    for fields in [
        "Cache-Control: private, max-age=60\r\n",
        "Set-Cookie: s=1\r\nCache-Control: max-age=60\r\n",
    ] {
        let gate = Gate::default();
        let open = gate.clone();
        let origin = Origin::new(move |asked, reply| {
            open.wait();
            reply.answer("200 OK", fields, asked.before.to_string());
        });
        let node = Node::with(&origin.url(), "");
        let port = node.port;
        let players: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(move || crate::player::get(port, "/tv/a", "")))
            .collect();
        let all = || (node.metric("neap_requests_total") == 4).then_some(());
        crate::origin::until("all to wait", all);
        gate.open();
        let mut got: Vec<_> =
            players.into_iter().map(|player| player.join().expect("a reply").text()).collect();
        got.sort();
        assert_eq!(got, ["0", "1", "2", "3"], "{fields}");
    }
}

#[test]
fn rfc_6265_5_4_a_cookie_for_a_folder_of_the_origin_comes_back() {
    let origin = Origin::new(|asked, reply| match asked.field("cookie") {
        Some("tok=abc") => reply.answer("200 OK", "", "in"),
        _ => {
            let fields = "Set-Cookie: tok=abc; Path=/live/; Domain=127.0.0.1; HttpOnly; Secure\r\n";
            reply.answer("200 OK", fields, "out");
        }
    });
    let node = Node::with(&format!("{}live/", origin.url()), "");
    let got = node.get("/tv/a.m3u8");
    got.is("out");
    assert_eq!(got.field("set-cookie"), Some("tok=abc; HttpOnly; Path=/tv/"));
    node.get_with("/tv/a.ts", "Cookie: tok=abc\r\n").is("in");
}
