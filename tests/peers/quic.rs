//! QUIC alone: strangers' datagrams, address validation, a way that changes, what it falls back to.

use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

use neap::base::digest::Digest;
use neap::base::rng::Rng;
use neap::base::segment::SegmentId;
use neap::net::peer::carrier::Carrier;
use neap::net::peer::settings::Settings;
use neap::node::peering::{PeerOrder, Peering};
use neap::wire::message::Message;
use neap::wire::stun::{Binding, Transaction};
use smol::Timer;

use crate::node::{Ground, Node, linked, settings, wait};

/// Passes datagrams on between one dialler and one listener, as a router does.
struct Router {
    inside: UdpSocket,
    outside: UdpSocket,
    to: SocketAddr,
    from: Cell<Option<SocketAddr>>,
    passed: Cell<usize>,
    /// Bytes in each direction until the listener's first answer passes.
    first: Cell<(usize, usize)>,
}

impl Router {
    fn new(to: SocketAddr) -> Self {
        let bound = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.set_nonblocking(true).expect("set");
            socket
        };
        let (from, passed, first) = (Cell::default(), Cell::default(), Cell::default());
        Self { inside: bound(), outside: bound(), to, from, passed, first }
    }

    fn address(&self) -> SocketAddr {
        self.inside.local_addr().expect("bound")
    }

    /// The mapping ends: from now on the listener sees another address.
    fn remap(&mut self) {
        self.outside = UdpSocket::bind("127.0.0.1:0").expect("a port");
        self.outside.set_nonblocking(true).expect("set");
    }

    fn turn(&self) {
        let mut bytes = [0; 65_536];
        while let Ok((count, from)) = self.inside.recv_from(&mut bytes) {
            self.from.set(Some(from));
            let _ = self.outside.send_to(&bytes[..count], self.to);
            self.passed.set(self.passed.get() + 1);
            self.first.set((self.first.get().0 + count, self.first.get().1));
        }
        while let Ok((count, _)) = self.outside.recv_from(&mut bytes) {
            if let Some(from) = self.from.get() {
                let _ = self.inside.send_to(&bytes[..count], from);
            }
            self.first.set((self.first.get().0, self.first.get().1 + count));
        }
    }
}

/// Links that are made one after the other.
const ROUNDS: usize = 8;

fn told(node: &Node) -> usize {
    node.count(|event| matches!(event, Peering::Said { .. }))
}

fn tell(node: &Node, peer: neap::base::peer::PeerId) {
    let segment = SegmentId { resource: Digest::of(b"r"), number: 1 };
    node.port.order(PeerOrder::Tell { peer, message: Message::Done { segment } });
}

#[test]
fn a_link_outlives_the_end_of_its_mapping() {
    let ground = Ground::over(Carrier::Quic);
    ground.run(async {
        let (near, far) = (ground.node(settings()), ground.node(settings()));
        let mut router = Router::new(far.address);
        near.dial(router.address(), Some(far.port.key()));
        let joined = |event: &Peering| match event {
            Peering::Joined { peer, .. } => Some(*peer),
            _ => None,
        };
        let there = |node: &Node| node.events.borrow().iter().find_map(joined);
        let (to_far, to_near) = wait("a link", || {
            router.turn();
            there(&near).zip(there(&far))
        })
        .await;
        assert_eq!(near.port.links_over(Carrier::Quic), 1);
        router.remap();
        tell(&near, to_far);
        wait("words over the new mapping", || {
            router.turn();
            (told(&far) == 1).then_some(())
        })
        .await;
        tell(&far, to_near);
        wait("an answer over the new mapping", || {
            router.turn();
            (told(&near) == 1).then_some(())
        })
        .await;
        assert_eq!((near.port.links(), far.port.links()), (1, 1));
    });
}

#[test]
fn datagrams_of_strangers_cost_nothing() {
    let ground = Ground::over(Carrier::Quic);
    ground.run(async {
        let (near, to_far, far, _) = linked(&ground).await;
        let stranger = UdpSocket::bind("127.0.0.1:0").expect("a port");
        stranger.set_nonblocking(true).expect("set");
        let (mut rng, mut answered, mut sent) = (Rng::new(5), 0, 0);
        for round in 0..600_usize {
            let length = [1, 3, 19, 20, 21, 500, 1200, 1400][round % 8];
            let mut bytes: Vec<u8> = (0..length).map(|_| rng.next() as u8).collect();
            // As long headers of version 1, of an unknown one, as short headers, as anything.
            match round % 4 {
                0 => bytes[0] = 0xc0,
                1 if length > 5 => bytes[..5].copy_from_slice(&[0xc3, 0, 0, 0, 1]),
                2 => bytes[0] = 0x40,
                _ => {}
            }
            sent += length;
            stranger.send_to(&bytes, far.address).expect("sent");
            if round % 50 == 0 {
                smol::future::yield_now().await;
            }
            let mut answer = [0; 2048];
            while let Ok((count, _)) = stranger.recv_from(&mut answer) {
                answered += count;
            }
        }
        tell(&near, to_far);
        wait("the link goes on", || (told(&far) == 1).then_some(())).await;
        assert!(answered <= 3 * sent, "{answered} bytes for {sent}");
        assert_eq!((near.port.links(), far.port.links()), (1, 1));
        assert_eq!(far.count(|event| matches!(event, Peering::Failed { .. })), 0);
    });
}

#[test]
fn whoever_asks_is_told_its_address() {
    let ground = Ground::over(Carrier::Quic);
    ground.run(async {
        let node = ground.node(settings());
        let asker = UdpSocket::bind("127.0.0.1:0").expect("a port");
        asker.set_nonblocking(true).expect("set");
        let transaction = Transaction(*b"twelve bytes");
        asker.send_to(&Binding::Request(transaction).to_bytes(), node.address).expect("sent");
        let mut bytes = [0; 2048];
        let count = wait("an answer", || asker.recv(&mut bytes).ok()).await;
        let seen = asker.local_addr().expect("bound");
        assert_eq!(Binding::parse(&bytes[..count]), Ok(Binding::Response(transaction, seen)));
    });
}

#[test]
fn a_flood_of_first_packets_is_asked_for_its_address_and_others_get_in() {
    let ground = Ground::over(Carrier::Quic);
    ground.run(async {
        let (near, far) = (ground.node(settings()), ground.node(settings()));
        // One dialler's first packet, recorded, comes from many addresses.
        let catcher = UdpSocket::bind("127.0.0.1:0").expect("a port");
        catcher.set_nonblocking(true).expect("set");
        let mut first = vec![0; 2048];
        near.dial(catcher.local_addr().expect("bound"), None);
        let length = wait("a first packet", || catcher.recv(&mut first).ok()).await;
        first.truncate(length);
        let mut flood = Vec::new();
        for host in 1..=64_u8 {
            let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 7, host], 0))).expect("a port");
            socket.set_nonblocking(true).expect("set");
            // Another connection id each: the packet is then none that opens, but for its head.
            first[6] = host;
            socket.send_to(&first, far.address).expect("sent");
            flood.push(socket);
        }
        let member = ground.node(settings());
        member.dial(far.address, Some(far.port.key()));
        member.joined().await;
        let (mut answered, mut bytes) = (0, [0; 2048]);
        for socket in &flood {
            while let Ok(count) = socket.recv(&mut bytes) {
                answered += count;
            }
        }
        assert!(answered <= 3 * 64 * length, "{answered} bytes for {}", 64 * length);
    });
}

#[test]
fn where_udp_is_blocked_tcp_carries_the_link() {
    let ground = Ground::over(Carrier::Quic);
    ground.run(async {
        let (near, far) = (ground.node(settings()), ground.node(settings()));
        // A way for TCP alone, to the same node; another test may have the port for UDP.
        let pair = || {
            let between = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let swallows = UdpSocket::bind(between.local_addr().expect("bound")).ok()?;
            Some((between, swallows))
        };
        let (between, _swallows) = (0..20).find_map(|_| pair()).expect("a port of both kinds");
        let relay = between.local_addr().expect("bound");
        let to = far.address;
        ground.executor.spawn(relay_tcp(between, to)).detach();
        near.dial(relay, Some(far.port.key()));
        near.joined().await;
        assert_eq!(near.port.links_over(Carrier::Tcp), 1);
    });
}

async fn relay_tcp(between: std::net::TcpListener, to: SocketAddr) {
    let between = smol::Async::new(between).expect("set");
    let (near, _) = between.accept().await.expect("a connection");
    let far = smol::Async::<std::net::TcpStream>::connect(to).await.expect("it listens");
    let (there, back) = (smol::io::copy(&near, &far), smol::io::copy(&far, &near));
    let _ = smol::future::zip(there, back).await;
}

#[test]
fn an_idle_link_says_nothing() {
    let ground = Ground::over(Carrier::Quic);
    ground.run(async {
        let (near, far) = (ground.node(settings()), ground.node(settings()));
        let router = Rc::new(Router::new(far.address));
        near.dial(router.address(), Some(far.port.key()));
        wait("a link", || {
            router.turn();
            (near.port.links() + far.port.links() == 2).then_some(())
        })
        .await;
        let settled = neap::host::clock::now();
        let mut last = (router.passed.get(), settled);
        // Acknowledgements and the search for the path's packet size come to an end by themselves.
        wait("silence", || {
            router.turn();
            let now = neap::host::clock::now();
            if router.passed.get() != last.0 {
                last = (router.passed.get(), now);
            }
            (now.since(last.1) > Duration::from_millis(1500)).then_some(())
        })
        .await;
    });
}

#[test]
fn who_comes_up_just_after_it_was_dialled_is_linked_over_quic() {
    let ground = Ground::over(Carrier::Quic);
    ground.run(async {
        let mut over_quic = 0;
        for _ in 0..ROUNDS {
            let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = free.local_addr().expect("bound");
            drop(free);
            let near = ground.node(settings());
            near.dial(address, None);
            // QUIC's first packet comes to nothing; its next and TCP's first come at the same time.
            Timer::after(Duration::from_millis(100)).await;
            let far = ground.node(Settings { listen: vec![address], ..settings() });
            near.joined().await;
            far.joined().await;
            over_quic += near.port.links_over(Carrier::Quic);
        }
        // On a busy machine TCP may be the first that stands, but not twice.
        assert!(over_quic >= ROUNDS - 1, "{over_quic} of {ROUNDS} over QUIC");
    });
}
