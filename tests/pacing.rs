//! How fast a hit goes out: the machine before a player of one stream, and an origin of known speed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use neap::base::id::{ExchangeId, OriginId};
use neap::base::time::Instant;
use neap::base::url::{Locator, Url};
use neap::config::model::{Config, Origin, Pacing};
use neap::node::event::{Answer, Arrival, Input, Order, Output, Request};
use neap::node::machine::Machine;
use neap::wire::http::fields::Fields;
use neap::wire::http::head::{ResponseHead, Version};
use neap::wire::playlist::{Format, read};
use neap::wire::rewrite::Source;

/// Bytes of a segment, which plays four seconds: 4 Mbit/s.
const SEGMENT: u64 = 2_000_000;

/// Bytes a second at which a segment plays.
const PLAYS: u64 = SEGMENT / 4;

const PLAYLIST: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"init.mp4\"\n\
    #EXTINF:4,\n1.m4s\n#EXTINF:4,\n2.m4s\n#EXTINF:4,\n3.m4s\n#EXTINF:4,\n4.m4s\n#EXT-X-ENDLIST\n";

struct World {
    machine: Machine,
    now: Instant,
    /// Bytes a second of the origin.
    speed: u64,
    exchanges: u64,
}

impl World {
    /// A player that has seen the playlist and all segments once, from an origin of this speed.
    fn new(pacing: Pacing, speed: u64) -> Self {
        let origin = Origin::new("o".into(), Url::parse("https://cdn.example/").unwrap());
        let mut config = Config { origins: vec![origin], ..Config::default() };
        config.player.pacing = pacing;
        let now = Instant::from_micros(1_000_000);
        let mut world = Self { machine: Machine::new(config, 1, now), now, speed, exchanges: 0 };
        for target in ["/p.m3u8", "/init.mp4", "/1.m4s", "/2.m4s", "/3.m4s", "/4.m4s"] {
            world.now += Duration::from_secs(30);
            world.ask(target, "");
        }
        world.now += Duration::from_secs(30);
        world
    }

    /// What a player is answered that asks for a target, saying this of itself.
    fn ask(&mut self, target: &str, cmcd: &str) -> Answer {
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        let said = (!cmcd.is_empty()).then_some(("CMCD-Request", cmcd));
        let request = Request {
            exchange,
            method: "GET".into(),
            locator: Locator { origin: OriginId(0), target: target.into() },
            fields: said.into_iter().collect(),
            body: None,
        };
        let answer = self.turn(Input::Request(request));
        self.turn(Input::Left { exchange, sent: SEGMENT });
        answer.expect("every request is answered")
    }

    /// One input, and all that the origin is asked because of it.
    fn turn(&mut self, input: Input) -> Option<Answer> {
        self.machine.handle(input, self.now);
        let (mut orders, mut answered) = (Vec::new(), None);
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Answer { answer, .. } => answered = Some(answer),
                Output::Fetch(order) => orders.push(order),
                _ => {}
            }
        }
        for order in orders {
            answered = answered.or(self.fetch(&order));
        }
        answered
    }

    fn fetch(&mut self, order: &Order) -> Option<Answer> {
        let url = Url::parse("https://cdn.example/p.m3u8").unwrap();
        let places = Config {
            origins: vec![Origin::new("o".into(), Url::parse("https://cdn.example/").unwrap())],
            ..Config::default()
        };
        let source = Source { url: &url, asked: &order.locator, places: &places.places() };
        let is_list = order.locator.target.starts_with("/p.");
        let plan = is_list.then(|| read(Format::Hls, PLAYLIST.as_bytes(), &source).plan).flatten();
        let length = match &*order.locator.target {
            target if target.starts_with("/p.") => PLAYLIST.len() as u64,
            "/init.mp4" => 900,
            _ => SEGMENT,
        };
        let fields: Fields =
            [("Cache-Control", "max-age=3600"), ("ETag", "\"1\"")].into_iter().collect();
        let arrival = Arrival {
            fetch: order.fetch,
            head: ResponseHead { version: Version::Http11, status: 200, fields },
            length: Some(length),
            to_close: false,
            requested: self.now,
            date: None,
            plan,
            warning: None,
            records: Vec::new(),
        };
        let first = self.turn(Input::Head(Box::new(arrival)));
        self.now += Duration::from_micros(length * 1_000_000 / self.speed);
        let then = self.turn(Input::Received { fetch: order.fetch, upto: length, waited: false });
        let last = self.turn(Input::Ended { fetch: order.fetch, end: Ok(()) });
        first.or(then).or(last)
    }
}

const HEALTHY: &str = "bl=20000,ot=v,d=4000,br=4000";

fn etp(answer: &Answer) -> Option<&str> {
    let (_, rest) = answer.own.split_once("CMSD-Dynamic: \"neap\";etp=")?;
    rest.split("\r\n").next()
}

#[test]
fn a_hit_goes_out_as_the_origin_would_have_sent_it() {
    let mut world = World::new(Pacing::Auto, 3 * PLAYS);
    let answer = world.ask("/2.m4s", HEALTHY);
    assert_eq!((answer.pace, etp(&answer)), (Some(3 * PLAYS), Some("12000")));
}

#[test]
fn no_hit_is_slower_than_one_and_a_half_times_what_it_plays_at() {
    let mut world = World::new(Pacing::Auto, PLAYS / 2);
    let answer = world.ask("/2.m4s", HEALTHY);
    assert_eq!((answer.pace, etp(&answer)), (Some(PLAYS * 3 / 2), Some("6000")));
    // The stated bitrate is an average; where it is higher than this segment's, it counts.
    let stated = world.ask("/2.m4s", "bl=20000,ot=v,d=4000,br=8000");
    assert_eq!(stated.pace, Some(PLAYS * 3));
}

#[test]
fn a_player_that_needs_it_at_once_gets_it_at_once() {
    let mut world = World::new(Pacing::Auto, 3 * PLAYS);
    for said in ["bl=7900,ot=v,d=4000", "bl=20000,ot=v,su", "bl=20000,ot=v,bs", "bl=0"] {
        let answer = world.ask("/2.m4s", said);
        assert_eq!((answer.pace, etp(&answer)), (None, None), "{said}");
    }
    assert!(world.ask("/2.m4s", "bl=8000,ot=v,d=4000").pace.is_some());
}

#[test]
fn without_cmcd_its_requests_say_what_it_holds() {
    let mut world = World::new(Pacing::Auto, 3 * PLAYS);
    world.now += Duration::from_secs(600);
    let paced: Vec<_> = ["/1.m4s", "/2.m4s", "/3.m4s", "/4.m4s"]
        .map(|target| world.ask(target, "").pace.is_some())
        .into();
    assert_eq!(paced, [false, false, true, true], "two segments are held before the third");
}

#[test]
fn only_media_segments_are_paced() {
    let mut world = World::new(Pacing::Auto, 3 * PLAYS);
    for target in ["/p.m3u8", "/init.mp4"] {
        assert_eq!(world.ask(target, "bl=20000").pace, None, "{target}");
    }
    assert_eq!(world.ask("/2.m4s", "bl=20000,ot=o").pace, None);
    // A file that no playlist lists, and of which the player says nothing.
    world.ask("/film.bin", "");
    assert_eq!(world.ask("/film.bin", "bl=20000").pace, None);
    assert!(world.ask("/film.bin", "bl=20000,ot=av,br=4000").pace.is_some());
}

#[test]
fn where_it_changes_no_choice_nothing_is_held_back() {
    let mut world = World::new(Pacing::Auto, 1_000_000_000);
    assert_eq!(world.ask("/2.m4s", HEALTHY).pace, None);
    let mut world = World::new(Pacing::Off, 3 * PLAYS);
    assert_eq!(world.ask("/2.m4s", HEALTHY).pace, None);
}

#[test]
fn a_factor_needs_no_measurement() {
    let mut world = World::new(Pacing::Times(2500), 1_000_000_000);
    let answer = world.ask("/2.m4s", HEALTHY);
    assert_eq!((answer.pace, etp(&answer)), (Some(PLAYS * 5 / 2), Some("10000")));
}

#[test]
fn what_comes_from_the_origin_is_not_held_back() {
    let mut world = World::new(Pacing::Auto, 3 * PLAYS);
    let answer = world.ask("/new.m4s", HEALTHY);
    assert_eq!((answer.pace, etp(&answer)), (None, None));
}
