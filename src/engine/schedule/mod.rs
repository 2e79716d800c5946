//! Whence each block comes and when: from a peer while there is time, else from the origin.

mod company;
pub mod deadline;
mod decide;
mod hold;
mod home;
mod own;
mod promise;
mod pull;
pub mod rank;
pub mod rate;
mod rest;
pub mod scheduler;
mod shortage;
mod sources;
mod view;
pub mod want;
