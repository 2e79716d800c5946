//! From the command line to a running node, and down again in order.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;

use ring::rand::SecureRandom;
use smol::{LocalExecutor, Task, Timer, future};

use super::check::{Outcome, code_of, configured};
use super::disk::{self, Shelf};
use super::network::Network;
use super::notes::Notes;
use super::ports::Ports;
use super::run::Run;
use crate::base::limits;
use crate::config::change::difference;
use crate::config::layers::{Flags, Loaded, Paths};
use crate::config::model::Config;
use crate::host::notify::{self, Socket};
use crate::host::signals::{Signal, Watch};
use crate::host::{clock, log as host_log};
use crate::net::admin::listener as admin;
use crate::net::admin::window::Window;
use crate::net::ground::bind;
use crate::net::ground::door::Door;
use crate::net::ground::reactor::Reactor;
use crate::net::ground::tasks;
use crate::net::origin::client::Client;
use crate::net::player::listener::Port;
use crate::node::event::Input;
use crate::store::rows::{Options, Store};

/// Runs a node until a signal ends it.
pub fn run(paths: &Paths, flags: &Flags) -> Outcome {
    let loaded = match configured(paths, flags) {
        Ok(loaded) => loaded,
        Err(outcome) => return outcome,
    };
    host_log::logger::start(&loaded.config.log);
    panic_lines();
    let code = match Node::open(&loaded) {
        Ok(node) => node.serve(paths, flags),
        Err(error) => {
            log::error!("cannot start: {error}");
            code_of(&error)
        }
    };
    host_log::logger::flush();
    Outcome { code, ..Outcome::default() }
}

/// A node whose doors are open.
struct Node {
    config: Config,
    run: Rc<Run>,
    store: Store,
    shelf: Rc<Shelf>,
    notes: Rc<Notes>,
    network: Option<Rc<Network>>,
    executor: Rc<LocalExecutor<'static>>,
    reactor: Rc<Reactor>,
    doors: (Vec<TcpListener>, Vec<admin::Door>),
    /// Who answers at the control socket.
    control: Option<Task<()>>,
    reloads: u32,
}

impl Node {
    fn open(loaded: &Loaded) -> io::Result<Self> {
        let config = loaded.config.clone();
        loaded.warnings.iter().for_each(|warning| log::warn!("{warning}"));
        let (players, mut operators) = inherited()?;
        let players = if players.is_empty() {
            let listen = |address: &SocketAddr| bind::listen("[player] listen", *address);
            config.player.listen.iter().map(listen).collect::<Result<_, _>>()?
        } else {
            players
        };
        if let Some(address) = config.admin.listen.filter(|_| operators.is_empty()) {
            // The page may be missing; the picture may not.
            match admin::Door::tcp(address) {
                Ok(door) => operators.push(door),
                Err(error) => log::error!("there is no page: {error}"),
            }
        }
        let path = config.cache.path.clone();
        let store = Store::new(Options { memory: config.cache.memory.0, path: Some(path) });
        let run = Run::new(config.clone(), seed()?);
        let (executor, reactor) = (Rc::new(LocalExecutor::new()), Reactor::new()?);
        let inputs = Rc::clone(&run);
        let door = Door {
            submit: Rc::new(move |input| inputs.submit(input)),
            now: clock::now,
            wall: clock::date,
            date: clock::trusted_date,
            store: store.clone(),
            executor: Rc::clone(&executor),
            reactor: Rc::clone(&reactor),
        };
        let shelf = Rc::new(Shelf::default());
        let port = Port::new(door.clone(), &config);
        let client = Client::new(door.clone(), &config);
        let notes = Notes::new(&config.network.state, Rc::clone(&executor));
        let ours = if config.network.exists() { notes.hold() } else { Ok(()) };
        // What is wrong with a key or an admission must not take the picture away as well.
        let network = ours.and_then(|()| Network::open(door, &config, &run));
        let network = network.unwrap_or_else(|error| {
            log::error!("nothing is shared: {error}; restart neap once that is mended");
            run.note_network_fault(Some(error.to_string()));
            None
        });
        let network = network.map(Rc::new);
        let ports = Ports::new((&store, port), client, &shelf, &notes);
        ports.sensing().configure(&config);
        run.connect(ports.with_network(network.clone()));
        let doors = (players, operators);
        let (control, reloads) = (None, 0);
        Ok(Self {
            config,
            run,
            store,
            shelf,
            notes,
            network,
            executor,
            reactor,
            doors,
            control,
            reloads,
        })
    }

    /// Serves until a signal says to stop; answers the exit code.
    fn serve(self, paths: &Paths, flags: &Flags) -> u8 {
        let (executor, reactor) = (Rc::clone(&self.executor), Rc::clone(&self.reactor));
        match reactor.run(&executor, self.live(paths, flags)) {
            Ok(()) => 0,
            Err(error) => {
                log::error!("cannot go on: {error}");
                70
            }
        }
    }

    async fn live(mut self, paths: &Paths, flags: &Flags) -> io::Result<()> {
        let mut signals = Watch::new()?;
        let Some(ports) = self.run.ports() else { return Ok(()) };
        let port = Rc::clone(ports.players());
        if let Some(date) = clock::date() {
            self.run.submit(Input::Dated(date));
        }
        self.notes.read(&self.run);
        let mut doors = Vec::new();
        for listener in core::mem::take(&mut self.doors.0) {
            log::info!("players connect to http://{}", listener.local_addr()?);
            doors.push(port.listen(listener)?);
        }
        let _background = self.background();
        if let Some(network) = &self.network {
            network.begin(&self.config);
        }
        notify::ready(&summary(&self.config));
        log::info!("neap {} is ready: {}", env!("CARGO_PKG_VERSION"), summary(&self.config));
        loop {
            match signals.next().await? {
                Signal::Stop => break,
                Signal::Reload => self.reload(paths, flags),
            }
        }
        notify::stopping();
        log::info!("stopping");
        drop(doors);
        self.run.stop();
        port.stop();
        self.finish(&port).await;
        if let Some(network) = &self.network {
            network.leave().await;
        }
        self.run.submit(Input::Stopping);
        self.notes.finish().await;
        // Ended, and not let go alone, it takes its socket along.
        if let Some(control) = self.control.take() {
            control.cancel().await;
        }
        Ok(())
    }

    /// What goes on beside the players.
    fn background(&mut self) -> Vec<Task<()>> {
        let mut tasks = Vec::new();
        self.open_control();
        let doors = core::mem::take(&mut self.doors.1);
        for door in &doors {
            if let Some(address) = door.address() {
                log::info!("status page: http://{address}/");
            }
        }
        if !doors.is_empty() {
            tasks.push(self.answer_operators(doors));
        }
        tasks.push(tasks::spawn(&self.executor, ring(Rc::clone(&self.run))));
        tasks.push(tasks::spawn(&self.executor, sense(Rc::clone(&self.run))));
        tasks.push(tasks::spawn(&self.executor, settle(Rc::clone(&self.run))));
        // Memory has news as well: what was let go because a reader had to have its next block.
        let (run, store) = (Rc::clone(&self.run), self.store.clone());
        let place = self.config.cache.path.display().to_string();
        tasks.push(tasks::spawn(&self.executor, disk::listen(run, store, place)));
        let (run, store) = (Rc::clone(&self.run), self.store.clone());
        let at_once = self.config.cache.disk.0 > 0;
        let disk = disk::tend(run, store, Rc::clone(&self.shelf), at_once);
        tasks.push(tasks::spawn(&self.executor, disk));
        if let Some(interval) = notify::watchdog_interval() {
            let run = Rc::clone(&self.run);
            tasks.push(tasks::spawn(&self.executor, async move {
                if let Some(ports) = run.ports() {
                    ports.watchdog().feed(interval).await;
                }
            }));
        }
        tasks
    }

    fn answer_operators(&self, doors: Vec<admin::Door>) -> Task<()> {
        let (status, calls) = (Rc::clone(&self.run), Rc::clone(&self.run));
        let window = Window {
            status: Box::new(move || status.status()),
            control: Box::new(move |control| calls.control(&control)),
        };
        tasks::spawn(&self.executor, admin::serve(doors, Rc::new(window)))
    }

    /// Opens the control socket where there is none: at the start, and at a reload after somebody
    /// removed it.
    fn open_control(&mut self) {
        let Some(path) = self.config.admin.control.as_deref() else { return };
        if self.control.is_some() && path.exists() {
            return;
        }
        match admin::Door::control(path) {
            Ok(door) => self.control = Some(self.answer_operators(vec![door])),
            Err(error) => log::warn!("'neap status' will not work: {error}"),
        }
    }

    /// Reads the configuration again; a bad one changes nothing.
    fn reload(&mut self, paths: &Paths, flags: &Flags) {
        notify::reloading();
        self.open_control();
        // Counted in the line, or the log takes a second reload's for the first's once more.
        self.reloads += 1;
        let count = self.reloads;
        match Config::load(paths, flags) {
            Ok(loaded) => {
                loaded.warnings.iter().for_each(|warning| log::warn!("{warning}"));
                if let Some(fault) = &loaded.config.network.fault {
                    log::error!("{fault}: neap goes on as it was started");
                }
                for change in difference(&self.config, &loaded.config) {
                    log::info!("reload: {change}");
                }
                let taken = self.config.taken_over(&loaded.config);
                log::set_max_level(taken.log.level);
                self.run.configure(&taken);
                self.config = taken;
                log::info!("configuration read again: {}, reload {count}", summary(&self.config));
            }
            Err(problems) => {
                problems.iter().for_each(|problem| log::error!("{problem}"));
                log::error!(
                    "the configuration stays as it was: the new one has errors, reload {count}"
                );
            }
        }
        notify::ready(&summary(&self.config));
    }

    /// Lets what runs finish, within its time, and what is to be written be written.
    async fn finish(&self, port: &Rc<Port>) {
        let finished = async {
            while port.desk.open_count() > 0 {
                Timer::after(LOOK).await;
            }
            self.store.drained().await;
            true
        };
        let late = async {
            Timer::after(limits::http::SHUTDOWN).await;
            false
        };
        if !future::or(finished, late).await {
            log::warn!("cut {} requests that were still running", port.desk.open_count());
        }
    }
}

/// Calls the machine when it wants to be called.
async fn ring(run: Rc<Run>) {
    loop {
        run.alarm().ring().await;
        run.submit(Input::Tick);
    }
}

/// Lets the reactor settle when the node goes to standby.
async fn settle(run: Rc<Run>) {
    if let Some(ports) = run.ports() {
        ports.settling().work().await;
    }
}

/// Reads the device while the machine wants to know.
async fn sense(run: Rc<Run>) {
    if let Some(ports) = run.ports() {
        ports.sensing().work(&run).await;
    }
}

/// The sockets that the service manager opened, those for players and those for operators.
fn inherited() -> io::Result<(Vec<TcpListener>, Vec<admin::Door>)> {
    let (mut players, mut operators) = (Vec::new(), Vec::new());
    let sockets = notify::sockets().map_err(|error| io::Error::other(error.to_string()))?;
    for inherited in sockets {
        match inherited.socket {
            Socket::Tcp(socket) if inherited.name == "admin" => {
                operators.push(admin::Door::inherited(socket)?);
            }
            Socket::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                players.push(socket);
            }
            Socket::Unix(_) => log::warn!("a unix socket was handed over and is not used"),
        }
    }
    Ok((players, operators))
}

fn summary(config: &Config) -> String {
    let disk = if config.cache.disk.0 > 0 { config.cache.disk.to_string() } else { "none".into() };
    let origins = config.origins.iter().filter(|origin| !origin.urls.is_empty()).count();
    let s = if origins == 1 { "" } else { "s" };
    format!("{origins} origin{s}, {} of memory, {disk} on disk", config.cache.memory)
}

/// A panic anywhere says one line and ends the program, however it was built.
fn panic_lines() {
    std::panic::set_hook(Box::new(|panic| {
        log::error!("fault in neap: {panic}");
        host_log::logger::flush();
        std::process::exit(70);
    }));
}

/// A number that strangers cannot guess.
fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let random = ring::rand::SystemRandom::new();
    random.fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// How often the end of what runs is looked for at shutdown.
const LOOK: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reload_wants_done_later_is_done_in_an_idle_node() {
        let mut config = Config::default();
        config.player.listen.clear();
        (config.admin.listen, config.admin.control) = (None, None);
        let loaded = Loaded { config, sources: Default::default(), warnings: Vec::new() };
        let node = Node::open(&loaded).expect("it opens no door");
        assert_eq!(node.run.alarm().due.get(), None);
        let mut config = loaded.config;
        config.caps.standby_after = Some(Duration::from_secs(60));
        node.run.configure(&config);
        assert!(node.run.alarm().due.get().is_some());
    }
}
