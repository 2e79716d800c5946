//! What trackers are told at the end, where one of them does not answer.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use neap::base::time::Date;
use neap::config::tracker::{Tracker, Way};
use neap::host::clock;
use neap::net::discovery::wan::Wan;
use neap::net::ground::door::Door;
use neap::store::rows::{Options, Store};
use neap::wire::tracker::announce::{Announce, Call, Event, InfoHash};

use crate::node::{Ground, TODAY, wait};

/// Heads of the requests that a tracker got.
type Heard = Arc<Mutex<Vec<String>>>;

/// A tracker over HTTP, which may leave goodbyes without an answer.
fn tracker(answers_goodbyes: bool) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let (at, heard) = (listener.local_addr().expect("bound"), Heard::default());
    let notes = Arc::clone(&heard);
    std::thread::spawn(move || {
        let mut left = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match stream.read(&mut byte) {
                    Ok(1) => head.push(byte[0]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let goodbye = head.contains("event=stopped");
            notes.lock().expect("no panic").push(head);
            if goodbye && !answers_goodbyes {
                left.push(stream);
                continue;
            }
            let body = "d8:intervali1800e5:peers0:e";
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (at, heard)
}

#[test]
fn a_tracker_that_does_not_answer_keeps_no_goodbye_from_the_others() {
    let ground = Ground::new();
    let answered = Rc::new(Cell::new(0));
    let counts = Rc::clone(&answered);
    let door = Door {
        submit: Rc::new(move |_| counts.set(counts.get() + 1)),
        now: clock::now,
        wall: || Some(TODAY),
        date: || Date(TODAY.0),
        store: Store::new(Options { memory: 1 << 20, path: None }),
        executor: Rc::clone(&ground.executor),
        reactor: Rc::clone(&ground.reactor),
    };
    let trackers = [tracker(false), tracker(true)];
    let named = |(at, _): &(SocketAddr, Heard)| Tracker {
        way: Way::Http,
        host: at.ip().to_string(),
        port: at.port(),
        target: "/announce".into(),
    };
    ground.run(async {
        let wan = Rc::new(Wan::new(door, trackers.iter().map(named).collect()));
        wan.open(4000);
        for tracker in 0..2 {
            let (hash, name) = (InfoHash([7; 20]), [8; 20]);
            let (wanted, event) = (9, Event::Started);
            let announce = Announce { hash, name, key: 1, port: 0, wanted, event };
            wan.order(Call { tracker, announce });
        }
        wait("both trackers' answers", || (answered.get() == 2).then_some(())).await;
        wan.leave().await;
        for (_, heard) in &trackers {
            let goodbye = |head: &String| head.contains("event=stopped");
            let told = || heard.lock().expect("no panic").iter().any(goodbye).then_some(());
            wait("a goodbye", told).await;
        }
    });
}
