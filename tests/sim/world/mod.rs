//! A world in virtual time: nodes with the real machine, an origin, wires, players, mishaps.

pub mod calendar;
pub mod exchange;
pub mod library;
pub mod measure;
pub mod node;
pub mod origin;
pub mod peers;
pub mod pipes;
pub mod player;
pub mod scene;
pub mod stage;
pub mod store;
pub mod turn;
