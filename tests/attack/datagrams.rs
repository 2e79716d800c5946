//! Those who write somebody else's address on their datagrams, to have the daemon send there.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use neap::net::peer::carrier::Carrier;
use neap::wire::stun::{Binding, Transaction};

use super::node::{Ground, settings, wait};
use super::theatre::Theatre;

/// Where a flood claims to come from, and what came to it.
struct Victim {
    socket: UdpSocket,
    sent: usize,
    heard: usize,
}

impl Victim {
    /// One in a network of its own.
    fn new(network: u8) -> Self {
        let address = SocketAddr::from(([127, 7, network, 1], 0));
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, sent: 0, heard: 0 }
    }

    /// Somebody says something in its name.
    fn says(&mut self, datagram: &[u8], to: SocketAddr) {
        self.sent += self.socket.send_to(datagram, to).unwrap();
    }

    /// It never answers.
    fn hears(&mut self) {
        let mut bytes = [0; 2048];
        while let Ok(count) = self.socket.recv(&mut bytes) {
            self.heard += count;
        }
    }
}

/// First packets of as many handshakes, each of which a listener can go on with.
fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let ground = Ground::over(Carrier::Quic);
    ground.run(async {
        let dialler = ground.node(settings());
        let mut packets = Vec::new();
        for _ in 0..count {
            let catcher = UdpSocket::bind("127.0.0.1:0").unwrap();
            catcher.set_nonblocking(true).unwrap();
            dialler.dial(catcher.local_addr().unwrap(), None);
            let mut first = vec![0; 2048];
            let length = wait("a first packet", || catcher.recv(&mut first).ok()).await;
            first.truncate(length);
            packets.push(first);
        }
        packets
    })
}

/// What the victims heard when so much was said in their names.
fn reflects(theatre: &Theatre, victims: &mut [Victim], said: impl Fn(usize) -> Vec<Vec<u8>>) {
    for (number, victim) in victims.iter_mut().enumerate() {
        said(number).iter().for_each(|datagram| victim.says(datagram, theatre.peers));
    }
    // Long enough for an answer to be sent again, several times.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        victims.iter_mut().for_each(Victim::hears);
        std::thread::sleep(Duration::from_millis(20));
    }
    for Victim { sent, heard, .. } in victims {
        assert!(*heard <= 3 * *sent, "{heard} bytes for {sent}");
    }
}

#[test]
fn a_handshake_in_a_victims_name_brings_it_three_times_the_bytes_at_most() {
    let theatre = Theatre::new();
    let packets = first_packets(12);
    let mut victims: Vec<Victim> = (0..12).map(Victim::new).collect();
    let outcome = theatre.plays_through(|| {
        reflects(&theatre, &mut victims, |number| vec![packets[number].clone()]);
    });
    outcome.is_calm();
    let (sent, heard) = victims
        .iter()
        .fold((0, 0), |(sent, heard), victim| (sent + victim.sent, heard + victim.heard));
    println!("{heard} bytes for {sent}");
    assert!(victims.iter().all(|victim| victim.heard > 0), "nothing is answered at all");
}

#[test]
fn a_victim_in_whose_name_a_whole_network_knocks_is_not_flooded() {
    let theatre = Theatre::new();
    let packets = first_packets(8);
    let mut victims = vec![Victim::new(100)];
    let outcome = theatre.plays_through(|| {
        reflects(&theatre, &mut victims, |_| {
            // The same ones again and again, and others that only look like it.
            let mut datagrams = Vec::new();
            for round in 0..50_u8 {
                datagrams.extend(packets.iter().cloned().map(|mut packet| {
                    packet[6] ^= round;
                    packet
                }));
            }
            datagrams
        });
    });
    outcome.is_calm();
    let Victim { sent, heard, .. } = &victims[0];
    println!("{heard} bytes for {sent}");
    // Most are asked for their address, in one short packet each, or left without an answer.
    assert!(heard < sent, "{heard} bytes for {sent}");
}

#[test]
fn questions_of_stun_in_a_victims_name_are_answered_in_part() {
    let theatre = Theatre::new();
    let mut victims = vec![Victim::new(101)];
    let outcome = theatre.plays_through(|| {
        let question = Binding::Request(Transaction([7; 12])).to_bytes();
        reflects(&theatre, &mut victims, |_| vec![question.clone(); 2000]);
    });
    outcome.is_calm();
    let Victim { sent, heard, .. } = &victims[0];
    assert!(*heard > 0 && heard * 4 < *sent, "{heard} bytes for {sent}");
}
