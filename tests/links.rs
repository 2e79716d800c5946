//! What links hold while nothing is said over them: alone in its program, so that nothing else
//! is measured.

#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside the node: they have a clock and may wait for conditions"
)]
#![allow(unreachable_pub, reason = "the modules of one test program")]

#[path = "peers/node.rs"]
#[allow(dead_code, reason = "made for more than this")]
mod node;

use std::time::Duration;

use neap::node::peering::Peering;
use smol::Timer;

use node::{Ground, Node, settings, wait};

/// Anonymous memory of this process in bytes: what is held, without the program's own pages.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a figure");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

/// Both ends of a link are in this process, so each link counts twice.
#[test]
fn an_idle_link_holds_little() {
    let ground = Ground::new();
    ground.run(async {
        let hub = ground.node(settings());
        let join = async |count: usize| {
            let mut peers: Vec<Node> = Vec::new();
            for _ in 0..count {
                let peer = ground.node(settings());
                peer.dial(hub.address, None);
                peer.joined().await;
                peers.push(peer);
            }
            peers
        };
        // Code and allocators warm up with the first.
        let _first = join(4).await;
        let before = resident();
        let peers = join(24).await;
        wait("all links", || (hub.port.links() == 28).then_some(())).await;
        Timer::after(Duration::from_millis(20)).await;
        let each = resident().saturating_sub(before) / 48;
        println!("{} links of both ends: {each} bytes an end, with the port of each peer", 24);
        assert!(each <= 64 * 1024, "{each} bytes an idle link");
        assert_eq!(hub.count(|event| matches!(event, Peering::Gone { .. })), 0);
        drop(peers);
    });
}
