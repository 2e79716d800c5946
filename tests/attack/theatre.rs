//! A daemon with a network of its own, an origin with a film, and a player that plays on.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use neap::base::peer::NodeKey;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::daemon::{Daemon, Folder, Setup};
use super::member::SECRET;
use super::origin::{Origin, bytes, file, ok};

/// What is under attack.
pub struct Theatre {
    pub daemon: Daemon,
    /// Where its peers connect.
    pub peers: SocketAddr,
    // Last, since the daemon asks it.
    origin: Origin,
    _state: Folder,
}

/// What one attack made of it.
#[derive(Debug)]
pub struct Outcome {
    /// Segments that the player took while it lasted, and the longest that one took.
    pub segments: u64,
    pub slowest: Duration,
    /// Bytes of memory more than before.
    pub grown: usize,
    /// Lines of the log while it lasted.
    pub lines: usize,
}

/// The seed of the key whose records count.
pub const WITNESS: [u8; 32] = [0x5a; 32];

/// That key.
pub fn witness() -> NodeKey {
    let pair = Ed25519KeyPair::from_seed_unchecked(&WITNESS).unwrap();
    NodeKey(pair.public_key().as_ref().try_into().unwrap())
}

/// Segments of the film; the player begins again behind the last.
const COUNT: u32 = 40;

/// Bytes of a segment: below what is paced, so that the player asks without a pause.
const SIZE: usize = 100_000;

impl Theatre {
    pub fn new() -> Self {
        Self::with(24)
    }

    /// The same with so many links at most.
    pub fn with(max_peers: usize) -> Self {
        Self::by(&format!("max-peers = {max_peers}\nwitnesses = [\"{}\"]", witness()))
    }

    /// The same where two places in the network are believed together, or one at home alone.
    pub fn by_votes() -> Self {
        Self::by("verify = [\"quorum\"]\nquorum = 2")
    }

    /// The same with these lines about whom it knows and believes.
    fn by(trust: &str) -> Self {
        let origin = Origin::new();
        let mut playlist = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:2\n");
        for number in 0..COUNT {
            playlist += &format!("#EXTINF:2,\n{number}.ts\n");
            let body = bytes(number, SIZE);
            origin.on(&format!("/{number}.ts"), file("Cache-Control: max-age=600", body));
        }
        playlist += "#EXT-X-ENDLIST\n";
        let lines = "Content-Type: application/vnd.apple.mpegurl\r\nCache-Control: max-age=600";
        origin.on("/film.m3u8", ok(lines, playlist));
        let state = Folder::new();
        let secret = state.0.join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let sections = format!(
            "memory = \"8 MiB\"\n[network]\nname = \"home\"\nsecret-file = \"{}\"\n\
             state = \"{}\"\nlisten = [\"127.0.0.1:0\"]\ndiscovery = false\n{trust}",
            secret.display(),
            state.0.display(),
        );
        let setup = Setup { cache: sections, level: "info", ..Setup::default() };
        let daemon = setup.start(&origin);
        let line = daemon.wait_log("peers connect to ");
        let peers = line.rsplit(' ').next().unwrap().parse().unwrap();
        Self { daemon, peers, origin, _state: state }
    }

    /// Has the origin show another film, of the first segment of its film and another one.
    pub fn shows(&self, path: &str, body: &[u8]) {
        let lines = "Content-Type: application/vnd.apple.mpegurl\r\nCache-Control: max-age=600";
        let text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/0.ts\n#EXTINF:4,\n{path}\n#EXT-X-ENDLIST\n"
        );
        self.origin.on(&path.replace(".ts", ".m3u8"), ok(lines, text));
        let lines = "Content-Type: video/mp2t\nCache-Control: max-age=600";
        self.origin.on(path, file(lines, body));
    }

    /// Plays the beginning of the film.
    pub fn begins(&self) {
        let mut player = self.daemon.connect();
        player.get("/o/film.m3u8", "").expect(200);
        for number in 1..10 {
            self.take(&mut player, number);
        }
    }

    /// What the origin was asked for a path.
    pub fn asked(&self, path: &str) -> Vec<super::origin::Seen> {
        self.origin.seen(path)
    }

    /// Plays while something is done to the daemon, and says how that went.
    pub fn plays_through(&self, attack: impl FnOnce() + Send) -> Outcome {
        // Once around, so that the cache is as large as it gets.
        let mut player = self.daemon.connect();
        player.get("/o/film.m3u8", "").expect(200);
        for number in 0..COUNT {
            self.take(&mut player, number);
        }
        let (before, said) = (self.daemon.resident(), self.daemon.log().lines().count());
        let over = AtomicBool::new(false);
        let (segments, slowest) = std::thread::scope(|scope| {
            let plays = scope.spawn(|| {
                let (mut count, mut slowest) = (0, Duration::ZERO);
                while !over.load(Ordering::Relaxed) || count < 5 {
                    let number = u32::try_from(count % u64::from(COUNT)).unwrap();
                    slowest = slowest.max(self.take(&mut player, number));
                    count += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                (count, slowest)
            });
            attack();
            over.store(true, Ordering::Relaxed);
            plays.join().unwrap()
        });
        let grown = self.daemon.resident().saturating_sub(before);
        let lines = self.daemon.log().lines().count() - said;
        let outcome = Outcome { segments, slowest, grown, lines };
        eprintln!("{outcome:?}");
        outcome
    }

    /// Takes a segment and looks at each of its bytes; how long that took.
    fn take(&self, player: &mut super::player::Player, number: u32) -> Duration {
        let begun = Instant::now();
        let reply = player.get(&format!("/o/{number}.ts"), "").expect(200);
        assert!(reply.whole && reply.body == bytes(number, SIZE), "segment {number}");
        begun.elapsed()
    }
}

impl Outcome {
    /// No segment took longer than it plays, memory and log stayed as they were but for a little.
    #[track_caller]
    pub fn is_calm(&self) {
        assert!(self.segments >= 5, "it played nothing: {self:?}");
        assert!(self.slowest < Duration::from_secs(2), "a player would stall: {self:?}");
        assert!(self.grown < 6 << 20, "it grows: {self:?}");
        assert!(self.lines < 60, "it fills the log: {self:?}");
    }
}
