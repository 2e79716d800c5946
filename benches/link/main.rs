//! What a link costs: verified blocks from one node to another, against bare rustls over TCP, or
//! with `--wan` over QUIC against bare quinn-proto; `--idle` is what QUIC holds at rest.
//!
//! `cargo bench --bench link [-- --wan --rounds 5 --gigabytes 2]`; they take turns, and each side has
//! a thread of its own. CPU seconds are those of the two threads.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench has a clock, and prints"
)]

mod alone;
mod bare;
mod idle;
mod node;
mod quic;

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// What one side spent.
#[derive(Clone, Copy, Default)]
struct Spent {
    wall: f64,
    cpu: f64,
}

/// The clocks of the running thread.
struct Watch(Duration, Duration);

impl Watch {
    fn start() -> Self {
        Self(clock(ClockId::CLOCK_MONOTONIC), clock(ClockId::CLOCK_THREAD_CPUTIME_ID))
    }

    fn stop(&self) -> Spent {
        let wall = clock(ClockId::CLOCK_MONOTONIC) - self.0;
        let cpu = clock(ClockId::CLOCK_THREAD_CPUTIME_ID) - self.1;
        Spent { wall: wall.as_secs_f64(), cpu: cpu.as_secs_f64() }
    }
}

fn clock(id: ClockId) -> Duration {
    clock_gettime(id).expect("a clock").into()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--idle") {
        return idle::run();
    }
    let number = |name: &str, usual: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(usual)
    };
    let (rounds, bytes) = (number("--rounds", 5), number("--gigabytes", 2) << 30);
    println!("| round | what | MB/s | giver CPU s/GB | taker CPU s/GB | both |");
    println!("|---|---|---|---|---|---|");
    let runs: &[(&str, Run)] = match arguments.iter().any(|argument| argument == "--wan") {
        false => &[
            ("bare rustls", bare::run),
            ("bare rustls, hashed", bare::run_hashed),
            ("link", node::run),
        ],
        true => &[
            ("bare quinn-proto", quic::run),
            ("bare quinn-proto, hashed", quic::run_hashed),
            ("link over QUIC", node::run_far),
        ],
    };
    let mut figures = vec![Vec::new(); runs.len()];
    for round in 1..=rounds {
        for (place, (name, run)) in runs.iter().enumerate() {
            let (giver, taker) = run(bytes);
            let gigabytes = bytes as f64 / 1e9;
            let rate = gigabytes * 1e3 / taker.wall;
            let (giver, taker) = (giver.cpu / gigabytes, taker.cpu / gigabytes);
            figures[place].push((rate, giver + taker));
            let both = giver + taker;
            println!("| {round} | {name} | {rate:.0} | {giver:.3} | {taker:.3} | {both:.3} |");
        }
    }
    println!();
    let medians = figures.iter().map(|runs: &Vec<(f64, f64)>| {
        let median = |pick: fn(&(f64, f64)) -> f64| {
            let mut all: Vec<f64> = runs.iter().map(pick).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        (median(|run| run.0), median(|run| run.1))
    });
    let medians: Vec<_> = medians.collect();
    let (rate, cpu) = medians[0];
    for ((name, _), median) in runs.iter().zip(&medians) {
        let (of_rate, of_cpu) = (median.0 / rate, median.1 / cpu);
        println!(
            "{name}: median {:.0} MB/s ({of_rate:.2}), {:.3} CPU s/GB ({of_cpu:.2})",
            median.0, median.1
        );
    }
}

/// Sends that many bytes; answers what the giver and the taker spent.
type Run = fn(u64) -> (Spent, Spent);
