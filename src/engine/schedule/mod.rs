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
pub mod scheduler;
mod shortage;
mod sources;
pub mod want;
