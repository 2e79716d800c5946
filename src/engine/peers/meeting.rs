//! Where nodes of one stream meet: which tracker is told what of which stream, and when.
//!
//! A stream has another name at trackers each day, made with the network's secret: they learn
//! that some addresses belong together for a day, and not what is watched.

use core::net::SocketAddr;
use core::time::Duration;

use ring::hmac;

use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::NodeKey;
use crate::base::rng::Rng;
use crate::base::time::{Date, Instant};
use crate::wire::tracker::announce::{Announce, Answer, Call, Event, InfoHash};

/// The meetings of a node.
pub struct Meeting {
    key: hmac::Key,
    rng: Rng,
    trackers: Vec<Tracker>,
    streams: Map<Digest, Stream>,
    places: Map<(Digest, i64), Place>,
    /// What is still to be said of places that were left.
    leaving: Vec<Call>,
}

/// A tracker and how it was to us.
#[derive(Clone, Copy, Debug, Default)]
struct Tracker {
    failures: u32,
    rests: Instant,
}

/// A stream that is played here and may be shared beyond the home.
#[derive(Clone, Copy, Debug)]
struct Stream {
    since: Instant,
    played: Instant,
    audience: Option<u32>,
}

/// One name of a stream: of one day.
#[derive(Clone, Copy, Debug)]
struct Place {
    name: [u8; 20],
    key: u32,
    next: Instant,
    /// Where it is announced, once it is.
    told: Option<usize>,
    is_asked: bool,
}

/// How it stands with trackers, for the status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Streams that are announced now.
    pub announced: usize,
    /// Trackers that answer, and those that rest because they failed.
    pub resting: usize,
}

/// What makes the names of streams: the secret where there is one; else the operators' keys,
/// which every node has and no tracker is told.
pub fn naming_key(network: &str, secret: Option<&[u8]>, operators: &[NodeKey]) -> Option<Digest> {
    let mut keys: Vec<&[u8]> = operators.iter().map(|key| &key.0[..]).collect();
    keys.sort_unstable();
    let known = match secret {
        Some(secret) => vec![secret],
        None if keys.is_empty() => return None,
        None => keys,
    };
    let head = [b"neap/1 meeting key\0".as_slice(), network.as_bytes(), b"\0"];
    Some(Digest::of_parts(head.into_iter().chain(known)))
}

/// What a stream is called before it has a day: the origin's name and the playlist's path.
pub fn stream(origin: &str, playlist: &str) -> Digest {
    Digest::of_parts([b"neap/1 meeting\0", origin.as_bytes(), b"\0", playlist.as_bytes()])
}

impl Meeting {
    /// Meetings at so many trackers, under what [`naming_key`] says.
    pub fn new(key: Digest, trackers: usize, rng: Rng) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key.0),
            rng,
            trackers: vec![Tracker::default(); trackers],
            streams: Map::new(),
            places: Map::new(),
            leaving: Vec::new(),
        }
    }

    /// A stream is played that may be shared beyond the home.
    pub fn on_played(&mut self, stream: Digest, played: Instant) {
        if let Some(known) = self.streams.get_mut(&stream) {
            known.played = known.played.max(played);
        } else if self.streams.len() < limits::meeting::STREAMS_MET {
            let begun = Stream { since: played, played, audience: None };
            self.streams.insert(stream, begun);
        }
    }

    /// How many are on a stream by the last answer; none where no tracker has said so.
    pub fn audience(&self, stream: Digest) -> Option<u32> {
        self.streams.get(&stream)?.audience
    }

    /// Whether any tracker can be asked at all.
    pub fn is_open(&self) -> bool {
        !self.trackers.is_empty()
    }

    /// How it stands.
    pub fn standing(&self, now: Instant) -> Standing {
        let told = self.places.values().filter(|place| place.told.is_some());
        let resting = self.trackers.iter().filter(|tracker| tracker.rests > now);
        Standing { announced: told.count(), resting: resting.count() }
    }

    /// The next announcement that is due; `wanted` is how many addresses are of use.
    pub fn poll(&mut self, wanted: u16, date: Option<Date>, now: Instant) -> Option<Call> {
        self.end_streams(now);
        if let Some(date) = date {
            self.open_places(date, now);
        }
        if let Some(call) = self.leaving.pop() {
            return Some(call);
        }
        let tracker = self.usable(now)?;
        let due = |place: &&mut Place| !place.is_asked && place.next <= now;
        let ((stream, day), place) = self.places.iter_mut().find(|(_, place)| due(place))?;
        place.is_asked = true;
        let event = if place.told == Some(tracker) { Event::Going } else { Event::Started };
        let (name, key) = (place.name, place.key);
        let hash = hash(&self.key, *stream, *day);
        Some(Call { tracker, announce: Announce { hash, name, key, port: 0, wanted, event } })
    }

    /// A tracker answered, or did not. What it names is yet to be sorted out.
    pub fn on_answer(
        &mut self,
        call: &Call,
        answer: Option<&Answer>,
        now: Instant,
    ) -> Vec<SocketAddr> {
        let Some(tracker) = self.trackers.get_mut(call.tracker) else { return Vec::new() };
        let named = |((stream, day), _): &(&(Digest, i64), &mut Place)| {
            hash(&self.key, *stream, *day) == call.announce.hash
        };
        let found = self.places.iter_mut().find(named);
        let Some(answer) = answer else {
            let (first, most) = limits::meeting::TRACKER_REST;
            let rest = first.saturating_mul(1 << tracker.failures.min(12)).min(most);
            // Between half and the whole, so that not all come back at once.
            let part = rest / 2 + share(rest / 2, &mut self.rng);
            (tracker.failures, tracker.rests) = (tracker.failures.saturating_add(1), now + part);
            if let Some((_, place)) = found {
                // The next tracker's turn is at once; where there is none, when one is rested.
                (place.is_asked, place.next) = (false, now);
            }
            return Vec::new();
        };
        (tracker.failures, tracker.rests) = (0, now);
        let Some(((stream, _), place)) = found else {
            // Its time ended while it was asked: it is told so.
            let announce = Announce { event: Event::Stopped, wanted: 0, ..call.announce };
            self.leaving.push(Call { announce, ..*call });
            return Vec::new();
        };
        let (least, most) = limits::meeting::ANNOUNCE;
        let interval = answer.interval.max(answer.least.unwrap_or_default()).clamp(least, most);
        // A little later than asked for, and never sooner: those who came together spread.
        place.next = now + interval + share(interval / 8, &mut self.rng);
        (place.is_asked, place.told) = (false, Some(call.tracker));
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.audience = answer.audience.or(stream.audience);
        }
        answer.peers.clone()
    }

    /// Ends all meetings; what trackers are told comes by [`Meeting::poll`].
    pub fn leave(&mut self) {
        self.streams.clear();
        self.close_places(|_| true);
    }

    /// When [`Meeting::poll`] has something by time alone.
    pub fn poll_timeout(&self, date: Option<Date>, now: Instant) -> Option<Instant> {
        if !self.leaving.is_empty() {
            return Some(now);
        }
        // An hour is how often it is looked whether a day ends.
        let over =
            self.streams.values().map(|stream| stream.played + limits::meeting::MEET_OVER).min()?;
        let rested = self.trackers.iter().map(|tracker| tracker.rests).min()?;
        let places = self.places.values().filter(|place| !place.is_asked);
        let due = places.map(|place| place.next.max(rested)).min();
        let begins = self.streams.values().map(|stream| stream.since + limits::meeting::MEET_AFTER);
        let begins = begins.filter(|at| *at > now && date.is_some()).min();
        [Some(over), due, begins].into_iter().flatten().min()
    }

    /// The first tracker that does not rest: the first choice again as soon as it has rested.
    fn usable(&self, now: Instant) -> Option<usize> {
        self.trackers.iter().position(|tracker| tracker.rests <= now)
    }

    fn end_streams(&mut self, now: Instant) {
        self.streams.retain(|_, stream| now - stream.played < limits::meeting::MEET_OVER);
        let mut gone: Vec<Digest> = self.places.keys().map(|(stream, _)| *stream).collect();
        gone.retain(|stream| !self.streams.contains_key(stream));
        self.close_places(|(of, _)| gone.contains(of));
    }

    /// The names that hold now: of today, and around the change of day the neighbour's too.
    fn open_places(&mut self, date: Date, now: Instant) {
        let streams: Vec<_> = self.streams.iter().map(|(name, stream)| (*name, *stream)).collect();
        for (name, stream) in streams {
            let days = self.days(name, date);
            self.close_places(|(of, day)| *of == name && !days.contains(day));
            if now - stream.since < limits::meeting::MEET_AFTER {
                continue;
            }
            for day in days {
                if self.places.contains_key(&(name, day)) {
                    continue;
                }
                let place = self.new_place(day != self.today(name, date), now);
                self.places.insert((name, day), place);
            }
        }
    }

    fn new_place(&mut self, is_early: bool, now: Instant) -> Place {
        let mut name = *b"-NP0100-            ";
        for letter in &mut name[8..] {
            *letter = b'a' + u8::try_from(self.rng.below(26)).unwrap_or(0);
        }
        // All nodes see the same change: each has its own moment within the first half of it.
        let spread = if is_early { limits::meeting::MEET_OVERLAP / 2 } else { FIRST_SPREAD };
        let next = now + share(spread, &mut self.rng);
        let key = u32::try_from(self.rng.below(1 << 32)).unwrap_or(0);
        Place { name, key, next, told: None, is_asked: false }
    }

    /// The days by whose names a stream is announced.
    fn days(&self, stream: Digest, date: Date) -> Vec<i64> {
        let overlap = i64::try_from(limits::meeting::MEET_OVERLAP.as_secs()).unwrap_or(0);
        let day = |seconds: i64| self.today(stream, Date(date.0.saturating_add(seconds)));
        let mut days = vec![day(-overlap), day(0), day(overlap)];
        days.dedup();
        days
    }

    /// The day of a stream: each changes it at another moment, so that a tracker has no midnight.
    fn today(&self, stream: Digest, date: Date) -> i64 {
        let tag = hmac::sign(&self.key, &[b"neap/1 change\0".as_slice(), &stream.0].concat());
        let bytes = tag.as_ref().first_chunk::<4>().copied().unwrap_or_default();
        let moved = i64::from(u32::from_be_bytes(bytes)) % DAY;
        date.0.saturating_add(moved).div_euclid(DAY)
    }

    fn close_places(&mut self, is_over: impl Fn(&(Digest, i64)) -> bool) {
        let over: Vec<_> = self.places.keys().filter(|at| is_over(at)).copied().collect();
        for (stream, day) in over {
            let Some(place) = self.places.remove(&(stream, day)) else { continue };
            let Some(tracker) = place.told else { continue };
            let (name, key, event) = (place.name, place.key, Event::Stopped);
            let hash = hash(&self.key, stream, day);
            let announce = Announce { hash, name, key, port: 0, wanted: 0, event };
            self.leaving.push(Call { tracker, announce });
        }
    }
}

impl core::fmt::Debug for Meeting {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Meeting").field("streams", &self.streams.len()).finish_non_exhaustive()
    }
}

/// The name of a stream on a day: HMAC-SHA256 (RFC 2104), the first 20 bytes of it.
fn hash(key: &hmac::Key, stream: Digest, day: i64) -> InfoHash {
    let said = [b"neap/1 stream\0".as_slice(), &stream.0, &day.to_be_bytes()].concat();
    let tag = hmac::sign(key, &said);
    InfoHash(tag.as_ref().first_chunk().copied().unwrap_or_default())
}

fn share(of: Duration, rng: &mut Rng) -> Duration {
    Duration::from_micros(rng.below(u64::try_from(of.as_micros()).unwrap_or(0)))
}

const DAY: i64 = 86_400;

/// Those who come with a broadcast's beginning spread over this.
const FIRST_SPREAD: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    /// Noon of a day in 2026.
    const NOON: i64 = 1_795_780_800;

    struct Bench {
        meeting: Meeting,
        now: Instant,
        /// What the date is at the moment zero.
        date: i64,
    }

    fn bench(trackers: usize) -> Bench {
        let key = naming_key("net", Some(b"a secret of 16 b"), &[]).expect("a key");
        let meeting = Meeting::new(key, trackers, Rng::new(5));
        Bench { meeting, now: Instant::default(), date: NOON }
    }

    fn news() -> Digest {
        stream("tv", "/news.m3u8")
    }

    impl Bench {
        fn date(&self) -> Option<Date> {
            Some(Date(
                self.date
                    + i64::try_from(self.now.as_micros() / 1_000_000).expect("a small number"),
            ))
        }

        fn poll(&mut self) -> Option<Call> {
            let date = self.date();
            self.meeting.poll(10, date, self.now)
        }

        /// Plays on until there is something to say, or until a time in seconds.
        fn next(&mut self, until: u64) -> Option<(u64, Call)> {
            loop {
                self.meeting.on_played(news(), self.now);
                if let Some(call) = self.poll() {
                    return Some((self.now.as_micros() / 1_000_000, call));
                }
                self.now += Duration::from_secs(1);
                if self.now.as_micros() > until * 1_000_000 {
                    return None;
                }
            }
        }

        fn answer(&mut self, call: &Call, seconds: u64) {
            let interval = Duration::from_secs(seconds);
            let answer = Answer { interval, audience: Some(7), ..Answer::default() };
            self.meeting.on_answer(call, Some(&answer), self.now);
        }
    }

    #[test]
    fn nothing_is_announced_before_a_date_is_known_or_by_who_zaps() {
        let mut bench = bench(1);
        bench.meeting.on_played(news(), bench.now);
        assert_eq!(bench.poll(), None);
        bench.now += limits::meeting::MEET_AFTER;
        assert_eq!(bench.meeting.poll(10, None, bench.now), None);
        bench.now += FIRST_SPREAD;
        assert_eq!(bench.poll(), None, "its moment begins with the first look");
        bench.now += FIRST_SPREAD;
        let call = bench.poll().expect("an announcement");
        assert_eq!((call.announce.event, call.announce.wanted), (Event::Started, 10));
        assert_eq!(bench.poll(), None, "one at a time");
    }

    #[test]
    fn the_interval_is_honoured_within_bounds() {
        for (said, least, most) in [(1800, 1800, 2030), (1, 60, 70), (1_000_000, 3600, 4060)] {
            let mut bench = bench(1);
            let (begun, call) = bench.next(60).expect("an announcement");
            bench.answer(&call, said);
            let (again, call) = bench.next(10_000).expect("an announcement");
            assert!((least..=most).contains(&(again - begun)), "{said}: {}", again - begun);
            assert_eq!(call.announce.event, Event::Going);
        }
    }

    #[test]
    fn a_tracker_that_fails_gives_its_place_and_gets_it_back() {
        let mut bench = bench(3);
        let (_, call) = bench.next(60).expect("an announcement");
        assert_eq!(call.tracker, 0);
        assert!(bench.meeting.on_answer(&call, None, bench.now).is_empty());
        let call = bench.poll().expect("the next one's turn, at once");
        assert_eq!((call.tracker, call.announce.event), (1, Event::Started));
        bench.meeting.on_answer(&call, None, bench.now);
        let call = bench.poll().expect("the next one's turn, at once");
        assert_eq!(call.tracker, 2);
        bench.answer(&call, 600);
        let (_, call) = bench.next(2000).expect("an announcement");
        assert_eq!((call.tracker, call.announce.event), (0, Event::Started), "it has rested");
        for _ in 0..3 {
            let call = bench.next(100_000).expect("an announcement").1;
            bench.meeting.on_answer(&call, None, bench.now);
        }
        assert_eq!(bench.poll(), None, "all rest");
        assert!(bench.meeting.poll_timeout(bench.date(), bench.now) > Some(bench.now));
    }

    #[test]
    fn who_stops_watching_says_so_once() {
        let mut bench = bench(1);
        let (_, call) = bench.next(60).expect("an announcement");
        bench.answer(&call, 1800);
        assert_eq!(bench.meeting.audience(news()), Some(7));
        bench.now += limits::meeting::MEET_OVER;
        let goodbye = bench.poll().expect("a goodbye");
        assert_eq!(goodbye.announce.event, Event::Stopped);
        assert_eq!(goodbye.announce.hash, call.announce.hash);
        assert_eq!(bench.poll(), None);
        assert_eq!(bench.meeting.poll_timeout(bench.date(), bench.now), None, "and is quiet");
        let (_, call) = bench.next(3600).expect("an announcement");
        assert_eq!(call.announce.event, Event::Started);
        bench.meeting.leave();
        assert_eq!(bench.poll(), None, "nobody was told that it came");
    }

    #[test]
    fn a_name_lasts_a_day_and_both_hold_around_its_end() {
        let mut bench = bench(1);
        let mut heard: Map<InfoHash, (u64, u64)> = Map::new();
        while let Some((at, call)) = bench.next(2 * 86_400) {
            if call.announce.event == Event::Stopped {
                continue;
            }
            heard.entry(call.announce.hash).or_insert((at, at)).1 = at;
            bench.answer(&call, 900);
        }
        assert_eq!(heard.len(), 3, "two changes in two days");
        let mut rows: Vec<_> = heard.into_values().collect();
        rows.sort_unstable();
        for pair in rows.windows(2) {
            let both = pair[0].1.saturating_sub(pair[1].0);
            assert!((900..=3600).contains(&both), "{both} s with both names: {rows:?}");
        }
    }

    #[test]
    fn names_differ_by_network_secret_stream_and_day() {
        let name = |network: &str, secret: &[u8], playlist: &str, day| {
            let key = naming_key(network, Some(secret), &[]).expect("a key");
            hash(&hmac::Key::new(hmac::HMAC_SHA256, &key.0), stream("tv", playlist), day)
        };
        let usual = name("net", b"1", "/a", 1);
        assert_eq!(usual, name("net", b"1", "/a", 1));
        for other in [
            name("ten", b"1", "/a", 1),
            name("net", b"2", "/a", 1),
            name("net", b"1", "/b", 1),
            name("net", b"1", "/a", 2),
        ] {
            assert_ne!(usual, other);
        }
        let operators = [NodeKey([1; 32]), NodeKey([2; 32])];
        let turned = [operators[1], operators[0]];
        assert_eq!(naming_key("n", None, &operators), naming_key("n", None, &turned));
        assert_eq!(naming_key("n", None, &[]), None);
    }
}
