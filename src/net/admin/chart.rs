//! The chart of where bytes came from, as an inline SVG.

use core::fmt::Write;

use super::words;
use crate::node::report::Source;
use crate::node::status::History;

/// Stacked bars, the cache below: what rises above it is what the origin had to give.
pub fn render(history: &History) -> String {
    let length = Source::ALL.iter().map(|source| row(history, *source).len()).max().unwrap_or(0);
    let peak = (0..length).map(|at| sum(history, at)).max().unwrap_or(0);
    let bars: String = (0..length).map(|at| bar(history, at, peak)).collect();
    let note = match peak {
        0 => "No video in the last ten minutes".into(),
        _ => format!("peak {}", words::rate(peak / history.bucket_seconds.max(1))),
    };
    let (width, half) = (length.max(1) * STEP, HEIGHT / 2);
    format!(
        "<p class=peak>{note}</p><div class=chart>\
         <svg viewBox=\"0 0 {width} {HEIGHT}\" preserveAspectRatio=none role=img \
         aria-label=\"{note}\"><line x1=0 y1={half} x2={width} y2={half} />\
         {bars}</svg></div>"
    )
}

fn bar(history: &History, at: usize, peak: u64) -> String {
    let mut bar = String::new();
    let mut top = HEIGHT;
    // The newest bar still grows.
    let newest = Source::ALL.iter().all(|source| at + 1 >= row(history, *source).len());
    let part = if newest { " part" } else { "" };
    for source in Source::ALL {
        let value = row(history, source).get(at).copied().unwrap_or(0);
        let share = u128::from(value) * u128::from(HEIGHT) / u128::from(peak.max(1));
        let height = u64::try_from(share).unwrap_or(HEIGHT).min(top);
        top -= height;
        if height > 0 {
            let (x, width, name) = (at * STEP, STEP - GAP, source.name());
            // Writing to a string cannot fail.
            let _ = write!(
                bar,
                "<rect class=\"{name}{part}\" x={x} y={top} width={width} \
                 height={height} />"
            );
        }
    }
    bar
}

fn row(history: &History, source: Source) -> &[u64] {
    history.bytes.get(source.name()).map_or(&[], Vec::as_slice)
}

fn sum(history: &History, at: usize) -> u64 {
    let value = |source: &Source| row(history, *source).get(at).copied().unwrap_or(0);
    Source::ALL.iter().map(value).fold(0, u64::saturating_add)
}

/// Units of the chart's height, of a bar with its gap, and of the gap.
const HEIGHT: u64 = 1000;
const STEP: usize = 10;
const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn history(cache: &[u64], origin: &[u64]) -> History {
        let rows = [("cache".into(), cache.to_vec()), ("origin".into(), origin.to_vec())];
        History { bucket_seconds: 10, bytes: rows.into() }
    }

    #[test]
    fn the_highest_bar_fills_the_chart_and_its_parts_stand_on_each_other() {
        let chart = render(&history(&[10, 750, 0], &[0, 250, 5]));
        let bar = "<rect class=\"cache\" x=10 y=250 width=8 height=750 />\
                   <rect class=\"origin\" x=10 y=0 width=8 height=250 />";
        assert!(chart.contains(bar), "{chart}");
        assert_eq!(chart.matches("part").count(), 1);
        assert!(chart.contains("peak 800 bit/s"), "{chart}");
    }

    #[test]
    fn no_figure_breaks_it() {
        let most = [u64::MAX, u64::MAX];
        assert_eq!(render(&history(&most, &most)).matches("<rect").count(), 2);
        assert_eq!(render(&history(&[], &[])).matches("<rect").count(), 0);
        assert_eq!(render(&history(&[1], &[0, 0, 7])).matches("<rect").count(), 2);
    }
}
