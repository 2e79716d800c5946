//! A port to peers with nothing around it: what happens is answered by a function in place of the
//! machine.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use neap::host::clock;
use neap::net::ground::door::Door;
use neap::net::ground::reactor::Reactor;
use neap::net::peer::port::Port;
use neap::net::peer::settings::Settings;
use neap::node::event::Input;
use neap::node::peering::{PeerOrder, Peering};
use neap::store::rows::Store;
use smol::LocalExecutor;

/// Runs a port until the future that `begin` makes is done; answers what came of it.
pub(crate) fn alone<F: Future>(
    settings: Settings,
    store: Store,
    answer: impl FnMut(&Peering) -> Vec<PeerOrder> + 'static,
    begin: impl FnOnce(&Rc<Port>) -> F,
) -> F::Output {
    let (executor, reactor) = (Rc::new(LocalExecutor::new()), Reactor::new().expect("a reactor"));
    let made: Rc<RefCell<Option<Rc<Port>>>> = Rc::default();
    let (inbox, turning) = (RefCell::new(VecDeque::new()), Cell::new(false));
    let (port, answer) = (Rc::clone(&made), RefCell::new(answer));
    let submit = move |input: Input| {
        let Input::Peer(peering) = input else { return };
        inbox.borrow_mut().push_back(*peering);
        if turning.replace(true) {
            return;
        }
        loop {
            let Some(peering) = inbox.borrow_mut().pop_front() else { break };
            let orders = answer.borrow_mut()(&peering);
            let ours = port.borrow();
            let ours = ours.as_ref().expect("it is made");
            orders.into_iter().for_each(|order| ours.order(order));
        }
        turning.set(false);
    };
    let door = Door {
        submit: Rc::new(submit),
        now: clock::now,
        wall: clock::date,
        date: clock::trusted_date,
        store,
        executor: Rc::clone(&executor),
        reactor: Rc::clone(&reactor),
    };
    let port = Port::new(door, settings).expect("a port");
    *made.borrow_mut() = Some(Rc::clone(&port));
    let end = begin(&port);
    reactor.run(&executor, end)
}
