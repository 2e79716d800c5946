//! How much sharing a slow sensor allows, in thousandths: down at once, up step by step.

use core::time::Duration;

use crate::base::time::Instant;

/// A level that is held down by something that reacts slowly, as heat does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    level: u16,
    at: Option<Instant>,
}

impl Default for Level {
    fn default() -> Self {
        Self { level: WHOLE, at: None }
    }
}

impl Level {
    /// Thousandths of what is allowed else.
    pub const fn now(self) -> u16 {
        self.level
    }

    /// A reading asks for so much: less holds at once, more comes at [`RISE`], so that heat or
    /// power that follows seconds later does not make it swing.
    pub fn follow(&mut self, wanted: u16, now: Instant) {
        let passed = self.at.replace(now).map_or(Duration::ZERO, |at| now - at);
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let rise = u16::try_from(millis.saturating_mul(RISE) / 1000).unwrap_or(WHOLE);
        self.level = wanted.min(WHOLE).min(self.level.saturating_add(rise));
    }

    /// What a temperature allows: all below `limit` less `span`, nothing from `limit` on, and in
    /// between in proportion. What was stopped stays so until the middle of the span.
    pub fn on_heat(&mut self, millidegrees: i64, (limit, span): (u64, u64), now: Instant) {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let span = i64::try_from(span.max(1)).unwrap_or(i64::MAX);
        let room = limit.saturating_sub(millidegrees).clamp(0, span);
        let wanted = u16::try_from(room.saturating_mul(1000) / span).unwrap_or(WHOLE);
        let stopped = self.level == 0 && wanted < WHOLE / 2;
        self.follow(if stopped { 0 } else { wanted }, now);
    }

    /// What a measured draw allows, by additive increase and multiplicative decrease (RFC 5681
    /// does the same with a window).
    pub fn on_draw(&mut self, milliwatts: u64, cap: u64, now: Instant) {
        if milliwatts > cap {
            let over = cap.saturating_mul(900) / milliwatts.max(1);
            let cut = u64::from(self.level) * over.clamp(LEAST_LEFT, 900) / 1000;
            self.follow(u16::try_from(cut).unwrap_or(WHOLE), now);
        } else if milliwatts < cap * 9 / 10 {
            self.follow(WHOLE, now);
        } else {
            self.follow(self.level, now);
        }
    }
}

/// All.
pub const WHOLE: u16 = 1000;

/// Thousandths of a level that one reading leaves, however far above its cap the draw is.
const LEAST_LEFT: u64 = 100;

/// Thousandths a second by which a level rises: whole again after 50 s, which is longer than a
/// heat sink of a box takes to follow.
const RISE: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    /// A box that heats up by `gain` thousandths of a degree at full sharing, with a time constant
    /// in seconds; it is read every five seconds.
    fn box_with(gain: f64, constant: f64, ambient: impl Fn(u64) -> f64) -> Vec<(f64, u16)> {
        let (mut level, mut heat, mut out) = (Level::default(), ambient(0), Vec::new());
        for second in 0..3600 {
            let goal = ambient(second) + gain * f64::from(level.now()) / 1000.0;
            heat += (goal - heat) / constant;
            if second % 5 == 0 {
                level.on_heat(heat as i64, (80_000, 5_000), at(second));
            }
            out.push((heat, level.now()));
        }
        out
    }

    #[test]
    fn heat_settles_below_the_limit_and_does_not_swing() {
        for (gain, constant) in [(30_000.0, 20.0), (20_000.0, 60.0), (15_000.0, 10.0)] {
            let run = box_with(gain, constant, |_| 62_000.0);
            let late = &run[1800..];
            let highest = late.iter().fold(0.0, |most: f64, (heat, _)| most.max(*heat));
            let most = late.iter().map(|(_, level)| *level).max().expect("some");
            let least = late.iter().map(|(_, level)| *level).min().expect("some");
            assert!(highest < 80_000.0, "{gain} {constant}: {highest}");
            assert!(most - least < 150, "{gain} {constant}: {least} to {most}");
            assert!(least > 0, "{gain} {constant}: it goes on sharing");
        }
    }

    #[test]
    fn sharing_stops_in_the_heat_and_comes_back_when_it_is_over() {
        let run = box_with(10_000.0, 30.0, |s| if s < 1200 { 85_000.0 } else { 40_000.0 });
        assert!(run[600..1200].iter().all(|(_, level)| *level == 0));
        let back = run[1200..].iter().position(|(_, level)| *level == WHOLE).expect("it is back");
        assert!(back < 180, "after {back} s");
        assert!(run[1200 + back..].iter().all(|(_, level)| *level == WHOLE), "and stays");
    }

    #[test]
    fn a_draw_far_above_its_cap_is_cut_within_four_readings() {
        let mut level = Level::default();
        for step in 0..4 {
            assert!(level.now() > 0, "reading {step}");
            level.on_draw(5_000, 500, at(step * 5));
        }
        assert_eq!(level.now(), 0);
    }

    #[test]
    fn a_measured_draw_stays_below_its_cap() {
        let (mut level, mut over) = (Level::default(), 0);
        let (mut least, mut most) = (u64::MAX, 0);
        for step in 0..200 {
            let draw = 300 + 4_000 * u64::from(level.now()) / 1000;
            level.on_draw(draw, 1_500, at(step * 5));
            over += u32::from(draw > 1_500 && step > 20);
            if step > 50 {
                (least, most) = (least.min(draw), most.max(draw));
            }
        }
        assert!(over <= 2, "{over} readings above");
        assert!(least > 1_000 && most - least < 500, "{least} to {most}");
    }
}
