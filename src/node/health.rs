//! How an origin does: which of its base URLs is asked next, and since when one fails.

use core::time::Duration;

use crate::base::limits;
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
    /// Playlists, and segments, in a row that players asked for and were denied.
    denied: [u8; 2],
    /// When one last was.
    denied_at: Instant,
    said: Option<Said>,
    /// When a segment last came slower than it plays, where others before it had.
    late: Option<Instant>,
    /// When a player last asked for a live playlist that stands still.
    still: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Base {
    failing_since: Option<Instant>,
    retry_at: Option<Instant>,
    failures: u32,
    /// A body broke off; whether it was a segment's.
    cut: Option<bool>,
    /// A segment was not given at all: playlists may be where none is.
    media: bool,
}

/// What the log was told of this origin, for it counts what is alike: the first place of it.
#[derive(Clone, Debug)]
struct Said {
    what: String,
    thing: Thing,
    first: String,
    since: Instant,
}

/// What is asked of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    /// A playlist or manifest.
    List,
    /// What a playlist lists.
    Media,
    /// Anything else.
    Other,
}

impl Health {
    /// An origin with so many base URLs that was not asked yet.
    pub(super) fn new(bases: usize) -> Self {
        let bases = vec![Base::default(); bases];
        Self {
            bases,
            last_error: None,
            tried: false,
            unkept: 0,
            denied: [0; 2],
            denied_at: Instant::default(),
            said: None,
            late: None,
            still: None,
        }
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
        self.working(tried, now).or_else(|| self.free(tried).next())
    }

    /// The same, of those that are not spared.
    pub(super) fn working(&self, tried: u32, now: Instant) -> Option<usize> {
        self.free(tried).find(|i| self.bases[*i].retry_at.is_none_or(|at| at <= now))
    }

    fn free(&self, tried: u32) -> impl Iterator<Item = usize> {
        (0..self.bases.len()).filter(move |index| tried & (1 << (index % 32)) == 0)
    }

    /// A base URL answered; one whose bodies break off has yet to bring a whole one, and one that
    /// gave no segment has yet to answer for one.
    pub(super) fn on_good(&mut self, base: usize, thing: Thing) {
        self.tried = true;
        let works = |base: &&mut Base| base.cut.is_none() && (!base.media || thing == Thing::Media);
        if let Some(base) = self.bases.get_mut(base).filter(works) {
            *base = Base::default();
        }
    }

    /// A body of a base URL broke off.
    pub(super) fn on_cut(&mut self, base: usize, is_media: bool, (cause, now): (&str, Instant)) {
        self.on_bad(base, (cause, Thing::Other), now);
        if let Some(base) = self.bases.get_mut(base) {
            base.cut = Some(is_media);
        }
    }

    /// A body came whole. Playlists may do so where each segment breaks off.
    pub(super) fn on_whole(&mut self, base: usize, is_media: bool) {
        let base = self.bases.get_mut(base);
        if let Some(base) = base.filter(|base| base.cut.is_some_and(|cut| is_media || !cut)) {
            *base = Base::default();
        }
    }

    /// Players were denied what they asked for.
    pub(super) fn on_denied(&mut self, (answers, thing): (&str, Thing), now: Instant) {
        let Some(denied) = self.denied.get_mut(thing as usize) else { return };
        *denied = denied.saturating_add(1);
        self.denied_at = now;
        if *denied >= DENIED {
            self.last_error = Some(format!("it {answers}"));
        }
    }

    /// A segment of a live stream was not there; whether it is the first in a row, which is counted
    /// as denied. Whether it was only asked for too early the next one tells.
    pub(super) const fn on_early(&mut self, now: Instant) -> bool {
        let denied = &mut self.denied[Thing::Media as usize];
        let is_first = *denied == 0;
        if is_first {
            (*denied, self.denied_at) = (1, now);
        }
        is_first
    }

    /// Something is to be said of a place; answers the first place of which the same was, for the
    /// log counts what is alike.
    pub(super) fn alike(
        &mut self,
        (what, thing): (&str, Thing),
        place: String,
        now: Instant,
    ) -> String {
        let same = |said: &Said| {
            let is_new = now - said.since < limits::operator::LOG_REPEAT;
            is_new && said.what == what && said.thing == thing
        };
        let made = || Said { what: what.into(), thing, first: place, since: now };
        let said = self.said.take().filter(same).unwrap_or_else(made);
        let first = said.first.clone();
        self.said = Some(said);
        first
    }

    /// It was no such answer.
    pub(super) fn on_given(&mut self, thing: Thing) {
        self.denied.get_mut(thing as usize).into_iter().for_each(|denied| *denied = 0);
    }

    /// Whether what players ask for is denied, one after the other.
    pub(super) fn is_denying(&self, now: Instant) -> bool {
        let is_new = now - self.denied_at < limits::operator::LATE;
        is_new && self.denied.iter().any(|denied| *denied >= DENIED)
    }

    /// A player asks for a live playlist that stands still, now; or for one that goes on.
    pub(super) const fn on_still(&mut self, still: Option<Instant>) {
        self.still = still;
    }

    /// Whether a live playlist that players ask for stands still.
    pub(super) fn is_still(&self, now: Instant) -> bool {
        self.still.is_some_and(|still| now - still < limits::operator::LATE)
    }

    /// Segments come slower than they play, now; or one came in time.
    pub(super) const fn on_late(&mut self, late: Option<Instant>) {
        self.late = late;
    }

    /// Whether players lately got segment after segment slower than it plays.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.late.is_some_and(|late| now - late < limits::operator::LATE)
    }

    /// A base URL did not answer, or badly; it is spared for a while, longer each time.
    pub(super) fn on_bad(&mut self, base: usize, (cause, thing): (&str, Thing), now: Instant) {
        self.tried = true;
        self.last_error = Some(cause.into());
        let Some(base) = self.bases.get_mut(base) else { return };
        base.media |= thing == Thing::Media;
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
    pub(super) fn word(&self, now: Instant) -> Word {
        let failing = self.bases.iter().filter(|base| base.failing_since.is_some()).count();
        match (self.tried, failing) {
            (false, _) => Word::Untried,
            (true, n) if n == self.bases.len() => Word::Failing,
            (true, _) if self.is_denying(now) => Word::Denying,
            (true, _) if self.is_still(now) => Word::Still,
            (true, _) if self.is_late(now) => Word::Slow,
            (true, 0) => Word::Good,
            (true, _) => Word::Degraded,
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

/// Denied playlists or segments in a row that are no chance: players ask a few times for a segment
/// that is not there yet at the edge of a live stream.
const DENIED: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fails_over_and_comes_back() {
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let mut health = Health::new(2);
        assert_eq!((health.choose(at(0)), health.word(Instant::default())), (0, Word::Untried));
        health.on_bad(0, ("refused", Thing::List), at(0));
        assert_eq!((health.choose(at(0)), health.other(1, at(0))), (1, Some(1)));
        health.on_good(1, Thing::List);
        assert_eq!(health.word(Instant::default()), Word::Degraded);
        assert_eq!(health.failing_since(), None);
        assert_eq!(health.choose(at(2)), 0);
        health.on_bad(0, ("refused", Thing::List), at(2));
        assert_eq!((health.choose(at(3)), health.choose(at(4))), (1, 0));
        health.on_bad(1, ("refused", Thing::List), at(3));
        assert_eq!(
            (health.word(Instant::default()), health.failing_since()),
            (Word::Failing, Some(at(3)))
        );
        health.on_good(0, Thing::List);
        assert_eq!((health.choose(at(3)), health.word(Instant::default())), (0, Word::Degraded));
        assert_eq!(health.other(3, at(3)), None);
    }

    #[test]
    fn bodies_that_break_off_count_until_one_is_whole() {
        let mut health = Health::new(1);
        for _ in 0..3 {
            health.on_good(0, Thing::List);
            health.on_cut(0, true, ("it ended", Instant::default()));
        }
        health.on_good(0, Thing::List);
        health.on_whole(0, false);
        assert_eq!(health.word(Instant::default()), Word::Failing);
        health.on_whole(0, true);
        assert_eq!(
            (health.word(Instant::default()), health.last_error()),
            (Word::Good, Some("it ended"))
        );
    }

    #[test]
    fn segments_that_are_not_given_count_until_one_is() {
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let mut health = Health::new(1);
        for second in 0..90 {
            health.on_good(0, Thing::List);
            health.on_bad(0, ("it answers 500", Thing::Media), at(second));
        }
        health.on_good(0, Thing::List);
        assert_eq!((health.word(at(90)), health.failing_since()), (Word::Failing, Some(at(0))));
        health.on_good(0, Thing::Media);
        assert_eq!((health.word(at(91)), health.failing_since()), (Word::Good, None));
    }

    #[test]
    fn what_is_denied_in_a_row_counts_and_one_alone_does_not() {
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        for (thing, other) in [(Thing::Media, Thing::List), (Thing::List, Thing::Media)] {
            let mut health = Health::new(1);
            health.on_good(0, thing);
            for second in 0..9 {
                health.on_denied(("answers 404", Thing::Other), at(second));
            }
            (10..13).for_each(|second| health.on_denied(("answers 404", thing), at(second)));
            assert_eq!(health.word(at(13)), Word::Good);
            health.on_given(thing);
            health.on_denied(("answers 404", thing), at(80));
            assert_eq!((health.word(at(80)), health.last_error()), (Word::Good, None));
            for second in 81..84 {
                health.on_denied(("answers 404", thing), at(second));
                health.on_given(other);
            }
            assert_eq!(
                (health.word(at(84)), health.last_error()),
                (Word::Denying, Some("it answers 404"))
            );
            assert_eq!(health.word(at(150)), Word::Good, "nobody asks any more");
            health.on_given(thing);
            assert_eq!(health.word(at(84)), Word::Good);
        }
    }

    #[test]
    fn what_is_alike_is_said_of_its_first_place() {
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let mut health = Health::new(1);
        let mut say = |what, place: &str, seconds| {
            health.alike((what, Thing::Media), place.into(), at(seconds))
        };
        assert_eq!([say("a", "tv/1", 0), say("a", "tv/2", 59)], ["tv/1", "tv/1"]);
        assert_eq!([say("a", "tv/3", 60), say("b", "tv/4", 61)], ["tv/3", "tv/4"]);
    }
}
