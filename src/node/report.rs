//! What happened: the one table of counters, bytes by source over time, the last faults.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use super::status::{Fault, History};
use crate::base::limits;
use crate::base::scrub::scrub;
use crate::base::time::Instant;

/// One row of the table: status, metrics and documentation come from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name in JSON; metrics add `neap_` before and `_total` behind.
    pub name: &'static str,
    /// What one is.
    pub unit: Unit,
    /// One sentence for people.
    pub sentence: &'static str,
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Events.
    Count,
    /// Bytes; such names end in `_bytes`, as OpenMetrics asks for.
    Bytes,
}

macro_rules! counters {
    ($($variant:ident, $name:literal, $unit:ident, $sentence:literal;)+) => {
        /// What is counted since the start; none ever goes back.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Counter {
            $(#[doc = $sentence] $variant,)+
        }

        /// The one table of counters, in the order in which people read it.
        pub const COUNTERS: &[Row] = &[
            $(Row { name: $name, unit: Unit::$unit, sentence: $sentence },)+
        ];
    };
}

counters! {
    Connections, "connections", Count, "Connections that players opened.";
    Requests, "requests", Count, "Requests from players that were understood.";
    Hits, "hits", Count, "Requests answered from the cache alone.";
    PartialHits, "partial_hits", Count, "Requests answered in part from the cache.";
    Misses, "misses", Count, "Requests for which the cache had nothing.";
    Revalidations, "revalidations", Count, "Cached objects that the origin confirmed as current.";
    StaleServed, "stale_served", Count, "Requests answered with an outdated object, as allowed.";
    Collapsed, "collapsed", Count, "Requests that joined a download already under way.";
    PlayerErrors, "player_errors", Count, "Requests that ended in an error of the 5xx kind.";
    PlayerDenials, "player_denials", Count, "Requests that the origin answered by a 4xx error.";
    AnswersCut, "answers_cut", Count, "Answers to players that broke off before their end.";
    SegmentsLate, "segments_late", Count, "Segments that came slower than they play.";
    PlayerStalls, "player_stalls", Count, "Times that players said their picture stood still.";
    Malformed, "malformed", Count, "Requests refused because they break HTTP.";
    ForbiddenHost, "forbidden_host", Count, "Requests refused because of their Host field.";
    NotAllowed, "not_allowed", Count, "Connections refused for their address or their number.";
    UnknownOrigin, "unknown_origin", Count, "Requests for an origin that is not configured.";
    PlayerBytes, "player_bytes", Bytes, "Bytes of content given to players.";
    CacheBytes, "cache_bytes", Bytes, "Bytes of content to players that came from the cache.";
    SwarmBytes, "swarm_bytes", Bytes, "Bytes of content to players that came by way of peers.";
    PassedBytes, "passed_bytes", Bytes, "Bytes of content to players that came from an origin.";
    OriginBytes, "origin_bytes", Bytes, "Bytes of content that origins sent to us.";
    OriginRequests, "origin_requests", Count, "Requests that we made to origins.";
    OriginFailures, "origin_failures", Count, "Requests to origins that failed.";
    OriginResumes, "origin_resumes", Count, "Broken downloads that went on where they stopped.";
    OriginFailovers, "origin_failovers", Count, "Requests that moved to an origin's next base URL.";
    Prefetches, "prefetches", Count, "Segments fetched before a player asked.";
    PrefetchHits, "prefetch_hits", Count, "Such segments that a player then asked for.";
    Evictions, "evictions", Count, "Slices that made room for others.";
    DiskWrites, "disk_writes", Count, "Writes to the disk tier.";
    DiskBytes, "disk_written_bytes", Bytes, "Bytes written to the disk tier, which wear flash.";
    PeersJoined, "peers_joined", Count, "Links to peers that were made.";
    PeersRefused, "peers_refused", Count, "Nodes that could not prove that they belong here.";
    PeersBanned, "peers_banned", Count, "Peers that lied or broke the protocol.";
    PeerMessages, "peer_messages", Count, "Messages said to peers, blocks apart.";
    PeerBytesTaken, "peer_taken_bytes", Bytes, "Bytes of blocks that peers gave.";
    PeerBytesGiven, "peer_given_bytes", Bytes, "Bytes of blocks that peers were given.";
    BadBlocks, "bad_blocks", Count, "Blocks from peers that were not what a record says.";
    Records, "records", Count, "Records of segments that peers told and that hold.";
    RecordsSigned, "records_signed", Count, "Records that this node signed.";
    Purges, "purges", Count, "Stored responses that went since a record proved wrong.";
    Audits, "audits", Count, "Blocks taken from the origin to see whether nodes lied.";
    WholesProven, "wholes_proven", Count, "Segments of peers that were what the origin states.";
    WholesWrong, "wholes_wrong", Count, "Segments of peers that were not what the origin states.";
    Contested, "contested", Count, "Blocks of an origin that were not what a record says.";
    OriginElected, "origin_elected", Count, "Segments that this node fetched for the swarm.";
    OriginLate, "origin_late", Count, "Parts that the origin brought because peers were late.";
    ShadowsRefused, "shadows_refused", Count, "Streams that a witness had no room to follow.";
    Announcements, "tracker_announcements", Count, "Words to trackers, by which nodes meet.";
    TrackerFailures, "tracker_failures", Count, "Trackers that did not answer, or refused.";
    DiskFaults, "disk_faults", Count, "Reads and writes of the disk tier that failed.";
}

/// Where the bytes for players came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Memory or disk.
    Cache,
    /// Peers.
    Peers,
    /// An origin, while the player waited.
    Origin,
}

impl Source {
    /// All sources, the cheapest first; the chart stacks them in this order.
    pub const ALL: [Self; 3] = [Self::Cache, Self::Peers, Self::Origin];

    /// The word for people and for JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Peers => "peers",
            Self::Origin => "origin",
        }
    }

    const fn counter(self) -> Counter {
        match self {
            Self::Cache => Counter::CacheBytes,
            Self::Peers => Counter::SwarmBytes,
            Self::Origin => Counter::PassedBytes,
        }
    }
}

/// What a fault concerns, so that a technician knows where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// An origin or the way to it.
    Origin,
    /// The disk tier.
    Disk,
    /// A player's request.
    Player,
    /// A peer, or the trust in one.
    Peer,
    /// The configuration.
    Config,
    /// neap itself.
    Own,
}

impl FaultKind {
    /// The word for people and for JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Disk => "disk",
            Self::Player => "player",
            Self::Peer => "peer",
            Self::Config => "configuration",
            Self::Own => "neap",
        }
    }
}

/// The account of one run.
#[derive(Clone, Debug)]
pub struct Report {
    counters: [u64; COUNTERS.len()],
    /// Bytes by source, the current bucket last.
    buckets: VecDeque<[u64; Source::ALL.len()]>,
    /// Number of the current bucket since boot.
    bucket: u64,
    faults: VecDeque<Noted>,
    started: Instant,
}

#[derive(Clone, Debug)]
struct Noted {
    kind: FaultKind,
    text: String,
    /// The path that it last came with, if any.
    place: String,
    times: u64,
    first: Instant,
    last: Instant,
}

impl Report {
    /// An empty account that starts `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            counters: [0; COUNTERS.len()],
            buckets: VecDeque::from([[0; Source::ALL.len()]]),
            bucket: number(now),
            faults: VecDeque::new(),
            started: now,
        }
    }

    /// Counts `n` more.
    pub const fn add(&mut self, counter: Counter, n: u64) {
        let value = &mut self.counters[counter as usize];
        *value = value.saturating_add(n);
    }

    /// The value of one counter.
    pub const fn value(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// All counters by name.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        COUNTERS.iter().zip(self.counters).map(|(row, value)| (row.name.into(), value)).collect()
    }

    /// Counts bytes of content that went to a player.
    pub fn bytes(&mut self, source: Source, n: u64, now: Instant) {
        self.advance(now);
        self.add(Counter::PlayerBytes, n);
        self.add(source.counter(), n);
        if let Some(bucket) = self.buckets.back_mut() {
            let value = &mut bucket[source as usize];
            *value = value.saturating_add(n);
        }
    }

    /// Notes a fault in words for people; the same one again is counted.
    pub fn fault(&mut self, kind: FaultKind, text: &str, now: Instant) {
        self.fault_at(kind, (text, ""), now);
    }

    /// The same with the path at which it came; of many the last one is told.
    pub fn fault_at(&mut self, kind: FaultKind, (text, place): (&str, &str), now: Instant) {
        // Tokens of a path open doors, and a status is shown to whoever mends.
        let place = scrub(place);
        let (text, place) = (shortened(text), shortened(&place).to_owned());
        let known = self.faults.iter().position(|noted| noted.kind == kind && noted.text == text);
        let noted = match known.and_then(|at| self.faults.remove(at)) {
            Some(noted) => {
                Noted { place, times: noted.times.saturating_add(1), last: now, ..noted }
            }
            None => Noted { kind, text: text.into(), place, times: 1, first: now, last: now },
        };
        if self.faults.len() == limits::operator::FAULTS {
            self.faults.pop_front();
        }
        self.faults.push_back(noted);
    }

    /// The last faults, the newest first.
    pub fn faults(&self, now: Instant) -> Vec<Fault> {
        let told = |noted: &Noted| Fault {
            kind: noted.kind.name().into(),
            text: match &*noted.place {
                "" => noted.text.clone(),
                place => shortened(&format!("{} Last: {place}", noted.text)).into(),
            },
            times: noted.times,
            first_seconds_ago: (now - noted.first).as_secs(),
            last_seconds_ago: (now - noted.last).as_secs(),
        };
        self.faults.iter().rev().map(told).collect()
    }

    /// Bytes by source in the last ten minutes, the current bucket last.
    pub fn history(&self, now: Instant) -> History {
        let ahead = usize::try_from(number(now).saturating_sub(self.bucket)).unwrap_or(usize::MAX);
        let known = limits::operator::BUCKETS.saturating_sub(ahead).min(self.buckets.len());
        let start = limits::operator::BUCKETS.saturating_sub(ahead.saturating_add(known));
        let newest = self.buckets.iter().skip(self.buckets.len() - known);
        let bytes = Source::ALL.iter().map(|source| {
            let mut row = vec![0; limits::operator::BUCKETS];
            for (value, bucket) in row.iter_mut().skip(start).zip(newest.clone()) {
                *value = bucket[*source as usize];
            }
            (source.name().into(), row)
        });
        History { bucket_seconds: limits::operator::BUCKET.as_secs(), bytes: bytes.collect() }
    }

    /// Bytes a second to players over the last minute: the buckets of which the current one is the
    /// last, by the time that has passed in them.
    pub fn rates(&self, now: Instant) -> BTreeMap<String, u64> {
        let history = self.history(now);
        let first =
            (number(now) + 1).saturating_sub(MINUTE as u64) * limits::operator::BUCKET.as_secs();
        let passed = now - Instant::from_micros(first * 1_000_000).max(self.started);
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1000);
        let rate = |row: &[u64]| {
            let sum: u64 = row[row.len() - MINUTE..].iter().sum();
            u64::try_from(u128::from(sum) * 1000 / u128::from(millis)).unwrap_or(u64::MAX)
        };
        history.bytes.iter().map(|(name, row)| (name.clone(), rate(row))).collect()
    }

    /// The share of content bytes to players that the cache gave, in thousandths.
    pub fn hit_permille(&self) -> Option<u16> {
        let all = self.value(Counter::PlayerBytes);
        let share = u128::from(self.value(Counter::CacheBytes)) * 1000 / u128::from(all).max(1);
        (all > 0).then(|| u16::try_from(share).unwrap_or(1000))
    }

    /// Moves on to the bucket of `now`; a pause of hours costs no more than the ten minutes kept.
    fn advance(&mut self, now: Instant) {
        let current = number(now).max(self.bucket);
        let steps = usize::try_from(current - self.bucket).unwrap_or(usize::MAX);
        for _ in 0..steps.min(limits::operator::BUCKETS) {
            if self.buckets.len() == limits::operator::BUCKETS {
                self.buckets.pop_front();
            }
            self.buckets.push_back([0; Source::ALL.len()]);
        }
        self.bucket = current;
    }
}

/// Buckets in the minute over which rates are taken, the current one included.
const MINUTE: usize =
    (Duration::from_secs(60).as_secs() / limits::operator::BUCKET.as_secs()) as usize;

const fn number(now: Instant) -> u64 {
    now.as_micros() / 1_000_000 / limits::operator::BUCKET.as_secs()
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(limits::operator::FAULT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn every_counter_has_a_name_of_its_own_and_a_sentence() {
        let names: BTreeSet<_> = COUNTERS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), COUNTERS.len());
        for row in COUNTERS {
            assert!(row.name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{}", row.name);
            assert_eq!(row.name.ends_with("_bytes"), row.unit == Unit::Bytes, "{}", row.name);
            assert!(row.sentence.ends_with('.') && row.sentence.len() > 20, "{}", row.name);
            assert!(row.sentence.starts_with(char::is_uppercase), "{}", row.name);
        }
    }

    #[test]
    fn a_counter_counts_itself_and_stops_at_the_end() {
        let mut report = Report::new(at(0));
        report.add(Counter::Hits, 2);
        report.add(Counter::Hits, u64::MAX);
        assert_eq!(report.value(Counter::Hits), u64::MAX);
        assert_eq!(report.counters()["hits"], u64::MAX);
        assert_eq!(report.counters()["misses"], 0);
        assert_eq!(report.counters().len(), COUNTERS.len());
    }

    #[test]
    fn bytes_lie_in_the_bucket_of_their_time() {
        let mut report = Report::new(at(5));
        report.bytes(Source::Origin, 7, at(5));
        report.bytes(Source::Cache, 100, at(25));
        report.bytes(Source::Cache, 1, at(29));
        let history = report.history(at(31));
        assert_eq!(history.bytes["cache"][limits::operator::BUCKETS - 4..], [0, 0, 101, 0]);
        assert_eq!(history.bytes["origin"][limits::operator::BUCKETS - 4..], [7, 0, 0, 0]);
        assert_eq!(report.value(Counter::PlayerBytes), 108);
        assert_eq!(report.hit_permille(), Some(935));
    }

    #[test]
    fn history_forgets_after_ten_minutes_and_a_night_costs_nothing() {
        let mut report = Report::new(at(0));
        report.bytes(Source::Cache, 9, at(0));
        assert_eq!(report.history(at(599)).bytes["cache"][0], 9);
        assert_eq!(report.history(at(600)).bytes["cache"].iter().sum::<u64>(), 0);
        assert_eq!(
            report.history(at(u64::MAX / 2_000_000)).bytes["cache"].len(),
            limits::operator::BUCKETS
        );
        report.bytes(Source::Cache, 4, at(40_000_000));
        let row = &report.history(at(40_000_000)).bytes["cache"];
        assert_eq!((row.len(), row.iter().sum::<u64>(), row[59]), (60, 4, 4));
    }

    #[test]
    fn rates_are_those_of_the_time_that_has_passed() {
        let mut report = Report::new(at(0));
        for second in 0..100 {
            report.bytes(Source::Cache, 1000, at(second));
            assert_eq!(report.rates(at(second + 1))["cache"], 1000, "{second}");
        }
        assert_eq!(report.rates(at(100))["origin"], 0);
        assert_eq!(report.rates(at(125))["cache"], 30_000 / 55);
        assert_eq!(report.rates(at(1000))["cache"], 0);
    }

    #[test]
    fn a_fault_tells_the_path_that_it_last_came_with() {
        let mut report = Report::new(at(0));
        report.fault_at(FaultKind::Origin, ("tv: It broke.", "/a"), at(1));
        report.fault_at(FaultKind::Origin, ("tv: It broke.", "/b"), at(2));
        let faults = report.faults(at(2));
        assert_eq!((faults.len(), faults[0].times), (1, 2));
        assert_eq!(faults[0].text, "tv: It broke. Last: /b");
    }

    #[test]
    fn the_same_fault_is_counted_and_the_list_stays_short() {
        let mut report = Report::new(at(0));
        for second in 0..50 {
            report.fault(FaultKind::Origin, "cdn does not answer", at(second));
            report.fault(
                FaultKind::Own,
                &format!("fault {second} {}", "ü".repeat(500)),
                at(second),
            );
        }
        report.fault(FaultKind::Origin, "cdn does not answer", at(60));
        let faults = report.faults(at(70));
        assert_eq!(faults.len(), limits::operator::FAULTS);
        assert_eq!((faults[0].times, faults[0].first_seconds_ago), (51, 70));
        assert_eq!(faults[0].last_seconds_ago, 10);
        assert!(faults.iter().all(|fault| fault.text.len() <= limits::operator::FAULT));
    }
}
