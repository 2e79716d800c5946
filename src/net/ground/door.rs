//! The door to the loop: how a port hands in what happened and gets its orders.

use std::rc::Rc;

use smol::{LocalExecutor, Task};

use super::reactor::Reactor;
use super::tasks;
use crate::base::time::{Date, Instant};
use crate::node::event::Input;
use crate::store::rows::Store;

/// What every port is given of the house; cheap to clone.
#[derive(Clone)]
pub struct Door {
    /// Hands an input to the machine; every output that follows has reached its port on return.
    pub submit: Rc<dyn Fn(Input)>,
    /// The clock that counts through standby.
    pub now: fn() -> Instant,
    /// The system's date; none while its clock is not set.
    pub wall: fn() -> Option<Date>,
    /// The date that certificates are checked against.
    pub date: fn() -> Date,
    /// The bytes.
    pub store: Store,
    /// Where tasks run.
    pub executor: Rc<LocalExecutor<'static>>,
    /// Where sockets are watched.
    pub reactor: Rc<Reactor>,
}

impl Door {
    /// Lets a task run beside the others.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Task<()> {
        tasks::spawn(&self.executor, task)
    }
}
