//! What is fetched ahead of a player, and what is not: the machine in virtual time, where an origin
//! answers when the test says so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use neap::base::id::{ExchangeId, FetchId, OriginId};
use neap::base::time::Instant;
use neap::base::url::{Locator, Url};
use neap::config::model::{Config, Origin};
use neap::node::event::{Arrival, Input, Output, Request};
use neap::node::machine::Machine;
use neap::wire::http::fields::Fields;
use neap::wire::http::head::{ResponseHead, Version};
use neap::wire::playlist::{Format, read};
use neap::wire::rewrite::Source;

const SEGMENT: u64 = 1_000_000;

struct World {
    machine: Machine,
    now: Instant,
    exchanges: u64,
    /// What the origin is asked for and has not answered; of a range, with its bytes behind `#`.
    open: Vec<(FetchId, String)>,
    /// What was cancelled.
    ended: Vec<String>,
}

impl World {
    /// A player that has read the playlists of two variants of a film.
    fn new() -> Self {
        let now = Instant::from_micros(1_000_000);
        let machine = Machine::new(config(), 1, now);
        let mut world = Self { machine, now, exchanges: 0, open: Vec::new(), ended: Vec::new() };
        for playlist in ["/high/p.m3u8", "/low/p.m3u8"] {
            let player = world.ask(playlist);
            world.answer(playlist);
            world.leave(player);
        }
        world
    }

    /// A player that plays the first part of a film in one file.
    fn of_film() -> Self {
        let mut world = Self::new();
        let player = world.ask("/film/p.m3u8");
        world.answer("/film/p.m3u8");
        world.leave(player);
        world.plays("/film/film.ts#0-999999");
        world.pass(1000);
        world
    }

    fn turn(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Fetch(order) => {
                    let range = order.fields.first("range").map(|it| it.replace("bytes=", "#"));
                    let target = order.locator.target + &range.unwrap_or_default();
                    self.open.push((order.fetch, target));
                }
                Output::Cancel { fetch } => {
                    let place = self.open.iter().position(|(id, _)| *id == fetch).unwrap();
                    self.ended.push(self.open.remove(place).1);
                }
                _ => {}
            }
        }
    }

    fn ask(&mut self, target: &str) -> ExchangeId {
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        let (target, range) = target.split_once('#').unwrap_or((target, ""));
        let locator = Locator { origin: OriginId(0), target: target.into() };
        let mut fields = Fields::default();
        if !range.is_empty() {
            fields.set("Range", format!("bytes={range}"));
        }
        let request = Request { exchange, method: "GET".into(), locator, fields, body: None };
        self.turn(Input::Request(request));
        exchange
    }

    fn leave(&mut self, exchange: ExchangeId) {
        self.turn(Input::Left { exchange, sent: SEGMENT });
    }

    /// The origin's answer begins.
    fn begin(&mut self, target: &str) {
        let fetch = self.open.iter().find(|(_, asked)| asked == target).unwrap().0;
        let asked = Locator { origin: OriginId(0), target: target.into() };
        let url = Url::parse(&format!("https://cdn.example{target}")).unwrap();
        let source = Source { url: &url, asked: &asked, places: &config().places() };
        let text = if target.starts_with("/film/") { film() } else { playlist() };
        let is_list = target.ends_with(".m3u8");
        let plan = is_list.then(|| read(Format::Hls, text.as_bytes(), &source).plan).flatten();
        let mut fields: Fields =
            [("Cache-Control", "max-age=3600"), ("ETag", "\"1\"")].into_iter().collect();
        let range = target.split_once('#').map(|(_, range)| range);
        if let Some(range) = range {
            fields.set("Content-Range", format!("bytes {range}/{}", 99 * SEGMENT));
        }
        let status = if range.is_some() { 206 } else { 200 };
        let arrival = Arrival {
            fetch,
            head: ResponseHead { version: Version::Http11, status, fields },
            length: Some(if is_list { text.len() as u64 } else { SEGMENT }),
            to_close: false,
            requested: self.now,
            date: None,
            plan,
            warning: None,
            records: Vec::new(),
        };
        self.turn(Input::Head(Box::new(arrival)));
    }

    /// The origin answers in full.
    fn answer(&mut self, target: &str) {
        self.begin(target);
        let place = self.open.iter().position(|(_, asked)| asked == target).unwrap();
        let fetch = self.open.remove(place).0;
        let part = target.split_once('#').and_then(|(_, range)| range.split_once('-'));
        let upto = match part {
            Some((_, last)) => last.parse::<u64>().unwrap() + 1,
            None if target == "/film/p.m3u8" => film().len() as u64,
            None if target.ends_with(".m3u8") => playlist().len() as u64,
            None => SEGMENT,
        };
        self.turn(Input::Received { fetch, upto, waited: false });
        self.turn(Input::Ended { fetch, end: Ok(()) });
    }

    /// A player takes a segment that the origin gives in full.
    fn plays(&mut self, target: &str) {
        let player = self.ask(target);
        self.answer(target);
        self.leave(player);
    }

    /// A player takes a segment that is here.
    fn hits(&mut self, target: &str) {
        let player = self.ask(target);
        assert!(!self.asked().contains(&target), "it is not here");
        self.leave(player);
    }

    /// Some bytes of what the origin has begun to give come.
    fn brings(&mut self, target: &str, upto: u64) {
        let fetch = self.open.iter().find(|(_, asked)| asked == target).unwrap().0;
        self.turn(Input::Received { fetch, upto, waited: false });
    }

    /// Nothing comes for so long; the machine is called when it wants to be.
    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((at, _)) = self.machine.poll_timeout().filter(|(at, _)| *at <= end) {
            assert!(at > self.now, "it is called for nothing");
            self.now = at;
            self.turn(Input::Tick);
        }
        self.now = end;
    }

    fn asked(&self) -> Vec<&str> {
        self.open.iter().map(|(_, target)| &**target).collect()
    }
}

fn config() -> Config {
    let origin = Origin::new("o".into(), Url::parse("https://cdn.example/").unwrap());
    Config { origins: vec![origin], ..Config::default() }
}

fn playlist() -> String {
    let mut text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n".to_owned();
    (0..99).for_each(|number| text.push_str(&format!("#EXTINF:4,\n{number}.ts\n")));
    text + "#EXT-X-ENDLIST\n"
}

/// The same in one file.
fn film() -> String {
    let mut text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n".to_owned();
    let part =
        |number| format!("#EXTINF:4,\n#EXT-X-BYTERANGE:{SEGMENT}@{}\nfilm.ts\n", number * SEGMENT);
    (0..99).for_each(|number| text.push_str(&part(number)));
    text + "#EXT-X-ENDLIST\n"
}

#[test]
fn of_a_film_in_one_file_the_next_part_is_here_too() {
    let mut world = World::of_film();
    // To the border of a block, so that no byte is asked for twice.
    assert_eq!(world.asked(), ["/film/film.ts#1000000-2031615"]);
    world.hits("/film/film.ts#1000000-1999999");
    world.answer("/film/film.ts#1000000-2031615");
    world.pass(1000);
    assert_eq!(world.asked(), ["/film/film.ts#2031616-3014655"]);
}

#[test]
fn a_player_that_seeks_in_one_file_has_the_line_to_itself() {
    let mut world = World::of_film();
    world.begin("/film/film.ts#1000000-2031615");
    world.ask("/film/film.ts#50000000-50999999");
    world.pass(1000);
    assert_eq!(world.asked(), ["/film/film.ts#50000000-51052543"]);
    assert_eq!(world.ended, ["/film/film.ts#1000000-2031615"]);
}

#[test]
fn a_player_that_has_time_finds_the_next_segment_here() {
    let mut world = World::new();
    world.plays("/high/0.ts");
    world.pass(1000);
    assert_eq!(world.asked(), ["/high/1.ts"]);
    world.answer("/high/1.ts");
    assert_eq!(world.asked(), ["/high/2.ts"], "no player waited for it");
}

#[test]
fn a_player_that_turns_to_another_variant_at_once_has_the_line_to_itself() {
    let mut world = World::new();
    world.plays("/high/0.ts");
    world.pass(20);
    world.ask("/low/1.ts");
    world.pass(1000);
    assert_eq!(world.asked(), ["/low/1.ts"]);
}

#[test]
fn a_player_that_seeks_has_the_line_to_itself() {
    let mut world = World::new();
    world.plays("/high/0.ts");
    world.pass(1000);
    world.begin("/high/1.ts");
    world.ask("/high/50.ts");
    world.pass(1000);
    assert_eq!((world.asked(), &*world.ended), (vec!["/high/50.ts"], &["/high/1.ts".into()][..]));
}

#[test]
fn what_another_player_is_given_goes_on() {
    let mut world = World::new();
    world.plays("/high/0.ts");
    world.pass(1000);
    world.begin("/high/1.ts");
    world.ask("/high/1.ts");
    world.ask("/high/50.ts");
    world.pass(1000);
    assert_eq!(world.asked(), ["/high/1.ts", "/high/50.ts"]);
}

#[test]
fn a_reload_does_not_forget_what_is_played() {
    let mut world = World::new();
    world.plays("/high/0.ts");
    world.pass(1000);
    world.answer("/high/1.ts");
    world.answer("/high/2.ts");
    let mut changed = config();
    changed.origins[0].timeout = Duration::from_secs(3);
    changed.origins.push(Origin::new("p".into(), Url::parse("https://other.example/").unwrap()));
    world.machine.configure(changed, world.now);
    world.hits("/high/1.ts");
    assert_eq!(world.asked(), ["/high/3.ts"]);
    // What is elsewhere now is another thing.
    world.answer("/high/3.ts");
    let mut moved = config();
    moved.origins[0].urls = vec![Url::parse("https://moved.example/").unwrap()];
    world.machine.configure(moved, world.now);
    world.plays("/high/2.ts");
    world.pass(1000);
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn what_never_comes_to_its_end_does_not_keep_all_else_from_being_fetched() {
    let mut world = World::new();
    world.plays("/high/0.ts");
    world.pass(1000);
    world.begin("/high/1.ts");
    for part in 1..=13 {
        world.pass(5000);
        assert_eq!(world.ended, [""; 0], "{part}");
        world.brings("/high/1.ts", part);
        if world.ended == ["/high/1.ts"] {
            assert_eq!(part, 13, "a minute and more");
            break;
        }
    }
    assert_eq!(world.ended, ["/high/1.ts"]);
    world.plays("/low/40.ts");
    world.pass(1000);
    assert_eq!(world.asked(), ["/low/41.ts"]);
}

#[test]
fn of_bodies_that_players_have_left_a_few_run_on_to_their_ends() {
    let mut world = World::new();
    for number in 10..30 {
        let target = format!("/high/{number}.ts");
        let player = world.ask(&target);
        world.begin(&target);
        world.brings(&target, SEGMENT * 3 / 4);
        world.turn(Input::Left { exchange: player, sent: SEGMENT / 2 });
    }
    assert_eq!(world.ended.len(), 20 - 8, "{:?}", world.ended);
}
