//! Whence blocks come: one node by a script, and whole swarms of schedulers.

mod cases;
mod many;
mod script;
mod shortage;
mod swarm;
