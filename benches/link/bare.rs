//! The measure: one rustls connection over one TCP connection, bytes from memory to nowhere. Raw
//! keys and the same suite as a link has; nothing is verified.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use neap::net::peer::identity::Identity;
use neap::net::peer::secure::Secure;
use rustls::{ClientConnection, ServerConnection, StreamOwned};

use crate::{Spent, Watch};

/// Sends that many bytes; answers what the giver and the taker spent.
pub fn run(bytes: u64) -> (Spent, Spent) {
    let secure = || Secure::raw(&Identity::passing().expect("a key")).expect("TLS");
    let (near, far) = (secure(), secure());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let giver = thread::spawn(move || {
        let (socket, _) = listener.accept().expect("a connection");
        socket.set_nodelay(true).expect("set");
        let tls = ServerConnection::new(near.server()).expect("TLS");
        let mut stream = StreamOwned::new(tls, socket);
        let piece = vec![7; 64 * 1024];
        let mut go = [0];
        stream.read_exact(&mut go).expect("the start");
        let watch = Watch::start();
        for _ in 0..bytes / piece.len() as u64 {
            stream.write_all(&piece).expect("written");
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
            left -= stream.read(&mut piece).expect("read") as u64;
        }
        watch.stop()
    });
    (giver.join().expect("given"), taker.join().expect("taken"))
}
