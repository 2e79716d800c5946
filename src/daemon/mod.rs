//! The running node: doors opened, the one loop, the order of shutdown.

pub mod alarm;
pub mod arguments;
pub mod calibrate;
pub mod check;
pub mod control;
pub mod disk;
pub mod help;
pub mod key;
pub mod ledger;
pub mod network;
pub mod notes;
pub mod ports;
pub mod reset;
pub mod run;
pub mod sensing;
pub mod setting;
pub mod settling;
pub mod sign;
pub mod start;
pub mod status;
pub mod watchdog;
