//! Whatever strangers and broken peers send: no link, no crash, no room for others lost.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use neap::base::limits;
use neap::base::rng::Rng;
use neap::net::peer::identity::Identity;
use neap::net::peer::secure::Secure;
use neap::node::peering::{Parting, Peering, Stranger};
use neap::wire::membership::{Binding, EXPORTER, Frame, Membership, Side};
use rustls::{ClientConnection, StreamOwned};

use crate::node::{Ground, Node, PATIENCE, settings, wait};

/// Runs what blocks beside the test's loop, and the loop until that is done.
pub async fn beside<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    smol::unblock(act).await
}

fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// What comes until the other side closes.
fn answer(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A connection whose TLS is in order, by a key of its own.
fn secured(address: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let secure = Secure::raw(&Identity::passing().expect("a key")).expect("TLS");
    secured_by(address, secure.client())
}

pub fn secured_by(
    address: SocketAddr,
    client: Arc<rustls::ClientConfig>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let name = std::net::IpAddr::from([127, 0, 0, 1]).into();
    let tls = ClientConnection::new(client, name).expect("TLS");
    let mut stream = StreamOwned::new(tls, connected(address));
    // A refusal in the handshake shows at the next read.
    let _ = stream.flush();
    stream
}

/// A member that speaks by rustls' own record layer: what our seals must agree with.
fn member(address: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let identity = Identity::passing().expect("a key");
    let secure = Secure::raw(&identity).expect("TLS");
    let mut stream = secured_by(address, secure.client());
    let exporter = stream.conn.export_keying_material([0; 32], EXPORTER, None).expect("a secret");
    let ours: Membership = settings().membership();
    let binding = Binding { exporter, side: Side::Dialler, key: identity.key };
    stream.write_all(&ours.hello(&binding)).expect("said");
    let mut head = [0; 4];
    stream.read_exact(&mut head).expect("its hello");
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
    stream.read_exact(&mut body).expect("its hello");
    stream.write_all(&Frame::welcome()).expect("said");
    stream
}

/// The node still takes a member in.
async fn stands(ground: &Ground, node: &Node) {
    let member = ground.node(settings());
    member.dial(node.address, Some(node.port.key()));
    member.joined().await;
}

#[test]
fn bytes_that_are_no_tls_end_at_once() {
    let ground = Ground::new();
    ground.run(async {
        let node = ground.node(settings());
        let mut rng = Rng::new(11);
        let address = node.address;
        let mut all: Vec<Vec<u8>> = vec![
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            vec![0x16, 3, 1, 0xff, 0xff],
            vec![0x17, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            vec![0; 100_000],
        ];
        for length in [5, 50, 500, 50_000] {
            all.push((0..length).map(|_| rng.next() as u8).collect());
        }
        let sent = all.len();
        for garbage in all {
            let answer = beside(move || {
                let mut stream = connected(address);
                let _ = stream.write_all(&garbage);
                let _ = stream.shutdown(Shutdown::Write);
                answer(stream)
            });
            let answer = answer.await;
            // At most TLS's own alert.
            assert!(answer.len() <= 7, "{answer:?}");
        }
        wait("each failure", || {
            let failed = |event: &Peering| matches!(event, Peering::Failed { dialled: None, .. });
            (node.count(failed) == sent).then_some(())
        })
        .await;
        stands(&ground, &node).await;
    });
}

#[test]
fn a_slow_client_is_cut_and_takes_nobody_s_place() {
    let ground = Ground::new();
    ground.run(async {
        let node = ground.node(settings());
        let address = node.address;
        let open: Vec<TcpStream> = (0..limits::link::HANDSHAKES_EACH).map(|_| connected(address)).collect();
        // One more from the same address is closed before a byte is read.
        let more = beside(move || {
            let stream = connected(address);
            answer(stream)
        });
        assert!(more.await.is_empty());
        // They send a byte now and then, and are cut all the same.
        let slow = beside(move || {
            let begin = std::time::Instant::now();
            let mut open = open;
            while !open.is_empty() {
                assert!(begin.elapsed() < PATIENCE, "they are never cut");
                open.retain_mut(|stream| {
                    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("set");
                    let _ = stream.write_all(&[0x16]);
                    let read = stream.read(&mut [0; 16]);
                    !matches!(read, Ok(0)) && !matches!(&read, Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset)
                });
            }
        });
        slow.await;
        stands(&ground, &node).await;
    });
}

#[test]
fn nothing_but_a_proof_is_heard_before_it() {
    let ground = Ground::new();
    ground.run(async {
        let node = ground.node(settings());
        let address = node.address;
        for early in [
            [0x10, 0, 0, 68].as_slice(),
            &[0x18, 0, 0, 0],
            &Frame::welcome(),
            &[1, 0xff, 0xff, 0xff],
            &[1, 0, 4, 1],
            &[1, 0, 0, 1, 0],
        ] {
            let early = early.to_vec();
            let answer = beside(move || {
                let mut stream = secured(address);
                let _ = stream.write_all(&early);
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer);
                answer
            });
            assert_eq!(answer.await, b"", "a stranger is told nothing");
        }
        let joined =
            |event: &Peering| matches!(event, Peering::Joined { .. } | Peering::Said { .. });
        assert_eq!(node.count(joined), 0);
        stands(&ground, &node).await;
    });
}

#[test]
fn a_listener_says_nothing_to_who_proves_nothing() {
    let ground = Ground::new();
    ground.run(async {
        let node = ground.node(settings());
        let address = node.address;
        let heard = beside(move || {
            let mut stream = secured(address);
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard);
            heard
        });
        assert_eq!(heard.await, b"");
        assert_eq!(node.failed().await, Parting::Silent);
    });
}

#[test]
fn a_recorded_greeting_is_of_no_use() {
    let ground = Ground::new();
    ground.run(async {
        let (near, far) = (ground.node(settings()), ground.node(settings()));
        let between = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (relay, address) = (between.local_addr().expect("bound"), far.address);
        let recorded = thread::spawn(move || relayed(&between, address));
        near.dial(relay, None);
        near.joined().await;
        far.joined().await;
        near.port.stop();
        let recorded = beside(move || recorded.join().expect("relayed")).await;
        assert!(recorded.len() > 500);
        let fresh = ground.node(settings());
        let address = fresh.address;
        let again = {
            let recorded = recorded.clone();
            beside(move || {
                let mut stream = connected(address);
                let _ = stream.write_all(&recorded);
                answer(stream);
            })
        };
        again.await;
        let why = fresh.failed().await;
        let refused = matches!(why, Parting::Breach(_) | Parting::Stranger(Stranger::Handshake));
        assert!(refused, "{why:?}");
        assert_eq!(fresh.port.links(), 0);
    });
}

/// Passes one connection on both ways; answers what the one who connected sent.
fn relayed(between: &TcpListener, to: SocketAddr) -> Vec<u8> {
    let (mut near, _) = between.accept().expect("a connection");
    let mut far = connected(to);
    let (mut back, mut forth) =
        (far.try_clone().expect("a socket"), near.try_clone().expect("one"));
    let returning = thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut forth);
        let _ = forth.shutdown(Shutdown::Write);
    });
    let (mut recorded, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = near.read(&mut buffer) {
        recorded.extend_from_slice(&buffer[..count]);
        let _ = far.write_all(&buffer[..count]);
    }
    let _ = far.shutdown(Shutdown::Write);
    returning.join().expect("returned");
    recorded
}

#[test]
fn rustls_own_records_and_ours_agree() {
    let ground = Ground::new();
    ground.run(async {
        let node = ground.node(settings());
        let address = node.address;
        let mut stream = beside(move || member(address)).await;
        node.joined().await;
        // A ping, and what answers it.
        let (stream, pong) = beside(move || {
            stream.write_all(&[4, 0, 0, 0]).expect("asked");
            let mut pong = [0; 4];
            stream.read_exact(&mut pong).expect("answered");
            (stream, pong)
        })
        .await;
        assert_eq!(pong, [5, 0, 0, 0]);
        // The end in order.
        beside(move || {
            let mut stream = stream;
            stream.conn.send_close_notify();
            let _ = stream.flush();
        })
        .await;
        assert_eq!(node.gone().await, Parting::Closed);
    });
}

#[test]
fn a_member_that_breaks_the_protocol_is_dropped() {
    let ground = Ground::new();
    ground.run(async {
        let mut rng = Rng::new(5);
        let mut random: Vec<u8> = (0..2000).map(|_| rng.next() as u8).collect();
        random[..4].copy_from_slice(&[0x14, 0xff, 0, 0]);
        let mut block = vec![0x15, 0, 0, 41];
        block.extend([0xff; 41]);
        for breach in [vec![0x10, 0xff, 0xff, 0xff], vec![0x14, 0, 0, 1, 0], block, random] {
            let node = ground.node(settings());
            let address = node.address;
            let told = beside(move || {
                let mut stream = member(address);
                let _ = stream.write_all(&breach);
                let mut told = Vec::new();
                let _ = stream.read_to_end(&mut told);
                told
            });
            assert_eq!(told.await, [6, 0, 0, 1, 4], "a goodbye that names a breach");
            assert!(matches!(node.gone().await, Parting::Breach(_)));
        }
    });
}

#[test]
fn a_member_that_updates_its_keys_or_sends_nothing_is_dropped() {
    let ground = Ground::new();
    ground.run(async {
        let node = ground.node(settings());
        let address = node.address;
        beside(move || {
            let mut stream = member(address);
            stream.conn.refresh_traffic_keys().expect("TLS 1.3");
            let _ = stream.write_all(&[4, 0, 0, 0]);
            let _ = stream.read(&mut [0; 16]);
        })
        .await;
        let why = node.gone().await;
        assert_eq!(why, Parting::Breach("it began another TLS handshake"));
    });
}
