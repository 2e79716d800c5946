//! An answer as it begins: its head is here, its body is still on the connection.

use super::connection::Connection;
use super::pool::Server;
use crate::base::url::Url;
use crate::wire::http::body::Body;
use crate::wire::http::head::ResponseHead;

/// An answer whose head is here.
pub(super) struct Answered {
    pub(super) head: ResponseHead,
    pub(super) body: Body,
    pub(super) connection: Connection,
    pub(super) server: Server,
    pub(super) url: Url,
}
