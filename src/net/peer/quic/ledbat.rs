//! How much may be on its way: LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus-01), which keeps the
//! queue of the narrowest link short and makes room for everybody else.

use core::time::Duration;
use std::collections::VecDeque;

/// The window of one connection. Times count from its beginning.
#[derive(Clone, Debug)]
pub struct Ledbat {
    /// Bytes of one packet.
    packet: f64,
    /// Bytes that may be on their way.
    window: f64,
    /// The window at which doubling ends.
    threshold: f64,
    base: BaseDelay,
    /// The least round trip of the last few batches of acknowledgements.
    recent: VecDeque<Duration>,
    batch: Option<Duration>,
    phase: Phase,
    /// When the next slowdown begins.
    slowdown: Option<Duration>,
    /// When the window was last halved for a loss; packets sent before tell nothing new.
    halved: Duration,
    /// By when the window may have shrunk to half of this, and no further.
    floor: (Duration, f64),
}

/// What the window does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// It doubles each round, or more slowly where the way is short.
    Ramp {
        /// When this slowdown began; none at the start.
        since: Option<Duration>,
    },
    /// It follows the delay.
    Steady,
    /// It rests at its least, so that queues empty and the base delay shows.
    Rest { since: Duration, until: Duration },
}

/// The least delay of each of the last minutes (RFC 6817, 2.4.2).
#[derive(Clone, Debug, Default)]
struct BaseDelay {
    minutes: VecDeque<Duration>,
    current: Duration,
}

impl Ledbat {
    /// The window of a connection over which nothing was sent.
    pub fn new(packet: u16) -> Self {
        let packet = f64::from(packet);
        Self {
            packet,
            window: LEAST * packet,
            threshold: f64::INFINITY,
            base: BaseDelay::default(),
            recent: VecDeque::new(),
            batch: None,
            phase: Phase::Ramp { since: None },
            slowdown: None,
            halved: Duration::ZERO,
            floor: (Duration::ZERO, 0.0),
        }
    }

    /// Bytes that may be on their way.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a window is positive and far below 2^53"
    )]
    pub const fn window(&self) -> u64 {
        self.window as u64
    }

    /// Another packet size holds from now on.
    pub fn on_packet_size(&mut self, packet: u16) {
        self.packet = f64::from(packet);
        self.window = self.window.max(LEAST * self.packet);
    }

    /// A packet was acknowledged that was sent at `sent`; `is_limited` where more could have
    /// been on the way than was there to send.
    pub fn on_ack(&mut self, (now, sent): (Duration, Duration), bytes: u64, is_limited: bool) {
        let trip = now.saturating_sub(sent);
        self.batch = Some(self.batch.map_or(trip, |least| least.min(trip)));
        self.base.add(now, trip);
        let queued = self.queued();
        match self.phase {
            Phase::Rest { since, until } => {
                if now >= until {
                    self.phase = Phase::Ramp { since: Some(since) };
                }
            }
            Phase::Ramp { since } => {
                if !is_limited {
                    self.window += self.gain() * small(bytes);
                }
                let is_long = queued > TARGET.mul_f64(0.75);
                if self.window >= self.threshold || (since.is_none() && is_long) {
                    self.steady(now, since);
                }
            }
            Phase::Steady => {
                self.follow(now, queued, (bytes, is_limited));
                if self.slowdown.is_some_and(|at| now >= at) {
                    self.rest(now);
                }
            }
        }
    }

    /// All acknowledgements of one packet were told.
    pub fn on_batch(&mut self) {
        let Some(least) = self.batch.take() else { return };
        self.recent.push_back(least);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// A packet that was sent at `sent` is lost, or marked by a router (RFC 3168).
    pub fn on_loss(&mut self, now: Duration, sent: Duration, is_persistent: bool) {
        if is_persistent {
            self.window = LEAST * self.packet;
        }
        if sent <= self.halved {
            return;
        }
        self.halved = now;
        self.window = (self.window / 2.0).max(LEAST * self.packet);
        if let Phase::Ramp { since } = self.phase {
            self.steady(now, since);
        }
        self.threshold = self.window;
    }

    /// Time that packets spend in queues: the round trip beyond the least that was seen.
    pub fn queued(&self) -> Duration {
        let current = self.recent.iter().copied().chain(self.batch).min().unwrap_or_default();
        current.saturating_sub(self.base.least())
    }

    /// Slower than others on short ways, so that a queue that is far from full is not filled at
    /// once (4.2 of the draft).
    fn gain(&self) -> f64 {
        let base = self.base.least().as_secs_f64().max(0.001);
        1.0 / (2.0 * TARGET.as_secs_f64() / base).ceil().clamp(1.0, 16.0)
    }

    /// One packet a round more below the target; above it less by how far the delay is above (4.3).
    fn follow(&mut self, now: Duration, queued: Duration, (bytes, is_limited): (u64, bool)) {
        let share = small(bytes) / self.window;
        let excess = queued.as_secs_f64() / TARGET.as_secs_f64() - 1.0;
        let round = self.recent.back().copied().unwrap_or_default();
        if now >= self.floor.0 {
            self.floor = (now + round, self.window / 2.0);
        }
        if excess <= 0.0 {
            if !is_limited {
                self.window += self.gain() * self.packet * share;
            }
        } else {
            let change = self.gain() * self.packet - self.window * excess;
            self.window = (self.window + change * share).max(self.floor.1);
        }
        self.window = self.window.max(LEAST * self.packet);
    }

    /// Doubling ends. The next slowdown comes two rounds after the first ramp, and later so that
    /// they take a tenth of the time (4.4).
    fn steady(&mut self, now: Duration, since: Option<Duration>) {
        self.phase = Phase::Steady;
        let wait = match since {
            None => 2 * self.recent.back().copied().unwrap_or(TARGET),
            Some(since) => 9 * now.saturating_sub(since),
        };
        self.slowdown = Some(now + wait);
    }

    fn rest(&mut self, now: Duration) {
        self.threshold = self.window;
        self.window = LEAST * self.packet;
        self.slowdown = None;
        let round = self.recent.back().copied().unwrap_or_default();
        self.phase = Phase::Rest { since: now, until: now + 2 * round };
    }
}

impl BaseDelay {
    fn add(&mut self, now: Duration, trip: Duration) {
        match self.minutes.back_mut() {
            Some(least) if now < self.current + MINUTE => *least = trip.min(*least),
            _ => {
                self.current = now;
                self.minutes.push_back(trip);
                if self.minutes.len() > MINUTES {
                    self.minutes.pop_front();
                }
            }
        }
    }

    fn least(&self) -> Duration {
        self.minutes.iter().copied().min().unwrap_or_default()
    }
}

#[allow(clippy::cast_precision_loss, reason = "bytes of a packet")]
const fn small(bytes: u64) -> f64 {
    bytes as f64
}

/// Delay in queues that is aimed at. The draft says 60 ms; a household's BBR keeps its queue below
/// that, and its calls and games feel it.
const TARGET: Duration = Duration::from_millis(20);

/// Packets in the smallest window.
const LEAST: f64 = 2.0;

/// Batches over which the least delay counts: a peer may keep an acknowledgement back.
const RECENT: usize = 4;

const MINUTE: Duration = Duration::from_secs(60);

/// Minutes over which the base delay is remembered: a way may change.
const MINUTES: usize = 10;

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;

    /// A flow of the kind that everybody else's is: AIMD (RFC 5681).
    struct Reno {
        window: f64,
        threshold: f64,
        halved: Duration,
    }

    enum Flow {
        Ledbat(Box<Ledbat>),
        Reno(Reno),
    }

    impl Flow {
        fn window(&self) -> f64 {
            match self {
                Self::Ledbat(flow) => flow.window,
                Self::Reno(flow) => flow.window,
            }
        }

        fn ack(&mut self, now: Duration, sent: Duration) {
            match self {
                Self::Ledbat(flow) => {
                    flow.on_ack((now, sent), PACKET, false);
                    flow.on_batch();
                }
                Self::Reno(flow) if flow.window < flow.threshold => flow.window += small(PACKET),
                Self::Reno(flow) => flow.window += small(PACKET * PACKET) / flow.window,
            }
        }

        fn loss(&mut self, now: Duration, sent: Duration) {
            match self {
                Self::Ledbat(flow) => flow.on_loss(now, sent, false),
                Self::Reno(flow) if sent > flow.halved => {
                    flow.halved = now;
                    flow.window = (flow.window / 2.0).max(small(2 * PACKET));
                    flow.threshold = flow.window;
                }
                Self::Reno(_) => {}
            }
        }
    }

    const PACKET: u64 = 1400;

    fn ledbat() -> Flow {
        Flow::Ledbat(Box::new(Ledbat::new(1400)))
    }

    fn reno() -> Flow {
        Flow::Reno(Reno { window: 14_000.0, threshold: f64::MAX, halved: Duration::ZERO })
    }

    /// What came through in the last half of the time, in parts of the link's rate, and the
    /// longest queue then.
    struct Outcome {
        shares: Vec<f64>,
        queue: Duration,
    }

    /// A link of 10 Mbit/s behind 20 ms with a queue of 300 ms; each flow starts at its second.
    fn race(flows: Vec<(u64, Flow)>, seconds: u64) -> Outcome {
        let (rate, trip) = (1_250_000.0, Duration::from_millis(20));
        let end = Duration::from_secs(seconds);
        let mut free = Duration::ZERO;
        let mut came = vec![0_u64; flows.len()];
        let mut queue = Duration::ZERO;
        let mut flight = vec![0_u64; flows.len()];
        // When, whose, sent when, lost or not; a start is a packet of no bytes.
        let mut events = BinaryHeap::new();
        for (flow, (start, _)) in flows.iter().enumerate() {
            events.push(Reverse((Duration::from_secs(*start), flow, None, false)));
        }
        let mut flows: Vec<Flow> = flows.into_iter().map(|(_, flow)| flow).collect();
        while let Some(Reverse((now, flow, sent, is_lost))) = events.pop() {
            if now >= end {
                break;
            }
            if let Some(sent) = sent {
                flight[flow] -= PACKET;
                if is_lost {
                    flows[flow].loss(now, sent);
                } else {
                    flows[flow].ack(now, sent);
                    came[flow] += if now * 2 >= end { PACKET } else { 0 };
                }
            }
            while small(flight[flow] + PACKET) <= flows[flow].window() {
                flight[flow] += PACKET;
                let waits = free.saturating_sub(now);
                let is_lost = waits > Duration::from_millis(300);
                if !is_lost {
                    free = free.max(now) + Duration::from_secs_f64(small(PACKET) / rate);
                    queue = if now * 2 >= end { queue.max(waits) } else { queue };
                }
                let back = free.max(now) + trip;
                events.push(Reverse((back, flow, Some(now), is_lost)));
            }
        }
        let share = |bytes: &u64| small(*bytes) / rate / (end / 2).as_secs_f64();
        Outcome { shares: came.iter().map(share).collect(), queue }
    }

    #[test]
    fn alone_it_fills_the_link_and_not_the_queue() {
        let Outcome { shares, queue } = race(vec![(0, ledbat())], 120);
        assert!(shares[0] > 0.85, "{shares:?}");
        assert!(queue < Duration::from_millis(90), "{queue:?}");
    }

    #[test]
    fn others_have_the_link_before_it() {
        let Outcome { shares, .. } = race(vec![(0, ledbat()), (10, reno())], 120);
        assert!(shares[1] > 0.9 && shares[0] < 0.1, "{shares:?}");
        // And it comes back when they are gone: a flow that stops is one that never was.
        let Outcome { shares, .. } = race(vec![(0, ledbat()), (1000, reno())], 60);
        assert!(shares[0] > 0.8, "{shares:?}");
    }

    #[test]
    fn two_share_and_a_newcomer_is_not_starved() {
        let Outcome { shares, .. } = race(vec![(0, ledbat()), (0, ledbat())], 240);
        let fair =
            (shares[0] + shares[1]).powi(2) / (2.0 * (shares[0].powi(2) + shares[1].powi(2)));
        assert!(fair > 0.9 && shares[0] + shares[1] > 0.8, "{shares:?}");
        let Outcome { shares, .. } = race(vec![(0, ledbat()), (60, ledbat())], 300);
        assert!(shares[0] > 0.25 && shares[1] > 0.25, "{shares:?}");
    }

    #[test]
    fn a_loss_halves_the_window_once_a_round() {
        let mut flow = Ledbat::new(1400);
        flow.window = 140_000.0;
        flow.phase = Phase::Steady;
        let at = Duration::from_millis;
        flow.on_loss(at(100), at(50), false);
        flow.on_loss(at(101), at(60), false);
        assert_eq!(flow.window(), 70_000);
        flow.on_loss(at(150), at(120), true);
        assert_eq!(flow.window(), 2800);
    }
}
