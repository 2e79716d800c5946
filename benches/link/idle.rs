//! What an idle QUIC connection holds: resident memory of both ends of some, in one process.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use neap::host::clock;
use neap::net::ground::door::Door;
use neap::net::ground::reactor::Reactor;
use neap::net::peer::identity::Identity;
use neap::net::peer::quic::endpoint::Quic;
use neap::net::peer::quic::terms::Terms;
use neap::net::peer::secure::Secure;
use neap::store::rows::{Options, Store};
use smol::{LocalExecutor, Timer};

/// Connections before the first look, and after it: as many as one prefix may begin at once.
const COUNTS: (usize, usize) = (4, 24);

/// Prints KiB for each end of a connection that stands and says nothing.
pub(crate) fn run() {
    let (executor, reactor) = (Rc::new(LocalExecutor::new()), Reactor::new().expect("a reactor"));
    let door = Door {
        submit: Rc::new(|_| ()),
        now: clock::now,
        wall: clock::date,
        date: clock::trusted_date,
        store: Store::new(Options { memory: 1 << 20, path: None }),
        executor: Rc::clone(&executor),
        reactor: Rc::clone(&reactor),
    };
    let bound = || {
        let secure = Secure::raw(&Identity::passing().expect("a key")).expect("TLS");
        let terms = Rc::new(Terms::new(&secure).expect("terms"));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Quic::bind(any, &terms, &door).expect("a port")
    };
    let (near, far) = (bound(), bound());
    far.open(true);
    let address = far.address().expect("bound");
    reactor.run(&executor, async {
        let mut held = Vec::new();
        let mut first = 0;
        for number in 0..COUNTS.0 + COUNTS.1 {
            if number == COUNTS.0 {
                Timer::after(Duration::from_secs(2)).await;
                first = resident();
            }
            let dialled = near.dial(address).expect("begun");
            let arrival = far.arrival().await;
            dialled.stands().await.expect("it stands");
            arrival.hold.stands().await.expect("it stands");
            held.push((dialled, arrival.hold));
        }
        Timer::after(Duration::from_secs(2)).await;
        let kib = resident().saturating_sub(first);
        let each = kib as f64 / (2 * COUNTS.1) as f64;
        println!("{} connections: {kib} KiB, {each:.1} KiB for each end", COUNTS.1);
    });
}

/// KiB of anonymous memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("Linux 4.5");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
