//! The operator's port on real sockets: page, JSON, metrics, control socket, and its refusals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use neap::base::control::Control;
use neap::base::limits;
use neap::daemon::status;
use neap::net::admin::listener::{Door, Error, serve};
use neap::net::admin::window::Window;
use neap::net::admin::{client, metrics, page, table};
use neap::node::report::COUNTERS;
use neap::node::status::{SCHEMA, Status};

const SAMPLE: &str = include_str!("status.json");

fn sample() -> Status {
    serde_json::from_str(SAMPLE).unwrap()
}

/// A folder of the test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("neap-admin-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Serves the sample on a port that the system chooses, and at `control`, until dropped.
struct Daemon {
    address: SocketAddr,
    stop: Option<smol::channel::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Daemon {
    fn new(control: Option<PathBuf>) -> Self {
        let (told, address) = mpsc::channel();
        let (stop, stopped) = smol::channel::bounded::<()>(1);
        let thread = thread::spawn(move || {
            let mut doors = vec![Door::tcp(([127, 0, 0, 1], 0).into()).unwrap()];
            let address = doors[0].address().unwrap();
            doors.extend(control.map(|path| Door::control(&path).unwrap()));
            told.send(address).unwrap();
            let ended = async {
                let _ = stopped.recv().await;
            };
            let window = Window {
                status: Box::new(sample),
                control: Box::new(|control| match control {
                    Control::Standby => Ok("it rests".into()),
                    Control::Wake => Err("it does not wake: it never slept".into()),
                    other => Err(format!("nobody says {other:?} here")),
                }),
            };
            smol::block_on(smol::future::or(serve(doors, Rc::new(window)), ended));
        });
        let address = address.recv().unwrap();
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn fetch(&self, path: &str) -> (String, String) {
        let answer = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.into(), body.into())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn the_json_has_the_shape_that_was_promised() {
    let mut text = serde_json::to_string_pretty(&sample()).unwrap();
    text.push('\n');
    assert_eq!(text, SAMPLE);
    assert_eq!(sample().schema, SCHEMA);
    let names: Vec<&str> = COUNTERS.iter().map(|row| row.name).collect();
    assert_eq!(sample().counters.len(), names.len());
    assert!(names.iter().all(|name| sample().counters.contains_key(*name)));
}

#[test]
fn each_address_answers_in_its_own_kind() {
    let daemon = Daemon::new(None);
    for (path, kind, body) in [
        ("/", "text/html; charset=utf-8", page::render(&sample())),
        ("/?refresh=1", "text/html; charset=utf-8", page::render(&sample())),
        ("/metrics", metrics::MEDIA_TYPE, metrics::render(&sample())),
        ("/healthz", "text/plain; charset=utf-8", "ok\n".into()),
        ("/status.json", "application/json", serde_json::to_string(&sample()).unwrap() + "\n"),
    ] {
        let (head, got) = daemon.fetch(path);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        assert!(head.contains(&format!("Content-Type: {kind}\r\n")), "{path}: {head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{path}: {head}");
        assert!(head.contains("Cache-Control: no-store"), "{path}: {head}");
        assert!(!head.to_lowercase().contains("access-control"), "{path}: {head}");
        assert_eq!(got, body, "{path}");
    }
    let (head, _) = daemon.fetch("/");
    assert!(head.contains("Content-Security-Policy: default-src 'none'; style-src 'sha256-"));
    assert!(daemon.fetch("/etc/passwd").0.starts_with("HTTP/1.1 404 "));
}

#[test]
fn head_is_get_without_its_body() {
    let daemon = Daemon::new(None);
    let whole = daemon.ask("GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = daemon.ask("HEAD /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(head, whole.split_inclusive("\r\n\r\n").next().unwrap());
}

#[test]
fn a_name_that_was_rebound_to_us_reads_nothing() {
    let daemon = Daemon::new(None);
    for path in ["/", "/status.json", "/metrics", "/healthz"] {
        let answer = daemon.ask(&format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(!answer.contains("0.1.0"), "{answer}");
    }
}

#[test]
fn a_head_that_never_ends_is_cut_at_its_bound() {
    let daemon = Daemon::new(None);
    let field = format!("X: {}\r\n", "a".repeat(limits::operator::ADMIN_HEAD - 21));
    let answer = daemon.ask(&format!("GET / HTTP/1.1\r\n{field}"));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(daemon.ask("\r\n\r\n\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

#[test]
fn idle_guests_leave_room_after_their_time() {
    let daemon = Daemon::new(None);
    let open = |_| TcpStream::connect(daemon.address).unwrap();
    let idle: Vec<TcpStream> = (0..limits::operator::ADMIN_CONNECTIONS).map(open).collect();
    // Waits in the accept queue until the first idle ones are cut.
    assert!(daemon.fetch("/healthz").1.starts_with("ok"));
    drop(idle);
}

#[test]
fn the_control_socket_serves_neap_status() {
    let folder = Folder::new("control");
    let path = folder.0.join("deeper/control.sock");
    let daemon = Daemon::new(Some(path.clone()));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path) & 0o777, 0o660);
    assert_eq!(mode(path.parent().unwrap()) & 0o777, 0o755);
    let text = client::fetch(&path, "/status.json").unwrap();
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), sample());
    assert_eq!(status::ask(&path, true).unwrap(), text);
    assert_eq!(status::ask(&path, false).unwrap(), table::render(&sample()));
    assert!(matches!(Door::control(&path), Err(Error::InUse(_))));
    drop(daemon);
    assert!(!path.exists());
    let error = status::ask(&path, false).unwrap_err().to_string();
    assert!(error.starts_with("neap is not running: nobody listens at "), "{error}");
}

#[test]
fn the_control_socket_takes_calls_and_refuses_what_is_none() {
    let folder = Folder::new("calls");
    let path = folder.0.join("control.sock");
    let daemon = Daemon::new(Some(path.clone()));
    assert_eq!(client::call(&path, &Control::Standby).unwrap(), "it rests\n");
    let refused = client::call(&path, &Control::Wake).unwrap_err().to_string();
    assert_eq!(refused, "it does not wake: it never slept");
    let ask = |head: &str, body: &str| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(format!("{head}\r\nHost: localhost\r\n").as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let post = |length: usize, body: &str| {
        ask("POST /control HTTP/1.1", &format!("Content-Length: {length}\r\n\r\n{body}"))
    };
    for body in ["", "standby", "{}", r#"{"call":"sleep"}"#, r#"{"call":7}"#, "\u{0}"] {
        let answer = post(body.len(), body);
        assert!(answer.starts_with("HTTP/1.1 409 "), "{body}: {answer}");
        assert!(answer.contains("no call that neap knows"), "{body}: {answer}");
    }
    let call = r#"{"call":"standby"}"#;
    assert!(post(call.len(), &format!("{call}more")).starts_with("HTTP/1.1 200 "));
    assert_eq!(post(call.len(), "{\"call\""), "", "a call that was cut is not done");
    assert!(post(limits::operator::CALL + 1, call).starts_with("HTTP/1.1 413 "));
    let head = "POST /control HTTP/1.1";
    assert!(ask(head, "Transfer-Encoding: chunked\r\n\r\n").starts_with("HTTP/1.1 411 "));
    assert!(ask(head, "Content-Length: -1\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert!(ask("GET /control HTTP/1.1", "\r\n").starts_with("HTTP/1.1 405 "));
    assert!(ask("POST / HTTP/1.1", "Content-Length: 0\r\n\r\n").starts_with("HTTP/1.1 405 "));
    let length = call.len();
    let page = daemon.ask(&format!(
        "POST /control HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{call}"
    ));
    assert!(page.starts_with("HTTP/1.1 403 "), "{page}");
    assert!(daemon.fetch("/control").0.starts_with("HTTP/1.1 403 "));
}

#[test]
fn a_socket_that_a_killed_daemon_left_is_replaced_and_a_file_is_not() {
    let folder = Folder::new("stale");
    let path = folder.0.join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let daemon = Daemon::new(Some(path.clone()));
    assert!(client::fetch(&path, "/status.json").is_ok());
    drop(daemon);
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(Door::control(&path), Err(Error::Foreign(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[test]
fn the_page_is_small_and_needs_nothing_from_elsewhere() {
    let text = page::render(&sample());
    assert!(text.len() < 40 * 1024, "{} bytes", text.len());
    let outside = text.replace("http://www.w3.org/2000/svg", "");
    for word in ["http:", "https:", "src=", "@import", "url(", "<iframe", "<img"] {
        assert!(!outside.contains(word), "{word}");
    }
    for words in ["/news/1080p/media.m3u8", "94 %", "31.5 MiB of 48 MiB", "works, on a spare URL"] {
        assert!(text.contains(words), "{words}");
    }
}

#[test]
fn neap_status_fits_one_screen() {
    let text = table::render(&sample());
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    for words in
        ["playing", "94 %", "vod", "works, on a spare URL", "31.5 MiB of 48 MiB", "9 times"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// Reads OpenMetrics 1.0 text by its grammar, as far as we use it, and answers the samples.
fn parse(text: &str) -> Result<BTreeMap<String, u64>, String> {
    let mut samples = BTreeMap::new();
    let mut families: BTreeMap<&str, &str> = BTreeMap::new();
    let mut family = ("", "");
    let body = text.strip_suffix("# EOF\n").ok_or("no end")?;
    for line in body.lines() {
        let mut words = line.splitn(4, ' ');
        if line.starts_with('#') {
            let (_, word) = (words.next(), words.next().ok_or(line)?);
            let (name, value) = (words.next().ok_or(line)?, words.next().ok_or(line)?);
            match word {
                "TYPE" => {
                    if families.insert(name, value).is_some() {
                        return Err(format!("twice: {name}"));
                    }
                    family = (name, value);
                }
                "UNIT" if name == family.0 && name.ends_with(&format!("_{value}")) => {}
                "HELP" if name == family.0 && !value.is_empty() => {}
                _ => return Err(format!("misplaced: {line}")),
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').ok_or(line)?;
        let bare = name.split('{').next().ok_or(line)?;
        let suffix = match family.1 {
            "counter" => "_total",
            "info" => "_info",
            "gauge" => "",
            kind => return Err(format!("kind {kind}")),
        };
        if bare != [family.0, suffix].concat() {
            return Err(format!("outside of its family: {line}"));
        }
        if let Some(labels) = name.strip_prefix(bare).filter(|labels| !labels.is_empty()) {
            let inner = labels.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let (label, value) = inner.and_then(|inner| inner.split_once('=')).ok_or(line)?;
            let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let plain = value.ok_or(line)?.replace("\\\\", "").replace("\\\"", "");
            if plain.contains('"') || !label.bytes().all(|c| c.is_ascii_lowercase()) {
                return Err(format!("label: {line}"));
            }
        }
        let value = value.parse().map_err(|_| line)?;
        if samples.insert(name.to_owned(), value).is_some() {
            return Err(format!("twice: {name}"));
        }
    }
    Ok(samples)
}

#[test]
fn metrics_follow_the_grammar_and_hold_every_counter() {
    let samples = parse(&metrics::render(&sample())).unwrap();
    for row in COUNTERS {
        let value = samples[&format!("neap_{}_total", row.name)];
        assert_eq!(value, sample().counters[row.name], "{}", row.name);
    }
    assert_eq!(samples["neap_build_info{version=\"0.1.0\"}"], 1);
    assert_eq!(samples["neap_origin_up{origin=\"vod\"}"], 1);
    assert_eq!(samples["neap_memory_limit_bytes"], 48 << 20);
    assert_eq!(samples["neap_origin_failing_seconds{origin=\"vod\"}"], 380);
}

#[test]
fn an_evil_origin_name_cannot_forge_a_metric() {
    let mut status = sample();
    status.origins[0].name = "a\"} 1\nneap_hits_total 7\\".into();
    let samples = parse(&metrics::render(&status)).unwrap();
    assert_eq!(samples["neap_hits_total"], 16020);
}

#[test]
fn the_documentation_names_every_metric_and_no_other() {
    let text = metrics::render(&sample());
    let of = |text: &str, start: &str| -> Vec<String> {
        let names = text.lines().filter_map(|line| line.strip_prefix(start));
        let mut names: Vec<String> =
            names.map(|rest| rest.split([' ', '`']).next().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(of(include_str!("../docs/metrics.md"), "| `"), of(&text, "# TYPE "));
}
