//! Connections that wait for their next request, newest first, bounded in number and age.

use core::cell::{Cell, RefCell};

use super::connection::Connection;
use crate::base::id::OriginId;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::time::Instant;
use crate::base::url::{Scheme, Url};

/// Whom a connection belongs to: the origin counts because its `ca` may be its own.
pub type Server = (OriginId, Scheme, String, u16);

/// The idle connections of every server.
#[derive(Default)]
pub struct Pool(RefCell<Map<Server, Vec<(Instant, Connection)>>>, Cell<bool>);

impl Pool {
    /// The server that a URL of an origin is at.
    pub fn server(origin: OriginId, url: &Url) -> Server {
        (origin, url.scheme, url.host.clone(), url.port)
    }

    /// A connection to the server that can still be used, the one that idled least.
    pub fn take(&self, server: &Server, now: Instant) -> Option<Connection> {
        let mut idle = self.0.borrow_mut();
        let row = idle.get_mut(server)?;
        while let Some((since, connection)) = row.pop() {
            if now.since(since) < limits::http::POOL_IDLE && !connection.is_spent() {
                return Some(connection);
            }
        }
        idle.remove(server);
        None
    }

    /// Whether a connection to the server waits that can still be used, or none is to be kept.
    pub fn has(&self, server: &Server, now: Instant) -> bool {
        let usable = |(since, connection): &(Instant, Connection)| {
            now.since(*since) < limits::http::POOL_IDLE && !connection.is_spent()
        };
        self.1.get() || self.0.borrow().get(server).is_some_and(|row| row.iter().any(usable))
    }

    /// Closes every idle connection to a server: what one of them died of, others did.
    pub fn drop_all(&self, server: &Server) {
        self.0.borrow_mut().remove(server);
    }

    /// Keeps a connection whose last answer was read to its end, unless the node rests.
    pub fn put(&self, server: Server, connection: Connection, now: Instant) {
        if self.1.get() {
            return;
        }
        let mut idle = self.0.borrow_mut();
        idle.retain(|_, row| {
            row.retain(|(since, _)| now.since(*since) < limits::http::POOL_IDLE);
            !row.is_empty()
        });
        let row = idle.entry(server).or_default();
        if row.len() >= limits::http::POOLED {
            row.remove(0);
        }
        row.push((now, connection));
    }

    /// Keeps no connection from now on, or keeps them again: a server that closes one would wake a
    /// node in standby.
    pub fn rest(&self, resting: bool) {
        self.1.set(resting);
        if resting {
            self.clear();
        }
    }

    /// Closes every idle connection.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}
