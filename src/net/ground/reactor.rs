//! The reactor of the data sockets: each is registered once, edge-triggered, so that a warm
//! answer costs one read, one write and its share of one `epoll_wait`.
//!
//! smol's own reactor re-arms every wait and its timer by system calls of their own (five a
//! turn, polling 3.11); it keeps what is rare: connecting, timers, signals, the blocking pool.

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use smol::io::{AsyncRead, AsyncWrite};
use smol::{Async, LocalExecutor};

/// The one reactor of the thread that runs the node.
pub struct Reactor {
    epoll: Epoll,
    slots: RefCell<Vec<Option<Rc<Slot>>>>,
    free: RefCell<Vec<usize>>,
    bell: Arc<Bell>,
    /// What small reads go through, whichever socket they are of.
    scratch: RefCell<Vec<u8>>,
}

/// A socket whose readiness the reactor watches.
pub struct Source<T: AsFd> {
    io: T,
    slot: Rc<Slot>,
    key: usize,
    reactor: Rc<Reactor>,
}

/// What is known of a socket: edges seen and who waits.
#[derive(Default)]
struct Slot {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// The other side has closed its half: the next read says so and none is in vain.
    closed: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

/// Wakes the thread of the reactor from any other.
struct Bell {
    event: EventFd,
    rung: AtomicBool,
    asleep: AtomicBool,
}

/// Wakes the reactor's thread for its main future alone.
struct Call {
    called: AtomicBool,
    bell: Arc<Bell>,
}

impl Reactor {
    /// A reactor; fails when the system has no file descriptor left.
    pub fn new() -> io::Result<Rc<Self>> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_value_and_flags(0, flags)?;
        epoll.add(&event, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, BELL))?;
        let bell =
            Arc::new(Bell { event, rung: AtomicBool::new(true), asleep: AtomicBool::new(false) });
        let (slots, free) = (RefCell::default(), RefCell::default());
        let scratch = RefCell::new(vec![0; READ]);
        Ok(Rc::new(Self { epoll, slots, free, bell, scratch }))
    }

    /// Watches a socket, which must not block.
    pub fn source<T: AsFd>(self: &Rc<Self>, io: T) -> io::Result<Source<T>> {
        let slot = Rc::new(Slot::default());
        slot.readable.set(true);
        slot.writable.set(true);
        let key = self.place(Rc::clone(&slot));
        let edges = EpollFlags::EPOLLIN
            | EpollFlags::EPOLLOUT
            | EpollFlags::EPOLLRDHUP
            | EpollFlags::EPOLLET;
        if let Err(error) = self.epoll.add(&io, EpollEvent::new(edges, key as u64)) {
            self.clear(key);
            return Err(error.into());
        }
        Ok(Source { io, slot, key, reactor: Rc::clone(self) })
    }

    /// Runs the executor's tasks and this reactor until `main` is done.
    pub fn run<T>(&self, executor: &LocalExecutor<'_>, main: impl Future<Output = T>) -> T {
        let waker = Waker::from(Arc::clone(&self.bell));
        let mut context = Context::from_waker(&waker);
        let mut main = pin!(executor.run(self.called(main)));
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            if self.bell.rung.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(done) = main.as_mut().poll(&mut context) {
                    return done;
                }
            }
            self.bell.asleep.store(true, Ordering::SeqCst);
            let rung = self.bell.rung.load(Ordering::SeqCst);
            let patience = if rung { EpollTimeout::ZERO } else { EpollTimeout::NONE };
            let count = self.epoll.wait(&mut events, patience).unwrap_or(0);
            self.bell.asleep.store(false, Ordering::SeqCst);
            events[..count].iter().for_each(|event| self.wake(*event));
        }
    }

    /// Polls `main` only when it was woken itself: it waits for what is rare, such as signals,
    /// and asking for that costs a system call in each turn of a busy player's connection.
    fn called<T>(&self, main: impl Future<Output = T>) -> impl Future<Output = T> {
        let call = Arc::new(Call { called: AtomicBool::new(true), bell: Arc::clone(&self.bell) });
        let waker = Waker::from(Arc::clone(&call));
        let mut main = Box::pin(main);
        poll_fn(move |_| match call.called.swap(false, Ordering::SeqCst) {
            true => main.as_mut().poll(&mut Context::from_waker(&waker)),
            false => Poll::Pending,
        })
    }

    fn wake(&self, event: EpollEvent) {
        if event.data() == BELL {
            // Edge-triggered: the count itself is never of interest, but it must not run full.
            let _ = self.bell.event.read();
            return;
        }
        let slots = self.slots.borrow();
        let key = usize::try_from(event.data()).unwrap_or(usize::MAX);
        let Some(Some(slot)) = slots.get(key) else { return };
        let edges = event.events();
        let ended = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR | EpollFlags::EPOLLRDHUP;
        if edges.intersects(ended) {
            slot.closed.set(true);
        }
        if edges.intersects(EpollFlags::EPOLLIN | ended) {
            slot.readable.set(true);
            wake(&slot.reader);
        }
        if edges.intersects(EpollFlags::EPOLLOUT | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            slot.writable.set(true);
            wake(&slot.writer);
        }
    }

    fn place(&self, slot: Rc<Slot>) -> usize {
        let mut slots = self.slots.borrow_mut();
        let free = self.free.borrow_mut().pop();
        match free {
            Some(key) => {
                slots[key] = Some(slot);
                key
            }
            None => {
                slots.push(Some(slot));
                slots.len() - 1
            }
        }
    }

    fn clear(&self, key: usize) {
        self.slots.borrow_mut()[key] = None;
        self.free.borrow_mut().push(key);
    }
}

impl<T: AsFd> Source<T> {
    /// The socket itself.
    pub const fn get(&self) -> &T {
        &self.io
    }

    /// Tries to read; once the socket is drained, waits for the next edge.
    pub fn poll_read_with(
        &self,
        context: &mut Context<'_>,
        wanted: usize,
        mut read: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if !self.slot.readable.get() {
                wait(&self.slot.reader, context);
                return Poll::Pending;
            }
            match read(&self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.slot.readable.set(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) => {
                    if count == 0 && wanted > 0 {
                        self.slot.closed.set(true);
                    }
                    // A short read has drained the socket (epoll(7), Q9), unless it has ended.
                    if count < wanted && !self.slot.closed.get() {
                        self.slot.readable.set(false);
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Reads what has come, a few KiB at most, behind what `into` holds: through a buffer that
    /// all sockets share, so that one who waits holds none.
    pub fn poll_fill(
        &self,
        context: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>>
    where
        for<'a> &'a T: Read,
    {
        let mut scratch = self.reactor.scratch.borrow_mut();
        let read = self.poll_read_with(context, READ, |mut io| io.read(&mut scratch));
        if let Poll::Ready(Ok(count)) = read {
            into.extend_from_slice(&scratch[..count]);
        }
        read
    }

    /// Tries to write; while the socket is full, waits for the next edge.
    pub fn poll_write_with(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.poll_writable(context).is_pending() {
                return Poll::Pending;
            }
            match write(&self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.slot.writable.set(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Whether the socket takes bytes, as far as is known; wakes when it does.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.slot.writable.get() {
            return Poll::Ready(());
        }
        wait(&self.slot.writer, context);
        Poll::Pending
    }

    /// Writes what goes at once; a stream that takes less than is `wanted` is full (epoll(7), Q9).
    pub fn try_write_with(
        &self,
        wanted: usize,
        mut write: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let done = loop {
            match write(&self.io) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                done => break done?,
            }
        };
        if done < wanted {
            self.slot.writable.set(false);
        }
        Ok(done)
    }

    /// Whether the other side has closed or reset the connection; wakes when it does.
    pub fn poll_closed(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.slot.closed.get() {
            return Poll::Ready(());
        }
        wait(&self.slot.reader, context);
        Poll::Pending
    }
}

impl<T: AsFd> Drop for Source<T> {
    fn drop(&mut self) {
        // A socket that is gone already has left the set by itself.
        let _ = self.reactor.epoll.delete(&self.io);
        self.reactor.clear(self.key);
    }
}

impl AsyncRead for Source<TcpStream> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_with(context, into.len(), |mut io| io.read(into))
    }
}

impl AsyncWrite for Source<TcpStream> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |mut io| io.write(from))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |mut io| io.write_vectored(from))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.io.shutdown(std::net::Shutdown::Write))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let first = !self.rung.swap(true, Ordering::SeqCst);
        if first && self.asleep.load(Ordering::SeqCst) {
            // A full counter rings as well.
            let _ = self.event.write(1);
        }
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.called.store(true, Ordering::SeqCst);
        self.bell.wake_by_ref();
    }
}

/// Takes a connected socket out of smol's reactor, so that this one can watch it.
pub fn plain(stream: async_net::TcpStream) -> io::Result<TcpStream> {
    let shared: Arc<Async<TcpStream>> = stream.into();
    let stream = match Arc::try_unwrap(shared) {
        Ok(own) => own.into_inner()?,
        Err(shared) => shared.get_ref().try_clone()?,
    };
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn wait(waiting: &RefCell<Option<Waker>>, context: &Context<'_>) {
    let mut waiting = waiting.borrow_mut();
    match &mut *waiting {
        Some(waker) => waker.clone_from(context.waker()),
        None => *waiting = Some(context.waker().clone()),
    }
}

fn wake(waiting: &RefCell<Option<Waker>>) {
    let waker = waiting.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Bytes of one small read: a request's head is a few hundred.
const READ: usize = 4096;

/// Events taken in one turn; more wait for the next.
const EVENTS: usize = 128;

/// The key of the bell among the sockets' keys.
const BELL: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use smol::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (far, _) = listener.accept().expect("accepted");
        near.set_nonblocking(true).expect("a socket option");
        far.set_nonblocking(true).expect("a socket option");
        (near, far)
    }

    #[test]
    fn bytes_and_the_end_arrive_in_order() {
        let (executor, reactor) = (LocalExecutor::new(), Reactor::new().expect("a reactor"));
        let (near, far) = pair();
        let (mut near, mut far) =
            (reactor.source(near).expect("watched"), reactor.source(far).expect("watched"));
        let sent: Vec<u8> = (0..3_000_000_u32).map(|i| i as u8).collect();
        let wanted = sent.clone();
        let writer = executor.spawn(async move {
            near.write_all(&sent).await.expect("written");
            near.close().await.expect("closed");
        });
        let read = reactor.run(&executor, async move {
            let mut read = Vec::new();
            far.read_to_end(&mut read).await.expect("read");
            writer.await;
            read
        });
        assert!(read == wanted);
    }

    #[test]
    fn the_main_future_takes_no_part_in_the_turns_of_others() {
        let (executor, reactor) = (LocalExecutor::new(), Reactor::new().expect("a reactor"));
        let (near, far) = pair();
        let (mut near, mut far) =
            (reactor.source(near).expect("watched"), reactor.source(far).expect("watched"));
        let echo = executor.spawn(async move {
            let mut byte = [0];
            while far.read_exact(&mut byte).await.is_ok() {
                far.write_all(&byte).await.expect("written");
            }
        });
        let mut talk = executor.spawn(async move {
            let mut byte = [7];
            for _ in 0..50 {
                near.write_all(&byte).await.expect("written");
                near.read_exact(&mut byte).await.expect("echoed");
            }
        });
        let mut polls = 0;
        let main = poll_fn(|context| {
            polls += 1;
            Pin::new(&mut talk).poll(context)
        });
        reactor.run(&executor, main);
        drop(echo);
        assert!(polls <= 3, "it was polled {polls} times in 100 turns");
    }

    #[test]
    fn another_thread_wakes_the_reactor() {
        let (executor, reactor) = (LocalExecutor::new(), Reactor::new().expect("a reactor"));
        let (sender, receiver) = smol::channel::bounded(1);
        let thread = std::thread::spawn(move || sender.send_blocking(7));
        assert_eq!(reactor.run(&executor, receiver.recv()), Ok(7));
        assert!(thread.join().expect("ended").is_ok());
    }
}
