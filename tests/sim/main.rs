//! Many nodes in one world of virtual time: the real machine, modelled ports, chance by seed.
//!
//! A failing run prints its seed, and the seed is all that is needed to see it again:
//! `SEED=7 cargo test --test sim chance`, with `TELL=1` in every detail; `RUNS=10000` for a night.

#![allow(clippy::print_stdout, reason = "a failing world prints its seed, and its story if asked")]
#![allow(unreachable_pub, reason = "the modules of one test program")]

mod checks;
mod narrow;
mod planted;
mod returning;
mod targets;
mod world;
mod worlds;
