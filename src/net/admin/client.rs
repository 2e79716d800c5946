//! The other end of the control socket: what `neap status` and control calls ask with.

use core::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

use super::call;
use crate::base::control::Control;
use crate::base::limits;

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// Nobody listens at the socket.
    NotRunning(PathBuf),
    /// We may not open the socket.
    Forbidden(PathBuf),
    /// The daemon did not answer as it should.
    Silent(io::Error),
    /// What came is no status.
    Garbled,
    /// The daemon does not know the question.
    Other,
    /// The daemon does not do what it was told, and says why.
    Refused(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning(path) => {
                let path = path.display();
                write!(
                    f,
                    "neap is not running: nobody listens at {path} (where it does run, a reload \
                     makes the socket anew: 'systemctl reload neap')"
                )
            }
            Self::Forbidden(path) => {
                write!(f, "{} may be opened by root and the group neap only", path.display())
            }
            Self::Silent(error) => write!(f, "neap runs but does not answer: {error}"),
            Self::Garbled => f.write_str("neap's answer is no status"),
            Self::Other => f.write_str(
                "the neap that runs is of another version than this command: start it anew, or \
                 ask with 'neap status --json'",
            ),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// Asks the daemon at `control` for a text, such as `/status.json`. It waits five seconds.
///
/// # Errors
/// When the daemon does not run, does not answer, or answers something else.
pub fn fetch(control: &Path, path: &str) -> Result<String, Error> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (head, body) = exchange(control, &request)?;
    match head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)) {
        Some("200") => Ok(body),
        // An update is installed beside the daemon of before.
        Some("404") => Err(Error::Other),
        _ => Err(Error::Garbled),
    }
}

/// Tells the daemon at `control` what to do and answers its sentence, with a line's end.
///
/// # Errors
/// When the daemon does not run, does not answer, or refuses.
pub fn call(control: &Path, what: &Control) -> Result<String, Error> {
    let body = call::write(what);
    let request = format!(
        "POST /control HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (head, body) = exchange(control, &request)?;
    match head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)) {
        Some("200") => Ok(body),
        // A daemon of another version may not know the call.
        Some("404" | "405" | "409") => Err(Error::Refused(body.trim_end().into())),
        _ => Err(Error::Garbled),
    }
}

/// The number of the process that listens at `control`.
///
/// # Errors
/// When nobody does, or the kernel does not tell.
pub fn process(control: &Path) -> Result<i32, Error> {
    let stream = connect(control)?;
    let told = getsockopt(&stream, PeerCredentials).map_err(|error| Error::Silent(error.into()))?;
    Ok(told.pid())
}

/// Sends a request and answers the head and the body of what comes back.
fn exchange(control: &Path, request: &str) -> Result<(String, String), Error> {
    let mut stream = connect(control)?;
    let mut exchange = || {
        stream.set_read_timeout(Some(limits::operator::ADMIN_TIME))?;
        stream.set_write_timeout(Some(limits::operator::ADMIN_TIME))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        Read::by_ref(&mut stream).take(limits::operator::STATUS).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(Error::Silent)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(Error::Garbled)?;
    Ok((head.into(), body.into()))
}

fn connect(control: &Path) -> Result<UnixStream, Error> {
    UnixStream::connect(control).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Error::Forbidden(control.into()),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Error::NotRunning(control.into())
        }
        _ => Error::Silent(error),
    })
}
