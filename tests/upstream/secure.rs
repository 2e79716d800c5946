//! TLS to an origin: versions, names, roots, and what is refused.

use std::io::{Read, Write};

use neap::base::time::Date;
use neap::host::clock;
use neap::net::origin::tls::Trust;

use crate::certificate::{Authority, Server, Wanted, self_signed};
use crate::node::{Folder, Node};
use crate::origin::{Gate, Origin, pattern, until};
use crate::player;

/// A node that trusts `authority` for the origin.
fn trusting(folder: &Folder, authority: &Authority, url: &str) -> Node {
    let path = folder.join("ca.pem");
    authority.write(&path);
    Node::with(url, &format!("ca = \"{}\"\ntimeout = \"2 s\"", path.display()))
}

fn origin(server: Server) -> Origin {
    Origin::secure(server, |asked, reply| reply.answer("200 OK", "", &asked.target))
}

#[test]
fn both_versions_of_tls_are_spoken_with_name_and_protocol() {
    for (only, shown) in
        [(&rustls::version::TLS12, "TLSv1_2"), (&rustls::version::TLS13, "TLSv1_3")]
    {
        let (folder, authority) = (Folder::new(), Authority::new("root"));
        let origin = origin(authority.server(&Wanted::good("localhost"), &[only]));
        let url = format!("https://localhost:{}/", origin.port);
        let node = trusting(&folder, &authority, &url);
        for number in 0..3 {
            node.get(&format!("/tv/{number}")).is(format!("/{number}"));
        }
        assert_eq!(origin.connections(), 1, "{shown}");
        let tls = origin.asked()[0].tls.clone().expect("TLS");
        assert_eq!(tls, format!("localhost http/1.1 {shown}"));
    }
}

#[test]
fn an_address_may_stand_in_a_certificate() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let origin = origin(authority.server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS));
    trusting(&folder, &authority, &origin.url()).get("/tv/a").is("/a");
}

#[test]
fn the_second_certificate_of_a_bundle_counts_as_well() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let origin = origin(authority.server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS));
    let bundle = Authority::new("other").pem() + &authority.pem();
    std::fs::write(folder.join("ca.pem"), bundle).expect("a file in the temp folder");
    let ca = format!("ca = \"{}\"", folder.join("ca.pem").display());
    Node::with(&origin.url(), &ca).get("/tv/a").is("/a");
}

/// A far origin, whose second object never comes to its end, and how many connections it has seen
/// once a player has left that in the middle and asked for the third.
fn connections_of_a_seek(far: u64) -> (u64, usize) {
    let (folder, authority, gate) = (Folder::new(), Authority::new("root"), Gate::default());
    let server = authority.server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS);
    let door = gate.clone();
    let origin = Origin::secure(server, move |asked, reply| {
        if asked.path() != "/2" {
            return reply.answer("200 OK", "", pattern(1000));
        }
        reply.send("HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n");
        reply.send(pattern(200_000));
        door.wait();
    });
    origin.set_far(far);
    let node = trusting(&folder, &authority, &origin.url());
    node.get("/tv/1").is(pattern(1000));
    let mut left = player::open(node.port, ("GET", "/tv/2"), "", b"");
    left.at_least(200_000);
    std::thread::sleep(std::time::Duration::from_millis(3 * far));
    let before = origin.connections();
    drop(left);
    origin.set_far(0);
    node.get("/tv/3").is(pattern(1000));
    let third = until("the third", || origin.about("/3").pop());
    gate.open();
    (before, third.connection)
}

#[test]
fn who_leaves_a_body_of_a_far_server_finds_another_connection_made() {
    assert_eq!(connections_of_a_seek(0), (1, 1), "one more as it is needed");
    assert_eq!(connections_of_a_seek(150), (2, 1), "it was made before");
}

const CERTIFICATE: &str = "The origin's certificate is refused: neap's log says why.";

const UNKNOWN: &str = "nobody that this device trusts signed the certificate: name its issuer";

/// What the player reads, and what the log says why.
fn refused(server: Server, authority: &Authority, (sentence, cause): (&str, &str)) {
    let folder = Folder::new();
    let origin = origin(server);
    let node = trusting(&folder, authority, &origin.url());
    node.get("/tv/a?token=1").is_trouble(502, sentence);
    let line = node.logged(&["<4>", "/a", cause]);
    assert!(!line.contains("token"), "{line}");
    assert_eq!(origin.asked().len(), 0);
    let status = node.status();
    assert_eq!(status["origins"][0]["health"], "failing", "{status}");
}

#[test]
fn a_port_that_speaks_no_tls_is_told_as_such() {
    let plain = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = plain.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in plain.incoming().flatten() {
            // As nginx answers what is no HTTP.
            let _ = (&stream).read(&mut [0; 512]);
            let _ = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let node = Node::with(&format!("https://{at}/"), "");
    node.get("/tv/a").is_trouble(502, "The origin's answer is not valid HTTP.");
    node.logged(&["<4>", "TLS with 127.0.0.1", "is it TLS that is spoken at this port?"]);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let root = Authority::new("root");
    let server = root.server(&Wanted::good("other.example"), rustls::ALL_VERSIONS);
    refused(
        server,
        &root,
        (CERTIFICATE, "the certificate is for other.example, not for 127.0.0.1"),
    );
}

#[test]
fn an_expired_certificate_is_refused() {
    let root = Authority::new("root");
    let server = root.server(&Wanted::expired("127.0.0.1"), rustls::ALL_VERSIONS);
    let sentence = "The certificate is not valid by this device's clock.";
    let cause = "the certificate ended on 01 Jan 2021 and this device's clock says ";
    refused(server, &root, (sentence, cause));
}

#[test]
fn a_self_signed_certificate_is_refused() {
    let unknown = (CERTIFICATE, UNKNOWN);
    refused(self_signed("127.0.0.1"), &Authority::new("root"), unknown);
}

#[test]
fn an_unknown_authority_is_refused() {
    let server = Authority::new("root").server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS);
    refused(server, &Authority::new("root of another"), (CERTIFICATE, UNKNOWN));
}

#[test]
fn the_certificate_of_an_authority_is_none_for_a_server() {
    let root = Authority::new("root");
    let cause = "it is the certificate of a CA itself: the server needs one that a CA signed";
    refused(root.itself(), &root, (CERTIFICATE, cause));
}

#[test]
fn a_ca_file_that_holds_nothing_is_a_502_with_its_name_in_the_log() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let origin = origin(authority.server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS));
    std::fs::write(folder.join("ca.pem"), "nothing").expect("a file in the temp folder");
    let ca = format!("ca = \"{}\"", folder.join("ca.pem").display());
    let node = Node::with(&origin.url(), &ca);
    node.get("/tv/a").is_trouble(502, "certificate");
    node.logged(&["ca.pem holds no certificate"]);
}

#[test]
fn a_server_that_speaks_no_tls_is_a_502() {
    let plain = Origin::new(|_, reply| reply.answer("200 OK", "", ""));
    let node = Node::with(&format!("https://127.0.0.1:{}/", plain.port), "timeout = \"300 ms\"");
    // The scripted origin waits for the end of a head that never comes; both ends are well.
    let got = node.get("/tv/a");
    assert!(matches!(got.status, 502 | 504), "{}", got.head);
    assert!(got.text().ends_with(".\n"), "{}", got.text());
}

#[test]
fn rfc_8446_6_1_a_body_without_length_that_ends_without_close_notify_is_truncated() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let server = authority.server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS);
    let origin = Origin::secure(server, |_, reply| {
        reply.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nhalf of");
        reply.close();
    });
    let node = trusting(&folder, &authority, &origin.url());
    let got = node.get("/tv/a");
    assert!(!got.whole, "an attacker's cut was passed off as the end: {}", got.head);
}

#[test]
fn a_box_that_boots_in_1970_reaches_its_origin() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let server = authority.server(&Wanted::good("127.0.0.1"), rustls::ALL_VERSIONS);
    let origin = origin(server);
    authority.write(&folder.join("ca.pem"));
    let shake_hands = |date: fn() -> Date, wall: fn() -> Option<Date>| {
        let trust = Trust::new(Some(&folder.join("ca.pem")), date, wall).expect("a readable file");
        smol::block_on(async {
            let stream = async_net::TcpStream::connect(("127.0.0.1", origin.port)).await;
            trust.secure("127.0.0.1", stream.expect("it listens")).await.map(drop)
        })
    };
    // What the daemon hands in is the later one of the system's date and the build's.
    assert!(clock::trusted_date() >= clock::BUILD_DATE);
    shake_hands(|| Date(12).max(clock::BUILD_DATE), || None).expect("a handshake");
    let says = "says 01 Jan 1970: set the clock";
    let unset = "is not set: neap takes the day it was built, 01 Jan 1970, instead: set the clock";
    let told = |wall: fn() -> Option<Date>, then: &str| {
        let refused = shake_hands(|| Date(12), wall).expect_err("1970 is before the certificate");
        let cause = format!("begins on 01 Jan 2020 and this device's clock {then}");
        assert!(refused.to_string().contains(&cause), "{refused}");
    };
    told(|| Some(Date(12)), says);
    told(|| None, unset);
}
