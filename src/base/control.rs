//! Control calls: what an operator or the system tells a running node, and how it answers.

use serde::{Deserialize, Serialize};

/// What is to be done, as it stands in a call's JSON: `{"call": "standby"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Control {
    /// Send nothing and set no timer until a player asks or [`Control::Wake`] comes.
    Standby,
    /// Do again what the configuration says.
    Wake,
    /// Share or do not, whatever happens, until the next such call.
    Sharing {
        /// Whether to share.
        on: bool,
    },
    /// Forget what was given and taken.
    ForgetLedger,
    /// Obey the operator's switch, and pass it on.
    Switch {
        /// The line that `neap switch` printed.
        line: String,
    },
}

/// What became of a call: a sentence for the operator, on either side.
pub type Told = Result<String, String>;
