//! A stream as segments in play order: what comes next, how long a list holds, what has left.

pub mod answer;
mod change;
pub mod follow;
mod index;
mod leaving;
mod playhead;
mod row;
mod stream;
mod turn;
