//! What a way carries, seen by how acknowledgements of a block's packets come back: the packets of
//! a block leave one behind the other, and the narrowest link sets them apart. It costs nothing.

use core::time::Duration;

/// The packets that are on their way, until none is. Times count from the connection's beginning.
#[derive(Clone, Debug, Default)]
pub struct Train {
    /// Bytes that were acknowledged before it counts.
    skipped: u64,
    /// The batch of acknowledgements behind which it counts.
    first: Option<Acked>,
    /// The last one behind which more was still awaited, so that no peer kept it back.
    last: Option<Acked>,
    /// Bytes that were acknowledged behind the first, up to the last.
    bytes: u64,
    batch: (u64, Duration),
}

/// One batch of acknowledgements.
#[derive(Clone, Copy, Debug)]
struct Acked {
    at: Duration,
    /// When the latest of its packets was sent.
    sent: Duration,
    /// Whether it shows that packets waited on their way.
    queued: bool,
}

/// What was carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Bits a second of UDP datagrams.
    pub bits: u64,
    /// Whether packets waited on their way, so that it carries no more; else it may.
    pub is_full: bool,
}

impl Train {
    /// A packet was acknowledged.
    pub fn on_ack(&mut self, sent: Duration, bytes: u64) {
        self.batch = (self.batch.0 + bytes, self.batch.1.max(sent));
    }

    /// All acknowledgements of one packet were told; `in_flight` bytes are still on their way, and
    /// packets now wait in queues for so long. Answers what was carried, once enough was.
    pub fn on_batch(
        &mut self,
        now: Duration,
        (in_flight, queued): (u64, Duration),
    ) -> Option<Carried> {
        let (bytes, sent) = core::mem::take(&mut self.batch);
        if bytes == 0 {
            return None;
        }
        let acked = Acked { at: now, sent, queued: queued >= WAITED };
        if self.skipped < SKIPPED {
            self.skipped += bytes;
            self.first = Some(acked);
        } else if in_flight > 0 {
            self.bytes += bytes;
            self.last = Some(acked);
        }
        if in_flight > 0 && self.bytes < MOST {
            return None;
        }
        let carried = self.carried();
        // While packets are on their way the next train begins where this one ends.
        *self = Self::default();
        if in_flight > 0 {
            (self.skipped, self.first) = (SKIPPED, Some(acked));
        }
        carried
    }

    fn carried(&self) -> Option<Carried> {
        let (first, last) = (self.first?, self.last?);
        // Acknowledgements may come in a bunch: a way is not faster than what was sent over it.
        let took = (last.at - first.at).max(last.sent.saturating_sub(first.sent));
        let micros = u64::try_from(took.as_micros()).ok()?;
        let is_enough = self.bytes >= LEAST && micros > 0;
        is_enough.then(|| Carried { bits: self.bytes * 8_000_000 / micros, is_full: last.queued })
    }
}

/// What a modem lets pass at once after a pause, which is not what it carries.
const SKIPPED: u64 = 16 * 1024;

/// Bytes behind that which are enough to tell by: half a block.
const LEAST: u64 = 32 * 1024;

/// Bytes at which a train that never ends is looked at.
const MOST: u64 = 128 * 1024;

/// Packets that wait so long wait behind others, not for a busy processor.
const WAITED: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: u64 = 1200;

    /// Sends a block over a line of `rate` bits a second behind 20 ms, in windows of `window`
    /// packets; what is said of each block.
    fn blocks(rate: u64, window: usize, count: usize) -> Vec<Carried> {
        let (mut train, mut said, mut now) = (Train::default(), Vec::new(), Duration::ZERO);
        let each = Duration::from_micros(PACKET * 8_000_000 / rate);
        for _ in 0..count {
            let mut acks: Vec<(Duration, Duration)> = Vec::new();
            let mut free = now;
            for packet in 0..55_usize {
                let sent = packet.checked_sub(window).map_or(now, |before| acks[before].0);
                free = free.max(sent) + each;
                acks.push((free + Duration::from_millis(20), sent));
            }
            for (place, (at, sent)) in acks.iter().enumerate() {
                let behind = acks[place + 1..].iter().filter(|(_, sent)| sent <= at).count();
                let queued = *at - *sent - Duration::from_millis(20) - each;
                train.on_ack(*sent, PACKET);
                said.extend(train.on_batch(*at, (behind as u64 * PACKET, queued)));
            }
            now = acks.last().expect("packets").0 + Duration::from_millis(200);
        }
        said
    }

    #[test]
    fn a_narrow_line_is_told_by_what_it_carries() {
        for megabits in [1, 2, 8, 20] {
            let rate = megabits * 1_000_000;
            let said = blocks(rate, 60, 5);
            assert_eq!(said.len(), 5, "{said:?}");
            let near = |c: &Carried| (rate * 97 / 100..=rate * 103 / 100).contains(&c.bits);
            assert!(said.iter().all(|c| near(c) && c.is_full), "{megabits}: {said:?}");
        }
    }

    #[test]
    fn a_small_window_on_a_wide_line_tells_the_least_that_it_carries() {
        let said = blocks(100_000_000, 12, 3);
        assert!(said.iter().all(|c| !c.is_full && c.bits < 10_000_000), "{said:?}");
    }

    #[test]
    fn what_never_ends_is_told_of_as_well_and_little_is_not() {
        let (mut train, mut said) = (Train::default(), Vec::new());
        for packet in 0..1000 {
            let at = Duration::from_millis(100 + packet);
            train.on_ack(Duration::from_millis(packet), PACKET);
            said.extend(train.on_batch(at, (80_000, Duration::from_millis(60))));
        }
        assert!(said.len() >= 3, "{said:?}");
        assert!(said.iter().all(|c| c.bits == 9_600_000 && c.is_full), "{said:?}");
        let mut short = Train::default();
        for packet in 0..10 {
            short.on_ack(Duration::ZERO, PACKET);
            let left = (9 - packet) * PACKET;
            let said = short.on_batch(Duration::from_millis(packet), (left, WAITED));
            assert_eq!(said, None, "a burst of ten packets passes many a modem at once");
        }
    }
}
