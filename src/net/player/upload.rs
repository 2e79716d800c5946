//! A request's body on its way from the player into a row.

use std::io;

use smol::future;

use super::desk::Word;
use super::exchange::{End, Exchange};
use super::respond;
use crate::base::id::RowId;
use crate::node::event::{Answer, Refusal};
use crate::wire::http::body::Body;

impl Exchange<'_> {
    /// Brings the request's body into a row; answers early where the origin does.
    pub(super) async fn upload(
        &mut self,
        row: RowId,
        body: &mut Body,
    ) -> io::Result<Option<Answer>> {
        let Self { port, connection, id, keep, .. } = self;
        let until = body.left();
        let bring = async {
            let mut writer = port.door.store.writer(row, 0, until);
            while let Ok(room) = writer.room().await {
                match connection.content(body, room).await {
                    Ok(0) => {
                        let length = writer.position();
                        drop(writer);
                        port.door.store.end(row, length);
                        return Ok(None);
                    }
                    Ok(count) => drop(writer.filled(count)),
                    Err(error) => return Err(error),
                }
            }
            // Nobody wants the rest: the answer says why.
            Ok(None)
        };
        let early = async { Ok(Some(port.desk.hear(*id).await)) };
        match future::or(early, bring).await? {
            Some(Word::Answer(answer)) => {
                // What is left of the body is not read: the connection cannot go on.
                *keep = false;
                Ok(Some(answer))
            }
            Some(Word::Cut) => Err(respond::cut("the origin did not finish")),
            Some(Word::Upload(_) | Word::Resume) | None => Ok(None),
        }
    }

    /// A request's body broke off, or its chunks are none: then the client is told.
    pub(super) async fn broken_body(&mut self, error: &io::Error) -> End {
        log::debug!("exchange {}: the request's body: {error}", self.id);
        if error.kind() != io::ErrorKind::InvalidData {
            return End::Abort;
        }
        self.port.refused(Refusal::Malformed);
        self.keep = false;
        let text = format!("The request cannot be understood: {error}.");
        self.answer(&respond::sentence(400, &text)).await
    }
}
