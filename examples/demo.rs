//! Shows neap at work on this machine: makes media, starts an origin and neap, plays it with a
//! real player twice, and tells what was served from where.
//!
//! `cargo run --release --example demo` ends by itself; with `-- --stay` a player goes on and the
//! page can be looked at until Ctrl-C.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for a terminal, not a part of the daemon"
)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let stay = words.iter().any(|word| word == "--stay");
    if words.iter().any(|word| word != "--stay") {
        println!("usage: cargo run --release --example demo [-- --stay]");
        std::process::exit(i32::from(!words.iter().any(|word| word == "--help")));
    }
    if let Err(fault) = demo(stay) {
        eprintln!("demo: {fault}");
        std::process::exit(1);
    }
}

fn demo(stay: bool) -> Outcome<()> {
    let work = root().join("target/demo");
    fs::create_dir_all(&work)?;
    for address in [PLAYERS, ADMIN] {
        if TcpStream::connect(address).is_ok() {
            return Err(format!("something listens on {address} already; end it first").into());
        }
    }
    let ffmpeg = ffmpeg();
    let media = media(&work, ffmpeg.as_deref())?;
    let origin = Origin::start(&work, &media)?;
    println!("origin    {} at {}", origin.kind, origin.url());
    let daemon = daemon(&work, &origin)?;
    println!("neap      http://{PLAYERS}/demo/  (default settings, log in target/demo/neap.log)");
    println!("page      http://{ADMIN}/");
    let url = format!("http://{PLAYERS}/demo/index.m3u8");
    let mut last = Figures::default();
    for name in ["first", "second"] {
        let before = Figures::read();
        let begin = Instant::now();
        let said = play(ffmpeg.as_deref(), &url)?;
        let seconds = begin.elapsed().as_secs_f64();
        println!("player    the {name} played {said} in {seconds:.1} s");
        last = Figures::read().since(&before);
        last.print();
    }
    if stay {
        println!(
            "\nA third player goes on in real time. Look at http://{ADMIN}/, end with Ctrl-C."
        );
        linger(ffmpeg.as_deref(), &url)?;
    }
    drop((daemon, origin));
    println!("\nThe second player cost the origin {} KB.", last.origin / 1000);
    println!("With `-- --stay` all of this goes on and the page can be looked at.");
    Ok(())
}

/// A process of ours, which ends when the demo does.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        // SIGTERM lets each of them put its things in order; the standard library only kills.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(6) {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the media comes from: nginx, or a few lines of our own.
struct Origin {
    kind: &'static str,
    port: u16,
    _server: Option<Ours>,
}

impl Origin {
    fn start(work: &Path, media: &Path) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let Some(nginx) = program("nginx") else {
            let media = media.to_path_buf();
            thread::spawn(move || serve(&listener, &media));
            return Ok(Self { kind: "a small server of the demo's own", port, _server: None });
        };
        drop(listener);
        let folder = work.join("nginx");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("nginx.conf"), nginx_config(port, media))?;
        let server = Command::new(nginx)
            .args(["-c", "nginx.conf", "-e", "error.log", "-p"])
            .arg(&folder)
            .spawn()?;
        let server = Ours(server);
        reachable(&format!("127.0.0.1:{port}"), "nginx")?;
        Ok(Self { kind: "nginx", port, _server: Some(server) })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

fn nginx_config(port: u16, media: &Path) -> String {
    // A server that root starts would read the media as a user who may not.
    let user = if is_root() { "user root;" } else { "" };
    format!(
        "{user} daemon off; worker_processes 1; pid nginx.pid; error_log error.log;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    types {{ application/vnd.apple.mpegurl m3u8; video/mp4 mp4 m4s; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ root {}; add_header Cache-Control \"max-age=600\"; }}
    }}
}}
",
        media.display()
    )
}

/// A static server for machines without nginx: one thread a connection, GET only.
fn serve(listener: &TcpListener, media: &Path) {
    for stream in listener.incoming().flatten() {
        let media = media.to_path_buf();
        thread::spawn(move || {
            let mut stream = stream;
            while answer(&mut stream, &media).is_ok() {}
        });
    }
}

fn answer(stream: &mut TcpStream, media: &Path) -> Outcome<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        if head.len() > 16 << 10 {
            return Err("the request is too long".into());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or("/").split('?').next().unwrap_or("/");
    let name = target.rsplit('/').next().unwrap_or_default();
    let kind = if name.ends_with("m3u8") { "application/vnd.apple.mpegurl" } else { "video/mp4" };
    let (status, body) = match fs::read(media.join(name)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nCache-Control: max-age=600\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)?;
    Ok(())
}

/// Thirty seconds of HLS made on the spot, or the small film that comes with the sources.
fn media(work: &Path, ffmpeg: Option<&Path>) -> Outcome<PathBuf> {
    let Some(ffmpeg) = ffmpeg else {
        println!("media     the twelve seconds in examples/media");
        return Ok(root().join("examples/media"));
    };
    let folder = work.join("media");
    if !folder.join("complete").exists() {
        fs::create_dir_all(&folder)?;
        let done = quiet(ffmpeg).args(MAKE).current_dir(&folder).status()?;
        if !done.success() {
            println!("media     the twelve seconds in examples/media (ffmpeg could not make more)");
            return Ok(root().join("examples/media"));
        }
        fs::write(folder.join("complete"), "")?;
    }
    println!("media     30 s of HLS, 640x360, in target/demo/media");
    Ok(folder)
}

/// neap with its defaults and one origin; ready when it answers.
fn daemon(work: &Path, origin: &Origin) -> Outcome<Ours> {
    let binary = root().join("target/release/neap");
    let beside = std::env::current_exe()?.with_file_name("../neap");
    let binary = if beside.exists() { beside } else { binary };
    // Even a binary that is there may be older than the sources.
    let built = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["build", "--quiet", "--release", "--bin", "neap"])
        .current_dir(root())
        .status();
    if !binary.exists() {
        return Err(format!("no neap at {} ({built:?})", binary.display()).into());
    }
    let log = File::create(work.join("neap.log"))?;
    let daemon = Command::new(binary)
        .arg("--origin")
        .arg(format!("demo={}", origin.url()))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let daemon = Ours(daemon);
    reachable(PLAYERS, "neap").map_err(|fault| {
        let said = fs::read_to_string(work.join("neap.log")).unwrap_or_default();
        format!("{fault}\n{said}")
    })?;
    Ok(daemon)
}

/// Plays `url` to its end as fast as it goes and tells what came.
fn play(ffmpeg: Option<&Path>, url: &str) -> Outcome<String> {
    let Some(ffmpeg) = ffmpeg else { return fetch_all(url) };
    let done = quiet(ffmpeg)
        .args(["-i", url, "-map", "0:v:0", "-map", "0:a:0", "-f", "null", "-progress", "-", "-"])
        .output()?;
    if !done.status.success() {
        return Err(format!("ffmpeg: {}", String::from_utf8_lossy(&done.stderr).trim()).into());
    }
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let last = |key: &str| {
        said.lines().rev().find_map(|line| line.strip_prefix(key)).unwrap_or("?").to_owned()
    };
    let time = last("out_time=");
    let time = time.split('.').next().unwrap_or("?");
    Ok(format!("{} frames, {time}, with ffmpeg", last("frame=")))
}

/// Without a player: takes the playlist and everything it names.
fn fetch_all(url: &str) -> Outcome<String> {
    let base = url.trim_end_matches("index.m3u8").trim_start_matches("http://");
    let (host, path) = base.split_once('/').ok_or("not a URL")?;
    let playlist = String::from_utf8(get(host, &format!("/{path}index.m3u8"))?)?;
    let mut bytes = 0;
    let map = playlist.split("URI=\"").nth(1).and_then(|rest| rest.split('"').next());
    let named = playlist.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for name in map.into_iter().chain(named) {
        bytes += get(host, &format!("/{path}{name}"))?.len();
    }
    Ok(format!("{} KB, without a real player (there is no ffmpeg)", bytes / 1000))
}

/// Plays in real time, over and over, until the terminal ends us.
fn linger(ffmpeg: Option<&Path>, url: &str) -> Outcome<()> {
    loop {
        match ffmpeg {
            Some(ffmpeg) => {
                let mut player = quiet(ffmpeg);
                player.args(["-re", "-i", url, "-f", "null", "-"]);
                player.status()?;
            }
            None => {
                fetch_all(url)?;
                thread::sleep(Duration::from_secs(10));
            }
        }
    }
}

/// What the status says of bytes and requests; what it does not say counts as zero.
#[derive(Clone, Copy, Default)]
struct Figures {
    player: u64,
    cache: u64,
    origin: u64,
    hits: u64,
    requests: u64,
}

impl Figures {
    fn read() -> Self {
        let read = || -> Outcome<serde_json::Value> {
            Ok(serde_json::from_slice(&get(ADMIN, "/status.json")?)?)
        };
        let status = read().unwrap_or_default();
        let count = |name: &str| status["counters"][name].as_u64().unwrap_or_default();
        Self {
            player: count("player_bytes"),
            cache: count("cache_bytes"),
            origin: count("origin_bytes"),
            hits: count("hits"),
            requests: count("requests"),
        }
    }

    fn since(self, before: &Self) -> Self {
        Self {
            player: self.player.saturating_sub(before.player),
            cache: self.cache.saturating_sub(before.cache),
            origin: self.origin.saturating_sub(before.origin),
            hits: self.hits.saturating_sub(before.hits),
            requests: self.requests.saturating_sub(before.requests),
        }
    }

    fn print(self) {
        println!(
            "          {} KB to the player: {} KB from the cache; the origin sent {} KB; \
             {} of {} requests were hits",
            self.player / 1000,
            self.cache / 1000,
            self.origin / 1000,
            self.hits,
            self.requests
        );
    }
}

/// One request on a connection of its own.
fn get(host: &str, path: &str) -> Outcome<Vec<u8>> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no end of the head")?;
    let line = String::from_utf8_lossy(&reply[..end]).lines().next().unwrap_or("").to_owned();
    if !line.contains(" 200") {
        return Err(format!("{path}: {line}").into());
    }
    Ok(reply.split_off(end + 4))
}

/// ffmpeg, installed with apt where we may.
fn ffmpeg() -> Option<PathBuf> {
    if let Some(found) = program("ffmpeg") {
        return Some(found);
    }
    if !is_root() || program("apt-get").is_none() {
        println!("player    no ffmpeg here, and only root may install it (apt-get install ffmpeg)");
        return None;
    }
    println!("player    installing ffmpeg with apt-get");
    let apt = |words: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(words).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        apt.status().is_ok_and(|status| status.success())
    };
    let installed = apt(&["update", "-qq"])
        && apt(&["install", "-y", "-qq", "--no-install-recommends", "ffmpeg"]);
    if !installed {
        println!("player    apt-get could not install ffmpeg; going on without a real player");
    }
    program("ffmpeg")
}

fn quiet(ffmpeg: &Path) -> Command {
    let mut command = Command::new(ffmpeg);
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]);
    command
}

/// A program's place, also where an ordinary user's path does not look.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|folder| folder.join(name)).find(|p| p.is_file())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|said| said.stdout == b"0\n")
}

/// Waits until somebody listens, for ten seconds at most.
fn reachable(address: &str, who: &str) -> Outcome<()> {
    let to: SocketAddr = address.parse()?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        if TcpStream::connect_timeout(&to, Duration::from_millis(500)).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{who} did not come up on {address}").into())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// neap's default addresses.
const PLAYERS: &str = "127.0.0.1:8642";
const ADMIN: &str = "127.0.0.1:8643";

/// A moving picture and a tone, as HLS with fragmented MP4.
#[rustfmt::skip]
const MAKE: [&str; 39] = [
    "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-f", "lavfi", "-i",
    "sine=frequency=440:sample_rate=48000", "-t", "30", "-c:v", "libx264", "-preset", "veryfast",
    "-profile:v", "main", "-pix_fmt", "yuv420p", "-b:v", "1500k", "-g", "50", "-keyint_min", "50",
    "-sc_threshold", "0", "-c:a", "aac", "-f", "hls", "-hls_time", "2", "-hls_playlist_type",
    "vod", "-hls_segment_type", "fmp4", "-hls_segment_filename", "s%d.m4s", "index.m3u8",
];
