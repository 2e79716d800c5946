//! The coefficients of the power model that explain a meter's readings best.

/// What was done between two readings, each a second's average, and what the meter showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Watts.
    pub watts: f64,
    /// Seconds of CPU time, bytes sent to peers, received from them, written to disk, and whether
    /// anything was shared at all (1 or 0).
    pub work: [f64; KINDS],
}

/// Kinds of work, in the order in which they are told apart where there are few readings.
pub const KINDS: usize = 5;

/// What came out: watts for each unit of a kind a second; none where the readings do not tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Watts while neap does nothing.
    pub rest: f64,
    /// By kind.
    pub each: [Option<f64>; KINDS],
    /// The largest difference between a reading and what the coefficients say, in watts.
    pub off: f64,
}

/// Fits by least squares. A kind that was the same in every reading, or went along with others,
/// is not told apart; one that would give power back is 0.
pub fn fit(readings: &[Reading]) -> Fit {
    let mut kinds: Vec<usize> = (0..KINDS).filter(|kind| varies(readings, *kind)).collect();
    kinds.truncate(readings.len().saturating_sub(1));
    let mut each = [None; KINDS];
    loop {
        match solve(readings, &kinds) {
            Ok(found) => {
                let below = found.iter().skip(1).position(|value| *value < 0.0);
                if let Some(at) = below {
                    each[kinds.remove(at)] = Some(0.0);
                    continue;
                }
                let rest = found.first().copied().unwrap_or_default();
                for (kind, value) in kinds.iter().zip(found.iter().skip(1)) {
                    each[*kind] = Some(*value);
                }
                let off =
                    readings.iter().map(|reading| off(reading, rest, &each)).fold(0.0, f64::max);
                return Fit { rest, each, off };
            }
            Err(at) => drop(kinds.remove(at)),
        }
    }
}

fn off(reading: &Reading, rest: f64, each: &[Option<f64>; KINDS]) -> f64 {
    let parts = each.iter().zip(reading.work).map(|(each, work)| each.unwrap_or(0.0) * work);
    (reading.watts - rest - parts.sum::<f64>()).abs()
}

/// Whether a kind differs between readings by more than a meter's noise could hide.
fn varies(readings: &[Reading], kind: usize) -> bool {
    let of = || readings.iter().map(|reading| reading.work[kind]);
    let (least, most) = (of().fold(f64::INFINITY, f64::min), of().fold(0.0, f64::max));
    most > 0.0 && most - least > most / 10.0
}

/// The normal equations of "rest and these kinds", by elimination; else the place of a kind that
/// goes along with those before it.
fn solve(readings: &[Reading], kinds: &[usize]) -> Result<Vec<f64>, usize> {
    // Columns are scaled to 1, since bytes are millions and CPU seconds are parts of one.
    let scale = |kind: &usize| {
        let most = readings.iter().map(|reading| reading.work[*kind]).fold(0.0, f64::max);
        if most > 0.0 { most } else { 1.0 }
    };
    let scales: Vec<f64> = core::iter::once(1.0).chain(kinds.iter().map(scale)).collect();
    let row = |reading: &Reading| {
        let work = kinds.iter().zip(&scales[1..]).map(|(kind, scale)| reading.work[*kind] / scale);
        core::iter::once(1.0).chain(work).chain([reading.watts]).collect::<Vec<f64>>()
    };
    let rows: Vec<Vec<f64>> = readings.iter().map(row).collect();
    let size = scales.len();
    let product = |a: usize, b: usize| rows.iter().map(|row| row[a] * row[b]).sum::<f64>();
    let mut all: Vec<Vec<f64>> =
        (0..size).map(|a| (0..=size).map(|b| product(a, b)).collect()).collect();
    for at in 0..size {
        if all[at][at] < TOO_ALIKE {
            return if at == 0 { Ok(vec![0.0]) } else { Err(at - 1) };
        }
        for other in (0..size).filter(|other| *other != at) {
            let factor = all[other][at] / all[at][at];
            let row = all[at].clone();
            for (cell, part) in all[other].iter_mut().zip(&row).skip(at) {
                *cell -= factor * part;
            }
        }
    }
    Ok((0..size).map(|at| all[at][size] / all[at][at] / scales[at]).collect())
}

/// What is left of a scaled column beside those before it, below which it says nothing.
const TOO_ALIKE: f64 = 1e-3;

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(watts: f64, work: [f64; KINDS]) -> Reading {
        Reading { watts, work }
    }

    /// 4 W at rest, 1.5 J a CPU second, 15 nJ a byte sent, 20 received, 60 written, 0.1 W idle.
    fn true_to(work: [f64; KINDS]) -> Reading {
        let each = [1.5, 15e-9, 20e-9, 60e-9, 0.1];
        let parts = each.iter().zip(work).map(|(each, work)| each * work);
        reading(4.0 + parts.sum::<f64>(), work)
    }

    #[test]
    fn enough_readings_tell_every_coefficient() {
        let readings = [
            true_to([0.0; KINDS]),
            true_to([0.3, 5e6, 0.0, 0.0, 1.0]),
            true_to([0.3, 0.0, 5e6, 0.0, 1.0]),
            true_to([0.1, 1e6, 2e6, 4e6, 1.0]),
            true_to([0.8, 2e6, 1e6, 0.0, 1.0]),
            true_to([0.5, 8e6, 8e6, 1e6, 1.0]),
        ];
        let found = fit(&readings);
        assert!((found.rest - 4.0).abs() < 1e-6 && found.off < 1e-6, "{found:?}");
        for (found, wanted) in found.each.iter().zip([1.5, 15e-9, 20e-9, 60e-9, 0.1]) {
            let found = found.expect("all are told");
            assert!((found / wanted - 1.0).abs() < 1e-3, "{found} is not {wanted}");
        }
    }

    #[test]
    fn what_the_readings_do_not_tell_stays_open() {
        let found = fit(&[reading(4.0, [0.0; KINDS]), reading(4.6, [0.4, 1e6, 0.0, 0.0, 1.0])]);
        assert!((found.each[0].unwrap_or(0.0) - 1.5).abs() < 1e-9, "{found:?}");
        assert_eq!(found.each[1..], [None; KINDS - 1]);
        // Bytes that always go along with CPU time are not told apart from it.
        let along = |cpu: f64| reading(4.0 + cpu, [cpu, 1e7 * cpu, 0.0, 0.0, 0.0]);
        let found = fit(&[along(0.0), along(0.2), along(0.5), along(0.9)]);
        assert!(found.each[0].is_some() && found.each[1].is_none(), "{found:?}");
        assert_eq!(fit(&[]).each, [None; KINDS]);
    }

    #[test]
    fn nothing_gives_power_back() {
        let readings = [
            reading(4.0, [0.0, 0.0, 0.0, 0.0, 0.0]),
            reading(4.5, [0.5, 0.0, 0.0, 0.0, 0.0]),
            reading(3.9, [0.0, 5e6, 0.0, 0.0, 0.0]),
        ];
        let found = fit(&readings);
        assert_eq!(found.each[1], Some(0.0));
        assert!(found.off > 0.0 && found.each[0].is_some_and(|each| each > 0.0), "{found:?}");
    }
}
