//! Whence blocks come: one node by a script, and whole swarms of schedulers.

mod cases;
mod script;
mod swarm;
