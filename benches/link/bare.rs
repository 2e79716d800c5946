//! The measure: one rustls connection over one TCP connection, with a link's keys and suite, from
//! as much memory as the nodes have to nowhere; and the same where the taker takes the digests.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use neap::base::digest::Digest;
use neap::net::peer::identity::Identity;
use neap::net::peer::secure::Secure;
use rustls::{ClientConnection, ServerConnection, StreamOwned};

use crate::{Spent, Watch};

/// Sends that many bytes; answers what the giver and the taker spent.
pub(crate) fn run(bytes: u64) -> (Spent, Spent) {
    exchange(bytes, |_| ())
}

/// The same with SHA-256 of all that comes: the least that verified bytes can cost.
pub(crate) fn run_hashed(bytes: u64) -> (Spent, Spent) {
    exchange(bytes, |piece| {
        black_box(Digest::of(piece));
    })
}

fn exchange(bytes: u64, take: fn(&[u8])) -> (Spent, Spent) {
    let secure = || Secure::raw(&Identity::passing().expect("a key")).expect("TLS");
    let (near, far) = (secure(), secure());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let giver = thread::spawn(move || {
        let (socket, _) = listener.accept().expect("a connection");
        socket.set_nodelay(true).expect("set");
        let tls = ServerConnection::new(near.server()).expect("TLS");
        let mut stream = StreamOwned::new(tls, socket);
        let film = vec![7; 32 << 20];
        let mut go = [0];
        stream.read_exact(&mut go).expect("the start");
        let watch = Watch::start();
        for _ in 0..bytes / film.len() as u64 {
            for piece in film.chunks(64 * 1024) {
                stream.write_all(piece).expect("written");
            }
        }
        stream.flush().expect("written");
        watch.stop()
    });
    let socket = TcpStream::connect(address).expect("connected");
    socket.set_nodelay(true).expect("set");
    let name = std::net::IpAddr::from([127, 0, 0, 1]).into();
    let tls = ClientConnection::new(far.client(), name).expect("TLS");
    let mut stream = StreamOwned::new(tls, socket);
    let taker = thread::spawn(move || {
        stream.write_all(&[1]).expect("the start");
        let watch = Watch::start();
        let (mut piece, mut left) = (vec![0; 64 * 1024], bytes);
        while left > 0 {
            let count = stream.read(&mut piece).expect("read");
            take(&piece[..count]);
            left -= count as u64;
        }
        watch.stop()
    });
    (giver.join().expect("given"), taker.join().expect("taken"))
}
