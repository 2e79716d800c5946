//! From a host name to a connected socket: DNS off the loop, then happy eyeballs (RFC 8305).

use core::cell::RefCell;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;

use smol::lock::{Mutex, Semaphore};
use smol::{Task, Timer, future};

use crate::base::limits;
use crate::base::map::Map;
use crate::base::time::Instant;
use crate::net::ground::{reactor, tasks};
use crate::node::trouble::{Trouble, TroubleKind};

/// Finds addresses and connects to them.
pub struct Dialer {
    now: fn() -> Instant,
    known: RefCell<Map<String, (Instant, Vec<IpAddr>)>>,
    /// Look-ups that nobody waited for to their end.
    left: RefCell<Map<String, LookUp>>,
    /// Who asks for a name: the others wait for what it learns.
    asking: RefCell<Map<String, Rc<Mutex<()>>>>,
    lookups: Arc<Semaphore>,
}

type LookUp = Task<io::Result<Vec<IpAddr>>>;

impl Dialer {
    /// A dialer by the given clock.
    pub fn new(now: fn() -> Instant) -> Self {
        let lookups = Arc::new(Semaphore::new(LOOKUPS));
        let (known, left, asking) = Default::default();
        Self { now, known, left, asking, lookups }
    }

    /// A connected socket, within `limit`.
    pub async fn dial(&self, host: &str, port: u16, limit: Duration) -> Result<TcpStream, Trouble> {
        let mut late = Timer::after(limit);
        let patience = limits::http::NAME_WAIT.min(limit / 2);
        let begun = (self.now)();
        loop {
            let found = until(&mut late, self.resolve(host, patience)).await;
            let addresses = found.unwrap_or_else(|| Err(silence())).map_err(|error| {
                let cause = format!("cannot resolve {host}: {error}");
                Trouble { kind: TroubleKind::Name, cause }
            })?;
            let targets = interleaved(&addresses).into_iter().map(|ip| SocketAddr::new(ip, port));
            let raced = until(&mut late, race(targets.collect())).await;
            if let Some(Ok(stream)) = raced {
                return Ok(stream);
            }
            // An address that stopped answering may have moved: DNS is asked anew, and at once
            // where the address was known from before.
            let known = self.known.borrow_mut().remove(host);
            let is_old = known.is_some_and(|(when, _)| when < begun);
            let (kind, cause) = match raced.and_then(Result::err) {
                Some(_) if is_old => continue,
                Some(error) => {
                    (TroubleKind::Connect, format!("cannot connect to {host} port {port}: {error}"))
                }
                None => {
                    let cause = format!("no connection to {host} within {} s", limit.as_secs());
                    (TroubleKind::Silent, cause)
                }
            };
            return Err(Trouble { kind, cause });
        }
    }

    /// The addresses of a name; `patience` is for a look-up where an older answer is known.
    async fn resolve(&self, host: &str, patience: Duration) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let known = self.known.borrow().get(host).cloned();
        let Some((when, old)) = known else { return self.look_up(host).await };
        if (self.now)().since(when) < limits::http::NAME_FRESH {
            return Ok(old);
        }
        let mut late = Timer::after(patience);
        match until(&mut late, self.look_up(host)).await {
            Some(Ok(found)) => Ok(found),
            // A resolver that is away must not stop what worked a minute ago, nor hold up each
            // connection.
            missed => {
                let error = missed.and_then(Result::err).unwrap_or_else(silence);
                log::warn!("cannot resolve {host}: {error}; its last address is used on");
                Ok(self.learn(host, old))
            }
        }
    }

    /// Asks the resolver. What it says when nobody waits any more is for who asks next; that it had
    /// no address then is no reason not to ask again.
    async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let begun = (self.now)();
        let turn = {
            let mut asking = self.asking.borrow_mut();
            if asking.len() >= limits::http::NAMES {
                asking.clear();
            }
            Rc::clone(asking.entry(host.to_owned()).or_default())
        };
        let _turn = turn.lock().await;
        let known = self.known.borrow().get(host).cloned();
        if let Some((_, found)) = known.filter(|(when, _)| *when > begun) {
            return Ok(found);
        }
        let left = self.left.borrow_mut().remove(host);
        if let Some(task) = left {
            if let Ok(found) = self.wait(host, task).await {
                return Ok(self.learn(host, found));
            }
        }
        let (turn, name) = (self.lookups.acquire_arc().await, host.to_owned());
        let task = smol::unblock(move || {
            let _turn = turn;
            let found = (&*name, 0).to_socket_addrs()?;
            let found: Vec<_> = found.map(|address| address.ip()).take(8).collect();
            if found.is_empty() { Err(no_address()) } else { Ok(found) }
        });
        let found = self.wait(host, task).await?;
        Ok(self.learn(host, found))
    }

    /// Waits for a look-up; one that is not waited for to its end is kept.
    async fn wait(&self, host: &str, task: LookUp) -> io::Result<Vec<IpAddr>> {
        let mut waited = Waited { dialer: self, host, task: Some(task) };
        let found = match &mut waited.task {
            Some(task) => task.await,
            None => Err(no_address()),
        };
        waited.task = None;
        found
    }

    fn learn(&self, host: &str, addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        let mut known = self.known.borrow_mut();
        if known.len() >= limits::http::NAMES {
            known.clear();
        }
        known.insert(host.to_owned(), ((self.now)(), addresses.clone()));
        addresses
    }
}

/// Look-ups at once: getaddrinfo holds a thread while it waits, and a name that nobody knows must
/// not keep the others waiting.
const LOOKUPS: usize = 4;

/// A look-up as long as somebody waits for it; then it is left to end by itself.
struct Waited<'a> {
    dialer: &'a Dialer,
    host: &'a str,
    task: Option<LookUp>,
}

impl Drop for Waited<'_> {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        let mut left = self.dialer.left.borrow_mut();
        if left.len() >= limits::http::NAMES {
            left.clear();
        }
        left.insert(self.host.to_owned(), task);
    }
}

/// What `work` says, unless the timer is through before.
async fn until<T>(late: &mut Timer, work: impl Future<Output = T>) -> Option<T> {
    let late = async {
        late.await;
        None
    };
    future::or(async { Some(work.await) }, late).await
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no address")
}

fn silence() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no resolver answers")
}

/// The addresses with the families taking turns, IPv6 first (RFC 8305, 4).
fn interleaved(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut six = addresses.iter().filter(|ip| ip.is_ipv6());
    let mut four = addresses.iter().filter(|ip| ip.is_ipv4());
    let mut row = Vec::with_capacity(addresses.len());
    loop {
        match (six.next(), four.next()) {
            (None, None) => return row,
            (a, b) => row.extend([a, b].into_iter().flatten().copied()),
        }
    }
}

/// Starts an attempt every 250 ms, or as soon as one failed; the first that connects wins.
async fn race(targets: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let executor = smol::LocalExecutor::new();
    let (sender, receiver) = smol::channel::unbounded();
    let attempts = async {
        let (mut running, mut last) = (0_usize, no_address());
        let mut tasks = Vec::new();
        let mut targets = targets.into_iter();
        loop {
            if let Some(target) = targets.next() {
                let sender = sender.clone();
                running += 1;
                tasks.push(tasks::spawn(&executor, async move {
                    let connected = async_net::TcpStream::connect(target).await;
                    let _ = sender.send(connected).await;
                }));
            } else if running == 0 {
                return Err(last);
            }
            let next = async {
                if targets.len() == 0 {
                    future::pending::<()>().await;
                }
                Timer::after(STAGGER).await;
                None
            };
            match future::or(async { receiver.recv().await.ok() }, next).await {
                Some(Ok(stream)) => return reactor::plain(stream),
                Some(Err(error)) => (running, last) = (running - 1, error),
                None => {}
            }
        }
    };
    executor.run(attempts).await
}

/// Time between two attempts (RFC 8305, 5).
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn rfc_8305_4_families_take_turns() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let row = interleaved(&[ip("1.1.1.1"), ip("2.2.2.2"), ip("::1"), ip("3.3.3.3")]);
        assert_eq!(row, [ip("::1"), ip("1.1.1.1"), ip("2.2.2.2"), ip("3.3.3.3")]);
    }

    #[test]
    fn rfc_8305_5_a_dead_address_does_not_hold_up_a_live_one() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let alive = listener.local_addr().expect("bound");
        let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let closed = dead.local_addr().expect("bound");
        drop(dead);
        let stream = smol::block_on(race(vec![closed, alive])).expect("connected");
        assert_eq!(stream.peer_addr().expect("connected"), alive);
        assert!(smol::block_on(race(vec![closed])).is_err());
    }

    /// A dialer long after it learnt that `host` is this machine.
    fn long_after(host: &str) -> Dialer {
        let dialer = Dialer::new(|| Instant::default() + limits::http::NAME_FRESH * 2);
        let here = vec![IpAddr::from([127, 0, 0, 1])];
        dialer.known.borrow_mut().insert(host.into(), (Instant::default(), here));
        dialer
    }

    #[test]
    fn a_silent_resolver_does_not_stop_what_it_told_before() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("bound").port();
        let dialer = long_after("cdn.example");
        // No look-up gets its turn, as while two wait for a resolver that is away.
        let _turns = [(); LOOKUPS].map(|()| dialer.lookups.try_acquire());
        let limit = limits::http::NAME_WAIT;
        smol::block_on(dialer.dial("cdn.example", port, limit)).expect("connected");
        // For the next minute nobody waits for it.
        smol::block_on(dialer.dial("cdn.example", port, limit / 10)).expect("connected");
    }

    #[test]
    fn an_address_that_moved_is_asked_for_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("bound").port();
        let dialer = long_after("localhost");
        // It is fresh, and nobody listens there any more.
        let (now, gone) = ((dialer.now)(), vec![IpAddr::from([127, 0, 0, 9])]);
        let before = Instant::from_micros((now - Instant::default()).as_micros() as u64 - 1);
        dialer.known.borrow_mut().insert("localhost".into(), (before, gone));
        let stream = smol::block_on(dialer.dial("localhost", port, Duration::from_secs(5)));
        assert_eq!(stream.expect("connected").peer_addr().expect("connected").port(), port);
    }

    #[test]
    fn what_a_slow_resolver_says_at_last_is_used_the_next_time() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("bound").port();
        // What is known is an address where nobody listens (RFC 5737).
        let dialer = long_after("cdn.example");
        let gone = vec![IpAddr::from([192, 0, 2, 1])];
        dialer.known.borrow_mut().insert("cdn.example".into(), (Instant::default(), gone));
        let (answers, answer) = std::sync::mpsc::channel::<()>();
        let slow = smol::unblock(move || {
            let _ = answer.recv();
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        });
        dialer.left.borrow_mut().insert("cdn.example".into(), slow);
        let patience = Duration::from_millis(20);
        let resolve = || smol::block_on(dialer.resolve("cdn.example", patience));
        assert_eq!(resolve().expect("what was known"), [IpAddr::from([192, 0, 2, 1])]);
        answers.send(()).expect("it still runs");
        // A minute later.
        dialer.known.borrow_mut().remove("cdn.example");
        smol::block_on(dialer.dial("cdn.example", port, limits::http::NAME_WAIT)).expect("there");
        assert!(dialer.left.borrow().is_empty());
    }

    #[test]
    fn who_asks_for_a_name_that_is_asked_for_waits_for_that_answer() {
        static TIME: AtomicU64 = AtomicU64::new(0);
        let dialer = Dialer::new(|| Instant::from_micros(TIME.fetch_add(1, Ordering::Relaxed)));
        // Another look-up would wait for its turn for ever.
        let _turns = [(); LOOKUPS].map(|()| dialer.lookups.try_acquire());
        let (answers, answer) = std::sync::mpsc::channel::<()>();
        let slow = smol::unblock(move || {
            let _ = answer.recv();
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        });
        dialer.left.borrow_mut().insert("cdn.example".into(), slow);
        let resolve = || dialer.resolve("cdn.example", Duration::from_secs(5));
        let all = future::zip(future::zip(resolve(), resolve()), resolve());
        let said = async { answers.send(()).expect("it still runs") };
        let late = async {
            Timer::after(Duration::from_secs(20)).await;
            panic!("a second look-up waits");
        };
        let (((one, two), three), ()) = smol::block_on(future::or(future::zip(all, said), late));
        for found in [one, two, three] {
            assert_eq!(found.expect("an answer"), [IpAddr::from([127, 0, 0, 1])]);
        }
    }

    #[test]
    fn what_failed_while_nobody_waited_is_asked_again() {
        let dialer = Dialer::new(Instant::default);
        let failed = smol::unblock(|| Err(no_address()));
        dialer.left.borrow_mut().insert("localhost".into(), failed);
        let found = smol::block_on(dialer.resolve("localhost", Duration::from_secs(1)));
        assert!(found.is_ok_and(|found| found.iter().all(IpAddr::is_loopback)));
    }

    #[test]
    fn a_silent_resolver_and_a_silent_address_are_told_apart() {
        let dialer = long_after("cdn.example");
        let _turns = [(); LOOKUPS].map(|()| dialer.lookups.try_acquire());
        let limit = Duration::from_millis(10);
        let trouble = smol::block_on(dialer.dial("other.example", 1, limit)).expect_err("no name");
        assert_eq!(trouble.kind, TroubleKind::Name);
        assert_eq!(trouble.cause, "cannot resolve other.example: no resolver answers");
    }
}
