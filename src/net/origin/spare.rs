//! A second connection to a far server, made while the first one brings a body.
//!
//! A body can be left in the middle only by closing its connection. Who seeks, or turns to a lower
//! rendition because the line got worse, would then wait for two or three round trips more, where
//! a player with connections of its own has another one open.

use std::rc::Rc;

use super::answered::Answered;
use super::client::{Inner, Origins};
use super::pool::Pool;
use crate::base::id::OriginId;
use crate::base::limits;

impl Inner {
    /// A body begins: if its server is far and no other connection to it waits, one is made.
    pub(super) fn make_spare(
        self: &Rc<Self>,
        origin: OriginId,
        origins: &Rc<Origins>,
        answered: &Answered,
    ) {
        let Answered { body, connection, url, .. } = answered;
        let is_short = body.left().is_some_and(|left| left < limits::http::SPARE_BODY);
        if is_short || connection.effort < limits::http::FAR {
            return;
        }
        let server = Pool::server(origin, url);
        let mut spares = self.spares.borrow_mut();
        if spares.contains_key(&server) || self.pool.has(&server, (self.door.now)()) {
            return;
        }
        let (inner, origins) = (Rc::clone(self), Rc::clone(origins));
        let (key, url) = (server.clone(), url.clone());
        let task = self.door.spawn(async move {
            // If it fails, whoever needs one tries again and says why.
            if let Ok(connection) = inner.connect(origin, &url, &origins).await {
                inner.pool.put(server.clone(), connection, (inner.door.now)());
            }
            inner.spares.borrow_mut().remove(&server);
        });
        spares.insert(key, task);
    }
}
