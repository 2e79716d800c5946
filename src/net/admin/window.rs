//! What operators may see of the node and tell it.

use crate::base::control::{Control, Told};
use crate::node::status::Status;

/// The node as operators meet it.
pub struct Window {
    /// How it stands.
    pub status: Box<dyn Fn() -> Status>,
    /// Does what a call says, and answers in words.
    pub control: Box<dyn Fn(Control) -> Told>,
}
