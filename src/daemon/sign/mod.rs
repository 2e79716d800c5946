//! `neap sign`: makes the records of a publisher's media files, beside each of them.

pub mod command;
mod fault;
mod listing;
mod naming;
mod progress;
mod seal;
