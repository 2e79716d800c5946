//! A port to peers with a store and a scripted machine, and the thread that they run on.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use neap::base::peer::{NodeKey, PeerId, Tier};
use neap::base::time::Date;
use neap::host::clock;
use neap::net::ground::door::Door;
use neap::net::ground::reactor::Reactor;
use neap::net::peer::carrier::Carrier;
use neap::net::peer::port::Port;
use neap::net::peer::settings::Settings;
use neap::node::event::Input;
use neap::node::peering::{Parting, PeerOrder, Peering};
use neap::store::rows::{Options, Store};
use smol::{LocalExecutor, Timer};

/// The one thread that ports, sockets and the test itself run on.
pub struct Ground {
    pub executor: Rc<LocalExecutor<'static>>,
    pub reactor: Rc<Reactor>,
    carrier: Carrier,
}

/// One port with what stands around it.
pub struct Node {
    pub port: Rc<Port>,
    pub store: Store,
    /// Where it listens.
    pub address: SocketAddr,
    /// What happened, in order.
    pub events: Rc<RefCell<Vec<Peering>>>,
    script: Script,
    tier: Tier,
}

/// What the machine answers to an input, in the same turn.
type Answer = dyn FnMut(&Peering) -> Vec<PeerOrder>;
type Script = Rc<RefCell<Box<Answer>>>;

/// The date that nodes believe to have.
pub const TODAY: Date = Date(1_800_000_000);

thread_local! {
    /// Seconds that have passed since then, for the nodes of this test.
    pub static PASSED: Cell<i64> = const { Cell::new(0) };
}

/// Longer than anything here takes; no test waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(20);

impl Ground {
    pub fn new() -> Self {
        Self::over(Carrier::Tcp)
    }

    pub fn over(carrier: Carrier) -> Self {
        let reactor = Reactor::new().expect("a reactor");
        Self { executor: Rc::new(LocalExecutor::new()), reactor, carrier }
    }

    /// How near its nodes take each other to be when they dial.
    pub fn tier(&self) -> Tier {
        match self.carrier {
            Carrier::Tcp => Tier::Home,
            Carrier::Quic => Tier::Wan,
        }
    }

    pub fn run<T>(&self, test: impl Future<Output = T>) -> T {
        self.reactor.run(&self.executor, test)
    }

    pub fn node(&self, settings: Settings) -> Node {
        let store = Store::new(Options { memory: 64 << 20, path: None });
        let events = Rc::new(RefCell::new(Vec::new()));
        let script: Script = Rc::new(RefCell::new(Box::new(|_| Vec::new())));
        let port: Rc<RefCell<Option<Rc<Port>>>> = Rc::default();
        let submit = {
            let (events, script, port) = (events.clone(), script.clone(), port.clone());
            // As the loop does it: what comes while an output is carried out waits for its turn.
            let (inbox, turning) = (RefCell::new(Vec::new()), Cell::new(false));
            move |input: Input| {
                let Input::Peer(peering) = input else { return };
                inbox.borrow_mut().push(*peering);
                if turning.replace(true) {
                    return;
                }
                let ours: Rc<Port> = port.borrow().clone().expect("the port is made");
                loop {
                    if inbox.borrow().is_empty() {
                        break;
                    }
                    let peering = inbox.borrow_mut().remove(0);
                    let orders = script.borrow_mut()(&peering);
                    events.borrow_mut().push(peering);
                    orders.into_iter().for_each(|order| ours.order(order));
                }
                turning.set(false);
            }
        };
        let door = Door {
            submit: Rc::new(submit),
            now: clock::now,
            wall: || Some(TODAY),
            date: || Date(TODAY.0 + PASSED.get()),
            store: store.clone(),
            executor: self.executor.clone(),
            reactor: self.reactor.clone(),
        };
        let made = Port::new(door, settings).expect("a port");
        *port.borrow_mut() = Some(made.clone());
        let bound = made.listen().expect("a loopback port");
        let address = bound.first().copied().unwrap_or_else(|| SocketAddr::from(([0; 4], 0)));
        Node { port: made, store, address, events, script, tier: self.tier() }
    }
}

impl Node {
    pub fn answer(&self, answer: impl FnMut(&Peering) -> Vec<PeerOrder> + 'static) {
        *self.script.borrow_mut() = Box::new(answer);
    }

    pub fn dial(&self, address: SocketAddr, key: Option<NodeKey>) {
        self.port.order(PeerOrder::Dial { address, key, tier: self.tier, strange: false });
    }

    /// Waits for the first event of which `pick` makes something.
    pub async fn until<T>(&self, what: &str, mut pick: impl FnMut(&Peering) -> Option<T>) -> T {
        let found = || self.events.borrow().iter().find_map(&mut pick);
        wait(what, found).await
    }

    pub async fn joined(&self) -> (PeerId, NodeKey) {
        self.until("a link", |event| match event {
            Peering::Joined { peer, key, .. } => Some((*peer, *key)),
            _ => None,
        })
        .await
    }

    pub async fn failed(&self) -> Parting {
        self.until("a failure", |event| match event {
            Peering::Failed { why, .. } => Some(why.clone()),
            _ => None,
        })
        .await
    }

    pub async fn gone(&self) -> Parting {
        self.until("the end of a link", |event| match event {
            Peering::Gone { why, .. } => Some(why.clone()),
            _ => None,
        })
        .await
    }

    pub fn count(&self, what: impl Fn(&Peering) -> bool) -> usize {
        self.events.borrow().iter().filter(|event| what(event)).count()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.port.stop();
    }
}

/// Runs a test over each carrier.
#[allow(clippy::needless_pass_by_value, reason = "a test reads better without a reference")]
pub fn over_each(test: impl AsyncFn(&Ground)) {
    for carrier in [Carrier::Tcp, Carrier::Quic] {
        let ground = Ground::over(carrier);
        ground.run(test(&ground));
    }
}

/// Waits for a condition, within [`PATIENCE`].
pub async fn wait<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begin = clock::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(clock::now().since(begin) < PATIENCE, "never came: {what}");
        Timer::after(Duration::from_millis(1)).await;
    }
}

/// A node of the network `home` with the usual secret.
pub fn settings() -> Settings {
    Settings {
        name: "home".into(),
        secret: Some(b"the usual secret".to_vec()),
        listen: vec!["127.0.0.1:0".parse().expect("an address")],
        max_peers: 24,
        ..Settings::default()
    }
}

/// Links that are made until one goes over the carrier that is meant.
const TRIES: usize = 8;

/// Two linked nodes; the first dialled. With them come the numbers of their links.
pub async fn linked(ground: &Ground) -> (Node, PeerId, Node, PeerId) {
    for _ in 0..TRIES {
        let (near, far) = (ground.node(settings()), ground.node(settings()));
        near.dial(far.address, Some(far.port.key()));
        let (to_far, _) = near.joined().await;
        let (to_near, _) = far.joined().await;
        // On a busy machine TCP may have been the first that stood.
        if [&near, &far].iter().all(|node| node.port.links_over(ground.carrier) == 1) {
            return (near, to_far, far, to_near);
        }
    }
    panic!("no link goes over {:?}", ground.carrier)
}
