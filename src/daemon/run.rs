//! The one loop: each input goes through the machine, and its outputs to their ports, before
//! the next.

use core::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::alarm::Alarm;
use super::ports::Ports;
use crate::base::control::{Control, Told};
use crate::base::peer::NodeKey;
use crate::config::model::Config;
use crate::host::clock;
use crate::node::event::Input;
use crate::node::machine::Machine;
use crate::node::overview::Figures;
use crate::node::status::Status;

/// The machine with its ports around it.
pub struct Run {
    machine: RefCell<Machine>,
    inbox: RefCell<VecDeque<Input>>,
    turning: Cell<bool>,
    ports: OnceCell<Ports>,
    alarm: Rc<Alarm>,
    stopping: Cell<bool>,
}

impl Run {
    /// A loop around a machine, still without ports.
    pub fn new(config: Config, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            machine: RefCell::new(Machine::new(config, seed, clock::now())),
            inbox: RefCell::default(),
            turning: Cell::new(false),
            ports: OnceCell::new(),
            alarm: Rc::default(),
            stopping: Cell::new(false),
        })
    }

    /// Gives the loop its ports, once.
    pub fn connect(&self, ports: Ports) {
        let first = self.ports.set(ports).is_ok();
        debug_assert!(first, "ports are connected once");
    }

    /// Gives the node its key, and the one that it signs with.
    pub fn know(&self, own: NodeKey, signer: NodeKey) {
        self.machine.borrow_mut().know(own, signer, clock::now());
        self.submit(Input::Tick);
    }

    /// Notes why the node can have no peers, if that is so.
    pub fn note_network_fault(&self, why: Option<String>) {
        self.machine.borrow_mut().note_network_fault(why);
    }

    /// An admission runs out without waking anybody: who asks is told.
    fn look_at_admission(&self) {
        if let Some(network) = self.ports.get().and_then(Ports::network) {
            self.note_network_fault(network.port().admission_fault());
        }
    }

    /// Whether there may be peers.
    pub fn may_share(&self) -> bool {
        self.machine.borrow().may_share_at_all()
    }

    /// The ports.
    pub fn ports(&self) -> Option<&Ports> {
        self.ports.get()
    }

    /// When the machine wants to be called.
    pub const fn alarm(&self) -> &Rc<Alarm> {
        &self.alarm
    }

    /// Hands in what happened. Its outputs have reached their ports on return, unless a port
    /// calls while it is being given one: then they follow in the same turn.
    pub fn submit(&self, input: Input) {
        self.inbox.borrow_mut().push_back(input);
        if self.turning.replace(true) {
            return;
        }
        let Some(ports) = self.ports.get() else { return self.turning.set(false) };
        self.turn(&mut self.machine.borrow_mut(), ports);
    }

    /// Takes over a changed configuration without cutting what runs. What ports say of it, such
    /// as that a link is gone, waits as it does while any output is carried out.
    pub fn configure(&self, config: &Config) {
        let Some(ports) = self.ports.get() else { return };
        self.turning.set(true);
        let mut machine = self.machine.borrow_mut();
        machine.configure(config.clone(), clock::now());
        ports.configure(config);
        self.turn(&mut machine, ports);
    }

    /// Carries out what is to be done, and hands in what came meanwhile, until nothing is left.
    fn turn(&self, machine: &mut Machine, ports: &Ports) {
        loop {
            while let Some(output) = machine.poll_output() {
                ports.carry_out(output);
            }
            let Some(input) = self.inbox.borrow_mut().pop_front() else { break };
            machine.handle(input, clock::now());
        }
        self.alarm.set(machine.poll_timeout().map(|(at, _)| at));
        self.turning.set(false);
    }

    /// Does what an operator says; answers in words.
    pub fn control(&self, control: &Control) -> Told {
        self.look_at_admission();
        self.submit(Input::Control(control.clone()));
        self.machine.borrow().told(control)
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.look_at_admission();
        let store = self.ports.get().map(Ports::store);
        let figures = Figures {
            memory: store.map_or(0, |store| store.memory()),
            stopping: self.stopping.get(),
        };
        self.machine.borrow().status(clock::now(), figures)
    }

    /// Notes that the node is going down.
    pub fn stop(&self) {
        self.stopping.set(true);
    }
}
