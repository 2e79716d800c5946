//! The measure of the wide-area link: bare quinn-proto on two UDP sockets, with a link's keys,
//! windows and controller, one stream, no loop but this one; and the same with digests taken.

use std::hint::black_box;
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use neap::net::peer::identity::Identity;
use neap::net::peer::quic::terms::Terms;
use neap::net::peer::secure::Secure;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use quinn_proto::{
    Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, Event, StreamEvent, StreamId,
};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use ring::digest::{Context, SHA256};

use crate::{Spent, Watch};

/// Sends that many bytes; answers what the giver and the taker spent.
pub(crate) fn run(bytes: u64) -> (Spent, Spent) {
    exchange(bytes, false)
}

/// The same with SHA-256 of all that comes: the least that verified bytes can cost.
pub(crate) fn run_hashed(bytes: u64) -> (Spent, Spent) {
    exchange(bytes, true)
}

fn exchange(bytes: u64, hashed: bool) -> (Spent, Spent) {
    let (place, address) = mpsc::channel();
    let giver = thread::spawn(move || {
        let mut side = Side::new(true);
        place.send(side.socket.local_addr().expect("bound")).expect("it waits");
        side.give(bytes)
    });
    let address = address.recv().expect("it listens");
    let taker = thread::spawn(move || Side::new(false).take(address, bytes, hashed));
    let taken = taker.join().expect("taken");
    (giver.join().expect("given"), taken)
}

struct Side {
    socket: UdpSocket,
    state: UdpSocketState,
    endpoint: Endpoint,
    terms: Terms,
    line: Option<(ConnectionHandle, Connection)>,
    stream: Option<StreamId>,
    into: Vec<u8>,
    out: Vec<u8>,
    is_over: bool,
}

impl Side {
    fn new(listens: bool) -> Self {
        let secure = Secure::raw(&Identity::passing().expect("a key")).expect("TLS");
        let terms = Terms::new(&secure).expect("terms");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).expect("set");
        let server = listens.then(|| Arc::clone(&terms.server));
        let endpoint = Endpoint::new(Arc::clone(&terms.endpoint), server, true, None);
        let (into, out) = (vec![0; 2 * 65_536], Vec::new());
        Self { socket, state, endpoint, terms, line: None, stream: None, into, out, is_over: false }
    }

    fn give(&mut self, bytes: u64) -> Spent {
        let film = Bytes::from(vec![7; 32 << 20]);
        let (mut left, mut at, mut watch) = (bytes, 0, None);
        while !self.is_over {
            self.turn();
            let (Some((_, connection)), Some(stream)) = (&mut self.line, self.stream) else {
                continue;
            };
            watch.get_or_insert_with(Watch::start);
            while left > 0 {
                let end = (at + 64 * 1024).min(film.len());
                let mut piece = [film.slice(at..end)];
                match connection.send_stream(stream).write_chunks(&mut piece) {
                    Ok(written) => {
                        at = (at + written.bytes) % film.len();
                        left -= written.bytes as u64;
                    }
                    Err(_) => break,
                }
            }
        }
        watch.expect("it began").stop()
    }

    fn take(&mut self, from: SocketAddr, bytes: u64, hashed: bool) -> Spent {
        let client = self.terms.client.clone();
        let line = self.endpoint.connect(Instant::now(), client, from, "0.0.0.0").expect("begun");
        self.line = Some(line);
        let (mut left, mut watch, mut context) = (bytes, None, Context::new(&SHA256));
        while left > 0 {
            self.turn();
            let (Some((_, connection)), Some(stream)) = (&mut self.line, self.stream) else {
                continue;
            };
            if watch.is_none() {
                watch = Some(Watch::start());
                connection.send_stream(stream).write(&[1]).expect("the start");
                continue;
            }
            let mut reading = connection.recv_stream(stream);
            let Ok(mut chunks) = reading.read(true) else { continue };
            while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
                if hashed {
                    context.update(&chunk.bytes);
                }
                left -= chunk.bytes.len() as u64;
            }
            let _ = chunks.finalize();
        }
        black_box(context.finish());
        let spent = watch.expect("it began").stop();
        let (_, connection) = self.line.as_mut().expect("it stands");
        connection.close(Instant::now(), 0_u32.into(), Bytes::new());
        self.send();
        spent
    }

    /// Sends, waits for what comes or is due, and takes it in.
    fn turn(&mut self) {
        self.send();
        let due = self.line.as_mut().and_then(|(_, connection)| connection.poll_timeout());
        let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
        let wait = wait.map_or(PollTimeout::NONE, |wait| {
            PollTimeout::try_from(wait.as_millis().min(1000)).unwrap_or(PollTimeout::ZERO)
        });
        let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let came = poll(&mut ready, wait).expect("polled") > 0;
        if came {
            self.receive();
        }
        if let Some((_, connection)) = &mut self.line {
            connection.handle_timeout(Instant::now());
        }
        self.settle();
    }

    fn receive(&mut self) {
        for _ in 0..4 {
            let mut heads = [RecvMeta::default(); 2];
            let (one, two) = self.into.split_at_mut(65_536);
            let mut slices = [IoSliceMut::new(one), IoSliceMut::new(two)];
            let socket = UdpSockRef::from(&self.socket);
            let Ok(count) = self.state.recv(socket, &mut slices, &mut heads) else { return };
            for (number, head) in heads[..count].iter().enumerate() {
                let begin = number * 65_536;
                let mut bytes = BytesMut::from(&self.into[begin..begin + head.len]);
                while !bytes.is_empty() {
                    let datagram = bytes.split_to(head.stride.min(bytes.len()));
                    self.handle(head.addr, datagram);
                }
            }
        }
    }

    fn handle(&mut self, from: SocketAddr, datagram: BytesMut) {
        let now = Instant::now();
        self.out.clear();
        match self.endpoint.handle(now, from, None, None, datagram, &mut self.out) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                if let Some((_, connection)) = &mut self.line {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                let accepted = self.endpoint.accept(incoming, now, &mut self.out, None);
                self.line = Some(accepted.unwrap_or_else(|_| panic!("a connection")));
            }
            _ => {}
        }
    }

    fn settle(&mut self) {
        let Some((handle, connection)) = &mut self.line else { return };
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(back) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(back);
            }
        }
        while let Some(event) = connection.poll() {
            match event {
                Event::Connected if connection.side().is_client() => {
                    self.stream = connection.streams().open(Dir::Bi);
                }
                Event::Stream(StreamEvent::Opened { .. }) => {
                    self.stream = connection.streams().accept(Dir::Bi);
                }
                Event::ConnectionLost { .. } => self.is_over = true,
                _ => {}
            }
        }
    }

    fn send(&mut self) {
        let Some((_, connection)) = &mut self.line else { return };
        let segments = self.state.max_gso_segments().min(10);
        self.out.clear();
        while let Some(transmit) = connection.poll_transmit(Instant::now(), segments, &mut self.out)
        {
            let transmit = Transmit {
                destination: transmit.destination,
                ecn: None,
                contents: &self.out[..transmit.size],
                segment_size: transmit.segment_size,
                src_ip: None,
            };
            let _ = self.state.send(UdpSockRef::from(&self.socket), &transmit);
            self.out.clear();
        }
    }
}
