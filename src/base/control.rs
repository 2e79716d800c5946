//! Control calls: what an operator or the system tells a running node, and how it answers.

use serde::{Deserialize, Serialize};

/// What is to be done, as it stands in a call's JSON: `{"call": "standby"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Control {
    /// Send nothing and set no timer until a player asks or [`Control::Wake`] comes.
    Standby,
    /// Do again what the configuration says.
    Wake,
}

/// What became of a call: a sentence for the operator, on either side.
pub type Told = Result<String, String>;
