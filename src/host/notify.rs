//! The service manager: what it is told about us and the sockets that it hands over.
//!
//! Everything here does nothing where there is no systemd (sd_notify(3), sd_listen_fds(3)).

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::sockopt::{AcceptConn, SockType};
use nix::sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage, getsockname, getsockopt};
use sd_notify::NotifyState;

/// A listening socket that the service manager opened for us.
#[derive(Debug)]
pub struct Inherited {
    /// The socket unit's `FileDescriptorName`, empty when it was not handed over.
    pub name: String,
    /// The socket itself.
    pub socket: Socket,
}

/// What kind of listening socket it is.
#[derive(Debug)]
pub enum Socket {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpListener),
    /// A stream socket in the file system.
    Unix(UnixListener),
}

/// Why handed-over sockets could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// `LISTEN_PID` or `LISTEN_FDS` is no number.
    Environment,
    /// The descriptor is closed, no socket, or does not listen: its name or number.
    Unfit(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("LISTEN_PID or LISTEN_FDS is not a number"),
            Self::Unfit(name) => {
                write!(f, "the socket {name} from the service manager is no listening stream")
            }
        }
    }
}

/// Says that players are served now, or again after a reload.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// Says that the configuration is being read again; [`ready`] must follow.
///
/// The time goes with it because `Type=notify-reload` insists on it (systemd 253).
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(moment) => tell(&[NotifyState::Reloading, moment]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// Says that we are leaving.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Sets the one line that `systemctl status` shows.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(&one_line(text))]);
}

/// Asks for `more` time to start, for a cache that needs checking.
pub fn extend_start(more: Duration) {
    let micros = u32::try_from(more.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::ExtendTimeoutUsec(micros)]);
}

/// Feeds the watchdog. Only the loop that serves players may call it: a feeder of its own would
/// report health that nobody has.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// Has the service manager expect [`alive`] within this time from now on; none for never
/// (sd_notify(3), `WATCHDOG_USEC=`; what systemd holds for infinite ends its watch).
pub fn watch(limit: Option<Duration>) {
    let micros =
        limit.map_or(u64::MAX, |limit| u64::try_from(limit.as_micros()).unwrap_or(u64::MAX));
    tell(&[NotifyState::Custom(&format!("WATCHDOG_USEC={micros}"))]);
}

/// How often [`alive`] is due: half of what the unit's `WatchdogSec` allows; none without one.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// Takes the listening sockets that were handed over; the second call finds none.
///
/// # Errors
/// When the environment is garbled or a descriptor is no listening stream socket.
pub fn sockets() -> Result<Vec<Inherited>, Error> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let handed = sd_listen_fds::get().map_err(|_| Error::Environment)?;
    let adopt = |(at, (name, socket)): (usize, (Option<String>, sd_listen_fds::OwnedFd))| {
        let name = name.unwrap_or_default();
        let shown = if name.is_empty() { format!("number {}", at + 1) } else { name.clone() };
        match kind(socket.into_std()) {
            Some(socket) => Ok(Inherited { name, socket }),
            None => Err(Error::Unfit(shown)),
        }
    };
    handed.into_iter().enumerate().map(adopt).collect()
}

fn kind(socket: OwnedFd) -> Option<Socket> {
    use std::os::fd::AsRawFd;

    // A closed or foreign descriptor fails here, before anything is done to it.
    let address: SockaddrStorage = getsockname(socket.as_raw_fd()).ok()?;
    let stream = getsockopt(&socket, SockType).ok()? == nix::sys::socket::SockType::Stream;
    if !stream || !getsockopt(&socket, AcceptConn).ok()? {
        return None;
    }
    fcntl(socket.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    match address.family()? {
        AddressFamily::Inet | AddressFamily::Inet6 => Some(Socket::Tcp(socket.into())),
        AddressFamily::Unix => Some(Socket::Unix(socket.into())),
        _ => None,
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // A manager that does not listen must not trouble players; there is nobody else to tell.
    let _ = sd_notify::notify(state);
}

/// A line break would start another variable of the protocol.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(STATUS).collect()
}

/// Characters of the status line: one screen line of `systemctl status`.
const STATUS: usize = 120;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Stdio};

    use super::*;

    /// Names what a test does in a process of its own, since the protocol lives in the environment.
    const PART: &str = "NEAP_TEST_PART";

    fn part() -> Option<String> {
        std::env::var(PART).ok()
    }

    /// Runs `test` of this file anew for a part of it; `script` prepares the environment and ends
    /// in `exec "$@"`.
    fn child((test, part): (&str, &str), script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        let program = std::env::current_exe().expect("this program");
        command.args(["-c", script, "sh"]).arg(program);
        command.args(["--exact", &format!("host::notify::tests::{test}")]).env(PART, part);
        command
    }

    fn says_everything() {
        assert_eq!(watchdog_interval(), Some(Duration::from_secs(15)));
        ready("2 streams\nMAINPID=1");
        reloading();
        extend_start(Duration::from_secs(3));
        alive();
        status("idle");
        stopping();
    }

    #[test]
    fn the_manager_hears_each_state_once_and_no_forged_one() {
        if part().is_some() {
            return says_everything();
        }
        let folder = std::env::temp_dir().join(format!("neap-notify-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder of our own");
        let path = folder.join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket of our own");
        manager.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket of our own");
        let script = "WATCHDOG_PID=$$ exec \"$@\"";
        let test = "the_manager_hears_each_state_once_and_no_forged_one";
        let mut child = child((test, "says everything"), script);
        child.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "30000000").stdout(Stdio::null());
        assert!(child.status().expect("it starts").success());
        let mut heard = Vec::new();
        for _ in 0..6 {
            let mut packet = [0; 512];
            let length = manager.recv(&mut packet).expect("a message");
            heard.push(String::from_utf8_lossy(&packet[..length]).into_owned());
        }
        std::fs::remove_dir_all(folder).expect("a folder of our own");
        assert_eq!(heard[0].trim_end(), "READY=1\nSTATUS=2 streams MAINPID=1");
        assert!(heard[1].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{}", heard[1]);
        assert_eq!(heard[2].trim_end(), "EXTEND_TIMEOUT_USEC=3000000");
        assert_eq!(heard[3].trim_end(), "WATCHDOG=1");
        assert_eq!(heard[4].trim_end(), "STATUS=idle");
        assert_eq!(heard[5].trim_end(), "STOPPING=1");
    }

    fn takes_the_sockets() {
        let mut taken = sockets().expect("what systemd hands over");
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].name, "player");
        let Socket::Tcp(listener) = taken.remove(0).socket else { panic!("no TCP socket") };
        let mut said = String::new();
        listener.accept().expect("a client").0.read_to_string(&mut said).expect("what it wrote");
        assert_eq!(said, "hello");
        assert!(sockets().expect("what systemd hands over").is_empty());
    }

    #[test]
    fn handed_over_sockets_serve_and_foreign_ones_are_left_alone() {
        use std::io::Write;

        match part().as_deref() {
            Some("ours") => return takes_the_sockets(),
            Some("foreign") => return assert!(sockets().expect("nothing for us").is_empty()),
            Some("file") => {
                return assert_eq!(sockets().unwrap_err(), Error::Unfit("player".into()));
            }
            _ => {}
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let mut client = std::net::TcpStream::connect(listener.local_addr().expect("it is bound"))
            .expect("a connection");
        client.write_all(b"hello").expect("it is connected");
        drop(client);
        let ours = "exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=player exec \"$@\"";
        let foreign = "exec 3<&0; LISTEN_PID=1 LISTEN_FDS=1 exec \"$@\"";
        let file = "exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=player exec \"$@\"";
        let test = "handed_over_sockets_serve_and_foreign_ones_are_left_alone";
        for (part, script) in [("foreign", foreign), ("file", file), ("ours", ours)] {
            let socket = OwnedFd::from(listener.try_clone().expect("a second handle"));
            let mut child = child((test, part), script);
            child.stdin(Stdio::from(socket)).stdout(Stdio::null());
            assert!(child.status().expect("it starts").success(), "{part}");
        }
    }
}
