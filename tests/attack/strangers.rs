//! Those who prove nothing: they hold places, they come in crowds, they send what is no TLS.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::member::Member;
use super::theatre::Theatre;

/// A member behind the same address is let in within this.
fn is_let_in(theatre: &Theatre, within: Duration) {
    let begun = Instant::now();
    while Member::join(theatre.peers).is_none() {
        assert!(begun.elapsed() < within, "nobody else gets in");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn who_holds_its_greetings_keeps_nobody_out() {
    let theatre = Theatre::new();
    let outcome = theatre.plays_through(|| {
        let hold = || TcpStream::connect(theatre.peers).unwrap();
        let mut held: Vec<TcpStream> = (0..4).map(|_| hold()).collect();
        // A byte now and then, as if it were slow.
        let _ = held[0].write(&[0x16]);
        is_let_in(&theatre, Duration::from_secs(4));
        held.clear();
    });
    outcome.is_calm();
}

#[test]
fn a_flood_of_hellos_costs_a_bounded_part_of_the_processor() {
    let theatre = Theatre::new();
    let mut connections = 0;
    let outcome = theatre.plays_through(|| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            if let Ok(mut stream) = TcpStream::connect(theatre.peers) {
                connections += 1;
                let _ = stream.write_all(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3]);
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
    });
    println!("{connections} connections");
    outcome.is_calm();
    is_let_in(&theatre, Duration::from_secs(10));
}
