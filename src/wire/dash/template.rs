//! Segment templates: names from numbers and times, and back (ISO/IEC 23009-1, 5.3.9.4.4).

use core::fmt::Write as _;
use core::time::Duration;

use crate::base::limits;
use crate::wire::plan::{Run, Template};

/// One segment that a template names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number (`$Number$`).
    pub number: u64,
    /// Its media time in units (`$Time$`).
    pub time: u64,
    /// Its duration in units.
    pub duration: u64,
    /// Whether the manifest itself lists it; else it exists once the clock says so.
    pub listed: bool,
}

impl Template {
    /// Whether positions count media time rather than numbers.
    pub fn by_time(&self) -> bool {
        let number = |piece| matches!(piece, Piece::Number(_));
        !pieces(&self.locator.target).any(number)
    }

    /// Whether its names differ from segment to segment.
    pub fn is_counting(&self) -> bool {
        let counts = |piece| matches!(piece, Piece::Number(_) | Piece::Time(_));
        pieces(&self.locator.target).any(counts)
    }

    /// A segment's position: what orders it in its representation.
    pub fn position(&self, slot: &Slot) -> u64 {
        if self.by_time() { slot.time } else { slot.number }
    }

    /// The first segment behind `position`, or the first of all; `runs` is the template's timeline
    /// and `length` that of the period.
    pub fn after(
        &self,
        position: Option<u64>,
        runs: Option<&[Run]>,
        length: Option<Duration>,
    ) -> Option<Slot> {
        match runs {
            Some(runs) => self.in_timeline(position, runs, length),
            None => self.by_duration(position, length),
        }
    }

    /// When a segment ends, counted from the start of its period.
    pub fn ends(&self, slot: &Slot) -> Duration {
        let end = slot.time.saturating_add(slot.duration).saturating_sub(self.offset);
        self.lasting(end)
    }

    /// How long `units` of this template last.
    pub fn lasting(&self, units: u64) -> Duration {
        let micros = u128::from(units) * 1_000_000 / u128::from(self.timescale.max(1));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn units(&self, length: Duration) -> u64 {
        let units = length.as_micros() * u128::from(self.timescale) / 1_000_000;
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    fn by_duration(&self, position: Option<u64>, length: Option<Duration>) -> Option<Slot> {
        let duration = Some(self.duration).filter(|units| *units > 0)?;
        let index = match position {
            None => 0,
            Some(time) if self.by_time() && time < self.offset => 0,
            Some(time) if self.by_time() => {
                time.saturating_sub(self.offset).checked_div(duration)?.checked_add(1)?
            }
            Some(number) => number.checked_add(1)?.saturating_sub(self.first),
        };
        let number = self.first.checked_add(index)?;
        let time = index.checked_mul(duration)?.checked_add(self.offset)?;
        let over = length.is_some_and(|length| index * duration >= self.units(length));
        if over || self.last.is_some_and(|last| number > last) {
            return None;
        }
        Some(Slot { number, time, duration, listed: false })
    }

    fn in_timeline(
        &self,
        position: Option<u64>,
        runs: &[Run],
        length: Option<Duration>,
    ) -> Option<Slot> {
        let by_time = self.by_time();
        let mut number = self.first;
        for (place, run) in runs.iter().enumerate() {
            let duration = Some(run.duration).filter(|units| *units > 0)?;
            let until = runs
                .get(place + 1)
                .map(|next| next.time)
                .or_else(|| length.map(|length| self.units(length).saturating_add(self.offset)));
            let filled = until.map(|until| until.saturating_sub(run.time).div_ceil(duration));
            let count = run.count.or(filled).unwrap_or(u64::MAX);
            let index = match position {
                None => 0,
                Some(time) if by_time && time < run.time => 0,
                Some(time) if by_time => ((time - run.time) / duration).saturating_add(1),
                Some(after) => after.checked_add(1)?.saturating_sub(number),
            };
            if index < count {
                let number = number.checked_add(index)?;
                let time = index.checked_mul(duration)?.checked_add(run.time)?;
                let listed = run.count.is_some() || place + 1 < runs.len();
                let within = self.last.is_none_or(|last| number <= last);
                return within.then_some(Slot { number, time, duration, listed });
            }
            number = number.checked_add(count)?;
        }
        None
    }
}

/// The name that `pattern` gives a segment; `None` when it holds what only a player knows.
pub fn fill(pattern: &str, slot: &Slot) -> Option<String> {
    let mut name = String::with_capacity(pattern.len() + 8);
    for piece in pieces(pattern) {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Number(width) => write!(name, "{:0width$}", slot.number).ok()?,
            Piece::Time(width) => write!(name, "{:0width$}", slot.time).ok()?,
            Piece::Other(_) => return None,
        }
    }
    Some(name)
}

/// The number and time in a name that `pattern` gave; the one that it lacks is `None`.
pub fn matched(pattern: &str, name: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (mut rest, mut number, mut time) = (name, None, None);
    for piece in pieces(pattern) {
        let (value, width) = match piece {
            Piece::Text(text) => {
                rest = rest.strip_prefix(text)?;
                continue;
            }
            Piece::Number(width) => (&mut number, width),
            Piece::Time(width) => (&mut time, width),
            Piece::Other(_) => return None,
        };
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        let padded = digits.len() == width || !digits.starts_with('0') || digits == "0";
        let read = digits.parse::<u64>().ok().filter(|_| padded && digits.len() >= width)?;
        if value.is_some_and(|known| known != read) {
            return None;
        }
        *value = Some(read);
        rest = after;
    }
    rest.is_empty().then_some((number, time))
}

/// `text` with what a representation knows of itself filled in; numbers and times stay.
pub fn represented(text: &str, id: Option<&str>, bandwidth: Option<u64>) -> Option<String> {
    if !text.contains('$') {
        return Some(text.into());
    }
    let mut filled = String::with_capacity(text.len() + 16);
    for piece in pieces(text) {
        if filled.len() > limits::http::TARGET {
            return None;
        }
        match piece {
            Piece::Text("$") => filled.push_str("$$"),
            Piece::Text(text) => filled.push_str(text),
            Piece::Number(width) => write!(filled, "$Number%0{width}d$").ok()?,
            Piece::Time(width) => write!(filled, "$Time%0{width}d$").ok()?,
            Piece::Other("RepresentationID") => filled.push_str(id?),
            Piece::Other(name) => {
                let width = name.strip_prefix("Bandwidth").and_then(padding)?;
                write!(filled, "{:0width$}", bandwidth?).ok()?;
            }
        }
    }
    Some(filled)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Number(usize),
    Time(usize),
    Other(&'a str),
}

fn pieces(pattern: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut parts = pattern.split('$').enumerate();
    core::iter::from_fn(move || {
        loop {
            let (place, part) = parts.next()?;
            match (place % 2, part) {
                (0, "") => {}
                (0, text) => return Some(Piece::Text(text)),
                (_, name) => return Some(identifier(name)),
            }
        }
    })
}

fn identifier(name: &str) -> Piece<'_> {
    if name.is_empty() {
        return Piece::Text("$");
    }
    let number = name.strip_prefix("Number").and_then(padding).map(Piece::Number);
    let time = || name.strip_prefix("Time").and_then(padding).map(Piece::Time);
    number.or_else(time).unwrap_or(Piece::Other(name))
}

/// The width of a format tag `%0[width]d`; 1 without one.
fn padding(format: &str) -> Option<usize> {
    if format.is_empty() {
        return Some(1);
    }
    let width = format.strip_prefix("%0")?.strip_suffix('d')?;
    width.parse().ok().filter(|width| (1..=20).contains(width))
}
