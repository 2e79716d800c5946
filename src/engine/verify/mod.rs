//! Which blocks are trusted, by which record, and what rests on whose word.

pub mod ballots;
pub mod judge;
mod provenance;
mod shelf;
pub mod signers;
pub mod verifier;
