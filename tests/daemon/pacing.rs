//! Hits of media segments go out at a pace, and nobody is kept by it.

use std::time::Duration;

use neap::host::clock;
use nix::sys::signal::Signal;

use super::daemon::{Daemon, Setup};
use super::origin::{Origin, bytes, ok};
use super::wait::until;

/// Bytes of a segment, which plays a second.
const SEGMENT: usize = 600_000;

const FRESH: &str = "Cache-Control: max-age=60";

const HEALTHY: &str = "CMCD-Request: bl=20000\r\nCMCD-Object: ot=v\r\n";

fn stream() -> Origin {
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n1.ts\n#EXT-X-ENDLIST\n";
    let lines = format!("{FRESH}\nContent-Type: application/vnd.apple.mpegurl");
    let origin = Origin::with("/p.m3u8", ok(&lines, list));
    origin.on("/1.ts", ok(FRESH, bytes(1, SEGMENT)));
    origin
}

/// A daemon that has the segment, and gives it at so many times what it plays at.
fn paced(origin: &Origin, pacing: &str) -> Daemon {
    let player = format!("pacing = \"{pacing}\"");
    let daemon = Setup { player, ..Setup::default() }.start(origin);
    assert_eq!(daemon.get("/o/p.m3u8").expect(200).field("cmsd-dynamic"), None);
    assert!(!daemon.get_with("/o/1.ts", HEALTHY).expect(200).is_hit());
    daemon
}

#[test]
fn a_hit_takes_the_time_that_its_pace_says() {
    let origin = stream();
    let daemon = paced(&origin, "2x");
    let begun = clock::now();
    let reply = daemon.get_with("/o/1.ts", HEALTHY).expect(200);
    let took = clock::now() - begun;
    assert!(reply.is_hit() && reply.body == bytes(1, SEGMENT));
    assert_eq!(reply.field("cmsd-dynamic"), Some("\"neap\";etp=9600"));
    // The last write, and what the system's buffers hold, need not wait.
    assert!(took >= Duration::from_millis(300), "{took:?}");
    let urgent = daemon.get_with("/o/1.ts", "CMCD-Request: bl=0,su\r\n").expect(200);
    assert!(urgent.is_hit() && urgent.field("cmsd-dynamic").is_none());
}

#[test]
fn a_reload_switches_it_off() {
    let origin = stream();
    let daemon = paced(&origin, "2x");
    let off = Setup { player: "pacing = \"off\"".into(), ..Setup::default() };
    daemon.rewrite(&off.file(&origin, &daemon.player.to_string()));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("reload: player.pacing changed");
    let unpaced = || {
        let reply = daemon.get_with("/o/1.ts", HEALTHY).expect(200);
        reply.field("cmsd-dynamic").is_none().then_some(())
    };
    until("hits go out at once", unpaced);
}

#[test]
fn a_player_that_leaves_is_not_waited_for() {
    let origin = stream();
    let daemon = paced(&origin, "1.5x");
    let mut player = daemon.connect();
    player.ask("/o/1.ts", HEALTHY);
    assert_eq!(player.head().status, 200);
    player.reset();
    daemon.wait_log("ended early");
}

#[test]
fn a_shutdown_waits_for_no_pace() {
    let origin = stream();
    let mut daemon = paced(&origin, "1.5x");
    let mut player = daemon.connect();
    player.ask("/o/1.ts", HEALTHY);
    let head = player.head();
    daemon.signal(Signal::SIGTERM);
    let reply = player.rest_of(head, "GET").expect(200);
    assert_eq!(reply.body, bytes(1, SEGMENT));
    assert!(daemon.wait_end().success());
}

#[test]
fn what_a_player_says_of_itself_goes_on_to_the_origin_as_it_was_sent() {
    let origin = stream();
    let daemon = Daemon::new(&origin);
    let target = "/o/1.ts?CMCD=bl%3D20000%2Csid%3D%22a%22&token=1";
    assert!(!daemon.get_with(target, HEALTHY).expect(200).is_hit());
    let seen = &origin.seen("/1.ts")[0];
    assert_eq!(seen.target, "/1.ts?CMCD=bl%3D20000%2Csid%3D%22a%22&token=1");
    assert_eq!(seen.field("cmcd-request"), Some("bl=20000"));
    assert_eq!(seen.field("cmcd-object"), Some("ot=v"));
    // It says nothing about what is asked for.
    assert!(daemon.get("/o/1.ts?CMCD=bl%3D1&token=1").expect(200).is_hit());
}
