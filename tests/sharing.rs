//! What peers learn of what is not shared with them, and what of their words counts: the machine
//! in virtual time, to which peers say whatever could make it tell.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::RangeInclusive;
use std::time::Duration;

use neap::base::control::Control;
use neap::base::digest::{Digest, Sum};
use neap::base::id::{ExchangeId, OriginId};
use neap::base::peer::{NodeKey, PeerId, Role, Tier};
use neap::base::segment::{BlockSet, SegmentId, resource};
use neap::base::time::{Date, Instant};
use neap::base::url::{Locator, Url};
use neap::config::model::{Config, Origin, Rung, Share, Sharing};
use neap::config::secret::Secret;
use neap::node::event::{Arrival, Input, Order, Output, Request};
use neap::node::machine::Machine;
use neap::node::overview::Figures;
use neap::node::peering::{PeerOrder, Peering};
use neap::wire::http::fields::Fields;
use neap::wire::http::head::{ResponseHead, Version};
use neap::wire::message::Message;
use neap::wire::playlist::{Format, read};
use neap::wire::record::{Record, Statement};
use neap::wire::rewrite::Source;
use neap::wire::switch::Switch;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const SEGMENT: u64 = 150_000;

const PLAYLIST: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n#EXTINF:4,\n2.ts\n\
    #EXTINF:4,\n3.ts\n#EXTINF:4,\n4.ts\n#EXT-X-ENDLIST\n";

/// What each segment sums up to, as its origin states: 32 zeros in base64.
const STATED: &str = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";

/// Who is linked: a device and a witness in the home and elsewhere.
const PEERS: [(u64, Role, Tier); 4] = [
    (1, Role::Device, Tier::Home),
    (2, Role::Witness, Tier::Home),
    (3, Role::Device, Tier::Wan),
    (4, Role::Witness, Tier::Wan),
];

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn key(seed: u8) -> NodeKey {
    NodeKey(pair(seed).public_key().as_ref().try_into().unwrap())
}

fn segment(number: u8) -> SegmentId {
    SegmentId { resource: resource("o", &format!("/{number}.ts")), number: 0 }
}

/// A live playlist that lists these segments, the first of them by this number.
fn live(first: u64, names: RangeInclusive<u8>) -> String {
    let head = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
    names.fold(head, |list, name| list + &format!("#EXTINF:4,\n{name}.ts\n"))
}

fn config(share: Share, role: Role) -> Config {
    let mut origin = Origin::new("o".into(), Url::parse("https://cdn.example/").unwrap());
    origin.share = share;
    let mut config = Config { origins: vec![origin], ..Config::default() };
    config.network.name = "net".into();
    config.network.secret = Secret::new(vec![1; 16]).ok();
    config.network.operators = vec![key(9)];
    config.network.witnesses = vec![key(2), key(4)];
    config.network.role = role;
    config.network.verify = vec![Rung::Witness, Rung::OriginDigest, Rung::Quorum];
    config.sharing.min_audience = 0;
    config
}

/// The record of each segment, by its number.
type Published = fn(u8) -> Option<Record>;

struct World {
    machine: Machine,
    now: Instant,
    exchanges: u64,
    /// Whom the machine told of segments or gave blocks, by what.
    heard: Vec<(u64, &'static str)>,
    /// What its playlist is now.
    playlist: String,
    /// What the origin says of each segment: status and `Cache-Control`.
    says: (u16, &'static str),
    /// Segments that it was asked for.
    fetched: Vec<String>,
    /// The lines that are kept with what players were answered.
    answers: Vec<String>,
    /// Until when records of peers count.
    expires: Date,
    /// What lies beside each segment.
    published: Published,
}

impl World {
    fn new(config: Config) -> Self {
        let mut world = Self::undated(config);
        world.turn(Input::Dated(Date(1_800_000_000)));
        world
    }

    /// On a device whose clock is not set.
    fn undated(config: Config) -> Self {
        let now = Instant::from_micros(5_000_000);
        let machine = Machine::new(config, 1, now);
        let says = (200, "max-age=3600");
        let (heard, fetched) = (Vec::new(), Vec::new());
        let (exchanges, playlist) = (0, PLAYLIST.to_owned());
        let (answers, expires) = (Vec::new(), Date(1_800_050_000));
        let published: Published = |_| None;
        let mut world = Self {
            machine,
            now,
            exchanges,
            heard,
            playlist,
            says,
            fetched,
            answers,
            expires,
            published,
        };
        world.machine.know(key(7), key(7), now);
        world
    }

    fn peering(&mut self, peering: Peering) {
        self.turn(Input::Peer(Box::new(peering)));
    }

    fn joined(&mut self) {
        PEERS.into_iter().for_each(|peer| self.join(peer));
    }

    fn join(&mut self, (peer, role, tier): (u64, Role, Tier)) {
        let seed = u8::try_from(peer).unwrap();
        let address = [198, 51, seed, 1].into();
        let (peer, key) = (PeerId(peer), key(seed));
        self.peering(Peering::Joined { peer, key, role, tier, dialled: None, address });
    }

    fn why_not_shared(&self) -> Option<String> {
        let status = self.machine.status(self.now, Figures::default());
        status.playing.into_iter().find_map(|stream| stream.not_shared)
    }

    fn say(&mut self, peer: u64, message: Message) {
        self.peering(Peering::Said { peer: PeerId(peer), message });
    }

    /// One input, and what the ports make of all that follows from it.
    fn turn(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        let mut follows = Vec::new();
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Fetch(order) => self.answer(&order, &mut follows),
                Output::Peer(order) => follows.extend(self.carry_out(*order)),
                Output::Answer { answer, .. } => {
                    self.answers.push(String::from_utf8_lossy(&answer.stored).into_owned());
                }
                _ => {}
            }
        }
        follows.into_iter().for_each(|input| self.turn(input));
    }

    fn carry_out(&mut self, order: PeerOrder) -> Option<Input> {
        let peering = match order {
            PeerOrder::Tell { peer, message } => {
                self.heard.extend(of_segments(&message).map(|word| (peer.0, word)));
                return None;
            }
            PeerOrder::Give { peer, .. } => {
                self.heard.push((peer.0, "block"));
                return None;
            }
            PeerOrder::Sum { row, .. } => Peering::Summed { row, sum: Some(Sum::Sha256([0; 32])) },
            PeerOrder::Prove { row, range } => {
                Peering::Proven { row, range, digest: Some(Digest([range.start as u8; 32])) }
            }
            PeerOrder::Sign(statement) => {
                Peering::Signed(Box::new(Record::sign(*statement, &pair(7)).unwrap()))
            }
            _ => return None,
        };
        Some(Input::Peer(Box::new(peering)))
    }

    /// The origin answers in full.
    fn answer(&mut self, order: &Order, follows: &mut Vec<Input>) {
        let target = &order.locator.target;
        let asked = Locator { origin: OriginId(0), target: target.clone() };
        let url = Url::parse(&format!("https://cdn.example{target}")).unwrap();
        let places = config(Share::None, Role::Device).places();
        let source = Source { url: &url, asked: &asked, places: &places };
        let is_list = target.contains("/p.");
        let format = if target.ends_with(".mpd") { Format::Dash } else { Format::Hls };
        let plan = is_list.then(|| read(format, self.playlist.as_bytes(), &source).plan).flatten();
        let length = if is_list { self.playlist.len() as u64 } else { SEGMENT };
        let (status, control) = if is_list { (200, "max-age=3600") } else { self.says };
        let confirms = !is_list && order.fields.has("if-none-match");
        let status = if confirms { 304 } else { status };
        if !is_list {
            self.fetched.push(target.clone());
        }
        let fields: Fields = [
            ("Cache-Control", control),
            ("ETag", "\"1\""),
            ("Content-Type", "video/mp2t"),
            ("Repr-Digest", STATED),
        ]
        .into_iter()
        .collect();
        let (fetch, head) =
            (order.fetch, ResponseHead { version: Version::Http11, status, fields });
        let mut arrival = Arrival::vouched(fetch, (head, length), self.now);
        arrival.plan = plan;
        let number = target.strip_suffix(".ts.neap-record").and_then(|name| name[1..].parse().ok());
        arrival.records = number.and_then(self.published).into_iter().collect();
        follows.push(Input::Head(Box::new(arrival)));
        follows.push(Input::Received { fetch, upto: length, waited: false });
        follows.push(Input::Ended { fetch, end: Ok(()) });
    }

    fn play(&mut self, target: &str) {
        self.play_with(target, Fields::default());
    }

    /// A player asks, and waits.
    fn ask(&mut self, target: &str, fields: Fields) -> ExchangeId {
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        let locator = Locator { origin: OriginId(0), target: target.into() };
        let method = "GET".into();
        self.turn(Input::Request(Request { exchange, method, locator, fields, body: None }));
        exchange
    }

    fn play_with(&mut self, target: &str, fields: Fields) {
        let exchange = self.ask(target, fields);
        self.pass(Duration::from_secs(1));
        self.turn(Input::Left { exchange, sent: SEGMENT });
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.machine.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.turn(Input::Tick);
        }
        self.now = end;
        self.turn(Input::Tick);
    }

    /// All that a peer can say of a segment; where it belongs is known once it was `played`.
    fn provoke(&mut self, peer: u64, (number, played): (u8, bool)) {
        let segment = segment(number);
        let blocks = segment.blocks(SEGMENT);
        for topic in [Digest([0; 32]), Digest::of(b"topic")] {
            self.say(peer, Message::Seek { segment, topic });
        }
        if played {
            let record = record_until(self.expires, segment, u8::try_from(peer).unwrap());
            self.say(peer, Message::Record(Box::new(record)));
            let (here, coming) = (blocks, BlockSet::NONE);
            self.say(peer, Message::Have { segment, here, coming, hops: 0 });
            self.say(peer, Message::Whole { segment, sum: Sum::Sha256([0; 32]) });
        }
        let within = Duration::from_secs(5);
        self.say(peer, Message::Want { segment, blocks, within });
        let (playlist, path) = ("/p.m3u8".into(), format!("/{number}.ts"));
        self.say(peer, Message::Watch { origin: "o".into(), playlist, segment: path });
        self.pass(Duration::from_secs(1));
        self.say(peer, Message::Cancel { segment, blocks });
        self.say(peer, Message::Done { segment });
        self.say(peer, Message::Seek { segment, topic: Digest::of(b"topic") });
        self.say(peer, Message::Want { segment, blocks, within });
    }
}

/// What a message lets its hearer know of segments; a denial says back what was asked.
fn of_segments(message: &Message) -> impl Iterator<Item = &'static str> {
    let word = match message {
        Message::Seek { .. } => Some("seek"),
        Message::Done { .. } => Some("done"),
        Message::Have { .. } => Some("have"),
        Message::Record(_) => Some("record"),
        Message::Want { .. } => Some("want"),
        Message::Cancel { .. } => Some("cancel"),
        Message::Watch { .. } => Some("watch"),
        Message::Whole { .. } => Some("whole"),
        _ => None,
    };
    word.into_iter()
}

fn record(segment: SegmentId, signer: u8) -> Record {
    record_until(Date(1_800_050_000), segment, signer)
}

fn record_until(expires: Date, segment: SegmentId, signer: u8) -> Record {
    let blocks = [0, 65_536, 131_072_u64].map(|start| Digest([start as u8; 32])).to_vec();
    let statement = Statement {
        segment,
        length: SEGMENT,
        content_type: "video/mp2t".into(),
        etag: "\"1\"".into(),
        last_modified: String::new(),
        lifetime: Duration::from_secs(3600),
        blocks,
        expires,
    };
    Record::sign(statement, &pair(signer)).unwrap()
}

/// What each peer comes to know while a film is played and all of them ask for all of it: of
/// what lies here, of what comes, and of what is not asked for yet.
fn leaks(config: Config, percent: u8) -> Vec<(u64, &'static str)> {
    leaks_of(World::new(config), percent)
}

fn leaks_of(mut world: World, percent: u8) -> Vec<(u64, &'static str)> {
    world.play("/p.m3u8");
    world.play("/1.ts");
    if percent < 100 {
        let switch = Switch::sign(&pair(9), "net", (1, percent, Date(1_800_100_000)));
        world.joined();
        world.say(1, Message::Switch(Box::new(switch)));
        world.heard.clear();
    } else {
        world.joined();
    }
    for round in 1..4 {
        world.play(&format!("/{round}.ts"));
        for (peer, ..) in PEERS {
            (1..=4).for_each(|number| world.provoke(peer, (number, number <= round)));
        }
        world.pass(Duration::from_secs(20));
    }
    world.heard.sort_unstable();
    world.heard.dedup();
    world.heard
}

#[test]
fn what_is_shared_with_nobody_is_told_and_given_to_nobody() {
    for role in [Role::Device, Role::Witness] {
        let shared = leaks(config(Share::Any, role), 100);
        for (peer, ..) in PEERS {
            assert!(shared.contains(&(peer, "block")), "else this shows nothing: {shared:?}");
        }
        assert_eq!(leaks(config(Share::None, role), 100), [], "share = \"none\", {role:?}");
        assert_eq!(leaks(config(Share::Any, role), 0), [], "the operator's switch, {role:?}");
    }
}

#[test]
fn what_is_shared_in_the_home_stays_there() {
    let told = leaks(config(Share::Home, Role::Device), 100);
    assert!(told.contains(&(1, "block")), "{told:?}");
    // The operator's witnesses are no strangers, wherever they are.
    assert!(told.iter().all(|(peer, _)| *peer != 3), "{told:?}");
}

#[test]
fn votes_on_segments_that_a_resource_has_not_are_not_counted() {
    let mut world = World::new(config(Share::Any, Role::Device));
    world.play("/p.m3u8");
    world.play("/1.ts");
    world.joined();
    for number in [0, 7, 4_000_000] {
        let mut record = record(segment(1), 1);
        let statement = &mut record.statement;
        if number > 0 {
            let zero = Digest([0; 32]);
            (statement.segment.number, statement.length) = (number, u64::MAX >> 1);
            statement.blocks = vec![zero; 64];
        }
        let record = Record::sign(record.statement, &pair(1)).unwrap();
        world.say(1, Message::Record(Box::new(record)));
        let status = world.machine.status(world.now, Figures::default());
        let status = serde_json::to_value(&status).unwrap();
        assert_eq!(status["counters"]["records"], 1, "{number}");
    }
}

#[test]
fn rfc_9111_5_2_2_what_is_to_be_confirmed_or_is_one_viewers_is_given_to_nobody() {
    let given = |control| {
        let says = (200, control);
        let heard = leaks_of(World { says, ..World::new(config(Share::Any, Role::Device)) }, 100);
        heard.into_iter().filter(|(_, what)| *what == "block").count()
    };
    assert!(given("public, max-age=60") > 0, "else this shows nothing");
    for control in
        ["no-cache", "max-age=60, no-cache", "private, max-age=60", "no-store", "max-age=0"]
    {
        assert_eq!(given(control), 0, "{control}");
    }
}

#[test]
fn rfc_9111_3_5_what_a_configured_credential_gets_is_given_where_the_origin_opens_it() {
    let world = |control| {
        let mut config = config(Share::Any, Role::Device);
        config.origins[0].headers.push(("Authorization".into(), "Basic a".into()));
        World { says: (200, control), ..World::new(config) }
    };
    let given = |control| {
        let heard = leaks_of(world(control), 100);
        heard.into_iter().filter(|(_, what)| *what == "block").count()
    };
    for control in ["public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate"] {
        assert!(given(control) > 0, "{control}");
    }
    assert_eq!(given("max-age=60"), 0);
    // Nor is it waited for: who has another credential gives none of it either.
    for (control, asks) in [("public, max-age=3600", true), ("max-age=3600", false)] {
        let mut world = offered(world(control));
        world.play("/2.ts");
        assert_eq!(asks_peers(&world), asks, "{control}: {:?}", world.heard);
    }
}

#[test]
fn rfc_9111_4_3_4_a_confirmation_that_opens_nothing_takes_back_what_was_given() {
    let given = |control| {
        let mut config = config(Share::Any, Role::Device);
        config.origins[0].headers.push(("Authorization".into(), "Basic a".into()));
        let mut world = World { says: (200, "public, max-age=60"), ..World::new(config) };
        world.play("/p.m3u8");
        world.play("/1.ts");
        world.pass(Duration::from_secs(100));
        world.says.1 = control;
        world.play("/1.ts");
        world.joined();
        for (peer, ..) in PEERS {
            world.provoke(peer, (1, true));
        }
        world.heard.iter().filter(|(_, what)| *what == "block").count()
    };
    assert!(given("public, max-age=60") > 0, "else this shows nothing");
    for control in ["max-age=60", "private, max-age=60", "no-store"] {
        assert_eq!(given(control), 0, "{control}");
    }
}

#[test]
fn what_a_record_says_is_fresh_no_longer_than_the_record_counts() {
    for (expires, lifetime) in [(1_800_050_000, 3600), (1_800_000_600, 600)] {
        let mut world = World::new(config(Share::Any, Role::Device));
        world.expires = Date(expires);
        let mut world = offered(world);
        (2..=4).for_each(|number| world.play(&format!("/{number}.ts")));
        // What a record states has no digest of the whole.
        let by_record = world.answers.iter().find(|lines| !lines.contains("Digest"));
        let told = by_record.and_then(|lines| lines.split_once("max-age="));
        let told = told.and_then(|(_, rest)| rest.split("\r\n").next()?.parse().ok());
        assert!(told.is_some_and(|told: u64| told.abs_diff(lifetime) < 120), "{:?}", world.answers);
    }
}

/// A node whose peers say that they have what is played next, the first segment having been
/// answered as its world says.
fn offered(mut world: World) -> World {
    world.play("/p.m3u8");
    world.play("/1.ts");
    world.joined();
    for (peer, ..) in PEERS {
        (2..=4).for_each(|number| world.provoke(peer, (number, true)));
    }
    world.heard.clear();
    world.fetched.clear();
    world
}

fn asks_peers(world: &World) -> bool {
    world.heard.iter().any(|(_, what)| *what == "want")
}

#[test]
fn who_is_refused_by_the_origin_asks_nobody_else() {
    let mut world = offered(World::new(config(Share::Any, Role::Device)));
    world.play("/2.ts");
    assert!(asks_peers(&world), "else this shows nothing: {:?}", world.heard);
    for status in [401, 403] {
        let says = (status, "max-age=3600");
        let refused = World { says, ..World::new(config(Share::Any, Role::Device)) };
        let mut world = offered(refused);
        (2..=4).for_each(|number| world.play(&format!("/{number}.ts")));
        assert!(!asks_peers(&world), "{status}: {:?}", world.heard);
    }
}

#[test]
fn rfc_9111_5_2_1_1_a_player_that_wants_the_origins_word_gets_none_of_peers() {
    let mut world = offered(World::new(config(Share::Any, Role::Device)));
    world.play_with("/2.ts", [("Cache-Control", "max-age=0")].into_iter().collect());
    assert!(!asks_peers(&world), "{:?}", world.heard);
    assert!(world.fetched.contains(&"/2.ts".to_owned()), "{:?}", world.fetched);
}

#[test]
fn rfc_9111_5_2_1_a_player_that_says_no_cache_with_every_segment_gets_them_of_peers() {
    let mut world = offered(World::new(config(Share::Any, Role::Device)));
    world.play_with("/2.ts", [("Cache-Control", "no-cache")].into_iter().collect());
    assert!(asks_peers(&world), "{:?}", world.heard);
}

#[test]
fn a_witness_whose_clock_is_slow_is_told() {
    let mut world = World::new(config(Share::Any, Role::Device));
    world.play("/p.m3u8");
    world.play("/1.ts");
    world.joined();
    let told = |world: &World| {
        let status = world.machine.status(world.now, Figures::default());
        status.faults.iter().any(|fault| fault.text.contains("Compare the clocks"))
    };
    for (peer, expires, clocks) in
        [(1, 1_799_999_999, false), (2, 1_800_050_000, false), (2, 1_799_999_999, true)]
    {
        let signer = u8::try_from(peer).unwrap();
        let statement =
            Statement { expires: Date(expires), ..record(segment(2), signer).statement };
        let record = Record::sign(statement, &pair(2)).unwrap();
        world.say(peer, Message::Record(Box::new(record)));
        assert_eq!(told(&world), clocks, "{peer} {expires}");
    }
}

#[test]
fn a_switch_that_bears_a_date_to_come_outranks_no_other() {
    let switch =
        |sequence, percent| Switch::sign(&pair(9), "net", (sequence, percent, Date(1_900_000_000)));
    let call = |world: &mut World, switch: &Switch| {
        let control = Control::Switch { line: switch.to_string() };
        world.turn(Input::Control(control.clone()));
        world.machine.told(&control)
    };
    let (to_come, off, on) = (switch(1_834_560_000, 0), switch(1_800_000_001, 0), switch(1, 100));
    let muted = |world: &World| {
        world.machine.status(world.now, Figures::default()).network.is_some_and(|it| it.muted)
    };
    let mut world = World::new(config(Share::Any, Role::Device));
    let told = call(&mut world, &to_come);
    assert!(told.clone().is_err_and(|why| why.contains("a day ahead")), "{told:?}");
    assert!(!muted(&world));
    assert!(call(&mut world, &off).is_ok() && muted(&world));
    // Without a date it cannot be told, and it is obeyed; with one any other takes its place.
    let mut world = World::undated(config(Share::Any, Role::Device));
    assert!(call(&mut world, &to_come).is_ok() && muted(&world));
    world.turn(Input::Dated(Date(1_800_000_000)));
    assert!(muted(&world));
    assert!(call(&mut world, &on).is_ok() && !muted(&world));
    assert!(call(&mut world, &off).is_ok() && muted(&world));
}

#[test]
fn what_a_live_playlist_drops_on_its_way_still_comes_of_peers() {
    let mut world =
        World { playlist: live(1, 1..=2), ..World::new(config(Share::Any, Role::Device)) };
    world.joined();
    let (segment, blocks) = (segment(2), segment(2).blocks(SEGMENT));
    let have = |here, coming| Message::Have { segment, here, coming, hops: 0 };
    world.play("/p.m3u8");
    world.play("/1.ts");
    world.ask("/2.ts", Fields::default());
    world.say(2, have(BlockSet::NONE, blocks));
    world.playlist = live(3, 3..=4);
    world.ask("/p.m3u8", [("Cache-Control", "no-cache")].into_iter().collect());
    assert!(!world.fetched.contains(&"/2.ts".to_owned()), "the witness fetches it");
    world.heard.clear();
    world.say(2, Message::Record(Box::new(record(segment, 2))));
    world.say(2, have(blocks, BlockSet::NONE));
    assert!(world.heard.contains(&(2, "want")), "{:?}", world.heard);
    assert!(!world.fetched.contains(&"/2.ts".to_owned()), "{:?}", world.fetched);
}

#[test]
fn the_status_says_why_peers_have_no_part_in_a_stream() {
    let why = |config: Config, says, links: &[usize]| {
        let mut world = World { says: (200, says), ..World::new(config) };
        world.play("/p.m3u8");
        world.play("/1.ts");
        links.iter().for_each(|place| world.join(PEERS[*place]));
        world.play("/2.ts");
        world.why_not_shared()
    };
    let device = |share| config(share, Role::Device);
    assert_eq!(why(device(Share::Any), "max-age=60", &[0, 1, 2, 3]), None);
    assert_eq!(why(device(Share::Any), "max-age=60", &[]), None, "that nobody is linked is told");
    let none = why(device(Share::None), "max-age=60", &[0]).unwrap();
    assert!(none.contains("share = \"none\""), "{none}");
    let far = why(device(Share::Home), "max-age=60", &[2]).unwrap();
    assert!(far.contains("no peer is as near"), "{far}");
    let few = Config {
        sharing: Sharing { min_audience: 5, ..device(Share::Any).sharing },
        ..device(Share::Any)
    };
    let few = why(few, "max-age=60", &[2]).unwrap();
    assert!(few.contains("min-audience"), "{few}");
    let unkept = why(device(Share::Any), "no-store", &[0, 1]).unwrap();
    assert!(unkept.contains("kept"), "{unkept}");
    let playlist = "<MPD mediaPresentationDuration=\"PT60S\"><Period><AdaptationSet>\
        <Representation id=\"a\" bandwidth=\"9\"><BaseURL>f.mp4</BaseURL>\
        <SegmentBase indexRange=\"9-99\"/></Representation>\
        <Representation id=\"b\" bandwidth=\"8\"><BaseURL>g.mp4</BaseURL>\
        <SegmentBase indexRange=\"9-99\"/></Representation></AdaptationSet></Period></MPD>";
    let mut world = World { playlist: playlist.into(), ..World::new(device(Share::Any)) };
    world.joined();
    world.play("/p.mpd");
    for (file, range, sought) in [("/f.mp4", None, false), ("/g.mp4", Some("bytes=0-99"), true)] {
        world.heard.clear();
        world.play_with(file, range.map(|range| ("Range", range)).into_iter().collect());
        let seeks = world.heard.iter().any(|(_, what)| *what == "seek");
        assert_eq!(seeks, sought, "{range:?} {:?}", world.heard);
    }
    assert_eq!(world.why_not_shared(), None);
}

#[test]
fn a_publishers_records_that_do_not_count_are_told_and_asked_for_no_more() {
    let cases: [(Published, _, usize); 5] = [
        (|number| Some(record(segment(number), 5)), None, 4),
        (|_| None, None, 3),
        (|number| Some(record(segment(number + 50), 5)), Some("they bear another name"), 3),
        (|number| Some(record(segment(number), 6)), Some("their signer is none"), 3),
        (|number| Some(over(number)), Some("they are over"), 3),
    ];
    for (published, told, asked) in cases {
        let mut config = config(Share::Any, Role::Device);
        config.network.verify = vec![Rung::Publisher];
        config.network.publishers = vec![key(5)];
        let mut world = World { published, ..World::new(config) };
        world.joined();
        world.play("/p.m3u8");
        (1..=4).for_each(|number| world.play(&format!("/{number}.ts")));
        let files = world.fetched.iter().filter(|at| at.ends_with(".neap-record")).count();
        assert_eq!(files, asked, "{told:?}");
        let status = world.machine.status(world.now, Figures::default());
        let texts: Vec<_> = status.faults.iter().map(|fault| fault.text.as_str()).collect();
        let is_told = |told: &str| texts.iter().any(|text| text.contains(told));
        assert!(told.map_or(texts.is_empty(), is_told), "{told:?}: {texts:?}");
    }
}

#[test]
fn a_stream_without_records_beside_it_keeps_no_other_of_its_origin_from_them() {
    let mut config = config(Share::Any, Role::Device);
    config.network.verify = vec![Rung::Publisher];
    config.network.publishers = vec![key(5)];
    let published: Published = |number| (number < 11).then(|| record(segment(number), 5));
    let unsigned = (1..=4).fold(PLAYLIST.to_owned(), |list, name| {
        list.replace(&format!("\n{name}.ts"), &format!("\n1{name}.ts"))
    });
    let mut world = World { published, playlist: unsigned, ..World::new(config) };
    world.joined();
    world.play("/p.b.m3u8");
    (11..=14).for_each(|number| world.play(&format!("/{number}.ts")));
    world.playlist = PLAYLIST.into();
    world.play("/p.m3u8");
    (1..=4).for_each(|number| world.play(&format!("/{number}.ts")));
    let files = |from: &str| {
        let file = |at: &&String| at.ends_with(".neap-record") && at.starts_with(from);
        world.fetched.iter().filter(file).count()
    };
    assert_eq!(files("/1") - files("/1.ts"), 3, "{:?}", world.fetched);
    assert_eq!((1..=4).map(|name| files(&format!("/{name}.ts"))).sum::<usize>(), 4);
}

/// A record that counts no more.
fn over(number: u8) -> Record {
    record_until(Date(1_700_000_000), segment(number), 5)
}

#[test]
fn the_status_says_that_an_encoder_has_begun_anew() {
    let mut world =
        World { playlist: live(7, 1..=2), ..World::new(config(Share::Any, Role::Device)) };
    world.joined();
    world.play("/p.m3u8");
    world.play("/1.ts");
    assert_eq!(world.why_not_shared(), None);
    world.playlist = live(0, 1..=1);
    world.play_with("/p.m3u8", [("Cache-Control", "no-cache")].into_iter().collect());
    let why = world.why_not_shared().unwrap();
    assert!(why.contains("came back"), "{why}");
}

#[test]
fn a_film_that_was_replaced_between_two_parts_is_not_joined() {
    for (named, joins) in [("\"1\"", true), ("\"2\"", false)] {
        let part = |at: u64| format!("#EXTINF:4,\n#EXT-X-BYTERANGE:65536@{}\nf.mp4\n", at * 65536);
        let list = (0..128).map(part).collect::<String>();
        let list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{list}#EXT-X-ENDLIST\n");
        let mut world = World { playlist: list, ..World::new(config(Share::Any, Role::Device)) };
        world.joined();
        world.play("/p.m3u8");
        let film = |number, etag: &str| {
            let segment = SegmentId { resource: resource("o", "/f.mp4"), number };
            let mut statement = record(SegmentId { number: 0, ..segment }, 2).statement;
            (statement.segment, statement.length) = (segment, 128 * 65536);
            statement.etag = etag.into();
            statement.blocks = vec![Digest([7; 32]); 64];
            (segment, Record::sign(statement, &pair(2)).unwrap())
        };
        let ask = |world: &mut World, at: u64, (segment, record): (SegmentId, Record)| {
            let (first, last) = (at * 65536, at * 65536 + 65535);
            let range = format!("bytes={first}-{last}");
            let player = world.ask("/f.mp4", [("Range", &*range)].into_iter().collect());
            let here = BlockSet(u64::MAX);
            world.say(2, Message::Record(Box::new(record)));
            world.heard.clear();
            world.say(2, Message::Have { segment, here, coming: BlockSet::NONE, hops: 0 });
            let asked = world.heard.contains(&(2, "want"));
            let (peer, block) = (PeerId(2), segment.block_at(first));
            let (digest, length) = (Digest([7; 32]), 65536);
            if asked {
                world.peering(Peering::Block { peer, segment, block, digest, length });
            }
            world.turn(Input::Left { exchange: player, sent: 65536 });
            asked
        };
        assert!(ask(&mut world, 0, film(0, "\"1\"")), "a record begins it");
        assert_eq!(ask(&mut world, 70, film(1, named)), joins, "{named} {:?}", world.heard);
    }
}

#[test]
fn a_witness_leaves_the_line_to_a_player_at_home_that_begins() {
    for (peer, gives_way) in [(1, true), (3, false)] {
        let role = config(Share::Any, Role::Witness);
        let mut world = World { playlist: live(1, 1..=2), ..World::new(role) };
        world.joined();
        let watch = |channel: &str, number: u8| Message::Watch {
            origin: "o".into(),
            playlist: format!("/{channel}/p.m3u8"),
            segment: format!("/{channel}/{number}.ts"),
        };
        world.say(peer, watch("a", 1));
        world.pass(Duration::from_secs(10));
        assert_eq!(world.fetched, ["/a/1.ts", "/a/2.ts"]);
        world.say(peer, watch("a", 2));
        world.pass(Duration::from_secs(3));
        world.say(peer, watch("b", 1));
        world.pass(Duration::from_millis(100));
        let now = world.fetched.iter().any(|at| at.starts_with("/b/"));
        assert_eq!(now, !gives_way, "peer {peer}: {:?}", world.fetched);
        world.pass(Duration::from_secs(2));
        assert!(world.fetched.iter().any(|at| at == "/b/2.ts"), "{:?}", world.fetched);
        // What it has turned away from is followed no more.
        world.pass(Duration::from_secs(4));
        world.say(peer, watch("b", 2));
        world.playlist = live(2, 2..=3);
        world.pass(Duration::from_secs(10));
        assert!(world.fetched.contains(&"/b/3.ts".into()), "{:?}", world.fetched);
        assert!(!world.fetched.contains(&"/a/3.ts".into()), "{:?}", world.fetched);
    }
}
