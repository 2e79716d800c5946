//! What comes in over a link's socket: whole TLS records in a buffer that is lent while it has
//! something in it.

use core::cell::RefCell;
use core::future::poll_fn;
use std::io::{self, Read};
use std::net::TcpStream;
use std::rc::Rc;

use super::seal::{self, Fault};
use crate::base::limits;
use crate::net::ground::reactor::Source;

/// Buffers that links lend from each other: an idle one has none.
#[derive(Default)]
pub struct Buffers {
    inlets: RefCell<Vec<Box<[u8]>>>,
    outlets: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    fn inlet(&self) -> Box<[u8]> {
        let kept = self.inlets.borrow_mut().pop();
        kept.unwrap_or_else(|| vec![0; limits::link::LINK_BUFFER].into())
    }

    fn take_back(&self, buffer: Box<[u8]>) {
        let mut kept = self.inlets.borrow_mut();
        if kept.len() < limits::link::LINK_BUFFERS {
            kept.push(buffer);
        }
    }

    /// An empty buffer for what goes out.
    pub fn outlet(&self) -> Vec<u8> {
        self.outlets.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes such a buffer back.
    pub fn outlet_back(&self, mut buffer: Vec<u8>) {
        let mut kept = self.outlets.borrow_mut();
        if kept.len() < limits::link::LINK_BUFFERS && buffer.capacity() <= limits::link::LINK_BUFFER
        {
            buffer.clear();
            kept.push(buffer);
        }
    }
}

/// The reading half of a socket.
pub struct Inlet {
    source: Rc<Source<TcpStream>>,
    buffers: Rc<Buffers>,
    buffer: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

impl Inlet {
    /// Reads from a socket into buffers of that stock.
    pub const fn new(source: Rc<Source<TcpStream>>, buffers: Rc<Buffers>) -> Self {
        Self { source, buffers, buffer: None, start: 0, end: 0 }
    }

    /// Waits for more bytes; zero when the other side has closed.
    pub async fn more(&mut self) -> io::Result<usize> {
        self.settle();
        let Self { source, buffers, buffer, end, .. } = self;
        let room = limits::link::LINK_BUFFER - *end;
        let read = poll_fn(|context| {
            let ready = source.poll_read_with(context, room, |mut io| {
                let into = buffer.get_or_insert_with(|| buffers.inlet());
                io.read(&mut into[*end..])
            });
            // While nothing is here, nothing is held.
            if ready.is_pending() && *end == 0 {
                if let Some(empty) = buffer.take() {
                    buffers.take_back(empty);
                }
            }
            ready
        });
        let count = read.await?;
        self.end += count;
        Ok(count)
    }

    /// Bytes of the record at the front, by the reader of its head; none while it is not whole.
    pub fn whole(
        &self,
        length: fn([u8; seal::HEAD]) -> Result<usize, Fault>,
    ) -> Result<Option<usize>, Fault> {
        let here = self.end - self.start;
        let Some(buffer) = self.buffer.as_ref().filter(|_| here >= seal::HEAD) else {
            return Ok(None);
        };
        let mut head = [0; seal::HEAD];
        head.copy_from_slice(&buffer[self.start..self.start + seal::HEAD]);
        let length = length(head)?;
        Ok((length <= here).then_some(length))
    }

    /// Takes the next `count` bytes, which are here.
    pub fn take(&mut self, count: usize) -> &mut [u8] {
        let at = self.start;
        self.start += count;
        match &mut self.buffer {
            Some(buffer) => &mut buffer[at..at + count],
            None => &mut [],
        }
    }

    /// Whether a part of a record is here.
    pub const fn has_part(&self) -> bool {
        self.start < self.end
    }

    /// Moves what is left to the front.
    fn settle(&mut self) {
        if let Some(buffer) = &mut self.buffer {
            buffer.copy_within(self.start..self.end, 0);
        }
        (self.start, self.end) = (0, self.end - self.start);
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.buffers.take_back(buffer);
        }
    }
}
