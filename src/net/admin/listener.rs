//! The operator's doors: a TCP port and the control socket, with few connections at once.

use core::fmt;
use core::net::SocketAddr;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use smol::lock::Semaphore;
use smol::{Async, LocalExecutor, Timer};

use super::exchange;
use super::window::Window;
use crate::base::limits;
use crate::net::ground::{bind, tasks};

/// Why a door does not open.
#[derive(Debug)]
pub enum Error {
    /// Another process answers at the control socket.
    InUse(PathBuf),
    /// Something that is no socket stands in the way.
    Foreign(PathBuf),
    /// The socket or its folder cannot be made.
    Path(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(f, "another neap answers at {}", path.display()),
            Self::Foreign(path) => write!(f, "{} exists and is no socket", path.display()),
            Self::Path(path, error) => write!(f, "cannot make {}: {error}", path.display()),
        }
    }
}

/// Something to accept operators at.
#[derive(Debug)]
pub enum Door {
    /// The page's port.
    Tcp(Async<TcpListener>),
    /// The control socket, with the path that is removed with it, and the inode there.
    Control(Async<UnixListener>, PathBuf, u64),
}

impl Door {
    /// Listens on `address`.
    ///
    /// # Errors
    /// When the port is taken or not ours to take.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        Self::inherited(bind::listen("[admin] listen", address)?)
    }

    /// Takes over a port that the service manager opened.
    ///
    /// # Errors
    /// When the reactor refuses it.
    pub fn inherited(listener: TcpListener) -> io::Result<Self> {
        Async::new(listener).map(Self::Tcp)
    }

    /// Listens at `path`, open to its owner and group. Its folder is made when it is missing; a
    /// socket that a killed daemon left behind is replaced.
    ///
    /// # Errors
    /// When another daemon answers there, a foreign file stands there, or the folder is closed.
    pub fn control(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::Path(path.into(), error);
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(failed)?;
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(Error::Foreign(path.into())),
            Ok(_) if UnixStream::connect(path).is_ok() => return Err(Error::InUse(path.into())),
            _ => {}
        }
        // Made aside and moved into place: nobody meets it with the wrong mode, and a left-over
        // is replaced in one step.
        let aside = path.with_extension(format!("{}", std::process::id()));
        let made = bind_aside(&aside).and_then(|listener| {
            fs::rename(&aside, path)?;
            Ok((Async::new(listener)?, fs::symlink_metadata(path)?.ino()))
        });
        let (listener, inode) = made.map_err(|error| {
            let _ = fs::remove_file(&aside);
            failed(error)
        })?;
        Ok(Self::Control(listener, path.into(), inode))
    }

    /// The address of a TCP door, for a port that was chosen by the system.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.get_ref().local_addr().ok(),
            Self::Control(..) => None,
        }
    }

    async fn accept(&self) -> io::Result<Guest> {
        match self {
            Self::Tcp(listener) => Ok(Guest::Tcp(listener.accept().await?.0)),
            Self::Control(listener, ..) => Ok(Guest::Unix(listener.accept().await?.0)),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Self::Control(_, path, inode) = self {
            // What is at its place may be another one by now. The next start replaces it anyway.
            if fs::symlink_metadata(&*path).is_ok_and(|found| found.ino() == *inode) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

enum Guest {
    Tcp(Async<TcpStream>),
    Unix(Async<UnixStream>),
}

/// Answers operators at all `doors` for ever; dropping it closes the doors.
pub async fn serve(doors: Vec<Door>, window: Rc<Window>) {
    let executor = Rc::new(LocalExecutor::new());
    let room = Arc::new(Semaphore::new(limits::operator::ADMIN_CONNECTIONS));
    for door in doors {
        let (room, window, nursery) =
            (Arc::clone(&room), Rc::clone(&window), Rc::downgrade(&executor));
        let welcome = async move {
            loop {
                let place = room.acquire_arc().await;
                let Ok(guest) = door.accept().await else {
                    // Out of descriptors, most likely: players come first.
                    Timer::after(limits::operator::LOG_RETRY).await;
                    continue;
                };
                let window = Rc::clone(&window);
                let Some(nursery) = nursery.upgrade() else { return };
                let visit = async move {
                    // An operator who goes away needs no answer.
                    let _ = match guest {
                        Guest::Tcp(stream) => exchange::answer(stream, &window, false).await,
                        Guest::Unix(stream) => exchange::answer(stream, &window, true).await,
                    };
                    drop(place);
                };
                tasks::spawn(&nursery, visit).detach();
            }
        };
        tasks::spawn(&executor, welcome).detach();
    }
    executor.run(core::future::pending::<()>()).await;
}

fn bind_aside(path: &Path) -> io::Result<UnixListener> {
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(listener)
}
