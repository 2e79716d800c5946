//! Which blocks are trusted, by which record, and what rests on whose word.

mod provenance;
mod shelf;
pub mod signers;
pub mod verifier;
