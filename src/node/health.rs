//! How an origin does: which of its base URLs is asked next, and since when one fails.

use core::time::Duration;

use crate::base::time::Instant;
use crate::node::status::Health as Word;

/// The base URLs of one origin.
#[derive(Clone, Debug)]
pub(super) struct Health {
    bases: Vec<Base>,
    last_error: Option<String>,
    tried: bool,
    /// Segments in a row that could not be stored: nothing is fetched ahead then.
    unkept: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Base {
    failing_since: Option<Instant>,
    retry_at: Option<Instant>,
    failures: u32,
}

impl Health {
    /// An origin with so many base URLs that was not asked yet.
    pub(super) fn new(bases: usize) -> Self {
        let bases = vec![Base::default(); bases];
        Self { bases, last_error: None, tried: false, unkept: 0 }
    }

    /// The base URL to ask: the first that works or may be tried again, else the first that
    /// may be soonest.
    pub(super) fn choose(&self, now: Instant) -> usize {
        let due = |base: &Base| base.retry_at.is_none_or(|at| at <= now);
        let first = self.bases.iter().position(due);
        first.unwrap_or_else(|| {
            let order = |(_, base): &(usize, &Base)| base.retry_at;
            self.bases.iter().enumerate().min_by_key(order).map_or(0, |(index, _)| index)
        })
    }

    /// Another base URL than those tried, `tried` as a bit set.
    pub(super) fn other(&self, tried: u32, now: Instant) -> Option<usize> {
        let free = |index: &usize| tried & (1 << (index % 32)) == 0;
        let mut free = (0..self.bases.len()).filter(free);
        let best = free.clone().find(|i| self.bases[*i].retry_at.is_none_or(|at| at <= now));
        best.or_else(|| free.next())
    }

    /// A base URL answered.
    pub(super) fn on_good(&mut self, base: usize) {
        self.tried = true;
        if let Some(base) = self.bases.get_mut(base) {
            *base = Base::default();
        }
    }

    /// A base URL did not answer, or badly; it is spared for a while, longer each time.
    pub(super) fn on_bad(&mut self, base: usize, cause: &str, now: Instant) {
        self.tried = true;
        self.last_error = Some(cause.into());
        let Some(base) = self.bases.get_mut(base) else { return };
        base.failing_since.get_or_insert(now);
        base.retry_at = Some(now + SPARED * 2_u32.pow(base.failures.min(5)));
        base.failures = base.failures.saturating_add(1);
    }

    /// Notes whether a segment could be stored.
    pub(super) const fn on_stored(&mut self, stored: bool) {
        self.unkept = if stored { 0 } else { self.unkept.saturating_add(1) };
    }

    /// Whether it pays to fetch ahead from this origin.
    pub(super) const fn is_worth_fetching_ahead(&self) -> bool {
        self.unkept < 3
    }

    /// The word for the status.
    pub(super) fn word(&self) -> Word {
        let failing = self.bases.iter().filter(|base| base.failing_since.is_some()).count();
        match (self.tried, failing) {
            (false, _) => Word::Untried,
            (true, 0) => Word::Good,
            (true, n) if n < self.bases.len() => Word::Degraded,
            (true, _) => Word::Failing,
        }
    }

    /// The last failure in words, also when it is over.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Since when every base URL fails.
    pub(super) fn failing_since(&self) -> Option<Instant> {
        let latest = |since: Option<Instant>, base: &Base| Some(since?.max(base.failing_since?));
        let first = self.bases.first()?.failing_since;
        self.bases.iter().fold(first, latest)
    }
}

/// How long a base URL is spared after its first failure: a blip costs one fail-over, an
/// outage costs few tries (1 s, 2 s ... 32 s).
const SPARED: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fails_over_and_comes_back() {
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let mut health = Health::new(2);
        assert_eq!((health.choose(at(0)), health.word()), (0, Word::Untried));
        health.on_bad(0, "refused", at(0));
        assert_eq!((health.choose(at(0)), health.other(1, at(0))), (1, Some(1)));
        health.on_good(1);
        assert_eq!(health.word(), Word::Degraded);
        assert_eq!(health.failing_since(), None);
        assert_eq!(health.choose(at(2)), 0);
        health.on_bad(0, "refused", at(2));
        assert_eq!((health.choose(at(3)), health.choose(at(4))), (1, 0));
        health.on_bad(1, "refused", at(3));
        assert_eq!((health.word(), health.failing_since()), (Word::Failing, Some(at(3))));
        health.on_good(0);
        assert_eq!((health.choose(at(3)), health.word()), (0, Word::Degraded));
        assert_eq!(health.other(3, at(3)), None);
    }
}
